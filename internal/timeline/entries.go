package timeline

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/status"
	"greenlight/internal/telnyx"
)

// story collects entries.
type story struct {
	at      time.Time
	entries []Entry
}

func (s *story) add(kind Kind, detail, format string, args ...any) {
	s.entries = append(s.entries, Entry{
		At: s.at.UTC(), Kind: kind, Text: status.Plain(fmt.Sprintf(format, args...), maxDetail), Detail: status.Plain(detail, maxDetail),
	})
}

// ofEvent describes one message of the stream of events, if it is about the number.
func ofEvent(kept events.PastEvent, number string) (Entry, bool) {
	s := story{at: kept.StoredAt}
	if kept.Kind == events.KindCampaign {
		s.add(Person, "", "A person requested a check of the campaign, with greenlight trigger (message %d).", kept.Sequence)
		return s.entries[0], true
	}
	e, err := telnyx.ParseEvent(kept.Body)
	if err != nil {
		return Entry{}, false // it became a dead letter
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
	var what []string
	for _, word := range []string{p.Type, p.EventType, p.Status} {
		if word != "" {
			what = append(what, word)
		}
	}
	if p.Type == telnyx.TypeVerified {
		what = append(what, "which means that the carriers have approved it")
	}
	detail := strings.TrimSpace(p.Description + " " + telnyx.ReasonText(p.Reasons))
	s.add(Event, detail, "Telnyx reported on %s: %s (%s, message %d).", subject, cmp.Or(strings.Join(what, ", "), "no details"), kept.Type, kept.Sequence)
	return s.entries[0], true
}

// ofCampaign describes what Greenlight read about the campaign.
func ofCampaign(changes []ledger.Change[ledger.Campaign]) []Entry {
	var s story
	var before ledger.Campaign
	for _, change := range changes {
		c := change.Record
		// The campaign was read some time before its record was written.
		s.at = change.At.Add(-time.Duration(c.ReadAgoSeconds * float64(time.Second)))
		if change.Dropped {
			before = ledger.Campaign{}
			continue
		}
		switch {
		case c.Reason != "" && (c.Reason != before.Reason || c.Detail != before.Detail):
			what := "Greenlight could not read the campaign"
			if c.Reason.OfAccount() {
				what = "Greenlight sends nothing for the account"
			}
			s.add(Read, c.Detail, "%s: %s", what, c.Reason.Advice().Why)
		case c.Reason == "" && c.Phase != ledger.PhaseUnread && (c.Phase != before.Phase || c.Status != before.Status || before.Reason != ""):
			s.add(Read, c.Detail, "Greenlight read the campaign: %s, so it is %s.", cmp.Or(c.Status, "Telnyx does not have it"), strings.ReplaceAll(string(c.Phase), "_", " "))
		}
		before = c
	}
	return s.entries
}

// ofNumber describes the changes of the number's records, campaign by campaign.
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
			if was := before[id]; was != nil && was.State == ledger.Leaving {
				s.add(State, "", "The number has left campaign %s.", id)
			} else {
				s.add(Plan, "", "The plans no longer name the number for campaign %s. At Telnyx it stays as it is.", id)
			}
			delete(before, id)
			continue
		}
		n := change.Record
		switch known := before[id]; {
		case known != nil:
			s.change(*known, n)
		case perCampaign[id] >= ledger.HistoryOfNumber && n.Firsts.Named.Before(change.At) && (n.Firsts.Requests > 0 || !n.Request.At.IsZero()):
			s.older(n) // it is not the number's first record
			s.change(ledger.Number{State: n.State, Reason: n.Reason, EntryHash: n.EntryHash, Request: n.Request, Status: n.Status, TMobile: n.TMobile, NonTMobile: n.NonTMobile, Detail: n.Detail}, n)
		default:
			s.add(Plan, "", "%s", namedText(n, n.PlanPlace, n.PlanHash))
			s.change(ledger.Number{EntryHash: n.EntryHash}, n)
		}
		before[id] = &n
	}
	return s.entries
}

func namedText(n ledger.Number, place, hash string) string {
	return fmt.Sprintf("Plan %s%s named the number for campaign %s%s.", n.Plan, placeText(place), n.CampaignID, setText(hash))
}

func placeText(place string) string {
	if place == "" {
		return ""
	}
	return " (" + place + ")"
}

func setText(hash string) string {
	if hash == "" {
		return ""
	}
	return ", in plan set " + hash
}

