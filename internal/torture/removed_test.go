package torture

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"greenlight/internal/telnyx/telnyxsim"
)

// clockMargin is how long before a clock was set an assigner may have gone by it, and how
// far the plan may have been in force before the checker noted it.
const clockMargin = 100 * time.Millisecond

// before returns the latest call about the number by the process of a request, before it.
func (h history) before(r request) (last touch) {
	for _, t := range h.touches {
		if t.process == r.process && t.number == r.number && t.asked.Before(r.at) && t.asked.After(last.asked) {
			last = t
		}
	}
	return last
}

// noteRemovals fills in the campaign of each DELETE: the one in the record that it rests on.
func (h *history) noteRemovals() {
	for i, r := range h.requests {
		if r.method == "DELETE" {
			h.requests[i].campaign = h.before(r).campaign
		}
	}
}

// commandOf returns the command that a process is, if it is one.
func (h history) commandOf(process string) (c command, ok bool) {
	i := slices.IndexFunc(h.commands, func(c command) bool { return c.process == process })
	if i < 0 {
		return c, false
	}
	return h.commands[i], true
}

// senderOf returns the request that a write was: the latest of its kind before it.
func (h history) senderOf(w telnyxsim.Write) (found bool, by request) {
	for _, r := range h.requests {
		if r.number == w.PhoneNumber && r.method == w.Method && !r.at.After(w.At) && r.at.After(by.at) {
			found, by = true, r
		}
	}
	return found, by
}

// checkRemoved: an assigner removes a number only from the campaign whose entry attached it,
// and only when no entry has named it for a resync interval.
func checkRemoved(h history, l limits) (found []violation) {
	const rule = "removed only when unnamed"
	for _, r := range h.requests {
		if _, asked := h.commandOf(r.process); asked || r.method != "DELETE" {
			continue
		}
		wrong := func(format string, args ...any) {
			found = append(found, violated(rule, r.number, r.campaign, fmt.Sprintf("DELETE at %s by %s: ", clock(r.at), r.process)+fmt.Sprintf(format, args...)))
		}
		periods, edited := h.periods[r.number]
		if !edited || len(periods) == 0 {
			wrong("the plan named it all the time, or never")
			continue
		}
		if p, named := h.named(r, periods, l); named {
			wrong("the plan names it on %s since %s", p.campaign, clock(p.from))
		}
		if until := h.lastNamed(r, periods, l); r.at.Sub(until) < l.resync-clockMargin && h.waitsByClock(r.process, until, r.at) {
			wrong("%s after the plan named it last", r.at.Sub(until))
		}
		if why := h.notAttachedByEntry(r, periods, l); why != "" {
			wrong("%s", why)
		}
	}
	for _, w := range h.Writes {
		if w.Method != "DELETE" || !w.Effective {
			continue
		}
		if sent, r := h.senderOf(w); sent && !strings.EqualFold(r.campaign, w.PreviousCampaignID) {
			found = append(found, violated(rule, r.number, r.campaign, fmt.Sprintf("DELETE at %s by %s took it from %q", clock(r.at), r.process, w.PreviousCampaignID)))
		}
	}
	return found
}

// named returns the period in which the plan names the number of a request, if that was so
// for long enough for its process to know.
func (h history) named(r request, periods []period, l limits) (period, bool) {
	i := slices.IndexFunc(periods, func(p period) bool {
		return !r.at.Before(p.from) && h.awake(r.process, p.from, r.at) > l.edit && (p.until.IsZero() || r.at.Before(p.until))
	})
	if i < 0 {
		return period{}, false
	}
	return periods[i], true
}

// lastNamed is the end of the latest period before a request that an assigner has certainly
// noticed: it was long, or the number was attached in it.
func (h history) lastNamed(r request, periods []period, l limits) (until time.Time) {
	attached := h.lastAttach(r)
	for _, p := range periods {
		noticed := p.until.Sub(p.from) > l.known || attached.At.After(p.from) && attached.At.Before(p.until)
		if !p.until.IsZero() && p.until.Before(r.at) && noticed && p.until.After(until) {
			until = p.until
		}
	}
	return until
}

