package doctor

import (
	"context"
	"errors"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
)

// upgrade compares streams and buckets with the settings of this program.
func (n NATS) upgrade(ctx context.Context, js jetstream.JetStream) Finding {
	found := make(map[string]jetstream.StreamConfig)
	for _, wanted := range n.Settings {
		info, err := n.stream(ctx, js, wanted.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return unknown(CheckUpgrade, "What a start of this version would change is unknown", err, "")
		}
		found[wanted.Name] = info.Config
	}
	return Upgrade(n.Settings, found)
}

// Upgrade says what a start of this program would change. Found has the settings of the
// streams that exist, by name.
func Upgrade(wanted []jetstream.StreamConfig, found map[string]jetstream.StreamConfig) Finding {
	f := Finding{Check: CheckUpgrade, Facts: map[string]any{}}
	var created, updated []string
	for _, settings := range wanted {
		has, exists := found[settings.Name]
		if !exists {
			created = append(created, objectName(settings.Name))
			continue
		}
		if err := events.CheckLayout(has); err != nil {
			return f.is(Fail, "This version refuses to start: "+sentenceEnd(err.Error()), "Start the newer program, or restore a backup from before the upgrade.")
		}
		if fields := events.Differences(has, settings); len(fields) > 0 {
			updated = append(updated, objectName(settings.Name)+" ("+strings.Join(fields, ", ")+")")
		}
	}
	f.Facts["creates"], f.Facts["updates"] = strings.Join(created, ", "), strings.Join(updated, ", ")
	var changes []string
	if len(created) > 0 {
		changes = append(changes, "creates "+listed(created, "and"))
	}
	if len(updated) > 0 {
		changes = append(changes, "updates the settings of "+listed(updated, "and"))
	}
	if len(changes) == 0 {
		return f.is(OK, "Streams and buckets have the settings of this version: an upgrade to it changes nothing.", "")
	}
	return f.is(OK, "When it starts, this version "+strings.Join(changes, ", and ")+". Before an upgrade, run greenlight backup.", "")
}

// objectName says whether a stream is that of a bucket.
func objectName(stream string) string {
	if bucket, ok := strings.CutPrefix(stream, "KV_"); ok {
		return "bucket " + bucket
	}
	return "stream " + stream
}
