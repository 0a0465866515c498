package telnyx

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// letPass waits for one call and ends it.
func letPass(t *testing.T, ctx context.Context, l *Limiter) {
	t.Helper()
	end, err := l.wait(ctx)
	if err != nil {
		t.Error(err)
		return
	}
	end()
}

// passes returns when each of n calls passed, from now.
func passes(t *testing.T, l *Limiter, n int) []time.Duration {
	t.Helper()
	began := time.Now()
	at := make([]time.Duration, n)
	for i := range at {
		letPass(t, t.Context(), l)
		at[i] = time.Since(began).Round(time.Millisecond)
	}
	return at
}

func rateHeaders(remaining, reset int) http.Header {
	return http.Header{"X-Ratelimit-Remaining": {strconv.Itoa(remaining)}, "X-Ratelimit-Reset": {strconv.Itoa(reset)}}
}

func TestLimiter_LetsFivePassAndThenKeepsItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := passes(t, NewLimiter(LimiterConfig{}), 9)
		for i, want := range []time.Duration{0, 0, 0, 0, 0, 500, 1000, 1500, 2000} {
			if at[i] != want*time.Millisecond {
				t.Errorf("call %d passed after %s, want %s", i, at[i], want*time.Millisecond)
			}
		}
	})
}

func TestLimiter_NeverExceedsItsRateAndBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(LimiterConfig{Ceiling: 10, Concurrency: 50})
		var mu sync.Mutex
		var at []time.Time
		var group sync.WaitGroup
		for i := range 200 {
			group.Go(func() {
				time.Sleep(time.Duration(i%7) * 300 * time.Millisecond)
				letPass(t, t.Context(), l)
				mu.Lock()
				defer mu.Unlock()
				at = append(at, time.Now())
				if i%20 == 0 {
					l.observe(429, http.Header{"Retry-After": {"2"}})
				}
			})
		}
		group.Wait()
		for i := range at {
			for j := i; j < len(at); j++ {
				if most := 10*at[j].Sub(at[i]).Seconds() + burst; float64(j-i+1) > most+1e-3 {
					t.Fatalf("%d calls passed in %s", j-i+1, at[j].Sub(at[i]))
				}
			}
		}
	})
}

func TestLimiter_FollowsTheAnswers(t *testing.T) {
	type answer struct {
		after  time.Duration
		status int
		header http.Header
	}
	second := time.Second
	for name, tt := range map[string]struct {
		ceiling float64
		answers []answer
		rate    float64
		pause   time.Duration // until the next call passes
	}{
		"no headers":              {0, []answer{{0, 200, nil}, {second, 200, nil}}, 2, 0},
		"headers allow more":      {0, []answer{{0, 200, rateHeaders(1000, 60)}}, 2.2, 0},
		"at most once a second":   {0, []answer{{0, 200, rateHeaders(1000, 60)}, {second / 2, 200, rateHeaders(1000, 60)}}, 2.2, 0},
		"again after a second":    {0, []answer{{0, 200, rateHeaders(1000, 60)}, {second, 200, rateHeaders(1000, 60)}}, 2.42, 0},
		"to what they allow":      {0, []answer{{0, 200, rateHeaders(104, 50)}}, 2.058, 0},
		"not after a 500":         {0, []answer{{0, 500, rateHeaders(1000, 60)}}, 2, 0},
		"never above the ceiling": {3, []answer{{0, 200, rateHeaders(1000, 60)}}, 3, 0},
		"less until the reset":    {10, []answer{{0, 200, rateHeaders(60, 60)}}, 0.98 * 61 / 60, 0},
		"then as before":          {10, []answer{{0, 200, rateHeaders(60, 60)}, {61 * second, 200, nil}}, 10, 0},
		"none remaining":          {10, []answer{{0, 200, rateHeaders(0, 7)}}, 10, 7 * second},
		"a new window":            {10, []answer{{0, 200, rateHeaders(10, 60)}, {second / 2, 200, rateHeaders(60, 60)}}, 0.98 * 61 / 60, 0},
		"the same window":         {10, []answer{{0, 200, rateHeaders(4, 1)}, {second / 2, 200, rateHeaders(1, 1)}, {0, 200, rateHeaders(1, 1)}}, 0.98 * 4, 0},
		"no rise in a window":     {10, []answer{{0, 200, rateHeaders(4, 1)}, {second / 2, 200, rateHeaders(4, 1)}}, 0.98 * 5, 0},
		"the same window's end":   {10, []answer{{0, 200, rateHeaders(4, 1)}, {second / 2, 200, rateHeaders(0, 1)}}, 10, second / 2},
		"429":                     {10, []answer{{0, 429, nil}}, 5, second},
		"429 with Retry-After":    {10, []answer{{0, 429, http.Header{"Retry-After": {"3"}}}}, 5, 3 * second},
		"429 with a reset":        {10, []answer{{0, 429, rateHeaders(0, 4)}}, 5, 4 * second},
		"429 for very long":       {10, []answer{{0, 429, http.Header{"Retry-After": {"7200"}}}}, 5, 10 * time.Minute},
		"429 twice at once":       {10, []answer{{0, 429, nil}, {0, 429, nil}}, 5, second},
		"429 again":               {10, []answer{{0, 429, nil}, {second, 429, nil}}, 2.5, second},
		"recovers":                {10, []answer{{0, 429, nil}, {2 * second, 200, nil}, {second, 200, nil}}, 6.05, 0},
		"never stops for good":    {0.3, []answer{{0, 429, nil}, {second, 429, nil}}, 0.25, second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := NewLimiter(LimiterConfig{Ceiling: tt.ceiling})
				for _, a := range tt.answers {
					time.Sleep(a.after)
					l.observe(a.status, a.header)
				}
				if got := l.Rate(); math.Abs(got-tt.rate) > 1e-9 {
					t.Errorf("the rate is %v, want %v", got, tt.rate)
				}
				if got := passes(t, l, 1)[0]; got != tt.pause {
					t.Errorf("a call passed after %s, want %s", got, tt.pause)
				}
			})
		})
	}
}

