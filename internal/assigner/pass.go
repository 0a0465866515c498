package assigner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"greenlight/internal/account"
	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/logging"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

const (
	// The waits after a campaign could not be read.
	rereadBase = 5 * time.Second
	rereadMost = 10 * time.Minute
	// rereadTries is after how many tries the wait is as long as it gets.
	rereadTries = 8
)

// pass is one look at one campaign: what was read and what has to be written.
type pass struct {
	a     *Assigner
	key   string
	cause string
	// urgent says that a person asked, so that waits are cut short.
	urgent bool
	now    time.Time
	// toldAt is when the notification was stored that made this look, zero if
	// something else did.
	toldAt time.Time

	set *plan.Set
	// want is the plan's entry; with a number pool, its Numbers are complete once
	// expanded is set.
	want     plan.Campaign
	planned  bool
	expanded bool
	// entryHash is the Hash of the entry as it was loaded, empty when there is none.
	entryHash string

	entry ledger.CampaignEntry
	// before is the campaign's record as the pass found it.
	before ledger.Campaign
	// bulk is what is known of the call for the whole pool.
	bulk ledger.Bulk

	// unsettled counts the numbers that a request may be under way for, which no
	// list of Telnyx's shows yet.
	unsettled int

	// readAt is when that was read by which numbers are attached: the campaign, or
	// the whole messaging profile.
	readAt time.Time

	mu      sync.Mutex // guards what follows, since numbers are attached side by side
	numbers map[string]ledger.NumberEntry
	refusal *trouble // see noteRefusalOfAll
	nextAt  time.Time
}

// newPass reads what the ledger has.
func (a *Assigner) newPass(ctx context.Context, e errand) (*pass, error) {
	p := &pass{a: a, key: e.key, cause: e.ticket.cause, urgent: e.urgent, now: a.now(), set: a.config.Plans()}
	if d := e.ticket.delivery; d != nil && d.Kind == events.KindEvent {
		p.toldAt = d.StoredAt
	}
	if p.want, p.planned = p.set.Find(p.key); !p.planned {
		p.want = account.Meant(cmp.Or(a.directory.telnyxID(p.key), p.key))
	} else {
		p.entryHash = p.want.Hash()
	}
	a.directory.lookedUnder(p.key, p.entryHash)
	var err error
	if p.entry, _, err = a.ledger.Campaign(ctx, p.key); err != nil {
		return nil, err
	}
	p.before, p.bulk = p.entry.Campaign, p.entry.Campaign.Bulk
	p.numbers, err = a.ledger.Numbers(ctx, p.key)
	return p, err
}

// stopped ends a pass that the gate did not let through: the campaign's record
// says so, and every planned number has one.
func (p *pass) stopped(ctx context.Context, rest *stopped) error {
	if !p.planned {
		return nil
	}
	if err := p.note(ctx, trouble{reason: rest.reason, detail: rest.detail}); err != nil {
		return err
	}
	if p.entry.Campaign.Reason == rest.reason {
		return nil // it is said already, and said again every minute it would fill the ledger
	}
	return p.finish(ctx, func(c *ledger.Campaign) {
		c.Phase, c.EntryHash = cmp.Or(c.Phase, ledger.Unread), p.before.EntryHash
		c.Reason, c.Detail, c.NextAt = rest.reason, rest.detail, rest.until
	})
}

// forget takes a campaign off the ledger that is planned under another of its
// ids, with those of its numbers that no request is under way for.
func (p *pass) forget(ctx context.Context) error {
	if err := p.dropUnplanned(ctx); err != nil {
		return err
	}
	if len(p.numbers) > 0 {
		return p.a.publisher.ScheduleRecheck(ctx, p.key, p.nextAt.Sub(p.a.now()))
	}
	if p.entry.Revision == 0 {
		return nil
	}
	return p.a.ledger.DropCampaign(ctx, p.entry)
}

