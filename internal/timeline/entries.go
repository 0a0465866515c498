package timeline

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/words"
)

// story gathers entries.
type story struct {
	at      time.Time
	entries []Entry
}

func (s *story) add(kind Kind, detail, format string, args ...any) {
	s.entries = append(s.entries, Entry{
		At: s.at.UTC(), Kind: kind, Text: words.Plain(fmt.Sprintf(format, args...), mostDetail), Detail: words.Plain(detail, mostDetail),
	})
}

// ofEvent describes one message of the stream of events, if it concerns the number.
func ofEvent(kept events.Kept, number string) (Entry, bool) {
	s := story{at: kept.StoredAt}
	if kept.Kind == events.KindCampaign {
		s.add(Person, "", "A person requested a check of the campaign, with greenlight trigger (message %d).", kept.Sequence)
		return s.entries[0], true
	}
	e, err := telnyx.ParseEvent(kept.Body)
	if err != nil {
		return Entry{}, false // what cannot be read became a dead letter
	}
	p := e.Payload
	aboutNumber := strings.HasPrefix(kept.Type, "10dlc.phone_number.")
	if aboutNumber && p.PhoneNumber != number {
		return Entry{}, false
	}
	subject := "the campaign"
	switch {
	case aboutNumber:
		subject = "the number"
	case strings.Contains(kept.Type, "brand."):
		subject = "the campaign's brand"
	}
	var said []string
	for _, word := range []string{p.Type, p.EventType, p.Status} {
		if word != "" {
			said = append(said, word)
		}
	}
	if p.Type == telnyx.TypeVerified {
		said = append(said, "which means that the carriers have approved it")
	}
	detail := strings.TrimSpace(p.Description + " " + telnyx.ReasonText(p.Reasons))
	s.add(Event, detail, "Telnyx reported on %s: %s (%s, message %d).", subject, cmp.Or(strings.Join(said, ", "), "no more than that"), kept.Type, kept.Sequence)
	return s.entries[0], true
}

// ofCampaign describes what was read of the campaign.
func ofCampaign(changes []ledger.Change[ledger.Campaign]) []Entry {
	var s story
	var before ledger.Campaign
	for _, change := range changes {
		c := change.Record
		// The campaign was read earlier, before what that meant for its numbers was written.
		s.at = change.At.Add(-c.ReadAgo)
		if change.Dropped {
			before = ledger.Campaign{}
			continue
		}
		switch {
		case c.Reason != "" && (c.Reason != before.Reason || c.Detail != before.Detail):
			what := "Greenlight could not read the campaign"
			if c.Reason.OfAccount() {
				what = "Nothing is sent for the account"
			}
			s.add(Read, c.Detail, "%s: %s", what, c.Reason.Advice().Why)
		case c.Reason == "" && c.Phase != ledger.PhaseUnread && (c.Phase != before.Phase || c.Status != before.Status || before.Reason != ""):
			s.add(Read, c.Detail, "Greenlight read the campaign: %s, so it is %s.", cmp.Or(c.Status, "Telnyx does not have it"), strings.ReplaceAll(string(c.Phase), "_", " "))
		}
		before = c
	}
	return s.entries
}

// ofNumber describes what was recorded of the number, campaign by campaign.
func ofNumber(changes []ledger.Change[ledger.Number]) []Entry {
	perCampaign := map[string]int{}
	for _, change := range changes {
		perCampaign[change.Record.CampaignID]++
	}
	var s story
	before := map[string]*ledger.Number{}
	for _, change := range changes {
		id := change.Record.CampaignID
		s.at = change.At
		if change.Dropped {
			s.add(Plan, "", "No plan names the number on campaign %s any more. At Telnyx it stays as it is.", id)
			delete(before, id)
			continue
		}
		n := change.Record
		switch known := before[id]; {
		case known != nil:
			s.change(*known, n)
		case perCampaign[id] >= ledger.HistoryOfNumber && n.Firsts.Named.Before(change.At) && isLater(n):
			s.older(n)
			s.change(ledger.Number{State: n.State, Reason: n.Reason, EntryHash: n.EntryHash, Request: n.Request, Status: n.Status, TMobile: n.TMobile, NonTMobile: n.NonTMobile, Detail: n.Detail}, n)
		default:
			s.named(n)
			s.change(ledger.Number{EntryHash: n.EntryHash}, n)
		}
		before[id] = &n
	}
	return s.entries
}

// isLater reports whether a record cannot be the first of its number.
func isLater(n ledger.Number) bool {
	return n.Firsts.Requests > 0 || !n.Request.At.IsZero()
}

func (s *story) named(n ledger.Number) {
	s.add(Plan, "", "Plan %s%s named the number for campaign %s%s.", n.Plan, place(n.PlanPlace), n.CampaignID, set(n.PlanHash))
}

func place(at string) string {
	if at == "" {
		return ""
	}
	return " (" + at + ")"
}

func set(hash string) string {
	if hash == "" {
		return ""
	}
	return ", in plan set " + hash
}

// older describes what is known of the time before the oldest change that is kept.
func (s *story) older(n ledger.Number) {
	f, kept := n.Firsts, s.at
	first := func(at time.Time, kind Kind, format string, args ...any) {
		if at.IsZero() || at.After(kept) {
			return
		}
		s.at = at
		s.add(kind, "", format, args...)
	}
	first(f.Named, Plan, "Plan %s%s named the number for campaign %s%s.", n.Plan, place(f.NamedIn), n.CampaignID, set(f.NamedHash))
	first(f.Requested, Request, "Greenlight asked Telnyx for the first time to attach the number.")
	first(f.Accepted, Answer, "Telnyx took a request for the first time.")
	first(f.Attached, State, "The number was attached for the first time.")
	first(f.Sendable, State, "The number was sendable for the first time.")
	s.at = kept
	s.add(State, "", "What was between is not kept: the ledger holds the latest %d changes of a number. It was %s then, after %s.",
		ledger.HistoryOfNumber, n.StateAndReason(), words.Count(f.Requests, "request"))
}