// Answers of calls that were under way together may come in any order.
func TestLimiter_AnswersOutOfOrderAreOfOneWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(LimiterConfig{Ceiling: 10})
		end, err := l.wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		l.observe(200, rateHeaders(3, 1))
		time.Sleep(time.Second / 2)
		l.observe(200, rateHeaders(4, 1))
		if got, want := l.Rate(), 0.98*4; math.Abs(got-want) > 1e-9 {
			t.Errorf("after a late answer the rate is %v, want still %v", got, want)
		}
		end()
		l.observe(200, rateHeaders(4, 1))
		if got, want := l.Rate(), 0.98*5; math.Abs(got-want) > 1e-9 {
			t.Errorf("in a new window the rate is %v, want %v", got, want)
		}
	})
}

func TestLimiter_APauseHoldsThoseWhoWaitAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(LimiterConfig{})
		passes(t, l, 5)
		began := time.Now()
		done := make(chan time.Duration)
		go func() {
			letPass(t, t.Context(), l)
			done <- time.Since(began)
		}()
		synctest.Wait()
		l.observe(429, http.Header{"Retry-After": {"10"}})
		if got := <-done; got < 10*time.Second {
			t.Errorf("passed after %s, in the pause of 10 s", got)
		}
	})
}

func TestLimiter_CallsPassInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(LimiterConfig{Concurrency: 2})
		passes(t, l, 5)
		var mu sync.Mutex
		var order []int
		var group sync.WaitGroup
		for i := range 10 {
			group.Go(func() {
				letPass(t, t.Context(), l)
				mu.Lock()
				defer mu.Unlock()
				order = append(order, i)
			})
			synctest.Wait()
		}
		if got := l.Waits(); got.Now != 10 || got.Calls != 5 {
			t.Errorf("got %+v, want 10 that wait and 5 that have", got)
		}
		group.Wait()
		for i, got := range order {
			if got != i {
				t.Fatalf("got order %v", order)
			}
		}
		if got := l.Waits(); got.Now != 0 || got.Calls != 15 || got.Total == 0 {
			t.Errorf("got %+v, want 15 that have waited", got)
		}
	})
}

func TestLimiter_BoundsTheCallsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(LimiterConfig{Ceiling: 1000, Concurrency: 2})
		end, err := l.wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		letPass(t, t.Context(), l)
		reserved, release, err := l.Reserve(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := l.wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a third call to wait", err)
		}
		letPass(t, reserved, l)
		release()
		release() // does nothing
		letPass(t, t.Context(), l)
		end()
	})
}

func TestLimiter_ReservedCallsWaitForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(LimiterConfig{Ceiling: 1, Concurrency: 1})
		passes(t, l, 5)
		began := time.Now()
		ctx, release, err := l.Reserve(t.Context(), 2)
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Since(began); got != 2*time.Second {
			t.Errorf("reserved two calls after %s, want 2 s", got)
		}
		var group sync.WaitGroup
		group.Go(func() { letPass(t, t.Context(), l) }) // waits for the slot
		synctest.Wait()
		began = time.Now()
		letPass(t, ctx, l)
		letPass(t, ctx, l)
		if got := time.Since(began); got != 0 {
			t.Errorf("reserved calls waited %s", got)
		}
		letPass(t, ctx, l) // a third one has the slot and waits for its token
		if got := time.Since(began); got != time.Second {
			t.Errorf("a call too many waited %s, want 1 s", got)
		}
		release()
		group.Wait()
		passes(t, l, 1)
		letPass(t, ctx, l) // is like any other now
		if free, releaseNil, err := (*Limiter)(nil).Reserve(ctx, 2); free != ctx || err != nil {
			t.Errorf("nil reserved something: %v", err)
		} else {
			releaseNil()
		}
	})
}

