package plan

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"greenlight/internal/telnyx"
)

// TestDiff_GivesTheGoldenChanges reads plan, campaign, records and expected changes from
// one file each.
func TestDiff_GivesTheGoldenChanges(t *testing.T) {
	eachFixture(t, "diff", func(t *testing.T, f fixture) {
		set, err := LoadBytes("plan.yaml", f.file("plan.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		var on telnyx.Campaign
		var records []telnyx.Assignment
		decode(t, f.file("campaign.json"), &on)
		decode(t, f.file("records.json"), &records)
		f.want(t, asText(Diff(set.Campaigns[0], on, records)))
	})
}

func decode(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

// The property tests draw from a small world, so that numbers, campaigns and
// statuses meet often.
var (
	worldOn       = telnyx.Campaign{CampaignID: "here", TCRCampaignID: "CHERE01"}
	worldStatuses = []telnyx.AssignmentStatus{
		telnyx.PendingAssignment, telnyx.Assigned, telnyx.FailedAssignment,
		telnyx.PendingUnassignment, telnyx.FailedUnassignment, "", "PAUSED", "FAILED", "UNASSIGNED",
	}
	worldNumbers = []string{"+15551234560", "15551234561", "+15551234562", "+15551234563", "+442071838750", "junk", ""}
)

func randomRecords(r *rand.Rand) []telnyx.Assignment {
	records := make([]telnyx.Assignment, r.IntN(12))
	for i := range records {
		record := &records[i]
		record.PhoneNumber = pick(r, worldNumbers)
		record.AssignmentStatus = pick(r, worldStatuses)
		record.CampaignID = pick(r, []string{"here", "CHERE01", "there", "CTHERE1", ""})
		record.TCRCampaignID = pick(r, []telnyx.TCRCampaignID{"", "CHERE01", "CTHERE1"})
	}
	return records
}

func randomPlan(r *rand.Rand) Campaign {
	want := Campaign{Name: "w", CampaignID: "here"}
	// Also the campaign's other id, which the loader cannot know, and no id at all.
	for _, id := range []string{"there", "CTHERE1", "CHERE01", "elsewhere", ""} {
		if r.IntN(4) == 0 {
			want.MoveFrom = append(want.MoveFrom, id)
		}
	}
	for i := range 4 {
		if r.IntN(3) > 0 {
			want.Numbers = append(want.Numbers, E164(fmt.Sprintf("+1555123456%d", i)))
		}
	}
	return want
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// TestDiff_KeepsItsPromises checks over random plans and records what Greenlight
// promises: no write while any record forbids it, no number is
// taken from a campaign that the plan does not name under move_from, every planned
// number has exactly one action, a number that is not planned is at most
// extra, and neither the order of the records nor the inputs themselves change.
func TestDiff_KeepsItsPromises(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range part(20_000) {
		want, records := randomPlan(r), randomRecords(r)
		before := slices.Clone(records)
		got := Diff(want, worldOn, records)

		if diff := cmp.Diff(before, records); diff != "" {
			t.Fatalf("Diff changed its input (-before +after):\n%s", diff)
		}
		checkChanges(t, want, records, got)

		r.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
		if again := Diff(want, worldOn, records); asText(again) != asText(got) {
			t.Fatalf("the order of the records matters:\n%s\n%s", asText(got), asText(again))
		}
		if t.Failed() {
			t.Fatalf("plan %v\nrecords %+v\nchanges\n%s", want.Numbers, records, asText(got))
		}
	}
}

// checkChanges checks one result against the promises.
func checkChanges(t *testing.T, want Campaign, records []telnyx.Assignment, got Changes) {
	t.Helper()
	if !slices.IsSortedFunc(got, func(a, b Change) int {
		if a.Number < b.Number {
			return -1
		}
		return 1 // equal numbers count as unsorted
	}) {
		t.Error("not sorted, or a number appears twice")
	}
	actions := map[E164]Action{}
	for _, change := range got {
		actions[change.Number] = change.Action
		planned := slices.Contains(want.Numbers, change.Number)
		if planned == (change.Action == Extra) {
			t.Errorf("%s: %s, planned %t", change.Number, change.Action, planned)
		}
		if change.Action == Attach && isLive(change.Number, records) {
			t.Errorf("%s: attach, with a live record", change.Number)
		}
		if change.Action == Move || change.Action == WaitToMove {
			checkMove(t, want, records, change)
		}
		if change.Record == nil && change.Action != Attach {
			t.Errorf("%s: %s without a record", change.Number, change.Action)
		}
	}
	for _, n := range want.Numbers {
		if actions[n] == "" {
			t.Errorf("%s: no action", n)
		}
	}
}

// checkMove checks that a number is only moved from a campaign that the plan names, and
// that no record has the number anywhere else.
func checkMove(t *testing.T, want Campaign, records []telnyx.Assignment, change Change) {
	t.Helper()
	for _, record := range records {
		if !isLive(change.Number, []telnyx.Assignment{record}) {
			continue
		}
		var named bool
		for _, id := range []string{record.CampaignID, string(record.TelnyxCampaignID), string(record.TCRCampaignID)} {
			named = named || id != "" && slices.Contains(want.MoveFrom, id)
		}
		// There may be a record on this campaign as well only while waiting.
		if !(named && !record.On(worldOn)) && !(change.Action == WaitToMove && record.On(worldOn)) {
			t.Errorf("%s: %s, with %+v", change.Number, change.Action, record)
		}
		if status := record.AssignmentStatus; change.Action == Move && status != telnyx.Assigned && status != telnyx.FailedUnassignment {
			t.Errorf("%s: move, with %q", change.Number, status)
		}
	}
}

// isLive reports whether any record but a failed assignment names the number. It
// compares digits, so that it does not rely on what it tests.
func isLive(n E164, records []telnyx.Assignment) bool {
	return slices.ContainsFunc(records, func(record telnyx.Assignment) bool {
		same := record.PhoneNumber == string(n) || "+"+record.PhoneNumber == string(n)
		dead := record.AssignmentStatus == telnyx.FailedAssignment || record.AssignmentStatus == "FAILED" && record.On(worldOn)
		return same && !dead
	})
}

func TestDiff_RecordIsACopy(t *testing.T) {
	records := []telnyx.Assignment{{PhoneNumber: "+15551234567", CampaignID: "here", AssignmentStatus: telnyx.Assigned}}
	changes := Diff(Campaign{Numbers: []E164{"+15551234567"}}, worldOn, records)
	changes[0].Record.AssignmentStatus = "CHANGED"
	if records[0].AssignmentStatus != telnyx.Assigned {
		t.Error("a change points into the caller's records")
	}
}

// TestDiff_OnAnUnknownCampaignIsAConflict: without an id to compare, every record
// belongs to another campaign.
func TestDiff_OnAnUnknownCampaignIsAConflict(t *testing.T) {
	records := []telnyx.Assignment{{PhoneNumber: "+15551234567", AssignmentStatus: telnyx.Assigned}}
	changes := Diff(Campaign{Numbers: []E164{"+15551234567"}}, telnyx.Campaign{}, records)
	if len(changes) != 1 || changes[0].Action != Conflict {
		t.Errorf("got\n%swant one conflict", asText(changes))
	}
}

// BenchmarkDiff compares 100,000 numbers on 2,000 campaigns with their records,
// which should take less than 100 ms.
func BenchmarkDiff(b *testing.B) {
	wants, records := make([]Campaign, 2000), make([][]telnyx.Assignment, 2000)
	for i := range wants {
		wants[i] = Campaign{CampaignID: telnyx.CampaignID(fmt.Sprintf("id-%d", i))}
		for j := range 50 {
			n := E164(fmt.Sprintf("+1555%07d", 50*i+j))
			wants[i].Numbers = append(wants[i].Numbers, n)
			records[i] = append(records[i], telnyx.Assignment{
				PhoneNumber: string(n), CampaignID: string(wants[i].CampaignID), AssignmentStatus: worldStatuses[j%len(worldStatuses)],
			})
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		for i, want := range wants {
			if got := len(Diff(want, telnyx.Campaign{CampaignID: want.CampaignID}, records[i])); got != 50 {
				b.Fatal(got)
			}
		}
	}
}

// asText has one line for each number: a sign, the number, the action, and the
// record that decided. It ends with a newline unless there are no changes.
//
//	= +15551234567  done            ASSIGNED on C6X6M95
//	+ +15551234568  attach
func asText(c Changes) string {
	width := 0
	for _, change := range c {
		width = max(width, len(change.Number))
	}
	var text strings.Builder
	for _, change := range c {
		line := fmt.Sprintf("%s %-*s  %-*s", change.Action.Sign(), width, change.Number, len(WaitToAttach), change.Action)
		if change.Record != nil {
			line += "  " + describeRecord(*change.Record)
		}
		text.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return text.String()
}

// describeRecord returns the status and the campaign of a record.
func describeRecord(record telnyx.Assignment) string {
	status := string(record.AssignmentStatus)
	if status == "" {
		status = "(no status)"
	}
	return status + " on " + record.CampaignID
}
