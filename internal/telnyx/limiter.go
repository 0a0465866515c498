package telnyx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// The figures of [Limiter], in calls a second unless they say otherwise.
const (
	// startRate is the rate in Telnyx's guide to assigning numbers, half a second
	// between requests: the only figure that it publishes for 10DLC calls,
	// https://developers.telnyx.com/docs/messaging/10dlc/phone-number-assignment.
	startRate = 2.0
	// topRate bounds what the headers can raise the rate to.
	topRate = 20.0
	// bottomRate keeps some calls going, so that a recovery is noticed.
	bottomRate = 0.25
	// burst is how many calls may be sent at once after an idle time: the reads after an
	// approval, and the first write.
	burst = 5
	// share is the fraction of the remaining calls that is used. The rest allows for
	// answers that arrive early or late.
	share = 0.98
	// growth is the step by which the rate rises, at most once in growthTime.
	growth     = 1.1
	growthTime = time.Second
	// defaultPause follows a 429 that does not say how long to wait, and
	// longestPause bounds what a header can ask for; the next 429 asks again.
	defaultPause = time.Second
	longestPause = 10 * time.Minute
)

// LimiterConfig configures a [Limiter].
type LimiterConfig struct {
	// Ceiling is the initial and the highest rate, in calls a second. Zero or less means
	// unset: the limiter starts at 2 and rises to what Telnyx's headers allow, but not
	// above 20.
	Ceiling float64
	// Concurrency is how many calls may be in flight. Zero or less means 8.
	Concurrency int
}

// Limiter limits the rate of all calls to one Telnyx account, and the number of calls in
// flight. Telnyx's limit is per account, so all clients of an account must share one.
// Calls get a slot and then a token, in the order in which they arrive. Up to five unused
// tokens are kept. In any t seconds at a rate of r, at most r*t + 5 calls are sent, plus
// those that were reserved before.
//
// Every answer adjusts the rate:
//
//	answer                        rate
//	----------------------------- ---------------------------------------------
//	429                           halved, at most once a second, and all calls
//	                              pause for Retry-After, else
//	                              x-ratelimit-reset, else 1 s (10 min at most)
//	none remaining                all calls pause until the reset
//	remaining/reset allows less   no more than that until the reset
//	remaining/reset allows more   up by a tenth, at most once a second, to the
//	                              ceiling, or 20 if none is set
//	no such headers               up by a tenth, to the rate it started with
//	5xx                           never up
//
// A nil *Limiter limits nothing. It is safe for concurrent use.
type Limiter struct {
	start, top float64
	slots      *semaphore.Weighted
	// line is held by the one call that waits for its tokens; the others queue for it.
	line *semaphore.Weighted
	// routine is held by the one routine call that may queue with the others, and
	// routineSlots by those that queue or are in flight.
	routine, routineSlots *semaphore.Weighted

	mu          sync.Mutex
	rate        float64
	cap         float64   // bounds rate until capUntil
	capUntil    time.Time // the end of Telnyx's window, by the earliest answer
	remaining   float64   // the lowest count of calls left in that window
	underWay    int       // calls that were sent and have not ended
	tokens      float64
	filled      time.Time // when tokens was last updated; in a pause, its end
	pausedUntil time.Time
	riseAfter   time.Time
	halveAfter  time.Time
	waits       Waits
}

// Waits says how long calls waited for a [Limiter].
type Waits struct {
	// Calls is how many calls waited, sent or not, and Total is the sum of their waits.
	Calls int
	Total time.Duration
	// Now is how many are waiting.
	Now int
}

// NewLimiter returns a limiter that sends the first five calls without a wait.
func NewLimiter(config LimiterConfig) *Limiter {
	if config.Concurrency <= 0 {
		config.Concurrency = 8
	}
	l := &Limiter{
		start: startRate, top: topRate, tokens: burst, filled: time.Now(),
		slots: semaphore.NewWeighted(int64(config.Concurrency)), line: semaphore.NewWeighted(1),
		routine: semaphore.NewWeighted(1), routineSlots: semaphore.NewWeighted(int64(max(1, config.Concurrency/2))),
	}
	if config.Ceiling > 0 {
		l.start, l.top = config.Ceiling, config.Ceiling
	}
	l.rate = l.start
	return l
}

