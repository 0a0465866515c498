package httpserve

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// Who takes connections may be held up between asking to be woken and waiting. It
// must be woken all the same: no other change may come for long.
func TestCrowd_IsWokenHoweverSoonThatIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(1, nil, nil)
		c.mu.Lock()
		defer c.mu.Unlock()
		const soon = time.Nanosecond
		defer c.wakeIn(soon).Stop()
		time.Sleep(soon)
		for range 1000 {
			runtime.Gosched() // so that the other gets as far as it can
		}
		c.changed.Wait() // a lost signal is a deadlock here, which synctest reports
	})
}
