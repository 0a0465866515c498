package doctor

import (
	"context"
	"errors"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
)

// rights finds out what the NATS user of this connection may do, without doing it.
func rights(ctx context.Context, nc *nats.Conn, js jetstream.JetStream) []events.Right {
	found := events.Rights(ctx, nc)
	found = append(found, events.Right{Name: "write the ledger", Err: events.MayPublish(ctx, nc, ledger.WriteProbe)})
	return append(found, events.Right{Name: "read the ledger", Err: heed(ctx, nc, func(ctx context.Context) error {
		book, err := ledger.Open(ctx, js)
		if err == nil {
			_, err = book.Campaigns(ctx)
		}
		return err
	})})
}

// Rights judges what the NATS user may do.
func Rights(found []events.Right) Finding {
	f := Finding{Check: CheckRights, Level: OK, Facts: map[string]any{}}
	var mayNot, unclear []string
	var words error
	for _, right := range found {
		f.Facts[strings.ReplaceAll(right.Name, " ", "_")] = right.Err == nil
		switch {
		case right.Err == nil:
		case errors.Is(right.Err, events.ErrNotPermitted):
			mayNot = append(mayNot, right.Name)
		default:
			unclear = append(unclear, right.Name)
			words = right.Err
		}
	}
	switch {
	case len(mayNot) > 0:
		f.Level = Fail
		f.Says = "This NATS user may not " + listed(mayNot, "or") + "."
		f.Fix = "Permit it to the user, or name the credentials of webhook and assigner with --nats-creds. A webhook needs to make the streams, publish events and store dead letters, an assigner everything."
	case len(unclear) > 0 && onlyMissing(found):
		f.Level = Unknown
		f.Says = "Whether this NATS user may " + listed(unclear, "and") + " cannot be told: what would take it is not there yet."
		f.Fix = "Start webhook and assigner once, or greenlight up: they make what is missing."
	case len(unclear) > 0:
		f.Level = Unknown
		f.Says = "Whether this NATS user may " + listed(unclear, "and") + " cannot be told: " + sentenceEnd(words.Error())
		f.Fix = "Look at the user's permissions in the server's configuration."
	default:
		f.Says = "This NATS user may do what webhook and assigner do: make the streams, publish events, triggers and schedules, store dead letters, create the consumer, write and read the ledger."
	}
	return f
}

// onlyMissing reports whether nothing but missing streams is in the way.
func onlyMissing(found []events.Right) bool {
	for _, right := range found {
		switch err := right.Err; {
		case err == nil, errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrBucketNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
		default:
			return false
		}
	}
	return true
}

func listed(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	end := len(words) - 1
	return strings.Join(words[:end], ", ") + " " + last + " " + words[end]
}

// sentenceEnd ends a text with a full stop.
func sentenceEnd(text string) string { return strings.TrimRight(text, ". ") + "." }
