package assigner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

const (
	// manualTries is how often a command retries when other processes change the same records,
	// and manualPause the pause between two tries.
	manualTries = 20
	manualPause = 50 * time.Millisecond
	// manualSettle is when an unanswered request of a command is over, even if two machines'
	// clocks differ. Unlike an assigner, a command cannot measure it by its own clock.
	manualSettle = time.Hour
)

// Manual attaches and removes single numbers for a person, while assigners may run. It
// observes, decides and applies as they do, and claims each number in the same ledger, so that
// they do not interfere. Use it from one goroutine, and close it.
type Manual struct {
	a     *Assigner
	cause string
	plans atomic.Pointer[plan.Set]
	// Report, if not nil, is called once for each number of a call, as soon as its result is
	// known. Calls do not overlap.
	Report func(ManualResult)
	// reported are the numbers already reported in this call, which may take several tries.
	reported map[plan.E164]bool
	// made are the records that it made for numbers that no plan names.
	made map[claimKey]ledger.NumberEntry
}

// NewManual opens the ledger. If there is none, the error matches
// [jetstream.ErrBucketNotFound]. While a backup is restored, it matches [events.ErrRestoring],
// even if the ledger exists, because the hold may be missing from it. It uses the config's
// Telnyx, JetStream, Concurrency, Settle, PendingDeadline, Log and Now. Cause says who asks,
// for the records.
func NewManual(ctx context.Context, config Config, cause string) (*Manual, error) {
	m := &Manual{cause: cause, made: map[claimKey]ledger.NumberEntry{}}
	m.plans.Store(&plan.Set{})
	config.Plans = m.plans.Load
	a, err := Prepare(config)
	if err != nil {
		return nil, err
	}
	if err := events.RefuseRestoring(ctx, config.JetStream); err != nil {
		return nil, err
	}
	if a.ledger, err = ledger.Open(ctx, config.JetStream); err != nil {
		return nil, err
	}
	a.metrics = newMetrics(nil, a)
	// The claim is enough, unless a restore began meanwhile: the hold may be missing from it.
	a.isPinned = func(ctx context.Context) bool { return events.RefuseRestoring(ctx, config.JetStream) == nil }
	m.a = a
	return m, a.loadCampaigns(ctx)
}

// ManualResult is the result for one number that a person named.
type ManualResult struct {
	Number plan.E164
	// Before is Telnyx's record before anything was sent, nil if the number was on no
	// campaign.
	Before *telnyx.Assignment
	// Record is the number's record as last decided or written.
	Record ledger.Number
	// Done says that the number is where the person wants it. Sent says that its request is
	// not finished.
	Done, Sent bool
	// Refused is a sentence that says why, if it is neither done nor sent.
	Refused string
	// Would says that a request would be sent, but the caller did not want that.
	Would bool
}

// errPlansChanging says that it is not known yet which numbers the plans name.
var errPlansChanging = errors.New("nothing was sent: a new plan set is in force, and the assigner has not checked all of it; try again in a minute")

// plansSettle is how long a new plan set may take until each of its numbers has a record.
const plansSettle = 10 * time.Minute

// HeldError says who put the campaign on hold.
type HeldError struct{ By ledger.HeldBy }

func (h *HeldError) Error() string {
	return "nothing was sent: on hold by " + strings.TrimRight(h.By.String(), ".") + ". Run greenlight resume first"
}

// Assign attaches the entry's numbers to the campaign that it selects, or moves them there from
// the campaigns under move_from. It returns when Telnyx has answered each request, before the
// numbers are attached. To wait, call it with again, which respects the waits between tries,
// until all are done. The results are in the order of the numbers, which must be sorted. An
// error means that nothing is known about them: a [*HeldError], or a failed read.
func (m *Manual) Assign(ctx context.Context, want plan.Campaign, again bool) (results []ManualResult, err error) {
	m.reported = map[plan.E164]bool{}
	err = retryChanged(ctx, func() error {
		results, err = m.assign(ctx, want, again)
		return err
	})
	return results, err
}

