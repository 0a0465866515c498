// Package keyfile keeps a verifier's public keys as a file says, while people and
// secret managers change that file: so that a key can be rotated without a restart.
//
// The file is read when something happened in its folder, or in one in which a link
// on its way lies (Kubernetes renames over a link beside it), when [File.Reload] is
// called, and every [Poll] in any case, since some file systems tell nothing. It is a
// line; reading it costs less than finding out whether it changed.
//
// Invariants: the verifier always has keys that were good once. A file that is gone,
// unreadable or malformed changes nothing and shows in [File.Err]. The same keys
// again, in whatever form or order, are no change.
package keyfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"

	"greenlight/internal/smallfile"
	"greenlight/internal/telnyx"
)

const (
	// Poll bounds how late a change is seen on a file system that sends no events.
	Poll = 10 * time.Second
	// Settle is longer than an editor takes between truncating a file and writing it.
	Settle = 200 * time.Millisecond
)

// maxSize bounds what is read: over a thousand keys.
const maxSize = 64 << 10

// Content returns what the file at path holds, for [telnyx.ParsePublicKeys]. Whoever
// reads the keys before there is a [File] reads them by it, so that what holds up or
// fills the program is refused then too. Its errors never repeat what the file holds.
func Content(path string) ([]byte, error) {
	content, err := smallfile.Read(path, maxSize)
	if err != nil {
		return nil, err
	}
	if len(content) > maxSize {
		return nil, fmt.Errorf("%s is larger than %d bytes, which no list of keys is", path, maxSize)
	}
	return content, nil
}

// read returns the keys that the file at path holds: one, or several with commas
// between. Its errors never repeat what the file holds.
func read(path string) ([]telnyx.PublicKey, error) {
	content, err := Content(path)
	if err != nil {
		return nil, err
	}
	return telnyx.ParsePublicKeys(string(content))
}

// File keeps a verifier's keys as a file says. Make one with [New].
type File struct {
	path     string
	verifier *telnyx.Verifier
	reload   chan struct{} // holds one request, so that asking never waits
	fault    atomic.Pointer[error]
	// seen is the fault that the last look found, told the one that was told.
	seen, told string
}

// New returns a File for a verifier that has the file's keys already.
func New(path string, verifier *telnyx.Verifier) *File {
	return &File{path: path, verifier: verifier, reload: make(chan struct{}, 1)}
}

// Err returns why the file as it is now is not in use, or nil when it is.
func (f *File) Err() error {
	if fault := f.fault.Load(); fault != nil {
		return *fault
	}
	return nil
}

// Reload makes [File.Run] look now, as on SIGHUP, and does not wait for it.
func (f *File) Reload() {
	select {
	case f.reload <- struct{}{}:
	default: // one is asked for already
	}
}

// Run looks after the file until ctx ends, and returns nil. OnChange is told of the
// keys once they are in use, onFault why the file cannot be used, once for as long as
// the reason stays the same. Both are called one at a time and may not be nil.
func (f *File) Run(ctx context.Context, onChange func([]telnyx.PublicKey), onFault func(error)) error {
	stirred := make(chan struct{}, 1)
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		watcher = nil // without events, the poll does
	} else {
		done := make(chan struct{})
		go func() {
			defer close(done)
			gather(watcher, stirred)
		}()
		defer func() { _ = watcher.Close(); <-done }()
	}
	poll := time.NewTicker(Poll)
	defer poll.Stop()
	settled := time.NewTimer(0) // the file may have changed since it was read
	defer settled.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-stirred:
			settled.Reset(Settle)
			continue
		case <-f.reload:
		case <-poll.C:
		case <-settled.C:
		}
		if again := f.look(watcher, onChange, onFault); again {
			settled.Reset(Settle)
		}
	}
}

// gather notes that something happened, or that events may be lost, until the watcher
// is closed. It never makes the watcher wait, which sends some errors under the lock
// that Add needs.
func gather(watcher *fsnotify.Watcher, stirred chan<- struct{}) {
	errs := watcher.Errors
	for {
		select {
		case _, ok := <-watcher.Events:
			if !ok {
				return
			}
		case _, ok := <-errs:
			if !ok {
				errs = nil // Events is closed next
				continue
			}
		}
		select {
		case stirred <- struct{}{}:
		default:
		}
	}
}

// look reads the file. It asks to look again at a fault that is new: a file that is
// just being written is empty for a moment, and nobody need hear of it.
func (f *File) look(watcher *fsnotify.Watcher, onChange func([]telnyx.PublicKey), onFault func(error)) (again bool) {
	if watcher != nil {
		listen(watcher, f.path)
	}
	keys, err := read(f.path)
	if err == nil && !sameKeys(keys, f.verifier.Keys()) {
		if err = f.verifier.Replace(keys); err == nil {
			onChange(keys)
		}
	}
	if err == nil {
		f.fault.Store(nil)
		f.seen, f.told = "", ""
		return false
	}
	err = fmt.Errorf("public key file: %w; the keys that were read before stay in use", err)
	reason := err.Error()
	if reason != f.seen {
		f.seen = reason
		return true
	}
	f.fault.Store(&err)
	if reason != f.told {
		f.told = reason
		onFault(err)
	}
	return false
}

// sameKeys reports whether two lists hold the same keys.
func sameKeys(a, b []telnyx.PublicKey) bool {
	in := func(list []telnyx.PublicKey) func(telnyx.PublicKey) bool {
		return func(key telnyx.PublicKey) bool { return !slices.Contains(list, key) }
	}
	return !slices.ContainsFunc(a, in(b)) && !slices.ContainsFunc(b, in(a))
}

// maxLinks bounds a way through links, so that a circle ends.
const maxLinks = 40

// listen listens to the folder of the file, and to that of each link that leads on
// from it. A folder that was listened to may be another one of the same name by now,
// so all are added anew, which costs nothing if they are the same.
func listen(watcher *fsnotify.Watcher, path string) {
	folders := map[string]bool{}
	for range maxLinks {
		folder := filepath.Dir(path)
		// fsnotify would follow a link and then know the folder by the link's name
		// only, and not see that it leads elsewhere.
		if real, err := filepath.EvalSymlinks(folder); err == nil {
			folder = real
		}
		folders[folder] = true
		_ = watcher.Add(folder) // if it cannot be, there is the poll
		target, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	for _, folder := range watcher.WatchList() {
		if !folders[folder] {
			if err := watcher.Remove(folder); err != nil && !errors.Is(err, fsnotify.ErrNonExistentWatch) {
				return // it is gone
			}
		}
	}
}
