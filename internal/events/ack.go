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

// store publishes the message and waits for the stream's acknowledgement. It is what
// jetstream's PublishMsg does, for less (BenchmarkPublish), and for batches, which that
// cannot do.
func (o *outbox) store(ctx context.Context, msg *nats.Msg, stream string) (ack, error) {
	reply, err := o.request(ctx, msg)
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
	if a.Stream != stream {
		return ack{}, fmt.Errorf("%.100q acknowledged in the place of the stream %s", a.Stream, stream)
	}
	return a, nil
}

// plainAck is how the acknowledgement of an event begins that was stored, and is no
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

// storeWithLeader is store that tries again while nobody answers for the stream, as
// when its leader changes.
func (o *outbox) storeWithLeader(ctx context.Context, msg *nats.Msg, stream string) (ack, error) {
	for try := 1; ; try++ {
		a, err := o.store(ctx, msg, stream)
		if !errors.Is(err, nats.ErrNoResponders) {
			return a, err
		}
		if try == leaderTries {
			return ack{}, fmt.Errorf("nobody answers for the stream %s: it is not there, or has no leader: %w", stream, err)
		}
		select {
		case <-ctx.Done():
			return ack{}, ctx.Err()
		case <-time.After(leaderWait):
		}
	}
}