func TestLimiter_APromptCallWaitsBehindOneRoutineCallAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(LimiterConfig{Ceiling: 1})
		passes(t, l, 5)
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() {
				if end, err := l.wait(Routine(ctx)); err == nil {
					end()
				}
			})
		}
		synctest.Wait()
		if got := passes(t, l, 1)[0]; got > 2*time.Second {
			t.Errorf("a prompt call passed after %s, want at most 2 s", got)
		}
		cancel()
		group.Wait()
	})
}

func TestLimiter_RoutineCallsRunSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(LimiterConfig{Ceiling: 100, Concurrency: 4})
		began := time.Now()
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				end, err := l.wait(Routine(t.Context()))
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Second)
				end()
			})
		}
		group.Wait()
		if got := time.Since(began); got > 4100*time.Millisecond {
			t.Errorf("8 calls of a second took %s with 4 slots, half of them for routine calls", got)
		}
	})
}

func TestLimiter_RoutineCallsLeaveHalfOfTheSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(LimiterConfig{Ceiling: 100, Concurrency: 4})
		ctx, cancel := context.WithCancel(Routine(t.Context()))
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				if end, err := l.wait(ctx); err == nil {
					time.Sleep(time.Minute) // a slow answer
					end()
				}
			})
		}
		synctest.Wait()
		if got := passes(t, l, 2)[1]; got != 0 {
			t.Errorf("other calls passed after %s, want at once", got)
		}
		cancel()
		group.Wait()
	})
}

func TestLimiter_ReleaseGivesUnusedTokensBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(LimiterConfig{Ceiling: 1})
		ctx, release, err := l.Reserve(t.Context(), 5)
		if err != nil {
			t.Fatal(err)
		}
		letPass(t, ctx, l)
		release()
		if at := passes(t, l, 5); at[3] != 0 || at[4] != time.Second {
			t.Errorf("calls passed after %v, want four at once", at)
		}
	})
}

func TestLimiter_ReservedCallsAreNotSentInAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(LimiterConfig{})
		ctx, release, err := l.Reserve(t.Context(), 2)
		if err != nil {
			t.Fatal(err)
		}
		letPass(t, ctx, l)
		l.observe(429, http.Header{"Retry-After": {"10"}})
		c := &Client{Limiter: l}
		if _, err := c.Assign(ctx, "+15551234567", "a"); !IsRateLimited(err) || WasSent(err) || Classify(err) != ClassTransient {
			t.Errorf("got %v, want a call that was not sent because of the rate limit", err)
		}
		release()
		if at := passes(t, l, 2); at[0] != 10*time.Second || at[1] == at[0] {
			t.Errorf("calls passed after %v, want one after the pause", at)
		}
	})
}

// A change whose reservation other calls have used up is not sent late.
func TestLimiter_ReservedChangesAreSentAtOnceOrNotAtAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(LimiterConfig{Ceiling: 1})
		ctx, release, err := l.Reserve(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		letPass(t, ctx, l)
		began := time.Now()
		c := &Client{Limiter: l}
		if _, err := c.Reassign(ctx, "+15551234567", "a"); !errors.Is(err, ErrSpent) || WasSent(err) || time.Since(began) != 0 {
			t.Errorf("got %v after %s, want it refused at once", err, time.Since(began))
		}
	})
}

func TestLimiter_DoesNotWaitInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(LimiterConfig{})
		passes(t, l, 5)
		l.observe(429, http.Header{"Retry-After": {"60"}})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		began := time.Now()
		if _, err := l.wait(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 0 {
			t.Errorf("got %v after %s, want the deadline at once", err, time.Since(began))
		}
		if got := passes(t, l, 1)[0]; got != time.Minute {
			t.Errorf("the next call passed after %s, want a minute", got)
		}
	})
}

func TestClient_DoesNotRepeatAReservedRead(t *testing.T) {
	c, s := newServer(t, answer{status: 503})
	c.Limiter = NewLimiter(LimiterConfig{Ceiling: 1e6})
	ctx, release, err := c.Limiter.Reserve(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if _, err := c.Campaign(ctx, "a"); err == nil || len(s.requests) != 1 {
		t.Errorf("asked %d times, %v; want once", len(s.requests), err)
	}
}
