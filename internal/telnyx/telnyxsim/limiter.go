package telnyxsim

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// limiter counts requests in windows of a second, as the headers described at
// https://developers.telnyx.com/development/api-fundamentals/reliability/rate-limiting
// suggest. Its zero value limits nothing.
type limiter struct {
	limit int

	mu    sync.Mutex
	start time.Time
	used  int
}

// take counts a request and reports whether it is within the limit. It returns the headers
// of the answer, nil without a limit.
func (l *limiter) take(now time.Time) (http.Header, bool) {
	if l.limit <= 0 {
		return nil, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.start) >= time.Second {
		l.start, l.used = now, 0
	}
	l.used++
	return rateHeader(l.limit, max(l.limit-l.used, 0), l.start.Add(time.Second).Sub(now)), l.used <= l.limit
}

// rateHeader writes the three headers. The reset is in whole seconds left,
// rounded up.
func rateHeader(limit, remaining int, reset time.Duration) http.Header {
	h := http.Header{}
	h.Set("X-Ratelimit-Limit", strconv.Itoa(limit))
	h.Set("X-Ratelimit-Remaining", strconv.Itoa(remaining))
	h.Set("X-Ratelimit-Reset", seconds(reset))
	return h
}

// seconds writes a duration in whole seconds, rounded up.
func seconds(d time.Duration) string {
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}

// tooManyRequests is the 429 that goes with the headers.
func tooManyRequests() answer {
	return refuse(http.StatusTooManyRequests, codeRateLimited, "Too many requests",
		"You have exceeded the maximum number of allowed requests.", "")
}
