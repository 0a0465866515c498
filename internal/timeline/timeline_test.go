package timeline_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/testkit"
	"greenlight/internal/timeline"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, testkit.ServerLeaks()...)
}

const (
	campaignID = "751c6a5c-907b-43a9-8ada-ba1dc8335b07"
	otherID    = "C6X6M95"
	number     = "+15551234567"
)

// noon is the time of everything that the tests write, by the writer's clock.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// desk writes the ledger and the stream of events, as assigner and webhook do.
type desk struct {
	t         *testing.T
	js        jetstream.JetStream
	book      *ledger.Ledger
	publisher *events.Publisher
	campaign  ledger.CampaignEntry
	number    ledger.NumberEntry
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	js := testkit.JetStream(t, testkit.Embedded(t))
	must(t, events.EnsureStreams(t.Context(), js, 1))
	book, err := ledger.Create(t.Context(), js, 1)
	must(t, err)
	return &desk{t: t, js: js, book: book, publisher: events.NewPublisher(js)}
}

// read writes the campaign's record after a read.
func (d *desk) read(change func(*ledger.Campaign)) {
	d.t.Helper()
	c := d.campaign.Campaign
	c.ID, c.Planned, c.Plan, c.PlanHash, c.TCRID, c.BrandID, c.Since = campaignID, true, "spring", "a1b2", "CTCR001", "brand-1", noon
	change(&c)
	var err error
	d.campaign, err = d.book.PutCampaign(d.t.Context(), d.campaign, c)
	must(d.t, err)
}

// write writes the number's record.
func (d *desk) write(change func(*ledger.Number)) {
	d.t.Helper()
	n := d.number.Number
	n.Number, n.CampaignID, n.Plan, n.PlanHash, n.PlanPlace, n.EntryHash, n.Since = number, campaignID, "spring", "a1b2", "config/plans/spring.yaml:7", "e1", noon
	change(&n)
	var err error
	d.number, err = d.book.PutNumber(d.t.Context(), d.number, n)
	must(d.t, err)
}

// post stores an event.
func (d *desk) post(eventType, about, payload string) {
	d.t.Helper()
	body := fmt.Sprintf(`{"data":{"event_type":%q,"payload":%s}}`, eventType, payload)
	_, err := d.publisher.Publish(d.t.Context(), events.Event{ID: fmt.Sprint(len(body), about, payload), Type: eventType, About: about, ReceivedAt: noon, Body: []byte(body)})
	must(d.t, err)
}

// nudge requests a reconcile as a person does, and waits until the message has moved from
// the stream of triggers.
func (d *desk) nudge() {
	d.t.Helper()
	must(d.t, d.publisher.Trigger(d.t.Context(), events.KindCampaign, campaignID))
	stream, err := d.js.Stream(d.t.Context(), events.StreamEvents)
	must(d.t, err)
	subject, err := events.TriggerSubject(events.KindCampaign, campaignID)
	must(d.t, err)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		_, err := stream.GetLastMsgForSubject(d.t.Context(), subject)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			d.t.Fatal(err)
		}
	}
}

func (d *desk) story() timeline.Timeline {
	d.t.Helper()
	story, err := timeline.OfNumber(d.t.Context(), d.js, number)
	must(d.t, err)
	for i := range story.Entries[1:] {
		if story.Entries[i+1].At.Before(story.Entries[i].At) {
			d.t.Errorf("entry %d is before the one above it: %+v", i+1, story.Entries)
		}
	}
	return story
}