// lastAttach returns the latest write before a request that attached its number.
func (h history) lastAttach(r request) (latest telnyxsim.Write) {
	for _, w := range h.Writes {
		if w.PhoneNumber == r.number && isAttach(w) && w.Effective && w.At.Before(r.at) {
			latest = w
		}
	}
	return latest
}

// waitsByClock reports whether time that passed between two times was not less by the clock
// of a process than it was: no clock was set, and its own is not ahead of the other's, which
// may have noted the beginning.
func (h history) waitsByClock(process string, from, to time.Time) bool {
	ahead := map[int]time.Duration{}
	for _, s := range h.steps {
		if s.at.After(from.Add(-clockMargin)) && s.at.Before(to.Add(clockMargin)) {
			return false
		}
		if s.at.Before(from) {
			ahead[s.assigner] = s.ahead
		}
	}
	if strings.HasPrefix(process, "assigner-1.") {
		return ahead[1] <= ahead[0]
	}
	return ahead[0] <= ahead[1]
}

// notAttachedByEntry says why a number is not one that the entry attached to the campaign
// that a request removes it from, empty if it is.
func (h history) notAttachedByEntry(r request, periods []period, l limits) string {
	latest := h.lastAttach(r)
	_, by := h.senderOf(latest)
	switch _, asked := h.commandOf(by.process); {
	case latest.At.IsZero():
		return "nothing attached it"
	case asked:
		return "a person attached it, by " + by.process
	case latest.CampaignID != r.campaign:
		return fmt.Sprintf("it was attached to %q last", latest.CampaignID)
	}
	if !slices.ContainsFunc(periods, func(p period) bool {
		return p.campaign == r.campaign && latest.At.After(p.from) && (p.until.IsZero() || h.awake(by.process, p.until, by.at) <= l.edit)
	}) {
		return "the plan did not name it there when it was attached"
	}
	return ""
}

// checkCommands: a command sends only what the person asked for, and neither removes what the
// plan names there nor takes what it names elsewhere.
func checkCommands(h history, l limits) (found []violation) {
	const rule = "only as asked"
	for _, r := range h.requests {
		c, isCommand := h.commandOf(r.process)
		if !isCommand {
			continue
		}
		wrong := func(text string) {
			found = append(found, violated(rule, r.number, r.campaign, fmt.Sprintf("%s at %s by %s: %s", r.method, clock(r.at), r.process, text)))
		}
		last := h.before(r)
		switch {
		case !slices.Contains(c.numbers, r.number):
			wrong("nobody asked for this number")
		case c.removes != (r.method == "DELETE") || !c.removes && !r.attaches():
			wrong("nobody asked for this change")
		case r.campaign != c.campaign:
			wrong("asked was for campaign " + c.campaign)
		case r.method == "PUT" && last.campaign != c.moveFrom:
			wrong("nobody asked to take it from " + last.campaign)
		}
		if slices.ContainsFunc(h.claimsLost, func(at time.Time) bool { return at.After(r.at.Add(-l.known)) && at.Before(r.at) }) {
			continue // the ledger knows nothing of the plan
		}
		for _, p := range h.periods[r.number] {
			lasts := !r.at.Before(p.from) && r.at.Sub(p.from) > l.known && (p.until.IsZero() || r.at.Before(p.until))
			if lasts && (p.campaign == r.campaign) == c.removes {
				wrong("the plan names it on " + p.campaign)
			}
		}
	}
	return found
}

// checkLeft: numbers that the plan's entry attached and does not name in the end are gone.
func checkLeft(mustLeave []string, records []telnyxsim.Assignment) (found []violation) {
	for _, a := range records {
		if slices.Contains(mustLeave, a.PhoneNumber) {
			found = append(found, violated("removed in the end", a.PhoneNumber, a.CampaignID, fmt.Sprintf("is %q there", a.Status)))
		}
	}
	return found
}
