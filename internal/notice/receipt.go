package notice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
)

// receipts begins the subjects of receipts: greenlight.receipt.<sequence of the notice>.
const receipts = "greenlight.receipt."

// Outcome is what became of a notice.
type Outcome string

// The outcomes. Without a receipt, the outcome follows from what the senders have read.
const (
	// Sent: the receiver accepted it.
	Sent Outcome = "sent"
	// Failed: it could not be sent, and is tried again.
	Failed Outcome = "failed"
	// GivenUp: it could not be sent, and is not tried again.
	GivenUp Outcome = "given_up"
	// Waiting: it was not tried yet.
	Waiting Outcome = "waiting"
	// Unsent: it was stored before the first sender had a receiver, or by an earlier version.
	Unsent Outcome = "unsent"
)

// Receipt is the result of the last try to send a notice.
type Receipt struct {
	Outcome Outcome `json:"outcome"`
	// Tries is how often it was tried; zero if it was not.
	Tries uint64 `json:"tries"`
	// At is when it was tried last.
	At time.Time `json:"at,omitzero"`
	// Error is why the last try failed. It contains no secret.
	Error string `json:"error,omitempty"`
}

// Stored is a notice in the stream with its receipt.
type Stored struct {
	Notice
	Sequence uint64 `json:"sequence"`
	Receipt  `json:"receipt"`
}

// record stores the receipt of a notice. A lost receipt changes nothing else.
func (s *Sender) record(ctx context.Context, sequence uint64, receipt Receipt) {
	receipt.At = time.Now().UTC()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	body, err := json.Marshal(receipt)
	if err == nil {
		_, err = s.js.Publish(ctx, receipts+strconv.FormatUint(sequence, 10), body, jetstream.WithExpectStream(Stream))
	}
	if err != nil {
		s.log.Warn().Err(err).Msg("whether a notice was sent could not be stored")
	}
}

// listPatience limits [List]. Messages that expire meanwhile never come.
const listPatience = 5 * time.Second

// List returns the stored notices, oldest first. Before the stream exists there are none.
// Sending is false if no process has ever had a receiver.
func List(ctx context.Context, js jetstream.JetStream) (list []Stored, sending bool, err error) {
	stream, err := js.Stream(ctx, Stream)
	if err = events.WhyMissing(ctx, js, err); errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("look up stream %s: %w", Stream, err)
	}
	var floor uint64 // what the senders have settled
	consumer, err := stream.Consumer(ctx, Consumer)
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil, false, fmt.Errorf("look up consumer %s: %w", Consumer, err)
	}
	if sending = err == nil; sending {
		floor = consumer.CachedInfo().AckFloor.Stream
	}
	at := map[uint64]int{}
	err = eachMessage(ctx, stream, func(subject string, sequence uint64, body []byte) {
		if of, isReceipt := strings.CutPrefix(subject, receipts); isReceipt {
			sequence, _ = strconv.ParseUint(of, 10, 64)
			if i, known := at[sequence]; known {
				_ = json.Unmarshal(body, &list[i].Receipt)
			}
			return
		}
		notice := Stored{Sequence: sequence, Receipt: Receipt{Outcome: Unsent}}
		if sending && sequence > floor {
			notice.Outcome = Waiting
		}
		if json.Unmarshal(body, &notice.Notice) == nil { // the senders report what is not a notice
			at[sequence] = len(list)
			list = append(list, notice)
		}
	})
	return list, sending, err
}

// eachMessage visits the messages that were in the stream when it was looked up.
func eachMessage(ctx context.Context, stream jetstream.Stream, visit func(subject string, sequence uint64, body []byte)) error {
	consumer, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy, InactiveThreshold: ackWait})
	if err != nil {
		return fmt.Errorf("read stream %s: %w", Stream, err)
	}
	pending := consumer.CachedInfo().NumPending
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("read stream %s: %w", Stream, err)
	}
	defer messages.Stop()
	ctx, cancel := context.WithTimeout(ctx, listPatience)
	defer cancel()
	for pending > 0 {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("read stream %s: %w", Stream, err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			return fmt.Errorf("read stream %s: %w", Stream, err)
		}
		visit(msg.Subject(), meta.Sequence.Stream, msg.Data())
		pending = meta.NumPending
	}
	return nil
}
