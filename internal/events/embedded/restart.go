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
	// roomToRestart is how many bytes must be free before a server that met a full disk
	// is started anew: the largest batch and the largest message, a few times over,
	// beside what a start itself writes. With less it would soon be full again, and
	// each start takes the server away for a moment.
	roomToRestart = 8 << 20
	// watchEvery is the time between two looks at the server's health.
	watchEvery = time.Second
)

// watch starts the server anew when its disk was full and has room again, until ctx
// ends.
func (s *Server) watch(ctx context.Context) {
	look := time.NewTicker(watchEvery)
	defer look.Stop()
	told := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		if !s.canRestart() {
			continue
		}
		err := s.restart()
		switch {
		case err == nil:
			told = ""
		case told != err.Error():
			told = err.Error()
			s.options.Log.Error().Err(err).Msg("the built-in NATS server could not be started anew; trying again all the time")
		}
	}
}

// canRestart reports whether there is a reason to start the server anew, and room.
func (s *Server) canRestart() bool {
	if s.trouble.Load() == nil && !isFull(s.writeError()) {
		return false
	}
	room, known := roomAt(s.dir)
	return known && room >= roomToRestart
}

// isFull reports whether an error of the server came from a disk without room.
func isFull(failed string) bool {
	return strings.Contains(failed, syscall.ENOSPC.Error()) || strings.Contains(failed, syscall.EDQUOT.Error())
}

// restart starts a server in the place of the one that there is, on the same files and
// at the same port.
func (s *Server) restart() error {
	s.trouble.CompareAndSwap(nil, new(fmt.Errorf("the disk of %s was full and has room again: the built-in NATS server is restarting", s.dir)))
	s.options.Log.Warn().Str(telemetry.KeyFolder, s.dir).Msg("the disk was full and has room again: the built-in NATS server is started anew")
	s.shutDown()
	if err := s.start(s.nextPort()); err != nil {
		s.trouble.Store(new(fmt.Errorf("the built-in NATS server could not be restarted, trying again all the time: %w", err)))
		return err
	}
	s.trouble.Store(nil)
	s.options.Log.Info().Msg("the built-in NATS server stores events again")
	return nil
}

// nextPort returns where the next server is to listen: where the last one did, unless
// somebody took that meanwhile. Then programs that read [URLFile] find it all the same.
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
