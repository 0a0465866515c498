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

// MostEvents is how many events are shown at most, the latest ones.
const MostEvents = 100

// mostDetail bounds what is shown of words from outside, in characters.
const mostDetail = 600

// ErrUnknownNumber is matched by the error for a number that no plan ever named, as
// far as the ledger goes back.
var ErrUnknownNumber = errors.New("no plan that an assigner worked on has named it")

// Kind says what sort of thing happened.
type Kind string

// The kinds.
const (
	// Plan: a plan named the number, or ceased to.
	Plan Kind = "plan"
	// Event: Telnyx posted something.
	Event Kind = "event"
	// Read: Greenlight read something at Telnyx.
	Read Kind = "read"
	// Decision: Greenlight chose what to do.
	Decision Kind = "decision"
	// Request: Greenlight sent something that changes something.
	Request Kind = "request"
	// Answer: what came back.
	Answer Kind = "answer"
	// State: the number came into another state, or for another reason.
	State Kind = "state"
	// Person: a person did something.
	Person Kind = "person"
)

// Entry is one thing that happened.
type Entry struct {
	At   time.Time `json:"at"`
	Kind Kind      `json:"kind"`
	// Text is a sentence, or a few.
	Text string `json:"text"`
	// Detail is what the outside said, in its own words, made harmless for a terminal
	// and bounded; often empty.
	Detail string `json:"detail,omitempty"`
}

// Timeline is what happened to a number, and how far it is.
type Timeline struct {
	Number string `json:"number"`
	// Campaign is the id by which the plan names the campaign that the number is, or
	// was last, planned on.
	Campaign string `json:"campaign"`
	// Plan is the entry's name, PlanPlace where it names the number, PlanHash the set.
	Plan      string `json:"plan"`
	PlanPlace string `json:"plan_place,omitempty"`
	PlanHash  string `json:"plan_hash"`
	// Planned is false when no plan names the number any more.
	Planned bool `json:"planned"`

	// Entries are in the order in which things happened.
	Entries []Entry `json:"entries"`

	State  ledger.State  `json:"state"`
	Reason ledger.Reason `json:"reason,omitempty"`
	// Since is when the number came into its state.
	Since time.Time `json:"since,omitzero"`
	// Sentence says how far the number is and why, Next what Greenlight does by
	// itself, Person what a person should do; that is empty when nothing is.
	Sentence string `json:"sentence"`
	Next     string `json:"next"`
	Person   string `json:"person,omitempty"`
	// NextAt is when Greenlight tries or checks it again, if that is known.
	NextAt time.Time `json:"next_at,omitzero"`
	// NeedsPerson says that a person should do something, for the number or for its
	// campaign. Greenlight tries again all the same, at NextAt.
	NeedsPerson bool `json:"needs_person"`
	// Held is who holds the campaign, by itself or with everything; nil if nobody does.
	Held *ledger.HeldBy `json:"held,omitempty"`
}

// OfNumber returns the timeline of a number in E.164 form. Where no plan ever named
// the number the error matches [ErrUnknownNumber]; so it does before an assigner ran.
func OfNumber(ctx context.Context, js jetstream.JetStream, number string) (Timeline, error) {
	book, err := ledger.Open(ctx, js)
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
	t.conclude(last, entry.Campaign, hold)
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

// withoutMessages leaves out what a person requested where the stream still has that
// message itself.
func withoutMessages(entries, messages []Entry) []Entry {
	return slices.DeleteFunc(entries, func(e Entry) bool {
		_, message, ok := strings.Cut(e.Text, "(message ")
		return e.Kind == Person && ok && slices.ContainsFunc(messages, func(t Entry) bool { return t.Kind == Person && strings.Contains(t.Text, "(message "+message) })
	})
}

// latest returns the number's record that counts: the one written last of those that
// are in the ledger, or of those that were, if none is.
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

// conclude says how far the number is.
func (t *Timeline) conclude(n ledger.Number, c ledger.Campaign, hold ledger.Hold) {
	t.State, t.Reason, t.Since = n.State, n.Reason, n.Since
	if !t.Planned {
		t.Sentence = fmt.Sprintf("No plan names the number any more. It was %s when it left the plan, and Greenlight has left it as it was at Telnyx.", n.State)
		t.Next = "Nothing, until a plan names it again."
		return
	}
	advice, next := hold.Advise(n, c)
	t.Sentence, t.Next, t.Person, t.NextAt = advice.Why, advice.Next, advice.Action, next
	t.NeedsPerson = n.NeedsPerson || c.NeedsPerson()
}

// idsOf lists every id by which events may speak of a campaign, its brand's among
// them.
func idsOf(id string, reads []ledger.Change[ledger.Campaign]) []string {
	ids := []string{id}
	for _, read := range reads {
		ids = append(ids, read.Record.TelnyxID, read.Record.TCRID, read.Record.BrandID)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// eventsAbout returns the events about the campaign, those about the number, and what
// a person requested.
func eventsAbout(ctx context.Context, js jetstream.JetStream, number string, ids []string) ([]Entry, error) {
	var entries []Entry
	err := events.About(ctx, js, ids, func(kept events.Kept) {
		if entry, ok := ofEvent(kept, number); ok {
			entries = append(entries, entry)
		}
	})
	return entries[max(0, len(entries)-MostEvents):], err
}
