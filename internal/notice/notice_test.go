package notice_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"greenlight/internal/notice"
	"greenlight/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, testkit.ServerLeaks()...) }

// patience is how long a test waits for a condition that usually takes milliseconds. It is
// shorter than the ack wait (30 s), so that a notice kept by a stopped sender is noticed.
const patience = 20 * time.Second

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// receiver calls send for each text, and keeps the texts that it accepted.
type receiver struct {
	mu    sync.Mutex
	tried int
	took  []string
	send  func(ctx context.Context, tried int) error
}

func (r *receiver) Send(ctx context.Context, text string) error {
	r.mu.Lock()
	r.tried++
	tried := r.tried
	r.mu.Unlock()
	if r.send != nil {
		if err := r.send(ctx, tried); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.took = append(r.took, text)
	return nil
}

func (r *receiver) taken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.took...)
}

func until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !reached(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not reached: " + what)
		}
	}
}

// run runs a sender until stop is called or the test ends.
func run(t *testing.T, js jetstream.JetStream, to notice.Receiver, log *bytes.Buffer) (registry *prometheus.Registry, stop func()) {
	t.Helper()
	registry = prometheus.NewRegistry()
	logger := zerolog.Nop()
	if log != nil {
		logger = zerolog.New(log)
	}
	sender, err := notice.NewSender(t.Context(), js, to, logger, registry)
	must(t, err)
	sender.SetRetry(time.Millisecond)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- sender.Run(ctx) }()
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); must(t, <-ended) }) }
	t.Cleanup(stop)
	return registry, stop
}

func some(text string) notice.Notice {
	return notice.Notice{Kind: notice.Completed, Text: text, Plan: "spring", CampaignID: "C6X6M95", At: time.Now().UTC()}
}

func TestPublish_StoresANoticeOncePerKeyForLateSubscribers(t *testing.T) {
	js := testkit.JetStream(t, testkit.Embedded(t))
	publisher, err := notice.NewPublisher(t.Context(), js, 0)
	must(t, err)
	other, err := notice.NewPublisher(t.Context(), js, 1) // another process, or the same after a crash
	must(t, err)
	for i, p := range []*notice.Publisher{publisher, other, other} {
		stored, err := p.Publish(t.Context(), some("first"), "key with blanks\n and lines")
		must(t, err)
		if want := i == 0; stored != want {
			t.Errorf("time %d: stored %t, want %t", i+1, stored, want)
		}
	}
	stored, err := other.Publish(t.Context(), notice.Notice{Kind: notice.Stuck, Text: "second"}, "another key")
	must(t, err)
	if !stored {
		t.Error("another key counts as the same notice")
	}

	stream, err := js.Stream(t.Context(), notice.Stream)
	must(t, err)
	for sequence, subject := range map[uint64]string{1: "greenlight.notice.completed", 2: "greenlight.notice.stuck"} {
		msg, err := stream.GetMsg(t.Context(), sequence)
		must(t, err)
		var n notice.Notice
		must(t, json.Unmarshal(msg.Data, &n))
		if msg.Subject != subject || string(n.Kind) != strings.TrimPrefix(subject, "greenlight.notice.") {
			t.Errorf("got %s with %+v, want it on %s", msg.Subject, n, subject)
		}
	}
	if got := stream.CachedInfo().Config; got.Duplicates < time.Hour || got.Discard != jetstream.DiscardOld {
		t.Errorf("got %+v, want old ones to go and a crash to be over by the end of the window", got)
	}
}

func TestSender_SendsEachNoticeOnceWithSeveralSenders(t *testing.T) {
	t.Parallel()
	js := testkit.JetStream(t, testkit.Embedded(t))
	publisher, err := notice.NewPublisher(t.Context(), js, 0)
	must(t, err)
	_, err = publisher.Publish(t.Context(), some("old news"), "0")
	must(t, err)
	var to receiver
	_, stop := run(t, js, &to, nil)
	run(t, js, &to, nil)
	const n = 20
	for i := range n {
		if i == n/2 {
			stop() // one of the two goes, and a third comes
			run(t, js, &to, nil)
		}
		_, err := publisher.Publish(t.Context(), some(fmt.Sprint("text ", i)), fmt.Sprint("key ", i))
		must(t, err)
	}
	until(t, "all are sent", func() bool { return len(to.taken()) >= n })
	counts := map[string]int{}
	for _, text := range to.taken() {
		counts[text]++
	}
	for i := range n {
		if got := counts[fmt.Sprint("text ", i)]; got != 1 {
			t.Errorf("text %d was sent %d times", i, got)
		}
	}
	if counts["old news"] > 0 {
		t.Error("a receiver that is new was told of what came before it")
	}
}

