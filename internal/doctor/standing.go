package doctor

import (
	"context"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
)

// Standing tells what a 200 means on a connection that is in use. It asks once for
// each time that the connection is made: what it tells changes by a server's restart.
// Safe for concurrent use.
type Standing struct {
	nc   *nats.Conn
	js   jetstream.JetStream
	sync Sync

	mu    sync.Mutex
	made  uint64 // how many times the connection had been made anew
	known string
}

// NewStanding returns what tells it of a connection. Sync is what is known of the
// server, which tells nobody but its administrators.
func NewStanding(js jetstream.JetStream, sync Sync) *Standing {
	return &Standing{nc: js.Conn(), js: js, sync: sync}
}

// Says returns the server's version and what a 200 means, or that it cannot be told.
func (s *Standing) Says(ctx context.Context) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	made := s.nc.Stats().Reconnects
	if s.known != "" && s.made == made {
		return s.known
	}
	stream, err := s.js.Stream(ctx, events.StreamEvents)
	if err != nil {
		return Guarantee{}.String()
	}
	s.made = made
	s.known = "NATS " + s.nc.ConnectedServerVersion() + ". " + GuaranteeOf(stream.CachedInfo().Config, s.sync).String()
	return s.known
}
