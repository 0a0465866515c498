package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// LayoutVersion is the version of the settings that this program gives its streams and
// buckets. It goes up with every change that an older program must not undo: a newer
// program updates older streams, and an older program refuses newer streams.
const LayoutVersion = 1

// The keys in a stream's metadata: the version of its settings, and the version of the
// program that set them last. The oldest streams have neither.
const (
	layoutKey  = "greenlight_layout"
	programKey = "greenlight_version"
)

// Program is the version of this program, for the streams' metadata. Package app sets it
// before anything runs.
var Program = "devel"

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

// Layout returns the layout for creating or updating a stream, which need not exist. While a
// backup is restored, the error matches [ErrRestoring].
// Replicas 0 means 1. A stream counts as missing only if the server says so: after any
// other error, an update could remove copies.
func Layout(ctx context.Context, js jetstream.JetStream, stream string, replicas int) (StreamLayout, error) {
	kept := StreamLayout{Replicas: max(replicas, 1), Metadata: map[string]string{layoutKey: strconv.Itoa(LayoutVersion), programKey: Program}}
	if err := RefuseRestoring(ctx, js); err != nil {
		return kept, err
	}
	existing, err := js.Stream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return kept, nil
	}
	if err != nil {
		return kept, fmt.Errorf("look up stream %s: %w", stream, err)
	}
	config := existing.CachedInfo().Config
	if err := CheckLayout(config); err != nil {
		return kept, err
	}
	kept.Replicas = max(kept.Replicas, config.Replicas)
	return kept, nil
}

// CheckLayout returns an error that matches [ErrNewer] for the settings of a stream that a
// newer program made.
func CheckLayout(config jetstream.StreamConfig) error {
	text, marked := config.Metadata[layoutKey]
	if !marked {
		return nil
	}
	version, err := strconv.Atoi(text)
	if err == nil && version <= LayoutVersion {
		return nil
	}
	by := "unknown version"
	if program := config.Metadata[programKey]; program != "" {
		by = "version " + program
	}
	return fmt.Errorf("stream %s was %w (%s, layout %s; this program supports layout %d): start the newer program, or restore a backup from before the upgrade",
		config.Name, ErrNewer, by, text, LayoutVersion)
}

// Differences returns the names of the fields, as in the server's JSON, that a start of this
// program would change in a stream. Fields without a value count as the server's defaults.
// The wanted copies count if they are more than the stream has; see [Layout]. The last one is
// "layout" if the stream has an older version of the settings.
func Differences(has, wanted jetstream.StreamConfig) (fields []string) {
	a, b := fieldsOf(has), fieldsOf(wanted)
	names := make(map[string]bool)
	for _, settings := range []map[string]any{a, b} {
		for name := range settings {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !reflect.DeepEqual(a[name], b[name]) {
			fields = append(fields, name)
		}
	}
	if wanted.Replicas > max(has.Replicas, 1) {
		fields = append(fields, "num_replicas")
	}
	if has.Metadata[layoutKey] != strconv.Itoa(LayoutVersion) {
		fields = append(fields, "layout")
	}
	return fields
}

// fieldsOf returns the fields that have another value than the server's default, without
// those that [Layout] decides.
func fieldsOf(settings jetstream.StreamConfig) map[string]any {
	settings.Metadata, settings.Replicas = nil, 0
	if settings.Duplicates == 0 {
		settings.Duplicates = 2 * time.Minute
	}
	text, err := json.Marshal(settings)
	if err != nil {
		return nil // settings have no type that cannot be marshaled
	}
	fields := make(map[string]any)
	_ = json.Unmarshal(text, &fields) // it is what was marshaled
	maps.DeleteFunc(fields, func(_ string, value any) bool {
		return value == nil || value == "" || value == false || value == 0.0 || value == -1.0
	})
	return fields
}