func TestSender_TriesAgainAndFinallyGivesUp(t *testing.T) {
	t.Parallel()
	js := testkit.JetStream(t, testkit.Embedded(t))
	publisher, err := notice.NewPublisher(t.Context(), js, 0)
	must(t, err)
	refusal := errors.New("slack: it answered with status 503")
	to := receiver{send: func(_ context.Context, tried int) error {
		if tried <= 2 || tried > 3 && tried <= 3+notice.Tries {
			return refusal
		}
		return nil
	}}
	var log bytes.Buffer
	registry, stop := run(t, js, &to, &log)
	for _, text := range []string{"tried thrice", "given up", "after that"} {
		before := len(to.taken())
		_, err := publisher.Publish(t.Context(), some(text), text)
		must(t, err)
		until(t, text, func() bool {
			return len(to.taken()) > before || text == "given up" && outcomes(t, registry)["given_up"] == 1
		})
	}
	if got := fmt.Sprint(to.taken()); got != "[tried thrice after that]" {
		t.Errorf("sent %s", got)
	}
	stop() // the last is counted after the receiver took it
	want := map[string]float64{"sent": 2, "failed": 2 + notice.Tries - 1, "given_up": 1}
	if got := outcomes(t, registry); !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
	if got := log.String(); !strings.Contains(got, "is not tried again") || !strings.Contains(got, refusal.Error()) {
		t.Errorf("the log does not say it:\n%s", got)
	}
}

// Whoever set NOTIFY_URL can see whether it works, and why not.
func TestList_SaysWhatBecameOfEachNotice(t *testing.T) {
	t.Parallel()
	js := testkit.JetStream(t, testkit.Embedded(t))
	if list, sending, err := notice.List(t.Context(), js); len(list) > 0 || sending || err != nil {
		t.Errorf("got %v, %t, %v without a stream", list, sending, err)
	}
	publisher, err := notice.NewPublisher(t.Context(), js, 0)
	must(t, err)
	publish := func(text string) {
		t.Helper()
		_, err := publisher.Publish(t.Context(), some(text), text)
		must(t, err)
	}
	publish("early")
	if list, sending, err := notice.List(t.Context(), js); len(list) != 1 || sending || err != nil || list[0].Outcome != notice.Unsent {
		t.Errorf("got %v, %t, %v before the first sender, want one that is unsent", list, sending, err)
	}
	refusal := errors.New("slack: it answered with status 503")
	_, stop := run(t, js, &receiver{send: func(_ context.Context, tried int) error {
		if 1 < tried && tried <= 1+notice.Tries {
			return refusal
		}
		return nil
	}}, nil)
	publish("sent")
	publish("given up")
	var list []notice.Stored
	until(t, "the last is given up", func() bool {
		list, _, err = notice.List(t.Context(), js)
		must(t, err)
		return len(list) == 3 && list[2].Outcome == notice.GivenUp
	})
	stop()
	publish("late")
	list, sending, err := notice.List(t.Context(), js)
	must(t, err)
	var got []string
	for _, n := range list {
		got = append(got, fmt.Sprintf("%s: %s %d %s", n.Text, n.Outcome, n.Tries, n.Error))
	}
	want := []string{"early: unsent 0 ", "sent: sent 1 ", fmt.Sprintf("given up: given_up %d %s", notice.Tries, refusal), "late: waiting 0 "}
	if !slices.Equal(got, want) || !sending {
		t.Errorf("got %q, sending %t; want %q", got, sending, want)
	}
}

func outcomes(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	must(t, err)
	counts := map[string]float64{}
	for _, metric := range families[0].GetMetric() {
		counts[metric.GetLabel()[0].GetValue()] = metric.GetCounter().GetValue()
	}
	return counts
}

// Each try has a deadline, so that a receiver that hangs cannot block later notices. Until
// then the server gives the notice to no other sender.
func TestSender_LimitsEachTry(t *testing.T) {
	t.Parallel()
	js := testkit.JetStream(t, testkit.Embedded(t))
	publisher, err := notice.NewPublisher(t.Context(), js, 0)
	must(t, err)
	limits := make(chan time.Duration, 1)
	to := receiver{send: func(ctx context.Context, _ int) error {
		limit := time.Duration(0)
		if deadline, ok := ctx.Deadline(); ok {
			limit = time.Until(deadline)
		}
		limits <- limit
		return nil
	}}
	run(t, js, &to, nil)
	_, err = publisher.Publish(t.Context(), some("text"), "key")
	must(t, err)
	if got := <-limits; got <= 0 || got > 15*time.Second {
		t.Errorf("got a deadline in %s, want one within 15s", got)
	}
	consumer, err := js.Consumer(t.Context(), notice.Stream, notice.ConsumerName)
	must(t, err)
	if got := consumer.CachedInfo().Config.AckWait; got <= 15*time.Second {
		t.Errorf("got an ack wait of %s, want more than 15s", got)
	}
}

