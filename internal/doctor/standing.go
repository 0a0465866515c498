package doctor

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
)

// standingLasts is for how long an answer is good: a stream may be edited, and probes
// ask every few seconds.
const standingLasts = time.Minute

// Standing tells what a 200 means on a connection that is in use. It asks when the
// connection was made anew, since a server's restart may change it, and else once a
// minute. Safe for concurrent use.
type Standing struct {
	nc   *nats.Conn
	js   jetstream.JetStream
	sync Sync
	dir  string
	now  func() time.Time

	mu    sync.Mutex
	made  uint64 // how many times the connection had been made anew
	asked time.Time
	known string
}

// NewStanding returns what tells it of a connection. Sync is what is known of the
// server, which tells nobody but its administrators, and dir its data folder if that is
// on this machine, else empty.
func NewStanding(js jetstream.JetStream, sync Sync, dir string) *Standing {
	return &Standing{nc: js.Conn(), js: js, sync: sync, dir: dir, now: time.Now}
}

// Says returns the server's version and what a 200 means, or that it cannot be told.
func (s *Standing) Says(ctx context.Context) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	made, now := s.nc.Stats().Reconnects, s.now()
	if s.known != "" && s.made == made && now.Sub(s.asked) < standingLasts {
		return s.known
	}
	stream, err := s.js.Stream(ctx, events.StreamEvents)
	if err != nil {
		return Guarantee{}.String()
	}
	means := GuaranteeOf(stream.CachedInfo().Config, s.sync)
	means.Fleeting = fleetingFolder(s.dir)
	s.made, s.asked = made, now
	s.known = "NATS " + s.nc.ConnectedServerVersion() + ". " + means.String()
	return s.known
}

// fleetingFolder returns the volume that a data folder is on if nothing lasts there.
// What cannot be told is not held against it.
func fleetingFolder(dir string) string {
	if dir == "" {
		return ""
	}
	volume, _, err := VolumeOf(dir)
	if err != nil {
		return ""
	}
	return volume.Fleeting()
}
