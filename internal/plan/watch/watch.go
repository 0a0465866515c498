package watch

import (
	"cmp"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"

	"greenlight/internal/plan"
)

// The defaults of [Options].
const (
	// DefaultSettle is longer than an editor takes between truncating a file and
	// writing it, and short enough that a person does not wait.
	DefaultSettle = 200 * time.Millisecond
	// DefaultPoll bounds how late a change is seen on a file system that sends no
	// events, such as NFS. A poll of 1,000 files takes a few milliseconds.
	DefaultPoll = 30 * time.Second
)

// Options say how to watch. The zero value is ready for use and tells nobody.
// The callbacks are called by [Watcher.Run], one at a time; while one runs, no
// file is read, so they should be quick.
type Options struct {
	// OnChange is told that another set is in force, after [Watcher.Set] returns
	// it. The hashes of old and new differ.
	OnChange func(old, new *plan.Set)
	// OnFault is told why the files are not in force, once as long as the reason
	// stays the same. It is not called when the fault is mended, see [Watcher.Err].
	OnFault func(error)
	// OnBlind is told why there are no file events, or not of all folders, so that
	// changes may be found by the poll only. It is told once as long as the reason
	// stays the same. A likely one is the limit fs.inotify.max_user_watches.
	OnBlind func(error)
	// Settle is how long the files must be quiet before they are read, by default
	// [DefaultSettle].
	Settle time.Duration
	// Poll is the time between looks without an event, by default [DefaultPoll]. It
	// also bounds how long files that never are quiet put off a look.
	Poll time.Duration
	// Load reads the files, by default [plan.Load]. It returns a set or an error,
	// and names in the set's Files every file that it has read.
	Load func(path string) (*plan.Set, error)
}

// withDefaults returns the options with what they leave open filled in.
func (o Options) withDefaults() Options {
	o.Settle = cmp.Or(o.Settle, DefaultSettle)
	o.Poll = cmp.Or(o.Poll, DefaultPoll)
	if o.Load == nil {
		o.Load = plan.Load
	}
	if o.OnChange == nil {
		o.OnChange = func(_, _ *plan.Set) {}
	}
	if o.OnFault == nil {
		o.OnFault = func(error) {}
	}
	if o.OnBlind == nil {
		o.OnBlind = func(error) {}
	}
	return o
}

// Watcher keeps the plan set of a file or folder in force up to date. Make one
// with [New]; its methods are safe for concurrent use.
type Watcher struct {
	path    string
	options Options
	now     atomic.Pointer[state]
	reload  chan struct{} // holds one request, so that asking never waits
	running atomic.Bool
	// newEvents begins to listen to the file system. Tests replace it.
	newEvents func() (*fsnotify.Watcher, error)

	// known is what the files looked like when they were last read, and told the
	// fault that OnFault has heard of. New sets them, then only Run touches them.
	known survey
	told  string
}

// state is what readers see, in one piece.
type state struct {
	set *plan.Set
	err error
}

// firstTries is how often New reads files that move while it reads them.
const firstTries = 5

// New loads the plan file or folder at path. The error is that of the first load,
// [plan.Faults] unless Options.Load says otherwise, and then there is nothing to
// watch. Only [Watcher.Run] keeps the set up to date.
func New(path string, options Options) (*Watcher, error) {
	w := &Watcher{
		path:      path,
		options:   options.withDefaults(),
		reload:    make(chan struct{}, 1),
		newEvents: fsnotify.NewWatcher,
	}
	look := func(files []string) survey { return takeSurvey(w.path, files, nil) }
	r := w.read(look, nil)
	for range firstTries - 1 {
		if r.moved == "" {
			break
		}
		time.Sleep(w.options.Settle)
		r = w.read(look, nil)
	}
	if r.moved != "" {
		r.err = unsteady(r.moved)
	}
	if r.err != nil {
		return nil, r.err
	}
	w.known = r.after
	w.now.Store(&state{set: r.set})
	return w, nil
}

// Tell sets the callbacks, in place of those given to [New]; nil tells nobody. Call
// it before [Watcher.Run]: who is told is often made after the first load.
func (w *Watcher) Tell(onChange func(old, new *plan.Set), onFault, onBlind func(error)) {
	w.options.OnChange, w.options.OnFault, w.options.OnBlind = onChange, onFault, onBlind
	w.options = w.options.withDefaults()
}

// Set returns the set in force: the last one that was good, never nil.
func (w *Watcher) Set() *plan.Set { return w.now.Load().set }

// Err returns why the files as they are now are not in force, or nil when they
// are. It lags behind the files by [Options.Settle], at worst by [Options.Poll].
func (w *Watcher) Err() error { return w.now.Load().err }

// Reload makes [Watcher.Run] look now, as a service does on SIGHUP, and does not
// wait for it. Files that are just being written are still given their time to
// settle. Before Run, the look comes as soon as Run begins.
func (w *Watcher) Reload() {
	select {
	case w.reload <- struct{}{}:
	default: // one is asked for already, and it has not begun
	}
}

// reading is one attempt at the files.
type reading struct {
	set *plan.Set
	err error
	// after is the survey taken after the files were read.
	after survey
	// moved is a file that changed while they were read, if one did. Then set and
	// err may come of a mix and mean nothing.
	moved string
}

// read loads the files between two surveys of them. The files are those which
// count beside the ones that a survey finds by itself.
func (w *Watcher) read(look func(files []string) survey, files []string) reading {
	before := look(files)
	set, err := w.options.Load(w.path)
	if err == nil && !before.covers(set.Files) {
		// The plan names files that nobody looked at before they were read. Now
		// that they are known, read everything under guard.
		files = set.Files
		before = look(files)
		set, err = w.options.Load(w.path)
	}
	after := look(files)
	return reading{set, err, after, before.difference(after)}
}

// publish puts a set in force, or keeps the last one beside the reason why.
func (w *Watcher) publish(set *plan.Set, err error) {
	old := w.now.Load()
	if err != nil {
		w.now.Store(&state{set: old.set, err: err})
		if reason := err.Error(); reason != w.told {
			w.told = reason
			w.options.OnFault(err)
		}
		return
	}
	// Also with the same hash: the lines that the set points to may have moved.
	w.now.Store(&state{set: set})
	w.told = ""
	if set.Hash != old.set.Hash {
		w.options.OnChange(old.set, set)
	}
}

// unsteady is the fault of files that do not hold still.
func unsteady(file string) error {
	return plan.Faults{{
		File: filepath.ToSlash(file), Line: 1, Column: 1,
		What: "file",
		Why:  "keeps changing while the plan is read, so nobody can tell whether it is complete",
		Fix:  "write it in one go, or beside the plan and rename it into place",
	}}
}
