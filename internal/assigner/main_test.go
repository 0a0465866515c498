package assigner

import (
	"flag"
	"runtime"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"greenlight/internal/testkit"
)

func TestMain(m *testing.M) {
	// Parallel tests mostly wait for timers, so more of them run than there are processors.
	_ = flag.Set("test.parallel", strconv.Itoa(6*runtime.GOMAXPROCS(0)))
	goleak.VerifyTestMain(m, testkit.ServerLeaks()...)
}
