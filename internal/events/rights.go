package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ErrNotPermitted is matched by the error for what the NATS user may not do.
var ErrNotPermitted = errors.New("the NATS user may not do that")

// rightTimeout bounds one question. A server that may not be asked says so to
// nobody in particular, so that a question may go without an answer.
const rightTimeout = 2 * time.Second

// elsewhere is a stream that is not there. A message that expects it is refused by
// whichever stream takes its subject, before anything is stored.
const elsewhere = "NOT-TO-BE-STORED"

// The codes by which JetStream refuses what was made to be refused
// (https://github.com/nats-io/nats-server, server/errors.json).
const (
	codeNotExpectedStream jetstream.ErrorCode = 10060
	codeStreamMismatch    jetstream.ErrorCode = 10056
)

// CanPublish returns nil when an event that came now would reach its stream and
// be answered, else a sentence that says what is wrong. It publishes an event that
// the stream must refuse, so nothing is stored, and neither the disk nor a
// cluster's majority is tried.
func CanPublish(ctx context.Context, js jetstream.JetStream) error {
	ctx, cancel := context.WithTimeout(ctx, rightTimeout)
	defer cancel()
	msg := unwanted(subjectEvents + probeToken)
	reply, err := js.Conn().RequestMsgWithContext(ctx, msg)
	if err == nil {
		err = refusal(reply, codeNotExpectedStream)
	}
	if err != nil {
		return fmt.Errorf("events cannot be published: %w", unanswered(msg.Subject, err))
	}
	return nil
}

// probeToken stands in the subjects of messages that are made to be refused.
const probeToken = "10dlc.doctor._"

// MayPublish returns nil when a stream takes messages on the subject from this
// connection. It publishes one that the stream must refuse, so nothing is stored.
// The error matches [ErrNotPermitted] or [nats.ErrNoResponders] if that is what is
// wrong.
func MayPublish(ctx context.Context, nc *nats.Conn, subject string) error {
	return refused(ctx, nc, unwanted(subject), codeNotExpectedStream)
}

// unwanted returns a message that no stream will store.
func unwanted(subject string) *nats.Msg {
	msg := nats.NewMsg(subject)
	msg.Header.Set(jetstream.ExpectedStreamHeader, elsewhere)
	return msg
}

// Right is something that Greenlight's processes do on the NATS server.
type Right struct {
	// Name is a clause that goes with "may", such as "publish events".
	Name string
	// Err is nil if this connection may; see [MayPublish].
	Err error
}

// Rights finds out what this connection's user may do, without doing it: each
// request is made so that the server must refuse it for another reason.
func Rights(ctx context.Context, nc *nats.Conn) []Right {
	publish := func(subject string) error { return MayPublish(ctx, nc, subject) }
	// The subject names one stream, and the body another.
	ask := func(subject, field string) error {
		msg := &nats.Msg{Subject: subject, Data: []byte(`{"` + field + `":"` + elsewhere + `"}`)}
		return refused(ctx, nc, msg, codeStreamMismatch)
	}
	return []Right{
		{"make the streams", errors.Join(ask("$JS.API.STREAM.CREATE."+StreamEvents, "name"), ask("$JS.API.STREAM.UPDATE."+StreamEvents, "name"))},
		{"publish events", publish(subjectEvents + probeToken)},
		{"publish triggers", publish(subjectTriggers + string(KindRecheck) + ".doctor")},
		{"publish schedules", publish(subjectSchedules + string(KindRecheck) + ".doctor")},
		{"store dead letters", publish(subjectDeadLetters + "doctor.probe")},
		{"create the consumer", ask("$JS.API.CONSUMER.CREATE."+StreamEvents+"."+ConsumerAssigner, "stream_name")},
	}
}

// refused makes a request that can only be refused. The refusal that was meant is
// no error.
func refused(ctx context.Context, nc *nats.Conn, msg *nats.Msg, meant jetstream.ErrorCode) error {
	reply, err := Ask(ctx, nc, msg)
	if err != nil {
		return err
	}
	return refusal(reply, meant)
}

// refusal returns nil for the refusal that was meant.
func refusal(reply *nats.Msg, meant jetstream.ErrorCode) error {
	var answer struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	switch {
	case answer.Error == nil:
		return errors.New("the server took what it should have refused")
	case answer.Error.ErrorCode == meant:
		return nil
	default:
		return answer.Error
	}
}

// Ask makes one request; see [Heed].
func Ask(ctx context.Context, nc *nats.Conn, msg *nats.Msg) (reply *nats.Msg, err error) {
	ctx, cancel := context.WithTimeout(ctx, rightTimeout)
	defer cancel()
	err = Heed(ctx, nc, func(ctx context.Context) error {
		reply, err = nc.RequestMsgWithContext(ctx, msg)
		return unanswered(msg.Subject, err)
	})
	return reply, err
}

// Heed has work done that makes requests on a connection which nobody else uses
// meanwhile. When the server says that the user may not do it, work's context ends
// at once and the error matches [ErrNotPermitted]: the server tells that to the
// connection and not to the request, which would go on waiting.
func Heed(ctx context.Context, nc *nats.Conn, work func(context.Context) error) error {
	ctx, deny := context.WithCancelCause(ctx)
	defer deny(nil)
	handler := nc.ErrorHandler()
	nc.SetErrorHandler(func(nc *nats.Conn, sub *nats.Subscription, err error) {
		if errors.Is(err, nats.ErrPermissionViolation) {
			deny(fmt.Errorf("%w (%w)", ErrNotPermitted, err))
			return
		}
		if handler != nil {
			handler(nc, sub, err)
		}
	})
	defer nc.SetErrorHandler(handler)
	err := work(ctx)
	if denied := context.Cause(ctx); err != nil && errors.Is(denied, ErrNotPermitted) {
		return denied
	}
	return err
}

// unanswered says of a request that came to nothing what it was.
func unanswered(subject string, err error) error {
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("nobody takes messages on %s: %w", subject, err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer on %s in time: %w", subject, err)
	default:
		return err
	}
}
