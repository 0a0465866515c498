package telnyx

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// enter takes a place that is free.
func enter(t *testing.T, turns *Turns) (ctx context.Context, leave func()) {
	t.Helper()
	ctx, leave, err := turns.Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return ctx, leave
}

// served makes calls of a tenth of a second wait, in the lanes that are named in
// order, a routine one in capitals, while the only place is taken. Then it
// gives the place back and returns the lanes in the order in which they got it.
func served(t *testing.T, lanes ...string) []string {
	t.Helper()
	turns := NewTurns(1)
	_, leave := enter(t, turns)
	var order []string
	var wg sync.WaitGroup
	for _, lane := range lanes {
		wg.Go(func() {
			_, leave, err := turns.Enter(InLane(t.Context(), lane, lane == strings.ToUpper(lane)))
			if err != nil {
				t.Error(err)
			}
			order = append(order, lane) // there is but one place
			time.Sleep(100 * time.Millisecond)
			leave()
		})
		synctest.Wait()
	}
	leave()
	wg.Wait()
	assertAllFree(t, turns, 1)
	return order
}

// assertAllFree reports places that were lost, and calls left in the queues.
func assertAllFree(t *testing.T, turns *Turns, want int) {
	t.Helper()
	turns.mu.Lock()
	defer turns.mu.Unlock()
	if turns.free != want {
		t.Errorf("%d places are free, want all %d", turns.free, want)
	}
	for _, r := range []*ring{&turns.prompt, &turns.routine} {
		if !r.isEmpty() || len(r.lanes) != 0 {
			t.Errorf("%d lanes in order, %d by name, want none", r.order.Len(), len(r.lanes))
		}
	}
}

func TestTurns_GoRoundTheLanes(t *testing.T) {
	for name, tt := range map[string]struct{ lanes, want string }{
		"one lane":                       {"a a a", "a a a"},
		"lane by lane":                   {"a a a b b c", "a b c a b a"},
		"the last to come":               {"a a a a b", "a b a a a"},
		"prompt before routine":          {"A A b A b", "b b A A A"},
		"routine lanes among themselves": {"A A A B", "A B A A"},
		"every eighth is routine":        {"A A a a a a a a a a a", "a a a a a a a A a a A"},
		"every eighth round the lanes":   {"A A B a a a a a a a a a a a a a a a", "a a a a a a a A a a a a a a a B a A"},
		"in the order of their first":    {"b a a b b", "b a b a b"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got := strings.Join(served(t, strings.Fields(tt.lanes)...), " "); got != tt.want {
					t.Errorf("served %s, want %s", got, tt.want)
				}
			})
		})
	}
}

func TestTurns_AFewCallsDoNotWaitForThousands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lanes := append(slices.Repeat([]string{"big"}, 5000), slices.Repeat([]string{"small"}, 5)...)
		order := served(t, lanes...)
		slices.Reverse(order)
		if got := len(order) - slices.Index(order, "small"); got != 10 {
			t.Errorf("the last of five calls was served as number %d, want 10", got)
		}
	})
}

func TestTurns_RoutineDoesNotStarveUnderSteadyPromptLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(4)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var prompt, routine atomic.Int64
		var wg sync.WaitGroup
		for n := range 40 {
			isRoutine, calls := n%2 == 0, &prompt
			if isRoutine {
				calls = &routine
			}
			wg.Go(func() {
				for ctx.Err() == nil {
					_, leave, err := turns.Enter(InLane(ctx, fmt.Sprint(n), isRoutine))
					if err != nil {
						return
					}
					calls.Add(1)
					time.Sleep(100 * time.Millisecond)
					leave()
				}
			})
		}
		wg.Wait()
		all := prompt.Load() + routine.Load()
		if got := float64(routine.Load()) / float64(all); got < 0.12 || got > 0.13 {
			t.Errorf("routine got %.3f of %d places, want an eighth", got, all)
		}
	})
}

// network is an HTTP client whose answers take a tenth of a second, and the most
// calls that were under way in it at once.
func network() (*http.Client, *atomic.Int64) {
	var now, most atomic.Int64
	return &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer now.Add(-1)
		time.Sleep(100 * time.Millisecond)
		if r.Method == http.MethodGet && rand.IntN(10) == 0 {
			return respond(503, ""), nil
		}
		return respond(200, `{"campaignId":"a","phoneNumber":"`+number+`"}`), nil
	})}, &most
}

