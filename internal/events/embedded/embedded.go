// Package embedded runs a NATS server with JetStream in the process, for running
// Greenlight as a single program and for tests. It is a separate package so that programs
// that use an outside server do not link one.
package embedded

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"greenlight/internal/events"
)

// URLFile is the name of the file in the data folder that holds the address of the running
// server, including the token. Its permission (0600) is the access control: whoever can
// read it can use the server.
const URLFile = events.EmbeddedURLFile

// The server's name shows other programs that it is this one, and whether it syncs
// (Options.SyncAlways), which NATS shows only to its administrators.
const (
	nameSynced   = "greenlight-sync-always"
	nameUnsynced = "greenlight-sync-later"
)

const (
	readyTimeout = 10 * time.Second
	// maxStore limits the sum that all streams reserve. The disk may have less: a full
	// disk shows as a refused publish.
	maxStore  = 16 << 30
	maxMemory = 64 << 20
)

// ErrInUse is matched by the error for a data folder that another process uses.
var ErrInUse = errors.New("data folder in use")

// Options are the server's settings.
type Options struct {
	// Dir is the data folder. Start creates it if it does not exist.
	Dir string
	// SyncAlways makes the server sync every message to the disk (fsync) before it
	// acknowledges it. Without it, a power failure can lose up to two minutes of
	// acknowledged messages.
	SyncAlways bool
	// Listen opens a loopback port with a random token, for other programs on this
	// machine, and writes its address to [URLFile].
	Listen bool
	// Log gets a line when the server is restarted; see [Server.Health]. The zero value
	// logs nothing.
	Log zerolog.Logger
}

// Server is a running server. Close it after its connections. Safe for concurrent use,
// except Close.
type Server struct {
	options Options
	lock    *flock.Flock
	dir     string
	token   string
	// nats is the current server. A restart replaces it.
	nats atomic.Pointer[server.Server]
	// port is the port of the listener, 0 without one.
	port atomic.Int32
	// trouble is why there is currently no server, or nil.
	trouble atomic.Pointer[error]
	// stop ends watch, and watched is closed when it has ended.
	stop    func()
	watched chan struct{}
}

// Start starts a server and returns when it accepts connections. The data folder is locked
// until Close: the error of a second Start on it, in any process, matches [ErrInUse].
func Start(o Options) (*Server, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		if failed, ok := errors.AsType[*fs.PathError](err); ok {
			err = failed.Err // the rest repeats the folder
		}
		return nil, fmt.Errorf("create data folder %s: %w; use another one with --data", o.Dir, err)
	}
	lock := flock.New(filepath.Join(o.Dir, "lock"), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock data folder %s: %w", o.Dir, err)
	}
	if !locked {
		return nil, fmt.Errorf("%w: another Greenlight runs on %s; stop it or choose another folder with --data", ErrInUse, o.Dir)
	}
	token := make([]byte, 32)
	rand.Read(token)
	s := &Server{options: o, lock: lock, dir: o.Dir, token: hex.EncodeToString(token), watched: make(chan struct{})}
	if err := s.start(server.RANDOM_PORT); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() {
		defer close(s.watched)
		s.watch(ctx)
	}()
	return s, nil
}

// start starts a server, on the port if it listens.
func (s *Server) start(port int) error {
	o := s.options
	opts := &server.Options{
		ServerName:         nameUnsynced,
		DontListen:         !o.Listen,
		Host:               "127.0.0.1",
		Port:               port,
		Authorization:      s.token,
		NoSigs:             true, // the program handles signals
		NoLog:              true,
		JetStream:          true,
		StoreDir:           s.dir,
		SyncAlways:         o.SyncAlways,
		JetStreamMaxStore:  maxStore,
		JetStreamMaxMemory: maxMemory,
	}
	if o.SyncAlways {
		opts.ServerName = nameSynced
	}
	ns, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("configure NATS server: %w", err)
	}
	ns.Start()
	if !ns.ReadyForConnections(readyTimeout) {
		ns.Shutdown()
		ns.WaitForShutdown()
		return fmt.Errorf("NATS server on %s not ready after %s: is the disk writable and not full?", s.dir, readyTimeout)
	}
	if addr, ok := ns.Addr().(*net.TCPAddr); ok {
		s.port.Store(int32(addr.Port))
		if err := writeURL(filepath.Join(s.dir, URLFile), s.URL()); err != nil {
			ns.Shutdown()
			ns.WaitForShutdown()
			return err
		}
	}
	s.nats.Store(ns)
	return nil
}

// URL is the server's address with its token, empty without Options.Listen. It
// is a secret.
func (s *Server) URL() string {
	port := int(s.port.Load())
	if port == 0 {
		return ""
	}
	u := url.URL{Scheme: "nats", User: url.User(s.token), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
	return u.String()
}

// InProcessConn opens a connection to the current server, for NATS' client.
func (s *Server) InProcessConn() (net.Conn, error) { return s.nats.Load().InProcessConn() }

// InProcess returns the options with which [events.Connect] reaches the server without a
// socket, also after a restart. The client ignores its URL then.
func (s *Server) InProcess() []nats.Option {
	return []nats.Option{
		nats.InProcessServer(s), nats.Token(s.token),
		// There is no network that could fail, and a busy machine may be slow.
		nats.Timeout(readyTimeout), nats.FlusherTimeout(nats.DefaultFlusherTimeout),
	}
}

// Recognize reports whether a connection leads to a server of this package, and whether
// that server syncs every message to the disk before it acknowledges it.
func Recognize(nc *nats.Conn) (embedded, syncs bool) {
	name := nc.ConnectedServerName()
	host, _, err := net.SplitHostPort(nc.ConnectedAddr())
	if err == nil && host != "127.0.0.1" { // no address to split: in this process
		return false, false
	}
	return name == nameSynced || name == nameUnsynced, name == nameSynced
}

// Close stops the server, waits until its files are closed, and unlocks the data folder.
func (s *Server) Close() error {
	s.stop()
	<-s.watched
	var removed error
	if s.options.Listen {
		removed = os.Remove(filepath.Join(s.dir, URLFile))
	}
	s.shutDown()
	return errors.Join(removed, s.lock.Unlock())
}

// shutDown stops the server and returns when its files are closed. It may be called twice.
func (s *Server) shutDown() {
	s.nats.Load().Shutdown()
	s.nats.Load().WaitForShutdown()
}

// writeURL writes the address atomically.
func writeURL(path, address string) error {
	temporary := path + ".new"
	if err := os.WriteFile(temporary, []byte(address+"\n"), 0o600); err != nil {
		return fmt.Errorf("write server address: %w", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("write server address: %w", err)
	}
	return nil
}
