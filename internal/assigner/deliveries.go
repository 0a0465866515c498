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
	// failuresBack is how far back the log is read at first, and failuresOverlap afterwards:
	// it has a delivery under the time at which that began, and one page of Telnyx's speaks
	// of attempts for more than an hour.
	failuresBack    = 24 * time.Hour
	failuresOverlap = 2 * time.Hour
	// failurePages bounds the pages of one reading.
	failurePages = 4
)

// failures finds events that Telnyx could not deliver. One goroutine uses it.
type failures struct {
	since time.Time
	// handled are the deliveries whose campaigns were reconciled, with their time.
	handled map[string]time.Time
}

// followFailures reconciles the campaigns of events that Telnyx gave up delivering, until
// ctx ends. A resync does the same later. The log is read when this assigner begins to work
// and at intervals, and these campaigns come before those of the resync.
func (a *Assigner) followFailures(ctx context.Context) {
	ctx = telnyx.Routine(ctx)
	f := failures{since: a.now().Add(-failuresBack), handled: map[string]time.Time{}}
	failed := false
	for {
		timer := time.NewTimer(a.failuresEvery)
		works := false
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-a.began:
			works = true
		case <-timer.C:
			works = a.works(ctx)
		}
		timer.Stop()
		if !works {
			continue
		}
		err := a.reconcileFailures(ctx, &f)
		if err != nil && !failed && ctx.Err() == nil {
			a.log.Info().Err(err).Msg("Telnyx's log of failed deliveries cannot be read; the resync notices what they were about")
		}
		failed = err != nil
	}
}

// reconcileFailures asks for a reconcile of each planned campaign of a failed delivery that
// was not handled yet.
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
