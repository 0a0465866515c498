package telnyx

import (
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// limits makes the headers of an answer.
func limits(remaining, reset int) http.Header {
	return http.Header{
		"X-Ratelimit-Limit":     {"100"},
		"X-Ratelimit-Remaining": {strconv.Itoa(remaining)},
		"X-Ratelimit-Reset":     {strconv.Itoa(reset)},
	}
}

// pass makes n calls one after another and returns how long they waited.
func pass(t *testing.T, p *Pacer, n int) time.Duration {
	t.Helper()
	started := time.Now()
	for range n {
		if err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return time.Since(started)
}

func assertPass(t *testing.T, p *Pacer, n int, want time.Duration) {
	t.Helper()
	if got := pass(t, p, n); got != want {
		t.Errorf("%d calls took %s, want %s", n, got, want)
	}
}

func assertRate(t *testing.T, p *Pacer, want float64) {
	t.Helper()
	if got := p.Rate(); math.Abs(got-want) > 1e-9 {
		t.Errorf("rate %v, want %v", got, want)
	}
}

func TestPacer_FiveCallsPassAtOnceAndTheOthersEvenly(t *testing.T) {
	for name, tt := range map[string]struct {
		ceiling float64
		want    time.Duration // between calls
	}{
		"unset":    {0, 500 * time.Millisecond},
		"negative": {-1, 500 * time.Millisecond},
		"ten":      {10, 100 * time.Millisecond},
		"slow":     {0.05, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := NewPacer(PacerConfig{Ceiling: tt.ceiling})
				assertPass(t, p, 5, 0)
				for range 20 {
					assertPass(t, p, 1, tt.want)
				}
			})
		})
	}
}

func TestPacer_WhatIsNotUsedAddsUpToFiveCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{Ceiling: 2})
		assertPass(t, p, 5, 0)
		time.Sleep(time.Second)
		assertPass(t, p, 2, 0)
		assertPass(t, p, 1, 500*time.Millisecond)
		time.Sleep(time.Hour)
		assertPass(t, p, 5, 0)
		assertPass(t, p, 1, 500*time.Millisecond)
	})
}

func TestPacer_APauseLeavesNothingForABurst(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		h      http.Header
		step   time.Duration // between calls after the pause
	}{
		"429":            {429, http.Header{"Retry-After": {"60"}}, time.Second},
		"none remaining": {200, limits(0, 60), 500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := NewPacer(PacerConfig{Ceiling: 2})
				p.Observe(tt.status, tt.h)
				assertPass(t, p, 1, time.Minute)
				assertPass(t, p, 4, 4*tt.step)
				// What is not used after the pause adds up again.
				p.Observe(429, http.Header{"Retry-After": {"60"}})
				time.Sleep(time.Minute + time.Hour)
				assertPass(t, p, 5, 0)
			})
		})
	}
}

func TestPacer_CallsPassInTheOrderInWhichTheyCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{Ceiling: 10})
		p.Observe(429, nil)
		var mu sync.Mutex
		var order []int
		var wg sync.WaitGroup
		for n := range 50 {
			wg.Go(func() {
				if err := p.Wait(t.Context()); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				order = append(order, n)
			})
			synctest.Wait()
		}
		wg.Wait()
		if !slices.IsSorted(order) {
			t.Errorf("passed as %v", order)
		}
	})
}

func TestPacer_RisesToFourFifthsOfWhatIsAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{})
		p.Observe(200, limits(600, 60))
		assertRate(t, p, 2.2) // a step, not a leap
		p.Observe(200, limits(600, 60))
		assertRate(t, p, 2.2) // one step a second
		for range 60 {
			time.Sleep(time.Second)
			p.Observe(200, limits(600, 60))
		}
		assertRate(t, p, 8)
	})
}

func TestPacer_NeverRisesAboveTwentyNorTheCeiling(t *testing.T) {
	for name, tt := range map[string]struct{ ceiling, want float64 }{
		"unset":    {0, 20},
		"five":     {5, 5},
		"thirty":   {30, 30},
		"very low": {0.05, 0.05},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := NewPacer(PacerConfig{Ceiling: tt.ceiling})
				for range 120 {
					time.Sleep(time.Second)
					p.Observe(200, limits(100000, 10))
				}
				assertRate(t, p, tt.want)
			})
		})
	}
}

