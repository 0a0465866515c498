package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
)

// The subjects of the marker: who restores, and what must not get lost of the ledger that
// is replaced.
const (
	subjectOwner   = "greenlight.restore.owner"
	subjectCarried = "greenlight.restore.carried"
)

const (
	// A restore renews its lease every renewEvery. One that has not for leaseTime was
	// killed, and another may continue.
	renewEvery = time.Second
	leaseTime  = 10 * time.Second
	// carriedPerMessage is how many records of numbers one message has. A record has at most
	// 16 KiB, and a message 1 MiB.
	carriedPerMessage = 50
	// undoTimeout bounds what is done after a restore has failed or was stopped.
	undoTimeout = 10 * time.Second
)

// ErrBusy is matched by the error for a server on which another restore is under way.
var ErrBusy = errors.New("another restore is under way")

// released is the owner of a marker whose restore has ended with an error.
const released = "released"

// marker is [events.RestoreStream]. It says that a restore is under way and by whom, and
// keeps what an interrupted one must not lose. The owner has a lease, which it renews by
// compare and swap.
type marker struct {
	js     jetstream.JetStream
	stream jetstream.Stream
	// interrupted says that an earlier restore created the marker.
	interrupted bool
	owner       string
	// sequence is that of the latest message of the owner.
	sequence uint64
	// stop ends the renewals and waits for their end.
	stop func()
}

// mark creates the marker or takes over that of an interrupted restore. The returned
// context ends when the lease is lost. Alone says that no other process uses the server, so
// that another owner cannot be alive.
func mark(ctx context.Context, js jetstream.JetStream, replicas int, alone bool) (*marker, context.Context, error) {
	m := &marker{js: js, owner: nats.NewInbox()}
	var err error
	if m.interrupted, err = events.Restoring(ctx, js); err != nil {
		return nil, ctx, err
	}
	if m.interrupted {
		m.stream, err = js.Stream(ctx, events.RestoreStream)
	} else {
		m.stream, err = js.CreateStream(ctx, jetstream.StreamConfig{
			Name: events.RestoreStream, Description: "A backup is being restored", Subjects: []string{subjectOwner, subjectCarried},
			Storage: jetstream.FileStorage, Replicas: replicas,
		})
	}
	if err != nil {
		return nil, ctx, fmt.Errorf("create stream %s: %w", events.RestoreStream, err)
	}
	if err = m.await(ctx, alone); err == nil {
		err = m.renew(ctx)
	}
	if err != nil {
		if !m.interrupted && !errors.Is(err, ErrBusy) {
			undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
			defer cancel()
			err = errors.Join(err, js.DeleteStream(undo, events.RestoreStream))
		}
		return nil, ctx, err
	}
	return m, m.hold(ctx), nil
}

// await returns when no other restore is alive.
func (m *marker) await(ctx context.Context, alone bool) error {
	for began := time.Now(); ; {
		last, err := m.stream.GetLastMsgForSubject(ctx, subjectOwner)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read stream %s: %w", events.RestoreStream, err)
		}
		if m.sequence != 0 && last.Sequence != m.sequence {
			return ErrBusy
		}
		m.sequence = last.Sequence
		if alone || string(last.Data) == released || time.Since(began) > leaseTime {
			return nil
		}
		if err := wait(ctx, renewEvery/4); err != nil {
			return err
		}
	}
}

// renew takes or renews the lease.
func (m *marker) renew(ctx context.Context) error { return m.own(ctx, m.owner) }

func (m *marker) own(ctx context.Context, owner string) error {
	ack, err := m.js.Publish(ctx, subjectOwner, []byte(owner), jetstream.WithExpectStream(events.RestoreStream), jetstream.WithExpectLastSequencePerSubject(m.sequence))
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		return ErrBusy
	}
	if err != nil {
		return fmt.Errorf("write to stream %s: %w", events.RestoreStream, err)
	}
	m.sequence = ack.Sequence
	return nil
}

// hold renews the lease until m.stop. The returned context ends when the lease is lost.
func (m *marker) hold(ctx context.Context) context.Context {
	ctx, lose := context.WithCancelCause(ctx)
	renewing, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for renewed := time.Now(); wait(renewing, renewEvery) == nil; {
			err := m.renew(renewing)
			switch {
			case err == nil:
				renewed = time.Now()
			case renewing.Err() != nil:
			case errors.Is(err, ErrBusy) || time.Since(renewed) > leaseTime/2:
				lose(err)
			}
		}
	}()
	m.stop = func() {
		stop()
		<-done
		lose(nil)
	}
	return ctx
}

// end removes the marker: other processes continue.
func (m *marker) end(ctx context.Context) error {
	m.stop()
	if err := m.js.DeleteStream(ctx, events.RestoreStream); err != nil {
		return fmt.Errorf("delete stream %s: %w", events.RestoreStream, err)
	}
	return nil
}

// release leaves the marker for the next restore. If that fails, the lease runs out.
func (m *marker) release(ctx context.Context) {
	m.stop()
	_ = m.own(ctx, released)
}

// tag identifies the restore of a file under this marker.
func (m *marker) tag(f *File) string {
	return m.prefix() + f.CreatedAt.Format(time.RFC3339Nano)
}

// tagged reports whether the tag is that of a restore under this marker.
func (m *marker) tagged(tag string) bool { return strings.HasPrefix(tag, m.prefix()) }

func (m *marker) prefix() string {
	return m.stream.CachedInfo().Created.UTC().Format(time.RFC3339Nano) + " "
}

// carry stores what the restored ledger takes over, in one message or more.
func (m *marker) carry(ctx context.Context, c ledger.Carried) error {
	parts := []ledger.Carried{{Hold: c.Hold}}
	for numbers := range slices.Chunk(c.Numbers, carriedPerMessage) {
		parts = append(parts, ledger.Carried{Numbers: numbers})
	}
	for _, part := range parts {
		text, err := json.Marshal(part)
		if err != nil {
			return err
		}
		if _, err := m.js.Publish(ctx, subjectCarried, text, jetstream.WithExpectStream(events.RestoreStream)); err != nil {
			return fmt.Errorf("write to stream %s: %w", events.RestoreStream, err)
		}
	}
	return nil
}

// hasCarried reports whether carry stored anything.
func (m *marker) hasCarried(ctx context.Context) (bool, error) {
	_, err := m.stream.GetLastMsgForSubject(ctx, subjectCarried)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	return err == nil, err
}

// carried calls visit with each part that carry stored, in this restore or before it was
// interrupted.
func (m *marker) carried(ctx context.Context, visit func(ledger.Carried) error) error {
	for sequence := uint64(1); ; {
		msg, err := m.stream.GetMsg(ctx, sequence, jetstream.WithGetMsgSubject(subjectCarried))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read stream %s: %w", events.RestoreStream, err)
		}
		var part ledger.Carried
		if err := json.Unmarshal(msg.Data, &part); err != nil {
			return fmt.Errorf("read stream %s: %w", events.RestoreStream, err)
		}
		if err := visit(part); err != nil {
			return err
		}
		sequence = msg.Sequence + 1
	}
}

// wait waits for d, or returns the error of ctx when it ends.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
