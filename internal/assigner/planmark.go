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
	// markEvery is how often the plans in force are compared with what is stored.
	markEvery = time.Second
	// markTimeout bounds storing them.
	markTimeout = 5 * time.Second
)

// planMark remembers the plan set and fault that this process last stored as [ledger.Plans].
// With the zero value, they are stored again. Safe for concurrent use.
type planMark struct {
	mu     sync.Mutex
	set    *plan.Set
	fault  string
	failed bool
}

// forget makes markPlans store them again, since another assigner may have stored its own.
func (m *planMark) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set = nil
}

// keepPlansMarked stores which plans are in force, while this assigner is active, until ctx
// ends.
func (a *Assigner) keepPlansMarked(ctx context.Context) {
	for ctx.Err() == nil {
		a.markPlans(ctx, a.isActive)
		wait(ctx, markEvery)
	}
}

// AwaitPlans stores why there is no plan set yet, until planned is closed or ctx ends. Call it
// after [Assigner.Join], before [Assigner.Run].
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

// markFault stores why the plan files cannot be used, unless another assigner is active. The
// stored plan set stays.
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
	if readErr != nil || !a.noneActive(ctx) {
		return // the next round tries again
	}
	mark.Fault = err.Error()
	if a.ledger.ReplacePlans(ctx, mark) == nil {
		m.fault = mark.Fault
	}
}

// isActive reports whether this assigner is active.
func (a *Assigner) isActive(ctx context.Context) bool {
	state, err := a.consumer.State(ctx)
	return err == nil && state.Pinned
}

// isStandby reports whether another assigner is active.
func (a *Assigner) isStandby(ctx context.Context) bool {
	state, err := a.consumer.State(ctx)
	return err == nil && state.Elsewhere
}

// noneActive reports whether no assigner asks for messages, so this one is about to become
// active.
func (a *Assigner) noneActive(ctx context.Context) bool {
	backlog, err := events.ReadBacklog(ctx, a.config.JetStream)
	return err == nil && backlog.Idle
}

func alwaysActive(context.Context) bool { return true }

// markPlans stores the plans in force if they have changed and mine returns true.
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
		a.log.Warn().Str(telemetry.KeyPlanHash, set.Hash).Err(err).Msg("the plan set in force could not be stored; trying again")
	}
	m.failed = true
}
