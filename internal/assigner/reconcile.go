package assigner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telemetry"
	"greenlight/internal/telnyx"
)

const (
	// The waits after a campaign could not be read: rereadBase, twice as long each
	// time, up to rereadMost. rereadTries is when the wait is as long as it gets.
	rereadBase  = 5 * time.Second
	rereadMost  = 10 * time.Minute
	rereadTries = 8
	// rereadSoon is the wait for a reading that began after a claim had ended.
	rereadSoon = 100 * time.Millisecond
	// missingTwice: that Telnyx does not have a campaign is believed when a second,
	// later reading agrees.
	missingTwice = 2
	// recordsAtOnce is how many records are written at once.
	recordsAtOnce = 16
)

// reconcile is one reconcile of one campaign: what was read and what has to be
// written.
type reconcile struct {
	a   *Assigner
	req request
	now time.Time
	// readFrom is the earliest time from which its readings may be.
	readFrom time.Time

	set *plan.Set
	// want is the plan's entry; with a number pool, its Numbers are complete once
	// expanded is set.
	want     plan.Campaign
	planned  bool
	expanded bool
	// spared are numbers that the pool seems to have lost. Until that is confirmed they
	// stay in the ledger, and nothing is decided about them.
	spared []plan.E164
	// entryHash is the Hash of the entry as it was loaded, empty when there is none.
	entryHash string

	entry ledger.CampaignEntry
	// before is the campaign's record as the reconcile found it.
	before ledger.Campaign
	extras int

	refreshing sync.Mutex // held by the one that reads the campaign again

	mu sync.Mutex // guards what follows, since numbers are written side by side
	// campaign is the campaign as read, at readAt. While numbers are written it may be
	// read again.
	campaign telnyx.Campaign
	readAt   time.Time
	// readBegan is readAt by the process's own clock.
	readBegan time.Time
	numbers   map[string]ledger.NumberEntry
	// needed are the numbers that needed a person before: that they still do is not news.
	needed map[string]bool
	nextAt time.Time
	// refusal is the decision on a number that holds for all others as well.
	refusal *ledger.Number
}

// knownAs says that the campaign is planned under another of its ids, so that the
// request belongs to that key.
type knownAs struct{ key string }

func (k *knownAs) Error() string { return "planned as campaign " + k.key }

// reconcile reads one campaign and does what is missing. It returns nil when the
// ledger has the outcome, also when that is an error of Telnyx; *openError when the
// circuit breaker is open; and another error when the ledger or the streams failed.
func (a *Assigner) reconcile(ctx context.Context, req request) error {
	open := a.breaker.allow(ctx)
	r, err := a.begin(ctx, req)
	switch {
	case err != nil:
		return err
	case open != nil:
		return cmp.Or(r.stopped(ctx, open), error(open))
	case r.isUnknownReference():
		return r.forget(ctx)
	}
	campaign, seen, err := r.read(ctx)
	if err != nil {
		return r.unread(ctx, err, true)
	}
	r.campaign = campaign
	duplicate, named := otherEntry(r.set, r.req.key, campaign)
	switch {
	case named && !r.planned:
		a.observer.campaigns.learn(ledger.Campaign{ID: duplicate.ID(), TelnyxID: string(campaign.CampaignID), TCRID: string(campaign.TCRCampaignID)})
		return cmp.Or(r.forget(ctx), error(&knownAs{key: duplicate.ID()}))
	case named && duplicate.Rank() < r.want.Rank():
		return r.plannedTwice(ctx, duplicate)
	case !r.planned:
		if err := r.dropUnplanned(ctx); err != nil {
			return err
		}
		return r.finish(ctx, r.recordOf())
	}
	return r.planOf(ctx, seen)
}

