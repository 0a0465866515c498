package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/rs/zerolog"
)

// enter enters without waiting.
func enter(t *testing.T, g *gate, cut func()) *visit {
	t.Helper()
	v, err := g.enter(cut)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func never(t *testing.T) func() { return func() { t.Error("was cut off") } }

func TestGate_LetsInWhoHasRoomAndThenInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate{room: 2}
		first, second := enter(t, &g, never(t)), enter(t, &g, never(t))
		first.hasRead()
		second.hasRead() // so that nobody can be displaced
		turns := make(chan int, 3)
		leave := make(chan struct{})
		for i := range 3 {
			go func() {
				v, err := g.enter(never(t))
				if err != nil {
					t.Errorf("%d: %v", i, err)
					return
				}
				v.hasRead()
				turns <- i
				<-leave
				v.leave()
			}()
			synctest.Wait()
		}
		for want, v := range []*visit{first, second} {
			time.Sleep(time.Millisecond)
			v.leave()
			if got := <-turns; got != want {
				t.Errorf("it was the turn of %d, want %d", got, want)
			}
		}
		if len(turns) > 0 {
			t.Error("three are inside, and there is room for two")
		}
		close(leave)
		<-turns
		synctest.Wait()
		if g.room != 2 || g.queue.Len() != 0 || len(g.readers) != 0 {
			t.Errorf("in the end: room %d, %d wait, %d read", g.room, g.queue.Len(), len(g.readers))
		}
	})
}

func TestGate_GivesUpWhenNobodyMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate{room: 1}
		v := enter(t, &g, never(t))
		v.hasRead() // it is being verified, and that never ends
		began := time.Now()
		if _, err := g.enter(never(t)); !errors.Is(err, errGateFull) || time.Since(began) != gatePatience {
			t.Errorf("got %v after %s, want errGateFull after %s", err, time.Since(began), gatePatience)
		}
		v.leave()
		enter(t, &g, never(t)).leave()
		if g.room != 1 || g.queue.Len() != 0 {
			t.Errorf("in the end: room %d, %d wait", g.room, g.queue.Len())
		}
	})
}

func TestGate_CutsOffWhoReadsLongestOnceOthersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const room = 3
		g := gate{room: room}
		var cut []int
		visits := make([]*visit, room)
		for i := range room {
			visits[i] = enter(t, &g, func() { cut = append(cut, i) })
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Minute) // nobody waits, so everybody may take his time
		visits[0].hasRead()     // and is not to be disturbed any more
		if cut != nil {
			t.Fatalf("cut off %v while there was room for all", cut)
		}
		done := make(chan error, 1)
		go func() {
			v, err := g.enter(never(t))
			if err == nil {
				v.leave()
			}
			done <- err
		}()
		synctest.Wait()
		if fmt.Sprint(cut) != "[1]" || !visits[1].displaced() || visits[2].displaced() {
			t.Errorf("cut off %v, want the second, which reads for longest", cut)
		}
		time.Sleep(gatePatience / 2)
		if fmt.Sprint(cut) != "[1]" {
			t.Errorf("cut off %v for one that waits", cut)
		}
		visits[1].leave()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestGate_GivesABodyItsGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate{room: 1}
		began := time.Now()
		var after time.Duration
		var slow *visit
		slow = enter(t, &g, func() { after = time.Since(began); go func() { slow.leave() }() })
		time.Sleep(30 * time.Millisecond)
		enter(t, &g, nil).leave()
		if after != gateGrace || time.Since(began) != gateGrace {
			t.Errorf("cut off after %s, and the other let in after %s; want %s", after, time.Since(began), gateGrace)
		}
	})
}

// Whoever does not send a body cannot keep out for long those who do, however many
// they are.
func TestGate_LetsThoseWhoReadThroughACrowdOfThoseWhoDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const crowd = 1000 // with a connection each, which is the bound for these
		g := gate{room: DefaultMaxUnverified}
		late, refused := make(chan struct{}, crowd), make(chan struct{}, crowd)
		over := make(chan struct{})
		for range crowd {
			go func() {
				end := make(chan struct{})
				v, err := g.enter(func() { close(end) })
				if err != nil {
					refused <- struct{}{}
					return
				}
				defer v.leave()
				select {
				case <-end:
					late <- struct{}{}
				case <-over:
				}
			}()
		}
		synctest.Wait()
		const honest = 500
		done := make(chan error, honest)
		for range honest {
			go func() {
				v, err := g.enter(never(t))
				if err == nil {
					v.hasRead()
					v.leave()
				}
				done <- err
			}()
		}
		for range honest {
			if err := <-done; err != nil {
				t.Errorf("an honest delivery: %v", err)
			}
		}
		if len(refused) > 0 {
			t.Errorf("%d of the crowd were not let in: an honest one in their place would not have been", len(refused))
		}
		close(over) // the rest of the crowd is inside, since nobody wants its place
		synctest.Wait()
		if g.room != DefaultMaxUnverified || g.queue.Len() != 0 {
			t.Errorf("in the end: room %d, %d wait", g.room, g.queue.Len())
		}
	})
}

func TestRefusals_AreNotAllLoggedInAFlood(t *testing.T) {
	var log bytes.Buffer
	now := time.Unix(1_700_000_000, 0)
	w := &Webhook{log: zerolog.New(&log), now: func() time.Time { return now }}
	refuse := func(refused *refusal, times int) {
		for range times {
			w.logRefusal(refused, echo.New().NewContext(httptest.NewRequest("POST", Path, nil), nil))
		}
	}
	unsigned := &refusal{status: 401, code: "signature_missing", message: "unsigned"}
	refuse(unsigned, 5000)
	refuse(notStored(errors.New("down")).(*refusal), 1)
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != linesPerSecond+1 || !strings.Contains(lines[linesPerSecond], `"not_stored"`) {
		t.Errorf("got %d lines, the last %s; want %d and our own trouble", len(lines), lines[len(lines)-1], linesPerSecond+1)
	}
	now = now.Add(time.Second)
	log.Reset()
	refuse(unsigned, 2)
	var told []any
	for line := range strings.Lines(log.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		told = append(told, fields["unlogged"])
	}
	if want := []any{float64(5000 - linesPerSecond), nil}; fmt.Sprint(told) != fmt.Sprint(want) {
		t.Errorf("the next second's lines tell of %v left out, want %v", told, want)
	}
}
