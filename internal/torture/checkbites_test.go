package torture

import (
	"slices"
	"testing"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// The numbers and campaigns of the fabricated histories.
const (
	attached, moved, taken, bystander, late = "+12125550101", "+12125550102", "+12125550103", "+12125550104", "+12125550105"
	spring, old, other                      = "spring", "old", "other"
)

var dawn = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(second float64) time.Time { return dawn.Add(time.Duration(second * float64(time.Second))) }

// good is a history with nothing wrong in it: two numbers are attached, one of them
// by a move, one stays in conflict and one is nobody's business. Carriers failed
// the first once. The request for another one was under way when the campaign
// stopped being ready.
func good() history {
	post := telnyxsim.Write{Method: "POST", PhoneNumber: attached, CampaignID: spring, Effective: true}
	first, second := post, post
	first.At, second.At = at(10), at(14)
	put := telnyxsim.Write{At: at(11), Method: "PUT", PhoneNumber: moved, CampaignID: spring, PreviousCampaignID: old, Effective: true}
	patch := telnyxsim.Write{At: at(9), Method: "PATCH", PhoneNumber: attached, MessagingProfileID: "profile", Effective: true}
	last := telnyxsim.Write{At: at(22.1), Method: "POST", PhoneNumber: late, CampaignID: spring, Effective: true}
	return history{
		fates: map[string]fate{
			late:     {entry: spring, campaign: spring, state: ledger.Sendable},
			attached: {entry: spring, campaign: spring, state: ledger.Sendable, profile: "profile"},
			moved:    {entry: spring, campaign: spring, state: ledger.Sendable, mayLeave: []string{old}},
			taken:    {entry: spring, campaign: spring, state: ledger.Conflict, reason: ledger.OtherCampaign, home: other},
		},
		bystanders: map[string]string{bystander: other},
		writes:     []telnyxsim.Write{patch, first, put, second, last},
		failures:   map[string][]time.Time{attached: {at(12)}},
		timeline:   map[string][]standing{spring: {{at(0), false}, {at(5), true}, {at(20), false}}},
		requests: []request{
			{at(9.9), "one", attached, spring}, {at(10.9), "one", moved, spring}, {at(13.9), "one", attached, spring},
			{at(22), "two", late, spring},
		},
		readings: []reading{
			{at(4), "one", spring, false}, {at(6), "one", spring, true}, {at(15), "two", spring, true}, {at(23), "two", spring, false},
		},
		assignments: []telnyxsim.Assignment{
			{PhoneNumber: late, CampaignID: spring, Status: telnyx.Assigned},
			{PhoneNumber: attached, CampaignID: spring, Status: telnyx.Assigned},
			{PhoneNumber: moved, CampaignID: spring, Status: telnyx.Assigned},
			{PhoneNumber: taken, CampaignID: other, Status: telnyx.Assigned},
			{PhoneNumber: bystander, CampaignID: other, Status: telnyx.Assigned},
		},
		ledger: []ledger.Number{
			{Number: late, CampaignID: spring, State: ledger.Sendable},
			{Number: attached, CampaignID: spring, State: ledger.Sendable},
			{Number: moved, CampaignID: spring, State: ledger.Sendable},
			{Number: taken, CampaignID: spring, State: ledger.Conflict, Reason: ledger.OtherCampaign},
		},
		accepted: []string{"event", "junk"},
		kept:     map[string]uint64{"event": 7, "junk": 0},
		queue:    queueState{ackFloor: 7},
	}
}

var fabricated = limits{flight: 5 * time.Second, requests: 3}

func TestCheck_FindsNothingInAGoodHistory(t *testing.T) {
	if found := check(good(), fabricated); len(found) > 0 {
		t.Errorf("got %v", found)
	}
}

// Each row spoils one thing, and exactly one rule must notice.
func TestCheck_Bites(t *testing.T) {
	for name, row := range map[string]struct {
		rule  string
		spoil func(*history)
	}{
		"a number is attached nowhere":             {"final state at Telnyx", func(h *history) { h.assignments = h.assignments[1:] }},
		"a number is still pending":                {"final state at Telnyx", func(h *history) { h.assignments[1].Status = telnyx.PendingAssignment }},
		"a number is on another campaign":          {"final state at Telnyx", func(h *history) { h.assignments[2].CampaignID = old }},
		"a number in conflict has left":            {"final state at Telnyx", func(h *history) { h.assignments[3].CampaignID = spring }},
		"a bystander has left":                     {"final state at Telnyx", func(h *history) { h.assignments = h.assignments[:4] }},
		"the ledger is behind":                     {"final state in the ledger", func(h *history) { h.ledger[1].State = ledger.Pending }},
		"the ledger misses a number":               {"final state in the ledger", func(h *history) { h.ledger = h.ledger[1:] }},
		"the ledger blames something else":         {"final state in the ledger", func(h *history) { h.ledger[3].Reason = ledger.Stuck }},
		"the ledger has a number too many":         {"final state in the ledger", func(h *history) { h.ledger = append(h.ledger, ledger.Number{Number: bystander}) }},
		"a request for another campaign":           {"never elsewhere", func(h *history) { h.writes[1].CampaignID = other }},
		"a request for a bystander":                {"never elsewhere", func(h *history) { h.writes[0].PhoneNumber = bystander }},
		"a request for a number in conflict":       {"never elsewhere", func(h *history) { h.writes[0].PhoneNumber = taken }},
		"a move from a campaign that is not named": {"never elsewhere", func(h *history) { h.writes[2].PreviousCampaignID = other }},
		"a profile that the plan does not name":    {"never elsewhere", func(h *history) { h.writes[0].MessagingProfileID = "mine" }},
		"a number is taken off":                    {"never elsewhere", func(h *history) { h.writes[0].Method = "DELETE" }},
		"a second effect": {"one effective write", func(h *history) {
			h.writes = append(h.writes, telnyxsim.Write{At: at(15), Method: "POST", PhoneNumber: moved, CampaignID: spring, Effective: true})
		}},
		"a second effect before the failure": {"one effective write", func(h *history) {
			h.failures[attached][0] = at(14.5)
			h.requests = h.requests[:2]
		}},
		"a profile is set twice": {"one effective write", func(h *history) { h.writes = append(h.writes, h.writes[0]) }},
		"a request for what is done": {"bounded requests", func(h *history) {
			h.requests = append(h.requests, request{at(19), "one", moved, spring})
		}},
		"more requests than the bound": {"bounded requests", func(h *history) {
			early := telnyxsim.Write{At: at(8), Method: "PUT", PhoneNumber: moved, CampaignID: spring}
			h.writes = append([]telnyxsim.Write{early, early, early}, h.writes...)
		}},
		"a request before approval": {"only when provisioned", func(h *history) {
			h.requests = append(h.requests, request{at(3), "three", late, spring})
			h.readings = append(h.readings, reading{at(1), "three", spring, true})
		}},
		"a request long after suspension": {"only when provisioned", func(h *history) {
			h.requests = append(h.requests, request{at(26), "three", late, spring})
			h.writes[4].At = at(26.1)
			h.readings = append(h.readings, reading{at(19), "three", spring, true})
		}},
		"a request on another process's reading":     {"only after reading", func(h *history) { h.requests[0].process = "three" }},
		"a request on a reading that says otherwise": {"only after reading", func(h *history) { h.readings[1].ready = false }},
		"a request before any reading":               {"only after reading", func(h *history) { h.readings = h.readings[3:]; h.requests = h.requests[:1] }},
		"a delivery is lost":                         {"a 200 means kept", func(h *history) { delete(h.kept, "event") }},
		"a dead letter is lost":                      {"a 200 means kept", func(h *history) { delete(h.kept, "junk") }},
		"messages wait":                              {"everything is handled", func(h *history) { h.queue.waiting = 1 }},
		"messages are open":                          {"everything is handled", func(h *history) { h.queue.open = 1 }},
		"an event is not settled":                    {"everything is handled", func(h *history) { h.queue.ackFloor = 6 }},
	} {
		t.Run(name, func(t *testing.T) {
			h := good()
			row.spoil(&h)
			var rules []string
			for _, v := range check(h, fabricated) {
				rules = append(rules, v.rule)
			}
			if rules = slices.Compact(rules); !slices.Equal(rules, []string{row.rule}) {
				t.Errorf("got %q, want %q alone", rules, row.rule)
			}
		})
	}
}
