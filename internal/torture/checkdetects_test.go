package torture

import (
	"slices"
	"strings"
	"testing"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/rehearsal"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// The numbers and campaigns of the fabricated histories.
const (
	attached, moved, taken, bystander, late = "+12125550101", "+12125550102", "+12125550103", "+12125550104", "+12125550105"
	absent, snatched                        = "+12125550106", "+12125550107"
	pruned, asked                           = "+12125550108", "+12125550109"
	spring, old, other                      = "spring", "old", "other"
)

var dawn = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(second float64) time.Time { return dawn.Add(time.Duration(second * float64(time.Second))) }

// good is a history with nothing wrong in it: two numbers are attached, one of them
// by a move, one stays in conflict, one was taken elsewhere by hand, one is not on the
// account and one is in no plan. Carriers failed the first once. The request for
// another one was under way when the campaign stopped being ready, when it was held and
// when the plan stopped naming it. One was attached and removed by the plan, and one by
// commands.
func good() history {
	h := goodWithoutRemovals()
	for _, number := range []string{pruned, asked} {
		h.Expected[number] = expectation{Unplanned: true, Removable: true, AlsoPlanned: []string{spring}, MayLeave: []string{spring}}
	}
	h.commands = []command{
		{process: "person.0", campaign: spring, numbers: []string{asked}},
		{process: "person.1", campaign: spring, numbers: []string{asked}, removes: true},
	}
	h.periods[pruned], h.periods[asked] = []period{{spring, time.Time{}, at(16)}}, []period{}
	h.mustLeave = []string{pruned}
	attaches := func(second float64, process, number string) {
		h.requests = append(h.requests, request{at(second), process, number, spring, "POST"})
		h.Writes = append(h.Writes, telnyxsim.Write{At: at(second + 0.1), Method: "POST", PhoneNumber: number, CampaignID: spring, Effective: true})
	}
	removes := func(second float64, process, number string) {
		h.touches = append(h.touches, touch{at(second - 0.3), at(second - 0.2), process, number, "GET", true, spring})
		h.requests = append(h.requests, request{at(second), process, number, "", "DELETE"})
		h.Writes = append(h.Writes, telnyxsim.Write{At: at(second + 0.1), Method: "DELETE", PhoneNumber: number, CampaignID: spring, PreviousCampaignID: spring, Effective: true})
	}
	attaches(7, "one", pruned)
	removes(19, "one", pruned)
	h.readings = append(h.readings, reading{at(6.2), "person.0", spring, true})
	attaches(6.5, "person.0", asked)
	removes(16.5, "person.1", asked)
	h.noteRemovals()
	return h
}

// of returns the request of a method for a number.
func (h *history) of(number, method string) *request {
	i := slices.IndexFunc(h.requests, func(r request) bool { return r.number == number && r.method == method })
	return &h.requests[i]
}

// wrote returns the write of a method for a number.
func (h *history) wrote(number, method string) *telnyxsim.Write {
	i := slices.IndexFunc(h.Writes, func(w telnyxsim.Write) bool { return w.PhoneNumber == number && w.Method == method })
	return &h.Writes[i]
}

func goodWithoutRemovals() history {
	post := telnyxsim.Write{Method: "POST", PhoneNumber: attached, CampaignID: spring, Effective: true}
	first, second := post, post
	first.At, second.At = at(10), at(14)
	put := telnyxsim.Write{At: at(11), Method: "PUT", PhoneNumber: moved, CampaignID: spring, PreviousCampaignID: old, Effective: true}
	patch := telnyxsim.Write{At: at(9), Method: "PATCH", PhoneNumber: attached, MessagingProfileID: "profile", Effective: true}
	last := telnyxsim.Write{At: at(22.1), Method: "POST", PhoneNumber: late, CampaignID: spring, Effective: true}
	return history{
		History: rehearsal.History{
			Expected: map[string]expectation{
				late:     {Entry: spring, Campaign: spring, State: ledger.Sendable},
				attached: {Entry: spring, Campaign: spring, State: ledger.Sendable, Profile: "profile"},
				moved:    {Entry: spring, Campaign: spring, State: ledger.Sendable, MayLeave: []string{old}},
				taken:    {Entry: spring, Campaign: spring, State: ledger.Conflict, Reason: ledger.OtherCampaign, Home: other},
				absent:   {Entry: spring, Campaign: spring, State: ledger.Failed, Reason: ledger.NotOwned},
				snatched: {Entry: spring, Campaign: spring, State: ledger.Conflict, Reason: ledger.OtherCampaign, Home: other, MayLeave: []string{old}, Tried: true},
			},
			Bystanders: map[string]string{bystander: other},
			Writes:     []telnyxsim.Write{patch, first, put, second, last},
			Failures:   map[string][]time.Time{attached: {at(12)}},
			Assignments: []telnyxsim.Assignment{
				{PhoneNumber: late, CampaignID: spring, Status: telnyx.Assigned},
				{PhoneNumber: attached, CampaignID: spring, Status: telnyx.Assigned},
				{PhoneNumber: moved, CampaignID: spring, Status: telnyx.Assigned},
				{PhoneNumber: taken, CampaignID: other, Status: telnyx.Assigned},
				{PhoneNumber: snatched, CampaignID: other, Status: telnyx.Assigned},
				{PhoneNumber: bystander, CampaignID: other, Status: telnyx.Assigned},
			},
			Ledger: []ledger.Number{
				{Number: late, CampaignID: spring, State: ledger.Sendable},
				{Number: attached, CampaignID: spring, State: ledger.Sendable},
				{Number: moved, CampaignID: spring, State: ledger.Sendable},
				{Number: taken, CampaignID: spring, State: ledger.Conflict, Reason: ledger.OtherCampaign, NeedsPerson: true},
				{Number: snatched, CampaignID: spring, State: ledger.Conflict, Reason: ledger.OtherCampaign, NeedsPerson: true},
				{Number: absent, CampaignID: spring, State: ledger.Failed, Reason: ledger.NotOwned, NeedsPerson: true},
			},
			Accepted: []string{"event", "junk"},
			Kept:     map[string]uint64{"event": 7, "junk": 0},
		},
		timeline: map[string][]phaseAt{spring: {{at(0), false}, {at(5), true}, {at(20), false}}},
		requests: []request{
			{at(9.9), "one", attached, spring, "POST"}, {at(10.9), "one", moved, spring, "PUT"}, {at(13.9), "one", attached, spring, "POST"},
			{at(22), "two", late, spring, "POST"}, {at(8.9), "one", attached, "", "PATCH"},
		},
		readings: []reading{
			{at(4), "one", spring, false}, {at(6), "one", spring, true}, {at(15), "two", spring, true}, {at(23), "two", spring, false},
		},
		touches: []touch{
			{at(9), at(9.1), "two", moved, "GET", true, other}, {at(9), at(9.1), "one", moved, "GET", true, other},
			{at(10.5), at(10.6), "one", moved, "GET", true, strings.ToUpper(old)}, {at(10.7), at(10.8), "two", moved, "GET", true, other},
			{at(10.9), at(11), "one", moved, "PUT", true, spring},
		},
		// The first request of a hold was on the wire, and of the second the process was
		// frozen.
		holds:   []hold{{"", at(9.5), at(10.5)}, {spring, at(21.2), at(23)}, {"another", at(13), at(14)}},
		frozen:  []freeze{{"two", at(21.2), at(21.9)}},
		entries: map[string]string{spring: spring},
		periods: map[string][]period{late: {{other, time.Time{}, at(2)}, {spring, at(2), at(21.5)}}},
		reports: []report{{at(10), taken, "", ledger.OtherCampaign}, {at(10), absent, "", ledger.NotOwned}},
		queue:   queueState{ackFloor: 7},
	}
}

var fabricated = limits{flight: 5 * time.Second, requests: 3, wire: 500 * time.Millisecond, edit: 300 * time.Millisecond,
	resync: 2 * time.Second, known: time.Second}

func TestCheck_FindsNothingInAGoodHistory(t *testing.T) {
	if found := check(good(), fabricated); len(found) > 0 {
		t.Errorf("got %v", found)
	}
}

// Each row spoils one thing, and exactly one rule must notice.
func TestCheck_DetectsEachViolation(t *testing.T) {
	for name, row := range map[string]struct {
		rule  string
		spoil func(*history)
	}{
		"a number is attached nowhere":             {"final state at Telnyx", func(h *history) { h.Assignments = h.Assignments[1:] }},
		"a number is still pending":                {"final state at Telnyx", func(h *history) { h.Assignments[1].Status = telnyx.PendingAssignment }},
		"a number is on another campaign":          {"final state at Telnyx", func(h *history) { h.Assignments[2].CampaignID = old }},
		"a number in conflict has left":            {"final state at Telnyx", func(h *history) { h.Assignments[3].CampaignID = spring }},
		"a bystander has left":                     {"final state at Telnyx", func(h *history) { h.Assignments = h.Assignments[:5] }},
		"the ledger is behind":                     {"final state in the ledger", func(h *history) { h.Ledger[1].State = ledger.Pending }},
		"the ledger misses a number":               {"final state in the ledger", func(h *history) { h.Ledger = h.Ledger[1:] }},
		"the ledger blames something else":         {"final state in the ledger", func(h *history) { h.Ledger[3].Reason = ledger.Stuck }},
		"the ledger has a number too many":         {"final state in the ledger", func(h *history) { h.Ledger = append(h.Ledger, ledger.Number{Number: bystander}) }},
		"a request for another campaign":           {"never elsewhere", func(h *history) { h.Writes[1].CampaignID = other }},
		"a request for a bystander":                {"never elsewhere", func(h *history) { h.Writes[0].PhoneNumber = bystander }},
		"a request for a number in conflict":       {"never elsewhere", func(h *history) { h.Writes[0].PhoneNumber = taken }},
		"a move from a campaign that is not named": {"never elsewhere", func(h *history) { h.Writes[2].PreviousCampaignID = other }},
		"a profile that the plan does not name":    {"never elsewhere", func(h *history) { h.Writes[0].MessagingProfileID = "mine" }},
		"a number is taken off":                    {"never elsewhere", func(h *history) { h.Writes[0].Method = "DELETE" }},
		"a second effect": {"one effective write", func(h *history) {
			h.Writes = append(h.Writes, telnyxsim.Write{At: at(15), Method: "POST", PhoneNumber: moved, CampaignID: spring, Effective: true})
		}},
		"a second effect before the failure": {"one effective write", func(h *history) {
			h.Failures[attached][0] = at(14.5)
			h.requests = h.requests[:2]
		}},
		"a profile is set twice": {"one effective write", func(h *history) { h.Writes = append(h.Writes, h.Writes[0]) }},
		"a request for what is done": {"bounded requests", func(h *history) {
			h.requests = append(h.requests, request{at(19), "one", moved, spring, "POST"})
		}},
		"more requests than the bound": {"bounded requests", func(h *history) {
			early := telnyxsim.Write{At: at(8), Method: "PUT", PhoneNumber: moved, CampaignID: spring}
			h.Writes = append([]telnyxsim.Write{early, early, early}, h.Writes...)
		}},
		"a request before approval": {"only when provisioned", func(h *history) {
			h.requests = append(h.requests, request{at(3), "three", late, spring, "POST"})
			h.readings = append(h.readings, reading{at(1), "three", spring, true})
		}},
		"a request long after suspension": {"only when provisioned", func(h *history) {
			h.requests = append(h.requests, request{at(26), "three", attached, spring, "POST"})
			h.Failures[attached] = append(h.Failures[attached], at(25))
			h.readings = append(h.readings, reading{at(19), "three", spring, true})
		}},
		"a request on another process's reading":         {"only after reading", func(h *history) { h.requests[0].process = "three" }},
		"a request on a reading that says otherwise":     {"only after reading", func(h *history) { h.readings[1].ready = false }},
		"a request before any reading":                   {"only after reading", func(h *history) { h.readings = h.readings[3:]; h.requests = h.requests[:1] }},
		"a number needs a person for nothing":            {"final state in the ledger", func(h *history) { h.Ledger[1].NeedsPerson = true }},
		"a number needs a person without saying so":      {"final state in the ledger", func(h *history) { h.Ledger[3].NeedsPerson = false }},
		"a move without reading the record":              {"taken only on proof", func(h *history) { h.touches = h.touches[:2] }},
		"a move on a record that was never answered":     {"taken only on proof", func(h *history) { h.touches[2].answered = time.Time{} }},
		"a move on the record of another process":        {"taken only on proof", func(h *history) { h.touches[2].process = "two" }},
		"a move on something else that was asked":        {"taken only on proof", func(h *history) { h.touches[2].record = false }},
		"a move with a call in between":                  {"taken only on proof", func(h *history) { h.touches[3].process, h.touches[3].method = "one", "PATCH" }},
		"a move on a record that names another campaign": {"taken only on proof", func(h *history) { h.touches[2].campaign = other }},
		"a move on a record that is old":                 {"taken only on proof", func(h *history) { h.touches[2].answered = at(10.3) }},
		"a number taken by hand is taken back": {"never elsewhere", func(h *history) {
			h.Writes = append(h.Writes, telnyxsim.Write{At: at(12), Method: "PUT", PhoneNumber: snatched, CampaignID: spring, PreviousCampaignID: other, Effective: true})
			h.Failures[snatched] = []time.Time{at(11)}
			h.touches = append(h.touches, touch{at(11.5), at(11.6), "one", snatched, "GET", true, old})
		}},
		"a number is said not to be on the account":          {"no false report", func(h *history) { h.reports[1].number = attached }},
		"a campaign is said to be missing":                   {"no false report", func(h *history) { h.reports[0] = report{at(3), "", spring, ledger.CampaignMissing} }},
		"a request while everything is held":                 {"stop means stop", func(h *history) { h.holds[0].until = at(14.5) }},
		"a request while its campaign is held":               {"stop means stop", func(h *history) { h.holds[2].entry = spring; h.requests[2].at = at(13.9) }},
		"a request while held, and no process was frozen":    {"stop means stop", func(h *history) { h.frozen[0].role = "two-more"; delete(h.periods, late) }},
		"a request of a hold without an end":                 {"stop means stop", func(h *history) { h.holds[0].until, h.requests = time.Time{}, h.requests[:3] }},
		"a profile is set while everything is held":          {"stop means stop", func(h *history) { h.holds[0].from, h.holds[0].until = at(8), at(9.2) }},
		"a request for what the plan does not name any more": {"only what is planned", func(h *history) { h.periods[late][1].until = at(14) }},
		"a request for what the plan does not name yet":      {"only what is planned", func(h *history) { h.periods[late][1].from = at(22.05) }},
		"a request for what the plan names elsewhere":        {"only what is planned", func(h *history) { h.periods[late][1].campaign = old }},
		"a second request for what is done after the claims were lost": {"bounded requests", func(h *history) {
			h.claimsLost = []time.Time{at(17)}
			h.requests = append(h.requests, request{at(18), "one", moved, spring, "POST"}, request{at(19), "one", moved, spring, "POST"})
		}},
		"a request for what is done before the claims were lost": {"bounded requests", func(h *history) {
			h.claimsLost = []time.Time{at(19.5)}
			h.requests = append(h.requests, request{at(19), "one", moved, spring, "POST"})
		}},
		"a removal of what the plan names again":     {"removed only when unnamed", func(h *history) { h.periods[pruned] = append(h.periods[pruned], period{spring, at(17), time.Time{}}) }},
		"a removal of what the plan names elsewhere": {"removed only when unnamed", func(h *history) { h.periods[pruned] = append(h.periods[pruned], period{other, at(17), time.Time{}}) }},
		"a removal of what the plan always names":    {"removed only when unnamed", func(h *history) { delete(h.periods, pruned) }},
		"a removal too soon":                         {"removed only when unnamed", func(h *history) { h.periods[pruned][0].until = at(17.5) }},
		"a removal of what was there before":         {"removed only when unnamed", func(h *history) { h.wrote(pruned, "POST").Effective = false }},
		"a removal of what a person attached": {"removed only when unnamed", func(h *history) {
			h.of(pruned, "POST").process = "person.0"
			h.commands[0].numbers = append(h.commands[0].numbers, pruned)
		}},
		"a removal from another campaign":           {"removed only when unnamed", func(h *history) { h.wrote(pruned, "DELETE").PreviousCampaignID = other }},
		"a removal of what only commands are about": {"removed only when unnamed", func(h *history) { h.of(asked, "DELETE").process = "one"; h.touches[len(h.touches)-1].process = "one" }},
		"a removal without reading the record":      {"taken only on proof", func(h *history) { h.touches = h.touches[:len(h.touches)-1] }},
		"a removal on a record that is old":         {"taken only on proof", func(h *history) { h.touches[len(h.touches)-2].answered = at(18.4) }},
		"a removal while everything is held":        {"stop means stop", func(h *history) { h.holds[0].from, h.holds[0].until = at(18), at(19.5) }},
		"a removal that does not come": {"removed in the end", func(h *history) {
			h.Assignments = append(h.Assignments, telnyxsim.Assignment{PhoneNumber: pruned, CampaignID: spring})
		}},
		"a removed number is attached again":    {"only what is planned", func(h *history) { h.requests = append(h.requests, request{at(19.8), "one", pruned, spring, "POST"}) }},
		"a command for another number":          {"only as asked", func(h *history) { h.commands[0].numbers = nil }},
		"a command that does something else":    {"only as asked", func(h *history) { h.commands[1].removes = false }},
		"a command for another campaign":        {"only as asked", func(h *history) { h.commands[1].campaign = other }},
		"a command removes what the plan names": {"only as asked", func(h *history) { h.periods[asked] = []period{{spring, at(10), time.Time{}}} }},
		"a command takes what the plan names":   {"only as asked", func(h *history) { h.periods[asked] = []period{{other, time.Time{}, at(8)}} }},
		"a command moves what it may not": {"only as asked", func(h *history) {
			h.of(asked, "POST").method = "PUT"
			h.touches = append(h.touches, touch{at(6.3), at(6.4), "person.0", asked, "GET", true, spring})
		}},
		"a delivery is lost":      {"a 200 means stored", func(h *history) { delete(h.Kept, "event") }},
		"a dead letter is lost":   {"a 200 means stored", func(h *history) { delete(h.Kept, "junk") }},
		"messages wait":           {"everything is handled", func(h *history) { h.queue.waiting = 1 }},
		"messages are open":       {"everything is handled", func(h *history) { h.queue.open = 1 }},
		"an event is not settled": {"everything is handled", func(h *history) { h.queue.ackFloor = 6 }},
	} {
		t.Run(name, func(t *testing.T) {
			h := good()
			row.spoil(&h)
			var rules []string
			for _, v := range check(h, fabricated) {
				rules = append(rules, v.Rule)
			}
			if rules = slices.Compact(rules); !slices.Equal(rules, []string{row.rule}) {
				t.Errorf("got %q, want %q alone", rules, row.rule)
			}
		})
	}
}

// What no process can prevent is not a violation.
func TestCheck_Excuses(t *testing.T) {
	for name, change := range map[string]func(*history){
		"a removal too soon by a clock that was set": func(h *history) {
			h.periods[pruned][0].until = at(17.5)
			h.steps = []clockStep{{at(18), 0, time.Hour}}
		},
		"a removal of what the plan named for a moment": func(h *history) { h.periods[pruned] = append(h.periods[pruned], period{spring, at(17.5), at(18.2)}) },
		"a command removes what the lost claims do not say": func(h *history) {
			h.periods[asked] = []period{{spring, at(10), time.Time{}}}
			h.claimsLost = []time.Time{at(16)}
		},
		"a request for what is done after the claims were lost": func(h *history) {
			h.claimsLost = []time.Time{at(17)}
			h.requests = append(h.requests, request{at(18), "one", moved, spring, "POST"})
		},
		"a number that a person took off is attached again": func(h *history) {
			h.Failures[moved] = []time.Time{at(15)}
			h.requests = append(h.requests, request{at(18), "one", moved, spring, "POST"})
			h.Writes = append(h.Writes, telnyxsim.Write{At: at(18.1), Method: "POST", PhoneNumber: moved, CampaignID: spring, Effective: true})
		},
		"a number that a person takes between the reading and the move": func(h *history) {
			h.Writes = append(h.Writes, telnyxsim.Write{At: at(12), Method: "PUT", PhoneNumber: snatched, CampaignID: spring, PreviousCampaignID: other, Effective: true})
			h.Failures[snatched] = []time.Time{at(11.8)}
			h.touches = append(h.touches, touch{at(11.5), at(11.6), "one", snatched, "GET", true, old})
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := good()
			change(&h)
			if found := check(h, fabricated); len(found) > 0 {
				t.Errorf("got %v", found)
			}
		})
	}
}
