package events

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// headerSchedule and headerTTL are JetStream's own header names
// (NATS architecture decision records 51 and 43).
const (
	headerSchedule = "Nats-Schedule"
	headerTTL      = "Nats-TTL"
	// ttlNever exempts a message from the stream's maximum age. Without it the
	// resync schedule would vanish after a week.
	ttlNever = "never"
)

// ScheduleResync makes the stream trigger a resync every so often, from now on
// and through restarts of everything. The shortest interval is a second. A
// schedule that is there already with the same interval is left alone, so that
// a process that restarts often does not put it off for ever.
func (p *Publisher) ScheduleResync(ctx context.Context, every time.Duration) error {
	target, err := TriggerSubject(KindResync, "")
	if err != nil {
		return err
	}
	subject := scheduleSubject(target)
	if present, err := p.presentSchedule(ctx, subject); err != nil {
		return err
	} else if present == "@every "+every.String() {
		return nil
	}
	msg := nats.NewMsg(subject)
	msg.Header.Set(headerTTL, ttlNever)
	_, err = p.js.PublishMsg(ctx, msg,
		jetstream.WithExpectStream(streamTriggers),
		jetstream.WithScheduleEvery(every),
		jetstream.WithScheduleTarget(target),
		jetstream.WithScheduleTTL(max(every, time.Second)))
	if err != nil {
		return fmt.Errorf("schedule a resync every %s: %w", every, err)
	}
	return nil
}

// ScheduleRecheck makes the stream trigger another look at one campaign, once,
// after the given time or up to a second later. It replaces an earlier recheck of
// the same campaign that has not come yet. Nothing to wait means at once.
//
// The server keeps schedules by its own clock, so the time is told by that: by ours,
// if it is slow, a recheck would come at once, find that it is not time yet, and be
// ordered again.
func (p *Publisher) ScheduleRecheck(ctx context.Context, campaignID string, wait time.Duration) error {
	target, err := TriggerSubject(KindRecheck, campaignID)
	if err != nil {
		return fmt.Errorf("schedule a recheck: %w", err)
	}
	now, err := p.serverTime(ctx)
	if err != nil {
		return fmt.Errorf("schedule a recheck of campaign %s: %w", campaignID, err)
	}
	at := now.Add(wait)
	msg := nats.NewMsg(scheduleSubject(target))
	msg.Header.Set(headerTTL, ttlNever)
	_, err = p.js.PublishMsg(ctx, msg,
		jetstream.WithExpectStream(streamTriggers),
		// Schedules have whole seconds. One that comes early would find that it
		// is not time yet, and be ordered again.
		jetstream.WithScheduleAt(at.Add(time.Second-1).Truncate(time.Second)),
		jetstream.WithScheduleTarget(target),
		jetstream.WithScheduleTTL(triggerTTL))
	if err != nil {
		return fmt.Errorf("schedule a recheck of campaign %s: %w", campaignID, err)
	}
	return nil
}

// clockLasts is how long the difference between our clock and the server's counts.
const clockLasts = time.Minute

// serverTime returns what the server's clock shows, by a comparison that is a
// minute old at most and older than no step of our own clock.
func (p *Publisher) serverTime(ctx context.Context) (time.Time, error) {
	p.clock.mu.Lock()
	defer p.clock.mu.Unlock()
	now := p.now()
	elapsed := now.Sub(p.clock.compared)
	stepped := now.Round(0).Sub(p.clock.compared.Round(0)) - elapsed // the first by the wall clock
	if !p.clock.compared.IsZero() && elapsed >= 0 && elapsed < clockLasts && stepped.Abs() < time.Second {
		return now.Add(p.clock.ahead), nil
	}
	stream, err := p.js.Stream(ctx, streamTriggers)
	if err != nil {
		return time.Time{}, fmt.Errorf("ask for the server's time: %w", err)
	}
	p.clock.compared = p.now()
	p.clock.ahead = stream.CachedInfo().TimeStamp.Sub(p.clock.compared)
	return p.clock.compared.Add(p.clock.ahead), nil
}

// presentSchedule returns the pattern of the schedule under the subject, empty
// if there is none.
func (p *Publisher) presentSchedule(ctx context.Context, subject string) (string, error) {
	stream, err := p.js.Stream(ctx, streamTriggers)
	if err != nil {
		return "", fmt.Errorf("look up stream %s: %w", streamTriggers, err)
	}
	msg, err := stream.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look up schedule %s: %w", subject, err)
	}
	return msg.Header.Get(headerSchedule), nil
}
