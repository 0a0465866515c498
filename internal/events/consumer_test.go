package events_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/testkit"
)

// A server that restarts with an empty disk has no stream, and nothing creates it here.
func TestConsumer_EndsWhenTheServerHasLostIt(t *testing.T) {
	t.Parallel()
	port := testkit.FreePort(t)
	serve := func() (stop func()) {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- testkit.Serve(ctx, port, t.TempDir(), false) }()
		return sync.OnceFunc(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
	stop := serve()
	t.Cleanup(func() { stop() })
	var nc *nats.Conn
	testkit.Within(t, patience, func() (err error) {
		nc, err = events.Connect("nats://127.0.0.1:"+port, "test")
		return err
	})
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := events.EnsureStreams(t.Context(), js, 1); err != nil {
		t.Fatal(err)
	}
	consumer, err := events.NewConsumer(t.Context(), js, quick, func(err error) { t.Log(err) })
	if err != nil {
		t.Fatal(err)
	}
	consumer.TestOnlyPatience(time.Second)
	if err := events.NewPublisher(js).Trigger(t.Context(), events.KindResync, ""); err != nil {
		t.Fatal(err)
	}
	ended, handled := make(chan error, 1), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { ended <- consumer.Run(ctx, func(*events.Delivery) { close(handled) }, func() {}) }()
	<-handled // it pulls
	stop()
	stop = serve()
	select {
	case err := <-ended:
		if !errors.Is(err, jetstream.ErrConsumerNotFound) && !errors.Is(err, jetstream.ErrStreamNotFound) {
			t.Errorf("Run: %v, want that the consumer is gone", err)
		}
	case <-time.After(patience):
		t.Error("it still pulls from a consumer that is gone")
		cancel()
		<-ended
	}
}

// A delivery of a lost consumer must not settle a message of the new consumer.
func TestConsumer_IsCreatedAgain(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(context.Context, jetstream.JetStream) error{
		"the consumer": func(ctx context.Context, js jetstream.JetStream) error {
			return js.DeleteConsumer(ctx, events.StreamEvents, events.ConsumerAssigner)
		},
		"its stream": func(ctx context.Context, js jetstream.JetStream) error {
			return errors.Join(js.DeleteStream(ctx, events.StreamEvents), events.EnsureStreams(ctx, js, 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			js, _ := startStreams(t)
			publish(t, js, "id-1")
			deliveries, _ := run(t, js)
			lost := next(t, deliveries)
			if err := lose(t.Context(), js); err != nil {
				t.Fatal(err)
			}
			publish(t, js, "id-2")
			publish(t, js, "id-3")
			var last *events.Delivery
			open := 0
			for ; last == nil || last.Header[jetstream.MsgIDHeader][0] != "id-3"; open++ {
				last = next(t, deliveries)
			}
			if err := errors.Join(lost.Done(), last.Done()); err != nil {
				t.Error(err) // settling what is gone does nothing
			}
			testkit.Within(t, patience, func() error { // the server has taken in the second
				consumer, err := js.Consumer(t.Context(), events.StreamEvents, events.ConsumerAssigner)
				if err != nil {
					return err
				}
				info := consumer.CachedInfo()
				if info.AckFloor.Stream != 0 {
					t.Fatalf("the new consumer's acknowledgements are at %d, want 0", info.AckFloor.Stream)
				}
				if info.NumAckPending != open-1 {
					return fmt.Errorf("%d deliveries are open, want %d", info.NumAckPending, open-1)
				}
				return nil
			})
		})
	}
}
