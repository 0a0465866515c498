package embedded

import (
	"context"
	"fmt"
	"net/http"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"greenlight/internal/events"
)

// healthSubject is where [Server.TellHealth] answers. No stream takes it.
const healthSubject = "greenlight.health"

// Health returns nil unless the server met an error when it wrote events or dead
// letters, else a sentence that says so. From then on it stores nothing more there
// until it is started anew, also when there is room on the disk again, and leaves
// publishers without an answer; everything else goes on as if nothing were wrong.
func (s *Server) Health() error {
	for _, stream := range []string{events.StreamEvents, events.StreamDeadLetters} {
		health := s.nats.Healthz(&server.HealthzOptions{Account: server.DEFAULT_GLOBAL_ACCOUNT, Stream: stream})
		// A stream that is not there yet has no health.
		if health.StatusCode != http.StatusOK && health.StatusCode != http.StatusNotFound {
			return fmt.Errorf("the built-in NATS server stores no more events until it is restarted (%s): see to the disk of %s, then restart greenlight up; what was answered 200 is kept",
				health.Error, s.dir)
		}
	}
	return nil
}

// TellHealth has the connection, which must be to this server, answer other programs
// what Health says, until it is closed.
func (s *Server) TellHealth(nc *nats.Conn) error {
	_, err := nc.Subscribe(healthSubject, func(question *nats.Msg) {
		answer := ""
		if err := s.Health(); err != nil {
			answer = err.Error()
		}
		_ = question.Respond([]byte(answer)) // who asked is told nothing when the connection breaks
	})
	if err != nil {
		return fmt.Errorf("answer on %s: %w", healthSubject, err)
	}
	return nil
}

// AskHealth asks for what [Server.Health] says at the server that a connection leads
// to: trouble is empty if there is none.
func AskHealth(ctx context.Context, nc *nats.Conn) (trouble string, err error) {
	reply, err := nc.RequestWithContext(ctx, healthSubject, nil)
	if err != nil {
		return "", fmt.Errorf("ask on %s: %w", healthSubject, err)
	}
	return string(reply.Data), nil
}
