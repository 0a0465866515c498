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
	// markEvery is how often the mark of the plans is checked: a fault that was fixed
	// without a change is announced by nobody.
	markEvery = time.Second
	// markTimeout bounds writing it.
	markTimeout = 5 * time.Second
)

// planMark keeps the ledger's mark of the plan set in force true, see [ledger.Plans].
type planMark struct {
	mu sync.Mutex
	// written is what this process wrote last; zero when it has to be written anew.
	written ledger.Plans
	failed  bool
	// set is the one that entries is of, which costs something to work out.
	set     *plan.Set
	entries string
	changed chan struct{}
}

func newPlanMark() *planMark { return &planMark{changed: make(chan struct{}, 1)} }

// PlansChanged says that other plans are in force, or that their files are at fault. It
// does not wait for anything.
func (a *Assigner) PlansChanged() {
	select {
	case a.plans.changed <- struct{}{}:
	default: // it is known already
	}
}

// keepPlansMarked marks which plans are in force, while this assigner works, until ctx
// ends.
func (a *Assigner) keepPlansMarked(ctx context.Context) {
	ticker := time.NewTicker(markEvery)
	defer ticker.Stop()
	for {
		a.markPlans(ctx, a.works)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-a.plans.changed:
		}
	}
}

// works reports whether this assigner is the one that works.
func (a *Assigner) works(ctx context.Context) bool {
	state, err := a.consumer.State(ctx)
	return err == nil && state.Pinned
}

// nobodyWorks reports whether no assigner asks for work, so that this one, which is
// about to, is the next to work.
func (a *Assigner) nobodyWorks(ctx context.Context) bool {
	depths, err := events.ReadDepths(ctx, a.config.JetStream)
	return err == nil && !depths.Listening
}

func worksForSure(context.Context) bool { return true }

// markPlans writes the mark if it is not true any more, and if it is this assigner's to
// write.
func (a *Assigner) markPlans(ctx context.Context, mine func(context.Context) bool) {
	m := a.plans
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.of(a.config.Plans(), a.config.PlanFault())
	ctx, cancel := context.WithTimeout(ctx, markTimeout)
	defer cancel()
	if now == m.written || !mine(ctx) {
		return
	}
	if err := a.ledger.PutPlans(ctx, now); err != nil {
		if !m.failed && ctx.Err() == nil {
			a.log.Warn().Str(telemetry.KeyPlanHash, now.Hash).Err(err).Msg("which plan set is in force could not be written down; trying again")
		}
		m.failed = true
		return
	}
	m.written, m.failed = now, false
}

// of returns the mark of a plan set and of the fault of its files.
func (m *planMark) of(set *plan.Set, fault error) ledger.Plans {
	if m.set != set {
		m.set, m.entries = set, ledger.DigestEntries(set.EntryHashes())
	}
	mark := ledger.Plans{Hash: set.Hash, Entries: m.entries}
	if fault != nil {
		mark.Fault = fault.Error()
	}
	return mark
}

// forget has the mark written anew: another assigner may have written its own.
func (m *planMark) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.written = ledger.Plans{}
}
