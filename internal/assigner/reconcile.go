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
	"greenlight/internal/telnyx"
)

const (
	// The wait after a campaign could not be read: rereadBase, doubled each time up to
	// rereadMax, which rereadTries tries reach.
	rereadBase  = 5 * time.Second
	rereadMax   = 10 * time.Minute
	rereadTries = 8
	// rereadSoon is the wait for a read that begins after a claim has ended.
	rereadSoon = 100 * time.Millisecond
	// missingReads is how many reads must agree that Telnyx does not have a campaign.
	missingReads = 2
	// recordsAtOnce is how many records are written at once.
	recordsAtOnce = 16
)

// reconcile is one reconcile of one campaign: what was read, and what must be written.
type reconcile struct {
	a   *Assigner
	req request
	now time.Time
	// readFrom is the earliest possible time of its reads.
	readFrom time.Time

	set *plan.Set
	// want is the plan's entry. With a number pool, its Numbers are complete once expanded is
	// set, and pool has the settings of the pool's numbers.
	want     plan.Campaign
	planned  bool
	expanded bool
	pool     map[plan.E164]telnyx.Number
	// unconfirmed are numbers that the pool seems to have lost. Until another read confirms
	// it, they stay in the ledger, and nothing is decided about them.
	unconfirmed []plan.E164
	// entryHash is the Hash of the entry as loaded, empty if there is none.
	entryHash string

	// manual says that a person named the numbers, see [Manual]. removes are those to remove;
	// nil means to attach them.
	manual  bool
	removes []plan.E164
	// concluded, if not nil, is called when the request for a number has its answer.
	concluded func(number string)
	// pruneBase and pruned are the fields of the campaign's record.
	pruneBase, pruned int

	entry ledger.CampaignEntry
	// before is the campaign's record as the reconcile found it.
	before ledger.Campaign
	extras []string

	refreshing sync.Mutex // held while the campaign is read again

	mu sync.Mutex // guards the fields below, since numbers are written concurrently
	// campaign is the campaign as read at readAt. It may be read again while numbers are
	// written.
	campaign telnyx.Campaign
	readAt   time.Time
	// readBegan is readAt by the process's own clock.
	readBegan time.Time
	numbers   map[string]ledger.NumberEntry
	// others has, for each number, the highest revision of its records on other campaigns
	// that its decision is based on.
	others map[string]uint64
	// left are numbers that left before a request to remove them was sent.
	left map[string]bool
	// needed are the numbers that already needed a person before.
	needed map[string]bool
	// recorded are the numbers whose records were written.
	recorded map[string]bool
	nextAt   time.Time
	// refusal is a refusal of one number that applies to all others too.
	refusal *ledger.Number
}

// knownAs says that the campaign is planned under another of its ids, so the request belongs
// to that key.
type knownAs struct{ key string }

func (k *knownAs) Error() string { return "planned as campaign " + k.key }

// reconcile reads one campaign and does what is missing. It returns nil if the ledger has the
// outcome, which may be an error of Telnyx; *undoneError if requested work is left undone or
// the key is refused; *knownAs; or another error if the ledger or the streams failed.
func (a *Assigner) reconcile(ctx context.Context, req request) error {
	r, err := a.begin(ctx, req)
	if err != nil {
		return err
	}
	if open := a.breaker.allow(ctx); open != nil {
		return r.stopped(ctx, open)
	}
	if r.isUnknownReference() {
		return r.forget(ctx)
	}
	campaign, seen, err := r.read(ctx)
	if err != nil {
		return r.unread(ctx, err, true)
	}
	r.campaign = campaign
	duplicate, named := OtherEntry(r.set, r.req.key, campaign)
	switch {
	case named && !r.planned:
		a.observer.campaigns.learn(ledger.Campaign{
			ID: duplicate.ID(), TelnyxID: string(campaign.CampaignID), TCRID: string(campaign.TCRCampaignID), BrandID: campaign.BrandID,
		})
		return cmp.Or(r.forget(ctx), error(&knownAs{key: duplicate.ID()}))
	case named && duplicate.Rank() < r.want.Rank():
		return r.plannedTwice(ctx, duplicate)
	case !r.planned:
		if err := r.dropUnplanned(ctx); err != nil {
			return err
		}
		return r.finish(ctx, r.record())
	}
	return r.followPlan(ctx, seen)
}

