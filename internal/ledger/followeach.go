package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// Follower is told of records by [Ledger.FollowEach]. All functions are required; they
// are called from one goroutine and must not block for long.
type Follower struct {
	// Campaign and Number get a record as it is now.
	Campaign func(Campaign)
	Number   func(Number)
	// CampaignDropped and NumberDropped get what was taken off the ledger, or was
	// off it when the watch began. The number is in E.164 form.
	CampaignDropped func(id string)
	NumberDropped   func(campaignID, number string)
	// Unreadable gets what is wrong with a record that cannot be read. The record is
	// left out and the others are told.
	Unreadable func(error)
	// Current is called once, when every record that was there at the beginning has
	// been told.
	Current func()
}

// FollowEach tells f every present record of the ledger, then each change as it is
// written, until ctx ends; then it returns nil. An error means that the watch has
// ended and that changes may be missed; follow it again then. Unlike [Ledger.Follow] it
// keeps no numbers, and one record that cannot be read does not end it.
func (l *Ledger) FollowEach(ctx context.Context, f Follower) error {
	presence, err := l.newPresence(ctx)
	if err != nil {
		return err
	}
	defer presence.stop()
	campaigns, err := l.campaigns.WatchAll(ctx)
	if err != nil {
		return fmt.Errorf("watch bucket %s: %w", bucketCampaigns, err)
	}
	defer stop(campaigns)
	numbers, err := l.numbers.WatchAll(ctx)
	if err != nil {
		return fmt.Errorf("watch bucket %s: %w", bucketNumbers, err)
	}
	defer stop(numbers)
	behind := 2
	var checks <-chan jetstream.KeyValueEntry // nil, which nothing comes from, without the bucket
	if l.state != nil {
		watcher, err := l.state.WatchAll(ctx, jetstream.IgnoreDeletes())
		if err != nil {
			return fmt.Errorf("watch bucket %s: %w", bucketState, err)
		}
		defer stop(watcher)
		checks = watcher.Updates()
		behind++
	}
	following := following{Follower: f, known: make(map[string]CampaignEntry), nextChecks: make(map[string]nextCheck)}
	for {
		var kve jetstream.KeyValueEntry
		var open bool
		var tell func(jetstream.KeyValueEntry) error
		select {
		case <-ctx.Done():
			return nil
		case <-presence.ticker.C:
			if err := presence.check(ctx); err != nil {
				return fmt.Errorf("watch the ledger: %w", err)
			}
			continue
		case kve, open = <-campaigns.Updates():
			tell = following.campaign
		case kve, open = <-numbers.Updates():
			tell = following.number
		case kve, open = <-checks:
			tell = following.nextCheck
		}
		switch {
		case !open && ctx.Err() != nil:
			return nil
		case !open:
			return errors.New("watch the ledger: the server hung up")
		case kve == nil: // all present values of one bucket were seen
			if behind--; behind == 0 {
				f.Current()
			}
		default:
			if err := tell(kve); err != nil {
				f.Unreadable(err)
			}
		}
	}
}

// following puts campaigns and their next checks together: either may come first.
type following struct {
	Follower
	known      map[string]CampaignEntry
	nextChecks map[string]nextCheck
}

func (f following) campaign(kve jetstream.KeyValueEntry) error {
	if kve.Operation() != jetstream.KeyValuePut {
		delete(f.known, kve.Key())
		delete(f.nextChecks, kve.Key())
		f.CampaignDropped(kve.Key())
		return nil
	}
	entry := CampaignEntry{Revision: kve.Revision()}
	if err := decode(kve, &entry.Campaign); err != nil {
		return err
	}
	f.known[kve.Key()] = entry
	f.tell(kve.Key())
	return nil
}

func (f following) nextCheck(kve jetstream.KeyValueEntry) error {
	if !isRecord(kve.Key()) {
		return nil
	}
	var next nextCheck
	if err := unmarshal(kve, &next); err != nil {
		return err
	}
	f.nextChecks[kve.Key()] = next
	f.tell(kve.Key())
	return nil
}

func (f following) tell(id string) {
	entry, known := f.known[id]
	if !known {
		return
	}
	if next, ok := f.nextChecks[id]; ok && next.Revision == entry.Revision {
		entry.Campaign.NextAt = next.NextAt
	}
	f.Campaign(entry.Campaign)
}

func (f following) number(kve jetstream.KeyValueEntry) error {
	if kve.Operation() != jetstream.KeyValuePut {
		campaignID, digits, _ := strings.Cut(kve.Key(), ".")
		f.NumberDropped(campaignID, "+"+digits)
		return nil
	}
	var n Number
	if err := decode(kve, &n); err != nil {
		return err
	}
	f.Number(n)
	return nil
}
