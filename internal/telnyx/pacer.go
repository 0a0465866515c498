package telnyx

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
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
	// reserve is the part of a window's requests that is left to whoever else calls
	// Telnyx for the account.
	reserve = 0.2
	// burst is how many calls may pass at once after a time without any: the four
	// reads that follow an approval and the first request for a number, which at
	// half a second each would take two seconds. It is no more than that, since it
	// comes on top of the pace: at 20 a second, 25 calls in the first one.
	burst = 5
	// growth is the step by which the pace recovers and rises, and falls to the one
	// it started with: 10 %, at most once in growthTime.
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
// is per account: share one between all clients of the account. Calls that wait
// pass one by one, in the order in which they came, spread evenly over time. Only
// after a time without calls may some pass at once: what was not used adds up, to
// five calls at most, so that in any t seconds at a pace of r no more than r*t + 5
// calls pass. During a pause nothing adds up: at its end one call passes, and the
// next ones are spread again.
//
// Every answer adjusts the pace:
//
//	answer                          pace
//	------------------------------- ------------------------------------------
//	429                             halved, at most once a second, and everyone
//	                                pauses for Retry-After, else
//	                                x-ratelimit-reset, else 1 s
//	none remaining                  everyone pauses until the window ends
//	x-ratelimit-* allow less        down at once to what they allow, until the
//	                                window ends; then back
//	x-ratelimit-* allow more        up by a tenth, to what they allow, the
//	                                ceiling, or 20 if none is set
//	no x-ratelimit-*                up or down by a tenth, to the pace it
//	                                started with
//	5xx                             never up
//
// The steps of a tenth are at least a second apart, so that it does not run into
// the next 429 as soon as it has recovered from the last: from one 429, after
// which it pauses for a second, it is back in ten. It does not fall below one call
// in four seconds, or the ceiling if that is less.
//
// The headers tell how many requests remain of the window that Telnyx counts in,
// and when it ends. A fifth of those that remained when the window was first seen
// is left to whoever else calls Telnyx for the account. The rest, spread over
// the time until the end, is what is allowed; it counts until then. As the time
// is told in whole seconds, the end is taken from all answers of the window
// together.
//
// It reads the time from package time, so tests of waiting run in a
// testing/synctest bubble. It is safe for concurrent use.
type Pacer struct {
	start float64 // the pace without any word from Telnyx
	top   float64

	// head is held by the one caller whose turn is next. The others wait for it in
	// the order in which they came.
	head chan struct{}
	// changed wakes the head when it may have to wait longer or shorter.
	changed chan struct{}

	mu          sync.Mutex
	bucket      *rate.Limiter // only ever asked, never waited for
	waiting     int           // callers in Wait, the head among them
	waits       Waits
	pace        float64 // before the window's word
	stepAfter   time.Time
	halveAfter  time.Time
	window      window
	curbed      bool // the bucket fills at the window's pace, not at pace
	paused      bool // pausedUntil has not been dealt with
	pausedUntil time.Time
}

// NewPacer returns a Pacer that lets the first five calls pass at once.
func NewPacer(config PacerConfig) *Pacer {
	p := &Pacer{start: startRate, top: topRate, head: make(chan struct{}, 1), changed: make(chan struct{}, 1)}
	if config.Ceiling > 0 {
		p.start, p.top = config.Ceiling, config.Ceiling
	}
	p.pace = p.start
	p.bucket = rate.NewLimiter(rate.Limit(p.pace), burst)
	return p
}

// Wait blocks until a call may be sent. If ctx ends before that, or is certain
// to at the present pace, it returns an error that matches ctx's: it does not wait
// in vain.
func (p *Pacer) Wait(ctx context.Context) error {
	began := time.Now()
	wait := p.join()
	defer func() { p.leave(time.Since(began)) }()
	if endsWithin(ctx, wait) {
		return p.waitError(ctx)
	}
	select {
	case p.head <- struct{}{}:
	case <-ctx.Done():
		return p.waitError(ctx)
	}
	defer func() { <-p.head }()
	for {
		wait := p.take()
		if wait <= 0 {
			return nil
		}
		if endsWithin(ctx, wait) || !p.sleep(ctx, wait) {
			return p.waitError(ctx)
		}
	}
}

