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
	// snatched says that a person attaches the number to home by hand, some time.
	snatched bool
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

// request is one for a change, as it came in. A PATCH names no campaign.
type request struct {
	at               time.Time
	process          string
	number, campaign string
	method           string
}

// attaches reports whether it asks for a campaign.
func (r request) attaches() bool { return r.method == "POST" || r.method == "PUT" }

// touch is a call about one number. Record says that it is about the number's record.
// Answered is zero unless the answer went out whole; then campaign is the one that it
// named.
type touch struct {
	asked, answered time.Time
	process, number string
	method          string
	record          bool
	campaign        string
}

// hold is a hold of one entry of the plan, or of all if that is empty, from when it was
// stored until somebody began to end it.
type hold struct {
	entry       string
	from, until time.Time
}

// period is when the plan named a number on a campaign. The zero times are always.
type period struct {
	campaign    string
	from, until time.Time
}

// freeze is when the processes of a role were frozen.
type freeze struct {
	role        string
	from, until time.Time
}

// verdict is something that the ledger said, and that needs a person. Number or entry
// is empty.
type verdict struct {
	at            time.Time
	number, entry string
	reason        ledger.Reason
}

type assignment = telnyxsim.Assignment

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
	// failures are when carriers failed a number's assignment, or a person ended it by
	// hand, after which it is attached again.
	failures map[string][]time.Time
	// timeline is by campaign, in order.
	timeline map[string][]standing
	requests []request
	readings []reading
	touches  []touch

	// holds, frozen and periods are what people did; periods has only numbers that plan
	// edits are about.
	holds   []hold
	frozen  []freeze
	periods map[string][]period
	// claimsLost are when the bucket with the claims was lost.
	claimsLost []time.Time
	// entries are the plan's entries by campaign.
	entries map[string]string
	// verdicts are everything that the ledger ever asked a person for.
	verdicts []verdict

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
	// wire is how long after a hold was stored, and after the record was read that a PUT
	// rests on, a request may come in.
	wire time.Duration
	// edit is how long after a plan was changed a request may come in that it does not
	// name any more.
	edit time.Duration
}

// awake is how long a process was not frozen between two times.
func (h history) awake(process string, from, to time.Time) time.Duration {
	passed := to.Sub(from)
	role, _, _ := strings.Cut(process, ".")
	for _, f := range h.frozen {
		if role != f.role {
			continue
		}
		begin, end := f.from, f.until
		if begin.Before(from) {
			begin = from
		}
		if end.IsZero() || end.After(to) {
			end = to
		}
		passed -= max(end.Sub(begin), 0)
	}
	return passed
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
		checkTaken(h, l),
		checkVerdicts(h),
		checkHolds(h, l),
		checkPlanned(h, l),
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
		} else if got.NeedsPerson == want.attaches() {
			found = append(found, violation{rule, number, want.entry,
				fmt.Sprintf("is %q, needs a person %t, want %t", got.State, got.NeedsPerson, !want.attaches())})
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
		case !want.attaches() && !want.snatched:
			wrong("for a number that must stay as it is")
		case w.Method == "DELETE":
			wrong("takes a number off its campaign")
		case w.Method == "PATCH" && (want.profile == "" || w.MessagingProfileID != want.profile):
			wrong(fmt.Sprintf("to profile %q, want %q", w.MessagingProfileID, want.profile))
		case w.Method != "PATCH" && w.CampaignID != want.campaign && !h.everPlanned(w.PhoneNumber, w.CampaignID):
			wrong(fmt.Sprintf("to campaign %q, want %q", w.CampaignID, want.campaign))
		case w.Effective && w.PreviousCampaignID != "" && !slices.Contains(want.mayLeave, w.PreviousCampaignID) && !h.takenUnseen(w, want):
			wrong(fmt.Sprintf("takes it from campaign %q, want one of %q", w.PreviousCampaignID, want.mayLeave))
		}
	}
	return found
}

// everPlanned reports whether the plan ever named a number on a campaign.
func (h history) everPlanned(number, campaign string) bool {
	return slices.ContainsFunc(h.periods[number], func(p period) bool { return p.campaign == campaign })
}

// takenUnseen reports whether a person attached the number to another campaign by hand
// after the record was read that the write rests on, which nobody can know.
func (h history) takenUnseen(w telnyxsim.Write, want fate) bool {
	if !want.snatched || w.PreviousCampaignID != want.home {
		return false
	}
	latest := time.Time{}
	for _, t := range h.touches {
		if t.number == w.PhoneNumber && t.method == "GET" && t.record && t.asked.Before(w.At) {
			latest = t.asked
		}
	}
	return failedBetween(h.failures[w.PhoneNumber], latest, w.At)
}

