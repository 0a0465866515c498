package doctor

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/words"
)

// Assigner judges whether somebody works on what is stored. The error is that of
// looking up the consumer.
func Assigner(info *jetstream.ConsumerInfo, err error) Finding {
	f := Finding{Check: CheckAssigner, Level: OK}
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		f.Level = Warn
		f.Says = "No assigner ever ran here: events are kept, and nobody acts on them."
		f.Mend = "Start an assigner, or greenlight up."
		return f
	}
	if err != nil {
		f.Level = Unknown
		f.Says = "Whether an assigner is at work cannot be told: " + sentenceEnd(err.Error())
		return f
	}
	pulling := info.NumWaiting > 0
	f.Facts = map[string]any{"held": info.Paused, "at_work": pulling, "waiting": info.NumPending, "open": info.NumAckPending}
	waits := fmt.Sprintf("%s in line", words.Count(int(info.NumPending), "message"))
	switch {
	case info.Paused:
		f.Level = Warn
		f.Says = "The assigner is held: somebody ran greenlight hold. Events are kept, and nothing is attached; " + waits + "."
		f.Mend = "Run greenlight resume when the reason is over."
	case !pulling:
		f.Level = Warn
		f.Says = "No assigner asks for work at the moment: events are kept, and nobody acts on them; " + waits + "."
		f.Mend = "Start an assigner, or greenlight up."
	default:
		f.Says = "An assigner is at work and not held; " + waits + "."
	}
	return f
}
