package process

import (
	"context"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// unusedMost is how many bytes a process keeps that it does not use.
	unusedMost = 16 << 20
	// unusedLook is how often it looks at them, and unusedLooks how often in a row they
	// must have been there.
	unusedLook  = 10 * time.Second
	unusedLooks = 12
)

// giveBack gives memory to the operating system that was not used for two minutes,
// until ctx ends. Go keeps for long what a burst of events needed, in case there is
// another; under load it uses all that it has before each collection, so that nothing is
// given back then.
func giveBack(ctx context.Context) {
	look := time.NewTicker(unusedLook)
	defer look.Stop()
	for {
		least := uint64(math.MaxUint64)
		for range unusedLooks {
			select {
			case <-look.C:
				least = min(least, unused())
			case <-ctx.Done():
				return
			}
		}
		if least > unusedMost {
			debug.FreeOSMemory()
		}
	}
}

// unused is how many bytes the heap has of the operating system and does not use.
func unused() uint64 {
	free := []metrics.Sample{{Name: "/memory/classes/heap/free:bytes"}}
	metrics.Read(free)
	return free[0].Value.Uint64()
}
