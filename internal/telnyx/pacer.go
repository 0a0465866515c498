package telnyx

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// The figures of [Pacer], in requests a second unless they say otherwise.
const (
	// startRate is the pace in Telnyx's guide to assigning numbers, half a second
	// between requests: the only figure that it publishes for 10DLC calls,
	// https://developers.telnyx.com/docs/messaging/10dlc/phone-number-assignment.
	startRate = 2.0
	// topRate bounds what the headers can raise the pace to.
	topRate = 20.0
	// bottomRate keeps a Pacer moving, so that it can learn that things are better.
	bottomRate = 0.25
	// share is the part of the allowance that is used. The rest is for whoever
	// else calls Telnyx for the account.
	share = 0.8
	// growth is how the pace recovers and rises: 10 %, at most once in growthTime.
	growth     = 1.1
	growthTime = time.Second
	// defaultPause follows a 429 that does not say how long to wait.
	defaultPause = time.Second
	// longestPause bounds what a header can ask for; the next 429 asks again.
	longestPause = 10 * time.Minute
)

// PacerConfig configures a [Pacer].
type PacerConfig struct {
	// Ceiling is the pace to start with and never to exceed, in requests a
	// second. Zero or less means unset: the Pacer starts at 2 and rises to what
	// Telnyx's headers allow, but not above 20.
	Ceiling float64
}

// Pacer holds all calls to one Telnyx account to one pace, since Telnyx's limit
// is per account: share one between all clients of the account. Calls are spread
// evenly, never sent in a burst.
//
// Every answer adjusts the pace:
//
//	answer                          pace
//	------------------------------- ------------------------------------------
//	429                             halved, and everyone pauses for Retry-After,
//	                                else x-ratelimit-reset, else 1 s
//	none remaining                  everyone pauses until x-ratelimit-reset
//	x-ratelimit-* allow less        down at once to four fifths of what they allow
//	x-ratelimit-* allow more        up by a tenth, to four fifths of what they allow,
//	                                the ceiling, or 20 if none is set
//	no x-ratelimit-*                up by a tenth, to the pace it started with
//	5xx                             never up
//
// It rises at most once a second, so that it does not run into the next 429 as
// soon as it has recovered from the last. What the headers said counts until
// their reset.
//
// It reads the time from package time, so tests of waiting run in a
// testing/synctest bubble. It is safe for concurrent use.
type Pacer struct {
	limiter *rate.Limiter
	start   float64 // the pace without any word from Telnyx
	top     float64

	mu          sync.Mutex
	pausedUntil time.Time
	allowed     float64 // what the headers allowed last, less the reserve
	allowedTill time.Time
	riseAfter   time.Time
}

// NewPacer returns a Pacer that lets the first call pass at once.
func NewPacer(config PacerConfig) *Pacer {
	p := &Pacer{start: startRate, top: topRate}
	if config.Ceiling > 0 {
		p.start, p.top = config.Ceiling, config.Ceiling
	}
	p.limiter = rate.NewLimiter(rate.Limit(p.start), 1)
	return p
}

// Wait blocks until a call may be sent. If ctx ends before that, or is certain
// to, it returns an error that matches ctx's: it does not wait in vain.
func (p *Pacer) Wait(ctx context.Context) error {
	for {
		if err := sleep(ctx, p.pause()); err != nil {
			return fmt.Errorf("wait out Telnyx's rate limit: %w", err)
		}
		if err := p.limiter.Wait(ctx); err != nil {
			return fmt.Errorf("wait for a turn at %.3g requests/s: %w", p.Rate(), contextError(ctx))
		}
		// A 429 may have come while this call waited for its turn.
		if p.pause() <= 0 {
			return nil
		}
	}
}

// Observe adjusts the pace to an answer's status and headers.
func (p *Pacer) Observe(status int, h http.Header) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if status == http.StatusTooManyRequests {
		p.slowDown(now, waitAskedFor(status, h, now))
		return
	}
	if a, ok := allowanceIn(h); ok {
		if a.requests < 1 {
			p.pauseFor(now, a.reset)
			return
		}
		p.allowed, p.allowedTill = share*a.rate(), now.Add(a.reset)
	}
	p.adjust(now, status < 500)
}

// Rate returns the present pace in requests a second, for metrics. A pause does
// not show in it.
func (p *Pacer) Rate() float64 { return float64(p.limiter.Limit()) }

// slowDown halves the pace and pauses. Of several calls in flight that are all
// answered 429, only the first halves it: they tell the same thing.
func (p *Pacer) slowDown(now time.Time, wait time.Duration) {
	if wait <= 0 {
		wait = defaultPause
	}
	if !now.Before(p.pausedUntil) {
		p.setRate(p.Rate() / 2)
	}
	p.pauseFor(now, wait)
	p.riseAfter = p.pausedUntil.Add(growthTime)
}

// adjust moves the pace towards what is allowed now: down at once, up, if it may
// rise at all, by a step.
func (p *Pacer) adjust(now time.Time, mayRise bool) {
	goal := p.start
	if now.Before(p.allowedTill) {
		goal = min(p.allowed, p.top)
	}
	current := p.Rate()
	switch {
	case goal < current:
		p.setRate(goal)
	case mayRise && goal > current && !now.Before(p.riseAfter):
		p.setRate(min(goal, current*growth))
		p.riseAfter = now.Add(growthTime)
	}
}

func (p *Pacer) setRate(perSecond float64) {
	p.limiter.SetLimit(rate.Limit(min(p.top, max(perSecond, bottomRate))))
}

// pauseFor starts or prolongs the pause; it never shortens one.
func (p *Pacer) pauseFor(now time.Time, d time.Duration) {
	if end := now.Add(min(d, longestPause)); end.After(p.pausedUntil) {
		p.pausedUntil = end
	}
}

// pause returns how long everyone has to pause from now; not above zero if not
// at all.
func (p *Pacer) pause() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Until(p.pausedUntil)
}

// contextError returns what ended ctx, or what is about to.
func contextError(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return context.DeadlineExceeded
}

// sleep waits for d. It returns an error that matches ctx's if ctx ends first,
// and returns it at once if ctx's deadline comes before d is over.
func sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d <= 0 {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return context.DeadlineExceeded
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