// reservation is the leave for one call that was waited for in advance.
type reservation struct {
	pacer *Pacer
	used  atomic.Bool
}

type reservationKey struct{}

// Reserve waits like [Pacer.Wait] for the first call that is made with the returned
// context, so that a caller can write down what it is about to do when nothing
// stands between any more. A nil Pacer has nothing to wait for.
func (p *Pacer) Reserve(ctx context.Context) (context.Context, error) {
	if p == nil {
		return ctx, nil
	}
	if err := p.Wait(ctx); err != nil {
		return ctx, err
	}
	return context.WithValue(ctx, reservationKey{}, &reservation{pacer: p}), nil
}

// isReserved reports whether ctx has leave for a call, and uses it up.
func (p *Pacer) isReserved(ctx context.Context) bool {
	r, ok := ctx.Value(reservationKey{}).(*reservation)
	return ok && r.pacer == p && r.used.CompareAndSwap(false, true)
}

// Observe adjusts the pace to an answer's status and headers.
func (p *Pacer) Observe(status int, h http.Header) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.catchUp(now)
	if status == http.StatusTooManyRequests {
		p.slowDown(now, waitAskedFor(status, h, now))
	} else {
		if a, ok := allowanceIn(h); ok {
			p.window.see(now, a)
		}
		p.adjust(now, status < 500)
	}
	p.fill(now)
	select {
	case p.changed <- struct{}{}:
	default: // It is told already.
	}
}

// Rate returns the present pace in requests a second, for metrics. A pause does
// not show in it.
func (p *Pacer) Rate() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.catchUp(time.Now())
	return float64(p.bucket.Limit())
}

// Waits is how long calls had to wait for a Pacer.
type Waits struct {
	// Calls is how many have waited, in vain or not, and Total how long altogether.
	Calls int
	Total time.Duration
	// Now is how many wait at present.
	Now int
}

// Waits returns how long calls had to wait so far, for metrics.
func (p *Pacer) Waits() Waits {
	p.mu.Lock()
	defer p.mu.Unlock()
	waits := p.waits
	waits.Now = p.waiting
	return waits
}

// join counts a caller in and returns how long it has to wait, as things are.
func (p *Pacer) join() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting++
	return p.timeTo(time.Now(), p.waiting)
}

func (p *Pacer) leave(waited time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting--
	p.waits.Calls++
	p.waits.Total += waited
}

// take lets a call pass, or returns how long it is until one may.
func (p *Pacer) take() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	wait := p.timeTo(now, 1)
	if wait <= 0 {
		p.bucket.ReserveN(now, 1) // takes it even if a rounding error is missing
	}
	return wait
}

// sleep waits for d, or until something changed. It returns false if ctx ended.
func (p *Pacer) sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-p.changed:
	}
	return true
}

// timeTo returns how long it is until n more calls have passed. p.mu is held, as
// in all that follow.
func (p *Pacer) timeTo(now time.Time, n int) time.Duration {
	p.catchUp(now)
	wait := max(p.pausedUntil.Sub(now), 0)
	from := now.Add(wait)
	missing := float64(n) - p.bucket.TokensAt(from)
	if p.curbed && from.Before(p.window.end) {
		left := p.window.end.Sub(from)
		if filled := float64(p.bucket.Limit()) * left.Seconds(); missing > filled {
			return wait + left + timeFor(missing-filled, p.pace)
		}
	}
	return wait + timeFor(missing, float64(p.bucket.Limit()))
}

