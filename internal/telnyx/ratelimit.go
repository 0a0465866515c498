package telnyx

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers that say how much of the account's limit is left, from
// https://developers.telnyx.com/development/api-fundamentals/reliability/rate-limiting.
// x-ratelimit-limit is not read: without the length of its window, which is
// published nowhere, it says nothing about a rate.
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

// seconds reads a header's number of seconds, zero if it is none. Anything over
// a day is not a waiting time (a Unix time, say) and is left out.
func seconds(text string) time.Duration {
	const longest = 24 * time.Hour
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(n > 0 && n <= longest.Seconds()) {
		return 0
	}
	return time.Duration(n * float64(time.Second))
}
