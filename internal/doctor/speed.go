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
	// probeStream is the temporary stream in which speed is measured. What a crash
	// leaves of it is small, and the next doctor deletes it.
	probeStream  = "GREENLIGHT_DOCTOR"
	probeSubject = "greenlight.doctor"

	// probes is the number of messages that are measured, after probesWarm others.
	probes     = 200
	probesWarm = 3
	// probeSize is the size of an event with its headers.
	probeSize  = 1536
	probeBytes = 1 << 20
	probeAge   = 10 * time.Minute

	// ackTimeout is how long the webhook waits for an acknowledgement before it answers
	// 503. Telnyx gives up after two seconds.
	ackTimeout = 1500 * time.Millisecond
	// measureTimeout bounds the measurement. What was measured until then shows that a
	// server is slow.
	measureTimeout = 15 * time.Second
	removeTimeout  = 5 * time.Second
)

// The limits of speed. Telnyx waits two seconds and sends a brand's events in bursts, in
// which each event waits for those before it.
const (
	slowMedian = 50 * time.Millisecond
	slowTail   = 300 * time.Millisecond
	tooSlow    = time.Second
)

// Speed is how long it took until messages were acknowledged.
type Speed struct {
	P50, P99 time.Duration
	// Messages is how many were measured.
	Messages int
	// Lost is true if a message was not acknowledged while the webhook would wait.
	Lost bool
}

// measure publishes small messages one by one to [probeStream], which it creates with the
// storage and copies of stream EVENTS and deletes afterwards.
func measure(ctx context.Context, js jetstream.JetStream, like jetstream.StreamConfig) (s Speed, err error) {
	_, err = js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:        probeStream,
		Description: "Temporary, created by greenlight doctor to measure speed; may be deleted",
		Subjects:    []string{probeSubject},
		Storage:     like.Storage,
		Replicas:    max(like.Replicas, 1),
		Placement:   like.Placement,
		Discard:     jetstream.DiscardOld,
		MaxBytes:    probeBytes,
		MaxAge:      probeAge,
	})
	if err != nil {
		return Speed{}, fmt.Errorf("create stream %s: %w", probeStream, err)
	}
	defer func() {
		// Also after Ctrl-C.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
		defer cancel()
		if deleteErr := js.DeleteStream(ctx, probeStream); deleteErr != nil && !errors.Is(deleteErr, jetstream.ErrStreamNotFound) {
			err = errors.Join(err, fmt.Errorf("delete stream %s: %w", probeStream, deleteErr))
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
			break // the results so far show how slow it is
		}
		if err != nil {
			return Speed{}, fmt.Errorf("publish to stream %s: %w", probeStream, err)
		}
		if i >= probesWarm {
			took = append(took, time.Since(started))
		}
	}
	slices.Sort(took)
	return Speed{P50: percentile(took, 50), P99: percentile(took, 99), Messages: len(took)}, nil
}

func publishProbe(ctx context.Context, js jetstream.JetStream, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	_, err := js.Publish(ctx, probeSubject, body, jetstream.WithExpectStream(probeStream))
	return err
}

// percentile returns the smallest value that p percent do not exceed. The values are
// sorted and not empty.
func percentile(values []time.Duration, p int) time.Duration {
	return values[max((len(values)*p+99)/100-1, 0)]
}

// PublishSpeed checks how fast events are stored.
func PublishSpeed(s Speed) Finding {
	f := Finding{Check: CheckSpeed, Facts: map[string]any{"messages": s.Messages, "message_bytes": probeSize}}
	const fix = "Find out what else uses the disk, or check the network to NATS. A sync takes an SSD a few milliseconds."
	if s.Lost {
		return f.is(Fail, "A message was not stored within 1.5 s, after which the webhook answers 503.", fix)
	}
	f.Facts["p50_ms"], f.Facts["p99_ms"] = milliseconds(s.P50), milliseconds(s.P99)
	tail := "99 %"
	if s.Messages < 100 {
		tail = "slowest" // measuring more took too long
	}
	times := fmt.Sprintf("A message is stored within %.1f ms (median), %.1f ms (%s): ", milliseconds(s.P50), milliseconds(s.P99), tail)
	measured := fmt.Sprintf(" Measured one at a time with %s of %s in the temporary stream %s.", status.Count(s.Messages, "message"), bytes(probeSize), probeStream)
	switch {
	case s.P99 >= tooSlow:
		return f.is(Fail, times+"too slow. The webhook answers 503 after 1.5 s."+measured, fix)
	case s.P99 >= slowTail || s.P50 >= slowMedian:
		return f.is(Warn, times+"slow. In a burst of events, some may be answered 503 (after 1.5 s)."+measured, fix)
	default:
		return f.is(OK, times+"fast enough."+measured, "")
	}
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}
