package status

import (
	"fmt"
	"testing"
	"time"

	"greenlight/internal/ledger"
)

// A campaign of three numbers is approved at noon. The first is attached a second later, and
// every carrier has it at 12:30; the second is refused at 12:10; the third is in progress.
func TestHistory_FollowsFromTheRecords(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	view := NewView(ViewConfig{})
	x := &view.contents
	x.putCampaign(ledger.Campaign{ID: "C1", Planned: true, Phase: ledger.PhaseApproved, Since: noon, ApprovedAt: noon, NoticedAt: noon, AttachedAt: at(5)})
	named := at(-60)
	number := func(e164 string, state ledger.State, since time.Time, firsts ledger.Firsts) ledger.Number {
		firsts.Named = named
		return ledger.Number{Number: e164, CampaignID: "C1", State: state, Since: since, Firsts: firsts}
	}
	first := noon.Add(time.Second)
	sendable := number("+12125550100", ledger.Sendable, at(30), ledger.Firsts{Requested: noon, Attached: first, Sendable: at(30)})
	sendable.TMobile, sendable.NonTMobile = "ADDED", "ADDED"
	refused := number("+12125550101", ledger.Failed, at(10), ledger.Firsts{Requested: at(1)})
	refused.Reason, refused.NeedsPerson = ledger.Rejected, true
	attached := number("+12125550102", ledger.Attached, at(5), ledger.Firsts{Requested: at(2), Attached: at(5)})
	attached.TMobile, attached.NonTMobile = "FAILED", "ADDED"
	for _, n := range []ledger.Number{sendable, refused, attached} {
		x.putNumber(n)
	}
	now := at(45)
	h := x.History(now)
	if h.Slot != 2*time.Minute || !h.End.After(now) || len(h.Counts) != 90 {
		t.Fatalf("got %d slots of %v until %v, want 3 hours", len(h.Counts), h.Slot, h.End)
	}
	for minutes, want := range map[int][Parts]int{
		-70: {}, -30: {InReview: 3}, 3: {OnCampaign: 1, InProgress: 2}, 7: {OnCampaign: 2, InProgress: 1},
		20: {OnCampaign: 2, WithPerson: 1}, 45: {CanSend: 1, OnCampaign: 1, WithPerson: 1},
	} {
		slot := len(h.Counts) - 1 - int(h.End.Sub(at(minutes))/h.Slot)
		if got := h.Counts[min(slot, len(h.Counts)-1)]; got != want {
			t.Errorf("%d minutes after the approval: got %v, want %v", minutes, got, want)
		}
	}
	entry := x.Campaign("C1")
	if got, want := entry.Milestones(), (Milestones{Approved: noon, First: first}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := LanesOf(x.Campaigns()), (Lanes{TMobile: Lane{Added: 1, Failed: 1}, Others: Lane{Added: 2}}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	// The last number that can send completes the campaign.
	x.dropNumber("C1", refused.Number)
	attached.State, attached.Since, attached.Firsts.Sendable = ledger.Sendable, at(40), at(40)
	x.putNumber(attached)
	if got, want := entry.Milestones(), (Milestones{Approved: noon, First: first, Attached: at(5), Sendable: at(40)}); got != want {
		t.Errorf("complete: got %+v, want %+v", got, want)
	}
	if h := x.HistoryOf(x.Campaigns(), now); h.Counts[len(h.Counts)-1] != [Parts]int{CanSend: 2} {
		t.Errorf("at last: got %v, want two that can send", h.Counts[len(h.Counts)-1])
	}
}

// part returns the counts of a history that are not zero at a time.
func (h History) at(t time.Time) (Part, int) {
	slot := len(h.Counts) - 1 - int(h.End.Sub(t)/h.Slot)
	if slot < 0 {
		return Parts, 0 // before it begins
	}
	for part, n := range h.Counts[min(slot, len(h.Counts)-1)] {
		if n > 0 {
			return Part(part), n
		}
	}
	return Parts, 0
}

// Each case is one number of a campaign that is approved, for the second time, at 11:30. It
// is noon. The parts are those at 8:30, 9:30, 10:30 and now; Parts means that it is not shown.
func TestHistory_ShowsOnlyWhatRecordsSay(t *testing.T) {
	t.Parallel()
	at := func(hour, minute int) time.Time { return time.Date(2026, 3, 2, hour, minute, 0, 0, time.UTC) }
	first := ledger.Firsts{Named: at(8, 0)}
	with := func(change func(*ledger.Firsts)) ledger.Firsts { f := first; change(&f); return f }
	for name, test := range map[string]struct {
		n    ledger.Number
		want [4]Part
	}{
		"attached without a request of ours": {
			ledger.Number{State: ledger.Sendable, Since: at(9, 0), Firsts: with(func(f *ledger.Firsts) { f.Attached, f.Sendable = at(9, 0), at(9, 0) })},
			[4]Part{Waiting, CanSend, CanSend, CanSend},
		},
		"refused before the approval": {
			ledger.Number{State: ledger.Failed, NeedsPerson: true, Since: at(9, 0), Firsts: first},
			[4]Part{Waiting, WithPerson, WithPerson, WithPerson},
		},
		"lost, and attached again by our request": {
			ledger.Number{State: ledger.Attached, Since: at(11, 0), Firsts: with(func(f *ledger.Firsts) { f.Attached, f.Requested = at(9, 0), at(10, 0) })},
			[4]Part{Waiting, OnCampaign, InProgress, OnCampaign},
		},
		"lost and back, it is not recorded when": {
			ledger.Number{State: ledger.Sendable, Since: at(10, 0), Firsts: with(func(f *ledger.Firsts) { f.Attached, f.Sendable = at(8, 10), at(8, 20) })},
			[4]Part{Parts, Parts, CanSend, CanSend},
		},
		"a record of an earlier version": {
			ledger.Number{State: ledger.Sendable, Since: at(9, 0)},
			[4]Part{Parts, CanSend, CanSend, CanSend},
		},
		"queued since the approval": {
			ledger.Number{State: ledger.Planned, Reason: ledger.Queued, Since: at(8, 0), Firsts: first},
			[4]Part{Waiting, Waiting, Waiting, InQueue},
		},
	} {
		x := &Contents{}
		x.clear()
		x.putCampaign(ledger.Campaign{ID: "C1", Planned: true, Phase: ledger.PhaseApproved, Since: at(11, 30), NoticedAt: at(11, 30)})
		test.n.Number, test.n.CampaignID = "+12125550100", "C1"
		x.putNumber(test.n)
		h := x.History(at(12, 0))
		for i, when := range []time.Time{at(8, 30), at(9, 30), at(10, 30), at(12, 0)} {
			if part, _ := h.at(when); part != test.want[i] {
				t.Errorf("%s, at %s: got part %d, want %d", name, when.Format("15:04"), part, test.want[i])
			}
		}
	}
}

// A history of many numbers is used for some seconds, but never with wrong current counts.
func TestHistory_IsSoonUpToDate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	x := &Contents{}
	x.clear()
	n := ledger.Number{Number: "+12125550100", CampaignID: "C1", State: ledger.Pending, Since: now, Firsts: ledger.Firsts{Named: now, Requested: now}}
	x.putNumber(n)
	x.History(now)
	x.history.keep = time.Hour // as if it had taken three minutes
	n.State, n.Since, n.Firsts.Attached = ledger.Attached, now.Add(time.Second), now.Add(time.Second)
	x.putNumber(n)
	for _, after := range []time.Duration{time.Second, 11 * time.Second} {
		h := x.History(now.Add(after))
		if part, count := h.at(now.Add(after)); part != OnCampaign || count != 1 || !h.End.After(now.Add(after)) {
			t.Errorf("after %v: got %d in part %d until %v, want one attached", after, count, part, h.End)
		}
	}
	if part, _ := x.History(now.Add(11 * time.Second)).at(now.Add(5 * time.Second)); part != OnCampaign {
		t.Errorf("the change is not in its slot: got part %d", part)
	}
}

// A time before the approval is not a step after it, and "all" means all of now.
func TestMilestones_NeverRunBackwards(t *testing.T) {
	t.Parallel()
	at := func(hour, minute int) time.Time { return time.Date(2026, 3, 2, hour, minute, 0, 0, time.UTC) }
	number := func(e164 string, attached time.Time) ledger.Number {
		return ledger.Number{Number: e164, CampaignID: "C1", State: ledger.Sendable, Since: attached, Firsts: ledger.Firsts{Named: at(8, 0), Attached: attached, Sendable: attached}}
	}
	x := &Contents{}
	x.clear()
	x.putCampaign(ledger.Campaign{ID: "C1", Planned: true, Phase: ledger.PhaseApproved, Since: at(11, 30), NoticedAt: at(11, 30), AttachedAt: at(11, 30)})
	x.putNumber(number("+12125550100", at(9, 0)))
	if got, want := x.Campaign("C1").Milestones(), (Milestones{Approved: at(11, 30), Noticed: true}); got != want {
		t.Errorf("attached before: got %+v, want %+v", got, want)
	}
	x.putNumber(number("+12125550101", at(11, 40)))
	want := Milestones{Approved: at(11, 30), Noticed: true, First: at(11, 40), Attached: at(11, 40), Sendable: at(11, 40)}
	if got := x.Campaign("C1").Milestones(); got != want {
		t.Errorf("attached after: got %+v, want %+v", got, want)
	}
	x.putNumber(ledger.Number{Number: "+12125550102", CampaignID: "C1", State: ledger.Planned, Reason: ledger.Queued, Since: at(11, 50), Firsts: ledger.Firsts{Named: at(11, 50)}})
	want.Attached, want.Sendable = time.Time{}, time.Time{}
	if got := x.Campaign("C1").Milestones(); got != want {
		t.Errorf("a number more: got %+v, want %+v", got, want)
	}
}

// many has a campaign of so many numbers, each with the history of a day.
func many(numbers int, now time.Time) *Contents {
	x := &Contents{}
	x.clear()
	approved := now.Add(-10 * time.Hour)
	x.putCampaign(ledger.Campaign{ID: "C1", Planned: true, Phase: ledger.PhaseApproved, Since: approved, ApprovedAt: approved, NoticedAt: approved})
	for i := range numbers {
		requested := approved.Add(time.Duration(i%30_000) * time.Second)
		x.putNumber(ledger.Number{
			Number: fmt.Sprintf("+1212%07d", i), CampaignID: "C1", State: ledger.Sendable, Since: requested.Add(time.Hour),
			Firsts: ledger.Firsts{Named: now.Add(-23 * time.Hour), Requested: requested, Attached: requested.Add(time.Second), Sendable: requested.Add(time.Hour)},
		})
	}
	return x
}

// A page of a campaign makes a history at every change.
func TestHistory_AllocatesNothingForANumber(t *testing.T) {
	now := time.Now()
	x := many(500, now)
	if got := testing.AllocsPerRun(5, func() { x.HistoryOf(x.Campaigns(), now) }); got > 20 {
		t.Errorf("got %v allocations for 500 numbers, want at most 20", got)
	}
}

func BenchmarkHistory(b *testing.B) {
	now := time.Now()
	for _, numbers := range []int{50, 100_000} {
		x := many(numbers, now)
		b.Run(fmt.Sprint(numbers, " numbers"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				x.HistoryOf(x.Campaigns(), now)
			}
		})
	}
}