// begin reads what the ledger has.
func (a *Assigner) begin(ctx context.Context, req request) (*reconcile, error) {
	r := &reconcile{a: a, req: req, now: a.now(), set: a.config.Plans()}
	r.readFrom = r.now.Add(-max(time.Since(req.made), 0)) // made is by another clock
	if r.want, r.planned = r.set.Find(req.key); !r.planned {
		r.want = entryFor(cmp.Or(string(a.observer.campaigns.id(req.key)), req.key))
	} else {
		r.entryHash = r.want.Hash()
	}
	a.reconciled(req.key, r.entryHash, r.planned)
	var err error
	if r.entry, _, err = a.ledger.Campaign(ctx, req.key); err != nil {
		return nil, err
	}
	r.before = r.entry.Campaign
	r.numbers, err = a.ledger.Numbers(ctx, req.key)
	r.needed = map[string]bool{}
	for number, entry := range r.numbers {
		r.needed[number] = entry.Number.NeedsPerson
	}
	return r, err
}

// isUnknownReference reports a reference that left the plan before any campaign was
// filed with it. Telnyx cannot be asked by a reference alone.
func (r *reconcile) isUnknownReference() bool {
	reference := plan.Campaign{ReferenceID: " "}.ID()
	prefix := strings.TrimSuffix(reference, " ")
	return !r.planned && strings.HasPrefix(r.req.key, prefix) && r.a.observer.campaigns.id(r.req.key) == ""
}

// read reads the campaign. A resync takes it out of its brand's list, if that only
// repeats what the ledger has. When the campaign may just have been approved, its
// numbers are read at the same time, which saves a round trip; seen is nil otherwise.
func (r *reconcile) read(ctx context.Context) (campaign telnyx.Campaign, seen *Observation, err error) {
	r.readAt, r.readBegan = r.a.now(), time.Now()
	if r.req.urgent || r.before.Reason == ledger.Unverified {
		// A person knows better; and what must be confirmed is asked again.
		r.a.observer.campaigns.forgetMiss(r.want)
	}
	if r.req.class == routine && r.req.listing != nil {
		if c, unchanged := r.listed(ctx); unchanged {
			return c, nil, nil
		}
	}
	guess, guessed := r.guess()
	if !guessed {
		campaign, err = r.a.observer.campaigns.read(ctx, r.want)
		return campaign, nil, err
	}
	var group errgroup.Group
	var early Observation
	var earlyErr error
	group.Go(func() error {
		early, earlyErr = r.a.observer.observe(ctx, r.question(guess, r.unattached()))
		return nil
	})
	campaign, err = r.a.observer.campaigns.read(ctx, r.want)
	_ = group.Wait()
	// What was read early counts only if it is about this very campaign.
	if err == nil && earlyErr == nil && campaign.CampaignID == guess.CampaignID && campaign.TCRCampaignID == guess.TCRCampaignID {
		seen = &early
	}
	return campaign, seen, err
}

// guess returns the campaign's ids as they are known without reading it, if its
// numbers are worth reading already: something happened, and the plan lists them.
func (r *reconcile) guess() (c telnyx.Campaign, ok bool) {
	known := r.entry.Campaign
	c = telnyx.Campaign{
		CampaignID:    cmp.Or(r.want.CampaignID, telnyx.CampaignID(known.TelnyxID)),
		TCRCampaignID: cmp.Or(r.want.TCRCampaignID, telnyx.TCRCampaignID(known.TCRID)),
		Shared:        known.Shared,
	}
	return c, r.planned && r.req.class == prompt && r.want.NumberPool == "" && c.AssignmentID() != "" && r.mayBeApproved()
}

// mayBeApproved reports whether the campaign is worth the calls that reading its
// numbers takes: it was approved before, or the request says that it may be now.
func (r *reconcile) mayBeApproved() bool {
	return r.entry.Campaign.Phase == ledger.PhaseApproved || r.req.changed || r.req.urgent
}

// question asks what must be known of the planned numbers.
func (r *reconcile) question(c telnyx.Campaign, likelyFree []plan.E164) question {
	sharedBy := 1
	if r.req.class == routine {
		sharedBy = max(len(r.set.Campaigns), 1)
	}
	return question{want: r.want, campaign: c, asked: r.req.made, requested: r.wasRequested, likelyFree: likelyFree, sharedBy: sharedBy}
}

// wasRequested reports whether Telnyx has taken a request for the number, or may
// have: it is under way, or the number was seen on the campaign since.
func (r *reconcile) wasRequested(number plan.E164) bool {
	known := r.known(number)
	return !known.ClaimedAt.IsZero() || known.State == ledger.Pending || known.IsOn()
}

