package torture

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/rehearsal"
	"greenlight/internal/telnyx/telnyxsim"
)

type expectation = rehearsal.Expectation

// phaseAt is the state of a campaign from a time on.
type phaseAt struct {
	at    time.Time
	ready bool
}

// command is what a person asked for: to remove numbers from a campaign, or to assign them
// to it, also from the campaign moveFrom if that is not empty.
type command struct {
	process, campaign, moveFrom string
	numbers                     []string
	removes                     bool
}

// clockStep is when an assigner's clock was set, and to what.
type clockStep struct {
	at       time.Time
	assigner int
	ahead    time.Duration
}

// request is one for a change, as it came in. A PATCH names no campaign; that of a DELETE is
// the one in the record that it rests on.
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
// stored until a person began to end it.
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

// report is a statement of the ledger that needs a person. Number or entry
// is empty.
type report struct {
	at            time.Time
	number, entry string
	reason        ledger.Reason
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

// history is all that the checker uses.
type history struct {
	rehearsal.History
	// timeline is by campaign, in order.
	timeline map[string][]phaseAt
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
	commands   []command
	steps      []clockStep
	// mustLeave are the numbers that have to be removed in the end.
	mustLeave []string
	// entries are the plan's entries by campaign.
	entries map[string]string
	// reports are all statements of the ledger that needed a person.
	reports []report

	// queue is how far events are. Kept has the ids in stream EVENTS, with their
	// sequence, and those among the dead letters, with 0.
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
	// resync is how long the plan must not have named a number that is removed. Known is
	// how long it must have named it for the ledger to know that.
	resync, known time.Duration
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

type violation = rehearsal.Violation

func violated(rule, number, campaign, text string) violation {
	return violation{Rule: rule, Number: number, Campaign: campaign, Text: text}
}

// check returns everything that is wrong with a history: what [rehearsal.Check] finds,
// and what only a history of processes, people and calls shows.
func check(h history, l limits) []violation {
	h.Unseen, h.AnyStatus = h.takenUnseen, true // checkProvisioned uses the time at which a request arrived
	h.Expected = maps.Clone(h.Expected)
	for number, periods := range h.periods {
		f := h.Expected[number]
		for _, p := range periods {
			f.AlsoPlanned = append(f.AlsoPlanned, p.campaign)
		}
		h.Expected[number] = f
	}
	for _, c := range h.commands {
		for _, number := range c.numbers {
			f := h.Expected[number]
			f.AlsoPlanned, f.MayLeave = append(slices.Clone(f.AlsoPlanned), c.campaign), append(slices.Clone(f.MayLeave), c.moveFrom)
			h.Expected[number] = f
		}
	}
	return slices.Concat(
		rehearsal.Check(h.History),
		checkCounts(h, l),
		checkProvisioned(h, l),
		checkReadings(h),
		checkTaken(h, l),
		checkVerdicts(h),
		checkHolds(h, l),
		checkPlanned(h, l),
		checkRemoved(h, l),
		checkCommands(h, l),
		checkLeft(h.mustLeave, h.Assignments),
		checkHandled(h),
	)
}

// takenUnseen reports whether a person attached the number to another campaign by hand
// after the process had read the record for its write, which no process can know.
func (h history) takenUnseen(w telnyxsim.Write) bool {
	want := h.Expected[w.PhoneNumber]
	if !want.Tried || w.PreviousCampaignID != want.Home {
		return false
	}
	latest := time.Time{}
	for _, t := range h.touches {
		if t.number == w.PhoneNumber && t.method == "GET" && t.record && t.asked.Before(w.At) {
			latest = t.asked
		}
	}
	return h.FailedBetween(w.PhoneNumber, latest, w.At)
}

// checkTaken: a PUT or DELETE comes directly after a GET of the number's record by the same
// process, which named a campaign that the number may leave. Nothing else is
// asked about the number in between, and it is not long ago.
func checkTaken(h history, l limits) (found []violation) {
	const rule = "taken only on proof"
	for _, r := range h.requests {
		if r.method != "PUT" && r.method != "DELETE" {
			continue
		}
		last := h.before(r)
		wrong := func(format string, args ...any) {
			found = append(found, violated(rule, r.number, r.campaign, fmt.Sprintf("%s at %s by %s ", r.method, clock(r.at), r.process)+fmt.Sprintf(format, args...)))
		}
		named := slices.ContainsFunc(h.Expected[r.number].MayLeave, func(id string) bool { return strings.EqualFold(id, last.campaign) })
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

// checkVerdicts: the ledger never asked for a person without a reason. All that the plan names
// exists, unless its expectation says otherwise.
func checkVerdicts(h history) (found []violation) {
	const rule = "no false report"
	for _, v := range h.reports {
		switch {
		case v.reason == ledger.NotOwned && h.Expected[v.number].Reason != ledger.NotOwned:
			found = append(found, violated(rule, v.number, "", "was said not to be on the account, at "+clock(v.at)))
		case v.reason == ledger.CampaignMissing:
			found = append(found, violated(rule, "", v.entry, "was said to be missing, at "+clock(v.at)))
		}
	}
	return found
}

// checkHolds: from when a hold is stored until it is ended no request for what is held
// comes in, but for one that was on the wire.
func checkHolds(h history, l limits) (found []violation) {
	const rule = "stop means stop"
	for _, r := range h.requests {
		entry := h.entries[cmp.Or(r.campaign, h.Expected[r.number].Campaign)]
		for _, held := range h.holds {
			if held.entry != "" && held.entry != entry || r.at.Before(held.from) || !held.until.IsZero() && r.at.After(held.until) {
				continue
			}
			if late := h.awake(r.process, held.from, r.at); late > l.wire {
				found = append(found, violated(rule, r.number, r.campaign,
					fmt.Sprintf("%s at %s by %s, %s after a hold was stored", r.method, clock(r.at), r.process, late)))
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
		if _, asked := h.commandOf(r.process); asked || !edited || !r.attaches() || slices.ContainsFunc(periods, func(p period) bool {
			return p.campaign == r.campaign && !r.at.Before(p.from) && (p.until.IsZero() || h.awake(r.process, p.until, r.at) <= l.edit)
		}) {
			continue
		}
		found = append(found, violated(rule, r.number, r.campaign, fmt.Sprintf("%s at %s by %s", r.method, clock(r.at), r.process)))
	}
	return found
}

// isAttach reports whether a write asks for a campaign for one number.
func isAttach(w telnyxsim.Write) bool {
	return w.Method == "POST" || w.Method == "PUT"
}

// checkCounts: requests without effect are bounded too, and none is for what is already done,
// not even by a process that was frozen.
func checkCounts(h history, l limits) (found []violation) {
	const rule = "bounded requests"
	for number, writes := range attachesByNumber(h.Writes) {
		most := l.requests + 2*len(h.periods[number])
		for _, c := range h.commands {
			if slices.Contains(c.numbers, number) {
				most += 2
			}
		}
		if len(writes) > most {
			found = append(found, violated(rule, number, writes[0].CampaignID,
				fmt.Sprintf("got %d requests, want at most %d", len(writes), most)))
		}
	}
	for _, r := range needless(h) {
		found = append(found, violated(rule, r.number, r.campaign,
			"got a request at "+clock(r.at)+" for what was done already, by "+r.process))
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
	for number, writes := range attachesByNumber(h.Writes) {
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
		if !r.attaches() || effect.CampaignID != r.campaign || h.FailedBetween(r.number, effect.At, r.at) {
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
			found = append(found, violated(rule, r.number, r.campaign, text+", by "+r.process))
		}
	}
	return found
}

// sinceReady returns how long before a moment a campaign was ready: zero if it was
// then. Ever is false if it had not been until then.
func sinceReady(timeline []phaseAt, at time.Time) (since time.Duration, ever bool) {
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

// checkReadings: the process that sends a request has read the campaign before, and its last
// read found it ready.
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
			found = append(found, violated(rule, r.number, r.campaign, r.process+" never read the campaign"))
		case !latest.ready:
			found = append(found, violated(rule, r.number, r.campaign,
				fmt.Sprintf("%s had read %s before that the campaign is not ready", r.process, r.at.Sub(latest.at))))
		}
	}
	return found
}

// checkHandled: no message waits or is pending, and every event is acknowledged.
func checkHandled(h history) (found []violation) {
	const rule = "everything is handled"
	if h.queue.waiting != 0 || h.queue.open != 0 {
		found = append(found, violation{Rule: rule, Text: fmt.Sprintf("%d messages wait and %d are open", h.queue.waiting, h.queue.open)})
	}
	for id, sequence := range h.Kept {
		if sequence > h.queue.ackFloor {
			found = append(found, violation{Rule: rule, Text: fmt.Sprintf("event %s (message %d) is not settled", id, sequence)})
		}
	}
	return found
}
