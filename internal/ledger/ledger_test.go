package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"greenlight/internal/ledger"
	"greenlight/internal/testkit"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, testkit.ServerLeaks()...)
}

// patience is how long a test waits for something that must happen.
const patience = 5 * time.Second

// Campaign ids in both forms: Telnyx's and TCR's.
const (
	telnyxID = "751c6a5c-907b-43a9-8ada-ba1dc8335b07"
	tcrID    = "C6X6M95"
)

// noon is the time of everything that the tests write.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// start starts a server with an empty ledger.
func start(t *testing.T) (*ledger.Ledger, jetstream.JetStream) {
	t.Helper()
	js := testkit.JetStream(t, testkit.Embedded(t))
	book, err := ledger.Create(t.Context(), js, 0)
	must(t, err)
	return book, js
}

func number(campaignID, e164 string) ledger.Number {
	return ledger.Number{
		Number: e164, CampaignID: campaignID, Plan: "spring-promo", PlanHash: "a1b2",
		State: ledger.Planned, Reason: ledger.CampaignInReview, Since: noon, Cause: "resync (message 1)",
	}
}

func campaign(id string) ledger.Campaign {
	return ledger.Campaign{ID: id, Planned: true, Plan: "spring-promo", PlanHash: "a1b2", Phase: ledger.PhaseInReview, Since: noon}
}

// put creates a record.
func put(t *testing.T, book *ledger.Ledger, n ledger.Number) ledger.NumberEntry {
	t.Helper()
	entry, err := book.PutNumber(t.Context(), ledger.NumberEntry{}, n)
	must(t, err)
	return entry
}

