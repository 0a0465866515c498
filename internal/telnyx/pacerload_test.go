package telnyx

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// limitedServer counts calls in windows and tells the time left in whole seconds,
// rounded up. Its state needs a synctest bubble, its calls no network.
type limitedServer struct {
	limit  int
	window time.Duration
	// aligned windows follow one another; else one begins with the first call
	// after the last has ended.
	aligned bool

	mu       sync.Mutex
	start    time.Time
	used     int
	answered map[int]int // by status, of the Pacer's calls
	denied   int         // calls of others that got a 429
}

// take counts a call and returns its answer.
func (s *limitedServer) take() (int, http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.start.IsZero() {
		s.start = now
	}
	if passed := now.Sub(s.start); passed >= s.window {
		s.start, s.used = now, 0
		if s.aligned {
			s.start = now.Add(-passed % s.window)
		}
	}
	s.used++
	left := s.start.Add(s.window).Sub(now)
	h := http.Header{}
	h.Set(remainingHeader, strconv.Itoa(max(s.limit-s.used, 0)))
	h.Set(resetHeader, strconv.Itoa(int((left+time.Second-1)/time.Second)))
	if s.used > s.limit {
		return http.StatusTooManyRequests, h
	}
	return http.StatusOK, h
}

// load is continuous demand: workers that call as soon as the Pacer lets them.
type load struct {
	workers int
	latency time.Duration
	jitter  float64 // the part of latency that it may be longer or shorter by
	lasting time.Duration
	// other is how many calls a second others make.
	other float64
}

// on runs the load against s and returns the calls a second that were taken.
func (l load) on(t *testing.T, p *Pacer, s *limitedServer) float64 {
	t.Helper()
	end := time.Now().Add(l.lasting)
	s.answered = map[int]int{}
	var wg sync.WaitGroup
	for n := range l.workers {
		random := rand.New(rand.NewPCG(1, uint64(n)))
		half := func() {
			time.Sleep(time.Duration((1 + l.jitter*(2*random.Float64()-1)) * float64(l.latency) / 2))
		}
		wg.Go(func() {
			for time.Now().Before(end) {
				if err := p.Wait(t.Context()); err != nil {
					t.Error(err)
					return
				}
				half()
				status, h := s.take()
				s.mu.Lock()
				s.answered[status]++
				s.mu.Unlock()
				half()
				p.Observe(status, h)
			}
		})
	}
	if l.other > 0 {
		wg.Go(func() {
			for time.Now().Before(end) {
				if status, _ := s.take(); status != http.StatusOK {
					s.mu.Lock()
					s.denied++
					s.mu.Unlock()
				}
				time.Sleep(time.Duration(float64(time.Second) / l.other))
			}
		})
	}
	wg.Wait()
	return float64(s.answered[http.StatusOK]) / l.lasting.Seconds()
}

func TestPacer_UnderLoad(t *testing.T) {
	const half = 0.5 // of the limit is used by others
	for name, tt := range map[string]struct {
		ceiling         float64
		limit           int
		window          time.Duration
		aligned         bool
		jitter          float64
		others          float64 // the part of the limit that others use
		least, most     float64 // calls a second that are taken
		refused, denied int     // at most: our calls and those of others
	}{
		"25 a second":                    {20, 25, time.Second, false, 0, 0, 19.2, 20.2, 0, 0},
		"25 a second, aligned":           {20, 25, time.Second, true, 0, 0, 19.2, 20.2, 0, 0},
		"25 a second, uneven answers":    {20, 25, time.Second, false, 0.3, 0, 18.8, 20.2, 0, 0},
		"25 a second, disorder":          {20, 25, time.Second, true, 0.9, 0, 17.5, 20.2, 0, 0},
		"25 a second, half used":         {20, 25, time.Second, false, 0, half, 8.5, 12.5, 2, 6},
		"25 a second, half used, uneven": {20, 25, time.Second, true, 0.3, half, 8.5, 12.5, 2, 6},
		"50 in two seconds":              {20, 50, 2 * time.Second, true, 0.3, 0, 19.5, 20.2, 0, 0},
		"10 a second":                    {20, 10, time.Second, false, 0.3, 0, 6.8, 8.2, 0, 0},
		"600 a minute":                   {20, 600, time.Minute, false, 0, 0, 7.9, 8.1, 0, 0},
		"600 a minute, uneven":           {0, 600, time.Minute, true, 0.3, 0, 7.5, 8.1, 0, 0},
		"600 a minute, half used":        {20, 600, time.Minute, true, 0.3, half, 3.5, 5, 0, 0},
		"a ceiling four times too high":  {20, 5, time.Second, true, 0.3, 0, 3, 4.5, 25, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &limitedServer{limit: tt.limit, window: tt.window, aligned: tt.aligned}
				l := load{workers: 8, latency: 150 * time.Millisecond, jitter: tt.jitter, lasting: max(30*time.Second, 3*tt.window)}
				l.other = tt.others * float64(tt.limit) / tt.window.Seconds()
				got := l.on(t, NewPacer(PacerConfig{Ceiling: tt.ceiling}), s)
				refused := s.answered[http.StatusTooManyRequests]
				t.Logf("%.2f calls/s, %d refused, %d of others", got, refused, s.denied)
				if got < tt.least || got > tt.most {
					t.Errorf("%.2f calls/s, want %v to %v", got, tt.least, tt.most)
				}
				if refused > tt.refused || s.denied > tt.denied {
					t.Errorf("%d calls refused and %d of others, want at most %d and %d", refused, s.denied, tt.refused, tt.denied)
				}
			})
		})
	}
}

func TestClient_A429SlowsEveryoneDownAndIsRecoveredFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const refusedIn, pause, lasting = 3, 5, 30 // seconds
		started := time.Now()
		perSecond := make([]int, lasting+1) // calls that arrived in each second
		var mu sync.Mutex
		refused := false
		c := &Client{Turns: NewTurns(8), Pacer: NewPacer(PacerConfig{Ceiling: 20})}
		c.HTTPClient = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			mu.Lock()
			at := int(time.Since(started).Seconds())
			perSecond[at]++
			refuse := at == refusedIn && !refused
			refused = refused || refuse
			mu.Unlock()
			time.Sleep(100 * time.Millisecond)
			if refuse {
				res := respond(429, "")
				res.Header.Set("Retry-After", strconv.Itoa(pause))
				return res, nil
			}
			return respond(200, `{"campaignId":"a"}`), nil
		})}
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				for time.Since(started) < lasting*time.Second {
					if _, err := c.Campaign(t.Context(), "a"); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		t.Log(perSecond)
		for second, got := range perSecond[:lasting] {
			least, most := 19, 21
			switch {
			case second == 0:
				least, most = 24, 25
			case second == refusedIn:
				least, most = 1, 3 // those that were under way
			case second > refusedIn && second < refusedIn+pause:
				least, most = 0, 0
			case second == refusedIn+pause, second == refusedIn+pause+1:
				least, most = 9, 11
			case second > refusedIn && second < refusedIn+pause+10:
				least, most = perSecond[second-1], perSecond[second-1]+3
			}
			if got < least || got > most {
				t.Errorf("%d calls in second %d, want %d to %d", got, second, least, most)
			}
		}
	})
}
