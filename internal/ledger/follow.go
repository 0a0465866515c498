package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Follower receives what [Ledger.Follow] reads. Nil functions are not called. All are
// called from one goroutine and must not block for long.
type Follower struct {
	// Campaign and Number receive the current record.
	Campaign func(Campaign)
	Number   func(Number)
	// CampaignDropped and NumberDropped receive what was removed from the ledger, before
	// the watch began or since, or became unreadable. The number is in E.164 form.
	CampaignDropped func(id string)
	NumberDropped   func(campaignID, number string)
	// Unreadable receives the error of a record that cannot be read. The watch skips the
	// record and continues.
	Unreadable func(error)
	// Current is called when all records that existed at the start have been reported,
	// and again after changes, at most once every Every.
	Current func()
	Every   time.Duration
}

// Follow reports every record of the ledger to f, then each change as it is written. It
// returns nil when ctx ends. After an error, changes may be missed: call Follow again. The
// error matches [ErrRecreated] if a bucket was lost. A change of the hold, or of the plans
// in force, only calls f.Current.
func (l *Ledger) Follow(ctx context.Context, f Follower) error {
	w := following{Follower: f, known: make(map[string]CampaignEntry), nextChecks: make(map[string]nextCheck)}
	return l.watch(ctx, f.Every, f.Current,
		source{l.campaigns, ">", w.campaign}, source{l.numbers, ">", w.number}, source{l.state, ">", w.nextCheck})
}

// following combines campaigns with their next checks, which arrive in any order.
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
	if !isRecord(kve) || !f.isReadable(unmarshal(kve, &next)) {
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

// isReadable reports whether err is nil. If not, it passes err to Unreadable.
func (f following) isReadable(err error) bool {
	if err != nil && f.Unreadable != nil {
		f.Unreadable(err)
	}
	return err == nil
}

// isRecord reports whether the entry is a value and not a deletion.
func isRecord(kve jetstream.KeyValueEntry) bool { return kve.Operation() == jetstream.KeyValuePut }

// source is a bucket to watch, the keys to watch in it, and the function that receives
// their entries.
type source struct {
	bucket jetstream.KeyValue
	keys   string
	visit  func(jetstream.KeyValueEntry)
}

// watch visits the current entries of at most three sources, then each change. It returns
// nil when ctx ends. It calls current when all current entries were visited, and again
// after changes, at most once in the given time.
func (l *Ledger) watch(ctx context.Context, every time.Duration, current func(), sources ...source) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began, err := created(ctx, l.js)
	if err != nil {
		return err
	}
	presence := time.NewTicker(presenceEvery)
	defer presence.Stop()
	var updates [3]<-chan jetstream.KeyValueEntry // a nil channel blocks
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
			if l.isRecreated(ctx, began) {
				return fmt.Errorf("watch the ledger: %w", ErrRecreated)
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
			return errors.New("watch the ledger: the NATS server ended the watch")
		case kve == nil: // all current entries of this source were visited
			unread--
		default:
			sources[from].visit(kve)
		}
		if unread == 0 && due == nil && current != nil {
			due = time.After(every)
		}
	}
}