// plannedTwice ends a pass over a campaign that two entries of the plan name, by
// its two ids. Only asking Telnyx shows that they are one; the entry that has
// Telnyx's own id counts, and this one says so.
func (p *pass) plannedTwice(ctx context.Context, c telnyx.Campaign, twin plan.Campaign) error {
	detail := namedTwice(twin)
	if err := p.rest(ctx, ledger.Held, detail); err != nil {
		return err
	}
	return p.finish(ctx, func(record *ledger.Campaign) {
		// Its ids stay out of the directory, where they lead to the twin.
		record.TelnyxID, record.TCRID = "", ""
		record.Phase, record.Status, record.Detail = ledger.OnHold, string(c.CampaignStatus), detail
	})
}

// missing ends a pass over a campaign that Telnyx does not know, or, as detail
// says then, does not show to this key. One that no plan names is no matter of ours
// any more.
func (p *pass) missing(ctx context.Context, detail string) error {
	if !p.planned {
		return p.forget(ctx)
	}
	if err := p.rest(ctx, ledger.Held, ledger.Missing.Sentence()); err != nil {
		return err
	}
	return p.finish(ctx, func(c *ledger.Campaign) { c.Phase, c.Status, c.Detail = ledger.Missing, "", detail })
}

// unread ends a pass whose reads failed. What the ledger says of the numbers
// stays; the campaign gets the reason and another look is ordered.
func (p *pass) unread(ctx context.Context, cause error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	t := troubleOf(cause)
	var stop error
	switch t.verdict {
	case telnyx.StopEverything:
		stop = p.a.stop(t.reason, cause)
	case telnyx.ForGood, telnyx.Unclear:
		t.reason = ledger.UnknownError // about a read, it says nothing of a number
	}
	if err := p.note(ctx, t); err != nil {
		return err
	}
	// When the wait does not grow any more, neither does the count: the same trouble
	// again is no news, and would push older news out of the history.
	attempts := min(p.entry.Campaign.Attempts+1, rereadTries)
	if p.entry.Campaign.Attempts == rereadTries && p.entry.Campaign.Reason == t.reason {
		t.detail = p.entry.Campaign.Detail
	}
	if p.planned || t.verdict == telnyx.Later || t.verdict == telnyx.StopEverything {
		p.lookAgain(p.now.Add(max(t.atLeast, backoff(rereadBase, rereadMost, attempts, p.a.jitter()))))
	}
	err := p.finish(ctx, func(c *ledger.Campaign) {
		c.Phase, c.EntryHash = cmp.Or(c.Phase, ledger.Unread), p.before.EntryHash
		c.Reason, c.Detail, c.Attempts = t.reason, t.detail, attempts
	})
	return cmp.Or(err, stop)
}

// over makes the pass over a campaign that was read.
func (p *pass) over(ctx context.Context, c telnyx.Campaign) error {
	phase, why := PhaseOf(c)
	extras := 0
	var err error
	switch {
	case !p.planned:
		err = p.dropUnplanned(ctx)
	case phase == ledger.Ready:
		if err = p.open(ctx, c); err == nil {
			extras, err = p.attachAll(ctx, c)
		}
	case phase == ledger.Waiting:
		err = p.rest(ctx, ledger.Planned, "")
	default:
		err = p.rest(ctx, ledger.Held, why)
	}
	if failed, ok := asReadFailure(err); ok {
		return p.unread(ctx, failed)
	}
	rest, stopping := errors.AsType[*stopped](err)
	if err != nil && !stopping {
		return err
	}
	finishErr := p.finish(ctx, func(record *ledger.Campaign) {
		p.recordOf(c, extras)(record)
		if stopping {
			record.Reason, record.Detail, record.NextAt = rest.reason, rest.detail, rest.until
		}
	})
	return cmp.Or(finishErr, err)
}

// open writes down that the campaign has become ready before its numbers are attached,
// which may take minutes or be broken off: until then people would read that it waits
// for them. What was held because of the campaign is so no more.
func (p *pass) open(ctx context.Context, c telnyx.Campaign) error {
	for _, number := range p.plannedNumbers() {
		if p.known(number).State != ledger.Held {
			continue
		}
		if err := p.put(ctx, number, func(n *ledger.Number) { p.enter(n, ledger.Planned) }); err != nil {
			return err
		}
	}
	if p.entry.Campaign.Phase == ledger.Ready {
		return nil
	}
	opened := p.changed(p.recordOf(c, p.entry.Campaign.Extras))
	opened.EntryHash = p.before.EntryHash // what this entry asks for is done later
	return p.record(ctx, opened)
}

