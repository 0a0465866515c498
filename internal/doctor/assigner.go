package doctor

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/ledger"
	"greenlight/internal/status"
)

// Assigner judges whether somebody works on what is stored. The error is that of
// looking up the consumer and the hold.
func Assigner(info *jetstream.ConsumerInfo, hold ledger.Hold, err error) Finding {
	f := Finding{Check: CheckAssigner, Level: OK}
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		f.Level = Warn
		f.Says = "No assigner ever ran here: events are kept, and nobody acts on them."
		f.Fix = "Start an assigner, or greenlight up."
		return f
	}
	if err != nil {
		f.Level = Unknown
		f.Says = "Whether an assigner is at work cannot be told: " + sentenceEnd(err.Error())
		return f
	}
	pulling := info.NumWaiting > 0
	f.Facts = map[string]any{"held": hold, "at_work": pulling, "waiting": info.NumPending, "open": info.NumAckPending}
	waits := fmt.Sprintf("%s in line", status.Count(int(info.NumPending), "message"))
	switch {
	case hold.All != nil:
		f.Level = Warn
		f.Says = "Everything is on hold, by " + hold.All.String() + ". Events are kept, and nothing is attached; " + waits + "."
		f.Fix = "Run greenlight resume when the reason is over."
	case len(hold.Campaigns) > 0:
		f.Level = Warn
		f.Says = status.Count(len(hold.Campaigns), "campaign") + " on hold; greenlight status names them, who held them and why. Nothing is attached to them; " + waits + "."
		f.Fix = "Run greenlight resume with their names when the reason is over."
	case !pulling:
		f.Level = Warn
		f.Says = "No assigner asks for work at the moment: events are kept, and nobody acts on them; " + waits + "."
		f.Fix = "Start an assigner, or greenlight up."
	default:
		f.Says = "An assigner is at work and nothing is on hold; " + waits + "."
	}
	return f
}
