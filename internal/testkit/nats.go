package testkit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// startTimeout is how long a server may take until it accepts connections, on a busy
// machine.
const startTimeout = time.Minute

// Serve runs a server on the loopback port until ctx ends. With syncAlways it syncs each
// message to the disk before it acknowledges it. Its log goes to stderr.
func Serve(ctx context.Context, port, dir string, syncAlways bool) error {
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	ns, err := server.NewServer(&server.Options{
		ServerName: "testkit", Host: "127.0.0.1", Port: number, NoSigs: true,
		JetStream: true, StoreDir: dir, SyncAlways: syncAlways, JetStreamMaxStore: 16 << 30,
	})
	if err != nil {
		return err
	}
	ns.ConfigureLogger()
	ns.Start()
	if !ns.ReadyForConnections(startTimeout) {
		return fmt.Errorf("the NATS server was not ready within %s", startTimeout)
	}
	<-ctx.Done()
	ns.Shutdown()
	ns.WaitForShutdown()
	return nil
}

// FreePort returns a port that is free now. It is outside the range from which the system
// takes the ports of outgoing connections, so that none of those gets it while the server is
// down.
func FreePort(t testing.TB) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(12000 + rand.IntN(18000))
		if listener, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			listener.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return ""
}

// Within calls try until it returns nil. It fails the test with the last error after limit.
func Within(t testing.TB, limit time.Duration, try func() error) {
	t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %v", limit, err)
		}
	}
}

// Full says that GREENLIGHT_FULL is set: what combines or repeats the same many times does
// all of it. Without it a part is enough, the same in each run; `make test` runs both.
var Full = os.Getenv("GREENLIGHT_FULL") != ""

// Fewer returns n if [Full], and else a tenth of it; at least one.
func Fewer(n int) int {
	if Full {
		return n
	}
	return max(n/10, 1)
}
