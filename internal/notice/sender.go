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
	// Consumer is the durable consumer that all senders share, so that each notice
	// goes out once however many processes have a receiver.
	Consumer = "notify"
	// sendTimeout bounds one try. Receivers answer in a second.
	sendTimeout = 15 * time.Second
	// ackWait is over sendTimeout: while one process tries, no other does.
	ackWait = 2 * sendTimeout
	// tries is how often a notice is tried: with the waits below for six hours.
	tries = 16
	// pullExpiry is how long one question for notices stands, and pullHeartbeat how often
	// the server says that it does. After two that are missing it is asked anew: the
	// consumer may be gone, or nobody led it when it was asked, or NATS' client did not
	// ask, since a notice came before it had noted that it asked for it.
	pullExpiry    = 30 * time.Second
	pullHeartbeat = time.Second
	// giveBackWait is how long who stops waits for what is on its way to it.
	giveBackWait = time.Second
	// The waits after a try that failed.
	retryBase = 5 * time.Second
	retryMost = time.Hour
)

// Receiver is where notices go.
type Receiver interface {
	// Send sends a text. Its error must tell no secret: it is logged.
	Send(ctx context.Context, text string) error
}

// Sender takes notices from the stream to a receiver.
type Sender struct {
	js       jetstream.JetStream
	receiver Receiver
	log      zerolog.Logger
	sends    *prometheus.CounterVec
	// retry is how long to wait after so many tries that failed.
	retry func(tries uint64) time.Duration
}

// NewSender joins the senders. The first ever begins with the notices that come from
// now on: a receiver that is new is not told last month's news.
func NewSender(ctx context.Context, js jetstream.JetStream, receiver Receiver, log zerolog.Logger, r prometheus.Registerer) (*Sender, error) {
	s := &Sender{
		js: js, receiver: receiver, log: log.With().Str(telemetry.KeyPart, "notices").Logger(), retry: retryAfter,
		sends: promauto.With(r).NewCounterVec(prometheus.CounterOpts{
			Name: "greenlight_notify_sends_total",
			Help: "Tries to send a notice to NOTIFY_URL by outcome: sent, failed (tried again, ever later), given_up.",
		}, []string{"outcome"}),
	}
	for _, outcome := range []string{"sent", "failed", "given_up"} {
		s.sends.WithLabelValues(outcome)
	}
	_, err := s.join(ctx)
	return s, err
}

// join returns the consumer, and makes it if it is not there. One that was lost begins
// with what comes from then on: what had been sent is not known any more.
func (s *Sender) join(ctx context.Context) (jetstream.Consumer, error) {
	consumer, err := s.js.CreateOrUpdateConsumer(ctx, Stream, jetstream.ConsumerConfig{
		Durable:       Consumer,
		Description:   "Takes notices to NOTIFY_URL",
		DeliverPolicy: jetstream.DeliverNewPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       ackWait,
		MaxDeliver:    -1, // counted here, so that the last failure is told
	})
	if err != nil {
		return nil, fmt.Errorf("create consumer %s: %w", Consumer, err)
	}
	return consumer, nil
}

// Run sends notices until ctx ends; then it returns nil. What is not sent by then is
// sent by whoever comes next.
func (s *Sender) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := s.pull(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn().Err(err).Msg("notices could not be read; trying again")
			wait(ctx, retryBase)
		}
	}
	return nil
}

// pull sends one notice after the other until ctx ends or the server says nothing.
func (s *Sender) pull(ctx context.Context) error {
	consumer, err := s.join(ctx)
	if err != nil {
		return err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(1), jetstream.PullExpiry(pullExpiry),
		jetstream.PullHeartbeat(pullHeartbeat))
	if err != nil {
		return err
	}
	defer messages.Stop()
	for ctx.Err() == nil {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		switch {
		case ctx.Err() != nil:
			s.giveBack(messages, msg)
		case errors.Is(err, jetstream.ErrConsumerDeleted):
			return nil // it is made again
		case errors.Is(err, jetstream.ErrNoHeartbeat):
			s.giveBack(messages, nil)
			return nil
		case err != nil:
			return err
		default:
			s.handle(ctx, msg)
		}
	}
	return nil
}

// giveBack gives back what was pulled and not sent: the server would wait for it until
// the ack wait is over.
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

// handle sends one notice, or gives it back to be tried later.
func (s *Sender) handle(ctx context.Context, msg jetstream.Msg) {
	meta, err := msg.Metadata()
	var n Notice
	if err == nil {
		err = json.Unmarshal(msg.Data(), &n)
	}
	if err != nil {
		s.sends.WithLabelValues("given_up").Inc()
		s.log.Error().Err(err).Msg("a message among the notices is none and is not sent")
		s.settle(msg.Term())
		return
	}
	bounded, cancel := context.WithTimeout(ctx, sendTimeout)
	err = s.receiver.Send(bounded, n.Text)
	cancel()
	switch {
	case err == nil:
		s.sends.WithLabelValues("sent").Inc()
		s.about(s.log.Info(), n).Msg("a notice was sent")
		s.settle(msg.Ack())
	case ctx.Err() != nil: // the stop is no failure of the receiver's, whoever comes next tries at once
		s.settle(msg.Nak())
	case meta.NumDelivered >= tries:
		s.sends.WithLabelValues("given_up").Inc()
		s.about(s.log.Error().Err(err), n).Msg("a notice could not be sent and is given up; it is in the stream " + Stream)
		s.settle(msg.Term())
	default:
		s.sends.WithLabelValues("failed").Inc()
		s.about(s.log.Warn().Err(err), n).Msg("a notice could not be sent and is tried again later")
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

// retryAfter returns 5 s after the first try, then twice that, and so on up to an hour.
func retryAfter(tries uint64) time.Duration {
	return min(retryMost, retryBase<<min(max(tries, 1)-1, 20))
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
