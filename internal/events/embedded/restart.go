package embedded

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"greenlight/internal/telemetry"
)

const (
	// roomToRestart is how many bytes must be free before a restart after a full disk: a
	// few times the largest batch and message, and what a start writes. With less the disk
	// would soon be full again, and each restart interrupts service.
	roomToRestart = 8 << 20
	// watchEvery is the time between two checks of the server's health.
	watchEvery = time.Second
)

// watch restarts the server when its disk was full and has room again, until ctx ends.
func (s *Server) watch(ctx context.Context) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	logged := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if !s.canRestart() {
			continue
		}
		err := s.restart()
		switch {
		case err == nil:
			logged = ""
		case logged != err.Error():
			logged = err.Error()
			s.options.Log.Error().Err(err).Msg("the built-in NATS server could not be restarted; Greenlight keeps trying")
		}
	}
}

// canRestart reports whether the server needs a restart and the disk has room for it.
func (s *Server) canRestart() bool {
	if s.trouble.Load() == nil && !isFull(s.writeError()) {
		return false
	}
	room, known := Room(s.dir)
	return known && room >= roomToRestart
}

// isFull reports whether an error of the server came from a full disk or quota.
func isFull(failed string) bool {
	return strings.Contains(failed, syscall.ENOSPC.Error()) || strings.Contains(failed, syscall.EDQUOT.Error())
}

// restart replaces the server with a new one on the same files and port.
func (s *Server) restart() error {
	s.trouble.CompareAndSwap(nil, new(fmt.Errorf("the disk of %s was full and has room again: the built-in NATS server is restarting", s.dir)))
	s.options.Log.Warn().Str(telemetry.KeyFolder, s.dir).Msg("the disk was full and has room again: the built-in NATS server restarts")
	s.shutDown()
	if err := s.start(s.nextPort()); err != nil {
		s.trouble.Store(new(fmt.Errorf("the built-in NATS server could not be restarted; Greenlight keeps trying: %w", err)))
		return err
	}
	s.trouble.Store(nil)
	s.options.Log.Info().Msg("the built-in NATS server stores events again")
	return nil
}

// nextPort returns the port for the next server: the last one's, unless another program
// has taken it. Programs that read [URLFile] find it in both cases.
func (s *Server) nextPort() int {
	port := int(s.port.Load())
	if port == 0 {
		return server.RANDOM_PORT
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return server.RANDOM_PORT
	}
	listener.Close()
	return port
}