// lines returns the entries without their times.
func lines(entries []timeline.Entry) []string {
	var lines []string
	for _, e := range entries {
		line := string(e.Kind) + ": " + e.Text
		if e.Detail != "" {
			line += " «" + e.Detail + "»"
		}
		lines = append(lines, line)
	}
	return lines
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestOfNumber_ShowsAWholeLifeInOrder(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.read(func(c *ledger.Campaign) { c.Phase, c.Status = ledger.PhaseInReview, "MNO_PENDING" })
	d.write(func(n *ledger.Number) { n.State, n.Reason = ledger.Planned, ledger.CampaignInReview })
	d.post("10dlc.campaign.update", campaignID, `{"type":"VERIFIED","status":"","description":"Campaign verified"}`)
	d.read(func(c *ledger.Campaign) { c.Phase, c.Status = ledger.PhaseApproved, "MNO_PROVISIONED" })
	d.write(func(n *ledger.Number) {
		n.State, n.Reason, n.ClaimedAt, n.Firsts.Requests = ledger.Attaching, "", noon, 1
		n.Request = ledger.Request{Sent: "POST /10dlc/phone_number_campaigns", Campaign: campaignID, Profile: "profile-1", At: noon}
	})
	d.write(func(n *ledger.Number) {
		n.State, n.Status = ledger.Pending, "PENDING_ASSIGNMENT"
		n.Request.Outcome, n.Request.AnsweredAt = ledger.Accepted, noon
	})
	d.post("10dlc.phone_number.update", campaignID, `{"type":"ASSIGNMENT","status":"success","phoneNumber":"+15551234567"}`)
	d.post("10dlc.phone_number.update", campaignID, `{"type":"ASSIGNMENT","status":"failed","phoneNumber":"+15551234568"}`) // of another one
	d.post("10dlc.phone_number.update", "", `{"type":"STATUS_UPDATE","status":"ADDED","phoneNumber":"+15551234567"}`)
	d.post("10dlc.campaign.update", otherID, `{"type":"TELNYX_REVIEW","status":"REJECTED"}`) // of another one
	d.post("10dlc.brand.update", "brand-1", `{"type":"REVET","status":"success"}`)
	d.nudge()
	d.write(func(n *ledger.Number) {
		n.State, n.Status, n.TMobile, n.NonTMobile = ledger.Sendable, "ASSIGNED", "ADDED", "ADDED"
		n.ClaimedAt = time.Time{}
		n.Cause = "asked for by a person (message 7)"
	})
	story := d.story()
	want := []string{
		"read: Greenlight read the campaign: MNO_PENDING, so it is in review.",
		"plan: Plan spring (config/plans/spring.yaml:7) named the number for campaign " + campaignID + ", in plan set a1b2.",
		"state: Its state is now planned (campaign_in_review). The campaign is in review by Telnyx and the carriers.",
		"event: Telnyx reported on the campaign: VERIFIED, which means that the carriers have approved it (10dlc.campaign.update, message 1). «Campaign verified»",
		"read: Greenlight read the campaign: MNO_PROVISIONED, so it is approved.",
		"decision: The campaign is approved and the number can be attached. Greenlight sends a request.",
		"request: Sent: PATCH, to put the number on messaging profile profile-1.",
		"request: Sent: POST /10dlc/phone_number_campaigns, to attach it to campaign " + campaignID + ".",
		"state: Its state is now attaching. The request to Telnyx is under way, or its answer was lost.",
		"answer: Telnyx accepted the request; its record says PENDING_ASSIGNMENT.",
		"state: Its state is now pending. Telnyx accepted the request and is processing it.",
		"event: Telnyx reported on the number: ASSIGNMENT, success (10dlc.phone_number.update, message 2).",
		"event: Telnyx reported on the number: STATUS_UPDATE, ADDED (10dlc.phone_number.update, message 4).",
		"event: Telnyx reported on the campaign's brand: REVET, success (10dlc.brand.update, message 6).",
		"person: A person requested a check of the campaign, with greenlight trigger (message 7).",
		"read: Greenlight read Telnyx's record of the number: ASSIGNED (T-Mobile ADDED, others ADDED).",
		"state: Its state is now sendable. The number is on the campaign and every carrier has it: it can send.",
	}
	if diff := cmp.Diff(want, lines(story.Entries)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !story.Planned || story.Plan != "spring" || story.PlanHash != "a1b2" || story.Campaign != campaignID || story.State != ledger.Sendable || story.Action != "" || story.NeedsPerson {
		t.Errorf("got %+v", story)
	}
}

func TestOfNumber_ShowsEveryOutcomeAndWhatFollows(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	request := ledger.Request{Sent: "POST /x", Campaign: campaignID}
	for i, test := range []struct {
		outcome ledger.Outcome
		state   ledger.State
		reason  ledger.Reason
		want    []string
	}{
		{ledger.Refused, ledger.Planned, ledger.BeingProcessed, []string{"answer: Telnyx refused the request. «words 0»", "decision: Greenlight will retry in 30 s."}},
		{ledger.Unanswered, ledger.Attaching, ledger.TelnyxUnavailable, []string{"answer: There was no readable answer. The request may have worked. «words 1»"}},
		{ledger.Unsent, ledger.Planned, ledger.RateLimited, []string{"answer: The request was not sent. «words 2»"}},
		{ledger.Refused, ledger.Failed, ledger.Rejected, []string{"answer: Telnyx refused the request. «words 3»", "decision: Greenlight will retry in 30 s.", "state: Its state is now failed (rejected), and it needs a person."}},
	} {
		at := noon.Add(time.Duration(i) * time.Hour)
		d.write(func(n *ledger.Number) {
			n.State, n.Reason, n.Detail, n.ClaimedAt = ledger.Attaching, "", "", at
			n.Request = request
			n.Request.At = at
		})
		d.write(func(n *ledger.Number) {
			n.State, n.Reason, n.Detail = test.state, test.reason, fmt.Sprint("words ", i)
			n.NeedsPerson = test.state == ledger.Failed
			n.Request.Outcome, n.Request.AnsweredAt, n.NextAt = test.outcome, at, at.Add(30*time.Second)
		})
		got := strings.Join(lines(d.story().Entries), "\n")
		for _, want := range test.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", test.outcome, want, got)
			}
		}
		if strings.Count(got, fmt.Sprint("words ", i)) != 1 {
			t.Errorf("%s: Telnyx's text is not there exactly once:\n%s", test.outcome, got)
		}
	}
}