type routineKey struct{}

// Routine returns a context for background work. All calls with such contexts share one
// place in the queue, so that any other call waits behind at most one of them. They use at
// most half of the slots.
func Routine(ctx context.Context) context.Context { return context.WithValue(ctx, routineKey{}, true) }

// reservation is a slot and the tokens that were waited for in advance.
type reservation struct {
	limiter *Limiter
	left    int // guarded by limiter.mu, as is over
	over    bool
}

type reservationKey struct{}

// Reserve waits for a slot and then for the given number of tokens, at most five. Its
// caller can then read, record what it is about to do, and write without waiting in
// between. Calls with the returned context use that slot and first the reserved tokens;
// later calls wait for theirs. Reads with it are not repeated, because a repeat would use a
// token that is meant for the write. If a pause has begun since, calls are not sent; their
// error is [ErrPaused]. release must be called, and gives back the slot and unused tokens.
// The error of Reserve matches ctx's. A nil Limiter reserves nothing.
func (l *Limiter) Reserve(ctx context.Context, calls int) (reserved context.Context, release func(), err error) {
	if l == nil {
		return ctx, func() {}, nil
	}
	calls = min(max(calls, 1), burst)
	free, err := l.acquire(ctx, float64(calls))
	if err != nil {
		return ctx, func() {}, err
	}
	r := &reservation{limiter: l, left: calls}
	return context.WithValue(ctx, reservationKey{}, r), sync.OnceFunc(func() {
		l.release(r)
		free()
	}), nil
}

// release ends a reservation. Unused tokens are given back unless a pause has begun,
// because calls are spread after it.
func (l *Limiter) release(r *reservation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.over = true
	if now := time.Now(); !now.Before(l.pausedUntil) {
		l.fill(now)
		l.tokens = min(burst, l.tokens+float64(r.left))
	}
}

// reservationIn returns the reservation of ctx that was not released, or nil.
func reservationIn(ctx context.Context) *reservation {
	r, _ := ctx.Value(reservationKey{}).(*reservation)
	if r == nil {
		return nil
	}
	r.limiter.mu.Lock()
	defer r.limiter.mu.Unlock()
	if r.over {
		return nil
	}
	return r
}

// ErrPaused is the error of a call with a reservation that was not sent, because Telnyx
// has asked for a pause since.
var ErrPaused = errors.New("it was not sent, because Telnyx asked for a pause")

// ErrSpent is the error of a change with a reservation that was not sent, because other
// calls have used the reserved tokens.
var ErrSpent = errors.New("it was not sent, because other calls have used its share of the rate limit")

// isSpent reports whether ctx has a reservation without a token left.
func (l *Limiter) isSpent(ctx context.Context) bool {
	r := reservationIn(ctx)
	if l == nil || r == nil || r.limiter != l {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return r.left == 0
}

// use takes a token of the reservation; ok is false if none is left. The error is
// [ErrPaused].
func (r *reservation) use() (ok bool, err error) {
	r.limiter.mu.Lock()
	defer r.limiter.mu.Unlock()
	if time.Now().Before(r.limiter.pausedUntil) {
		return false, ErrPaused
	}
	if r.left == 0 {
		return false, nil
	}
	r.left--
	return true, nil
}

// wait waits until a call may be sent. end gives its slot back.
func (l *Limiter) wait(ctx context.Context) (end func(), err error) {
	if l == nil {
		return func() {}, nil
	}
	free := func() {}
	if r := reservationIn(ctx); r == nil || r.limiter != l {
		free, err = l.acquire(ctx, 1)
	} else if used, paused := r.use(); paused != nil {
		err = paused
	} else if !used {
		err = l.take(ctx, 1)
	}
	if err != nil {
		return nil, err
	}
	l.addUnderWay(1)
	return func() {
		l.addUnderWay(-1)
		free()
	}, nil
}

func (l *Limiter) addUnderWay(calls int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.underWay += calls
}

// acquire waits for a slot and n tokens.
func (l *Limiter) acquire(ctx context.Context, n float64) (free func(), err error) {
	began := time.Now()
	l.count(1, 0)
	defer func() { l.count(-1, time.Since(began)) }()
	if ctx.Value(routineKey{}) == nil {
		return l.queue(ctx, n)
	}
	if err := l.routineSlots.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("wait for another background call: %w", err)
	}
	if err := l.routine.Acquire(ctx, 1); err != nil {
		l.routineSlots.Release(1)
		return nil, fmt.Errorf("wait for another background call: %w", err)
	}
	defer l.routine.Release(1)
	end, err := l.queue(ctx, n)
	if err != nil {
		l.routineSlots.Release(1)
		return nil, err
	}
	return func() {
		end()
		l.routineSlots.Release(1)
	}, nil
}

