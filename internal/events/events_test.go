package events_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
	"greenlight/internal/telnyx"
	"greenlight/internal/testkit"
)

func TestMain(m *testing.M) {
	// Most tests wait for a server, so more of them run than there are processors.
	_ = flag.Set("test.parallel", strconv.Itoa(8*runtime.GOMAXPROCS(0)))
	goleak.VerifyTestMain(m, testkit.ServerLeaks()...)
}

// patience bounds a wait for what comes soon. Only a test that fails waits that long.
const patience = 30 * time.Second

// quick is a timing for fast takeovers.
var quick = events.Timing{AckWait: 1500 * time.Millisecond, PinnedTTL: 2 * time.Second, PullExpiry: time.Second}

// startServer starts a server for the test and returns a function that connects.
func startServer(t *testing.T) func() jetstream.JetStream {
	t.Helper()
	server := testkit.Embedded(t)
	return func() jetstream.JetStream { return testkit.JetStream(t, server) }
}

func startStreams(t *testing.T) (js jetstream.JetStream, connect func() jetstream.JetStream) {
	t.Helper()
	connect = startServer(t)
	js = connect()
	if err := events.EnsureStreams(t.Context(), js, 1); err != nil {
		t.Fatal(err)
	}
	return js, connect
}

// run runs a consumer in the background until stop is called or the test ends. Its
// deliveries are sent on the channel.
func run(t *testing.T, js jetstream.JetStream) (deliveries <-chan *events.Delivery, stop func()) {
	t.Helper()
	consumer, err := events.NewConsumer(t.Context(), js, quick, func(err error) { t.Log(err) })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ch := make(chan *events.Delivery, 1000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := consumer.Run(ctx, func(d *events.Delivery) { ch <- d }, func() {}); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return ch, stop
}

func next(t *testing.T, deliveries <-chan *events.Delivery) *events.Delivery {
	t.Helper()
	select {
	case d := <-deliveries:
		return d
	case <-time.After(patience):
		t.Fatalf("no delivery within %s", patience)
		return nil
	}
}

func verified(id string) events.Event {
	return events.Event{
		ID: id, Type: "10dlc.campaign.update", About: "751c6a5c-907b-43a9-8ada-ba1dc8335b07",
		ReceivedAt: time.Date(2024, 8, 7, 17, 22, 38, 5, time.UTC),
		Timestamp:  "1723051357", Signature: "c2lnbmF0dXJl", Body: []byte("{ \"data\": 1 }\n"),
	}
}

func TestPublish_KeepsBodyAndProof(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	receipt, err := events.NewPublisher(js).Publish(t.Context(), verified("id-1"))
	if err != nil {
		t.Fatal(err)
	}
	if want := (events.Receipt{Sequence: 1}); receipt != want {
		t.Errorf("got receipt %+v, want %+v", receipt, want)
	}
	deliveries, _ := run(t, js)
	d := next(t, deliveries)
	if got, want := string(d.Body), "{ \"data\": 1 }\n"; got != want {
		t.Errorf("got body %q, want %q", got, want)
	}
	got := map[string]string{}
	for _, key := range []string{"Nats-Msg-Id", telnyx.TimestampHeader, telnyx.SignatureHeader, events.HeaderReceivedAt} {
		got[key] = nats.Header(d.Header).Get(key)
	}
	want := map[string]string{
		"Nats-Msg-Id": "id-1", telnyx.TimestampHeader: "1723051357", telnyx.SignatureHeader: "c2lnbmF0dXJl",
		events.HeaderReceivedAt: "2024-08-07T17:22:38.000000005Z",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if d.Kind != events.KindEvent || d.Type != "10dlc.campaign.update" || d.About != "751c6a5c-907b-43a9-8ada-ba1dc8335b07" || d.Attempt != 1 {
		t.Errorf("got %s %s %s, attempt %d", d.Kind, d.Type, d.About, d.Attempt)
	}
	if err := d.Done(); err != nil {
		t.Error(err)
	}
}

func TestPublish_StoresCopiesOnce(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	publisher := events.NewPublisher(js)
	for _, id := range []string{"id-1", "an id, with blanks\r\nand lines"} {
		first, err := publisher.Publish(t.Context(), verified(id))
		if err != nil {
			t.Fatal(err)
		}
		second, err := publisher.Publish(t.Context(), verified(id))
		if err != nil {
			t.Fatal(err)
		}
		if first.Duplicate || !second.Duplicate || first.Sequence != second.Sequence {
			t.Errorf("id %q: got %+v then %+v, want the second to be a duplicate of the first", id, first, second)
		}
	}
}

func TestPublish_RefusesWhatDoesNotFitInASubject(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	for name, spoil := range map[string]func(*events.Event){
		"star in type":   func(e *events.Event) { e.Type = "10dlc.*" },
		"empty token":    func(e *events.Event) { e.Type = "10dlc..update" },
		"dot in id":      func(e *events.Event) { e.About = "a.b" },
		"blank in id":    func(e *events.Event) { e.About = "a b" },
		"endless id":     func(e *events.Event) { e.About = strings.Repeat("a", 200) },
		"wildcard in id": func(e *events.Event) { e.About = ">" },
	} {
		t.Run(name, func(t *testing.T) {
			event := verified("id-1")
			spoil(&event)
			if receipt, err := events.NewPublisher(js).Publish(t.Context(), event); err == nil {
				t.Errorf("stored at %+v, want an error", receipt)
			}
		})
	}
	if info := streamInfo(t, js, events.StreamEvents); info.State.Msgs != 0 {
		t.Errorf("%d messages stored, want none", info.State.Msgs)
	}
}

func TestPublish_FailsInTimeWhenTheServerIsAway(t *testing.T) {
	t.Parallel()
	server, err := embedded.Start(embedded.Options{Dir: t.TempDir(), Listen: true})
	if err != nil {
		t.Fatal(err)
	}
	nc, err := events.Connect(server.URL(), t.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if err := events.EnsureStreams(t.Context(), js, 1); err != nil {
		t.Fatal(err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, err := events.NewPublisher(js).Publish(ctx, verified("id-1")); err == nil {
		t.Error("published to a server that is gone")
	}
}

func TestPublish_FullStreamRefusesAndLosesNothing(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	cfg := streamInfo(t, js, events.StreamEvents).Config
	cfg.MaxBytes = 4 << 10
	if _, err := js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	publisher := events.NewPublisher(js)
	stored := 0
	for ; stored < 1000; stored++ {
		if _, err := publisher.Publish(t.Context(), verified(fmt.Sprint("id-", stored))); err != nil {
			break
		}
	}
	info := streamInfo(t, js, events.StreamEvents)
	if stored == 1000 || info.State.Msgs != uint64(stored) || info.State.FirstSeq != 1 {
		t.Errorf("stored %d; stream holds %d from %d: want a refusal and every stored event kept", stored, info.State.Msgs, info.State.FirstSeq)
	}
}

func TestConsumer_DeliversAgainAfterRetry(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	publish(t, js, "id-1")
	deliveries, _ := run(t, js)
	first := next(t, deliveries)
	last := first
	for attempt := 2; attempt <= 12; attempt++ { // the server must never give up
		if err := last.Retry(time.Millisecond); err != nil {
			t.Fatal(err)
		}
		last = next(t, deliveries)
		if last.Attempt != attempt || last.Sequence != first.Sequence {
			t.Errorf("got attempt %d of message %d, want attempt %d of %d", last.Attempt, last.Sequence, attempt, first.Sequence)
		}
	}
	if err := last.Done(); err != nil {
		t.Error(err)
	}
	if err := first.Retry(0); err != nil {
		t.Errorf("settling twice: %v, want nothing to happen", err)
	}
}

func TestConsumer_DoesNotRedeliverOpenMessages(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	publish(t, js, "id-1")
	deliveries, _ := run(t, js)
	d := next(t, deliveries)
	select {
	case again := <-deliveries:
		t.Fatalf("attempt %d came while the first was open", again.Attempt)
	case <-time.After(2 * quick.AckWait): // nothing must be delivered in this time
	}
	if err := d.Done(); err != nil {
		t.Error(err)
	}
}

func TestConsumer_OneProcessWorksAndHandsOverAtOnce(t *testing.T) {
	t.Parallel()
	js, connect := startStreams(t)
	publish(t, js, "id-1")
	first, stopFirst := run(t, js)
	open := next(t, first)
	second, _ := run(t, connect())
	publish(t, js, "id-2")
	if d := next(t, first); d.Done() != nil || d.Sequence != 2 {
		t.Errorf("the standing consumer got message %d, want 2", d.Sequence)
	}

	stopFirst()
	start := time.Now()
	d := next(t, second)
	if d.Sequence != open.Sequence || d.Attempt != 2 {
		t.Errorf("the standby got message %d, attempt %d; want %d, attempt 2", d.Sequence, d.Attempt, open.Sequence)
	}
	t.Logf("handed over in %s (the pin would have expired after %s)", time.Since(start).Round(time.Millisecond), quick.PinnedTTL)
	if err := d.Done(); err != nil {
		t.Error(err)
	}
}

func TestConsumer_StoresTheDeadLetterBeforeItEndsTheMessage(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	publish(t, js, "id-1")
	deliveries, _ := run(t, js)
	d := next(t, deliveries)

	if err := js.DeleteStream(t.Context(), events.StreamDeadLetters); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := d.DeadLetter(ctx, "not_an_event", "no home for it"); err == nil {
		t.Fatal("dead-lettered without a stream of dead letters")
	}
	if err := events.EnsureStreams(t.Context(), js, 1); err != nil {
		t.Fatal(err)
	}
	if err := d.DeadLetter(t.Context(), "not_an_event", "line one\r\nline two"); err != nil {
		t.Fatalf("the second try, with the stream back: %v", err)
	}

	stream, err := js.Stream(t.Context(), events.StreamDeadLetters)
	if err != nil {
		t.Fatal(err)
	}
	letter, err := stream.GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{"subject": letter.Subject, "body": string(letter.Data)}
	for _, key := range []string{
		events.HeaderReason, events.HeaderDetail, events.HeaderAttempts, events.HeaderOriginSubject,
		events.HeaderOriginSequence, telnyx.SignatureHeader,
	} {
		got[key] = letter.Header.Get(key)
	}
	want := map[string]string{
		"subject": "deadletter.assigner.not_an_event", "body": "{ \"data\": 1 }\n",
		events.HeaderReason: "not_an_event", events.HeaderDetail: "line one  line two", events.HeaderAttempts: "1",
		events.HeaderOriginSubject:  "telnyx.event.10dlc.campaign.update.751c6a5c-907b-43a9-8ada-ba1dc8335b07",
		events.HeaderOriginSequence: "1", telnyx.SignatureHeader: "c2lnbmF0dXJl",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("dead letter (-want +got):\n%s", diff)
	}
}

func TestTrigger_ReachesTheConsumer(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	publisher := events.NewPublisher(js)
	deliveries, _ := run(t, js)
	for _, want := range []struct {
		kind  events.Kind
		about string
	}{{events.KindResync, ""}, {events.KindCampaign, "C6X6M95"}, {events.KindPlan, "a1b2"}, {events.KindRecheck, "C6X6M95"}} {
		if err := publisher.Trigger(t.Context(), want.kind, want.about); err != nil {
			t.Fatal(err)
		}
		d := next(t, deliveries)
		if d.Kind != want.kind || d.About != want.about {
			t.Errorf("got %s %q, want %s %q", d.Kind, d.About, want.kind, want.about)
		}
		if err := d.Done(); err != nil {
			t.Error(err)
		}
	}
}

func TestScheduleResync_RepeatsAndIsNotPostponed(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	publisher := events.NewPublisher(js)
	deliveries, _ := run(t, js)
	if err := publisher.ScheduleResync(t.Context(), time.Second); err != nil {
		t.Fatal(err)
	}
	scheduled := lastMsg(t, js, "assigner.schedule.resync").Sequence
	if err := publisher.ScheduleResync(t.Context(), time.Second); err != nil {
		t.Fatal(err)
	}
	if last := lastMsg(t, js, "assigner.schedule.resync").Sequence; last != scheduled {
		t.Errorf("the same schedule was written again (sequence %d after %d)", last, scheduled)
	}
	for range 2 {
		d := next(t, deliveries)
		if d.Kind != events.KindResync {
			t.Errorf("got %s, want a resync", d.Kind)
		}
		if err := d.Done(); err != nil {
			t.Error(err)
		}
	}
	msg := lastMsg(t, js, "assigner.schedule.resync")
	if got := msg.Header.Get("Nats-TTL"); got != "never" {
		t.Errorf("the schedule's TTL is %q: it would vanish with the stream's maximum age", got)
	}
	if err := publisher.ScheduleResync(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := lastMsg(t, js, "assigner.schedule.resync").Header.Get("Nats-Schedule"); got != "@every 1h0m0s" {
		t.Errorf("after a change of interval the schedule is %q", got)
	}
}

func TestScheduleRecheck_FiresOnceAndTheLatestCounts(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	publisher := events.NewPublisher(js)
	deliveries, _ := run(t, js)
	if err := publisher.ScheduleRecheck(t.Context(), "C6X6M95", time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := publisher.ScheduleRecheck(t.Context(), "C6X6M95", -time.Second); err != nil {
		t.Fatal(err)
	}
	d := next(t, deliveries)
	if d.Kind != events.KindRecheck || d.About != "C6X6M95" {
		t.Errorf("got %s %q", d.Kind, d.About)
	}
	if err := d.Done(); err != nil {
		t.Error(err)
	}
	stream, err := js.Stream(t.Context(), "TRIGGERS")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.GetLastMsgForSubject(t.Context(), "assigner.schedule.recheck.C6X6M95"); !errors.Is(err, jetstream.ErrMsgNotFound) {
		t.Errorf("a schedule is left behind: %v", err)
	}
}

// With a slow clock, rechecks must not come at once; with a fast one, not too late.
func TestScheduleRecheck_UsesTheServersClock(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	for name, off := range map[string]time.Duration{"right": 0, "an hour slow": -time.Hour, "an hour ahead": time.Hour} {
		publisher := events.NewPublisher(js)
		step := off
		publisher.TestOnlyClock(func() time.Time { return time.Now().Add(step).Round(0) })
		for range 2 { // the second time after a step of the clock the other way
			if err := publisher.ScheduleRecheck(t.Context(), "C6X6M95", 10*time.Minute); err != nil {
				t.Fatal(err)
			}
			stream, err := js.Stream(t.Context(), "TRIGGERS")
			if err != nil {
				t.Fatal(err)
			}
			msg, err := stream.GetLastMsgForSubject(t.Context(), "assigner.schedule.recheck.C6X6M95")
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339, strings.TrimPrefix(msg.Header.Get("Nats-Schedule"), "@at "))
			if err != nil {
				t.Fatal(err)
			}
			if wait := time.Until(at); wait < 9*time.Minute || wait > 11*time.Minute {
				t.Errorf("clock %s, off by %s: the recheck comes after %s, want 10m", name, step, wait)
			}
			step = -step
		}
	}
}

func TestEnsureStreams_SetsTheAgreedLimits(t *testing.T) {
	t.Parallel()
	js, _ := startStreams(t)
	if err := events.EnsureStreams(t.Context(), js, 1); err != nil {
		t.Fatalf("a second time: %v", err)
	}
	cfg := streamInfo(t, js, events.StreamEvents).Config
	if cfg.Discard != jetstream.DiscardNew || cfg.MaxAge != 7*24*time.Hour || cfg.MaxBytes != 1<<30 ||
		cfg.Duplicates != 11*time.Minute || cfg.Storage != jetstream.FileStorage {
		t.Errorf("EVENTS has other settings than the design's: %+v", cfg)
	}
	if err := events.EnsureStreams(t.Context(), js, 9); err == nil {
		t.Error("took 9 replicas")
	}
}

func TestConnect_RefusesOldServer(t *testing.T) {
	t.Parallel()
	url := testkit.OldServer(t, "2.10.29")
	nc, err := events.Connect(url, t.Name())
	if err == nil {
		nc.Close()
	}
	if !errors.Is(err, events.ErrServerTooOld) {
		t.Fatalf("got %v, want ErrServerTooOld", err)
	}
	for _, word := range []string{"2.10.29", events.MinServerVersion, "upgrade"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the message does not contain %q: %v", word, err)
		}
	}
}

func TestConnect_KeepsTheTokenOutOfErrors(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	if _, err := events.Connect("nats://s3cret@"+address, t.Name()); err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), address) {
		t.Errorf("got %v, want an error that names the address and not the token", err)
	}
}

func TestConnect_ExplainsNetworkErrors(t *testing.T) {
	t.Parallel()
	rude := rudeServer(t)
	for url, want := range map[string]string{
		"nats://127.0.0.1:1":         "connect to NATS at nats://127.0.0.1:1: connection refused",
		"nats://127.0.0.1:99999":     "connect to NATS at nats://127.0.0.1:99999: invalid port",
		"nats://nobody.invalid:4222": "connect to NATS at nats://nobody.invalid:4222: the host name cannot be resolved",
		"nats://" + rude:             "connect to NATS at nats://" + rude + ": the server closed the connection",
	} {
		nc, err := events.Connect(url, t.Name())
		if err == nil {
			nc.Close()
		}
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// ConnectOrWait does not wait for errors that only a person can fix.
func TestConnectOrWait_WaitsOnlyForAServerThatIsAway(t *testing.T) {
	t.Parallel()
	server, err := embedded.Start(embedded.Options{Dir: t.TempDir(), Listen: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	_, address, _ := strings.Cut(server.URL(), "@")
	bad := filepath.Join(t.TempDir(), "bad.creds")
	if err := os.WriteFile(bad, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		url     string
		options []nats.Option
		refused error // nil if it is waited for
		fails   bool
	}{
		"nobody there":         {url: "nats://s3cret@127.0.0.1:1"},
		"nobody of that name":  {url: "nats://s3cret@nobody.invalid:4222"},
		"hangs up":             {url: "nats://s3cret@" + rudeServer(t)},
		"wrong token":          {url: "nats://s3cret@" + address, refused: nats.ErrAuthorization, fails: true},
		"too old":              {url: testkit.OldServer(t, "2.10.29"), refused: events.ErrServerTooOld, fails: true},
		"no such port":         {url: "nats://s3cret@127.0.0.1:99999", fails: true},
		"unusable credentials": {url: "nats://" + address, options: []nats.Option{nats.UserCredentials(bad)}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			nc, err := events.ConnectOrWait(test.url, t.Name(), test.options...)
			if err == nil {
				defer nc.Close()
			}
			if (err != nil) != test.fails || test.refused != nil && !errors.Is(err, test.refused) {
				t.Fatalf("got %v", err)
			}
			if err != nil {
				if strings.Contains(err.Error(), "s3cret") {
					t.Errorf("the error contains the token: %v", err)
				}
				return
			}
			err = events.Connected(nc)
			if err == nil || !strings.Contains(err.Error(), "not connected") || strings.Contains(err.Error(), "s3cret") || events.Misconfigured(err) {
				t.Errorf("got %v, want that it is not connected, and not the token", err)
			}
			if err := nc.Publish("x", nil); err == nil {
				t.Error("something was published")
			}
		})
	}
}

// rudeServer closes every connection, as a proxy without a backend does.
func rudeServer(t *testing.T) (address string) {
	return testkit.Answering(t, func(net.Conn) {})
}

func TestEmbedded_LocksItsFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, err := embedded.Start(embedded.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Start(embedded.Options{Dir: dir}); !errors.Is(err, embedded.ErrInUse) {
		t.Errorf("a second server on the folder: got %v, want ErrInUse", err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := embedded.Start(embedded.Options{Dir: dir})
	if err != nil {
		t.Fatalf("after Close: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func publish(t *testing.T, js jetstream.JetStream, id string) {
	t.Helper()
	if _, err := events.NewPublisher(js).Publish(t.Context(), verified(id)); err != nil {
		t.Fatal(err)
	}
}

func streamInfo(t *testing.T, js jetstream.JetStream, name string) *jetstream.StreamInfo {
	t.Helper()
	stream, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return stream.CachedInfo()
}

func lastMsg(t *testing.T, js jetstream.JetStream, subject string) *jetstream.RawStreamMsg {
	t.Helper()
	stream, err := js.Stream(t.Context(), "TRIGGERS")
	if err != nil {
		t.Fatal(err)
	}
	msg, err := stream.GetLastMsgForSubject(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	return msg
}