// begin reads the plan and the ledger.
func (a *Assigner) begin(ctx context.Context, req request) (*reconcile, error) {
	r := &reconcile{a: a, req: req, now: a.now(), set: a.config.Plans()}
	r.readFrom = r.now.Add(-max(time.Since(req.made), 0)) // made is by another clock
	if r.want, r.planned = r.set.Find(req.key); !r.planned {
		r.want = entryFor(cmp.Or(string(a.observer.campaigns.id(req.key)), req.key))
	} else {
		r.entryHash = r.want.Hash()
	}
	var err error
	if r.entry, _, err = a.ledger.Campaign(ctx, req.key); err != nil {
		return nil, err
	}
	r.before = r.entry.Campaign
	r.pruneBase, r.pruned = r.before.PruneBase, r.before.Pruned
	r.numbers, err = a.ledger.Numbers(ctx, req.key)
	r.needed, r.recorded = map[string]bool{}, map[string]bool{}
	for number, entry := range r.numbers {
		r.needed[number] = entry.Number.NeedsPerson
	}
	return r, err
}

// isUnknownReference reports a reference that left the plan before a campaign was filed with
// it. Telnyx finds no campaign by its reference alone.
func (r *reconcile) isUnknownReference() bool {
	_, isReference := plan.ReferenceIn(r.req.key)
	return !r.planned && isReference && r.a.observer.campaigns.id(r.req.key) == ""
}

