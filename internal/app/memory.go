package app

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// gcPercent is by how much of what is in use the heap may grow before it is collected:
// half of what Go takes, and nearly as quick (BenchmarkUp).
const gcPercent = 50

// spare keeps the heap small, unless the environment says otherwise.
func spare() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

const (
	// unusedMost is how many bytes a process keeps at least that it does not use, and
	// unusedShare which part of what it uses: a large ledger fills its heap slowly, and
	// needs room for that again and again.
	unusedMost  = 4 << 20
	unusedShare = 4
	// unusedLook is how often it looks at them, and unusedLooks how often in a row they
	// must have been there.
	unusedLook  = 10 * time.Second
	unusedLooks = 12
)

// giveBack gives memory to the operating system that was not used for two minutes,
// until ctx ends. Go keeps for long what a burst of events needed, in case there is
// another; what is needed between two collections it uses again and again, so that it is
// kept.
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
		if least > max(unusedMost, read("/memory/classes/heap/objects:bytes")/unusedShare) {
			debug.FreeOSMemory()
		}
	}
}

// unused is how many bytes the heap has of the operating system and does not use.
func unused() uint64 { return read("/memory/classes/heap/free:bytes") }

func read(metric string) uint64 {
	sample := []metrics.Sample{{Name: metric}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