func TestTurns_BoundReadsAndWritesAndRepeatedReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, most := network()
		c := &Client{HTTPClient: client, Turns: NewTurns(3)}
		started := time.Now()
		var calls atomic.Int64
		c.OnCall = func(Call) { calls.Add(1) }
		var wg sync.WaitGroup
		for n := range 100 {
			wg.Go(func() {
				if n%2 == 0 {
					_, _ = c.Campaign(t.Context(), "a")
					return
				}
				if _, err := c.Assign(t.Context(), number, "a"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := most.Load(); got != 3 {
			t.Errorf("%d calls at once, want 3", got)
		}
		// Between the attempts of a read no place is held, so that all are used.
		if took, want := time.Since(started), time.Duration(calls.Load())*100*time.Millisecond/3; took > want+2*time.Second {
			t.Errorf("%d calls took %s, want about %s", calls.Load(), took, want)
		}
		assertAllFree(t, c.Turns, 3)
	})
}

func TestTurns_AreBeforeThePacer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := network()
		c := &Client{HTTPClient: client, Turns: NewTurns(2), Pacer: NewPacer(PacerConfig{Ceiling: 1})}
		c.Pacer.Observe(429, http.Header{"Retry-After": {"60"}})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { _, _ = c.Campaign(ctx, "a") })
		}
		synctest.Wait()
		if got := c.Pacer.waiting; got != 2 {
			t.Errorf("%d calls wait at the Pacer, want 2", got)
		}
		cancel()
		wg.Wait()
		assertAllFree(t, c.Turns, 2)
	})
}

func TestTurns_ACallWhoseContextEndsWasNotSent(t *testing.T) {
	for name, cause := range map[string]error{"cancelled": context.Canceled, "too late": context.DeadlineExceeded} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, most := network()
				c := &Client{HTTPClient: client, Turns: NewTurns(1)}
				_, leave := enter(t, c.Turns)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				if cause == context.Canceled {
					time.AfterFunc(time.Second, cancel)
				}
				_, err := c.Assign(ctx, number, "a")
				if !errors.Is(err, cause) || WasSent(err) || EffectUnknown(err) || Judge(err) != Later || most.Load() != 0 {
					t.Errorf("got %v, want %v and nothing sent", err, cause)
				}
				if got := c.Turns.prompt.order.Len(); got != 0 {
					t.Errorf("%d lanes wait, want none", got)
				}
				leave()
				if _, _, err := c.Turns.Enter(ctx); !errors.Is(err, cause) {
					t.Errorf("with a place free: got %v, want %v", err, cause)
				}
				assertAllFree(t, c.Turns, 1)
			})
		})
	}
}

func TestTurns_APlaceGivenToOneWhoGivesUpIsPassedOn(t *testing.T) {
	turns := NewTurns(1)
	_, leave := enter(t, turns)
	gone, next := turns.prompt.add("a"), turns.prompt.add("b")
	leave() // gone has the place
	turns.giveUp(gone)
	select {
	case <-next.granted:
	default:
		t.Fatal("the place was lost")
	}
	turns.giveBack()
	assertAllFree(t, turns, 1)
}

func TestTurns_OneWhoGivesUpLeavesTheOthersTheirOrder(t *testing.T) {
	turns := NewTurns(1)
	_, leave := enter(t, turns)
	first, second, third := turns.prompt.add("a"), turns.prompt.add("a"), turns.prompt.add("b")
	turns.giveUp(first)
	leave()
	for _, w := range []*waiter{second, third} {
		select {
		case <-w.granted:
		default:
			t.Fatal("passed over")
		}
		turns.giveBack()
	}
	assertAllFree(t, turns, 1)
}

func TestTurns_CountAnewForARoutineCallThatComesLater(t *testing.T) {
	turns := NewTurns(1)
	enter(t, turns)
	pass := func() { // the place goes on to a prompt call
		turns.prompt.add("a")
		turns.giveBack()
	}
	gone := turns.routine.add("r")
	for range routineEvery - 1 {
		pass()
	}
	turns.giveUp(gone) // as its turn has come
	pass()
	late := turns.routine.add("r")
	for range routineEvery - 1 {
		pass()
		select {
		case <-late.granted:
			t.Fatal("the one that came later was served for the one that is gone")
		default:
		}
	}
	pass()
	select {
	case <-late.granted:
	default:
		t.Error("passed over for the eighth place")
	}
	turns.giveBack() // to the prompt call that waits still
	turns.giveBack()
	assertAllFree(t, turns, 1)
}

func TestTurns_EnterHoldsThePlaceForSeveralCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, most := network()
		c := &Client{HTTPClient: client, Turns: NewTurns(1)}
		ctx, leave := enter(t, c.Turns)
		other := make(chan struct{})
		go func() {
			defer close(other)
			_, _ = c.Assign(t.Context(), number, "other")
		}()
		synctest.Wait()
		// Neither waits behind the other, which would be for ever.
		for _, ctx := range []context.Context{ctx, context.WithoutCancel(ctx)} {
			if _, err := c.Assign(ctx, number, "a"); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case <-other:
			t.Error("the other call got the place")
		default:
		}
		leave()
		leave()
		<-other
		assertAllFree(t, c.Turns, 1)
		if most.Load() != 1 {
			t.Errorf("%d calls at once, want 1", most.Load())
		}
	})
}

func TestTurns_CallsInOnePlaceAreMadeOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, most := network()
		c := &Client{HTTPClient: client, Turns: NewTurns(4)}
		ctx, leave := enter(t, c.Turns)
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if _, err := c.Assign(ctx, number, "a"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		leave()
		if most.Load() != 1 {
			t.Errorf("%d calls at once, want 1", most.Load())
		}
		assertAllFree(t, c.Turns, 4)
	})
}

func TestTurns_APlaceThatWasLeftCountsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(1)
		left, leave := enter(t, turns)
		leave()
		_, leave = enter(t, turns)
		ctx, cancel := context.WithTimeout(left, time.Second)
		defer cancel()
		if _, err := turns.begin(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want that it waits like any other", err)
		}
		leave()
		assertAllFree(t, turns, 1)
	})
}

func TestTurns_APlaceLeftDuringACallIsGivenBackAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(1)
		ctx, leave := enter(t, turns)
		end, err := turns.begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		// A second call waits for the first to be over; then the place is no more.
		second := make(chan struct{})
		go func() {
			defer close(second)
			end, err := turns.begin(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			end()
		}()
		synctest.Wait()
		leave()
		if turns.free != 0 {
			t.Error("free during the call")
		}
		end()
		<-second
		assertAllFree(t, turns, 1)
	})
}

func TestTurns_EnterWithinAPlaceIsThatPlace(t *testing.T) {
	turns, others := NewTurns(1), NewTurns(1)
	outer, leaveOuter := enter(t, turns)
	inner, leaveInner, err := turns.Enter(outer)
	if err != nil || inner != outer {
		t.Fatalf("got another context, %v", err)
	}
	leaveInner()
	if turns.free != 0 {
		t.Error("the inner one gave the outer one's place back")
	}
	_, leaveOther, err := others.Enter(outer)
	if err != nil || others.free != 0 {
		t.Errorf("%d free, %v: took a place among other Turns for its own", others.free, err)
	}
	leaveOther()
	leaveOuter()
	assertAllFree(t, turns, 1)
	assertAllFree(t, others, 1)
}

func TestTurns_NilBoundsNothing(t *testing.T) {
	var turns *Turns
	for range 3 {
		ctx, leave, err := turns.Enter(t.Context())
		if err != nil || ctx != t.Context() {
			t.Errorf("got %v, %v", ctx, err)
		}
		leave()
		end, err := turns.begin(ctx)
		if err != nil {
			t.Error(err)
		}
		end()
	}
}

func TestNewTurns_HasOnePlaceAtLeast(t *testing.T) {
	for _, n := range []int{-1, 0, 1} {
		assertAllFree(t, NewTurns(n), 1)
	}
}

func TestTurns_LoseNoPlace(t *testing.T) {
	const places, callers, rounds = 5, 400, 30
	synctest.Test(t, func(t *testing.T) {
		turns := NewTurns(places)
		var inside, done atomic.Int64
		stay := func(d time.Duration) {
			if n := inside.Add(1); n > places {
				t.Errorf("%d at once", n)
			}
			time.Sleep(d)
			inside.Add(-1)
			done.Add(1)
		}
		var wg sync.WaitGroup
		for n := range callers {
			random := rand.New(rand.NewPCG(2, uint64(n)))
			// Whole milliseconds, so that many contexts end as a place is given back.
			some := func(most int) time.Duration { return time.Duration(random.IntN(most)) * time.Millisecond }
			wg.Go(func() {
				for range rounds {
					ctx := InLane(t.Context(), fmt.Sprint(random.IntN(20)), random.IntN(2) == 0)
					ctx, cancel := context.WithTimeout(ctx, some(2000))
					if random.IntN(2) == 0 {
						if end, err := turns.begin(ctx); err == nil {
							stay(some(5))
							end()
						}
					} else if entered, leave, err := turns.Enter(ctx); err == nil {
						if end, err := turns.begin(entered); err == nil {
							if random.IntN(4) == 0 {
								leave()
							}
							stay(some(5))
							end()
						}
						leave()
					}
					cancel()
				}
			})
		}
		wg.Wait()
		assertAllFree(t, turns, places)
		if n := done.Load(); n < callers || n == callers*rounds {
			t.Errorf("%d calls got a place of %d, want some but not all", n, callers*rounds)
		}
	})
}

func BenchmarkTurns(b *testing.B) {
	bench := func(b *testing.B, waiting int) {
		b.ReportAllocs()
		turns := NewTurns(8)
		ctx := make([]context.Context, 100)
		for i := range ctx {
			ctx[i] = InLane(context.Background(), fmt.Sprint(i), i%2 == 0)
		}
		b.SetParallelism(max(waiting, 1))
		var next atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			lane := ctx[int(next.Add(1))%len(ctx)]
			for pb.Next() {
				end, err := turns.begin(lane)
				if err != nil {
					b.Error(err)
					return
				}
				end()
			}
		})
	}
	b.Run("free", func(b *testing.B) { bench(b, 1) })
	b.Run("crowded", func(b *testing.B) { bench(b, 1000) })
	b.Run("entered", func(b *testing.B) {
		b.ReportAllocs()
		turns := NewTurns(8)
		for b.Loop() {
			ctx, leave, err := turns.Enter(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			end, err := turns.begin(ctx)
			if err != nil {
				b.Fatal(err)
			}
			end()
			leave()
		}
	})
}