// Some entries follow from a record indirectly: why no request was sent, and that something
// has not changed.
func TestOfNumber_ShowsWhatIsNewInARecord(t *testing.T) {
	t.Parallel()
	claimed := func(n *ledger.Number, requests int) {
		n.State, n.Firsts.Requests = ledger.Attaching, requests
		n.Request = ledger.Request{Sent: "POST /x", Campaign: campaignID, At: noon}
	}
	for name, test := range map[string]struct {
		before, after func(*ledger.Number)
		want          []string // the start of the last entries
	}{
		"on another campaign": {
			func(n *ledger.Number) { n.State = ledger.Planned },
			func(n *ledger.Number) {
				n.State, n.Reason, n.Detail = ledger.Conflict, ledger.OtherCampaign, "ASSIGNED on campaign C000001"
			},
			[]string{
				"decision: Greenlight leaves the number where it is, because that campaign is not in the plan's move_from.",
				"state: Its state is now conflict (other_campaign). " + ledger.OtherCampaign.Advice().Why + " «ASSIGNED on campaign C000001»",
			},
		},
		"refused beforehand": {
			func(n *ledger.Number) { n.State = ledger.Planned },
			func(n *ledger.Number) { n.State, n.Reason = ledger.Failed, ledger.NotOwned },
			[]string{"decision: Greenlight sends no request, because Telnyx would refuse it.", "state: Its state is now failed (not_owned)."},
		},
		"no room": {
			func(n *ledger.Number) { n.State = ledger.Attached },
			func(n *ledger.Number) { n.State, n.Reason = ledger.Planned, ledger.CampaignFull },
			[]string{"decision: Greenlight sends no request, because the campaign is full.", "state: Its state is now planned (campaign_full)."},
		},
		"another entry of the plan": {
			func(n *ledger.Number) { n.State = ledger.Planned },
			func(n *ledger.Number) { n.EntryHash, n.PlanHash, n.State = "e2", "c3d4", ledger.Pending },
			[]string{"plan: The plan entry has changed. Plan spring (config/plans/spring.yaml:7) names the number, in plan set c3d4.", "state: Its state is now pending."},
		},
		"other words, all else the same": {
			func(n *ledger.Number) { n.State, n.Reason, n.Detail = ledger.Attached, ledger.CarrierFailed, "one" },
			func(n *ledger.Number) { n.Detail = "another" },
			[]string{"read: It is still attached (carrier_failed). «another»"},
		},
		"another reason": {
			func(n *ledger.Number) { n.State, n.Reason = ledger.Planned, ledger.BeingProcessed },
			func(n *ledger.Number) { n.Reason = ledger.RateLimited },
			[]string{"state: Its state is still planned, now with reason rate_limited. " + ledger.RateLimited.Advice().Why},
		},
		"needs a person, all else the same": {
			func(n *ledger.Number) { n.State, n.Reason = ledger.Planned, ledger.Rejected },
			func(n *ledger.Number) { n.NeedsPerson = true },
			[]string{"state: It is still planned (rejected), and needs a person now."},
		},
		"asked for again": {
			func(n *ledger.Number) { n.State = ledger.Planned },
			func(n *ledger.Number) { claimed(n, 22) },
			[]string{
				"decision: The campaign is approved and the number can be attached. Greenlight sends request 22.",
				"request: Sent: POST /x, to attach it to campaign " + campaignID + ".", "state: Its state is now attaching.",
			},
		},
		"asked for an odd number of times": {
			func(n *ledger.Number) { n.State = ledger.Planned },
			func(n *ledger.Number) { claimed(n, 11) },
			[]string{"decision: The campaign is approved and the number can be attached. Greenlight sends request 11.", "request: ", "state: "},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.write(test.before)
			before := len(d.story().Entries)
			d.write(test.after)
			got := lines(d.story().Entries)[before:]
			if !slices.EqualFunc(got, test.want, strings.HasPrefix) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

// A problem of the campaign is one of its numbers too.
func TestOfNumber_ShowsWhyACampaignCouldNotBeRead(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write(func(n *ledger.Number) { n.State = ledger.Planned })
	d.read(func(c *ledger.Campaign) {
		c.Phase, c.Reason, c.Detail = ledger.PhaseUnread, ledger.TelnyxUnavailable, "connection refused"
	})
	if story := d.story(); story.NeedsPerson {
		t.Error("it needs a person, although it is retried")
	}
	d.read(func(c *ledger.Campaign) { c.Attempts++ }) // not an entry
	d.read(func(c *ledger.Campaign) { c.Reason, c.Detail = ledger.Unauthorized, "401" })
	story := d.story()
	var got []string
	for _, line := range lines(story.Entries) {
		if strings.HasPrefix(line, "read: ") {
			got = append(got, line)
		}
	}
	want := []string{
		"read: Greenlight could not read the campaign: " + ledger.TelnyxUnavailable.Advice().Why + " «connection refused»",
		"read: Greenlight sends nothing for the account: " + ledger.Unauthorized.Advice().Why + " «401»",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !story.NeedsPerson || !strings.Contains(story.Action, "TELNYX_API_KEY") {
		t.Errorf("got action %q, needs person %t", story.Action, story.NeedsPerson)
	}
}

// Of changes that are no longer in the bounded history, the first ones are still shown.
func TestOfNumber_KeepsTheFirstsOfALongLife(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write(func(n *ledger.Number) { n.State = ledger.Planned })
	d.write(func(n *ledger.Number) {
		n.State = ledger.Pending
		n.Request = ledger.Request{Sent: "POST /x", Campaign: campaignID, At: noon.Add(time.Minute), Outcome: ledger.Accepted, AnsweredAt: noon.Add(2 * time.Minute)}
	})
	d.write(func(n *ledger.Number) { n.State, n.Since = ledger.Attached, noon.Add(3*time.Minute) })
	d.write(func(n *ledger.Number) { n.State, n.Since = ledger.Sendable, noon.Add(4*time.Minute) })
	for i := range ledger.HistoryOfNumber {
		at := noon.Add(time.Duration(i) * time.Hour)
		d.write(func(n *ledger.Number) {
			n.State, n.Reason, n.ClaimedAt = ledger.Attaching, "", at
			n.Request = ledger.Request{Sent: "POST /x", Campaign: campaignID, At: at}
			n.Firsts.Requests++
		})
		d.write(func(n *ledger.Number) {
			n.State, n.Reason = ledger.Planned, ledger.BeingProcessed
			n.Request.Outcome, n.Request.AnsweredAt = ledger.Refused, at
		})
	}
	entries := d.story().Entries
	for i := range 5 {
		if want := noon.Add(time.Duration(i) * time.Minute); !entries[i].At.Equal(want) {
			t.Errorf("entry %d is of %s, want %s: %+v", i, entries[i].At, want, entries[i])
		}
	}
	got := lines(entries)
	for i, want := range []string{
		"plan: Plan spring (config/plans/spring.yaml:7) named the number",
		"request: Greenlight requested for the first time",
		"answer: Telnyx accepted a request for the first time.",
		"state: The number was attached for the first time.",
		"state: The number was sendable for the first time.",
		"state: Changes between these are not available: the ledger keeps the latest 32 of a number. Then it was attaching, after 17 requests.",
		"answer: Telnyx refused the request.",
	} {
		if len(got) <= i || !strings.HasPrefix(got[i], want) {
			t.Fatalf("entry %d: want %q in\n%s", i, want, strings.Join(got, "\n"))
		}
	}
	if last := got[len(got)-1]; !strings.HasPrefix(last, "state: Its state is now planned (being_processed)") {
		t.Errorf("the last is %q", last)
	}
}

func TestOfNumber_MakesTelnyxsWordsHarmlessAndShort(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	evil := "\x1b[2J\x1b]0;owned\a\r\u009b31m\u202e" + strings.Repeat("long ", 1000)
	d.read(func(c *ledger.Campaign) {
		c.Phase, c.Status, c.Detail = ledger.PhaseRejected, "MNO_\x1b[31mREJECTED", evil
	})
	d.write(func(n *ledger.Number) {
		n.State, n.Reason, n.Detail, n.Status = ledger.Failed, ledger.Rejected, evil, "X\x1b[2J"
	})
	d.post("10dlc.campaign.update", campaignID, `{"type":"TELNYX\u001b[2J_REVIEW","description":"a\u001b[2J\u009b\u202e `+strings.Repeat("b", 5000)+`"}`)
	shown := 0
	for _, entry := range d.story().Entries {
		if entry.Detail != "" {
			shown++
		}
		for _, text := range []string{entry.Text, entry.Detail} {
			if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || len([]rune(text)) > 600 {
				t.Errorf("%s: %q", entry.Kind, text)
			}
		}
	}
	if shown != 3 {
		t.Errorf("%d entries have Telnyx's text, want 3", shown)
	}
}

func TestOfNumber_ShowsANumberThatLeftThePlan(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write(func(n *ledger.Number) { n.State = ledger.Planned })
	must(t, d.book.DropNumber(t.Context(), d.number))
	story := d.story()
	if got := lines(story.Entries); story.Planned || !strings.HasPrefix(got[len(got)-1], "plan: The plans no longer name the number for campaign "+campaignID) {
		t.Errorf("got %+v", story)
	}
	if !strings.HasPrefix(story.Sentence, "No plan names the number any more. It was planned") || story.Next == "" {
		t.Errorf("got %q, %q", story.Sentence, story.Next)
	}
	// Another campaign's plan names it now: that one counts.
	n := ledger.Number{Number: number, CampaignID: otherID, Plan: "autumn", PlanHash: "c3d4", State: ledger.Pending, Since: noon}
	_, err := d.book.PutNumber(t.Context(), ledger.NumberEntry{}, n)
	must(t, err)
	if story := d.story(); !story.Planned || story.Campaign != otherID || story.State != ledger.Pending {
		t.Errorf("got %+v, want it on %s", story, otherID)
	}
}

// A person's request is in the stream for an hour only; the record keeps it.
func TestOfNumber_ShowsWhatAPersonRequestedLongAgo(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write(func(n *ledger.Number) { n.State, n.Cause = ledger.Planned, "resync (message 1)" })
	d.write(func(n *ledger.Number) { n.State, n.Cause = ledger.Pending, "asked for by a person (message 7)" })
	got := lines(d.story().Entries)
	if want := "person: A person requested a check of the campaign (message 7)."; !slices.Contains(got, want) {
		t.Errorf("no %q in\n%s", want, strings.Join(got, "\n"))
	}
}

// A record is written some time after the campaign was read. The time of the read counts.
func TestOfNumber_ShowsAReadingWhenItWasMade(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write(func(n *ledger.Number) { n.State = ledger.Attaching })
	d.read(func(c *ledger.Campaign) {
		c.Phase, c.Status, c.ReadAgoSeconds = ledger.PhaseApproved, "MNO_PROVISIONED", 60
	})
	if first := lines(d.story().Entries)[0]; !strings.HasPrefix(first, "read: ") {
		t.Errorf("the first is %q", first)
	}
}

// Records of older programs lack the request, the place and the firsts.
func TestOfNumber_TakesOlderRecords(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	kv, err := d.js.KeyValue(t.Context(), "NUMBERS")
	must(t, err)
	for _, record := range []string{
		`{"v":1,"number":"+15551234567","campaign_id":"C6X6M95","plan":"p","plan_hash":"h","entry_hash":"e","state":"planned","since":"2026-03-02T12:00:00Z"}`,
		`{"v":1,"number":"+15551234567","campaign_id":"C6X6M95","plan":"p","plan_hash":"h","entry_hash":"e","state":"pending","attempts":1,"claimed_at":"2026-03-02T12:00:00Z","since":"2026-03-02T12:00:00Z","of_the_future":{"a":[1]}}`,
	} {
		_, err := kv.Put(t.Context(), "C6X6M95.15551234567", []byte(record))
		must(t, err)
	}
	want := []string{
		"plan: Plan p named the number for campaign C6X6M95, in plan set h.",
		"state: Its state is now planned. The number is planned, and Greenlight has not requested it yet.",
		"state: Its state is now pending. Telnyx accepted the request and is processing it.",
	}
	if diff := cmp.Diff(want, lines(d.story().Entries)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOfNumber_FailsForANumberThatNoPlanNamed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if _, err := timeline.OfNumber(t.Context(), d.js, number); !errors.Is(err, timeline.ErrUnknownNumber) || !strings.Contains(err.Error(), number) {
		t.Errorf("got %v, want ErrUnknownNumber with the number", err)
	}
	must(t, d.js.DeleteKeyValue(t.Context(), "NUMBERS"))
	if _, err := timeline.OfNumber(t.Context(), d.js, number); !errors.Is(err, timeline.ErrUnknownNumber) {
		t.Errorf("before an assigner ran: got %v, want ErrUnknownNumber", err)
	}
}

func TestOfNumber_ShowsTheLatestOfManyEvents(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write(func(n *ledger.Number) { n.State = ledger.Planned })
	for i := range timeline.MaxEvents + 20 {
		d.post("10dlc.campaign.update", campaignID, fmt.Sprintf(`{"type":"T%d"}`, i))
	}
	shown, last := 0, ""
	for _, entry := range d.story().Entries {
		if entry.Kind == timeline.Event {
			shown, last = shown+1, entry.Text
		}
	}
	if want := fmt.Sprintf("T%d ", timeline.MaxEvents+19); shown != timeline.MaxEvents || !strings.Contains(last, want) {
		t.Errorf("shown %d, the last %q; want %d, the last with %s", shown, last, timeline.MaxEvents, want)
	}
}
