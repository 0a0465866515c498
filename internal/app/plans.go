package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"greenlight/internal/plan"
)

// Plans is the plan set of a file or folder, loaded again when files change. The last good
// set is always in force, and readers get the whole old or the whole new one. Make one with
// [WatchPlans]. Its methods are safe for concurrent use, except where they say otherwise.
type Plans struct {
	poller
	set atomic.Pointer[plan.Set]
	// inForce is closed once a set is in force.
	inForce chan struct{}
	// kept is the file of the last good set; empty for none.
	kept string
	// loaded is the last set that loaded, in force or not. The digest covers its files, so
	// that a file which it is the first to name must be unchanged too before it is in force.
	loaded *plan.Set
	// onLoad gets each set that Run puts in force, also one with the same hash.
	onLoad func(*plan.Set)
	// onChange gets both sets once the new one is in force. Their hashes differ.
	onChange func(old, new *plan.Set)
}

// firstTries is how often files are read at the start if they change meanwhile.
const firstTries = 5

// WatchPlans loads the plan file or folder at path. The error is that of [plan.Load]; the
// Plans can be used all the same, and have no set in force until [Plans.Keep] or
// [Plans.Run] finds one. Only Run keeps the set up to date.
func WatchPlans(path string) (*Plans, error) {
	p := &Plans{onLoad: func(*plan.Set) {}, onChange: func(_, _ *plan.Set) {}, inForce: make(chan struct{})}
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
		p.fault.Store(&err)
		return p, err
	}
	p.start(p.loaded)
	return p, nil
}

// start puts the first set in force.
func (p *Plans) start(set *plan.Set) {
	p.set.Store(set)
	close(p.inForce)
}

// Keep has each good set stored in a file, for a start with plan files that have a fault:
// if no set is in force, the one in that file is. The error says why that one cannot be
// used. Call it before [Plans.Run].
func (p *Plans) Keep(file string) error {
	p.kept = file
	if _, err := os.Stat(file); p.Set() != nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	set, err := plan.Load(file)
	if err != nil {
		return fmt.Errorf("the last good plan set cannot be used: %w", err)
	}
	p.start(set)
	return nil
}

// store stores a good set in the file for it.
func (p *Plans) store(set *plan.Set) error {
	if p.kept == "" {
		return nil
	}
	text, err := set.YAML()
	if err == nil {
		err = os.WriteFile(p.kept+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(p.kept+".new", p.kept)
	}
	if err != nil {
		return fmt.Errorf("store the plan set for a start with faulty plans: %w", err)
	}
	return nil
}

// Set returns the set in force; nil before the first one.
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
	if old == nil {
		close(p.inForce)
		old = new(plan.Set)
	}
	p.onLoad(set)
	if old.Hash != set.Hash {
		p.onChange(old, set)
	}
}
