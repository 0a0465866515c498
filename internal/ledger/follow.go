package ledger

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Follow calls changed with all records as soon as they are read, and again
// whenever any has changed since, but not more often than every so often, until ctx
// ends or changed returns an error. It returns that error, nil when ctx ended, or
// what the server did wrong. Nothing is asked for again meanwhile: the server tells
// of each change. Changed is called from one goroutine; what it gets is its own.
func (l *Ledger) Follow(ctx context.Context, every time.Duration, changed func([]CampaignEntry, []Number) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	presence, err := l.newPresence(ctx)
	if err != nil {
		return err
	}
	defer presence.stop()
	m := mirror{campaigns: map[string]CampaignEntry{}, nextChecks: map[string]nextCheck{}, numbers: map[string]Number{}}
	updates := make([]<-chan jetstream.KeyValueEntry, 3)
	for i, bucket := range []jetstream.KeyValue{l.campaigns, l.numbers, l.state} {
		if bucket == nil {
			m.complete++ // an older ledger has no next checks
			continue
		}
		watcher, err := bucket.WatchAll(ctx)
		if err != nil {
			return fmt.Errorf("watch bucket %s: %w", bucket.Bucket(), err)
		}
		defer stop(watcher)
		updates[i] = watcher.Updates()
	}
	var due <-chan time.Time
	for {
		var kve jetstream.KeyValueEntry
		var open bool
		var take func(jetstream.KeyValueEntry) error
		select {
		case <-ctx.Done():
			return nil
		case <-presence.ticker.C:
			if err := presence.check(ctx); err != nil {
				return fmt.Errorf("watch the ledger: %w", err)
			}
			continue
		case <-due:
			due = nil
			if err := changed(m.records()); err != nil {
				return err
			}
			continue
		case kve, open = <-updates[0]:
			take = m.takeCampaign
		case kve, open = <-updates[1]:
			take = m.takeNumber
		case kve, open = <-updates[2]:
			take = m.takeLook
		}
		switch {
		case !open && ctx.Err() != nil:
			return nil
		case !open:
			return fmt.Errorf("watch the ledger: the server hung up")
		case kve == nil: // all present values of this bucket were seen
			if m.complete++; m.complete == len(updates) {
				due = time.After(0)
			}
			continue
		}
		if err := take(kve); err != nil {
			return err
		}
		if m.complete >= len(updates) && due == nil {
			due = time.After(every)
		}
	}
}

// mirror is all records as they were told of.
type mirror struct {
	campaigns  map[string]CampaignEntry
	nextChecks map[string]nextCheck
	numbers    map[string]Number
	// complete counts the buckets of which all was seen once.
	complete int
}

func (m *mirror) takeCampaign(kve jetstream.KeyValueEntry) error {
	if kve.Operation() != jetstream.KeyValuePut {
		delete(m.campaigns, kve.Key())
		return nil
	}
	entry := CampaignEntry{Revision: kve.Revision()}
	if err := decode(kve, &entry.Campaign); err != nil {
		return err
	}
	m.campaigns[kve.Key()] = entry
	return nil
}

func (m *mirror) takeNumber(kve jetstream.KeyValueEntry) error {
	if kve.Operation() != jetstream.KeyValuePut {
		delete(m.numbers, kve.Key())
		return nil
	}
	var n Number
	if err := decode(kve, &n); err != nil {
		return err
	}
	m.numbers[kve.Key()] = n
	return nil
}

func (m *mirror) takeLook(kve jetstream.KeyValueEntry) error {
	if !isRecord(kve.Key()) {
		return nil
	}
	if kve.Operation() != jetstream.KeyValuePut {
		delete(m.nextChecks, kve.Key())
		return nil
	}
	var next nextCheck
	if err := unmarshal(kve, &next); err != nil {
		return err
	}
	m.nextChecks[kve.Key()] = next
	return nil
}

func (m *mirror) records() ([]CampaignEntry, []Number) {
	campaigns := make([]CampaignEntry, 0, len(m.campaigns))
	for key, entry := range m.campaigns {
		if next, ok := m.nextChecks[key]; ok && next.Revision == entry.Revision {
			entry.Campaign.NextAt = next.NextAt
		}
		campaigns = append(campaigns, entry)
	}
	slices.SortFunc(campaigns, func(a, b CampaignEntry) int { return strings.Compare(a.Campaign.ID, b.Campaign.ID) })
	return campaigns, slices.Collect(maps.Values(m.numbers))
}
