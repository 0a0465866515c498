package webhook

import (
	"context"
	"errors"
	"net"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The causes of not_stored by which refusals are counted: each needs another fix. Other
// codes have none.
const (
	causeStreams    = "streams"    // the streams are not made yet
	causeConnection = "connection" // the connection to NATS is away
	causeNoLeader   = "no_leader"  // nobody answers for the stream
	causeFull       = "full"       // the stream, or what it lies on, has no room
	causeDeadline   = "deadline"   // no answer in time
	causeOther      = "other"      // anything else; the log has it
)

// errHeld is in the error for streams that are not made yet.
var errHeld = errors.New("nothing can be stored yet")

var causes = []string{causeStreams, causeConnection, causeNoLeader, causeFull, causeDeadline, causeOther}

// causeOf returns the cause of a refusal, empty if its code says it all.
func causeOf(r *refusal) string {
	err := r.cause
	switch {
	case r.code != codeNotStored:
		return ""
	case errors.Is(err, errHeld):
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

// noRoom are the codes by which JetStream refuses what it has no room for
// (https://github.com/nats-io/nats-server, server/errors.json). The last one is any
// failure to store; a full stream is the common one, a disk that is the other.
var noRoom = []jetstream.ErrorCode{10023, 10028, 10047, 10077}

func isFull(err error) bool {
	refused, ok := errors.AsType[*jetstream.APIError](err)
	return ok && slices.Contains(noRoom, refused.ErrorCode)
}

// isAway reports whether an event got no further than our end of the connection.
// Without a buffer for such times, the client refuses by the buffer being full.
func isAway(err error) bool {
	for _, away := range []error{
		nats.ErrReconnectBufExceeded, nats.ErrConnectionClosed, nats.ErrConnectionReconnecting,
		nats.ErrDisconnected, nats.ErrStaleConnection, nats.ErrNoServers,
	} {
		if errors.Is(err, away) {
			return true
		}
	}
	trouble, broken := errors.AsType[*net.OpError](err)
	return broken && !trouble.Timeout()
}