func TestPacer_SlowsDownAtOnceWhenLessIsAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{Ceiling: 10})
		p.Observe(200, limits(60, 60))
		assertRate(t, p, 0.8)
		p.Observe(404, limits(1, 60)) // far below the slowest pace
		assertRate(t, p, bottomRate)
	})
}

func TestPacer_ForgetsWhatWasAllowedAtItsReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{})
		p.Observe(200, limits(60, 30))
		assertRate(t, p, 1.6)
		time.Sleep(29 * time.Second)
		p.Observe(200, nil)
		assertRate(t, p, 1.6)
		for range 10 {
			time.Sleep(time.Second)
			p.Observe(200, nil)
		}
		assertRate(t, p, 2)
	})
}

func TestPacer_A429PausesEveryoneAndHalvesThePace(t *testing.T) {
	retryAfter := func(s string) http.Header { return http.Header{"Retry-After": {s}} }
	for name, tt := range map[string]struct {
		h    http.Header
		want time.Duration
	}{
		"Retry-After": {retryAfter("7"), 7 * time.Second},
		"reset":       {limits(0, 9), 9 * time.Second},
		"no header":   {nil, time.Second},
		"too long":    {retryAfter("80000"), 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := NewPacer(PacerConfig{Ceiling: 8})
				p.Observe(429, tt.h)
				assertRate(t, p, 4)
				if got := pass(t, p, 1); got != tt.want {
					t.Errorf("paused for %s, want %s", got, tt.want)
				}
			})
		})
	}
}

func TestPacer_Several429sOfOneMomentHalveOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{Ceiling: 8})
		for range 8 {
			p.Observe(429, http.Header{"Retry-After": {"2"}})
		}
		assertRate(t, p, 4)
		time.Sleep(2 * time.Second)
		p.Observe(429, nil)
		assertRate(t, p, 2)
	})
}

func TestPacer_ShortPausesDoNotHalveTwiceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{Ceiling: 8})
		for range 5 {
			p.Observe(429, http.Header{"Retry-After": {"0.1"}})
			time.Sleep(190 * time.Millisecond)
		}
		assertRate(t, p, 4)
		time.Sleep(time.Second)
		p.Observe(429, http.Header{"Retry-After": {"0.1"}})
		assertRate(t, p, 2)
	})
}

func TestPacer_RecoversFromA429InTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{Ceiling: 20})
		p.Observe(429, limits(0, 1))
		assertRate(t, p, 10)
		started := time.Now()
		for p.Rate() < 20 {
			pass(t, p, 1)
			p.Observe(200, limits(1000, 10))
		}
		if took := time.Since(started); took < 8*time.Second || took > 10*time.Second {
			t.Errorf("took %s, want 8 s to 10 s", took)
		}
	})
}

func TestPacer_WithoutHeadersGoesBackToWhatItStartedWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{})
		for range 30 {
			p.Observe(200, limits(10000, 60))
			time.Sleep(time.Second)
		}
		assertRate(t, p, 20)
		time.Sleep(time.Minute)
		p.Observe(502, nil)
		assertRate(t, p, 20/growth) // a step, since one page of a gateway says little
		for range 30 {
			time.Sleep(time.Second)
			p.Observe(200, nil)
		}
		assertRate(t, p, 2)
	})
}

func TestPacer_RecoversGraduallyFromA429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{Ceiling: 8})
		p.Observe(429, nil)
		time.Sleep(time.Second)
		p.Observe(200, nil)
		assertRate(t, p, 4) // a second of grace after the pause
		time.Sleep(time.Second)
		p.Observe(500, nil)
		assertRate(t, p, 4) // a failing server gets no more
		p.Observe(200, nil)
		assertRate(t, p, 4.4)
		for range 20 {
			time.Sleep(time.Second)
			p.Observe(200, nil)
		}
		assertRate(t, p, 8)
	})
}

func TestPacer_PausesUntilTheResetWhenNoneRemain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{})
		p.Observe(200, limits(0, 30))
		assertRate(t, p, 2)
		if got := pass(t, p, 1); got != 30*time.Second {
			t.Errorf("paused for %s, want 30s", got)
		}
	})
}

func TestPacer_APauseReachesThoseWhoWaitAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{Ceiling: 1})
		pass(t, p, burst)
		started := time.Now()
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if err := p.Wait(t.Context()); err != nil {
					t.Error(err)
				}
				if waited := time.Since(started); waited < 20*time.Second {
					t.Errorf("passed after %s, in the pause", waited)
				}
			})
		}
		synctest.Wait()
		p.Observe(429, http.Header{"Retry-After": {"20"}})
		wg.Wait()
	})
}