// A receiver that never answers must block neither publishers nor the stop.
func TestSender_BlocksNothingWhileItsReceiverHangs(t *testing.T) {
	t.Parallel()
	js := testkit.JetStream(t, testkit.Embedded(t))
	publisher, err := notice.NewPublisher(t.Context(), js, 0)
	must(t, err)
	hanging := make(chan struct{}, 1)
	to := receiver{send: func(ctx context.Context, _ int) error {
		select {
		case hanging <- struct{}{}:
		default:
		}
		<-ctx.Done()
		return ctx.Err()
	}}
	registry, stop := run(t, js, &to, nil)
	_, err = publisher.Publish(t.Context(), some("first"), "first")
	must(t, err)
	<-hanging
	for i := range 50 {
		_, err := publisher.Publish(t.Context(), some("more"), fmt.Sprint(i))
		must(t, err)
	}
	stop()
	if got, want := outcomes(t, registry), map[string]float64{"sent": 0, "failed": 0, "given_up": 0}; !maps.Equal(got, want) {
		t.Errorf("got %v, want no failure counted for a stop", got)
	}
	var next receiver
	run(t, js, &next, nil) // it takes over what the other left
	until(t, "all are sent by another", func() bool { return len(next.taken()) >= 51 })
}

// A notice in transit to a sender that stops is sent by the next sender, which does not wait
// for the ack wait.
func TestSender_ReturnsNoticesInTransitWhenItStops(t *testing.T) {
	t.Parallel()
	js := testkit.JetStream(t, testkit.Embedded(t))
	publisher, err := notice.NewPublisher(t.Context(), js, 0)
	must(t, err)
	var to receiver
	const rounds = 100
	for i := range rounds {
		_, stop := run(t, js, &to, nil)
		published := make(chan error, 1)
		go func() {
			_, err := publisher.Publish(t.Context(), some(fmt.Sprint("text ", i)), fmt.Sprint("key ", i))
			published <- err
		}()
		time.Sleep(time.Duration(rand.IntN(600)) * time.Microsecond) // any moment of the publishing
		stop()
		must(t, <-published)
	}
	run(t, js, &to, nil)
	until(t, "all are sent", func() bool { return len(to.taken()) >= rounds })
}

// A deleted consumer is created again without a restart. NATS reports the deletion to a
// sender that waits for a notice, but not to one that is sending.
func TestSender_CreatesItsConsumerAgain(t *testing.T) {
	t.Parallel()
	for _, sends := range []bool{false, true} {
		t.Run(fmt.Sprintf("while it sends %t", sends), func(t *testing.T) {
			t.Parallel() // it waits
			js := testkit.JetStream(t, testkit.Embedded(t))
			publisher, err := notice.NewPublisher(t.Context(), js, 0)
			must(t, err)
			remove := func() {
				if err := js.DeleteConsumer(t.Context(), notice.Stream, notice.ConsumerName); err != nil {
					t.Error(err)
				}
			}
			to := receiver{send: func(_ context.Context, tried int) error {
				if sends && tried == 1 {
					remove()
				}
				return nil
			}}
			run(t, js, &to, nil)
			_, err = publisher.Publish(t.Context(), some("before"), "before")
			must(t, err)
			until(t, "the first is sent", func() bool { return len(to.taken()) == 1 })
			if !sends {
				remove()
			}
			until(t, "there is a consumer again", func() bool {
				_, err := js.Consumer(t.Context(), notice.Stream, notice.ConsumerName)
				return err == nil
			})
			_, err = publisher.Publish(t.Context(), some("after"), "after")
			must(t, err)
			until(t, "the next is sent", func() bool { return slices.Contains(to.taken(), "after") })
		})
	}
}

// awayServer lets a sender join once, then fails.
type awayServer struct {
	jetstream.JetStream
	joins int
}

func (s *awayServer) CreateOrUpdateConsumer(context.Context, string, jetstream.ConsumerConfig) (jetstream.Consumer, error) {
	if s.joins++; s.joins > 1 {
		return nil, context.DeadlineExceeded
	}
	return nil, nil
}

// The consumer is joined every second, but an outage is logged once.
func TestSender_LogsAnOutageOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		server := new(awayServer)
		_, stop := run(t, server, new(receiver), &log)
		time.Sleep(time.Minute)
		stop()
		if got := strings.Count(log.String(), "could not be read"); got != 1 || server.joins < 30 {
			t.Errorf("%d warnings after joining %d times, want one:\n%s", got, server.joins, log.String())
		}
	})
}

func TestRetryAfter_Grows(t *testing.T) {
	var total, last time.Duration
	for try := range uint64(notice.Tries) {
		wait := notice.RetryAfter(try + 1)
		if wait < last || wait > time.Hour || wait < 5*time.Second {
			t.Errorf("after %d tries %s, and %s before", try+1, wait, last)
		}
		last, total = wait, total+wait
	}
	if total < 5*time.Hour {
		t.Errorf("got %s until the last try, want hours", total)
	}
}