func (m *Manual) assign(ctx context.Context, want plan.Campaign, again bool) ([]ManualResult, error) {
	r, err := m.begin(ctx, want)
	if err != nil {
		return nil, err
	}
	r.req.urgent = !again
	if r.campaign, err = m.a.observer.campaigns.read(ctx, want); err != nil {
		return nil, err
	}
	named, err := m.namedByPlans(ctx, r, want.Numbers)
	if err != nil {
		return nil, err
	}
	seen, err := m.a.observer.observe(ctx, r.question(r.campaign, nil))
	if err != nil {
		return nil, err
	}
	decisions, err := r.decideAll(ctx, &seen)
	if err != nil {
		return nil, err
	}
	results := newResults(plan.Diff(want, r.campaign, seen.Records), plan.Done)
	phase, _ := PhaseOf(r.campaign)
	for i := range results {
		names := named[results[i].Number]
		leaves := r.known(results[i].Number)
		switch {
		case results[i].Done && leaves.State == ledger.Leaving && !leaves.Manual:
			results[i].Done, results[i].Refused = false, fmt.Sprintf("Plan %s no longer names it and has prune: true, so it is being removed. Put it into the plan.", leaves.Plan)
		case results[i].Done:
		case names.elsewhere.Number != "":
			n := names.elsewhere
			results[i].Refused = fmt.Sprintf("Plan %s names it for campaign %s (%s).", n.Plan, n.CampaignID, n.PlanPlace)
		case phase != ledger.PhaseApproved:
			results[i].Refused = phase.Sentence()
		}
	}
	return m.applyTo(ctx, r, results, decisions)
}

// Remove removes the entry's numbers from the campaign that it selects, in any phase. It
// refuses numbers on other campaigns, and those that a plan names for this one. Without send,
// it sends nothing, and sets Would. Otherwise it is like [Manual.Assign].
func (m *Manual) Remove(ctx context.Context, want plan.Campaign, send bool) (results []ManualResult, err error) {
	m.reported = map[plan.E164]bool{}
	err = retryChanged(ctx, func() error {
		results, err = m.remove(ctx, want, send)
		return err
	})
	return results, err
}

func (m *Manual) remove(ctx context.Context, want plan.Campaign, send bool) ([]ManualResult, error) {
	numbers := want.Numbers
	r, err := m.begin(ctx, want)
	if err != nil {
		return nil, err
	}
	r.removes, r.want.Numbers = numbers, nil
	r.campaign, err = m.a.observer.campaigns.read(ctx, want)
	if telnyx.IsNotFound(err) { // its numbers may still be on it
		r.campaign, err = telnyx.Campaign{CampaignID: want.CampaignID, TCRCampaignID: want.TCRCampaignID}, nil
	}
	if err != nil {
		return nil, err
	}
	named, err := m.namedByPlans(ctx, r, numbers)
	if err != nil {
		return nil, err
	}
	seen := newObservation()
	if err := m.a.observer.readEach(ctx, numbers, false, &seen); err != nil {
		return nil, err
	}
	claimed, err := r.claimedElsewhere(ctx, nil, numbers)
	if err != nil {
		return nil, err
	}
	decisions := r.decideLeaving(numbers, &seen, claimed)
	decided := byNumber(decisions)
	results := newResults(plan.Diff(want, r.campaign, seen.Records), plan.Attach)
	for i := range results {
		result := &results[i]
		n := named[result.Number].here
		result.Done = result.Done && decided[string(result.Number)].Left
		switch {
		case result.Before != nil && !result.Before.On(r.campaign):
			result.Done, result.Refused = false, fmt.Sprintf("It is on campaign %s.", result.Before.CampaignID)
		case n.Number != "":
			result.Done, result.Refused = false, fmt.Sprintf("Plan %s names it (%s), so it would be attached again. Take it out of the plan first.", n.Plan, n.PlanPlace)
		}
	}
	if !send {
		for i := range results {
			d := decided[string(results[i].Number)]
			results[i].Would = !results[i].Done && results[i].Refused == "" && d.Write != WriteNone
			if !results[i].Would {
				results[i].complete(r, d)
			}
		}
		return results, nil
	}
	return m.applyTo(ctx, r, results, decisions)
}

