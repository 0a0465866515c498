package torture

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// fate is what the plan means for one number that it names.
type fate struct {
	// entry is the id by which the plan and the ledger name the campaign, campaign
	// the one by which Telnyx attaches to it.
	entry, campaign string
	// state and reason are what the ledger must say in the end.
	state  ledger.State
	reason ledger.Reason
	// home is the campaign on which a number in conflict stays.
	home string
	// mayLeave are the campaigns that the plan takes the number from.
	mayLeave []string
	// profile is the messaging profile that the number may be put on, if any.
	profile string
}

// attaches reports whether the number ends on the plan's campaign.
func (f fate) attaches() bool { return f.state == ledger.Sendable }

// standing is what a campaign was from a moment on.
type standing struct {
	at    time.Time
	ready bool
}

// request is a POST or PUT as it came in. One for a whole messaging profile has no
// number.
type request struct {
	at               time.Time
	process          string
	number, campaign string
}

// reading is an answer about a campaign that went out whole.
type reading struct {
	at       time.Time
	process  string
	campaign string
	ready    bool
}

// queueState is how far the assigners' consumer is.
type queueState struct {
	waiting, open int
	// ackFloor is the sequence up to which every message is settled.
	ackFloor uint64
}

// history is all that the checker goes by.
type history struct {
	fates map[string]fate // by number
	// bystanders are the numbers that no plan names, with the campaign they are on.
	bystanders map[string]string
	// writes are the requests for changes in the order of their effect.
	writes []telnyxsim.Write
	// failures are when carriers failed a number's assignment.
	failures map[string][]time.Time
	// timeline is by campaign, in order.
	timeline map[string][]standing
	requests []request
	readings []reading

	assignments []telnyxsim.Assignment
	ledger      []ledger.Number

	// accepted are the ids of deliveries that the webhook answered with 200.
	accepted []string
	// kept are the ids in stream EVENTS, with their sequence, and those among the
	// dead letters, with 0.
	kept  map[string]uint64
	queue queueState
}

// limits are the bounds that the checker holds a history to.
type limits struct {
	// flight is how long after a campaign stopped being ready a request may still
	// come in: what a pass may take from reading the campaign to its last request,
	// with reads that hang and processes that are frozen.
	flight time.Duration
	// requests is how many POST and PUT a number may get in all.
	requests int
}

// violation is one thing that must not be. Number and campaign are empty when it
// is about none.
type violation struct {
	rule             string
	number, campaign string
	text             string
}

func (v violation) String() string {
	return fmt.Sprintf("%s: %s", v.rule, strings.TrimSpace(cmp.Or(v.number, v.campaign)+" "+v.text))
}

// check returns everything that is wrong with a history.
func check(h history, l limits) []violation {
	return slices.Concat(
		checkTelnyx(h),
		checkLedger(h),
		checkPlaces(h),
		checkEffects(h),
		checkCounts(h, l),
		checkProvisioned(h, l),
		checkReadings(h),
		checkKept(h),
		checkHandled(h),
	)
}

// checkTelnyx: in the end every number is where the plan wants it, and those that
// are no matter of the plan are where they were.
func checkTelnyx(h history) (found []violation) {
	const rule = "final state at Telnyx"
	records := map[string]telnyxsim.Assignment{}
	for _, a := range h.assignments {
		records[a.PhoneNumber] = a
	}
	for number, want := range h.fates {
		got := records[number]
		switch {
		case want.attaches() && (got.CampaignID != want.campaign || got.Status != telnyx.Assigned):
			found = append(found, violation{rule, number, want.campaign,
				fmt.Sprintf("is %q on %q, want ASSIGNED on %q", got.Status, got.CampaignID, want.campaign)})
		case !want.attaches() && got.CampaignID != want.home:
			found = append(found, violation{rule, number, want.campaign,
				fmt.Sprintf("is on %q, want it to stay on %q", got.CampaignID, want.home)})
		}
	}
	for number, home := range h.bystanders {
		if got := records[number].CampaignID; got != home {
			found = append(found, violation{rule, number, home, fmt.Sprintf("is on %q, and no plan names it: want %q", got, home)})
		}
	}
	return found
}