// change describes what is new in a record.
func (s *story) change(before, n ledger.Number) {
	s.replanned(before, n)
	claimed := !n.Request.At.IsZero() && !n.Request.At.Equal(before.Request.At)
	answered := n.Request.Outcome != "" && (claimed || before.Request.Outcome == "")
	if claimed {
		s.requested(n)
	}
	if answered {
		s.answered(n)
	}
	detailShown := answered
	if read := recordText(n); !answered && !claimed && read != recordText(before) && read != "" {
		s.add(Read, n.Detail, "Greenlight read Telnyx's record of the number: %s.", read)
		detailShown = true
	}
	if n.State == before.State && n.Reason == before.Reason {
		if n.Detail != "" && n.Detail != before.Detail && !detailShown {
			s.add(Read, n.Detail, "It is still %s.", n.StateAndReason())
		}
		if n.NeedsPerson && !before.NeedsPerson {
			s.add(State, "", "It is still %s, and needs a person now.", n.StateAndReason())
		}
		return
	}
	s.decided(n, claimed)
	detail := n.Detail
	if detailShown {
		detail = ""
	}
	s.add(State, detail, "%s", becameText(before, n))
}

func (s *story) replanned(before, n ledger.Number) {
	if before.EntryHash != "" && n.EntryHash != "" && before.EntryHash != n.EntryHash {
		s.add(Plan, "", "The plan's entry has changed; %s%s names the number%s.", n.Plan, place(n.PlanPlace), set(n.PlanHash))
	}
	if asked, ok := askedFor(n.Cause); ok && n.Cause != before.Cause {
		s.add(Person, "", "A person requested a check of the campaign%s.", asked)
	}
}

// askedFor reads a record's cause, as the assigner writes it.
func askedFor(cause string) (message string, ok bool) {
	return strings.CutPrefix(cause, "asked for by a person")
}

func (s *story) requested(n ledger.Number) {
	try := ""
	if n.Firsts.Requests > 1 {
		try = fmt.Sprintf(", for the %s time", ordinal(n.Firsts.Requests))
	}
	s.add(Decision, "", "The campaign is approved and the number can be attached: Greenlight claims it and sends a request%s.", try)
	if n.Request.Profile != "" {
		s.add(Request, "", "Sent: PATCH, to put the number on messaging profile %s.", n.Request.Profile)
	}
	s.add(Request, "", "Sent: %s, to attach it to campaign %s.", n.Request.Sent, n.Request.Campaign)
}

func ordinal(n int) string {
	suffix := "th"
	if n/10%10 != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprint(n, suffix)
}

func (s *story) answered(n ledger.Number) {
	switch n.Request.Outcome {
	case ledger.Accepted:
		record := ""
		if n.Status != "" {
			record = "; its record says " + recordText(n)
		}
		s.add(Answer, n.Detail, "Telnyx took the request%s.", record)
	case ledger.Refused:
		s.add(Answer, n.Detail, "Telnyx refused it.")
	case ledger.Unanswered:
		s.add(Answer, n.Detail, "No answer came that can be read, so the request may have worked all the same.")
	case ledger.Unsent:
		s.add(Answer, n.Detail, "The request was not sent after all.")
	default:
		s.add(Answer, n.Detail, "The outcome: %s.", n.Request.Outcome)
	}
}

// decided says what Greenlight chose, where a state does not say it by itself.
func (s *story) decided(n ledger.Number, claimed bool) {
	switch {
	case claimed:
	case n.State == ledger.Conflict:
		s.add(Decision, "", "Greenlight leaves the number where it is: the plan's move_from does not name that campaign.")
	case n.State == ledger.Failed && n.Request.Outcome == "":
		s.add(Decision, "", "Greenlight sends no request, since Telnyx would refuse it.")
	case n.Reason == ledger.CampaignFull && n.Request.Outcome != ledger.Refused:
		s.add(Decision, "", "Greenlight sends no request: the campaign has no room.")
	case n.State.TriesAgain() && n.Reason != "" && !n.NextAt.IsZero() && n.Request.Outcome != "":
		s.add(Decision, "", "Greenlight will try again in %s.", words.Span(n.NextAt.Sub(latestOf(n.Request.AnsweredAt, n.Since))))
	}
}

func latestOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// recordText is what Telnyx's record of the number says, empty where it is not known.
func recordText(n ledger.Number) string {
	if n.Status == "" {
		return ""
	}
	text := n.Status
	if n.TMobile != "" || n.NonTMobile != "" {
		text += fmt.Sprintf(" (T-Mobile %s, others %s)", cmp.Or(n.TMobile, "not known"), cmp.Or(n.NonTMobile, "not known"))
	}
	return text
}

func becameText(before, n ledger.Number) string {
	text := "Its state is now " + n.StateAndReason()
	if before.State == n.State {
		text = "Its state is still " + string(n.State)
		if n.Reason != "" {
			text += ", now with reason " + string(n.Reason)
		}
	}
	if n.NeedsPerson && !before.NeedsPerson {
		text += ", and it needs a person"
	}
	return text + ". " + ledger.Advise(n, ledger.Campaign{}).Why
}
