package webhook

import (
	"context"
	"errors"
	"net"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The causes of not_stored in the metrics: each has a different fix. Other codes have no
// cause.
const (
	causeStreams    = "streams"    // the streams do not exist yet
	causeConnection = "connection" // not connected to NATS
	causeNoLeader   = "no_leader"  // no server answers for the stream
	causeFull       = "full"       // the stream or its disk is full
	causeDeadline   = "deadline"   // no answer in time
	causeOther      = "other"      // anything else; the log has it
)

// errNotReady is matched by the error while the streams do not exist.
var errNotReady = errors.New("nothing can be stored yet")

var causes = []string{causeStreams, causeConnection, causeNoLeader, causeFull, causeDeadline, causeOther}

// causeOf returns the cause of a refusal, empty for codes other than not_stored.
func causeOf(r *refusal) string {
	err := r.cause
	switch {
	case r.code != codeNotStored:
		return ""
	case errors.Is(err, errNotReady):
		return causeStreams
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse):
		return causeNoLeader
	case isFull(err):
		return causeFull
	case isAway(err):
		return causeConnection
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return causeDeadline
	default:
		return causeOther
	}
}

// noRoom are JetStream's error codes for lack of room
// (https://github.com/nats-io/nats-server, server/errors.json). The last one is any
// failure to store; the stream or the disk is usually full.
var noRoom = []jetstream.ErrorCode{10023, 10028, 10047, 10077}

func isFull(err error) bool {
	refused, ok := errors.AsType[*jetstream.APIError](err)
	return ok && slices.Contains(noRoom, refused.ErrorCode)
}

// isAway reports whether an event was not sent because the connection is down. With its
// buffer turned off, the client then reports the buffer as exceeded.
func isAway(err error) bool {
	for _, away := range []error{
		nats.ErrReconnectBufExceeded, nats.ErrConnectionClosed, nats.ErrConnectionReconnecting,
		nats.ErrDisconnected, nats.ErrStaleConnection, nats.ErrNoServers,
	} {
		if errors.Is(err, away) {
			return true
		}
	}
	opErr, ok := errors.AsType[*net.OpError](err)
	return ok && !opErr.Timeout()
}