// checkTaken: a PUT comes directly after a GET of the number's record by the same
// process, which named a campaign that the plan takes the number from. Nothing else is
// asked about the number in between, and it is not long ago.
func checkTaken(h history, l limits) (found []violation) {
	const rule = "taken only on proof"
	for _, r := range h.requests {
		if r.method != "PUT" {
			continue
		}
		var last touch
		for _, t := range h.touches {
			if t.process == r.process && t.number == r.number && t.asked.Before(r.at) && t.asked.After(last.asked) {
				last = t
			}
		}
		wrong := func(format string, args ...any) {
			found = append(found, violation{rule, r.number, r.campaign, fmt.Sprintf("PUT at %s by %s ", clock(r.at), r.process) + fmt.Sprintf(format, args...)})
		}
		named := slices.ContainsFunc(h.fates[r.number].mayLeave, func(id string) bool { return strings.EqualFold(id, last.campaign) })
		switch {
		case last.asked.IsZero() || last.method != "GET" || !last.record || last.answered.IsZero() || last.answered.After(r.at):
			wrong("without the record read directly before: last was %s at %s", last.method, clock(last.asked))
		case !named:
			wrong("though the record named campaign %q", last.campaign)
		case h.awake(r.process, last.answered, r.at) > l.wire:
			wrong("rests on a record read %s before", r.at.Sub(last.answered))
		}
	}
	return found
}

// checkVerdicts: nothing was ever said that needs a person and was not so: everything
// that the plan names is there, unless its fate says otherwise.
func checkVerdicts(h history) (found []violation) {
	const rule = "no false verdict"
	for _, v := range h.verdicts {
		switch {
		case v.reason == ledger.NotOwned && h.fates[v.number].reason != ledger.NotOwned:
			found = append(found, violation{rule, v.number, "", "was said not to be on the account, at " + clock(v.at)})
		case v.reason == ledger.CampaignMissing:
			found = append(found, violation{rule, "", v.entry, "was said to be missing, at " + clock(v.at)})
		}
	}
	return found
}

// checkHolds: from when a hold is stored until it is ended no request for what is held
// comes in, but for one that was on the wire.
func checkHolds(h history, l limits) (found []violation) {
	const rule = "stop means stop"
	for _, r := range h.requests {
		entry := h.entries[cmp.Or(r.campaign, h.fates[r.number].campaign)]
		for _, held := range h.holds {
			if held.entry != "" && held.entry != entry || r.at.Before(held.from) || !held.until.IsZero() && r.at.After(held.until) {
				continue
			}
			if late := h.awake(r.process, held.from, r.at); late > l.wire {
				found = append(found, violation{rule, r.number, r.campaign,
					fmt.Sprintf("%s at %s by %s, %s after a hold was stored", r.method, clock(r.at), r.process, late)})
			}
		}
	}
	return found
}

// checkPlanned: a number that plan edits are about is requested for a campaign only
// while the plan names it there.
func checkPlanned(h history, l limits) (found []violation) {
	const rule = "only what is planned"
	for _, r := range h.requests {
		periods, edited := h.periods[r.number]
		if !edited || !r.attaches() || slices.ContainsFunc(periods, func(p period) bool {
			return p.campaign == r.campaign && !r.at.Before(p.from) && (p.until.IsZero() || h.awake(r.process, p.until, r.at) <= l.edit)
		}) {
			continue
		}
		found = append(found, violation{rule, r.number, r.campaign, fmt.Sprintf("%s at %s by %s", r.method, clock(r.at), r.process)})
	}
	return found
}

// isAttach reports whether a write asks for a campaign for one number.
func isAttach(w telnyxsim.Write) bool {
	return w.Method == "POST" || w.Method == "PUT"
}

// checkEffects: between two requests for one number and campaign that took effect,
// carriers failed the first, or a person ended it, or the plan moved the number. A
// profile is set once.
func checkEffects(h history) (found []violation) {
	const rule = "one effective write"
	latest, profiles := map[string]telnyxsim.Write{}, map[string]bool{}
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
		if before := latest[w.PhoneNumber]; before.CampaignID == w.CampaignID && !failedBetween(h.failures[w.PhoneNumber], before.At, w.At) {
			found = append(found, violation{rule, w.PhoneNumber, w.CampaignID,
				fmt.Sprintf("%s took effect %s after another one", w.Method, w.At.Sub(before.At))})
		}
		latest[w.PhoneNumber] = w
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
// that carriers had not failed since. One that came after the claims were lost is
// allowed for each such loss: it changes nothing.
func needless(h history) (found []request) {
	effects := map[string][]telnyxsim.Write{}
	for number, writes := range attachesByNumber(h.writes) {
		effects[number] = slices.DeleteFunc(writes, func(w telnyxsim.Write) bool { return !w.Effective })
	}
	excused := map[string]int{}
	for _, r := range h.requests {
		var effect telnyxsim.Write
		for _, w := range effects[r.number] {
			if w.At.Before(r.at) {
				effect = w
			}
		}
		if !r.attaches() || effect.CampaignID != r.campaign || failedBetween(h.failures[r.number], effect.At, r.at) {
			continue
		}
		lost := slices.DeleteFunc(slices.Clone(h.claimsLost), func(at time.Time) bool { return at.After(r.at) })
		if excused[r.number]++; excused[r.number] > len(lost) {
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
		if !r.attaches() {
			continue
		}
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
		if !r.attaches() {
			continue
		}
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
