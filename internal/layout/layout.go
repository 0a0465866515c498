// Package layout marks Greenlight's streams and buckets with the version of their
// settings, and decides what of standing ones is kept. It knows no stream by name.
//
// A newer program brings older streams up to date by creating or updating them. An
// older one would take back what a newer one has set, so it refuses; see [ErrNewer].
package layout

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
)

// Version is that of the settings that this program gives its streams and buckets. It
// goes up with every change that an older program must not take back.
const Version = 1

// key is where a stream's metadata has the version. Streams from before there was one
// have none, which counts as 0.
const key = "greenlight_layout"

// ErrNewer is matched by the error for a stream that a newer program has made or
// brought up to date.
var ErrNewer = errors.New("made by a newer Greenlight")

// Kept is what a stream is to be created or updated with, beside its own settings.
type Kept struct {
	// Replicas is the number of copies: those that were asked for, or those that the
	// stream has if they are more, so that a process that was started without the
	// setting takes none away.
	Replicas int
	// Metadata has the version.
	Metadata map[string]string
}

// Of looks at the stream of that name, which need not be there, and returns what to
// create or update it with. Replicas 0 means 1. Only the server's answer that there is no
// such stream counts as absent: with any other error nobody knows what would be taken away.
func Of(ctx context.Context, js jetstream.JetStream, stream string, replicas int) (Kept, error) {
	kept := Kept{Replicas: max(replicas, 1), Metadata: map[string]string{key: strconv.Itoa(Version)}}
	standing, err := js.Stream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return kept, nil
	}
	if err != nil {
		return kept, fmt.Errorf("look up stream %s: %w", stream, err)
	}
	config := standing.CachedInfo().Config
	if err := check(config); err != nil {
		return kept, err
	}
	kept.Replicas = max(kept.Replicas, config.Replicas)
	return kept, nil
}

func check(config jetstream.StreamConfig) error {
	text, marked := config.Metadata[key]
	if !marked {
		return nil
	}
	version, err := strconv.Atoi(text)
	if err != nil || version > Version {
		return fmt.Errorf("stream %s was %w (layout %s, this program knows up to %d): start the newer program, or go back to a copy of the data from before the upgrade",
			config.Name, ErrNewer, text, Version)
	}
	return nil
}
