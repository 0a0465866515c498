package timeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
)

// MaxEvents bounds the events of a timeline. It has the latest ones.
const MaxEvents = 100

// maxDetail bounds text from outside, in characters.
const maxDetail = 600

// ErrUnknownNumber means that the ledger never had a record of the number.
var ErrUnknownNumber = errors.New("the ledger has no record of it: no plan that an assigner has loaded names it")

// Kind is the kind of an entry.
type Kind string

// The kinds.
const (
	// Plan: a plan names the number, or no longer does.
	Plan Kind = "plan"
	// Event: Telnyx posted an event.
	Event Kind = "event"
	// Read: Greenlight read a record from Telnyx.
	Read Kind = "read"
	// Decision: Greenlight decided what to do.
	Decision Kind = "decision"
	// Request: Greenlight sent a write request.
	Request Kind = "request"
	// Answer: Telnyx answered the request, or did not.
	Answer Kind = "answer"
	// State: the number's state or reason changed.
	State Kind = "state"
	// Person: a person acted.
	Person Kind = "person"
)

// Entry is one event in the history of a number.
type Entry struct {
	At   time.Time `json:"at"`
	Kind Kind      `json:"kind"`
	// Text is one sentence or several.
	Text string `json:"text"`
	// Detail is text from Telnyx, bounded and safe for a terminal. It may be empty.
	Detail string `json:"detail,omitempty"`
}

// Timeline is the history of a number and its current state.
type Timeline struct {
	Number string `json:"number"`
	// Campaign is the id in the plan of the number's campaign, or of its last one.
	Campaign string `json:"campaign"`
	// Plan is the entry's name, PlanPlace where it names the number, PlanHash the set.
	Plan      string `json:"plan"`
	PlanPlace string `json:"plan_place,omitempty"`
	PlanHash  string `json:"plan_hash"`
	// Planned is false if no plan names the number any more.
	Planned bool `json:"planned"`

	// Entries are in chronological order.
	Entries []Entry `json:"entries"`

	State  ledger.State  `json:"state"`
	Reason ledger.Reason `json:"reason,omitempty"`
	// Since is when the number reached its state.
	Since time.Time `json:"since,omitzero"`
	// Sentence explains the state, Next says what Greenlight does by itself, and Action
	// what a person should do, if anything.
	Sentence string `json:"sentence"`
	Next     string `json:"next"`
	Action   string `json:"action,omitempty"`
	// NextAt is when Greenlight retries or checks it, if known.
	NextAt time.Time `json:"next_at,omitzero"`
	// NeedsPerson means that the number or its campaign needs a person. Greenlight still
	// retries at NextAt.
	NeedsPerson bool `json:"needs_person"`
	// Held is the hold of its campaign or of everything; nil for none.
	Held *ledger.HeldBy `json:"held,omitempty"`
}

// OfNumber returns the timeline of a number in E.164 form. The error matches
// [ErrUnknownNumber] if the ledger has no record of it, or does not exist yet, and
// [events.ErrRestoring] if it is being restored.
func OfNumber(ctx context.Context, js jetstream.JetStream, number string) (Timeline, error) {
	book, err := ledger.Open(ctx, js)
	err = events.WhyMissing(ctx, js, err)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return Timeline{}, fmt.Errorf("number %s: %w", number, ErrUnknownNumber)
	}
	if err != nil {
		return Timeline{}, err
	}
	changes, err := book.NumberHistory(ctx, number)
	if err != nil {
		return Timeline{}, err
	}
	last, planned, ok := latest(changes)
	if !ok {
		return Timeline{}, fmt.Errorf("number %s: %w", number, ErrUnknownNumber)
	}
	entry, _, err := book.Campaign(ctx, last.CampaignID)
	if err != nil {
		return Timeline{}, err
	}
	reads, err := book.CampaignHistory(ctx, last.CampaignID)
	if err != nil {
		return Timeline{}, err
	}
	t := Timeline{
		Number: number, Campaign: last.CampaignID, Plan: last.Plan, PlanPlace: last.PlanPlace, PlanHash: last.PlanHash,
		Planned: planned,
	}
	hold, err := book.ReadHold(ctx)
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return Timeline{}, err
	}
	t.setState(last, entry.Campaign, hold)
	if by, held := hold.Of(append(entry.Campaign.IDs(), last.CampaignID)...); held {
		t.Held = &by
	}
	messages, err := eventsAbout(ctx, js, number, idsOf(last.CampaignID, reads))
	if err != nil {
		return Timeline{}, err
	}
	t.Entries = slices.Concat(messages, ofCampaign(reads), withoutMessages(ofNumber(changes), messages))
	slices.SortStableFunc(t.Entries, func(a, b Entry) int { return a.At.Compare(b.At) })
	return t, nil
}

// withoutMessages removes a person's requests that are in the stream of events too.
func withoutMessages(entries, messages []Entry) []Entry {
	return slices.DeleteFunc(entries, func(e Entry) bool {
		_, message, ok := strings.Cut(e.Text, "(message ")
		return e.Kind == Person && ok && slices.ContainsFunc(messages, func(t Entry) bool { return t.Kind == Person && strings.Contains(t.Text, "(message "+message) })
	})
}

// latest returns the number's current record: the last one written of those in the ledger.
// If none is, it returns the last that was, and planned is false.
func latest(changes []ledger.Change[ledger.Number]) (last ledger.Number, planned, ok bool) {
	present := map[string]bool{}
	for _, change := range changes {
		present[change.Record.CampaignID] = !change.Dropped
	}
	for _, change := range slices.Backward(changes) {
		n := change.Record
		if change.Dropped {
			continue
		}
		if present[n.CampaignID] {
			return n, true, true
		}
		if !ok {
			last, ok = n, true
		}
	}
	return last, false, ok
}

// setState sets the current state.
func (t *Timeline) setState(n ledger.Number, c ledger.Campaign, hold ledger.Hold) {
	t.State, t.Reason, t.Since = n.State, n.Reason, n.Since
	if !t.Planned {
		t.Sentence = fmt.Sprintf("No plan names the number any more. It was %s when it left the plan. Greenlight has not changed it at Telnyx since.", n.State)
		t.Next = "Nothing, until a plan names it again."
		return
	}
	advice, next := hold.Advise(n, c)
	t.Sentence, t.Next, t.Action, t.NextAt = advice.Why, advice.Next, advice.Action, next
	t.NeedsPerson = n.NeedsPerson || c.NeedsPerson()
}

// idsOf lists all ids that events about a campaign may have, including its brand's.
func idsOf(id string, reads []ledger.Change[ledger.Campaign]) []string {
	ids := []string{id}
	for _, read := range reads {
		ids = append(ids, read.Record.TelnyxID, read.Record.TCRID, read.Record.BrandID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// eventsAbout returns the events about the campaign and the number, and the requests of
// persons.
func eventsAbout(ctx context.Context, js jetstream.JetStream, number string, ids []string) ([]Entry, error) {
	var entries []Entry
	err := events.About(ctx, js, ids, func(kept events.PastEvent) {
		if entry, ok := ofEvent(kept, number); ok {
			entries = append(entries, entry)
		}
	})
	return entries[max(0, len(entries)-MaxEvents):], err
}