func TestPacer_ANewPaceReachesThoseWhoWaitAlready(t *testing.T) {
	// One call waits at a pace of 0.25. After a second, that is a quarter of a call:
	for name, tt := range map[string]struct {
		h    http.Header
		want time.Duration
	}{
		"as before":    {limits(1, 60), 4 * time.Second},
		"a nearer end": {limits(1, 2), 2875 * time.Millisecond}, // the rest at 0.4
		"a new window": {limits(1000, 60), 1075 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := NewPacer(PacerConfig{Ceiling: 10})
				pass(t, p, burst)
				p.Observe(200, limits(1, 60))
				time.AfterFunc(time.Second, func() { p.Observe(200, tt.h) })
				assertPass(t, p, 1, tt.want)
			})
		})
	}
}

func TestPacer_DoesNotWaitInVain(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(*testing.T, *Pacer)
		needed  time.Duration
	}{
		"pause": {func(_ *testing.T, p *Pacer) { p.Observe(429, http.Header{"Retry-After": {"60"}}) }, 60 * time.Second},
		"turn":  {func(t *testing.T, p *Pacer) { pass(t, p, burst) }, 10 * time.Second},
		"queue": {func(t *testing.T, p *Pacer) {
			pass(t, p, burst)
			for range 3 {
				go func() { _ = p.Wait(t.Context()) }()
			}
			synctest.Wait()
		}, 40 * time.Second},
		"end of the window": {func(t *testing.T, p *Pacer) {
			*p = *NewPacer(PacerConfig{Ceiling: 10})
			pass(t, p, burst)
			p.Observe(200, limits(1, 2)) // 0.4 a second
		}, 2*time.Second + 20*time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := NewPacer(PacerConfig{Ceiling: 0.1})
				tt.prepare(t, p)
				started := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), tt.needed-time.Millisecond)
				defer cancel()
				if err := p.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want context.DeadlineExceeded", err)
				}
				if waited := time.Since(started); waited != 0 {
					t.Errorf("waited %s in vain", waited)
				}
				ctx, cancel = context.WithTimeout(t.Context(), tt.needed)
				defer cancel()
				if err := p.Wait(ctx); err != nil {
					t.Errorf("with just enough time: %v", err)
				}
			})
		})
	}
}

func TestPacer_WhoeverGivesUpLeavesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{Ceiling: 1})
		pass(t, p, burst)
		ctx, cancel := context.WithCancel(t.Context())
		for range 5 {
			go func() {
				if err := p.Wait(ctx); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want context.Canceled", err)
				}
			}()
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		assertPass(t, p, 1, time.Second)
	})
}

func TestPacer_WaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{})
		p.Observe(429, http.Header{"Retry-After": {"60"}})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		if err := p.Wait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
}

func TestPacer_TellsHowLongCallsWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{Ceiling: 1})
		pass(t, p, burst)
		inVain, giveUp := context.WithCancel(t.Context())
		for _, ctx := range []context.Context{t.Context(), t.Context(), inVain} {
			go func() { _ = p.Wait(ctx) }()
			synctest.Wait()
		}
		time.Sleep(1500 * time.Millisecond) // one of the three has passed
		if got, want := p.Waits(), (Waits{Calls: burst + 1, Total: time.Second, Now: 2}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		giveUp()
		time.Sleep(time.Second)
		if got, want := p.Waits(), (Waits{Calls: burst + 3, Total: (1000 + 1500 + 2000) * time.Millisecond}); got != want {
			t.Errorf("at the end: got %+v, want %+v", got, want)
		}
	})
}

func TestPacer_ReservesOneCallInAdvance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{Ceiling: 1})
		pass(t, p, burst)
		started := time.Now()
		ctx, err := p.Reserve(t.Context())
		if err != nil || time.Since(started) != time.Second {
			t.Fatalf("reserved after %s, %v; want a second", time.Since(started), err)
		}
		if !p.isReserved(ctx) || p.isReserved(ctx) || p.isReserved(t.Context()) || NewPacer(PacerConfig{}).isReserved(ctx) {
			t.Error("want leave for one call of this pacer with this context")
		}
		var none *Pacer
		if ctx, err := none.Reserve(t.Context()); err != nil || ctx != t.Context() {
			t.Errorf("got %v from no pacer", err)
		}
	})
}
