package telnyx

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// windows is a server that allows limit calls in each window and says so in its headers,
// with the reset in whole seconds, rounded up.
type windows struct {
	limit  int
	length time.Duration
	// aligned windows follow each other; others begin with the first call after the last one.
	aligned       bool
	before, after time.Duration // the time to the server and back

	mu      sync.Mutex
	start   time.Time
	used    int
	refused int
}

func (s *windows) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(s.before)
	status, header := s.take(time.Now())
	time.Sleep(s.after)
	body := io.NopCloser(strings.NewReader(`{"campaignId":"a"}`))
	return &http.Response{StatusCode: status, Header: header, Body: body, Request: r}, nil
}

func (s *windows) take(now time.Time) (status int, header http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if since := now.Sub(s.start); since >= s.length {
		s.start, s.used = now, 0
		if s.aligned {
			s.start = now.Truncate(s.length)
		}
	}
	s.used++
	reset := int(math.Ceil(s.start.Add(s.length).Sub(now).Seconds()))
	if s.used > s.limit {
		s.refused++
		return http.StatusTooManyRequests, rateHeaders(0, reset)
	}
	return http.StatusOK, rateHeaders(s.limit-s.used, reset)
}

// callMany makes calls, eight at a time, and returns how long that took.
func callMany(t *testing.T, c *Client, calls int) time.Duration {
	t.Helper()
	began := time.Now()
	todo := make(chan int)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range todo {
				if _, err := c.Campaign(context.Background(), "a"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range calls {
		todo <- i
	}
	close(todo)
	group.Wait()
	return time.Since(began)
}

// At the limit that Telnyx's headers give, calls use it up and do not exceed it.
func TestLimiter_UsesUpTheLimitOfTheHeaders(t *testing.T) {
	t.Parallel()
	ms := time.Millisecond
	const perSecond, seconds = 10, 60
	for name, server := range map[string]*windows{
		"slow to the server":            {before: 150 * ms},
		"slow from the server":          {after: 150 * ms},
		"slow both ways":                {before: 75 * ms, after: 75 * ms},
		"aligned, slow to the server":   {before: 150 * ms, aligned: true},
		"aligned, slow from the server": {after: 150 * ms, aligned: true},
		"aligned, slow both ways":       {before: 75 * ms, after: 75 * ms, aligned: true},
	} {
		for _, length := range []time.Duration{time.Second, 10 * time.Second, 60 * time.Second} {
			t.Run(fmt.Sprintf("%s, windows of %s", name, length), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					server := &windows{before: server.before, after: server.after, aligned: server.aligned, length: length}
					server.limit = perSecond * int(length.Seconds())
					c := &Client{HTTPClient: &http.Client{Transport: server}, Limiter: NewLimiter(LimiterConfig{Ceiling: float64(perSecond)})}
					took := callMany(t, c, seconds*perSecond)
					if most := 1.05 * seconds * time.Second; took > most {
						t.Errorf("%d calls took %s, want at most %s", seconds*perSecond, took, most)
					}
					if server.refused > 0 {
						t.Errorf("%d calls were over the limit", server.refused)
					}
				})
			})
		}
	}
}
