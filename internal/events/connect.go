package events

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/telnyx"
)

// MinServerVersion is the oldest NATS server that Greenlight works with.
const MinServerVersion = "2.15.0"

// EmbeddedURLFile is the name of the file with the address of package embedded's server.
// It is defined here so that a program that only reads it does not link the server.
const EmbeddedURLFile = "nats.url"

// ErrServerTooOld is matched by the error for a server older than [MinServerVersion].
var ErrServerTooOld = errors.New("NATS server too old")

// The NATS client blocks all publishers, regardless of their timeouts, while a write is
// stuck or a dialed server is silent. One may follow the other, so together they stay
// within the webhook's 1.5 s.
const (
	writePatience   = 500 * time.Millisecond
	connectPatience = time.Second
	// connectTries gives the first connection more time: no delivery waits for it yet.
	connectTries = 5
)

// Connect opens a connection for the life of the process, which reconnects whenever it is
// lost. It refuses a server older than [MinServerVersion]. The name appears in the server's
// list of connections.
func Connect(url, name string, more ...nats.Option) (*nats.Conn, error) {
	options := lasting(name, more)
	nc, err := nats.Connect(url, options...)
	for tries := 1; isTimeout(err) && tries < connectTries; tries++ {
		nc, err = nats.Connect(url, options...)
	}
	return supported(nc, url, err)
}

// ConnectOrWait is [Connect] for a process that may start before the server. Until the
// server is reachable, every call on the connection fails immediately, and [Connected] says
// so. The error is one that waiting does not fix; see [Misconfigured].
func ConnectOrWait(url, name string, more ...nats.Option) (*nats.Conn, error) {
	failed := make(chan error, 1)
	nc, err := nats.Connect(url, append(lasting(name, more),
		nats.RetryOnFailedConnect(true),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) {
			select {
			case failed <- err: // the first try's
			default:
			}
		}))...)
	if err == nil && !nc.IsConnected() {
		err = <-failed
		if away(err) {
			return nc, nil
		}
		nc.Close()
	}
	return supported(nc, url, err)
}

// supported closes a connection to a server that is too old, and wraps the error.
func supported(nc *nats.Conn, url string, err error) (*nats.Conn, error) {
	if err == nil {
		if err = checkServerVersion(nc.ConnectedServerVersion()); err == nil {
			return nc, nil
		}
		nc.Close()
	}
	return nil, fmt.Errorf("connect to NATS at %s: %w", redactURL(url), networkCause(err))
}

// networkCause is [telnyx.NetworkCause] for the client's own errors too.
func networkCause(err error) error {
	switch {
	case errors.Is(err, nats.ErrNoServers): // what the client returns if all servers refuse
		return &telnyx.NetworkError{Text: "connection refused", Err: err}
	case errors.Is(err, nats.ErrTimeout):
		return &telnyx.NetworkError{Text: "no answer in time", Err: err}
	}
	return telnyx.NetworkCause(err)
}

// lasting returns the options of a connection for the life of the process.
func lasting(name string, more []nats.Option) []nats.Option {
	return append([]nats.Option{
		nats.Name(name),
		nats.MaxReconnects(-1),
		// The credentials file may be fixed later; meanwhile the error is reported.
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectWait(500 * time.Millisecond),
		nats.Timeout(connectPatience),
		// A silent server counts as lost after two unanswered pings.
		nats.PingInterval(10 * time.Second),
		nats.MaxPingsOutstanding(2),
		// Without a connection, a publish must fail instead of waiting in a buffer: the
		// webhook has two seconds to answer.
		nats.ReconnectBufSize(-1),
		nats.FlusherTimeout(writePatience),
	}, more...)
}

// Connected returns nil if the connection is up and its server is supported, else an error
// with a sentence for operators.
func Connected(nc *nats.Conn) error {
	if nc.IsConnected() {
		return checkServerVersion(nc.ConnectedServerVersion())
	}
	at := ""
	if nc.Opts.InProcessServer == nil {
		at = " at " + redactURL(strings.Join(nc.Opts.Servers, ","))
	}
	// The client keeps the error of a server that refused it, but not that of an unreachable
	// server.
	if err := nc.LastError(); err != nil && !away(err) {
		return fmt.Errorf("the NATS server is not connected and refused the connection%s; Greenlight keeps trying: %w", at, err)
	}
	return fmt.Errorf("the NATS server is not connected; Greenlight keeps trying%s", at)
}

// Misconfigured reports whether an error from connecting or from [EnsureStreams] comes from
// settings, here or on the server, that a person must change. Other errors may be temporary.
func Misconfigured(err error) bool {
	if err == nil {
		return false
	}
	if refused, ok := errors.AsType[*jetstream.APIError](err); ok {
		return slices.Contains(conflicts, refused.ErrorCode)
	}
	return errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) || errors.Is(err, nats.ErrAuthRevoked) ||
		errors.Is(err, nats.ErrAccountAuthExpired) || errors.Is(err, ErrReplicas) || errors.Is(err, ErrServerTooOld) || errors.Is(err, ErrNotPermitted) || errors.Is(err, ErrNewer) ||
		errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount)
}

// conflicts are JetStream's error codes for stream settings that it refuses
// (https://github.com/nats-io/nats-server, server/errors.json).
var conflicts = []jetstream.ErrorCode{
	jetstream.JSErrCodeJetStreamNotEnabled, jetstream.JSErrCodeJetStreamNotEnabledForAccount,
	10052, // a setting that cannot be changed, for example the storage
	10065, // subjects of another stream
	10074, // replicas without a cluster
}

// away reports whether connecting failed for a reason that may be temporary: the server is
// down, silent, or at its limit of connections.
func away(err error) bool {
	if _, malformed := errors.AsType[*net.AddrError](err); malformed {
		return false
	}
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, nats.ErrNoServers) || errors.Is(err, nats.ErrTimeout) ||
		errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrStaleConnection) ||
		strings.Contains(strings.ToLower(err.Error()), nats.MAX_CONNECTIONS_ERR)
}

func isTimeout(err error) bool {
	network, ok := errors.AsType[net.Error](err)
	return errors.Is(err, nats.ErrTimeout) || ok && network.Timeout()
}

// checkServerVersion returns an error that matches ErrServerTooOld unless the version is
// MinServerVersion or newer. A pre-release, for example 2.15.0-RC.1, counts as its release,
// and an unreadable version counts as too old.
func checkServerVersion(version string) error {
	got, ok := parseVersion(version)
	want, _ := parseVersion(MinServerVersion)
	if ok && slices.Compare(got, want) >= 0 {
		return nil
	}
	return fmt.Errorf("%w: its version is %q, and Greenlight needs %s or newer; upgrade the server (https://github.com/nats-io/nats-server/releases)",
		ErrServerTooOld, version, MinServerVersion)
}

// parseVersion reads a version of the form major.minor.patch[-anything].
func parseVersion(version string) (parsed []int, ok bool) {
	parsed = make([]int, 3)
	n, _ := fmt.Sscanf(strings.TrimPrefix(version, "v"), "%d.%d.%d", &parsed[0], &parsed[1], &parsed[2])
	return parsed, n == len(parsed)
}

// redactURL removes user, password and token from each server of a comma-separated list:
// the URL may be logged.
func redactURL(url string) string {
	servers := strings.Split(url, ",")
	for i, server := range servers {
		scheme, rest, found := strings.Cut(strings.TrimSpace(server), "://")
		if !found {
			scheme, rest = "nats", scheme
		}
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			rest = rest[at+1:]
		}
		servers[i] = scheme + "://" + rest
	}
	return strings.Join(servers, ",")
}
