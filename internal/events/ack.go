package events

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ack is a stream's acknowledgement of a message, or of a batch.
type ack struct {
	Stream    string              `json:"stream"`
	Sequence  uint64              `json:"seq"`
	Duplicate bool                `json:"duplicate"`
	Count     int                 `json:"count"` // of a batch
	Error     *jetstream.APIError `json:"error"`
}

// request publishes the message and waits for the acknowledgement of [StreamEvents].
// It is what jetstream's PublishMsg does, for a message whose stream is known, at two
// thirds of the time (BenchmarkPublish), and for batches, which that cannot do.
func request(ctx context.Context, nc *nats.Conn, msg *nats.Msg) (ack, error) {
	reply, err := nc.RequestMsgWithContext(ctx, msg)
	if err != nil {
		return ack{}, err
	}
	a, err := readAck(reply.Data)
	if err != nil {
		return ack{}, fmt.Errorf("read an acknowledgement: %w", err)
	}
	if a.Error != nil {
		return ack{}, a.Error
	}
	if a.Stream != StreamEvents {
		return ack{}, fmt.Errorf("%.100q acknowledged in the place of the stream %s", a.Stream, StreamEvents)
	}
	return a, nil
}

// plainAck is how the acknowledgement of a message begins that was stored, and is no
// copy of another: all but a few are so, and nothing follows but a number and a brace.
const plainAck = `{"stream":"` + StreamEvents + `","seq":`

// readAck decodes an acknowledgement. A plain one needs no decoder, which costs a
// quarter of what publishing costs us.
func readAck(data []byte) (ack, error) {
	if rest, plain := bytes.CutPrefix(data, []byte(plainAck)); plain {
		digits, whole := bytes.CutSuffix(rest, []byte("}"))
		if sequence, err := strconv.ParseUint(string(digits), 10, 64); whole && err == nil {
			return ack{Stream: StreamEvents, Sequence: sequence}, nil
		}
	}
	var a ack
	err := json.Unmarshal(data, &a)
	return a, err
}

const (
	leaderTries = 3
	leaderWait  = 250 * time.Millisecond
)

// requestLeader is request that tries again while nobody answers for the stream, as
// when its leader changes.
func requestLeader(ctx context.Context, nc *nats.Conn, msg *nats.Msg) (ack, error) {
	for try := 1; ; try++ {
		a, err := request(ctx, nc, msg)
		if !errors.Is(err, nats.ErrNoResponders) {
			return a, err
		}
		if try == leaderTries {
			return ack{}, fmt.Errorf("nobody answers for the stream %s: it is not there, or has no leader: %w", StreamEvents, err)
		}
		select {
		case <-ctx.Done():
			return ack{}, ctx.Err()
		case <-time.After(leaderWait):
		}
	}
}
