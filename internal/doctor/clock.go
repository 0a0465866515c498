package doctor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
)

const (
	// clocksApart is how far clocks may be apart before a person is told.
	clocksApart = time.Minute
	// signatureAge is how old or early a delivery's timestamp may be, by our clock.
	signatureAge = 300 * time.Second
)

// ClockTrouble returns nil when the clock of the NATS server and ours are close
// enough, else a sentence. Ahead is how far the server's is ahead of ours, give or
// take within.
func ClockTrouble(ahead, within time.Duration) error {
	if apart(ahead, within) < clocksApart {
		return nil
	}
	return errors.New("the NATS server's clock is " + aheadOf(ahead) +
		" this machine's: looks that are ordered for later come at the wrong time; let both follow NTP")
}

// apart is how far clocks are apart at least.
func apart(ahead, within time.Duration) time.Duration { return max(ahead.Abs()-within, 0) }

// ReadyClock returns a readiness check that holds our clock against that of the
// NATS server. A server that cannot be asked is for other checks to tell.
func ReadyClock(js jetstream.JetStream) func(context.Context) error {
	return func(ctx context.Context) error {
		ahead, within, err := events.ClockOffset(ctx, js, time.Now)
		if err != nil {
			return nil
		}
		return ClockTrouble(ahead, within)
	}
}

// NATSClock judges the clock of the NATS server against ours.
func NATSClock(ahead, within time.Duration) Finding {
	f := Finding{Check: CheckNATSClock, Level: OK, Facts: clockFacts(ahead, within)}
	if err := ClockTrouble(ahead, within); err != nil {
		f.Level = Warn
		f.Says = "The NATS server's clock is " + aheadOf(ahead) + " this machine's: looks that are ordered for later come at the wrong time."
		f.Fix = "Let both machines follow NTP."
		return f
	}
	f.Says = "The NATS server's clock and this machine's agree to " + tolerance(ahead, within) + "."
	return f
}

// TelnyxClock judges Telnyx's clock against ours, which decides whether a delivery's
// signature is fresh.
func TelnyxClock(ahead, within time.Duration) Finding {
	f := Finding{Check: CheckTelnyxClock, Level: OK, Facts: clockFacts(ahead, within)}
	const mend = "Let this machine follow NTP (timedatectl, chronyc tracking)."
	switch off := apart(ahead, within); {
	case off >= signatureAge:
		f.Level, f.Fix = Fail, mend
		f.Says = "Telnyx's clock is " + aheadOf(ahead) + " this machine's: every delivery is refused, since its timestamp is more than 300 s off."
	case off >= clocksApart:
		f.Level, f.Fix = Warn, mend
		f.Says = "Telnyx's clock is " + aheadOf(ahead) + " this machine's; from 300 s on every delivery is refused."
	default:
		f.Says = "Telnyx's clock and this machine's agree to " + tolerance(ahead, within) + "; deliveries may be 300 s off."
	}
	return f
}

func clockFacts(ahead, within time.Duration) map[string]any {
	return map[string]any{"ahead_ms": milliseconds(ahead), "within_ms": milliseconds(within)}
}

func aheadOf(ahead time.Duration) string {
	side := "ahead of"
	if ahead < 0 {
		side = "behind"
	}
	return ahead.Abs().Round(time.Second).String() + " " + side
}

// tolerance is how far the clocks may be apart, in a round figure.
func tolerance(ahead, within time.Duration) string {
	worst := ahead.Abs() + within
	if worst <= time.Second {
		return "a second"
	}
	return fmt.Sprintf("%.0f s", math.Ceil(worst.Seconds()))
}
