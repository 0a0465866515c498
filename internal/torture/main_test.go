//go:build unix

package torture

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"greenlight/internal/app"
	"greenlight/internal/assigner"
	"greenlight/internal/events"
	"greenlight/internal/telnyx"
	"greenlight/internal/testkit"
	"greenlight/internal/webhook"
)

// The environment of a child.
const (
	varRole       = "GREENLIGHT_TORTURE_ROLE"
	varName       = "GREENLIGHT_TORTURE_NAME"
	varPort       = "GREENLIGHT_TORTURE_PORT"
	varDir        = "GREENLIGHT_TORTURE_DIR"
	varNATS       = "GREENLIGHT_TORTURE_NATS"
	varTelnyx     = "GREENLIGHT_TORTURE_TELNYX"
	varPublicKey  = "GREENLIGHT_TORTURE_PUBLIC_KEY"
	varPlan       = "GREENLIGHT_TORTURE_PLAN"
	varClock      = "GREENLIGHT_TORTURE_CLOCK"
	varPruneLimit = "GREENLIGHT_TORTURE_PRUNE_LIMIT"
)

// The figures that all children share. They are short, so that what takes minutes
// in earnest takes seconds here, and keep the order of the real ones: a request
// ends before its claim may be taken for abandoned, and a pull well before the pin.
const (
	settle        = 1500 * time.Millisecond
	clientTimeout = time.Second
	resync        = 2 * time.Second
	concurrency   = 8
	callRate      = 100
	apiKey        = "KEY0123456789_torture_secret"
)

var timing = events.Timing{AckWait: 1500 * time.Millisecond, PinnedTTL: 2 * time.Second, PullExpiry: time.Second}

// Exit codes of children; 1 is any error, which package app prints.
const (
	exitOrphaned = 3
	exitPanic    = 2
	exitRace     = 66
)

// roles are what the test binary can run as.
var roles = map[string]func(context.Context) error{"nats": beNATS, "webhook": beWebhook, "assigner": beAssigner}

func TestMain(m *testing.M) {
	role := os.Getenv(varRole)
	if role == "" {
		goleak.VerifyTestMain(m)
		return
	}
	go func() {
		// The test holds the other end: this ends when the test ends.
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(exitOrphaned)
	}()
	os.Exit(app.Main(os.Getenv(varName), roles[role]))
}

// childLog is what a child writes to; the test keeps it in a file.
func childLog() zerolog.Logger {
	zerolog.TimeFieldFormat = "15:04:05.000"
	return zerolog.New(os.Stderr).With().Timestamp().Str("process", os.Getenv(varName)).Logger()
}

// beNATS runs a NATS server that has written to the disk what it acknowledged.
func beNATS(ctx context.Context) error {
	return testkit.Serve(ctx, os.Getenv(varPort), os.Getenv(varDir), true)
}

func beWebhook(ctx context.Context) error {
	keys, err := telnyx.ParsePublicKeys(os.Getenv(varPublicKey))
	if err != nil {
		return err
	}
	verifier, err := telnyx.NewVerifier(keys, time.Now)
	if err != nil {
		return err
	}
	return work(ctx, func(p *app.Process) error {
		listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv(varPort))
		if err != nil {
			return err
		}
		return p.AddWebhook(webhook.Config{Verifier: verifier}, listener, app.Public{})
	})
}

func beAssigner(ctx context.Context) error {
	plans, err := app.WatchPlans(os.Getenv(varPlan))
	if err != nil {
		return err
	}
	plans.PollEvery(100 * time.Millisecond)
	now, err := followClock(os.Getenv(varClock))
	if err != nil {
		return err
	}
	pruneLimit, err := strconv.Atoi(os.Getenv(varPruneLimit))
	if err != nil {
		return err
	}
	return work(ctx, func(p *app.Process) error {
		p.AddPlans(plans)
		return p.AddAssigner(ctx, assigner.Config{
			Telnyx: &telnyx.Client{
				APIKey: apiKey, BaseURL: os.Getenv(varTelnyx), UserAgent: os.Getenv(varName),
				HTTPClient: &http.Client{Timeout: clientTimeout},
				Limiter:    telnyx.NewLimiter(telnyx.LimiterConfig{Ceiling: callRate, Concurrency: 8}),
			},
			Plans: plans.Set, PruneLimit: pruneLimit,
			Resync: resync, Concurrency: concurrency, Settle: settle, Timing: timing, Now: now,
		})
	})
}

// work runs a process with the part that add adds. Without a NATS server it ends at
// once, as the commands do, and is started again.
func work(ctx context.Context, add func(*app.Process) error) error {
	nc, err := events.Connect(os.Getenv(varNATS), os.Getenv(varName))
	if err != nil {
		return err
	}
	defer nc.Close()
	p, err := app.New(ctx, nc, 1, childLog())
	if err != nil {
		return err
	}
	if err := add(p); err != nil {
		return err
	}
	return p.Run(ctx)
}

// followClock returns a clock that is ahead of the real one by what the file says:
// nanoseconds, eight bytes, little endian. The file is read every few milliseconds
// and not at each call.
//
// Such a step is harder than one of a machine's clock, which leaves the time that
// passes within a process alone.
func followClock(name string) (func() time.Time, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	var ahead atomic.Int64
	read := func() error {
		var text [8]byte
		if _, err := file.ReadAt(text[:], 0); err != nil {
			return fmt.Errorf("read the clock: %w", err)
		}
		ahead.Store(int64(binary.LittleEndian.Uint64(text[:])))
		return nil
	}
	if err := read(); err != nil {
		return nil, err
	}
	go func() {
		for range time.Tick(10 * time.Millisecond) {
			if read() != nil {
				return // the test is over
			}
		}
	}()
	return func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }, nil
}
