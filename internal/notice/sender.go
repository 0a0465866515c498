package notice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/rs/zerolog"

	"greenlight/internal/telemetry"
)

const (
	// Consumer is the durable consumer that all senders share, so that each notice is sent
	// once however many processes have a receiver.
	Consumer = "notify"
	// sendTimeout limits one try. Receivers usually answer in a second.
	sendTimeout = 15 * time.Second
	// ackWait is longer than sendTimeout, so that only one process tries at a time.
	ackWait = 2 * sendTimeout
	// tries is how often a notice is tried, which with the waits below takes six hours.
	tries = 16
	// pullExpiry is how long one pull request is valid, and pullHeartbeat how often the
	// server confirms it. After two missing heartbeats the sender pulls again: the consumer
	// may be gone or have had no leader, or NATS' client may have lost the request.
	pullExpiry    = 30 * time.Second
	pullHeartbeat = time.Second
	// giveBackWait is how long a stopping sender waits for notices in transit.
	giveBackWait = time.Second
	// joinWait is the wait before the consumer is joined again. Its stream is created again
	// within about a second, and until then the process is not ready.
	joinWait = time.Second
	// The waits after a failed try.
	retryBase = 5 * time.Second
	retryMax  = time.Hour
)

// Receiver is a destination of notices.
type Receiver interface {
	// Send sends a text. Its error is logged and must not contain a secret.
	Send(ctx context.Context, text string) error
}

// Test sends a test message to a receiver, once. It ends within the time of one try.
func Test(ctx context.Context, receiver Receiver) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	return receiver.Send(ctx, "This is a test of Greenlight's notices. No action is needed.")
}

// Sender sends notices from the stream to a receiver.
type Sender struct {
	js       jetstream.JetStream
	receiver Receiver
	log      zerolog.Logger
	sends    *prometheus.CounterVec
	// retry returns the wait after so many failed tries.
	retry func(tries uint64) time.Duration
}

// NewSender joins the senders. The first one begins with notices that are published from
// now on: a new receiver does not get last month's.
func NewSender(ctx context.Context, js jetstream.JetStream, receiver Receiver, log zerolog.Logger, r prometheus.Registerer) (*Sender, error) {
	s := &Sender{
		js: js, receiver: receiver, log: log.With().Str(telemetry.KeyPart, "notices").Logger(), retry: retryAfter,
		sends: promauto.With(r).NewCounterVec(prometheus.CounterOpts{
			Name: "greenlight_notify_sends_total",
			Help: "Tries to send a notice to NOTIFY_URL by outcome: sent, failed (tried again later), given_up.",
		}, []string{"outcome"}),
	}
	for _, outcome := range []string{"sent", "failed", "given_up"} {
		s.sends.WithLabelValues(outcome)
	}
	_, err := s.join(ctx)
	return s, err
}

// join returns the consumer, and creates it if it does not exist. One that was lost begins
// with new notices: which of the others were sent is unknown.
func (s *Sender) join(ctx context.Context) (jetstream.Consumer, error) {
	consumer, err := s.js.CreateOrUpdateConsumer(ctx, Stream, jetstream.ConsumerConfig{
		Durable:       Consumer,
		Description:   "Sends notices to NOTIFY_URL",
		FilterSubject: subjects + ">",
		DeliverPolicy: jetstream.DeliverNewPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       ackWait,
		MaxDeliver:    -1, // handle counts, to log the last failure
	})
	if err != nil {
		return nil, fmt.Errorf("create consumer %s: %w", Consumer, err)
	}
	return consumer, nil
}

// Run sends notices until ctx ends; then it returns nil. The next sender sends the rest.
func (s *Sender) Run(ctx context.Context) error {
	isLost := false
	for ctx.Err() == nil {
		joined, err := s.pull(ctx)
		if err != nil && ctx.Err() == nil {
			if joined || !isLost { // once for each outage
				s.log.Warn().Err(err).Msg("notices could not be read; trying again")
			}
			wait(ctx, joinWait)
		}
		isLost = err != nil
	}
	return nil
}

