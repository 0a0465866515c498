package events

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// MinServerVersion is the oldest NATS server that Greenlight works with.
const MinServerVersion = "2.15.0"

// EmbeddedURLFile is the file in which package embedded leaves its server's address.
// The name stands here, so that a program that only reads it carries no server.
const EmbeddedURLFile = "nats.url"

// ErrServerTooOld is matched by the error for a server before
// [MinServerVersion].
var ErrServerTooOld = errors.New("NATS server too old")

// NATS' client holds up everybody who publishes, whatever their own patience, while a
// write stands still or a server that it dialled says nothing. What an outbox sends can
// be given up; for all else both together, since one may follow the other, are within
// the 1.5 s in which the webhook answers.
const (
	writePatience   = 500 * time.Millisecond
	connectPatience = time.Second
	// connectTries gives the first connection more time, since nobody waits yet.
	connectTries = 5
)

// Connect opens a connection that lives for the whole process: it goes on
// trying when the server is away. It refuses a server older than
// [MinServerVersion]. The name shows in the server's list of connections.
func Connect(url, name string, more ...nats.Option) (*nats.Conn, error) {
	options := lasting(name, more)
	nc, err := nats.Connect(url, options...)
	for tries := 1; isTimeout(err) && tries < connectTries; tries++ {
		nc, err = nats.Connect(url, options...)
	}
	return supported(nc, url, err)
}

// ConnectOrWait is [Connect] for who has work to do while the server is away: it then
// returns a connection on which everything fails at once until the server is there,
// which [Connected] tells. An error is one that waiting does not mend; see
// [Misconfigured].
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

// supported returns what came of connecting, unless the server is too old.
func supported(nc *nats.Conn, url string, err error) (*nats.Conn, error) {
	if err == nil {
		if err = checkServerVersion(nc.ConnectedServerVersion()); err == nil {
			return nc, nil
		}
		nc.Close()
	}
	return nil, fmt.Errorf("connect to NATS at %s: %w", redactURL(url), err)
}

// lasting are the options of a connection that lives for the whole process.
func lasting(name string, more []nats.Option) []nats.Option {
	return append([]nats.Option{
		nats.Name(name),
		nats.MaxReconnects(-1),
		// Who is refused today may be let in tomorrow, with the credentials file as it
		// is then; it is told meanwhile.
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectWait(500 * time.Millisecond),
		nats.Timeout(connectPatience),
		// A server that stopped talking is given up after two silent pings.
		nats.PingInterval(10 * time.Second),
		nats.MaxPingsOutstanding(2),
		// A publish must fail while the server is away, not wait in a buffer:
		// the webhook has two seconds to answer.
		nats.ReconnectBufSize(-1),
		nats.FlusherTimeout(writePatience),
	}, more...)
}

// Connected returns nil when the connection leads to a server that Greenlight works
// with, else a sentence that says what is wrong.
func Connected(nc *nats.Conn) error {
	if nc.IsConnected() {
		return checkServerVersion(nc.ConnectedServerVersion())
	}
	at := ""
	if nc.Opts.InProcessServer == nil {
		at = " at " + redactURL(strings.Join(nc.Opts.Servers, ","))
	}
	// The client keeps the refusal of a server that it reached, and not that it
	// reached none.
	if err := nc.LastError(); err != nil && !away(err) {
		return fmt.Errorf("the NATS server is not connected; trying again all the time%s, where it was refused: %w", at, err)
	}
	return fmt.Errorf("the NATS server is not connected; trying again all the time%s", at)
}

// Misconfigured reports whether an error of connecting or of [EnsureStreams] comes
// from settings, here or at the server, that a person must change. Another one may
// pass by itself.
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

// conflicts are the codes by which JetStream refuses a stream for its settings
// (https://github.com/nats-io/nats-server, server/errors.json).
var conflicts = []jetstream.ErrorCode{
	jetstream.JSErrCodeJetStreamNotEnabled, jetstream.JSErrCodeJetStreamNotEnabledForAccount,
	10052, // a setting that cannot be changed, such as the storage
	10065, // subjects that another stream has
	10074, // copies without a cluster
}

// away reports whether a connection could not be made for a reason that may pass: the
// server is not there, does not say anything, or takes no more connections.
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
	trouble, ok := errors.AsType[net.Error](err)
	return errors.Is(err, nats.ErrTimeout) || ok && trouble.Timeout()
}

// checkServerVersion returns an error that matches ErrServerTooOld unless the
// version is MinServerVersion or newer. A pre-release such as 2.15.0-RC.1 counts
// as its release.
func checkServerVersion(version string) error {
	if IsSupported(version) {
		return nil
	}
	return fmt.Errorf("%w: it is version %q and Greenlight needs %s or newer, which repeats schedules and keeps acknowledged messages through a power failure; upgrade the server (https://github.com/nats-io/nats-server/releases)",
		ErrServerTooOld, version, MinServerVersion)
}

// IsSupported reports whether a NATS server of that version is new enough.
func IsSupported(version string) bool { return atLeast(version, MinServerVersion) }

// atLeast compares two versions of the form major.minor.patch[-anything].
// What cannot be read counts as old.
func atLeast(version, want string) bool {
	got, ok := parseVersion(version)
	if !ok {
		return false
	}
	min, _ := parseVersion(want)
	for i := range got {
		if got[i] != min[i] {
			return got[i] > min[i]
		}
	}
	return true
}

func parseVersion(version string) (parsed [3]int, ok bool) {
	core, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), "-")
	parts := strings.Split(core, ".")
	if len(parts) != len(parsed) {
		return parsed, false
	}
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return parsed, false
		}
		parsed[i] = n
	}
	return parsed, true
}

// redactURL takes user, password and token out of each server of a
// comma-separated list, since the URL may end up in a log.
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