// begin prepares a reconcile of numbers that a person named.
func (m *Manual) begin(ctx context.Context, want plan.Campaign) (*reconcile, error) {
	now := m.a.now()
	want.MaxNumbers = cmp.Or(want.MaxNumbers, math.MaxInt32) // Telnyx refuses what is too many
	r := &reconcile{
		a: m.a, manual: true, planned: true, want: want, set: &plan.Set{Campaigns: []plan.Campaign{want}}, now: now, readFrom: now,
		req:    request{key: m.a.observer.campaigns.key(want.ID()), cause: m.cause, made: time.Now(), urgent: true},
		readAt: now,
		needed: map[string]bool{}, recorded: map[string]bool{},
	}
	r.readBegan = r.req.made
	m.plans.Store(r.set)
	var err error
	r.numbers, err = m.a.ledger.Numbers(ctx, r.req.key)
	for number, entry := range r.numbers {
		if entry.Number.Manual && now.Sub(entry.Number.ClaimedAt) > manualSettle {
			entry.Number.ClaimedAt = time.Time{}
			r.numbers[number] = entry
		}
	}
	return r, err
}

// names are the records of a number that the plan in force names: for the command's campaign,
// and for another one. A zero value means none.
type names struct{ here, elsewhere ledger.Number }

// namedByPlans returns the numbers that the plan in force names. If the assigner has not
// checked a new plan set yet, the error is [errPlansChanging].
func (m *Manual) namedByPlans(ctx context.Context, r *reconcile, numbers []plan.E164) (map[plan.E164]names, error) {
	if err := m.plansAreChecked(ctx); err != nil {
		return nil, err
	}
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = string(n)
	}
	entries, _, err := m.a.ledger.RecordsOf(ctx, texts)
	c := r.reading()
	ids := []string{r.req.key, string(c.CampaignID), string(c.TCRCampaignID), plan.Campaign{ReferenceID: c.ReferenceID}.ID()}
	named := map[plan.E164]names{}
	for _, entry := range entries {
		n := entry.Number
		if n.Manual || n.State == ledger.Leaving {
			continue
		}
		found := named[plan.E164(n.Number)]
		if slices.ContainsFunc(ids, func(id string) bool { return id != "" && strings.EqualFold(id, n.CampaignID) }) {
			found.here = n
		} else {
			found.elsewhere = n
		}
		named[plan.E164(n.Number)] = found
	}
	return named, err
}

// plansAreChecked waits a moment until the assigner has checked the plan set in force. After
// plansSettle, it does not wait: one campaign may be unreadable for long.
func (m *Manual) plansAreChecked(ctx context.Context) error {
	for try := 1; ; try++ {
		mark, marked, err := m.a.ledger.Plans(ctx)
		if err != nil || !marked || m.a.now().Sub(mark.LoadedAt) > plansSettle {
			return err
		}
		campaigns, err := m.a.ledger.Campaigns(ctx)
		if err != nil || ledger.Checked(campaigns) == mark.Entries {
			return err
		}
		if try == manualTries {
			return errPlansChanging
		}
		wait(ctx, manualPause)
	}
}

func byNumber(decisions []Decision) map[string]Decision {
	index := make(map[string]Decision, len(decisions))
	for _, d := range decisions {
		index[d.Record.Number] = d
	}
	return index
}

// newResults returns a result for each number. Those with the given action are done.
func newResults(changes plan.Changes, done plan.Action) (results []ManualResult) {
	for _, change := range changes {
		if change.Action == plan.Extra {
			continue
		}
		result := ManualResult{Number: change.Number, Done: change.Action == done}
		if change.Action != plan.Attach {
			result.Before = change.Record
		}
		results = append(results, result)
	}
	return results
}

