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

// limits makes the headers of an answer.
func limits(remaining, reset int) http.Header {
	return http.Header{
		"X-Ratelimit-Limit":     {"100"},
		"X-Ratelimit-Remaining": {strconv.Itoa(remaining)},
		"X-Ratelimit-Reset":     {strconv.Itoa(reset)},
	}
}

// turns makes n calls one after another and returns how long they waited.
func turns(t *testing.T, p *Pacer, n int) time.Duration {
	t.Helper()
	started := time.Now()
	for range n {
		if err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return time.Since(started)
}

func assertRate(t *testing.T, p *Pacer, want float64) {
	t.Helper()
	if got := p.Rate(); math.Abs(got-want) > 1e-9 {
		t.Errorf("rate %v, want %v", got, want)
	}
}

func TestPacer_SpreadsCallsEvenly(t *testing.T) {
	for name, tt := range map[string]struct {
		ceiling float64
		want    time.Duration // for 11 calls
	}{
		"unset":    {0, 5 * time.Second},
		"negative": {-1, 5 * time.Second},
		"ten":      {10, time.Second},
		"slow":     {0.05, 200 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got := turns(t, NewPacer(PacerConfig{Ceiling: tt.ceiling}), 11); got != tt.want {
					t.Errorf("11 calls took %s, want %s", got, tt.want)
				}
			})
		})
	}
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
				if got := turns(t, p, 1); got != tt.want {
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
		if got := turns(t, p, 1); got != 30*time.Second {
			t.Errorf("paused for %s, want 30s", got)
		}
	})
}

func TestPacer_APauseReachesThoseWhoWaitAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(PacerConfig{Ceiling: 1})
		turns(t, p, 1)
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

func TestPacer_DoesNotWaitInVain(t *testing.T) {
	for name, observe := range map[string]func(*Pacer){
		"pause": func(p *Pacer) { p.Observe(429, http.Header{"Retry-After": {"60"}}) },
		"turn":  func(p *Pacer) { _ = p.Wait(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := NewPacer(PacerConfig{Ceiling: 0.1})
				observe(p)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				started := time.Now()
				if err := p.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want context.DeadlineExceeded", err)
				}
				if waited := time.Since(started); waited != 0 {
					t.Errorf("waited %s in vain", waited)
				}
			})
		})
	}
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