// older describes the time before the oldest stored change.
func (s *story) older(n ledger.Number) {
	f, oldest := n.Firsts, s.at
	for _, first := range []struct {
		at   time.Time
		kind Kind
		text string
	}{
		{f.Named, Plan, namedText(n, f.NamedIn, f.NamedHash)},
		{f.Requested, Request, "Greenlight requested for the first time to attach the number."},
		{f.Accepted, Answer, "Telnyx accepted a request for the first time."},
		{f.Attached, State, "The number was attached for the first time."},
		{f.Sendable, State, "The number was sendable for the first time."},
	} {
		if !first.at.IsZero() && !first.at.After(oldest) {
			s.at = first.at
			s.add(first.kind, "", "%s", first.text)
		}
	}
	s.at = oldest
	s.add(State, "", "Changes between these are not available: the ledger keeps the latest %d of a number. Then it was %s, after %s.",
		ledger.HistoryOfNumber, n.StateAndReason(), status.Count(f.Requests, "request"))
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
	switch {
	case n.State == ledger.Leaving && before.UnnamedAt.IsZero() && !n.UnnamedAt.IsZero() && !n.Manual:
		s.add(Plan, "", "Plan %s%s no longer names the number%s. Its entry has prune: true, so the number is to be removed.", n.Plan, placeText(n.PlanPlace), setText(n.PlanHash))
	case before.EntryHash != "" && n.EntryHash != "" && before.EntryHash != n.EntryHash:
		s.add(Plan, "", "The plan entry has changed. Plan %s%s names the number%s.", n.Plan, placeText(n.PlanPlace), setText(n.PlanHash))
	}
	// The assigner writes this cause after greenlight trigger.
	if message, ok := strings.CutPrefix(n.Cause, "asked for by a person"); ok && n.Cause != before.Cause {
		s.add(Person, "", "A person requested a check of the campaign%s.", message)
	}
}

func (s *story) requested(n ledger.Number) {
	request := "a request"
	if n.Firsts.Requests > 1 {
		request = fmt.Sprintf("request %d", n.Firsts.Requests)
	}
	what := "attach it to"
	if strings.HasPrefix(n.Request.Sent, "DELETE") {
		what = "remove it from"
		s.add(Decision, "", "The number may be removed now. Greenlight sends %s.", request)
	} else {
		s.add(Decision, "", "The campaign is approved and the number can be attached. Greenlight sends %s.", request)
	}
	if n.Request.Profile != "" {
		s.add(Request, "", "Sent: PATCH, to put the number on messaging profile %s.", n.Request.Profile)
	}
	s.add(Request, "", "Sent: %s, to %s campaign %s.", n.Request.Sent, what, n.Request.Campaign)
}

func (s *story) answered(n ledger.Number) {
	text := fmt.Sprintf("The outcome: %s.", n.Request.Outcome)
	switch n.Request.Outcome {
	case ledger.Accepted:
		text = "Telnyx accepted the request."
		if n.Status != "" {
			text = "Telnyx accepted the request; its record says " + recordText(n) + "."
		}
	case ledger.Refused:
		text = "Telnyx refused the request."
	case ledger.Unanswered:
		text = "There was no readable answer. The request may have worked."
	case ledger.Unsent:
		text = "The request was not sent."
	}
	s.add(Answer, n.Detail, "%s", text)
}

// decided adds Greenlight's decision where the state does not show it.
func (s *story) decided(n ledger.Number, claimed bool) {
	switch {
	case claimed:
	case n.State == ledger.Conflict:
		s.add(Decision, "", "Greenlight leaves the number where it is, because that campaign is not in the plan's move_from.")
	case n.State == ledger.Failed && n.Request.Outcome == "":
		s.add(Decision, "", "Greenlight sends no request, because Telnyx would refuse it.")
	case n.Reason == ledger.CampaignFull && n.Request.Outcome != ledger.Refused:
		s.add(Decision, "", "Greenlight sends no request, because the campaign is full.")
	case n.State.TriesAgain() && n.Reason != "" && !n.NextAt.IsZero() && n.Request.Outcome != "":
		from := n.Since
		if n.Request.AnsweredAt.After(from) {
			from = n.Request.AnsweredAt
		}
		s.add(Decision, "", "Greenlight will retry in %s.", status.Span(n.NextAt.Sub(from)))
	}
}

// recordText returns the content of Telnyx's record of the number, or nothing if it is
// unknown.
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
