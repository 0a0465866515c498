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

	"greenlight/internal/logging"
)

const (
	// consumerName is the durable consumer that all senders share, so that each notice
	// goes out once however many processes have a receiver.
	consumerName = "notify"
	// sendTimeout bounds one try. Receivers answer in a second.
	sendTimeout = 15 * time.Second
	// ackWait is over sendTimeout: while one process tries, no other does.
	ackWait = 2 * sendTimeout
	// tries is how often a notice is tried: with the waits below for six hours.
	tries = 16
	// pullExpiry is how long one question for notices stands.
	pullExpiry = 30 * time.Second
	// lookAgain bounds one wait for the next notice. If a notice comes before NATS'
	// client has noted that it asked for it, the client asks for no other until it is
	// called again.
	lookAgain = time.Second
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
	receiver Receiver
	consumer jetstream.Consumer
	log      zerolog.Logger
	sends    *prometheus.CounterVec
	// retry is how long to wait after so many tries that failed.
	retry func(tries uint64) time.Duration
}

// NewSender joins the senders. The first ever begins with the notices that come from
// now on: a receiver that is new is not told last month's news.
func NewSender(ctx context.Context, js jetstream.JetStream, receiver Receiver, log zerolog.Logger, r prometheus.Registerer) (*Sender, error) {
	consumer, err := js.CreateOrUpdateConsumer(ctx, Stream, jetstream.ConsumerConfig{
		Durable:       consumerName,
		Description:   "Takes notices to NOTIFY_URL",
		DeliverPolicy: jetstream.DeliverNewPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       ackWait,
		MaxDeliver:    -1, // counted here, so that the last failure is told
	})
	if err != nil {
		return nil, fmt.Errorf("create consumer %s: %w", consumerName, err)
	}
	s := &Sender{
		receiver: receiver, consumer: consumer, log: log.With().Str(logging.KeyPart, "notices").Logger(), retry: retryAfter,
		sends: promauto.With(r).NewCounterVec(prometheus.CounterOpts{
			Name: "greenlight_notify_sends_total",
			Help: "Tries to send a notice to NOTIFY_URL by outcome: sent, failed (tried again, ever later), given_up.",
		}, []string{"outcome"}),
	}
	for _, outcome := range []string{"sent", "failed", "given_up"} {
		s.sends.WithLabelValues(outcome)
	}
	return s, nil
}

// Run sends notices until ctx ends; then it returns nil. What is not sent by then is
// sent by whoever comes next.
func (s *Sender) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := s.pull(ctx); err != nil {
			s.log.Warn().Err(err).Msg("notices could not be read; trying again")
			wait(ctx, retryBase)
		}
	}
	return nil
}

// pull sends one notice after the other. It returns nil when ctx ends.
func (s *Sender) pull(ctx context.Context) error {
	messages, err := s.consumer.Messages(jetstream.PullMaxMessages(1), jetstream.PullExpiry(pullExpiry))
	if err != nil {
		return err
	}
	defer messages.Stop()
	for ctx.Err() == nil {
		look, cancel := context.WithTimeout(ctx, lookAgain)
		msg, err := messages.Next(jetstream.NextContext(look))
		cancel()
		switch {
		case ctx.Err() != nil:
			s.giveBack(messages, msg)
		case errors.Is(err, context.DeadlineExceeded):
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
	for err := error(nil); err == nil; msg, err = messages.Next(jetstream.NextMaxWait(giveBackWait)) {
		if msg != nil {
			s.settle(msg.Nak())
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
	return line.Str(logging.KeyNotice, string(n.Kind)).Str(logging.KeyCampaign, n.CampaignID).Str(logging.KeyPlan, n.Plan)
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
