package app

import (
	"context"
	"sync/atomic"
	"time"

	"greenlight/internal/plan"
)

// Plans is the plan set of a file or folder, loaded again when files change. The last good
// set is always in force, and readers get the whole old or the whole new one. Make one with
// [WatchPlans]. Its methods are safe for concurrent use.
type Plans struct {
	poller
	set atomic.Pointer[plan.Set]
	// loaded is the last set that loaded, in force or not. The digest covers its files, so
	// that a file which it is the first to name must be unchanged too before it is in force.
	loaded *plan.Set
	// onChange gets both sets once the new one is in force. Their hashes differ.
	onChange func(old, new *plan.Set)
}

// firstTries is how often files are read at the start if they change meanwhile.
const firstTries = 5

// WatchPlans loads the plan file or folder at path. The error is that of [plan.Load].
// Only [Plans.Run] keeps the set up to date.
func WatchPlans(path string) (*Plans, error) {
	p := &Plans{onChange: func(_, _ *plan.Set) {}}
	var prints plan.Fingerprints
	p.poller = newPoller(
		func() string { return prints.Of(path, p.loaded) },
		func() (func() error, error) {
			set, err := plan.Load(path)
			if err == nil {
				p.loaded = set
			}
			return func() error { p.use(set); return nil }, err
		})
	var err error
	for range firstTries {
		before := p.digest()
		_, err = p.read()
		if p.used = p.digest(); p.used == before {
			break
		}
		time.Sleep(pollEvery / 20)
	}
	if err != nil {
		return nil, err
	}
	p.set.Store(p.loaded)
	return p, nil
}

// Set returns the set in force, never nil.
func (p *Plans) Set() *plan.Set { return p.set.Load() }

// OnChange sets what is called, one call at a time, with the old and the new set once the
// new one is in force. Call it before [Plans.Run].
func (p *Plans) OnChange(changed func(old, new *plan.Set)) { p.onChange = changed }

// PollEvery sets the time between two checks of the files, a second by default. Call it
// before [Plans.Run].
func (p *Plans) PollEvery(every time.Duration) { p.every = every }

// Run checks the files until ctx ends.
func (p *Plans) Run(ctx context.Context) { p.run(ctx) }

// use puts a set in force, even one with the same hash, whose line numbers may differ.
func (p *Plans) use(set *plan.Set) {
	old := p.set.Swap(set)
	if old.Hash != set.Hash {
		p.onChange(old, set)
	}
}
