package page

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
)

const (
	// followPause is how long after a watch that ended, or found no ledger, the next
	// one begins.
	followPause = time.Second
	// conditionsAge is how old what the ledger does not know may be on a page, and
	// how often it is looked at while somebody reads a page live.
	conditionsAge = 3 * time.Second
	// readTimeout bounds what a page may ask of NATS.
	readTimeout = 5 * time.Second
)

// Run keeps the index up to date until ctx ends, then ends the streams and returns
// nil.
func (p *Page) Run(ctx context.Context) error {
	var working sync.WaitGroup
	defer working.Wait()
	defer p.endStreams()
	working.Go(func() { p.lookWhileRead(ctx) })
	for {
		err := p.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			p.config.Log.Warn().Err(err).Msg("the status page reads the ledger again")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followPause):
		}
	}
}

// follow reads the ledger and follows it. Before an assigner ever ran there is
// none, which is an empty page and no error.
func (p *Page) follow(ctx context.Context) error {
	x := p.index
	opening, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	book, err := ledger.Open(opening, p.config.JetStream)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		x.setLoaded()
		return nil
	}
	if err != nil {
		return err
	}
	x.mu.Lock()
	x.clear()
	x.loaded = false
	x.mu.Unlock()
	return book.Follow(ctx, ledger.Follower{
		Campaign: x.putCampaign, Number: x.putNumber, CampaignDropped: x.dropCampaign, NumberDropped: x.dropNumber,
		Unreadable: func(err error) { p.config.Log.Error().Err(err).Msg("a record is left out of the status page") },
		Current:    x.setLoaded,
	})
}

func (x *index) setLoaded() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.loaded {
		x.loaded = true
		x.bump()
	}
}

// isLoaded reports whether all of the ledger was read.
func (x *index) isLoaded() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.loaded
}

// awaitLoaded waits until the ledger was read, or ctx ends, and reports which.
func (x *index) awaitLoaded(ctx context.Context) bool {
	for {
		x.mu.Lock()
		loaded, changed := x.loaded, x.changed
		x.mu.Unlock()
		if loaded {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-changed:
		}
	}
}

// conditions are what the page shows and the ledger does not know.
type conditions struct {
	// Checks are those of readiness.
	Checks []checked
	// PlanFaults are the faults of the plan files as they are now, a line each.
	PlanFaults []string
	// Unreachable says why NATS could not be asked; empty when it could.
	Unreachable string
	// Hold is what an operator has stopped.
	Hold ledger.Hold
	// Missing names the buckets of the ledger that are lost.
	Missing []string
	events.Backlog
}

// checked is a check and what it found wrong; Says is empty when that is nothing.
type checked struct {
	Name, Says string
	Advisory   bool
}

func (c conditions) equal(o conditions) bool {
	return slices.Equal(c.Checks, o.Checks) && slices.Equal(c.PlanFaults, o.PlanFaults) &&
		c.Unreachable == o.Unreachable && c.Hold.Equal(o.Hold) && slices.Equal(c.Missing, o.Missing) && c.Backlog == o.Backlog
}

// refresh checks the conditions, unless they were checked a moment ago. It sets its own
// time limit: if ctx ended at the same time, a server that does not answer could not be
// distinguished from a reader who has gone.
func (p *Page) refresh(ctx context.Context) {
	p.checking.Lock()
	defer p.checking.Unlock()
	if time.Since(p.checkedAt) < conditionsAge {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	now := p.check(bounded)
	if ctx.Err() != nil {
		return // what it says is that the reader has gone
	}
	p.checkedAt = time.Now()
	x := p.index
	x.mu.Lock()
	defer x.mu.Unlock()
	if !now.equal(x.conditions) {
		x.conditions = now
		x.bump()
	}
}

func (p *Page) check(ctx context.Context) conditions {
	now := conditions{Checks: make([]checked, len(p.config.Checks))}
	var asking sync.WaitGroup
	for i, check := range p.config.Checks {
		asking.Go(func() {
			now.Checks[i] = checked{Name: check.Name, Advisory: check.Advisory}
			if err := check.Err(ctx); err != nil {
				now.Checks[i].Says = err.Error()
			}
		})
	}
	if err := now.ask(ctx, p.config.JetStream); err != nil {
		now.Unreachable = err.Error()
	}
	asking.Wait()
	if p.config.PlanFaults != nil {
		now.PlanFaults = faultLines(p.config.PlanFaults())
	}
	return now
}

// ask fills in what NATS knows.
func (c *conditions) ask(ctx context.Context, js jetstream.JetStream) (err error) {
	if c.Backlog, err = events.ReadBacklog(ctx, js); err != nil {
		return err
	}
	c.Hold, err = ledger.ReadHold(ctx, js)
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return err
	}
	if !c.Ran {
		return nil
	}
	c.Missing, err = ledger.MissingBuckets(ctx, js)
	return err
}

// faultLines writes the faults of plan files a line each, at most a pageful.
func faultLines(err error) []string {
	if err == nil {
		return nil
	}
	faults, ok := errors.AsType[plan.Faults](err)
	if !ok {
		return []string{err.Error()}
	}
	var lines []string
	for _, fault := range faults[:min(len(faults), pageSize)] {
		lines = append(lines, fault.Error())
	}
	if more := len(faults) - len(lines); more > 0 {
		lines = append(lines, "and "+plural(more, "more fault")+"; greenlight plan validate lists all")
	}
	return lines
}

// lookWhileRead looks at the conditions again and again while anybody reads a page
// live, until ctx ends.
func (p *Page) lookWhileRead(ctx context.Context) {
	ticker := time.NewTicker(conditionsAge)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if p.streaming() {
				p.refresh(ctx)
			}
		}
	}
}
