package events

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
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
// write stands still or a server that it dialled says nothing. One may follow the
// other, so both together must be within the 1.5 s in which the webhook answers.
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
	options := append([]nats.Option{
		nats.Name(name),
		nats.MaxReconnects(-1),
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
	nc, err := nats.Connect(url, options...)
	for tries := 1; isTimeout(err) && tries < connectTries; tries++ {
		nc, err = nats.Connect(url, options...)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w", redactURL(url), err)
	}
	if err := checkServerVersion(nc.ConnectedServerVersion()); err != nil {
		nc.Close()
		return nil, fmt.Errorf("connect to NATS at %s: %w", redactURL(url), err)
	}
	return nc, nil
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
