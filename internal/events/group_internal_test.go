package events

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// groupWith has a worker that does nothing, and so many events that wait.
func groupWith(t *testing.T, waits int) *Group {
	t.Helper()
	g := &Group{working: true}
	for range waits {
		arrive(t, g)
	}
	return g
}

func arrive(t *testing.T, g *Group) {
	t.Helper()
	if err := g.join(&waiting{ctx: context.Background()}); err != nil {
		t.Fatal(err)
	}
}

func TestGather_FewOrEnoughWaitForNobody(t *testing.T) {
	for name, c := range map[string]struct{ stored, waits int }{
		"nobody":             {stored: 64},
		"a lone event":       {stored: 64, waits: 1},
		"few":                {stored: 64, waits: groupCompany - 1},
		"most of them":       {stored: 20, waits: 30},
		"a full commit":      {stored: groupMost, waits: groupMost},
		"after lone events":  {stored: 1, waits: groupCompany},
		"more than expected": {stored: 8, waits: 1000},
	} {
		t.Run(name, func(t *testing.T) {
			if groupWith(t, c.waits).expect(c.stored) != nil {
				t.Error("they wait for more")
			}
		})
	}
}

func TestGather_ManyWaitUntilMostAreThere(t *testing.T) {
	g := groupWith(t, 10)
	full := g.expect(20) // 30 at a time: 18 are most of them
	if full == nil {
		t.Fatal("10 of 30 wait for no more")
	}
	for came := 11; came <= 20; came++ {
		arrive(t, g)
		select {
		case <-full:
			if came < 18 {
				t.Fatalf("%d of 30 are enough", came)
			}
		default:
			if came >= 18 {
				t.Fatalf("%d of 30 are not enough", came)
			}
		}
	}
}

// Those who are expected may never come.
func TestGather_WaitsAMomentForTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := groupWith(t, 10)
		began := time.Now()
		g.gather(20)
		if waited := time.Since(began); waited != groupGather {
			t.Errorf("waited %v, want %v", waited, groupGather)
		}
		for range 20 {
			arrive(t, g) // which nobody waits for any more
		}
	})
}

func TestGather_EndsWhenMostAreThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := groupWith(t, 10)
		began := time.Now()
		go func() {
			time.Sleep(groupGather / 2)
			for range 8 {
				arrive(t, g)
			}
		}()
		g.gather(20)
		if waited := time.Since(began); waited != groupGather/2 {
			t.Errorf("waited %v, want %v", waited, groupGather/2)
		}
		synctest.Wait()
	})
}

// Who is stored one by one gains nothing by company.
func TestGather_WaitsForNobodyWhileBatchesAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := groupWith(t, 10)
		g.aloneUntil = time.Now().Add(groupPause)
		began := time.Now()
		g.gather(20)
		if waited := time.Since(began); waited != 0 {
			t.Errorf("waited %v", waited)
		}
	})
}
