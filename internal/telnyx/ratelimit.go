package telnyx

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers that tell how much of the account's limit is left, from
// https://developers.telnyx.com/development/api-fundamentals/reliability/rate-limiting.
// x-ratelimit-limit is not read: without the length of its window, which is
// nowhere told, it says nothing about a rate.
const (
	remainingHeader = "X-Ratelimit-Remaining"
	resetHeader     = "X-Ratelimit-Reset"
)

// allowance is how many requests are left until the limit's window ends.
type allowance struct {
	requests float64
	reset    time.Duration // until the window ends, above zero
}

// allowanceIn reads an allowance; ok is false if the headers do not tell one.
func allowanceIn(h http.Header) (a allowance, ok bool) {
	requests, err := strconv.ParseFloat(h.Get(remainingHeader), 64)
	if err != nil || math.IsNaN(requests) || math.IsInf(requests, 0) {
		return allowance{}, false
	}
	reset := seconds(h.Get(resetHeader))
	if reset <= 0 {
		return allowance{}, false
	}
	return allowance{requests: max(requests, 0), reset: reset}, true
}

const (
	// leastLeft is how much of a window is left at the least when the rest of its
	// requests are spread over it, since its end is not known to the millisecond.
	leastLeft = 100 * time.Millisecond
	// doubt is how far the ends that answers of one window tell may lie apart: a
	// second of rounding and a second of delay.
	doubt = 2 * time.Second
	// mostDisorder is by how much what remains may seem to rise within a window,
	// because an answer was overtaken by answers to later calls.
	mostDisorder = 10
)

// window is what the answers told of the window that the limit counts in. Its
// zero value is over.
type window struct {
	// end is the earliest that was told. An answer tells a time that lies up to a
	// second and its own delay after the true end, and never before it.
	end time.Time
	// first is what remained when the window was first seen, remaining the fewest
	// since then.
	first, remaining float64
	// pace is what is allowed, in requests a second. It is negative when others
	// have used all but the reserve.
	pace float64
}

// over reports whether the window has ended.
func (w *window) over(now time.Time) bool { return !now.Before(w.end) }

// see takes in what an answer tells: of the same window, or of a new one when the
// end has come, more remains than before, or the end lies further off.
func (w *window) see(now time.Time, a allowance) {
	end := now.Add(a.reset)
	if w.over(now) || a.requests > w.remaining+w.disorder() || end.After(w.end.Add(doubt)) {
		*w = window{end: end, first: a.requests, remaining: a.requests, pace: math.Inf(1)}
	}
	if end.Before(w.end) {
		w.end = end
	}
	w.remaining = min(w.remaining, a.requests)
	if w.remaining >= 1 { // else it is no matter of pace
		left := max(w.end.Sub(now), leastLeft)
		w.pace = (w.remaining - reserve*w.first) / left.Seconds()
	}
}

// disorder returns the rise that does not tell a new window. Where little is
// allowed few calls are in flight, so that few can be overtaken.
func (w *window) disorder() float64 { return min(mostDisorder, w.first/4) }

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

// seconds reads a header's number of seconds, zero if it is none. Anything over
// a day is no waiting time (a Unix time, say) and is left out.
func seconds(text string) time.Duration {
	const longest = 24 * time.Hour
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(n > 0 && n <= longest.Seconds()) {
		return 0
	}
	return time.Duration(n * float64(time.Second))
}
