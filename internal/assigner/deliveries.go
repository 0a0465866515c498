package assigner

import (
	"context"
	"fmt"
	"time"

	"greenlight/internal/telemetry"
	"greenlight/internal/telnyx"
)

const (
	// failuresEvery is how often Telnyx's log of failed deliveries is read. Telnyx gives up
	// after about two minutes (https://developers.telnyx.com/docs/messaging/10dlc/event-notifications).
	failuresEvery = 2 * time.Minute
	// failuresBack is how far back the first read of the log goes, and failuresOverlap how far
	// later ones do: the log has a delivery under its start time, and by one page of Telnyx's,
	// attempts may take over an hour.
	failuresBack    = 24 * time.Hour
	failuresOverlap = 2 * time.Hour
	// failurePages bounds the pages of one read.
	failurePages = 4
)

// failures finds events that Telnyx could not deliver. One goroutine uses it.
type failures struct {
	since time.Time
	// handled has the start times of the deliveries whose campaigns were reconciled.
	handled map[string]time.Time
}

// followFailures reconciles the campaigns of events that Telnyx could not deliver, until ctx
// ends. It reads the log when this assigner becomes active and then at intervals. These
// campaigns come before those of the resync, which would find the changes later.
func (a *Assigner) followFailures(ctx context.Context) {
	ctx = telnyx.Routine(ctx)
	f := failures{since: a.now().Add(-failuresBack), handled: map[string]time.Time{}}
	failed := false
	for {
		timer := time.NewTimer(a.failuresEvery)
		active := false
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-a.began:
			active = true
		case <-timer.C:
			active = a.isActive(ctx)
		}
		timer.Stop()
		if !active {
			continue
		}
		err := a.reconcileFailures(ctx, &f)
		if err != nil && !failed && ctx.Err() == nil {
			a.log.Info().Err(err).Msg("Telnyx's log of failed deliveries cannot be read; the resync finds what they were about")
		}
		failed = err != nil
	}
}

// reconcileFailures requests a reconcile of the planned campaign of each new failed delivery.
func (a *Assigner) reconcileFailures(ctx context.Context, f *failures) error {
	began := a.now()
	rows, err := a.client.Deliveries(ctx, f.since, true, failurePages)
	if err != nil {
		return err
	}
	for id, at := range f.handled {
		if at.Before(f.since) {
			delete(f.handled, id)
		}
	}
	for _, d := range rows.All {
		key := a.observer.campaigns.key(d.CampaignID)
		_, planned := a.config.Plans().Find(key)
		if _, handled := f.handled[d.ID]; handled || !planned {
			continue
		}
		f.handled[d.ID] = d.StartedAt.Time
		a.log.Warn().Str(telemetry.KeyCampaign, key).Str(telemetry.KeyType, d.EventType).Str(telemetry.KeyEvent, d.EventID).
			Msg("Telnyx could not deliver an event; its campaign is reconciled now")
		a.queue.add(request{key: key, cause: fmt.Sprintf("delivery of %s failed (event %.60s)", d.EventType, d.EventID), made: time.Now(), changed: true})
	}
	f.since = began.Add(-failuresOverlap)
	return nil
}
