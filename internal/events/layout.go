package events

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
)

// LayoutVersion is the version of the settings that this program gives its streams and
// buckets. It goes up with every change that an older program must not take back: a newer
// program brings older streams up to date, and an older one refuses newer streams.
const LayoutVersion = 1

// layoutKey is where a stream's metadata has the version. Streams from before there was one
// have none, which counts as 0.
const layoutKey = "greenlight_layout"

// ErrNewer is matched by the error for a stream that a newer program has made or
// brought up to date.
var ErrNewer = errors.New("made by a newer Greenlight")

// StreamLayout is what a stream is to be created or updated with, beside its own settings.
type StreamLayout struct {
	// Replicas is the number of copies: those that were asked for, or those that the
	// stream has if they are more, so that a process that was started without the
	// setting takes none away.
	Replicas int
	// Metadata has the version.
	Metadata map[string]string
}

// Layout looks at the stream of that name, which need not be there, and returns what to
// create or update it with. Replicas 0 means 1. Only the server's answer that there is no
// such stream counts as absent: with any other error nobody knows what would be taken away.
func Layout(ctx context.Context, js jetstream.JetStream, stream string, replicas int) (StreamLayout, error) {
	kept := StreamLayout{Replicas: max(replicas, 1), Metadata: map[string]string{layoutKey: strconv.Itoa(LayoutVersion)}}
	standing, err := js.Stream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return kept, nil
	}
	if err != nil {
		return kept, fmt.Errorf("look up stream %s: %w", stream, err)
	}
	config := standing.CachedInfo().Config
	if err := checkLayout(config); err != nil {
		return kept, err
	}
	kept.Replicas = max(kept.Replicas, config.Replicas)
	return kept, nil
}

func checkLayout(config jetstream.StreamConfig) error {
	text, marked := config.Metadata[layoutKey]
	if !marked {
		return nil
	}
	version, err := strconv.Atoi(text)
	if err != nil || version > LayoutVersion {
		return fmt.Errorf("stream %s was %w (layout %s, this program knows up to %d): start the newer program, or go back to a copy of the data from before the upgrade",
			config.Name, ErrNewer, text, LayoutVersion)
	}
	return nil
}
