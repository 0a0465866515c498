package events

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// JetStream's own header names (NATS architecture decision records 51 and 43).
const (
	headerSchedule = "Nats-Schedule"
	// headerScheduleNext is on a message that a schedule made: when it makes the next.
	headerScheduleNext = "Nats-Schedule-Next"
	headerTTL          = "Nats-TTL"
	// ttlNever exempts a message from the stream's maximum age. Without it the resync
	// schedule would expire after a day.
	ttlNever = "never"
)

// ScheduleResync makes the stream trigger a resync at this interval, from now on and
// through restarts of everything. The shortest interval is a second. A schedule with
// the same interval is left alone, so that a process that restarts often does not
// postpone the resync for ever.
func (p *Publisher) ScheduleResync(ctx context.Context, every time.Duration) error {
	target, err := TriggerSubject(KindResync, "")
	if err != nil {
		return err
	}
	subject := scheduleSubject(target)
	present, err := lastTrigger(ctx, p.js, subject)
	if err != nil {
		return err
	}
	if present != nil && present.Header.Get(headerSchedule) == "@every "+every.String() {
		return nil
	}
	msg := nats.NewMsg(subject)
	msg.Header.Set(headerTTL, ttlNever)
	_, err = p.js.PublishMsg(ctx, msg,
		jetstream.WithExpectStream(StreamTriggers),
		jetstream.WithScheduleEvery(every),
		jetstream.WithScheduleTarget(target),
		jetstream.WithScheduleTTL(max(every, time.Second)))
	if err != nil {
		return fmt.Errorf("schedule a resync every %s: %w", every, err)
	}
	return nil
}

// NextResync returns when the next resync is due, zero if no schedule exists.
func NextResync(ctx context.Context, js jetstream.JetStream) (time.Time, error) {
	subject, err := TriggerSubject(KindResync, "")
	if err != nil {
		return time.Time{}, err
	}
	var next time.Time
	for _, from := range []string{subject, scheduleSubject(subject)} {
		msg, err := lastTrigger(ctx, js, from)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return time.Time{}, nil
		}
		if err != nil {
			return time.Time{}, err
		}
		if msg == nil {
			continue
		}
		if at := scheduledAfter(msg); at.After(next) {
			next = at
		}
	}
	return next, nil
}

// scheduledAfter returns when the schedule next fires that the message is, or fired after
// the message that it made.
func scheduledAfter(msg *jetstream.RawStreamMsg) time.Time {
	if at, err := time.Parse(time.RFC3339Nano, msg.Header.Get(headerScheduleNext)); err == nil {
		return at
	}
	pattern, _ := strings.CutPrefix(msg.Header.Get(headerSchedule), "@every ")
	every, err := time.ParseDuration(pattern)
	if err != nil {
		return time.Time{}
	}
	if late := time.Since(msg.Time); late > every && every > 0 {
		return msg.Time.Add(late.Truncate(every) + every)
	}
	return msg.Time.Add(every)
}

// lastTrigger returns the last trigger or schedule under a subject, nil if there is none.
func lastTrigger(ctx context.Context, js jetstream.JetStream, subject string) (*jetstream.RawStreamMsg, error) {
	stream, err := js.Stream(ctx, StreamTriggers)
	if err != nil {
		return nil, fmt.Errorf("look up stream %s: %w", StreamTriggers, err)
	}
	msg, err := stream.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", subject, err)
	}
	return msg, nil
}

// ScheduleRecheck makes the stream trigger one more reconcile of a campaign after the
// given time, or up to a second later. It replaces a recheck of the same campaign that
// is not due yet. A wait of zero means at once.
//
// Schedules follow the server's clock, and so does the time that is computed here. If
// our clock were slow, a recheck would fire at once, come too early, and be scheduled
// again.
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
		jetstream.WithExpectStream(StreamTriggers),
		// Schedules have whole seconds, and a recheck must not come early.
		jetstream.WithScheduleAt(at.Add(time.Second-1).Truncate(time.Second)),
		jetstream.WithScheduleTarget(target),
		jetstream.WithScheduleTTL(triggerTTL))
	if err != nil {
		return fmt.Errorf("schedule a recheck of campaign %s: %w", campaignID, err)
	}
	return nil
}

// offsetLifetime is how long a measured difference between the clocks is used.
const offsetLifetime = time.Minute

// serverTime returns the time on the server's clock. It measures the difference at most
// once a minute, and again after a step of our own clock.
func (p *Publisher) serverTime(ctx context.Context) (time.Time, error) {
	p.clock.mu.Lock()
	defer p.clock.mu.Unlock()
	now := p.now()
	elapsed := now.Sub(p.clock.compared)
	stepped := now.Round(0).Sub(p.clock.compared.Round(0)) - elapsed // the first by the wall clock
	if !p.clock.compared.IsZero() && elapsed >= 0 && elapsed < offsetLifetime && stepped.Abs() < time.Second {
		return now.Add(p.clock.ahead), nil
	}
	ahead, _, err := ClockOffset(ctx, p.js, p.now)
	if err != nil {
		return time.Time{}, err
	}
	p.clock.ahead, p.clock.compared = ahead, p.now()
	return p.clock.compared.Add(ahead), nil
}
