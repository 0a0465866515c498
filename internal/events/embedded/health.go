package embedded

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// healthSubject is where [Server.TellHealth] answers. No stream takes it.
const healthSubject = "greenlight.health"

// Health returns nil unless the server met an error when it wrote a stream or bucket,
// else a sentence that says so. From then on it stores nothing more there it is
// started anew, also when there is room on the disk again, and leaves publishers without an answer; everything else goes on as if nothing were wrong.
//
// After a full disk it is started anew within this process as soon as there is room:
// at its port, with its token, so that all connections find it again. After another
// error a person must see to the disk.
func (s *Server) Health() error {
	if trouble := s.trouble.Load(); trouble != nil {
		return *trouble
	}
	failed := s.writeError()
	if failed == "" {
		return nil
	}
	const begins = "the built-in NATS server stores no more events until it is restarted"
	room, known := roomAt(s.dir)
	if !isFull(failed) || !known {
		return fmt.Errorf("%s (%s): see to the disk of %s, then restart greenlight up; what was answered 200 is kept", begins, failed, s.dir)
	}
	return fmt.Errorf("%s (%s), which it does by itself when the disk of %s has %d MiB of room, and it has %d: make room there; what was answered 200 is kept",
		begins, failed, s.dir, roomToRestart>>20, room>>20)
}

// writeError returns the error that the server met when it wrote, empty if none.
func (s *Server) writeError() string {
	health := s.nats.Load().Healthz(&server.HealthzOptions{Account: server.DEFAULT_GLOBAL_ACCOUNT, Details: true})
	if health.StatusCode == http.StatusNotFound {
		return "" // there is no stream yet
	}
	for _, e := range health.Errors {
		// What else may be wrong with a stream is that it is being made or deleted.
		if e.Type == server.HealthzErrorStream && !strings.Contains(e.Error, "write error") {
			continue
		}
		return e.Error
	}
	return ""
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