// pull sends one notice after the other until ctx ends or heartbeats are missing. Joined
// reports that the server answered.
func (s *Sender) pull(ctx context.Context) (joined bool, err error) {
	consumer, err := s.join(ctx)
	if err != nil {
		return false, err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(1), jetstream.PullExpiry(pullExpiry),
		jetstream.PullHeartbeat(pullHeartbeat))
	if err != nil {
		return true, err
	}
	defer messages.Stop()
	for ctx.Err() == nil {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		switch {
		case ctx.Err() != nil:
			s.giveBack(messages, msg)
		case errors.Is(err, jetstream.ErrConsumerDeleted):
			return true, nil // it is created again
		case errors.Is(err, jetstream.ErrNoHeartbeat):
			s.giveBack(messages, nil)
			return true, nil
		case err != nil:
			return true, err
		default:
			s.handle(ctx, msg)
		}
	}
	return true, nil
}

// giveBack returns pulled notices that were not sent; otherwise the server waits for them
// until the ack wait is over.
func (s *Sender) giveBack(messages jetstream.MessagesContext, msg jetstream.Msg) {
	messages.Drain()
	for {
		if msg != nil {
			s.settle(msg.Nak())
		}
		var err error
		msg, err = messages.Next(jetstream.NextMaxWait(giveBackWait))
		if err != nil && !errors.Is(err, jetstream.ErrNoHeartbeat) {
			return
		}
	}
}

// handle sends one notice, or returns it to be tried later.
func (s *Sender) handle(ctx context.Context, msg jetstream.Msg) {
	meta, err := msg.Metadata()
	var n Notice
	if err == nil {
		err = json.Unmarshal(msg.Data(), &n)
	}
	if err != nil {
		s.sends.WithLabelValues("given_up").Inc()
		s.log.Error().Err(err).Msg("a message in the stream " + Stream + " is not a notice and is not sent")
		s.settle(msg.Term())
		return
	}
	bounded, cancel := context.WithTimeout(ctx, sendTimeout)
	err = s.receiver.Send(bounded, n.Text)
	cancel()
	receipt := Receipt{Outcome: Sent, Tries: meta.NumDelivered}
	if err != nil {
		receipt.Outcome, receipt.Error = Failed, err.Error()
	}
	switch {
	case err == nil:
		s.sends.WithLabelValues("sent").Inc()
		s.about(s.log.Info(), n).Msg("a notice was sent")
		s.settle(msg.Ack())
		s.record(ctx, meta.Sequence.Stream, receipt)
	case ctx.Err() != nil: // a stop is not the receiver's failure: the next sender tries at once
		s.settle(msg.Nak())
	case meta.NumDelivered >= tries:
		s.sends.WithLabelValues("given_up").Inc()
		s.about(s.log.Error().Err(err), n).Msg("a notice could not be sent and is not tried again; it remains in the stream " + Stream)
		s.settle(msg.Term())
		receipt.Outcome = GivenUp
		s.record(ctx, meta.Sequence.Stream, receipt)
	default:
		s.sends.WithLabelValues("failed").Inc()
		s.about(s.log.Warn().Err(err), n).Msg("a notice could not be sent and is tried again later")
		s.record(ctx, meta.Sequence.Stream, receipt) // first, so that no later try overtakes it
		s.settle(msg.NakWithDelay(s.retry(meta.NumDelivered)))
	}
}

func (s *Sender) about(line *zerolog.Event, n Notice) *zerolog.Event {
	return line.Str(telemetry.KeyNotice, string(n.Kind)).Str(telemetry.KeyCampaign, n.CampaignID).Str(telemetry.KeyPlan, n.Plan)
}

func (s *Sender) settle(err error) {
	if err != nil {
		s.log.Warn().Err(err).Msg("a notice could not be settled and may be sent again")
	}
}

// retryAfter returns 5 s after the first try, and doubles up to an hour.
func retryAfter(tries uint64) time.Duration {
	return min(retryMax, retryBase<<min(max(tries, 1)-1, 20))
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