// checkLedger: in the end the ledger says of every planned number what is true.
func checkLedger(h history) (found []violation) {
	const rule = "final state in the ledger"
	records := map[string]ledger.Number{}
	for _, n := range h.ledger {
		f, planned := h.fates[n.Number]
		if !planned || n.CampaignID != f.entry {
			found = append(found, violation{rule, n.Number, n.CampaignID, "has a record, and the plan does not name it there"})
			continue
		}
		records[n.Number] = n
	}
	for number, want := range h.fates {
		got := records[number]
		if got.State != want.state || got.Reason != want.reason {
			found = append(found, violation{rule, number, want.entry,
				fmt.Sprintf("is %q (%s), want %q (%s)", got.State, got.Reason, want.state, want.reason)})
		}
	}
	return found
}

// checkPlaces: no number was ever put on a campaign or a profile that its plan
// does not name, or taken from one that move_from does not name. Numbers that must
// stay where they are get no request at all.
func checkPlaces(h history) (found []violation) {
	const rule = "never elsewhere"
	for _, w := range h.writes {
		want, planned := h.fates[w.PhoneNumber]
		wrong := func(text string) {
			found = append(found, violation{rule, w.PhoneNumber, w.CampaignID, w.Method + " " + text})
		}
		switch {
		case w.PhoneNumber == "" && !w.Effective && w.Method == "PATCH":
			// A fault kept it from being looked at, and its path has an id alone.
		case !planned:
			wrong("for a number that no plan names")
		case !want.attaches():
			wrong("for a number that must stay as it is")
		case w.Method == "DELETE":
			wrong("takes a number off its campaign")
		case w.Method == "PATCH" && (want.profile == "" || w.MessagingProfileID != want.profile):
			wrong(fmt.Sprintf("to profile %q, want %q", w.MessagingProfileID, want.profile))
		case w.Method != "PATCH" && w.CampaignID != want.campaign:
			wrong(fmt.Sprintf("to campaign %q, want %q", w.CampaignID, want.campaign))
		case w.Effective && w.PreviousCampaignID != "" && !slices.Contains(want.mayLeave, w.PreviousCampaignID):
			wrong(fmt.Sprintf("takes it from campaign %q, want one of %q", w.PreviousCampaignID, want.mayLeave))
		}
	}
	return found
}

// isAttach reports whether a write asks for a campaign for one number.
func isAttach(w telnyxsim.Write) bool {
	return w.Method == "POST" || w.Method == "PUT"
}

// checkEffects: between two requests for one number that took effect, carriers
// failed the first. A profile is set once.
func checkEffects(h history) (found []violation) {
	const rule = "one effective write"
	latest, profiles := map[string]time.Time{}, map[string]bool{}
	for _, w := range h.writes {
		if !w.Effective {
			continue
		}
		if !isAttach(w) {
			if profiles[w.PhoneNumber] {
				found = append(found, violation{rule, w.PhoneNumber, w.CampaignID, w.Method + " took effect twice"})
			}
			profiles[w.PhoneNumber] = true
			continue
		}
		if before, repeated := latest[w.PhoneNumber]; repeated && !failedBetween(h.failures[w.PhoneNumber], before, w.At) {
			found = append(found, violation{rule, w.PhoneNumber, w.CampaignID,
				fmt.Sprintf("%s took effect %s after another one", w.Method, w.At.Sub(before))})
		}
		latest[w.PhoneNumber] = w.At
	}
	return found
}

func failedBetween(failures []time.Time, from, to time.Time) bool {
	return slices.ContainsFunc(failures, func(at time.Time) bool { return at.After(from) && at.Before(to) })
}

// checkCounts: requests that come to nothing are bounded too, and for what is done
// already there is none, not even by a process that was frozen and is behind.
func checkCounts(h history, l limits) (found []violation) {
	const rule = "bounded requests"
	for number, writes := range attachesByNumber(h.writes) {
		if len(writes) > l.requests {
			found = append(found, violation{rule, number, writes[0].CampaignID,
				fmt.Sprintf("got %d requests, want at most %d", len(writes), l.requests)})
		}
	}
	for _, r := range needless(h) {
		found = append(found, violation{rule, r.number, r.campaign,
			"got a request at " + clock(r.at) + " for what was done already, by " + r.process})
	}
	return found
}