// queue waits with all other calls for a slot and n tokens.
func (l *Limiter) queue(ctx context.Context, n float64) (free func(), err error) {
	if err := l.slots.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("wait for a free call slot: %w", err)
	}
	if err := l.take(ctx, n); err != nil {
		l.slots.Release(1)
		return nil, err
	}
	return func() { l.slots.Release(1) }, nil
}

func (l *Limiter) count(now int, waited time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waits.Now += now
	if now < 0 {
		l.waits.Calls++
		l.waits.Total += waited
	}
}

// take waits for n tokens. It fails immediately if ctx is certain to end before they are
// available.
func (l *Limiter) take(ctx context.Context, n float64) error {
	if err := l.line.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("wait for Telnyx's rate limit: %w", err)
	}
	defer l.line.Release(1)
	for {
		wait, perSecond := l.tryTake(time.Now(), n)
		if wait <= 0 {
			return nil
		}
		if err := sleep(ctx, wait); err != nil {
			return fmt.Errorf("wait for Telnyx's rate limit at %.3g calls/s: %w", perSecond, err)
		}
	}
}

// tryTake takes n tokens, or returns how long to wait before the next attempt.
func (l *Limiter) tryTake(now time.Time, n float64) (wait time.Duration, perSecond float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fill(now)
	perSecond = l.rateAt(now)
	const rounding = 1e-6
	switch {
	case now.Before(l.pausedUntil):
		return l.pausedUntil.Sub(now), perSecond
	case l.tokens >= n-rounding:
		l.tokens -= n
		return 0, perSecond
	}
	wait = time.Duration(math.Ceil((n - l.tokens) / perSecond * float64(time.Second)))
	if now.Before(l.capUntil) {
		wait = min(wait, l.capUntil.Sub(now)) // the rate rises then
	}
	return wait, perSecond
}

// fill adds the tokens for the time since the last update. The caller holds l.mu, as for
// the functions below.
func (l *Limiter) fill(now time.Time) {
	if now.After(l.filled) {
		l.tokens = min(burst, l.tokens+l.rateAt(l.filled)*now.Sub(l.filled).Seconds())
		l.filled = now
	}
}

func (l *Limiter) rateAt(at time.Time) float64 {
	if at.Before(l.capUntil) {
		return min(l.rate, l.cap)
	}
	return l.rate
}

// observe adjusts the rate to an answer's status and headers.
func (l *Limiter) observe(status int, h http.Header) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.fill(now)
	remaining, err := strconv.ParseFloat(h.Get(remainingHeader), 64)
	reset := seconds(h.Get(resetHeader))
	limited := err == nil && remaining >= 0 && reset > 0
	switch {
	case status == http.StatusTooManyRequests:
		if !now.Before(l.pausedUntil) && !now.Before(l.halveAfter) {
			// Several calls in flight that all get a 429 count once.
			l.rate = l.bounded(l.rate / 2)
			l.halveAfter = now.Add(growthTime)
		}
		l.pause(now, cmp.Or(waitAskedFor(status, h, now), defaultPause))
	case limited:
		allowed := l.window(now, remaining, reset)
		if remaining < 1 {
			l.cap = l.top // nothing is sent before the window ends
			l.pause(now, l.capUntil.Sub(now))
			return
		}
		l.rise(now, status, allowed)
	default:
		l.rise(now, status, l.start)
	}
}

