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

// Health returns an error for people if the server failed to write a stream or bucket, else
// nil. After such an error NATS stores nothing more there until it is restarted, even if
// the disk has room again: publishers get no answer, and everything else seems to work.
//
// After a full disk the server restarts in this process as soon as there is room, on the
// same port and with the same token, so that all connections find it again. After any
// other error a person must check the disk.
func (s *Server) Health() error {
	if trouble := s.trouble.Load(); trouble != nil {
		return *trouble
	}
	failed := s.writeError()
	if failed == "" {
		return nil
	}
	const failure = "the built-in NATS server stores no more events until it is restarted"
	room, known := Room(s.dir)
	if !isFull(failed) || !known {
		return fmt.Errorf("%s (%s): check the disk of %s, then restart greenlight up; events that were answered 200 are kept", failure, failed, s.dir)
	}
	return fmt.Errorf("%s (%s): free %d MiB on the disk of %s, which has %d MiB free, and it restarts automatically; events that were answered 200 are kept",
		failure, failed, roomToRestart>>20, s.dir, room>>20)
}

// writeError returns the error of the server's last failed write, empty if there was none.
func (s *Server) writeError() string {
	health := s.nats.Load().Healthz(&server.HealthzOptions{Account: server.DEFAULT_GLOBAL_ACCOUNT, Details: true})
	if health.StatusCode == http.StatusNotFound {
		return "" // there is no stream yet
	}
	for _, e := range health.Errors {
		// Other errors of a stream mean that it is being created or deleted.
		if e.Type == server.HealthzErrorStream && !strings.Contains(e.Error, "write error") {
			continue
		}
		return e.Error
	}
	return ""
}

// TellHealth answers other programs with the result of Health over the connection, which
// must be to this server, until it is closed.
func (s *Server) TellHealth(nc *nats.Conn) error {
	_, err := nc.Subscribe(healthSubject, func(question *nats.Msg) {
		answer := ""
		if err := s.Health(); err != nil {
			answer = err.Error()
		}
		_ = question.Respond([]byte(answer)) // without a connection, the other program gets no answer
	})
	if err != nil {
		return fmt.Errorf("answer on %s: %w", healthSubject, err)
	}
	return nil
}

// AskHealth returns what [Server.Health] says at the server of a connection: trouble is
// empty if nothing is wrong.
func AskHealth(ctx context.Context, nc *nats.Conn) (trouble string, err error) {
	reply, err := nc.RequestWithContext(ctx, healthSubject, nil)
	if err != nil {
		return "", fmt.Errorf("ask on %s: %w", healthSubject, err)
	}
	return string(reply.Data), nil
}
