package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/status"
)

const (
	// ProbeStream is the stream that speed is measured in. It is made for that and
	// deleted afterwards; what a crash leaves of it is small, and the next doctor
	// takes it away.
	ProbeStream  = "GREENLIGHT_DOCTOR"
	probeSubject = "greenlight.doctor"

	// probes are the messages that are measured, after some that are not: enough that
	// two may be slower than 99 of 100 are.
	probes     = 200
	probesWarm = 3
	// probeSize is that of an event with its headers.
	probeSize  = 1536
	probeBytes = 1 << 20
	probeAge   = 10 * time.Minute

	// probePatience is what the webhook waits for an acknowledgement before it
	// answers 503: Telnyx gives up after two seconds.
	probePatience = 1500 * time.Millisecond
	// measureTimeout bounds measuring: a server that needs longer is slow enough to
	// be judged by what was measured so far.
	measureTimeout = 15 * time.Second
	removeTimeout  = 5 * time.Second
)

// When speed is judged. Telnyx waits two seconds and sends a brand's events in
// bursts, each of which waits for those before it.
const (
	slowMiddle  = 50 * time.Millisecond
	slowTail    = 300 * time.Millisecond
	hopelessAll = time.Second
)

// Speed is how long it took until messages were acknowledged.
type Speed struct {
	P50, P99 time.Duration
	// Messages is how many were measured.
	Messages int
	// Lost says that a message was not acknowledged while the webhook would wait.
	Lost bool
}

// Measure publishes small messages one by one into [ProbeStream], which it makes
// with as many copies and the same storage as the stream of events, and deletes it.
func Measure(ctx context.Context, js jetstream.JetStream, like jetstream.StreamConfig) (s Speed, err error) {
	_, err = js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:        ProbeStream,
		Description: "Made by greenlight doctor to measure speed, may be deleted",
		Subjects:    []string{probeSubject},
		Storage:     like.Storage,
		Replicas:    max(like.Replicas, 1),
		Placement:   like.Placement,
		Discard:     jetstream.DiscardOld,
		MaxBytes:    probeBytes,
		MaxAge:      probeAge,
	})
	if err != nil {
		return Speed{}, fmt.Errorf("make stream %s: %w", ProbeStream, err)
	}
	defer func() {
		// Also when the operator has had enough.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
		defer cancel()
		if deleteErr := js.DeleteStream(ctx, ProbeStream); deleteErr != nil && !errors.Is(deleteErr, jetstream.ErrStreamNotFound) {
			err = errors.Join(err, fmt.Errorf("delete stream %s: %w", ProbeStream, deleteErr))
		}
	}()
	body := make([]byte, probeSize)
	took := make([]time.Duration, 0, probes)
	for i := range probesWarm + probes {
		started := time.Now()
		err := publishProbe(ctx, js, body)
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return Speed{Lost: true}, nil
		}
		if errors.Is(ctx.Err(), context.DeadlineExceeded) && len(took) > 0 {
			break // it is slow, and the figures so far say how slow
		}
		if err != nil {
			return Speed{}, fmt.Errorf("publish to stream %s: %w", ProbeStream, err)
		}
		if i >= probesWarm {
			took = append(took, time.Since(started))
		}
	}
	slices.Sort(took)
	return Speed{P50: percentile(took, 50), P99: percentile(took, 99), Messages: len(took)}, nil
}

func publishProbe(ctx context.Context, js jetstream.JetStream, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	_, err := js.Publish(ctx, probeSubject, body, jetstream.WithExpectStream(ProbeStream))
	return err
}

// percentile returns the smallest value that p of 100 do not exceed. The values are
// sorted, and there is one at least.
func percentile(values []time.Duration, p int) time.Duration {
	return values[max((len(values)*p+99)/100-1, 0)]
}

// PublishSpeed judges how fast events are stored.
func PublishSpeed(s Speed) Finding {
	f := Finding{Check: CheckSpeed, Level: OK, Facts: map[string]any{
		"p50_ms": milliseconds(s.P50), "p99_ms": milliseconds(s.P99), "messages": s.Messages, "message_bytes": probeSize,
	}}
	tail := "99 of 100"
	if s.Messages < 100 {
		tail = "the slowest" // it took too long to measure more
	}
	figures := fmt.Sprintf("A message is stored within %s (median) or %s (%s)", span(s.P50), span(s.P99), tail)
	how := fmt.Sprintf(" Measured one by one with %s of %s in stream %s, made like EVENTS and deleted again.", status.Count(s.Messages, "message"), bytes(probeSize), ProbeStream)
	const mend = "Look for what else uses the disk, or for the network between this machine and NATS. A sync costs what the disk needs for it: an SSD does it in a few milliseconds."
	switch {
	case s.Lost:
		f.Level, f.Fix = Fail, mend
		f.Says = "A message was not stored within 1.5 s, after which the webhook answers 503. Measured in stream " + ProbeStream + ", made like EVENTS and deleted again."
		delete(f.Facts, "p50_ms")
		delete(f.Facts, "p99_ms")
	case s.P99 >= hopelessAll:
		f.Level, f.Fix = Fail, mend
		f.Says = figures + ": too slow. The webhook answers 503 after 1.5 s." + how
	case s.P99 >= slowTail || s.P50 >= slowMiddle:
		f.Level, f.Fix = Warn, mend
		f.Says = figures + ": slow. A burst of events may not be stored before the webhook answers 503 (1.5 s)." + how
	default:
		f.Says = figures + ": fast enough." + how
	}
	return f
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}

// span writes a time with two or three digits.
func span(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case ms < 10:
		return fmt.Sprintf("%.2f ms", ms)
	case ms < 1000:
		return fmt.Sprintf("%.0f ms", ms)
	default:
		return fmt.Sprintf("%.1f s", ms/1000)
	}
}