func clock(at time.Time) string { return at.Format("15:04:05.000") }

func attachesByNumber(writes []telnyxsim.Write) map[string][]telnyxsim.Write {
	byNumber := map[string][]telnyxsim.Write{}
	for _, w := range writes {
		if isAttach(w) {
			byNumber[w.PhoneNumber] = append(byNumber[w.PhoneNumber], w)
		}
	}
	return byNumber
}

// needless returns the requests for a number that came after one had taken effect
// that carriers had not failed since.
func needless(h history) (found []request) {
	effects := map[string][]telnyxsim.Write{}
	for number, writes := range attachesByNumber(h.writes) {
		effects[number] = slices.DeleteFunc(writes, func(w telnyxsim.Write) bool { return !w.Effective })
	}
	for _, r := range h.requests {
		var effect time.Time
		for _, w := range effects[r.number] {
			if w.At.Before(r.at) {
				effect = w.At
			}
		}
		if !effect.IsZero() && !failedBetween(h.failures[r.number], effect, r.at) {
			found = append(found, r)
		}
	}
	return found
}

// checkProvisioned: a request comes in while its campaign is ready, or so soon
// after it was that it was under way then.
func checkProvisioned(h history, l limits) (found []violation) {
	const rule = "only when provisioned"
	for _, r := range h.requests {
		if since, ever := sinceReady(h.timeline[r.campaign], r.at); !ever || since > l.flight {
			text := "request for a campaign that was never provisioned"
			if ever {
				text = fmt.Sprintf("request %s after the campaign was provisioned last", since.Round(time.Millisecond))
			}
			found = append(found, violation{rule, r.number, r.campaign, text + ", by " + r.process})
		}
	}
	return found
}

// sinceReady returns how long before a moment a campaign was ready: zero if it was
// then. Ever is false if it had not been until then.
func sinceReady(timeline []standing, at time.Time) (since time.Duration, ever bool) {
	for i, s := range timeline {
		if !s.ready || s.at.After(at) {
			continue
		}
		ever, since = true, 0
		if i+1 < len(timeline) {
			since = max(at.Sub(timeline[i+1].at), 0)
		}
	}
	return since, ever
}

// checkReadings: whoever sends a request has itself read the campaign before, and
// found it ready the last time.
func checkReadings(h history) (found []violation) {
	const rule = "only after reading"
	type seen struct{ process, campaign string }
	readings := map[seen][]reading{}
	for _, r := range h.readings {
		key := seen{r.process, r.campaign}
		readings[key] = append(readings[key], r)
	}
	for _, r := range h.requests {
		var latest reading
		for _, known := range readings[seen{r.process, r.campaign}] {
			if known.at.Before(r.at) && known.at.After(latest.at) {
				latest = known
			}
		}
		switch {
		case latest.at.IsZero():
			found = append(found, violation{rule, r.number, r.campaign, r.process + " never read the campaign"})
		case !latest.ready:
			found = append(found, violation{rule, r.number, r.campaign,
				fmt.Sprintf("%s had read %s before that the campaign is not ready", r.process, r.at.Sub(latest.at))})
		}
	}
	return found
}

// checkKept: what was answered with 200 is in a stream.
func checkKept(h history) (found []violation) {
	for _, id := range h.accepted {
		if _, there := h.kept[id]; !there {
			found = append(found, violation{rule: "a 200 means kept", text: "delivery " + id + " was answered with 200 and is in no stream"})
		}
	}
	return found
}

// checkHandled: nothing waits, nothing is open, and every event is settled.
func checkHandled(h history) (found []violation) {
	const rule = "everything is handled"
	if h.queue.waiting != 0 || h.queue.open != 0 {
		found = append(found, violation{rule: rule, text: fmt.Sprintf("%d messages wait and %d are open", h.queue.waiting, h.queue.open)})
	}
	for id, sequence := range h.kept {
		if sequence > h.queue.ackFloor {
			found = append(found, violation{rule: rule, text: fmt.Sprintf("event %s (message %d) is not settled", id, sequence)})
		}
	}
	return found
}
