package app_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"greenlight/internal/app"
	"greenlight/internal/status"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
	"greenlight/internal/webhook"
)

// Systemd learns that the process is ready when it takes deliveries, and not before. The
// watchdog is fed while the checks answer, whatever they answer, and not while one hangs.
func TestProcess_NotifiesSystemdOfRealReadiness(t *testing.T) {
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	must(t, err)
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", socket.LocalAddr().String())
	t.Setenv("WATCHDOG_USEC", "120000") // of which a third is waited between two
	// until returns the states up to one that ends in the given text.
	until := func(last string) []string {
		t.Helper()
		must(t, socket.SetReadDeadline(time.Now().Add(10*time.Second)))
		var states []string
		for buffer := make([]byte, 4096); ; {
			n, err := socket.Read(buffer)
			if err != nil {
				t.Fatalf("%v before %q; got %q", err, last, states)
			}
			for state := range strings.SplitSeq(string(buffer[:n]), "\n") {
				if states = append(states, state); strings.HasSuffix(state, last) {
					return states
				}
			}
		}
	}

	sim := telnyxsim.New(telnyxsim.Options{})
	defer sim.Close()
	p, err := app.New(t.Context(), testkit.Connect(t, testkit.Embedded(t)), 1, zerolog.Nop())
	must(t, err)
	public := listen(t)
	must(t, p.AddWebhook(webhook.Config{Verifier: verifier(t, sim)}, public, app.Public{}))
	var full, refused atomic.Bool
	full.Store(true)
	failing := func(failing *atomic.Bool, text string) func(context.Context) error {
		return func(context.Context) error {
			if failing.Load() {
				return errors.New(text)
			}
			return nil
		}
	}
	var hang atomic.Pointer[chan struct{}]
	p.AddCheck(status.Check{Name: "storage", Ready: failing(&full, "the disk is full\nand slow")})
	p.AddCheck(status.Check{Name: "assigner", Role: status.RoleAssigner, Ready: failing(&refused, "Telnyx refuses the API key")})
	hanging := make(chan struct{})
	p.AddCheck(status.Check{Name: "lock", Ready: func(context.Context) error {
		if end := hang.Swap(nil); end != nil {
			close(hanging)
			<-*end
		}
		return nil
	}})
	stop, ended := run(t, p)

	fed := func(state string) bool { return state == "READY=1" || state == "WATCHDOG=1" }
	if got := until("STATUS=Not ready: storage: the disk is full; and slow"); slices.ContainsFunc(got, fed) {
		t.Errorf("got %q before it is ready", got)
	}
	full.Store(false)
	if got := until("READY=1"); !slices.Contains(got, "STATUS=Ready.") || slices.Contains(got, "WATCHDOG=1") {
		t.Errorf("got %q when it is ready", got)
	}
	get(t, public.Addr().String(), "/healthz", 200)
	until("WATCHDOG=1")
	full.Store(true)
	until("the disk is full; and slow")
	until("WATCHDOG=1")
	until("WATCHDOG=1")
	full.Store(false)
	if got := until("STATUS=Ready."); slices.Contains(got, "READY=1") {
		t.Errorf("got %q: it was ready twice", got)
	}
	refused.Store(true)
	until("STATUS=Accepts deliveries, but the assigner is not ready: Telnyx refuses the API key")
	until("WATCHDOG=1")
	end := make(chan struct{})
	hang.Store(&end)
	<-hanging
	must(t, socket.SetReadDeadline(time.Now().Add(400*time.Millisecond))) // more than three times WATCHDOG_USEC
	for fed, buffer := 0, make([]byte, 4096); ; fed++ {
		if _, err := socket.Read(buffer); errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if fed > 3 { // those from before it hung
			t.Fatal("the watchdog is fed although a check hangs")
		}
	}
	close(end)
	until("WATCHDOG=1")
	stop()
	if got := until("STOPPING=1"); slices.Contains(got, "READY=1") {
		t.Errorf("got %q: it was ready twice", got)
	}
	ended()
}
