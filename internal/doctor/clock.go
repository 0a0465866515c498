package doctor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/status"
)

const (
	// maxClockOffset is the clock offset from which a person is warned.
	maxClockOffset = time.Minute
	// maxSignatureAge is how far a delivery's timestamp may be from our clock.
	maxSignatureAge = 5 * time.Minute
)

// CheckClock returns nil if the NATS server's clock and ours are close enough, else an
// error. Ahead is how far the server's clock is ahead of ours, plus or minus within.
func CheckClock(ahead, within time.Duration) error {
	if offset(ahead, within) < maxClockOffset {
		return nil
	}
	return errors.New("the NATS server's clock is " + aheadOf(ahead) + " this machine's, so scheduled checks run at the wrong time; synchronize both with NTP")
}

// offset is the smallest possible difference of the clocks.
func offset(ahead, within time.Duration) time.Duration { return max(ahead.Abs()-within, 0) }

// ReadyClock returns a readiness check that compares our clock with the NATS server's. A
// server that does not answer is reported by other checks.
func ReadyClock(js jetstream.JetStream) func(context.Context) error {
	return func(ctx context.Context) error {
		ahead, within, err := events.ClockOffset(ctx, js, time.Now)
		if err != nil {
			return nil
		}
		return CheckClock(ahead, within)
	}
}

// NATSClock compares the NATS server's clock with ours.
func NATSClock(ahead, within time.Duration) Finding {
	f := Finding{Check: CheckNATSClock, Facts: clockFacts(ahead, within)}
	if CheckClock(ahead, within) != nil {
		return f.is(Warn, "The NATS server's clock is "+aheadOf(ahead)+" this machine's, so scheduled checks run at the wrong time.", "Synchronize both machines with NTP.")
	}
	return f.is(OK, "The clocks of the NATS server and this machine agree within "+tolerance(ahead, within)+".", "")
}

// TelnyxClock compares Telnyx's clock with ours. The webhook refuses a delivery whose
// timestamp is too far from our clock.
func TelnyxClock(ahead, within time.Duration) Finding {
	f := Finding{Check: CheckTelnyxClock, Facts: clockFacts(ahead, within)}
	const fix = "Synchronize this machine with NTP (timedatectl, chronyc tracking)."
	message := "Telnyx's clock is " + aheadOf(ahead) + " this machine's. "
	switch apart := offset(ahead, within); {
	case apart >= maxSignatureAge:
		return f.is(Fail, message+"Every delivery is refused, because its timestamp is more than 5 min off.", fix)
	case apart >= maxClockOffset:
		return f.is(Warn, message+"At 5 min, every delivery is refused.", fix)
	default:
		return f.is(OK, "The clocks of Telnyx and this machine agree within "+tolerance(ahead, within)+"; 5 min are allowed.", "")
	}
}

func clockFacts(ahead, within time.Duration) map[string]any {
	return map[string]any{"ahead_ms": milliseconds(ahead), "within_ms": milliseconds(within)}
}

func aheadOf(ahead time.Duration) string {
	side := " ahead of"
	if ahead < 0 {
		side = " behind"
	}
	return status.Span(ahead.Abs()) + side
}

// tolerance is the largest possible difference of the clocks, in whole seconds.
func tolerance(ahead, within time.Duration) string {
	return fmt.Sprintf("%.0f s", math.Ceil(max((ahead.Abs()+within).Seconds(), 1)))
}