// timeFor returns how long n calls take. What float64 makes of whole numbers is
// rounded away: a billionth of a call, a thousandth of a nanosecond.
func timeFor(n, perSecond float64) time.Duration {
	if n < 1e-9 {
		return 0
	}
	return time.Duration(math.Ceil(n/perSecond*float64(time.Second) - 1e-3))
}

// catchUp does what was due between the last call of a method and now: the end
// of the window and that of the pause.
func (p *Pacer) catchUp(now time.Time) {
	endPause := p.paused && !now.Before(p.pausedUntil)
	if endPause && !p.pausedUntil.After(p.window.end) {
		p.endPause()
		endPause = false
	}
	if p.curbed && p.window.over(now) {
		p.curbed = false
		p.bucket.SetLimitAt(p.window.end, rate.Limit(p.pace))
	}
	if endPause {
		p.endPause()
	}
}

// endPause lets calls that are not made add up again.
func (p *Pacer) endPause() {
	p.paused = false
	p.bucket.SetBurstAt(p.pausedUntil, burst)
}

// fill makes the bucket fill at the pace that holds now.
func (p *Pacer) fill(now time.Time) {
	perSecond := p.pace
	p.curbed = !p.window.over(now) && p.window.pace < p.pace
	if p.curbed {
		perSecond = p.bounded(p.window.pace)
	}
	p.bucket.SetLimitAt(now, rate.Limit(perSecond))
}

// slowDown halves the pace and pauses. Of several calls in flight that are all
// answered 429, only the first halves it: they tell the same thing.
func (p *Pacer) slowDown(now time.Time, wait time.Duration) {
	if wait <= 0 {
		wait = defaultPause
	}
	if !now.Before(p.pausedUntil) && !now.Before(p.halveAfter) {
		p.pace = p.bounded(p.pace / 2)
		p.halveAfter = now.Add(growthTime)
	}
	p.pauseUntil(now, now.Add(wait))
	p.stepAfter = p.pausedUntil.Add(growthTime)
}

// adjust moves the pace towards what is allowed now by a step, up only if it may
// rise, or pauses when nothing is left. What a window allows below the pace does
// not lower it: that ends with the window.
func (p *Pacer) adjust(now time.Time, mayRise bool) {
	goal, mayFall := p.start, true
	if !p.window.over(now) {
		if p.window.remaining < 1 {
			p.pauseUntil(now, p.window.end)
			return
		}
		goal, mayFall = p.window.pace, false
	}
	if now.Before(p.stepAfter) {
		return
	}
	switch {
	case goal > p.pace && mayRise:
		p.pace = p.bounded(min(goal, p.pace*growth))
	case goal < p.pace && mayFall:
		p.pace = p.bounded(max(goal, p.pace/growth))
	default:
		return
	}
	p.stepAfter = now.Add(growthTime)
}

func (p *Pacer) bounded(perSecond float64) float64 {
	return min(p.top, max(perSecond, bottomRate))
}

// pauseUntil starts or prolongs the pause; it never shortens one.
func (p *Pacer) pauseUntil(now, end time.Time) {
	if latest := now.Add(longestPause); end.After(latest) {
		end = latest
	}
	if end.After(p.pausedUntil) {
		p.pausedUntil = end
		p.paused = true
		p.bucket.SetBurstAt(now, 1)
	}
}

// waitError is the error of a call whose turn did not come within ctx.
func (p *Pacer) waitError(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().Before(p.pausedUntil) {
		return fmt.Errorf("wait out Telnyx's rate limit: %w", contextError(ctx))
	}
	return fmt.Errorf("wait for a turn at %.3g requests/s: %w", float64(p.bucket.Limit()), contextError(ctx))
}

// endsWithin reports whether ctx has ended, or is certain to before d is over.
func endsWithin(ctx context.Context, d time.Duration) bool {
	if ctx.Err() != nil {
		return true
	}
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < d
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
	if endsWithin(ctx, d) {
		return contextError(ctx)
	}
	if d <= 0 {
		return nil
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