// applyTo sends the requests for numbers that were not refused, and completes the results.
func (m *Manual) applyTo(ctx context.Context, r *reconcile, results []ManualResult, decisions []Decision) ([]ManualResult, error) {
	decided := byNumber(decisions)
	var due []Decision
	for _, result := range results {
		if d := decided[string(result.Number)]; !result.Done && result.Refused == "" && d.Write != WriteNone {
			due = append(due, d)
		}
	}
	if len(due) > 0 {
		hold, err := m.a.ledger.ReadHold(ctx)
		if err != nil {
			return nil, err
		}
		if by, held := r.heldBy(hold); held {
			return nil, &HeldError{by}
		}
	}
	var mu sync.Mutex // guards open and m.reported
	open := make(map[string]*ManualResult, len(results))
	report := func(number string) {
		mu.Lock()
		defer mu.Unlock()
		result, isOpen := open[number]
		if !isOpen {
			return
		}
		delete(open, number)
		result.complete(r, decided[number])
		if m.Report != nil && !m.reported[result.Number] {
			m.Report(*result)
		}
		m.reported[result.Number] = true
	}
	for i := range results {
		number := string(results[i].Number)
		open[number] = &results[i]
		if !slices.ContainsFunc(due, func(d Decision) bool { return d.Record.Number == number }) {
			report(number)
		}
	}
	r.concluded = report
	err := r.apply(ctx, due)
	m.remember(r, results)
	if errors.Is(err, ledger.ErrChanged) {
		return nil, err // the caller retries
	}
	if stopped, ok := errors.AsType[*openError](err); ok {
		for _, result := range open {
			result.Refused = cmp.Or(result.Refused, "Not sent: "+stopped.reason.Advice().Why)
		}
		err = nil // the results have it
	}
	for i := range results {
		report(string(results[i].Number))
	}
	return results, err
}

// complete fills in the result from what was decided and recorded.
func (m *ManualResult) complete(r *reconcile, decided Decision) {
	m.Record = decided.Record
	if r.isRecorded(string(m.Number)) {
		m.Record = r.known(m.Number)
	}
	if r.hasLeft(string(m.Number)) {
		m.Done = true
	}
	if m.Done || m.Refused != "" {
		return
	}
	m.Sent = isUnderWay(m.Record, r.removes != nil)
	if !m.Sent {
		m.Refused = whyNot(m.Record)
	}
}

// isUnderWay reports whether a request to attach or remove the number is unfinished.
func isUnderWay(n ledger.Number, removes bool) bool {
	if removes {
		isLeaving := telnyx.AssignmentStatus(n.Status) == telnyx.PendingUnassignment && n.Reason == ledger.BeingProcessed
		return n.State == ledger.Leaving && (!n.ClaimedAt.IsZero() && n.Request.Sent == sentDelete || isLeaving)
	}
	return n.State == ledger.Attaching || n.State == ledger.Pending
}

// whyNot says why no request is under way for the number.
func whyNot(n ledger.Number) string {
	switch n.Reason {
	case ledger.BeingProcessed:
		return "Telnyx is still processing it (" + cmp.Or(n.Status, "no status") + "). Run the command again when that is done."
	case ledger.OtherCampaign:
		if n.OtherCampaignID == "" {
			break
		}
		return fmt.Sprintf("It is in use on campaign %s, which is not one that numbers may be moved from.", n.OtherCampaignID)
	case "":
		return "Another request for it is not finished. Run the command again in a minute."
	case ledger.Queued:
		return "Not sent: the command was interrupted, or a restore is in progress. Run it again."
	}
	why := n.Reason.Advice().Why
	if n.Reason == ledger.CampaignFull && n.Request.Outcome != ledger.Refused { // nothing was sent
		return fmt.Sprintf("%s: %s.", strings.TrimRight(why, "."), n.Detail)
	}
	if n.Detail != "" {
		why += " Telnyx: " + strings.TrimRight(n.Detail, ". ") + "."
	}
	return why
}