// window spreads the remaining calls over the rest of Telnyx's window, and returns the
// rate that this allows. The reset is in whole seconds, rounded up, so the earliest answer
// gives the most precise end. Within a window the cap only falls: a rate that rises
// towards the end would exceed the limit of the next window.
func (l *Limiter) window(now time.Time, remaining float64, reset time.Duration) (allowed float64) {
	end := now.Add(reset)
	// Answers to calls that were sent together arrive in any order, so a small rise does
	// not mean a new window.
	isSame := now.Before(l.capUntil) && remaining <= l.remaining+float64(l.underWay)
	if isSame && l.capUntil.Before(end) {
		end = l.capUntil
	}
	allowed = share * (remaining + 1) / end.Sub(now).Seconds() // plus this call, which the window counts
	if isSame {
		l.cap, l.remaining = min(l.cap, l.bounded(allowed)), min(l.remaining, remaining)
	} else {
		l.cap, l.remaining = l.bounded(allowed), remaining
	}
	l.capUntil = end
	return allowed
}

// pause stops all calls until it ends. Then one call is sent immediately, and the next
// ones are spread.
func (l *Limiter) pause(now time.Time, wait time.Duration) {
	end := now.Add(min(wait, longestPause))
	if !end.After(l.pausedUntil) {
		return
	}
	l.pausedUntil, l.filled = end, end
	l.tokens = 1
	l.riseAfter = end.Add(growthTime)
}

func (l *Limiter) rise(now time.Time, status int, goal float64) {
	if goal > l.rate && status < 500 && !now.Before(l.riseAfter) {
		l.rate = l.bounded(min(goal, l.rate*growth))
		l.riseAfter = now.Add(growthTime)
	}
}

func (l *Limiter) bounded(perSecond float64) float64 { return min(l.top, max(perSecond, bottomRate)) }

// Rate returns the current rate in calls a second, for metrics. It ignores pauses.
func (l *Limiter) Rate() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rateAt(time.Now())
}

// Waits returns how long calls had to wait so far, for metrics.
func (l *Limiter) Waits() Waits {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waits
}

// sleep waits for d. It returns an error that matches ctx's if ctx ends first, and returns
// it immediately if ctx's deadline is before the end of d.
func sleep(ctx context.Context, d time.Duration) error {
	if endsWithin(ctx, d) {
		return cmp.Or(ctx.Err(), context.DeadlineExceeded)
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

// endsWithin reports whether ctx has ended, or is certain to before d is over.
func endsWithin(ctx context.Context, d time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && time.Until(deadline) < d
}

// The headers that say how much of the account's limit is left, from
// https://developers.telnyx.com/development/api-fundamentals/reliability/rate-limiting.
// x-ratelimit-limit is not read: the length of its window is not published, so it does not
// give a rate.
const (
	remainingHeader = "X-Ratelimit-Remaining"
	resetHeader     = "X-Ratelimit-Reset"
)

// waitAskedFor returns how long an answer asks to wait: the header Retry-After,
// in seconds or as a date, else for a 429 the time until the limit resets, else
// zero.
func waitAskedFor(status int, h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if wait := seconds(text); wait > 0 {
		return wait
	}
	if at, err := http.ParseTime(text); err == nil && at.After(now) {
		return at.Sub(now)
	}
	if status == http.StatusTooManyRequests {
		return seconds(h.Get(resetHeader))
	}
	return 0
}

// seconds reads a header's number of seconds, zero if there is none. More than a day is
// ignored: it may be a Unix time.
func seconds(text string) time.Duration {
	const longest = 24 * time.Hour
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(n > 0 && n <= longest.Seconds()) {
		return 0
	}
	return time.Duration(n * float64(time.Second))
}
