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

// ErrNotPermitted is matched by the error for a request that the NATS user may not make.
var ErrNotPermitted = errors.New("the NATS user lacks permission")

// rightTimeout limits one request. The server reports a missing permission to the
// connection, so the request itself may get no answer.
const rightTimeout = 2 * time.Second

// elsewhere is a stream that does not exist. Any stream refuses a message that expects to
// be stored there.
const elsewhere = "NOT-TO-BE-STORED"

// JetStream's error codes for the requests below that must be refused
// (https://github.com/nats-io/nats-server, server/errors.json).
const (
	codeNotExpectedStream jetstream.ErrorCode = 10060
	codeStreamMismatch    jetstream.ErrorCode = 10056
)

// CanPublish returns nil if an event published now would reach its stream and be
// answered, else an error for people. It publishes an event that the stream must refuse,
// so that nothing is stored; it tests neither the disk nor a cluster's majority.
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

// probeToken ends the subject of an event that must be refused.
const probeToken = "10dlc.doctor._"

// MayPublish returns nil if a stream accepts messages on the subject from this connection.
// It publishes one that the stream must refuse, so nothing is stored. The error matches
// [ErrNotPermitted] or [nats.ErrNoResponders] if that is the cause.
func MayPublish(ctx context.Context, nc *nats.Conn, subject string) error {
	return refused(ctx, nc, unwanted(subject), codeNotExpectedStream)
}

// unwanted returns a message that no stream will store.
func unwanted(subject string) *nats.Msg {
	msg := nats.NewMsg(subject)
	msg.Header.Set(jetstream.ExpectedStreamHeader, elsewhere)
	return msg
}

// Right is a permission that Greenlight's processes need on the NATS server.
type Right struct {
	// Name completes "may", for example "publish events".
	Name string
	// Err is nil if this connection has the permission; see [MayPublish].
	Err error
}

// Rights checks what this connection's user may do, and changes nothing: the server must
// refuse each request for another reason.
func Rights(ctx context.Context, nc *nats.Conn) []Right {
	publish := func(subject string) error { return MayPublish(ctx, nc, subject) }
	ask := func(subject, field string) error {
		return mismatched(ctx, nc, subject, `{"`+field+`":"`+elsewhere+`"}`)
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

// MayPublishAll returns an error that matches [ErrNotPermitted] if the user may not publish on
// one of the subjects. What it publishes is refused by every stream and every request of
// JetStream. The server reports a missing permission before it answers the flush.
func MayPublishAll(ctx context.Context, nc *nats.Conn, subjects []string) error {
	ctx, cancel := context.WithTimeout(ctx, rightTimeout)
	defer cancel()
	before := nc.LastError()
	for _, subject := range subjects {
		msg := unwanted(subject)
		msg.Data = []byte(`"not a request"`) // an empty one to delete a stream would be obeyed
		if err := nc.PublishMsg(msg); err != nil {
			return err
		}
	}
	flushed := nc.FlushWithContext(ctx)
	if err := nc.LastError(); err != before && errors.Is(err, nats.ErrPermissionViolation) {
		return fmt.Errorf("%w (%w)", ErrNotPermitted, err)
	}
	return flushed
}

// mismatched makes a request whose subject names one stream, and whose body another.
func mismatched(ctx context.Context, nc *nats.Conn, subject, body string) error {
	return refused(ctx, nc, &nats.Msg{Subject: subject, Data: []byte(body)}, codeStreamMismatch)
}

// refused makes a request that must be refused, and returns nil for the expected refusal.
func refused(ctx context.Context, nc *nats.Conn, msg *nats.Msg, meant jetstream.ErrorCode) error {
	reply, err := Ask(ctx, nc, msg)
	if err != nil {
		return err
	}
	return refusal(reply, meant)
}

// refusal returns nil for the expected refusal.
func refusal(reply *nats.Msg, meant jetstream.ErrorCode) error {
	var answer struct {
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	switch {
	case answer.Error == nil:
		return errors.New("the server accepted a request that it should have refused")
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

// Heed calls work, which makes requests on a connection that must have no other user
// meanwhile. The server reports a missing permission to the connection, not to the request
// that waits: then work's context ends at once, and the error also matches [ErrNotPermitted].
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
	denied := context.Cause(ctx)
	switch {
	case err == nil, errors.Is(err, ErrNotPermitted), !errors.Is(denied, ErrNotPermitted):
		return err
	case err == context.Canceled: // it says no more
		return denied
	default:
		return fmt.Errorf("%w: %w", err, denied)
	}
}

// unanswered adds the subject to the error of a request that got no answer.
func unanswered(subject string, err error) error {
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("no stream accepts messages on %s: %w", subject, err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer on %s in time: %w", subject, err)
	default:
		return err
	}
}