// unattached are the planned numbers that the ledger does not have on the campaign.
func (r *reconcile) unattached() []plan.E164 {
	var numbers []plan.E164
	for _, n := range r.want.Numbers {
		if known := r.known(n); !known.IsOn() && known.State != ledger.Pending {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// listed returns the campaign as its brand's list has it, if nothing follows from
// that: it is not approved, and was not when it was read last. A list may be minutes
// old, so a change that it shows, or that it does not show yet, is read again.
func (r *reconcile) listed(ctx context.Context) (c telnyx.Campaign, unchanged bool) {
	known := r.entry.Campaign
	id := cmp.Or(r.want.CampaignID, telnyx.CampaignID(known.TelnyxID))
	if id == "" || known.Shared || known.Phase == ledger.PhaseApproved {
		return c, false
	}
	c, listed := r.req.listing.find(ctx, known.BrandID, id)
	if !listed || !selects(r.want, c) {
		return c, false
	}
	phase, _ := PhaseOf(c)
	wasRead := known.Phase != "" && known.Phase != ledger.PhaseUnread
	changed := wasRead && (phase != known.Phase || string(c.CampaignStatus) != known.Status)
	return c, !changed && phase != ledger.PhaseApproved && phase != ledger.PhaseExpired
}

// planOf does what the plan asks of the campaign: the four steps.
func (r *reconcile) planOf(ctx context.Context, seen *Observation) error {
	phase, _ := PhaseOf(r.campaign)
	var err error
	if phase != ledger.PhaseApproved {
		err = r.wait(ctx, phase)
	} else {
		err = r.attach(ctx, seen)
	}
	if failed, ok := errors.AsType[*readError](err); ok {
		return r.unread(ctx, failed.err, false)
	}
	open, stopped := errors.AsType[*openError](err)
	if err != nil && !stopped {
		return err
	}
	finishErr := r.finish(ctx, func(record *ledger.Campaign) {
		r.recordOf()(record)
		if stopped {
			record.Reason, record.Detail = open.reason, open.detail
			if record.NextAt.IsZero() || open.trialAt.Before(record.NextAt) {
				record.NextAt = open.trialAt
			}
		}
	})
	if stopped && open.reason != ledger.Unauthorized {
		return finishErr // only writes wait; the recheck is scheduled
	}
	return cmp.Or(finishErr, err)
}

// readError says that a read failed, so that nothing may be decided.
type readError struct{ err error }

func (r *readError) Error() string { return r.err.Error() }
func (r *readError) Unwrap() error { return r.err }

// wait records that the numbers wait for their campaign.
func (r *reconcile) wait(ctx context.Context, phase ledger.Phase) error {
	if err := r.dropUnplanned(ctx); err != nil {
		return err
	}
	return r.recordAll(ctx, r.withoutReading(phase))
}

// withoutReading decides about the numbers of a campaign that is not approved: their
// own records need not be read.
func (r *reconcile) withoutReading(phase ledger.Phase) []Decision {
	decisions := make([]Decision, 0, len(r.want.Numbers))
	for _, n := range r.plannedNumbers() {
		c := r.caseOf(n)
		c.Phase = phase
		decisions = append(decisions, Decide(c))
	}
	return decisions
}

// caseOf begins the case of a number with what is known without asking Telnyx.
func (r *reconcile) caseOf(n plan.E164) Case {
	record, campaign := r.known(n), r.reading()
	phase, why := PhaseOf(campaign)
	return Case{
		Entry: r.want, EntryHash: r.entryHash, Campaign: campaign, Phase: phase, Why: why,
		PendingDeadline: r.a.config.PendingDeadline, Urgent: r.req.urgent, CampaignChanged: r.req.changed,
		Change: plan.Change{Number: n}, ClaimEnds: r.claimEnds(record),
		Record: record, Now: r.a.now(),
	}
}

// claimEnds is when the request that a record claims is over, as far as this reconcile
// can know: what was read before the end says nothing, so that the end is still to come
// then.
func (r *reconcile) claimEnds(n ledger.Number) time.Time {
	now := r.a.now()
	ends := r.a.claims.endOf(n, now)
	if r.readFrom.Before(ends) && !now.Before(ends) {
		return now.Add(rereadSoon)
	}
	return ends
}

// attach observes the numbers of an approved campaign, decides, records and applies.
func (r *reconcile) attach(ctx context.Context, seen *Observation) error {
	if err := r.expand(ctx); err != nil {
		return err
	}
	if err := r.dropUnplanned(ctx); err != nil {
		return err
	}
	if seen == nil {
		observed, err := r.a.observer.observe(ctx, r.question(r.campaign, nil))
		if err != nil {
			return &readError{err}
		}
		seen = &observed
	}
	r.a.rest(r.req.key, len(seen.Records))
	if err := r.openCampaign(ctx); err != nil {
		return err
	}
	decisions, err := r.decideAll(ctx, seen)
	if err != nil {
		return err
	}
	var waiting []Decision
	var due []Decision
	for _, d := range decisions {
		if d.Write == WriteNone {
			waiting = append(waiting, d)
		} else {
			due = append(due, d)
		}
	}
	// Writes do not wait for records of other numbers.
	var group errgroup.Group
	group.Go(func() error { return r.recordAll(ctx, waiting) })
	err = r.apply(ctx, due)
	return cmp.Or(group.Wait(), err)
}

// decideAll decides about every planned number.
func (r *reconcile) decideAll(ctx context.Context, seen *Observation) ([]Decision, error) {
	changes := plan.Diff(r.want, r.campaign, seen.Records)
	claimed, err := r.claimedElsewhere(ctx, changes)
	if err != nil {
		return nil, err
	}
	r.extras = 0
	room := r.capacity() - seen.live(r.campaign)
	var cases []Case
	for _, change := range changes {
		if change.Action == plan.Extra {
			r.extras++
			continue
		}
		c := r.caseOf(change.Number)
		c.takes(change, seen)
		if other, ok := claimed[change.Number]; ok {
			c.OtherClaim, c.OtherClaimEnds = other.CampaignID, r.claimEnds(other)
		}
		cases = append(cases, c)
	}
	return decideInOrder(cases, room), nil
}

// takes fills in what was observed of the number.
func (c *Case) takes(change plan.Change, seen *Observation) {
	c.Change, c.RecordUnknown = change, seen.Unknown[change.Number]
	if number, owned := seen.Account[change.Number]; owned {
		c.Account, c.Ownership = number, Owned
	} else if began, absent := seen.Absent[change.Number]; absent {
		c.Ownership, c.AbsentAt = NotOnAccount, c.Now.Add(-time.Since(began))
	}
}

// decideInOrder decides about the numbers in the order of the plan, so that the first
// ones get the room that there is. A request under way takes room before it shows.
func decideInOrder(cases []Case, room int) []Decision {
	for _, c := range cases {
		if c.Change.Record == nil && c.Now.Before(c.ClaimEnds) {
			room--
		}
	}
	slices.SortStableFunc(cases, func(a, b Case) int { return comparePlaces(a.Entry, a.Change.Number, b.Change.Number) })
	decisions := make([]Decision, 0, len(cases))
	for _, c := range cases {
		if room <= 0 {
			c.NoRoom = fmt.Sprintf("the campaign has room for %d numbers", capacityOf(c.Entry, c.Campaign))
		}
		d := Decide(c)
		if d.Write != WriteNone {
			room--
		}
		decisions = append(decisions, d)
	}
	return decisions
}

// comparePlaces orders numbers as the plan names them.
func comparePlaces(entry plan.Campaign, a, b plan.E164) int {
	x, _ := entry.Where(a)
	y, _ := entry.Where(b)
	return cmp.Or(cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line), cmp.Compare(x.Column, y.Column), cmp.Compare(a, b))
}

// soleProprietor is the use case of campaigns that carry one number
// (https://developers.telnyx.com/docs/messaging/10dlc/sole-proprietor).
const soleProprietor = "SOLE_PROPRIETOR"

// capacityOf is how many numbers the campaign carries, by its use case and the plan.
func capacityOf(want plan.Campaign, c telnyx.Campaign) int {
	if strings.EqualFold(strings.ReplaceAll(c.Usecase, " ", "_"), soleProprietor) {
		return min(want.MaxNumbers, 1)
	}
	return want.MaxNumbers
}

func (r *reconcile) capacity() int { return capacityOf(r.want, r.campaign) }

// expand adds the numbers of the entry's pool, as they are now. That the pool has lost
// numbers is believed when a second, later, complete reading agrees; until then the
// ledger keeps them.
func (r *reconcile) expand(ctx context.Context) error {
	if r.want.NumberPool == "" || r.expanded {
		return nil
	}
	pool, complete, err := r.a.observer.pool(ctx, r.want.NumberPool)
	if err != nil {
		return &readError{err}
	}
	now := r.set.WithPool(r.want, pool)
	lost := r.lostFrom(now.Numbers)
	if !r.a.pools.confirm(r.req.key, lost, complete, r.a.now()) && len(lost) > 0 {
		r.spared = lost
		r.checkAt(r.a.now().Add(poolConfirm))
	}
	r.want, r.expanded = now, true
	return nil
}

// lostFrom returns the numbers of the ledger that are not among these.
func (r *reconcile) lostFrom(numbers []plan.E164) []plan.E164 {
	var lost []plan.E164
	for number := range r.numbers {
		if _, found := slices.BinarySearch(numbers, plan.E164(number)); !found {
			lost = append(lost, plan.E164(number))
		}
	}
	slices.Sort(lost)
	return lost
}

// claimedElsewhere returns the numbers to attach or move for which a request for
// another campaign may be under way, as when the plan has just moved them here.
func (r *reconcile) claimedElsewhere(ctx context.Context, changes plan.Changes) (map[plan.E164]ledger.Number, error) {
	var texts []string
	for _, change := range changes {
		if change.Action == plan.Attach || change.Action == plan.Move {
			texts = append(texts, string(change.Number))
		}
	}
	if len(texts) == 0 {
		return nil, nil
	}
	entries, err := r.a.ledger.RecordsOf(ctx, texts)
	if err != nil {
		return nil, err
	}
	claimed := map[plan.E164]ledger.Number{}
	for _, entry := range entries {
		n := entry.Number
		if n.CampaignID != r.req.key && r.a.now().Before(r.claimEnds(n)) {
			claimed[plan.E164(n.Number)] = n
		}
	}
	return claimed, nil
}

// recordAll writes records, many at once.
func (r *reconcile) recordAll(ctx context.Context, decisions []Decision) error {
	var group errgroup.Group
	group.SetLimit(recordsAtOnce)
	for _, d := range decisions {
		group.Go(func() error { return r.put(ctx, d.Record) })
	}
	return group.Wait()
}

// openCampaign records that the campaign is approved before its numbers are attached,
// which may take minutes or be interrupted.
func (r *reconcile) openCampaign(ctx context.Context) error {
	if r.entry.Campaign.Phase == ledger.PhaseApproved {
		return nil
	}
	opened := r.changed(r.recordOf())
	opened.EntryHash, opened.Extras = r.before.EntryHash, r.before.Extras
	return r.record(ctx, opened)
}

// recordOf returns what the campaign's record says of the campaign as it was read.
func (r *reconcile) recordOf() func(*ledger.Campaign) {
	return func(record *ledger.Campaign) {
		c := r.campaign
		record.TelnyxID, record.TCRID, record.BrandID = string(c.CampaignID), string(c.TCRCampaignID), c.BrandID
		record.Shared, record.WebhookURL = c.Shared, c.WebhookURL
		record.Phase, record.Detail = PhaseOf(c)
		record.Status, record.Extras = string(c.CampaignStatus), r.extras
	}
}

// stopped ends a reconcile that the circuit breaker did not let through: the campaign's
// record says so, and every planned number has one.
func (r *reconcile) stopped(ctx context.Context, open *openError) error {
	if !r.planned {
		return nil
	}
	if err := r.note(ctx, open.reason); err != nil {
		return err
	}
	return r.finish(ctx, func(c *ledger.Campaign) {
		c.Phase, c.EntryHash = cmp.Or(c.Phase, ledger.PhaseUnread), r.before.EntryHash
		c.Reason, c.Detail, c.NextAt = open.reason, open.detail, open.trialAt
	})
}

// forget takes a campaign off the ledger that is planned under another of its ids,
// with those of its numbers that no request is under way for.
func (r *reconcile) forget(ctx context.Context) error {
	if err := r.dropUnplanned(ctx); err != nil {
		return err
	}
	if len(r.numbers) > 0 {
		return r.a.publisher.ScheduleRecheck(ctx, r.req.key, r.nextAt.Sub(r.a.now()))
	}
	if r.entry.Revision == 0 {
		return nil
	}
	return r.a.ledger.DropCampaign(ctx, r.entry)
}

// plannedTwice ends a reconcile of a campaign that two entries of the plan name, by
// its two ids. Only asking Telnyx shows that they are one; the entry that has
// Telnyx's own id counts, and this one says so.
func (r *reconcile) plannedTwice(ctx context.Context, duplicate plan.Campaign) error {
	status, detail := string(r.campaign.CampaignStatus), namedTwice(duplicate)
	decisions := r.withoutReading(ledger.PhaseUnknown)
	for i := range decisions {
		decisions[i].Record.Detail = detail
	}
	if err := r.recordAll(ctx, decisions); err != nil {
		return err
	}
	return r.finish(ctx, func(record *ledger.Campaign) {
		// Its ids stay out of the index, where they lead to the duplicate.
		record.TelnyxID, record.TCRID = "", ""
		record.Phase, record.Status, record.Detail = ledger.PhaseUnknown, status, detail
	})
}

// unread ends a reconcile whose reads failed. What the ledger has of the numbers
// stays; the campaign gets the reason, and another reconcile is scheduled. What a
// person or an event asked for is kept for it. That the campaign is missing follows
// only from reading it, not from lists of numbers.
func (r *reconcile) unread(ctx context.Context, cause error, ofCampaign bool) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	class, open := r.a.classify(ctx, cause)
	if open != nil {
		return cmp.Or(r.stopped(ctx, open), error(open))
	}
	if ofCampaign && isMissing(cause, class) {
		return r.missing(ctx, cause)
	}
	reason := ledger.TelnyxUnavailable
	switch {
	case telnyx.IsRateLimited(cause) || !telnyx.WasSent(cause):
		reason = ledger.RateLimited
	case class == telnyx.ClassAccount:
		reason = ledger.AccountBlocked
	case class != telnyx.ClassTransient:
		reason = ledger.UnknownError
	}
	wait := max(retryAfter(cause), r.backoff())
	if err := r.notRead(ctx, reason, errorWords(cause), wait); err != nil {
		return err
	}
	switch {
	case r.req.urgent && r.req.settle != nil:
		return &retryError{cause, wait}
	case r.req.changed && r.planned:
		again := r.req
		again.settle, again.wait = nil, wait
		r.a.queue.add(again)
	}
	return nil
}

// backoff is the wait after another failed read.
func (r *reconcile) backoff() time.Duration {
	attempts := min(r.before.Attempts+1, rereadTries)
	return jittered(waitAfter(rereadBase, rereadMost, 2, attempts), r.a.jitter())
}

// missing ends a reconcile of a campaign that Telnyx does not have, or not for this
// account. It is believed when a second reading agrees; until then the ledger keeps
// what it has.
func (r *reconcile) missing(ctx context.Context, cause error) error {
	if !r.planned {
		return r.forget(ctx)
	}
	words := ""
	if !telnyx.IsNotFound(cause) {
		words = errorWords(cause)
	}
	readings := r.before.Attempts + 1
	if r.before.Phase != ledger.PhaseMissing && (readings < missingTwice || r.before.Reason != ledger.Unverified) {
		return r.notRead(ctx, ledger.Unverified, cmp.Or(words, "Telnyx does not list the campaign on this account; it is asked again"), soon)
	}
	r.campaign = telnyx.Campaign{}
	if err := r.wait(ctx, ledger.PhaseMissing); err != nil {
		return err
	}
	return r.finish(ctx, func(c *ledger.Campaign) {
		c.Phase, c.Status, c.Detail = ledger.PhaseMissing, "", words
	})
}

// notRead records that a reading settled nothing, and schedules another.
func (r *reconcile) notRead(ctx context.Context, reason ledger.Reason, detail string, wait time.Duration) error {
	if err := r.note(ctx, reason); err != nil {
		return err
	}
	if r.planned || reason == ledger.TelnyxUnavailable || reason == ledger.RateLimited {
		r.checkAt(r.a.now().Add(wait))
	}
	// When the wait does not grow any more, neither does the count: the same error
	// again is not news, and would push older news out of the history.
	attempts := min(r.before.Attempts+1, rereadTries)
	if r.before.Attempts == rereadTries && r.before.Reason == reason {
		detail = r.before.Detail
	}
	return r.finish(ctx, func(c *ledger.Campaign) {
		if r.wasRead() {
			r.recordOf()(c)
			c.Extras = r.before.Extras
		}
		c.Phase, c.EntryHash = cmp.Or(c.Phase, ledger.PhaseUnread), r.before.EntryHash
		c.Reason, c.Detail, c.Attempts = reason, detail, attempts
	})
}

// note makes sure that every planned number has a record, so that each has an answer,
// and that none says that it waits for the approval of a campaign that was just read as
// approved.
func (r *reconcile) note(ctx context.Context, reason ledger.Reason) error {
	var noted []Decision
	for _, number := range r.plannedNumbers() {
		n := r.known(number)
		switch {
		case n.Number == "":
			n = ledger.Number{Number: string(number), State: ledger.Planned, Reason: reason, Since: r.a.now().UTC()}
		case r.wasRead() && n.Reason.OfCampaign():
			n.Reason, n.Detail, n.NeedsPerson = reason, "", false
			if n.State != ledger.Planned {
				n.Reason = ""
			}
		default:
			continue
		}
		noted = append(noted, Decision{Record: n})
	}
	return r.recordAll(ctx, noted)
}

// wasRead reports whether this reconcile has read the campaign. What keeps the numbers of
// one that is not approved from being attached is decided without further reads.
func (r *reconcile) wasRead() bool { return r.campaign.AssignmentID() != "" }

// plannedNumbers lists the planned numbers as far as this reconcile knows them: those
// of a pool that was not read are the ones of the ledger.
func (r *reconcile) plannedNumbers() []plan.E164 {
	numbers := slices.Clone(r.want.Numbers)
	if r.want.NumberPool != "" && !r.expanded {
		for number := range r.numbers {
			numbers = append(numbers, plan.E164(number))
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// dropUnplanned takes numbers off the ledger that the plan does not name any more, but
// for those that a request may be under way for: the reconcile of another campaign
// must see that before it claims the number. At Telnyx they stay as they are.
func (r *reconcile) dropUnplanned(ctx context.Context) error {
	if r.want.NumberPool != "" && !r.expanded {
		return nil // which numbers are planned is not known in this reconcile
	}
	for _, number := range slices.Sorted(maps.Keys(r.numbers)) {
		if _, planned := slices.BinarySearch(r.want.Numbers, plan.E164(number)); planned || slices.Contains(r.spared, plan.E164(number)) {
			continue
		}
		if until := r.claimEnds(r.numbers[number].Number); r.a.now().Before(until) {
			r.checkAt(until)
			continue
		}
		if err := r.a.ledger.DropNumber(ctx, r.numbers[number]); err != nil {
			return err
		}
		delete(r.numbers, number)
	}
	return nil
}

// put writes one number's record, and notes when it must be checked again.
func (r *reconcile) put(ctx context.Context, n ledger.Number) error {
	if err := r.putRecord(ctx, n); err != nil {
		return err
	}
	r.checkAt(n.NextAt)
	return nil
}

func (r *reconcile) putRecord(ctx context.Context, n ledger.Number) error {
	r.mu.Lock()
	entry := r.numbers[n.Number]
	r.mu.Unlock()

	n.CampaignID = r.req.key
	n.Plan, n.PlanHash, n.EntryHash, n.Cause = r.want.Name, r.set.Hash, r.entryHash, r.req.cause
	n.PlanPlace = r.placeOf(plan.E164(n.Number))
	written, err := r.a.ledger.PutNumber(ctx, entry, n)
	if err != nil {
		return err
	}
	r.mu.Lock()
	news := n.NeedsPerson && !r.needed[n.Number]
	r.needed[n.Number] = r.needed[n.Number] || n.NeedsPerson
	r.numbers[n.Number] = written
	r.mu.Unlock()
	if n.State != entry.Number.State || n.Reason != entry.Number.Reason {
		r.logNumber(n, news)
	}
	return nil
}

// logNumber logs a number's new state; news says that it needs a person since now.
func (r *reconcile) logNumber(n ledger.Number, news bool) {
	line := r.a.log.Info()
	if news {
		line = r.a.log.Warn().Str(telemetry.KeyDetail, n.Detail)
	}
	line.Str(telemetry.KeyNumber, n.Number).Str(telemetry.KeyCampaign, r.req.key).Str(telemetry.KeyPlan, n.Plan).
		Str(telemetry.KeyState, string(n.State)).Str(telemetry.KeyReason, string(n.Reason)).
		Str(telemetry.KeyCause, r.req.cause).Msg("number is " + string(n.State))
}

// known returns the record of a number as this reconcile has it.
func (r *reconcile) known(number plan.E164) ledger.Number {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.numbers[string(number)].Number
}

// placeOf returns where the plan names a number, or the pool that it is in: the file
// and the line.
func (r *reconcile) placeOf(number plan.E164) string {
	at, named := r.want.Where(number)
	if !named || at.File == "" {
		at = r.want.Position
	}
	return placeText(at)
}

func placeText(at plan.Position) string {
	if at.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", at.File, at.Line)
}

// checkAt notes when the campaign must be reconciled again; the earliest time counts,
// and the zero time is none.
func (r *reconcile) checkAt(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !at.IsZero() && (r.nextAt.IsZero() || at.Before(r.nextAt)) {
		r.nextAt = at
	}
}

// finish writes the campaign's record, stores a notice if there is news, and schedules
// the next reconcile. Change gets the record, cleared of what every reconcile
// says again.
func (r *reconcile) finish(ctx context.Context, change func(*ledger.Campaign)) error {
	c := r.changed(change)
	r.noteAttached(&c)
	r.notify(ctx, &c)
	if err := r.record(ctx, c); err != nil {
		return err
	}
	if took, known := tookToAttach(r.before, c); known {
		r.a.metrics.approval.Observe(took.Seconds())
	}
	if c.NextAt.IsZero() {
		return nil
	}
	return r.a.publisher.ScheduleRecheck(ctx, r.req.key, c.NextAt.Sub(r.a.now()))
}

// changed returns the campaign's record as this reconcile has it.
func (r *reconcile) changed(change func(*ledger.Campaign)) ledger.Campaign {
	before, c := r.entry.Campaign, r.entry.Campaign
	c.ID, c.Cause = r.req.key, r.req.cause
	c.Planned, c.Plan, c.PlanHash, c.EntryHash = r.planned, r.want.Name, "", r.entryHash
	if r.planned {
		c.PlanHash = r.set.Hash
	}
	c.PlanPlace, c.ReadAgo = placeText(r.want.Position), max(r.a.now().Sub(r.now), 0)
	c.Reason, c.Detail, c.Attempts, c.Extras = "", "", 0, 0
	c.NextAt = r.nextAt
	change(&c)
	if c.Phase != before.Phase {
		c.Since = r.a.now().UTC()
	}
	r.noteApproval(&c)
	return c
}

// record writes the campaign's record over the one that this reconcile has read.
func (r *reconcile) record(ctx context.Context, c ledger.Campaign) error {
	before := r.entry.Campaign
	written, err := r.a.ledger.PutCampaign(ctx, r.entry, c)
	if err != nil {
		return err
	}
	r.entry = written
	r.a.observer.campaigns.learn(c)
	if c.Phase != before.Phase || c.Planned != before.Planned {
		r.logCampaign(c)
	}
	return nil
}

func (r *reconcile) logCampaign(c ledger.Campaign) {
	line := r.a.log.Info()
	message := "campaign is " + string(c.Phase)
	if !c.Planned && c.Phase == ledger.PhaseApproved {
		line = r.a.log.Warn()
		message = "a campaign was approved that no plan names; its numbers are attached as soon as a plan names it"
	}
	line.Str(telemetry.KeyCampaign, r.req.key).Str(telemetry.KeyPlan, c.Plan).Str(telemetry.KeyPhase, string(c.Phase)).
		Str(telemetry.KeyCause, r.req.cause).Msg(message)
}
