package events

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
)

// LayoutVersion is the version of the settings that this program gives its streams and
// buckets. It goes up with every change that an older program must not undo: a newer
// program updates older streams, and an older program refuses newer streams.
const LayoutVersion = 1

// layoutKey is the key of the version in a stream's metadata. The oldest streams have
// none.
const layoutKey = "greenlight_layout"

// ErrNewer is matched by the error for a stream that a newer program created or updated.
var ErrNewer = errors.New("made by a newer Greenlight")

// StreamLayout holds the settings that all streams share.
type StreamLayout struct {
	// Replicas is the number of copies: the requested number, or the stream's own if that
	// is larger, so that a process started without the setting removes none.
	Replicas int
	// Metadata holds the version.
	Metadata map[string]string
}

// Layout returns the layout for creating or updating a stream, which need not exist.
// Replicas 0 means 1. A stream counts as missing only if the server says so: after any
// other error, an update could remove copies.
func Layout(ctx context.Context, js jetstream.JetStream, stream string, replicas int) (StreamLayout, error) {
	kept := StreamLayout{Replicas: max(replicas, 1), Metadata: map[string]string{layoutKey: strconv.Itoa(LayoutVersion)}}
	existing, err := js.Stream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return kept, nil
	}
	if err != nil {
		return kept, fmt.Errorf("look up stream %s: %w", stream, err)
	}
	config := existing.CachedInfo().Config
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
		return fmt.Errorf("stream %s was %w (layout %s, and this program supports %d): start the newer program, or restore a backup from before the upgrade",
			config.Name, ErrNewer, text, LayoutVersion)
	}
	return nil
}
