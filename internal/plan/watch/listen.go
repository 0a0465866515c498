package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// news is what was heard since it was last taken.
type news struct {
	// names are the paths at which something happened.
	names map[string]bool
	// lost says that events are missing, so that anything may have happened.
	lost bool
	// broken is an error after which no further events can be relied on.
	broken error
}

// ear listens to folders. It may be deaf, because the system denies it events;
// that is told and not fatal. It is for one goroutine.
type ear struct {
	// heard yields news, all of them at once for whoever is late. It is nil, so
	// never ready, while there is no watcher.
	heard <-chan news

	newEvents func() (*fsnotify.Watcher, error)

	onBlind func(error)
	told    string // what onBlind was told
	failed  error  // why something cannot be heard since the last open

	watcher *fsnotify.Watcher
	done    chan struct{} // closed when gather has returned
}

// open begins to listen unless it does already.
func (e *ear) open() {
	e.failed = nil
	if e.watcher != nil {
		return
	}
	watcher, err := e.newEvents()
	if err != nil {
		e.blind(fmt.Errorf("watch for file events: %w", err))
		return
	}
	heard, done := make(chan news), make(chan struct{})
	e.watcher, e.heard, e.done = watcher, heard, done
	go func() {
		defer close(done)
		gather(watcher, heard)
	}()
}

// listen adds a folder. One that is listened to is added all the same: it may be
// another one of the same name, and fsnotify takes a second time for the first.
func (e *ear) listen(folder string) {
	if e.watcher == nil {
		return
	}
	// A folder that has just vanished is seen as such by the survey.
	if err := e.watcher.Add(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
		e.blind(fmt.Errorf("watch folder %s for file events: %w", folder, err))
	}
}

// keep leaves every folder that is not named.
func (e *ear) keep(folders map[string]bool) {
	if e.watcher == nil {
		return
	}
	for _, folder := range e.watcher.WatchList() {
		if _, ok := folders[folder]; !ok {
			// The only error is that it was left already, when it was removed.
			_ = e.watcher.Remove(folder)
		}
	}
}

// fail gives up listening after an error, until it is opened anew.
func (e *ear) fail(err error) {
	e.close()
	e.blind(fmt.Errorf("watch for file events: %w", err))
}

// blind tells why something is not heard, unless that is known.
func (e *ear) blind(err error) {
	e.failed = err
	if reason := err.Error(); reason != e.told {
		e.told = reason
		e.onBlind(err)
	}
}

// forgive lets the next failure be told even if it is the same again, once all is
// heard. Only the poll does that: a failure that returns with each look is told no
// more often than the poll comes.
func (e *ear) forgive() {
	if e.failed == nil {
		e.told = ""
	}
}

// close stops listening.
func (e *ear) close() {
	if e.watcher == nil {
		return
	}
	_ = e.watcher.Close() // an inotify descriptor holds nothing that could be lost
	<-e.done
	e.watcher, e.heard = nil, nil
}

// gather collects what a watcher says until it is closed. It never makes the
// watcher wait, however long a load or a callback takes: the queue of the kernel
// is short, and fsnotify sends some errors under the lock that Add needs.
func gather(watcher *fsnotify.Watcher, heard chan<- news) {
	var (
		all  news
		out  chan<- news // nil while there is nothing to tell
		errs = watcher.Errors
	)
	for {
		select {
		case event, ok := <-watcher.Events:
			if !ok {
				return
			}
			if all.names == nil {
				all.names = map[string]bool{}
			}
			all.names[filepath.Clean(event.Name)] = true
		case err, ok := <-errs:
			switch {
			case !ok:
				errs = nil // Events is closed next
				continue
			case !errors.Is(err, fsnotify.ErrEventOverflow):
				all.broken = err
			}
			all.lost = true
		case out <- all:
			all, out = news{}, nil
			continue
		}
		out = heard
	}
}