// recordOf returns what the campaign's record says of the campaign as it was read.
func (p *pass) recordOf(c telnyx.Campaign, extras int) func(*ledger.Campaign) {
	return func(record *ledger.Campaign) {
		record.TelnyxID, record.TCRID, record.BrandID = string(c.CampaignID), string(c.TCRCampaignID), c.BrandID
		record.Shared, record.WebhookURL = c.Shared, c.WebhookURL
		record.Phase, record.Detail = PhaseOf(c)
		record.Status, record.Extras = string(c.CampaignStatus), extras
	}
}

// rest writes down that the planned numbers cannot be attached now. Those that
// got further keep their state, with the reason why they may not send all the
// same; those that failed for a reason of their own keep that.
func (p *pass) rest(ctx context.Context, state ledger.State, detail string) error {
	if err := p.dropUnplanned(ctx); err != nil {
		return err
	}
	for _, number := range p.plannedNumbers() {
		known := p.numbers[string(number)].Number.State
		if known == ledger.Conflict || known == ledger.Failed {
			continue
		}
		err := p.put(ctx, number, func(n *ledger.Number) {
			if known == "" || known == ledger.Planned || known == ledger.Held {
				p.enter(n, state)
			}
			n.Reason, n.Detail = ledger.CampaignNotReady, detail
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// plannedNumbers lists the planned numbers as far as this pass knows them: those of a pool
// that was not read are the ones of the ledger.
func (p *pass) plannedNumbers() []plan.E164 {
	numbers := slices.Clone(p.want.Numbers)
	if p.want.NumberPool != "" && !p.expanded {
		for number := range p.numbers {
			numbers = append(numbers, plan.E164(number))
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// note makes sure that every planned number has a record, so that none is
// without an answer.
func (p *pass) note(ctx context.Context, t trouble) error {
	for _, number := range p.want.Numbers {
		if _, known := p.numbers[string(number)]; known {
			continue
		}
		err := p.put(ctx, number, func(n *ledger.Number) {
			p.enter(n, ledger.Planned)
			n.Reason = t.reason // what was said about it stands in the campaign's record
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// dropUnplanned takes numbers off the ledger that the plan names no more, but for
// those that a request may be under way for: another campaign's pass must see
// that before it claims the number. At Telnyx they stay as they are.
func (p *pass) dropUnplanned(ctx context.Context) error {
	if p.want.NumberPool != "" && !p.expanded {
		return nil // which numbers are planned is not known in this pass
	}
	for _, number := range slices.Sorted(maps.Keys(p.numbers)) {
		if _, planned := slices.BinarySearch(p.want.Numbers, plan.E164(number)); planned {
			continue
		}
		if until := p.settledAt(p.numbers[number].Number); p.now.Before(until) {
			p.lookAgain(until)
			continue
		}
		if err := p.a.ledger.DropNumber(ctx, p.numbers[number]); err != nil {
			return err
		}
		p.a.claims.forget(p.numbers[number].Number)
		delete(p.numbers, number)
	}
	return nil
}

// put writes one number's record. Change gets the record as it stands, cleared
// of what every pass says anew.
func (p *pass) put(ctx context.Context, number plan.E164, change func(*ledger.Number)) error {
	p.mu.Lock()
	entry := p.numbers[string(number)]
	p.mu.Unlock()

	n := entry.Number
	n.Number, n.CampaignID = string(number), p.key
	n.Plan, n.PlanHash, n.EntryHash, n.Cause = p.want.Name, p.set.Hash, p.entryHash, p.cause
	n.PlanPlace = p.placeOf(number)
	n.Reason, n.Detail, n.OtherCampaignID, n.NextAt = "", "", "", time.Time{}
	change(&n)
	written, err := p.a.ledger.PutNumber(ctx, entry, n)
	if err != nil {
		return err
	}
	if n.State != entry.Number.State || n.Reason != entry.Number.Reason {
		line := p.a.log.Info()
		if n.Reason == ledger.Stuck && n.Attempts <= stuckAfter { // later tries are no news
			line = p.a.log.Warn()
		}
		line.Str(logging.KeyNumber, n.Number).Str(logging.KeyCampaign, p.key).Str(logging.KeyPlan, n.Plan).
			Str(logging.KeyState, string(n.State)).Str(logging.KeyReason, string(n.Reason)).
			Str(logging.KeyCause, p.cause).Msg("number is " + string(n.State))
	}
	p.mu.Lock()
	p.numbers[string(number)] = written
	p.mu.Unlock()
	p.lookAgain(n.NextAt)
	return nil
}

// placeOf returns where the plan names a number, or the pool that it is in: the file
// and the line.
func (p *pass) placeOf(number plan.E164) string {
	at, named := p.want.Where(number)
	if !named || at.File == "" {
		at = p.want.Position
	}
	return placeText(at)
}

func placeText(at plan.Position) string {
	if at.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", at.File, at.Line)
}

// enter brings the number into a state, and notes when it came there.
func (p *pass) enter(n *ledger.Number, state ledger.State) {
	if n.State != state {
		n.State, n.Since = state, p.a.now().UTC()
	}
}

// lookAgain notes when the campaign must be looked at again, if at all; the
// earliest time counts.
func (p *pass) lookAgain(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !at.IsZero() && (p.nextAt.IsZero() || at.Before(p.nextAt)) {
		p.nextAt = at
	}
}

// finish writes the campaign's record, tells people what is news, and orders the next
// look. Change gets the record as it stands, cleared of what every pass says anew.
func (p *pass) finish(ctx context.Context, change func(*ledger.Campaign)) error {
	c := p.changed(change)
	p.noteAttached(&c)
	p.tell(ctx, &c)
	if err := p.record(ctx, c); err != nil {
		return err
	}
	if took, known := tookToAttach(p.before, c); known {
		p.a.metrics.approval.Observe(took.Seconds())
	}
	if p.nextAt.IsZero() {
		return nil
	}
	return p.a.publisher.ScheduleRecheck(ctx, p.key, p.nextAt.Sub(p.a.now()))
}

// changed returns the campaign's record as this pass has it.
func (p *pass) changed(change func(*ledger.Campaign)) ledger.Campaign {
	before, c := p.entry.Campaign, p.entry.Campaign
	c.ID, c.Cause = p.key, p.cause
	c.Planned, c.Plan, c.PlanHash, c.EntryHash = p.planned, p.want.Name, "", p.entryHash
	if p.planned {
		c.PlanHash = p.set.Hash
	}
	c.PlanPlace, c.ReadAgo = placeText(p.want.Position), max(p.a.now().Sub(p.now), 0)
	c.Reason, c.Detail, c.Attempts, c.Extras = "", "", 0, 0
	c.NextAt, c.Bulk = p.nextAt, p.bulk
	change(&c)
	if c.Phase != before.Phase {
		c.Since = p.a.now().UTC()
	}
	p.noteApproval(&c)
	return c
}

// record writes the campaign's record over the one that this pass has read.
func (p *pass) record(ctx context.Context, c ledger.Campaign) error {
	before := p.entry.Campaign
	written, err := p.a.ledger.PutCampaign(ctx, p.entry, c)
	if err != nil {
		return err
	}
	p.entry = written
	p.a.learn(c)
	if c.Phase != before.Phase || c.Planned != before.Planned {
		p.announce(c)
	}
	return nil
}

func (p *pass) announce(c ledger.Campaign) {
	line := p.a.log.Info()
	message := "campaign is " + string(c.Phase)
	if !c.Planned && c.Phase == ledger.Ready {
		line = p.a.log.Warn()
		message = "a campaign was approved that no plan names; its numbers are attached as soon as a plan does"
	}
	line.Str(logging.KeyCampaign, p.key).Str(logging.KeyPlan, c.Plan).Str(logging.KeyPhase, string(c.Phase)).
		Str(logging.KeyCause, p.cause).Msg(message)
}