// read reads the campaign. A resync uses the list of campaigns if nothing there has changed.
// If the campaign may just have been approved, its numbers are read at the same time, which
// saves a round trip; otherwise seen is nil.
func (r *reconcile) read(ctx context.Context) (campaign telnyx.Campaign, seen *Observation, err error) {
	r.readAt, r.readBegan = r.a.now(), time.Now()
	if r.req.urgent || r.before.Reason == ledger.Unverified {
		// A person may know that it exists now, and a doubtful answer must be confirmed.
		r.a.observer.campaigns.forgetMiss(r.want)
	}
	if c, unchanged := r.filed(ctx); unchanged {
		return c, nil, nil
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
	// The early reads count only if the ids were right.
	if err == nil && earlyErr == nil && campaign.CampaignID == guess.CampaignID && campaign.TCRCampaignID == guess.TCRCampaignID {
		seen = &early
	}
	return campaign, seen, err
}

// guess returns the campaign's ids as known without a read. It reports whether its numbers
// are worth reading already: it may be approved, and the plan lists them.
func (r *reconcile) guess() (c telnyx.Campaign, ok bool) {
	known := r.entry.Campaign
	c = telnyx.Campaign{
		CampaignID:    cmp.Or(r.want.CampaignID, telnyx.CampaignID(known.TelnyxID)),
		TCRCampaignID: cmp.Or(r.want.TCRCampaignID, telnyx.TCRCampaignID(known.TCRID)),
		Shared:        known.Shared,
	}
	mayBeApproved := known.Phase == ledger.PhaseApproved || r.req.changed || r.req.urgent
	return c, mayBeApproved && r.planned && r.req.class == prompt && r.want.NumberPool == "" && c.AssignmentID() != ""
}

// question asks what must be known about the planned numbers.
func (r *reconcile) question(c telnyx.Campaign, likelyFree []plan.E164) question {
	sharedBy := 1
	if r.req.class == routine {
		sharedBy = max(len(r.set.Campaigns), 1)
	}
	want := r.want
	want.Numbers = slices.Concat(want.Numbers, r.leaving()) // observed in the same way
	slices.Sort(want.Numbers)
	return question{want: want, campaign: c, asked: r.req.made, requested: r.wasRequested, likelyFree: likelyFree, settings: r.pool, sharedBy: sharedBy}
}

// wasRequested reports whether Telnyx accepted a request for the number, or may have.
func (r *reconcile) wasRequested(number plan.E164) bool {
	known := r.known(number)
	return !known.ClaimedAt.IsZero() || known.State == ledger.Pending || known.State == ledger.Leaving || known.IsOn()
}

// unattached are the planned numbers that the ledger does not have on a campaign.
func (r *reconcile) unattached() []plan.E164 {
	var numbers []plan.E164
	for _, n := range r.want.Numbers {
		if known := r.known(n); !known.IsOn() && known.State != ledger.Pending && known.State != ledger.Conflict {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// filed returns the campaign from the list of campaigns if nothing has changed: it is not
// approved, and was not at the last read. The list may be minutes old, so a campaign with a
// change is read by itself.
func (r *reconcile) filed(ctx context.Context) (c telnyx.Campaign, unchanged bool) {
	known := r.entry.Campaign
	id := cmp.Or(r.want.CampaignID, telnyx.CampaignID(known.TelnyxID))
	if r.req.class != routine || r.req.waiting < 2 || id == "" || known.Shared || known.Phase == ledger.PhaseApproved {
		return c, false
	}
	list, err := r.a.observer.filed.read(ctx, r.req.made, r.req.waiting, r.a.observer.campaigns.filed)
	if err != nil {
		return c, false
	}
	c, listed := list.indexed[id]
	if !listed || !selects(r.want, c) {
		return c, false
	}
	phase, _ := PhaseOf(c)
	wasRead := known.Phase != "" && known.Phase != ledger.PhaseUnread
	changed := wasRead && (phase != known.Phase || string(c.CampaignStatus) != known.Status)
	return c, !changed && phase != ledger.PhaseApproved && phase != ledger.PhaseExpired
}

// followPlan does what the plan asks of the campaign.
func (r *reconcile) followPlan(ctx context.Context, seen *Observation) error {
	var err error
	if phase, why := PhaseOf(r.campaign); phase == ledger.PhaseApproved {
		err = r.attach(ctx, seen)
	} else {
		err = r.wait(ctx, phase, why)
	}
	if failed, ok := errors.AsType[*readError](err); ok {
		return r.unread(ctx, failed.err, false)
	}
	open, stopped := errors.AsType[*openError](err)
	if err != nil && !stopped {
		return err
	}
	if !stopped {
		return r.finish(ctx, r.record())
	}
	r.checkAt(open.trialAt)
	record := r.record()
	record.Reason, record.Detail = open.reason, open.detail
	if err := r.finish(ctx, record); err != nil || open.reason != ledger.Unauthorized {
		return err // only writes wait
	}
	return r.undone(open, open.trialAt.Sub(r.a.now()))
}

// readError says that a read failed, so that nothing may be decided.
type readError struct{ err error }

func (r *readError) Error() string { return r.err.Error() }
func (r *readError) Unwrap() error { return r.err }

// wait records that the numbers wait for their campaign, which is not approved, and why. It
// does not read their records at Telnyx.
func (r *reconcile) wait(ctx context.Context, phase ledger.Phase, why string) error {
	if err := r.dropUnplanned(ctx); err != nil {
		return err
	}
	var decisions []Decision
	for _, n := range r.plannedNumbers() {
		c := r.caseOf(n)
		c.Phase, c.Why = phase, why
		decisions = append(decisions, Decide(c))
	}
	for _, n := range r.leaving() {
		c := r.caseOf(n)
		c.Phase, c.Why, c.Leaving = phase, why, true
		decisions = append(decisions, Decide(c))
	}
	return r.recordAll(ctx, decisions)
}

// caseOf returns the case of a number with what is known without asking Telnyx.
func (r *reconcile) caseOf(n plan.E164) Case {
	record, campaign := r.known(n), r.reading()
	phase, why := PhaseOf(campaign)
	hash := r.entryHash
	if r.manual {
		hash = record.EntryHash
	}
	return Case{
		Entry: r.want, EntryHash: hash, Campaign: campaign, Phase: phase, Why: why,
		PendingDeadline: r.a.config.PendingDeadline, Urgent: r.req.urgent, CampaignChanged: r.req.changed,
		Change: plan.Change{Number: n}, ClaimEnds: r.claimEnds(record),
		Record: record, Now: r.a.now(),
	}
}

// claimEnds is when the request that a record claims is over, for this reconcile. If its
// reads may be from before the end, they prove nothing, so the end is moved into the future.
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
	if err := r.readOthersPools(ctx); err != nil {
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
	if err := r.openCampaign(ctx); err != nil {
		return err
	}
	due, err := r.decideAll(ctx, seen)
	if err != nil {
		return err
	}
	var waiting, left []Decision
	due = slices.DeleteFunc(due, func(d Decision) bool {
		switch {
		case d.Left:
			left = append(left, d)
		case d.Write == WriteNone:
			waiting = append(waiting, d)
		}
		return d.Write == WriteNone
	})
	if err := r.drop(ctx, left); err != nil {
		return err
	}
	// Writes do not wait for records of other numbers.
	var group errgroup.Group
	group.Go(func() error { return r.recordAll(ctx, waiting) })
	err = r.apply(ctx, due)
	return cmp.Or(group.Wait(), err)
}

// decideAll decides on every planned and every leaving number.
func (r *reconcile) decideAll(ctx context.Context, seen *Observation) ([]Decision, error) {
	changes := plan.Diff(r.want, r.campaign, seen.Records)
	leaving := r.leaving()
	claimed, err := r.claimedElsewhere(ctx, changes, leaving)
	if err != nil {
		return nil, err
	}
	r.extras = nil
	room := CapacityOf(r.want, r.campaign) - liveOn(r.campaign, changes) - r.othersComing(changes)
	var cases []Case
	for _, change := range changes {
		if change.Action == plan.Extra {
			if !slices.Contains(leaving, change.Number) {
				r.extras = append(r.extras, clip(string(change.Number)))
			}
			continue
		}
		c := r.caseOf(change.Number)
		c.observed(change, seen)
		if other, ok := claimed[change.Number]; ok {
			c.OtherClaim, c.OtherClaimEnds = other.CampaignID, r.claimEnds(other)
		}
		cases = append(cases, c)
	}
	return append(decideInOrder(cases, room), r.decideLeaving(leaving, seen, claimed)...), nil
}

// othersComing counts other numbers that need room but are not on the campaign yet: a request
// for them may still take effect or, in a command, an assigner is about to attach them.
func (r *reconcile) othersComing(changes plan.Changes) (n int) {
	counted := map[string]bool{} // as live, or as a case
	for _, change := range changes {
		counted[string(change.Number)] = change.Action != plan.Extra || isLive(r.campaign, change)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for number, entry := range r.numbers {
		known := entry.Number
		claimed := known.Request.Sent != sentDelete && r.a.now().Before(r.claimEnds(known))
		next := r.manual && !known.Manual && known.State == ledger.Planned && known.Reason == ledger.Queued
		if !counted[number] && (claimed || next) {
			n++
		}
	}
	return n
}

// observed fills in what was observed about the number.
func (c *Case) observed(change plan.Change, seen *Observation) {
	c.Change, c.RecordUnknown = change, seen.Unknown[change.Number]
	if number, owned := seen.Account[change.Number]; owned {
		c.Account, c.Ownership = number, Owned
	} else if began, absent := seen.Absent[change.Number]; absent {
		c.Ownership, c.AbsentAt = NotOnAccount, c.Now.Add(-time.Since(began))
	}
}

// decideInOrder decides on the numbers in the order of the plan, so that the first ones get
// the room that is left. An unfinished request counts as taking room.
func decideInOrder(cases []Case, room int) []Decision {
	for _, c := range cases {
		if !isLive(c.Campaign, c.Change) && c.Now.Before(c.ClaimEnds) {
			room--
		}
	}
	slices.SortStableFunc(cases, func(a, b Case) int { return comparePlaces(a.Entry, a.Change.Number, b.Change.Number) })
	decisions := make([]Decision, 0, len(cases))
	for _, c := range cases {
		if room <= 0 {
			c.NoRoom = fmt.Sprintf("the limit is %d", CapacityOf(c.Entry, c.Campaign))
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
	return cmp.Or(x.Compare(y), cmp.Compare(a, b))
}

// soleProprietor is the use case of campaigns that can have one number
// (https://developers.telnyx.com/docs/messaging/10dlc/sole-proprietor).
const soleProprietor = "SOLE_PROPRIETOR"

// CapacityOf is how many numbers the campaign can have, by its use case and the plan.
func CapacityOf(want plan.Campaign, c telnyx.Campaign) int {
	if strings.EqualFold(strings.ReplaceAll(c.Usecase, " ", "_"), soleProprietor) {
		return min(want.MaxNumbers, 1)
	}
	return want.MaxNumbers
}

// expand adds the current numbers of the entry's pool. Numbers that disappeared from the pool
// stay in the ledger until a second, later, complete read confirms it.
func (r *reconcile) expand(ctx context.Context) error {
	if r.want.NumberPool == "" || r.expanded {
		return nil
	}
	rows, err := r.a.observer.client.ProfileNumbers(ctx, r.want.NumberPool)
	if err != nil {
		return &readError{err}
	}
	pool, settings := PoolOf(rows.All)
	if rows.Complete {
		r.a.pools.learn(r.want.NumberPool, pool)
	}
	now := r.set.WithPool(r.want, pool)
	lost := r.lostFrom(now.Numbers)
	if !r.a.pools.confirm(r.req.key, lost, rows.Complete, r.a.now()) && len(lost) > 0 {
		r.unconfirmed = lost
		r.checkAt(r.a.now().Add(poolConfirm))
	}
	r.want, r.expanded, r.pool = now, true, settings
	return nil
}

// lostFrom returns the numbers of the ledger that are not among these.
func (r *reconcile) lostFrom(numbers []plan.E164) []plan.E164 {
	var lost []plan.E164
	for number, entry := range r.numbers {
		if _, found := slices.BinarySearch(numbers, plan.E164(number)); !found && entry.Number.State != ledger.Leaving {
			lost = append(lost, plan.E164(number))
		}
	}
	slices.Sort(lost)
	return lost
}

// claimedElsewhere returns the numbers to attach, move or remove for which a request for
// another campaign may be unfinished, for example because the plan has just moved them here.
func (r *reconcile) claimedElsewhere(ctx context.Context, changes plan.Changes, leaving []plan.E164) (map[plan.E164]ledger.Number, error) {
	var texts []string
	for _, n := range leaving {
		texts = append(texts, string(n))
	}
	for _, change := range changes {
		if change.Action == plan.Attach || change.Action == plan.Move {
			texts = append(texts, string(change.Number))
		}
	}
	if len(texts) == 0 {
		return nil, nil
	}
	entries, others, err := r.a.ledger.RecordsOf(ctx, texts)
	if err != nil {
		return nil, err
	}
	r.others = others
	claimed := map[plan.E164]ledger.Number{}
	for _, entry := range entries {
		n := entry.Number
		if n.CampaignID == r.req.key {
			continue
		}
		others[n.Number] = max(others[n.Number], entry.Revision)
		if r.a.now().Before(r.claimEnds(n)) {
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

// openCampaign records the approval before the numbers are attached, which may take minutes
// or be interrupted.
func (r *reconcile) openCampaign(ctx context.Context) error {
	if r.entry.Campaign.Phase == ledger.PhaseApproved {
		return nil
	}
	return r.putCampaign(ctx, r.unfinished())
}

// unfinished is the campaign's record before all of its numbers are decided.
func (r *reconcile) unfinished() ledger.Campaign {
	c := r.record()
	r.noteApproval(&c)
	c.EntryHash, c.Extras, c.ExtraNumbers = r.before.EntryHash, r.before.Extras, r.before.ExtraNumbers
	return c
}

// forget removes a campaign from the ledger that is planned under another of its ids, and its
// numbers except those with an unfinished request.
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

// plannedTwice ends a reconcile of a campaign that two entries name by different ids, which
// only Telnyx can show. The entry with Telnyx's own id counts, and this one says so.
func (r *reconcile) plannedTwice(ctx context.Context, duplicate plan.Campaign) error {
	if err := r.wait(ctx, ledger.PhaseUnknown, namedTwice(duplicate)); err != nil {
		return err
	}
	record := r.record()
	// In the id index, its ids lead to the duplicate.
	record.TelnyxID, record.TCRID = "", ""
	record.Phase, record.Detail = ledger.PhaseUnknown, namedTwice(duplicate)
	return r.finish(ctx, record)
}

// stopped ends a reconcile that the circuit breaker blocked.
func (r *reconcile) stopped(ctx context.Context, open *openError) error {
	if !r.planned && !r.before.Planned {
		return nil
	}
	if !r.planned { // it has left the plan, and the ledger does not have that yet
		if err := r.a.publisher.ScheduleRecheck(ctx, r.req.key, open.trialAt.Sub(r.a.now())); err != nil {
			return err
		}
		return r.undone(open, open.trialAt.Sub(r.a.now()))
	}
	r.checkAt(open.trialAt)
	if err := r.notRead(ctx, open.reason, open.detail, 0); err != nil {
		return err
	}
	return r.undone(open, open.trialAt.Sub(r.a.now()))
}

// undone is the error of a reconcile that is repeated after a while.
func (r *reconcile) undone(cause error, wait time.Duration) error {
	return &undoneError{cause, max(wait, time.Second)}
}

// unread ends a reconcile whose reads failed. Only a read of the campaign itself, not of lists
// of numbers, can show that the campaign is missing.
func (r *reconcile) unread(ctx context.Context, cause error, ofCampaign bool) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	class, open := r.a.classify(ctx, cause)
	if open != nil {
		return r.stopped(ctx, open)
	}
	if ofCampaign && isMissing(cause, class) {
		check := telnyx.ErrorClass("")
		if telnyx.IsNotFound(cause) { // as everything is at a wrong base URL
			check = r.a.breaker.check(ctx)
		}
		switch check {
		case "":
			return r.missing(ctx, cause)
		case telnyx.ClassRefused:
			cause, class = fmt.Errorf("%w: %w", telnyx.ErrNoAPI, cause), telnyx.ClassTransient
		default:
			class = check
		}
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
	attempts := min(r.before.Attempts+1, rereadTries)
	wait := max(retryAfter(cause), jittered(waitAfter(rereadBase, rereadMax, 2, attempts), r.a.jitter()))
	if r.planned || reason == ledger.TelnyxUnavailable || reason == ledger.RateLimited {
		r.checkAt(r.a.now().Add(wait))
	}
	if err := r.notRead(ctx, reason, errorWords(cause), attempts); err != nil {
		return err
	}
	if r.planned && (r.req.urgent || r.req.changed) {
		return r.undone(cause, wait)
	}
	return nil
}

// missing ends a reconcile of a campaign that Telnyx does not have, or not for this account.
// The ledger records that only after a second read agrees.
func (r *reconcile) missing(ctx context.Context, cause error) error {
	if !r.planned {
		return r.forget(ctx)
	}
	words := ""
	if !telnyx.IsNotFound(cause) {
		words = errorWords(cause)
	}
	readings := r.before.Attempts + 1
	if r.before.Phase != ledger.PhaseMissing && (readings < missingReads || r.before.Reason != ledger.Unverified) {
		r.checkAt(r.a.now().Add(soon))
		return r.notRead(ctx, ledger.Unverified, cmp.Or(words, "Telnyx does not list the campaign on this account; Greenlight checks again"), min(readings, rereadTries))
	}
	r.campaign = telnyx.Campaign{}
	if err := r.wait(ctx, ledger.PhaseMissing, words); err != nil {
		return err
	}
	record := r.record()
	record.Phase, record.Status, record.Detail = ledger.PhaseMissing, "", words
	return r.finish(ctx, record)
}

// notRead records why nothing could be decided. The numbers' records stay as they are.
func (r *reconcile) notRead(ctx context.Context, reason ledger.Reason, detail string, attempts int) error {
	if err := r.note(ctx, reason); err != nil {
		return err
	}
	// Once the wait has stopped growing, the record stays the same: repeats of one error would
	// push older changes out of the history.
	if r.before.Attempts == rereadTries && r.before.Reason == reason {
		detail = r.before.Detail
	}
	record := r.record()
	record.Phase, record.EntryHash = cmp.Or(record.Phase, ledger.PhaseUnread), r.before.EntryHash
	record.Extras, record.ExtraNumbers = r.before.Extras, r.before.ExtraNumbers
	record.Reason, record.Detail, record.Attempts = reason, detail, attempts
	return r.finish(ctx, record)
}

// note makes sure that every planned number has a record, and that none still waits for the
// approval of a campaign that was just read as approved.
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

// wasRead reports whether this reconcile has read the campaign.
func (r *reconcile) wasRead() bool { return r.campaign.AssignmentID() != "" }

// plannedNumbers lists the planned numbers. For a pool that was not read, it uses the numbers
// in the ledger.
func (r *reconcile) plannedNumbers() []plan.E164 {
	numbers := slices.Clone(r.want.Numbers)
	if r.want.NumberPool != "" && !r.expanded {
		for number, entry := range r.numbers {
			if entry.Number.State != ledger.Leaving {
				numbers = append(numbers, plan.E164(number))
			}
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// dropUnplanned removes numbers from the ledger that the plan no longer names. Those with an
// unfinished request stay, because other campaigns must see it before they claim the number.
// Nothing changes at Telnyx.
func (r *reconcile) dropUnplanned(ctx context.Context) error {
	if r.want.NumberPool != "" && !r.expanded {
		return nil // this reconcile does not know the pool's numbers
	}
	kept := slices.Concat(r.leaving(), r.unconfirmed)
	for _, number := range slices.Sorted(maps.Keys(r.numbers)) {
		if _, planned := slices.BinarySearch(r.want.Numbers, plan.E164(number)); planned || slices.Contains(kept, plan.E164(number)) {
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