func putCampaign(t *testing.T, book *ledger.Ledger, c ledger.Campaign) ledger.CampaignEntry {
	t.Helper()
	entry, err := book.PutCampaign(t.Context(), ledger.CampaignEntry{}, c)
	must(t, err)
	return entry
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLedger_ReadsBackWhatWasWritten(t *testing.T) {
	t.Parallel()
	for _, id := range []string{telnyxID, tcrID} {
		t.Run(id, func(t *testing.T) {
			book, _ := start(t)
			n := number(id, "+15551234567")
			n.NextAt, n.ClaimedAt, n.Detail = noon.Add(time.Hour), noon, "Telnyx said: «no», in two\nlines"
			wantNumber := put(t, book, n)
			wantCampaign := putCampaign(t, book, campaign(id))

			numbers, err := book.Numbers(t.Context(), id)
			must(t, err)
			if diff := cmp.Diff(map[string]ledger.NumberEntry{"+15551234567": wantNumber}, numbers); diff != "" {
				t.Errorf("numbers (-want +got):\n%s", diff)
			}
			got, ok, err := book.Campaign(t.Context(), id)
			must(t, err)
			if diff := cmp.Diff(wantCampaign, got); !ok || diff != "" {
				t.Errorf("campaign, found %t (-want +got):\n%s", ok, diff)
			}
			all, err := book.Campaigns(t.Context())
			must(t, err)
			if diff := cmp.Diff([]ledger.CampaignEntry{wantCampaign}, all); diff != "" {
				t.Errorf("campaigns (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCampaign_ReportsAMissingRecord(t *testing.T) {
	t.Parallel()
	book, _ := start(t)
	if got, ok, err := book.Campaign(t.Context(), tcrID); ok || err != nil || got.Revision != 0 {
		t.Errorf("got %+v, %t, %v; want nothing", got, ok, err)
	}
}

func TestLedger_RefusesAnInvalidKey(t *testing.T) {
	book, _ := start(t)
	for _, id := range []string{"", "a b", "*", ">"} {
		if _, err := book.PutCampaign(t.Context(), ledger.CampaignEntry{}, campaign(id)); !errors.Is(err, jetstream.ErrInvalidKey) {
			t.Errorf("campaign %q: got %v, want ErrInvalidKey", id, err)
		}
	}
}

func TestNumbers_AreThoseOfOneCampaign(t *testing.T) {
	book, _ := start(t)
	// One id is a prefix of another.
	for _, n := range []ledger.Number{
		number(tcrID, "+15551234567"), number(tcrID, "+15551234568"), number(tcrID+"5", "+15551234567"), number(telnyxID, "+12125550142"),
	} {
		put(t, book, n)
	}
	numbers, err := book.Numbers(t.Context(), tcrID)
	must(t, err)
	var got []string
	for key, entry := range numbers {
		got = append(got, key+" on "+entry.Number.CampaignID)
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"+15551234567 on " + tcrID, "+15551234568 on " + tcrID}, got); diff != "" {
		t.Errorf("Numbers (-want +got):\n%s", diff)
	}
	all, err := book.AllNumbers(t.Context())
	must(t, err)
	if len(all) != 4 {
		t.Errorf("AllNumbers: got %d, want 4: %+v", len(all), all)
	}
}

func TestPutNumber_OfTwoWritersOneWins(t *testing.T) {
	t.Parallel()
	server := testkit.Embedded(t)
	var books []*ledger.Ledger
	for range 2 {
		book, err := ledger.Create(t.Context(), testkit.JetStream(t, server), 1)
		must(t, err)
		books = append(books, book)
	}
	read := ledger.NumberEntry{} // neither finds a record at first
	for round := range 20 {
		written := make([]ledger.NumberEntry, len(books))
		errs := make([]error, len(books))
		var writers sync.WaitGroup
		for i, book := range books {
			writers.Go(func() {
				n := number(tcrID, "+15551234567")
				n.State, n.Tries.Refused, n.Detail = ledger.Attaching, round, fmt.Sprint("writer ", i)
				written[i], errs[i] = book.PutNumber(t.Context(), read, n)
			})
		}
		writers.Wait()

		winner := slices.Index(errs, nil)
		if winner < 0 {
			t.Fatalf("round %d: no writer won: %v", round, errs)
		}
		if loser := errs[1-winner]; !errors.Is(loser, ledger.ErrChanged) {
			t.Fatalf("round %d: the other writer got %v, want ErrChanged", round, loser)
		}
		if diff := cmp.Diff(read, written[1-winner]); diff != "" {
			t.Errorf("round %d: the loser's entry is not what it had read (-want +got):\n%s", round, diff)
		}
		numbers, err := books[1-winner].Numbers(t.Context(), tcrID)
		must(t, err)
		if diff := cmp.Diff(written[winner], numbers["+15551234567"]); diff != "" {
			t.Fatalf("round %d: the record is not the winner's (-want +got):\n%s", round, diff)
		}
		read = written[winner]
	}
}

func TestPutNumber_RefusesAStaleRevision(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		meanwhile func(*ledger.Ledger, ledger.NumberEntry) error
		read      func(ledger.NumberEntry) ledger.NumberEntry
	}{
		"created over an existing record": {
			read: func(ledger.NumberEntry) ledger.NumberEntry { return ledger.NumberEntry{} },
		},
		"written since": {
			meanwhile: func(book *ledger.Ledger, entry ledger.NumberEntry) error {
				n := entry.Number
				n.State = ledger.Pending
				_, err := book.PutNumber(t.Context(), entry, n)
				return err
			},
		},
		"dropped since": {
			meanwhile: func(book *ledger.Ledger, entry ledger.NumberEntry) error { return book.DropNumber(t.Context(), entry) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			book, _ := start(t)
			entry := put(t, book, number(tcrID, "+15551234567"))
			if test.meanwhile != nil {
				must(t, test.meanwhile(book, entry))
			}
			if test.read != nil {
				entry = test.read(entry)
			}
			before, err := book.AllNumbers(t.Context())
			must(t, err)

			n := number(tcrID, "+15551234567")
			n.State = ledger.Attaching
			_, err = book.PutNumber(t.Context(), entry, n)
			if !errors.Is(err, ledger.ErrChanged) || !strings.Contains(err.Error(), "number +15551234567 on campaign C6X6M95") {
				t.Errorf("got %v, want ErrChanged with number and campaign", err)
			}
			after, err := book.AllNumbers(t.Context())
			must(t, err)
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("the ledger was changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestPutCampaign_RefusesAStaleRevision(t *testing.T) {
	book, _ := start(t)
	entry := putCampaign(t, book, campaign(telnyxID))
	approved := campaign(telnyxID)
	approved.Phase = ledger.PhaseApproved
	_, err := book.PutCampaign(t.Context(), entry, approved)
	must(t, err)
	for name, read := range map[string]ledger.CampaignEntry{"created over an existing record": {}, "written since": entry} {
		rejected := campaign(telnyxID)
		rejected.Phase = ledger.PhaseRejected
		if _, err := book.PutCampaign(t.Context(), read, rejected); !errors.Is(err, ledger.ErrChanged) || !strings.Contains(err.Error(), telnyxID) {
			t.Errorf("%s: got %v, want ErrChanged with the campaign", name, err)
		}
	}
	if got, _, err := book.Campaign(t.Context(), telnyxID); err != nil || got.Campaign.Phase != ledger.PhaseApproved {
		t.Errorf("got phase %s, %v; want approved", got.Campaign.Phase, err)
	}
}

// The fields whose change alone does not rewrite the record.
var (
	silentOfNumber   = []string{"Version", "Cause", "Since", "PlanHash", "EntryHash", "PlanPlace", "Firsts", "NextAt"}
	silentOfCampaign = []string{"Version", "Cause", "Since", "PlanPlace", "ReadAgoSeconds", "NextAt"}
)

func TestPutNumber_WritesWhatIsNewAndNothingElse(t *testing.T) {
	t.Parallel()
	book, _ := start(t)
	base := number(tcrID, "+15551234567")
	base.NextAt, base.ClaimedAt = noon.Add(time.Hour), noon
	for _, field := range leaves(reflect.TypeFor[ledger.Number]()) {
		if field.Name == "Number" || field.Name == "CampaignID" {
			continue // the key
		}
		t.Run(field.Name, func(t *testing.T) {
			entry := afresh(t, book, base)
			n := base
			alter(t, reflect.ValueOf(&n).Elem().FieldByIndex(field.Index))
			written, err := book.PutNumber(t.Context(), entry, n)
			must(t, err)
			whole, _, _ := strings.Cut(field.Name, ".")
			got, want := written.Revision != entry.Revision, !slices.Contains(silentOfNumber, whole)
			if got != want {
				t.Errorf("a change of %s: got written %t, want %t", field.Name, got, want)
			}
		})
	}
}

func TestPutCampaign_WritesWhatIsNewAndNothingElse(t *testing.T) {
	t.Parallel()
	book, _ := start(t)
	base := campaign(tcrID)
	base.NextAt = noon.Add(time.Hour)
	entry := putCampaign(t, book, base)
	for _, field := range leaves(reflect.TypeFor[ledger.Campaign]()) {
		if field.Name == "ID" {
			continue // the key
		}
		t.Run(field.Name, func(t *testing.T) {
			c := base
			alter(t, reflect.ValueOf(&c).Elem().FieldByIndex(field.Index))
			written, err := book.PutCampaign(t.Context(), entry, c)
			must(t, err)
			whole, _, _ := strings.Cut(field.Name, ".")
			got, want := written.Revision != entry.Revision, !slices.Contains(silentOfCampaign, whole)
			if got != want {
				t.Errorf("a change of %s: got written %t, want %t", field.Name, got, want)
			}
			if entry = written; got {
				entry, err = book.PutCampaign(t.Context(), entry, base)
				must(t, err)
			}
		})
	}
}

func TestPutNumber_ComparesTimesByTheInstant(t *testing.T) {
	t.Parallel()
	book, _ := start(t)
	for _, field := range leaves(reflect.TypeFor[ledger.Number]()) {
		whole, _, _ := strings.Cut(field.Name, ".")
		if field.Type != reflect.TypeFor[time.Time]() || slices.Contains(silentOfNumber, whole) {
			continue
		}
		at := func(moment time.Time) ledger.Number {
			n := number(tcrID, "+15551234567")
			reflect.ValueOf(&n).Elem().FieldByIndex(field.Index).Set(reflect.ValueOf(moment))
			return n
		}
		for name, test := range map[string]struct {
			moment time.Time
			want   bool
		}{
			"in another zone": {noon.In(time.FixedZone("CET", 3600)), false},
			"a moment later":  {noon.Add(time.Millisecond), true},
		} {
			t.Run(field.Name+" "+name, func(t *testing.T) {
				entry := afresh(t, book, at(noon))
				written, err := book.PutNumber(t.Context(), entry, at(test.moment))
				must(t, err)
				if got := written.Revision != entry.Revision; got != test.want {
					t.Errorf("got written %t, want %t", got, test.want)
				}
			})
		}
	}
}

// A new time of the next check can be read back, and adds nothing to the history.
func TestPutCampaign_StoresTheNextCheckOutsideTheRecord(t *testing.T) {
	t.Parallel()
	book, js := start(t)
	base := campaign(tcrID)
	base.NextAt = noon
	entry := putCampaign(t, book, base)
	for i := range 40 {
		c := base
		c.NextAt = noon.Add(time.Duration(i) * time.Minute)
		written, err := book.PutCampaign(t.Context(), entry, c)
		must(t, err)
		if written.Revision != entry.Revision {
			t.Fatalf("check %d: got revision %d, want %d as before", i, written.Revision, entry.Revision)
		}
		entry = written
		one, _, err := book.Campaign(t.Context(), tcrID)
		must(t, err)
		all, err := book.Campaigns(t.Context())
		must(t, err)
		if !one.Campaign.NextAt.Equal(c.NextAt) || !all[0].Campaign.NextAt.Equal(c.NextAt) {
			t.Fatalf("got next check at %s and %s, want %s", one.Campaign.NextAt, all[0].Campaign.NextAt, c.NextAt)
		}
	}
	if got := len(history(t, js, "CAMPAIGNS", tcrID)); got != 1 {
		t.Errorf("got %d entries of history, want the one record", got)
	}
	// When the record is rewritten, its own time counts again.
	base.Phase, base.NextAt = ledger.PhaseApproved, noon
	_, err := book.PutCampaign(t.Context(), entry, base)
	must(t, err)
	if one, _, err := book.Campaign(t.Context(), tcrID); err != nil || !one.Campaign.NextAt.Equal(noon) {
		t.Errorf("got next check at %s, %v; want %s", one.Campaign.NextAt, err, noon)
	}
}

func TestPutCampaign_ComparesNextChecksToTheSecond(t *testing.T) {
	book, js := start(t)
	base := campaign(tcrID)
	base.NextAt = noon
	entry := putCampaign(t, book, base)
	for _, test := range []struct {
		name   string
		nextAt time.Time
		want   uint64 // writes so far
	}{
		{"within the second", noon.Add(999 * time.Millisecond), 0},
		{"in another zone", noon.In(time.FixedZone("CET", 3600)), 0},
		{"a second later", noon.Add(time.Second), 1},
	} {
		c := base
		c.NextAt = test.nextAt
		_, err := book.PutCampaign(t.Context(), entry, c)
		must(t, err)
		status, err := bucketOf(t, js, "LOOKS").Status(t.Context())
		must(t, err)
		if got := status.Values(); got != test.want {
			t.Errorf("%s: got %d checks written, want %d", test.name, got, test.want)
		}
	}
}

func TestPutNumber_RemembersFirstsBeyondTheHistory(t *testing.T) {
	t.Parallel()
	book, _ := start(t)
	n := number(tcrID, "+15551234567")
	n.PlanPlace = "plans/spring.yaml:7"
	entry := put(t, book, n)
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	write := func(change func(*ledger.Number)) {
		t.Helper()
		n := entry.Number
		change(&n)
		var err error
		entry, err = book.PutNumber(t.Context(), entry, n)
		must(t, err)
	}
	for i := range 40 {
		write(func(n *ledger.Number) {
			n.State, n.Since, n.Request = ledger.Attaching, at(i), ledger.Request{Sent: "POST", At: at(i)}
			n.PlanPlace, n.PlanHash = "plans/moved.yaml:1", "c3d4"
			n.Firsts.Requests++
		})
	}
	write(func(n *ledger.Number) { n.Request.Outcome, n.Request.AnsweredAt = ledger.Refused, at(45) })
	write(func(n *ledger.Number) { n.Request.Outcome, n.Request.AnsweredAt = ledger.Accepted, at(50) })
	write(func(n *ledger.Number) { n.State, n.Since = ledger.Attached, at(60) })
	write(func(n *ledger.Number) { n.State, n.Since = ledger.Sendable, at(70) })
	write(func(n *ledger.Number) { n.State, n.Since = ledger.Attached, at(80) })
	want := ledger.Firsts{
		Named: noon, NamedIn: "plans/spring.yaml:7", NamedHash: "a1b2",
		Requested: at(0), Accepted: at(50), Attached: at(60), Sendable: at(70), Requests: 40,
	}
	numbers, err := book.Numbers(t.Context(), tcrID)
	must(t, err)
	if diff := cmp.Diff(want, numbers[n.Number].Number.Firsts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// A number that left the plan and came back starts anew.
	must(t, book.DropNumber(t.Context(), entry))
	if again := put(t, book, n).Number.Firsts; again.Requests != 0 || !again.Requested.IsZero() {
		t.Errorf("planned anew: got %+v, want only Named", again)
	}
}

// afresh returns the entry of a record with the content of n, whatever was there before.
func afresh(t *testing.T, book *ledger.Ledger, n ledger.Number) ledger.NumberEntry {
	t.Helper()
	numbers, err := book.Numbers(t.Context(), n.CampaignID)
	must(t, err)
	entry, err := book.PutNumber(t.Context(), numbers[n.Number], n)
	must(t, err)
	// Return it as the ledger has it, not as it was passed.
	numbers, err = book.Numbers(t.Context(), n.CampaignID)
	must(t, err)
	if numbers[n.Number].Revision != entry.Revision {
		t.Fatalf("got revision %d, want %d", numbers[n.Number].Revision, entry.Revision)
	}
	return numbers[n.Number]
}

// leaves returns the fields of a record. Fields of nested structs are named like
// Request.Outcome.
func leaves(record reflect.Type) []reflect.StructField {
	var found []reflect.StructField
	for field := range record.Fields() {
		if field.Type.Kind() != reflect.Struct || field.Type == reflect.TypeFor[time.Time]() {
			found = append(found, field)
			continue
		}
		for _, part := range leaves(field.Type) {
			part.Name = field.Name + "." + part.Name
			part.Index = append(slices.Clone(field.Index), part.Index...)
			found = append(found, part)
		}
	}
	return found
}

// alter changes the value of a field.
func alter(t *testing.T, field reflect.Value) {
	t.Helper()
	if at, ok := field.Addr().Interface().(*time.Time); ok {
		*at = at.Add(time.Minute)
		return
	}
	switch field.Kind() {
	case reflect.String:
		field.SetString(field.String() + "x")
	case reflect.Int, reflect.Int64:
		field.SetInt(field.Int() + 1)
	case reflect.Float64:
		field.SetFloat(field.Float() + 1)
	case reflect.Bool:
		field.SetBool(!field.Bool())
	case reflect.Slice:
		field.Set(reflect.MakeSlice(field.Type(), 1, 1))
	default:
		t.Fatalf("alter does not support type %s", field.Type())
	}
}

func TestLedger_KeepsATimeline(t *testing.T) {
	t.Parallel()
	book, js := start(t)
	entry := ledger.NumberEntry{}
	campaignEntry := ledger.CampaignEntry{}
	for i := range 40 {
		n := number(tcrID, "+15551234567")
		n.Tries.Refused = i
		c := campaign(tcrID)
		c.Attempts = i
		var err error
		entry, err = book.PutNumber(t.Context(), entry, n)
		must(t, err)
		campaignEntry, err = book.PutCampaign(t.Context(), campaignEntry, c)
		must(t, err)
	}
	for _, test := range []struct {
		bucket, key string
		want        int
	}{{"NUMBERS", tcrID + ".15551234567", 32}, {"CAMPAIGNS", tcrID, 32}} {
		if got := len(history(t, js, test.bucket, test.key)); got != test.want {
			t.Errorf("%s: got %d records of %s, want %d", test.bucket, got, test.key, test.want)
		}
	}
}

func history(t *testing.T, js jetstream.JetStream, bucket, key string) []jetstream.KeyValueEntry {
	t.Helper()
	entries, err := bucketOf(t, js, bucket).History(t.Context(), key)
	must(t, err)
	return entries
}

func bucketOf(t *testing.T, js jetstream.JetStream, bucket string) jetstream.KeyValue {
	t.Helper()
	kv, err := js.KeyValue(t.Context(), bucket)
	must(t, err)
	return kv
}

func TestDropNumber_KeepsItsHistory(t *testing.T) {
	t.Parallel()
	book, js := start(t)
	dropped := put(t, book, number(tcrID, "+15551234567"))
	put(t, book, number(tcrID, "+15551234568"))
	must(t, book.DropNumber(t.Context(), dropped))

	numbers, err := book.Numbers(t.Context(), tcrID)
	must(t, err)
	if _, there := numbers["+15551234567"]; there || len(numbers) != 1 {
		t.Errorf("got %+v, want +15551234568 alone", numbers)
	}
	if got := len(history(t, js, "NUMBERS", tcrID+".15551234567")); got != 2 {
		t.Errorf("got %d entries of history, want the record and its end", got)
	}
	again := put(t, book, number(tcrID, "+15551234567"))
	if again.Revision <= dropped.Revision {
		t.Errorf("planned again at revision %d, want one after %d", again.Revision, dropped.Revision)
	}
}

func TestDropNumber_RefusesAStaleRevision(t *testing.T) {
	t.Parallel()
	book, _ := start(t)
	entry := put(t, book, number(tcrID, "+15551234567"))
	n := entry.Number
	n.State = ledger.Attaching
	_, err := book.PutNumber(t.Context(), entry, n)
	must(t, err)
	if err := book.DropNumber(t.Context(), entry); !errors.Is(err, ledger.ErrChanged) || !strings.Contains(err.Error(), "+15551234567") {
		t.Errorf("got %v, want ErrChanged with the number", err)
	}
	if numbers, err := book.Numbers(t.Context(), tcrID); err != nil || len(numbers) != 1 {
		t.Errorf("got %+v, %v; want the record still there", numbers, err)
	}
}

func TestRecordsOf_FindsNumbersOnAllCampaigns(t *testing.T) {
	t.Parallel()
	book, _ := start(t)
	var asked []string
	for i := range 150 { // more than one watch reads
		asked = append(asked, fmt.Sprintf("+1555123%04d", i))
	}
	first, last := put(t, book, number(tcrID, asked[0])), put(t, book, number(telnyxID, asked[149]))
	moving := put(t, book, number(telnyxID, asked[0]))
	put(t, book, number(tcrID, "+12125550142")) // not requested
	must(t, book.DropNumber(t.Context(), put(t, book, number(tcrID, asked[1]))))

	got, _, err := book.RecordsOf(t.Context(), asked)
	must(t, err)
	slices.SortFunc(got, func(a, b ledger.NumberEntry) int { return int(a.Revision) - int(b.Revision) })
	if diff := cmp.Diff([]ledger.NumberEntry{first, last, moving}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, _, err := book.RecordsOf(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("of no numbers: got %+v, %v; want none", got, err)
	}
}

func TestDropCampaign_RefusesAStaleRevision(t *testing.T) {
	t.Parallel()
	book, js := start(t)
	stale := putCampaign(t, book, campaign(tcrID))
	approved := campaign(tcrID)
	approved.Phase = ledger.PhaseApproved
	entry, err := book.PutCampaign(t.Context(), stale, approved)
	must(t, err)
	approved.NextAt = noon // stored outside the record
	entry, err = book.PutCampaign(t.Context(), entry, approved)
	must(t, err)
	if err := book.DropCampaign(t.Context(), stale); !errors.Is(err, ledger.ErrChanged) || !strings.Contains(err.Error(), tcrID) {
		t.Errorf("at a stale revision: got %v, want ErrChanged with the campaign", err)
	}
	must(t, book.DropCampaign(t.Context(), entry))
	if _, there, err := book.Campaign(t.Context(), tcrID); there || err != nil {
		t.Errorf("still there: %t, %v", there, err)
	}
	if got := len(history(t, js, "CAMPAIGNS", tcrID)); got != 3 {
		t.Errorf("got %d entries of history, want two records and the end", got)
	}
	if next, err := bucketOf(t, js, "LOOKS").Get(t.Context(), tcrID); !errors.Is(err, jetstream.ErrKeyNotFound) {
		t.Errorf("its next check is still there: %v, %v", next, err)
	}
}

func TestFollow_SeesEveryChangeAndEndsWithItsContext(t *testing.T) {
	t.Parallel()
	book, _ := start(t)
	entry := put(t, book, number(tcrID, "+15551234567"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := make(chan ledger.Number)
	ended := make(chan error, 1)
	go func() {
		ended <- book.Follow(ctx, ledger.Follower{Number: func(n ledger.Number) { seen <- n }})
	}()
	next := func() ledger.Number {
		t.Helper()
		select {
		case n := <-seen:
			return n
		case err := <-ended:
			t.Fatalf("the watch ended: %v", err)
		case <-time.After(patience):
			t.Fatalf("no change within %s", patience)
		}
		return ledger.Number{}
	}
	if got := next(); got.State != ledger.Planned {
		t.Errorf("first got %s, want the record that was there", got.State)
	}
	for _, want := range []ledger.State{ledger.Attaching, ledger.Pending, ledger.Attached, ledger.Sendable} {
		n := entry.Number
		n.State = want
		var err error
		entry, err = book.PutNumber(t.Context(), entry, n)
		must(t, err)
		if got := next(); got.State != want || got.Number != "+15551234567" {
			t.Errorf("got %s %s, want +15551234567 %s", got.Number, got.State, want)
		}
	}
	must(t, book.DropNumber(t.Context(), entry)) // not reported to Number
	put(t, book, number(telnyxID, "+12125550142"))
	if got := next(); got.CampaignID != telnyxID {
		t.Errorf("after a drop got %+v, want the other campaign's number", got)
	}
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("got %v, want nil", err)
		}
	case <-time.After(patience):
		t.Errorf("the watch continues %s after its context ended", patience)
	}
}

func TestLedger_RefusesRecordsItCannotRead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ record, want string }{
		"newer version": {
			`{"v": 3, "id": "C6X6M95", "number": "+15551234567"}`,
			"was written by a newer Greenlight (version 3, this one knows 2): upgrade this program",
		},
		"newer version in another shape": {
			`{"v": 3, "id": ["C6X6M95"], "number": {"e164": "+15551234567"}}`,
			"was written by a newer Greenlight (version 3, this one knows 2): upgrade this program",
		},
		"no JSON":     {"not a record", "is damaged"},
		"cut off":     {`{"v": 1, "id": "C6X`, "is damaged"},
		"no object":   {`["+15551234567"]`, "is damaged"},
		"other shape": {`{"v": 1, "id": 6, "number": 15551234567}`, "is damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			book, js := start(t)
			for bucket, key := range map[string]string{"NUMBERS": tcrID + ".15551234567", "CAMPAIGNS": tcrID} {
				_, err := bucketOf(t, js, bucket).Put(t.Context(), key, []byte(test.record))
				must(t, err)
			}
			_, ofCampaign := book.Numbers(t.Context(), tcrID)
			_, all := book.AllNumbers(t.Context())
			_, _, one := book.Campaign(t.Context(), tcrID)
			_, campaigns := book.Campaigns(t.Context())
			for reader, check := range map[string]struct {
				got  error
				want string
			}{
				"Numbers":    {ofCampaign, "record C6X6M95.15551234567 in bucket NUMBERS " + test.want},
				"AllNumbers": {all, "record C6X6M95.15551234567 in bucket NUMBERS " + test.want},
				"Campaign":   {one, "record C6X6M95 in bucket CAMPAIGNS " + test.want},
				"Campaigns":  {campaigns, "record C6X6M95 in bucket CAMPAIGNS " + test.want},
			} {
				if check.got == nil || !strings.HasPrefix(check.got.Error(), check.want) {
					t.Errorf("%s: got %v, want %s", reader, check.got, check.want)
				}
			}
		})
	}
}

func TestLedger_WritesItsVersion(t *testing.T) {
	book, js := start(t)
	put(t, book, number(tcrID, "+15551234567"))
	kve, err := bucketOf(t, js, "NUMBERS").Get(t.Context(), tcrID+".15551234567")
	must(t, err)
	if got := string(kve.Value()); !strings.HasPrefix(got, `{"v":2,`) {
		t.Errorf("got %s, want it to begin with version 2", got)
	}
}

func TestOpen_SaysThatNoAssignerEverRan(t *testing.T) {
	t.Parallel()
	js := testkit.JetStream(t, testkit.Embedded(t))
	if _, err := ledger.Open(t.Context(), js); !errors.Is(err, jetstream.ErrBucketNotFound) {
		t.Errorf("got %v, want ErrBucketNotFound", err)
	}
	_, err := ledger.Create(t.Context(), js, 1)
	must(t, err)
	if _, err := ledger.Open(t.Context(), js); err != nil {
		t.Errorf("after Create: %v", err)
	}
}

func TestCreate_LeavesWhatIsThere(t *testing.T) {
	t.Parallel()
	book, js := start(t)
	want := put(t, book, number(tcrID, "+15551234567"))
	again, err := ledger.Create(t.Context(), js, 1)
	must(t, err)
	numbers, err := again.Numbers(t.Context(), tcrID)
	must(t, err)
	if diff := cmp.Diff(want, numbers["+15551234567"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLedger_ReadingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	book, _ := start(t)
	put(t, book, number(tcrID, "+15551234567"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := book.AllNumbers(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// TestMain checks that no goroutine is left.
func TestFollow_LeavesNoGoroutineWhenCanceledHalfway(t *testing.T) {
	t.Parallel()
	book, _ := start(t)
	for i := range 600 { // more than the client buffers
		n := ledger.Number{Number: fmt.Sprintf("+1212555%04d", i), CampaignID: "c", State: ledger.Planned}
		if _, err := book.PutNumber(t.Context(), ledger.NumberEntry{}, n); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := book.Follow(ctx, ledger.Follower{Number: func(ledger.Number) {
		if ctx.Err() == nil {
			awaitBlockedWatch(t)
			cancel()
		}
	}})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// awaitBlockedWatch waits until the client's goroutine blocks on sending a record.
func awaitBlockedWatch(t *testing.T) {
	t.Helper()
	stacks := make([]byte, 1<<20)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		for goroutine := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			if strings.Contains(goroutine, "WatchFiltered.func1") && strings.Contains(goroutine, "[chan send") {
				return
			}
		}
	}
	t.Error("the client buffers all records, so this test proves nothing")
}