// remember collects the records of numbers that no plan names.
func (m *Manual) remember(r *reconcile, results []ManualResult) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, result := range results {
		number := string(result.Number)
		if entry := r.numbers[number]; entry.Number.Manual {
			m.made[claimKey{r.req.key, number}] = entry
		}
	}
}

// Close removes the records that it made for numbers that no plan names. A record with an
// unfinished request stays until an assigner or a later command finds that it is over.
func (m *Manual) Close(ctx context.Context) error {
	var errs []error
	for _, entry := range m.made {
		if outcome := entry.Number.Request.Outcome; !entry.Number.ClaimedAt.IsZero() && (outcome == "" || outcome == ledger.Unanswered) {
			continue
		}
		if err := m.a.ledger.DropNumber(ctx, entry); err != nil && !errors.Is(err, ledger.ErrChanged) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Entry returns an entry for the campaign that a person names by one of its ids, or by its name
// in the plan in force.
func (m *Manual) Entry(ctx context.Context, name string) (plan.Campaign, error) {
	entries, err := m.a.ledger.Campaigns(ctx)
	if err != nil {
		return plan.Campaign{}, err
	}
	if c, known := ledger.FindCampaign(entries, name); known {
		return EntryOf(c), nil
	}
	return entryFor(name), nil
}

// EntryOf returns an entry for the campaign of a ledger record, with the plan's max_numbers.
func EntryOf(c ledger.Campaign) plan.Campaign {
	want := entryFor(c.ID)
	switch reference, isReference := plan.ReferenceIn(c.ID); {
	case c.Shared && c.TCRID != "":
		want = plan.Campaign{TCRCampaignID: telnyx.TCRCampaignID(c.TCRID)}
	case c.TelnyxID != "":
		want = plan.Campaign{CampaignID: telnyx.CampaignID(c.TelnyxID)}
	case isReference:
		want = plan.Campaign{ReferenceID: reference, BrandID: c.BrandID}
	}
	if c.Planned {
		want.MaxNumbers = c.MaxNumbers
	}
	return want
}

// ByCampaign reads the records of the numbers. It returns an entry for each campaign that some
// of them are on, and results for the others: done if they are on none, refused if their
// record cannot be read.
func (m *Manual) ByCampaign(ctx context.Context, numbers []plan.E164) (entries []plan.Campaign, others []ManualResult, err error) {
	seen := newObservation()
	if err := m.a.observer.readEach(ctx, numbers, false, &seen); err != nil {
		return nil, nil, err
	}
	on := map[plan.E164]string{}
	for _, record := range seen.Records {
		if record.AssignmentStatus != telnyx.FailedAssignment {
			on[plan.E164(record.PhoneNumber)] = record.CampaignID
		}
	}
	byID := map[string][]plan.E164{}
	for _, n := range numbers {
		switch id, is := on[n]; {
		case seen.Unknown[n] != "":
			others = append(others, ManualResult{Number: n, Refused: seen.Unknown[n] + "."})
		case is:
			byID[id] = append(byID[id], n)
		default:
			others = append(others, ManualResult{Number: n, Done: true})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		want := entryFor(id)
		want.Numbers = byID[id]
		entries = append(entries, want)
	}
	return entries, others, nil
}

// ReadCampaign reads the campaign with the given Telnyx or TCR id. The error for one that does
// not exist matches [telnyx.IsNotFound].
func ReadCampaign(ctx context.Context, client *telnyx.Client, id string) (telnyx.Campaign, error) {
	return ReadEntry(ctx, client, entryFor(id))
}

// ReadEntry is [ReadCampaign] for the campaign that an entry selects.
func ReadEntry(ctx context.Context, client *telnyx.Client, want plan.Campaign) (telnyx.Campaign, error) {
	return newCampaigns(client, time.Now).read(ctx, want)
}

// retryChanged retries while other processes change the same records.
func retryChanged(ctx context.Context, do func() error) error {
	for try := 1; ; try++ {
		err := do()
		if !errors.Is(err, ledger.ErrChanged) || try == manualTries {
			return err
		}
		wait(ctx, manualPause)
	}
}
