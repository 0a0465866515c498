package watch

import (
	"context"
	"errors"
	"time"
)

// Run keeps the set up to date until ctx ends, and then returns nil. It waits for
// a callback that is under way. The error is not nil only when Run runs already.
func (w *Watcher) Run(ctx context.Context) error {
	if !w.running.CompareAndSwap(false, true) {
		return errors.New("watch " + w.path + ": runs already")
	}
	defer w.running.Store(false)

	quiet := time.NewTimer(time.Hour)
	quiet.Stop()
	poll := time.NewTicker(w.options.Poll)
	defer poll.Stop()
	r := &run{Watcher: w, ear: ear{newEvents: w.newEvents, onBlind: w.options.OnBlind}, quiet: quiet}
	defer r.ear.close()

	r.poll() // what changed since New
	for {
		select {
		case <-ctx.Done():
			return nil
		case heard := <-r.ear.heard:
			if heard.broken != nil {
				r.ear.fail(heard.broken)
			}
			if r.concerned(heard) {
				r.stir()
			}
		case <-poll.C:
			r.poll()
		case <-w.reload:
			if !r.stirred() {
				r.look(ctx)
			}
		case <-quiet.C:
			r.look(ctx)
		}
	}
}

// run is one Run. From stir to look it goes like this:
//
//	calm ──event, or the poll finds a difference──▶ stirred
//	stirred ──event──▶ stirred, Settle begins again, but ends within Poll
//	stirred ──Settle is over──▶ look
//	look ──files moved meanwhile──▶ stirred, or a fault once Poll is over
//	look ──files held still──▶ publish, calm
type run struct {
	*Watcher
	ear   ear
	quiet *time.Timer
	// view is the latest survey: it says which events count.
	view survey
	// since is when the files began to stir, zero while they are calm.
	since time.Time
	// polled is what the poll saw when it stirred. Where there are no events, only
	// two equal surveys a Settle apart show that the files are quiet.
	polled *survey
}

// stirred reports whether a look is due already.
func (r *run) stirred() bool { return !r.since.IsZero() }

// overdue reports whether the files have been stirring for too long.
func (r *run) overdue() bool { return r.stirred() && time.Since(r.since) >= r.options.Poll }

// stir lets the quiet time begin again.
func (r *run) stir() {
	if !r.stirred() {
		r.since = time.Now()
	}
	left := r.options.Poll - time.Since(r.since)
	r.quiet.Reset(max(0, min(r.options.Settle, left)))
}

// calm ends the stir.
func (r *run) calm() {
	r.quiet.Stop()
	r.since, r.polled = time.Time{}, nil
}

// concerned reports whether something that was heard may change the set. After an
// error of the file events, anything may have.
func (r *run) concerned(heard news) bool {
	if heard.lost {
		return true
	}
	atFault := r.Err() != nil
	for name := range heard.names {
		if r.view.concerns(name, atFault) {
			return true
		}
	}
	return false
}

// survey looks at the files and watches their folders. A folder is watched before
// it is read, so that nothing happens unseen in between.
func (r *run) survey(files []string) survey {
	r.ear.open()
	r.view = takeSurvey(r.path, files, r.ear.listen)
	r.ear.keep(r.view.folders)
	return r.view
}

// poll looks for a difference that no event has told.
func (r *run) poll() {
	seen := r.survey(r.Set().Files)
	r.ear.forgive()
	if !r.stirred() && (r.Err() != nil || r.known.difference(seen) != "") {
		r.polled = &seen
		r.stir()
	}
}

// look reads the files and publishes what it found, unless they moved.
func (r *run) look(ctx context.Context) {
	files := r.Set().Files
	if r.polled != nil && !r.overdue() {
		if seen := r.survey(files); r.polled.difference(seen) != "" {
			r.polled = &seen
			r.stir()
			return
		}
	}
	got := r.read(r.survey, files)
	if got.moved != "" {
		if !r.overdue() {
			r.stir()
			return
		}
		got.err = unsteady(got.moved)
	}
	if ctx.Err() != nil {
		return // nobody waits for news of a service that stops
	}
	r.calm()
	r.known = got.after
	r.publish(got.set, got.err)
}
