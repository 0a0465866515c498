package assigner

import (
	"context"
	"sync"
	"time"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telemetry"
)

const (
	// markEvery is how often the mark of the plans is checked.
	markEvery = time.Second
	// markTimeout bounds writing it.
	markTimeout = 5 * time.Second
)

// planMark remembers of which plan set, and of which fault of its files, this process
// wrote the ledger's mark last, see [ledger.Plans]. The zero value has the mark written.
// Safe for concurrent use.
type planMark struct {
	mu     sync.Mutex
	set    *plan.Set
	fault  string
	failed bool
}

// forget has the mark written anew: another assigner may have written its own.
func (m *planMark) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set = nil
}

// keepPlansMarked marks which plans are in force, while this assigner works, until ctx
// ends.
func (a *Assigner) keepPlansMarked(ctx context.Context) {
	for ctx.Err() == nil {
		a.markPlans(ctx, a.works)
		wait(ctx, markEvery)
	}
}

// AwaitPlans keeps the ledger's mark up to date until planned is closed or ctx ends: it says
// why there is no plan set yet. Call it after [Assigner.Join], before [Assigner.Run].
func (a *Assigner) AwaitPlans(ctx context.Context, planned <-chan struct{}) {
	for {
		select {
		case <-planned:
			return
		case <-ctx.Done():
			return
		default:
		}
		a.markFault(ctx)
		select {
		case <-planned:
		case <-ctx.Done():
		case <-time.After(markEvery):
		}
	}
}

// markFault writes why the plan files cannot be used, unless another assigner works. The set
// that was in force last stays in the mark.
func (a *Assigner) markFault(ctx context.Context) {
	m := &a.plans
	m.mu.Lock()
	defer m.mu.Unlock()
	err := a.config.PlanFault()
	if err == nil || err.Error() == m.fault {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, markTimeout)
	defer cancel()
	mark, _, readErr := a.ledger.Plans(ctx)
	if readErr != nil || !a.nobodyWorks(ctx) {
		return // the next round tries again
	}
	mark.Fault = err.Error()
	if a.ledger.ReplacePlans(ctx, mark) == nil {
		m.fault = mark.Fault
	}
}

// works reports whether this assigner is the one that works.
func (a *Assigner) works(ctx context.Context) bool {
	state, err := a.consumer.State(ctx)
	return err == nil && state.Pinned
}

// standsBy reports whether another assigner is the one that works.
func (a *Assigner) standsBy(ctx context.Context) bool {
	state, err := a.consumer.State(ctx)
	return err == nil && state.Elsewhere
}

// nobodyWorks reports whether no assigner asks for work, so that this one, which is
// about to, is the next to work.
func (a *Assigner) nobodyWorks(ctx context.Context) bool {
	backlog, err := events.ReadBacklog(ctx, a.config.JetStream)
	return err == nil && backlog.Idle
}

func worksForSure(context.Context) bool { return true }

// markPlans writes the mark if it is not true any more, and if it is this assigner's to
// write.
func (a *Assigner) markPlans(ctx context.Context, mine func(context.Context) bool) {
	m := &a.plans
	m.mu.Lock()
	defer m.mu.Unlock()
	set, fault := a.config.Plans(), ""
	if err := a.config.PlanFault(); err != nil {
		fault = err.Error()
	}
	ctx, cancel := context.WithTimeout(ctx, markTimeout)
	defer cancel()
	if set == m.set && fault == m.fault || !mine(ctx) {
		return
	}
	err := a.ledger.PutPlans(ctx, ledger.Plans{Hash: set.Hash, Entries: ledger.DigestEntries(set.EntryHashes()), Fault: fault})
	if err == nil {
		m.set, m.fault, m.failed = set, fault, false
		return
	}
	if !m.failed && ctx.Err() == nil {
		a.log.Warn().Str(telemetry.KeyPlanHash, set.Hash).Err(err).Msg("which plan set is in force could not be written down; trying again")
	}
	m.failed = true
}
