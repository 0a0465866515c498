package app

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

// burst has the heap grow by 64 MiB, which nothing uses any more once during is over.
func burst(during func()) {
	parts := make([][]byte, 64)
	for i := range parts {
		parts[i] = make([]byte, 1<<20)
	}
	during()
	runtime.KeepAlive(parts)
}

func TestGiveBack_WhatABurstNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		burst(func() {})
		runtime.GC()
		if got := unused(); got < 2*unusedMost {
			t.Fatalf("%d bytes are unused after a burst, so this shows nothing", got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go giveBack(ctx)
		time.Sleep((unusedLooks + 1) * unusedLook)
		cancel()
		synctest.Wait()
		if got := unused(); got > unusedMost {
			t.Errorf("%d bytes are still kept", got)
		}
	})
}

func TestRun_GivesBackWhatABurstNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		burst(func() {})
		runtime.GC()
		if got := unused(); got < 2*unusedMost {
			t.Fatalf("%d bytes are unused after a burst, so this shows nothing", got)
		}
		var p Process
		p.add("part", func(ctx context.Context) error { <-ctx.Done(); return nil })
		ctx, cancel := context.WithTimeout(t.Context(), (unusedLooks+1)*unusedLook)
		defer cancel()
		if err := p.Run(ctx); err != nil {
			t.Error(err)
		}
		if got := unused(); got > unusedMost {
			t.Errorf("%d bytes are still kept", got)
		}
	})
}

// The heap is kept small, unless the environment says how large it may be.
func TestRun_CollectsOftenUnlessTold(t *testing.T) {
	before := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	var p Process
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		gogc string
		want uint64
	}{{"100", 100}, {"", gcPercent}} {
		t.Setenv("GOGC", test.gogc)
		if err := p.Run(over); err != nil {
			t.Error(err)
		}
		if got := read("/gc/gogc:percent"); got != test.want {
			t.Errorf("GOGC=%s: the heap grows by %d percent, want %d", test.gogc, got, test.want)
		}
	}
}

// What was used once in two minutes will be needed again.
func TestGiveBack_NotWhatIsUsedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		go giveBack(ctx)
		burst(func() { time.Sleep(unusedLook + 1) }) // the first look finds it in use
		runtime.GC()
		time.Sleep((unusedLooks - 1) * unusedLook)
		cancel()
		synctest.Wait()
		if got := unused(); got < 2*unusedMost {
			t.Errorf("%d bytes are kept of what will be needed again", got)
		}
	})
}
