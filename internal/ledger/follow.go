package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Follower gets what [Ledger.Follow] reads. A function that is nil is not called. All are
// called from one goroutine and must not block for long.
type Follower struct {
	// Campaign and Number get a record as it is now.
	Campaign func(Campaign)
	Number   func(Number)
	// CampaignDropped and NumberDropped get what was taken off the ledger, was off it
	// when the watch began, or cannot be read any more. The number is in E.164 form.
	CampaignDropped func(id string)
	NumberDropped   func(campaignID, number string)
	// Unreadable gets what is wrong with a record that cannot be read. The record is
	// left out, and the others follow.
	Unreadable func(error)
	// Current is called when every record that was there at the beginning was reported,
	// and again after changes, at most once every Every.
	Current func()
	Every   time.Duration
}

// Follow reports every present record of the ledger to f, then each change as it is
// written, until ctx ends; then it returns nil. An error means that the watch has ended
// and that changes may be missed: follow again then. It matches [ErrMadeAgain] if a bucket
// was lost. A change of what is held, or of the plans in force, only calls f.Current.
func (l *Ledger) Follow(ctx context.Context, f Follower) error {
	w := following{Follower: f, known: make(map[string]CampaignEntry), nextChecks: make(map[string]nextCheck)}
	return l.watch(ctx, f.Every, f.Current,
		source{l.campaigns, ">", w.campaign}, source{l.numbers, ">", w.number}, source{l.state, ">", w.nextCheck})
}

// following puts campaigns and their next checks together: either may come first.
type following struct {
	Follower
	known      map[string]CampaignEntry
	nextChecks map[string]nextCheck
}

func (f following) campaign(kve jetstream.KeyValueEntry) {
	key, entry := kve.Key(), CampaignEntry{Revision: kve.Revision()}
	if isRecord(kve) && f.isReadable(decode(kve, &entry.Campaign)) {
		f.known[key] = entry
		f.report(key)
		return
	}
	delete(f.known, key)
	delete(f.nextChecks, key)
	if f.CampaignDropped != nil {
		f.CampaignDropped(key)
	}
}

func (f following) nextCheck(kve jetstream.KeyValueEntry) {
	var next nextCheck
	if strings.HasPrefix(kve.Key(), markPrefix) || !isRecord(kve) || !f.isReadable(unmarshal(kve, &next)) {
		return
	}
	f.nextChecks[kve.Key()] = next
	f.report(kve.Key())
}

func (f following) report(id string) {
	if entry, known := f.known[id]; known && f.Campaign != nil {
		f.Campaign(entry.with(f.nextChecks[id]).Campaign)
	}
}

func (f following) number(kve jetstream.KeyValueEntry) {
	var n Number
	if isRecord(kve) && f.isReadable(decode(kve, &n)) {
		if f.Number != nil {
			f.Number(n)
		}
		return
	}
	campaignID, digits, _ := strings.Cut(kve.Key(), ".")
	if f.NumberDropped != nil {
		f.NumberDropped(campaignID, "+"+digits)
	}
}

// isReadable reports what is wrong with a record, if anything is.
func (f following) isReadable(err error) bool {
	if err != nil && f.Unreadable != nil {
		f.Unreadable(err)
	}
	return err == nil
}

// isRecord reports whether the entry has a value: one of a deletion has none.
func isRecord(kve jetstream.KeyValueEntry) bool { return kve.Operation() == jetstream.KeyValuePut }

// source is a bucket that a watch follows, the keys that it follows there, and what it
// does with an entry.
type source struct {
	bucket jetstream.KeyValue
	keys   string
	visit  func(jetstream.KeyValueEntry)
}

// watch visits the present entries of at most three sources, then each change, until ctx
// ends; then it returns nil. Current is called when all present entries were visited, and
// after later ones, at most once every so often.
func (l *Ledger) watch(ctx context.Context, every time.Duration, current func(), sources ...source) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began, err := created(ctx, l.js)
	if err != nil {
		return err
	}
	presence := time.NewTicker(presenceEvery)
	defer presence.Stop()
	var updates [3]<-chan jetstream.KeyValueEntry // nothing comes from a nil one
	for i, s := range sources {
		watcher, err := s.bucket.Watch(ctx, s.keys)
		if err != nil {
			return fmt.Errorf("watch bucket %s: %w", s.bucket.Bucket(), err)
		}
		defer stop(watcher)
		updates[i] = watcher.Updates()
	}
	var due <-chan time.Time
	for unread := len(sources); ; {
		var kve jetstream.KeyValueEntry
		var open bool
		var from int
		select {
		case <-ctx.Done():
			return nil
		case <-presence.C:
			if l.isMadeAgain(ctx, began) {
				return fmt.Errorf("watch the ledger: %w", ErrMadeAgain)
			}
			continue
		case <-due:
			due = nil
			current()
			continue
		case kve, open = <-updates[0]:
		case kve, open = <-updates[1]:
			from = 1
		case kve, open = <-updates[2]:
			from = 2
		}
		switch {
		case !open && ctx.Err() != nil:
			return nil
		case !open:
			return errors.New("watch the ledger: the server hung up")
		case kve == nil: // all present entries of this source were visited
			unread--
		default:
			sources[from].visit(kve)
		}
		if unread == 0 && due == nil && current != nil {
			due = time.After(every)
		}
	}
}
