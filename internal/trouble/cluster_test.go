//go:build !race

// The race detector makes a cluster in one process too slow to be put under load, and finds
// races of the NATS server. The other tests of this package, and internal/endtoend, run the
// same code of Greenlight with it.

package trouble

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"greenlight/internal/assigner"
	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/notice"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
)

// Each server of a cluster stops and comes back while deliveries come in and 300
// numbers are attached: the leader of the stream, the leader of the consumer, and those
// that lead nothing. A leader that stops hands over, often before a delivery notices. So
// at last two servers stop together: then there is no leader, and deliveries are refused.
func TestCluster_EachServerInTurnLosesNothingAndWritesNothingTwice(t *testing.T) {
	t.Parallel() // it counts no goroutines
	onlyInFull(t)
	cluster := testkit.StartCluster(t)
	connected := func() *nats.Conn { return connect(t, cluster.URL()) }
	fs := openFronts(t, connected, 3)
	nc := connected()
	js, err := jetstream.New(nc)
	must(t, err)

	work := newAttaching(t, 300)
	work.join(connected())
	work.join(connected())
	notices := startNotices(t, connected())
	post := startPosting(t, fs)
	post.kept(50)
	work.approve()
	work.attached(10)

	stopped := map[string]bool{}
	back := func(what string, names ...string) {
		for _, name := range names {
			cluster.Start(name)
		}
		testkit.Within(t, patience, func() error { return inStep(t, js) })
		fs.becomeReady()
		post.kept(50)
		notices.arrives(what + ", " + strings.Join(names, " and "))
		t.Logf("%s (%s) stopped and came back: %d deliveries kept, %d of them after 503, %d times 503, %d numbers asked for",
			what, strings.Join(names, " and "), post.count.Load(), post.healed.Load(), post.refusals.Load(), work.requested())
	}
	stopOne := func(what, name string) {
		cluster.Stop(name)
		stopped[name] = true
		post.kept(50)
		back(what, name)
	}
	stopOne("the stream's leader", leader(t, js))
	stopOne("the consumer's leader", consumerLeader(t, js))
	for _, ns := range slices.Clone(cluster.Servers) {
		if !stopped[ns.Name()] {
			stopOne("one of the rest", ns.Name())
		}
	}
	first := leader(t, js)
	second := cluster.Servers[0].Name()
	if second == first {
		second = cluster.Servers[1].Name()
	}
	healed := post.healed.Load()
	cluster.Stop(first)
	cluster.Stop(second)
	post.refused(2 * posters)
	asked := work.requested()
	back("the stream's leader and another", first, second)
	if asked == work.count {
		t.Error("every number was asked for before the last servers came back, so the test has shown less than it says")
	}
	work.hurry()
	ids := post.end()
	if post.healed.Load() == healed {
		t.Error("no delivery that was refused without a leader was accepted afterwards")
	}
	if n := post.away.Load(); n > 0 {
		t.Errorf("%d deliveries got no answer", n)
	}
	work.finishes(js)
	assertKept(t, nc, ids)
}

// Webhooks and assigners are replaced one after the other, as in an upgrade, while
// deliveries come in and numbers are attached. Deliveries are repeated, as Telnyx does it.
func TestRollingRestart_LosesNothing(t *testing.T) {
	t.Parallel() // it counts no goroutines
	onlyInFull(t)
	cluster := testkit.StartCluster(t)
	connected := func() *nats.Conn { return connect(t, cluster.URL()) }
	doors := openFronts(t, connected, 3)
	nc := connected()
	js, err := jetstream.New(nc)
	must(t, err)
	work := newAttaching(t, 210)
	stops := []func(){work.join(connected()), work.join(connected())}

	post := startPosting(t, doors)
	work.approve()
	work.attached(10)
	post.kept(100)
	for i := range doors {
		old := doors[i]
		next := openFront(t, old.name, connected(), 3, i == 0)
		post.use(fronts{next, doors[1-i]})
		old.stop()
		doors[i] = next
		post.kept(100)
	}
	for i := range stops {
		begun := work.requested()
		stops[i]()
		work.join(connected())
		work.attached(begun + 10)
	}
	if work.requested() == work.count {
		t.Error("every number was asked for before the last restart was over, so the test has shown less than it says")
	}
	work.hurry()
	work.finishes(js)
	assertKept(t, nc, post.end())
}

// notices publishes notices, and records those that the sender sends.
type notices struct {
	t         *testing.T
	publisher *notice.Publisher
	mu        sync.Mutex
	sent      map[string]bool
}

func startNotices(t *testing.T, nc *nats.Conn) *notices {
	t.Helper()
	js, err := jetstream.New(nc)
	must(t, err)
	n := &notices{t: t, sent: map[string]bool{}}
	var sender *notice.Sender
	testkit.Within(t, patience, func() error { // a cluster that just came up refuses some requests
		if n.publisher, err = notice.NewPublisher(t.Context(), js, 3); err != nil {
			return err
		}
		sender, err = notice.NewSender(t.Context(), js, n, zerolog.Nop(), prometheus.NewRegistry())
		return err
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = sender.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return n
}

// Send records a notice.
func (n *notices) Send(_ context.Context, text string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sent[text] = true
	return nil
}

// arrives publishes a notice and waits until it is sent.
func (n *notices) arrives(text string) {
	n.t.Helper()
	testkit.Within(n.t, patience, func() error {
		_, err := n.publisher.Publish(n.t.Context(), notice.Notice{Kind: notice.Completed, Text: text, At: time.Now()}, text)
		return err
	})
	testkit.Within(n.t, patience, func() error {
		n.mu.Lock()
		defer n.mu.Unlock()
		if !n.sent[text] {
			return errors.New("not sent: " + text)
		}
		return nil
	})
}

// consumerLeader returns the name of the server that leads the assigners' consumer.
func consumerLeader(t *testing.T, js jetstream.JetStream) (name string) {
	t.Helper()
	testkit.Within(t, patience, func() error {
		consumer, err := js.Consumer(t.Context(), events.StreamEvents, events.ConsumerAssigner)
		if err != nil {
			return err
		}
		name = consumer.CachedInfo().Cluster.Leader
		if name == "" {
			return errors.New("no leader")
		}
		return nil
	})
	return name
}

// inStep returns nil when every stream has three replicas that are up to date.
func inStep(t *testing.T, js jetstream.JetStream) error {
	for info := range js.ListStreams(t.Context()).Info() {
		if info.Cluster == nil || info.Cluster.Leader == "" || len(info.Cluster.Replicas) != 2 {
			return fmt.Errorf("%s has no leader or too few replicas", info.Config.Name)
		}
		for _, peer := range info.Cluster.Replicas {
			if !peer.Current || peer.Offline {
				return fmt.Errorf("%s on %s is %d behind", info.Config.Name, peer.Name, peer.Lag)
			}
		}
	}
	_, err := js.Stream(t.Context(), events.StreamEvents)
	return err
}

const campaignID = "851c6a5c-907b-43a9-8ada-ba1dc8335b07"

// attachRate is how many numbers a second Telnyx takes at first, so that they are attached
// for longer than servers and processes come and go.
const attachRate = 6

// attaching is a campaign whose numbers assigners attach. Telnyx answers at attachRate until
// hurry is called, so that there is work left while servers and processes come and go.
type attaching struct {
	t     *testing.T
	sim   *telnyxsim.Simulator
	api   *httptest.Server
	set   *plan.Set
	count int
	// hurry makes Telnyx answer at once from now on.
	hurry func()
}

func newAttaching(t *testing.T, count int) *attaching {
	t.Helper()
	slow, hurry := context.WithCancel(t.Context())
	a := &attaching{t: t, sim: telnyxsim.New(telnyxsim.Options{AssignDelay: 10 * time.Millisecond}), count: count, hurry: hurry}
	pace := rate.NewLimiter(attachRate, 1)
	a.api = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_ = pace.Wait(slow) // an error says that it is over
		}
		a.sim.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { a.api.Close(); a.sim.Close() })
	const profile = "4001776e-0000-4000-8000-000000000001"
	a.sim.AddMessagingProfiles(profile)
	text := "version: 1\ncampaigns:\n- name: spring\n  campaign_id: " + campaignID + "\n  max_numbers: 1000\n  numbers:\n"
	for i := range count {
		number := fmt.Sprintf("+1212555%04d", i)
		a.sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, MessagingProfileID: profile})
		text += "  - \"" + number + "\"\n"
	}
	a.sim.AddCampaign(telnyxsim.Campaign{ID: campaignID, CampaignStatus: telnyx.CampaignMNOPending, MaxNumbers: count})
	var err error
	a.set, err = plan.LoadBytes("plan.yaml", []byte(text))
	must(t, err)
	return a
}

// join starts an assigner, which works until stop is called or the test ends.
func (a *attaching) join(nc *nats.Conn) (stop func()) {
	a.t.Helper()
	js, err := jetstream.New(nc)
	must(a.t, err)
	transport := &http.Transport{}
	config := assigner.Config{
		Telnyx:    &telnyx.Client{APIKey: "key", BaseURL: a.api.URL + "/v2", HTTPClient: &http.Client{Transport: transport}},
		JetStream: js,
		Plans:     func() *plan.Set { return a.set },
		Replicas:  3,
		Resync:    5 * time.Second,
		Settle:    2 * time.Second,
		// One at a time, so that each is answered long before the ack wait and Settle end.
		Concurrency: 1,
		Timing:      events.Timing{AckWait: 1500 * time.Millisecond, PinnedTTL: 2 * time.Second, PullExpiry: time.Second},
	}
	var worker *assigner.Assigner
	testkit.Within(a.t, patience, func() error { worker, err = assigner.New(a.t.Context(), config); return err })
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			a.t.Errorf("assigner: %v", err)
		}
		transport.CloseIdleConnections()
	})
	a.t.Cleanup(stop)
	return stop
}

// approve approves the campaign; the next resync finds out.
func (a *attaching) approve() { must(a.t, a.sim.Approve(campaignID)) }

// requested counts the numbers that were requested.
func (a *attaching) requested() int {
	numbers := map[string]bool{}
	for _, write := range a.sim.Writes() {
		numbers[write.PhoneNumber] = true
	}
	return len(numbers)
}

// attached waits until at least so many numbers were requested.
func (a *attaching) attached(least int) {
	a.t.Helper()
	testkit.Within(a.t, patience, func() error {
		if n := a.requested(); n < least {
			return fmt.Errorf("%d numbers were requested, want %d", n, least)
		}
		return nil
	})
}

// finishes waits until every number is sendable by the ledger, and fails the test if
// one was written more than once.
func (a *attaching) finishes(js jetstream.JetStream) {
	a.t.Helper()
	testkit.Within(a.t, patience, func() error {
		book, err := ledger.Open(a.t.Context(), js)
		if err != nil {
			return err
		}
		numbers, err := book.Numbers(a.t.Context(), campaignID)
		if err != nil {
			return err
		}
		sendable := 0
		for _, entry := range numbers {
			if entry.Number.State == ledger.Sendable {
				sendable++
			}
		}
		if sendable < a.count {
			return fmt.Errorf("%d of %d numbers are sendable", sendable, a.count)
		}
		return nil
	})
	writes := map[string]int{}
	for _, write := range a.sim.Writes() {
		if write.Effective {
			writes[write.PhoneNumber]++
		}
	}
	for number, n := range writes {
		if n != 1 {
			a.t.Errorf("%s was attached %d times", number, n)
		}
	}
	if len(writes) != a.count {
		a.t.Errorf("%d numbers were attached, want %d", len(writes), a.count)
	}
}

// posting posts some two hundred events a second to several webhooks, as Telnyx would, each
// until one of them answers 200.
type posting struct {
	t     *testing.T
	doors atomic.Pointer[fronts]
	// count is how many were answered 200, healed how many of them after a 503, and
	// refusals how many 503s there were.
	count, healed, refusals atomic.Int64
	// away is how often there was no answer.
	away  atomic.Int64
	stop  func()
	users sync.WaitGroup
	mu    sync.Mutex
	ids   []string
}

// posters are how many post at once.
const posters = 4

func startPosting(t *testing.T, doors fronts) *posting {
	ctx, cancel := context.WithCancel(context.Background())
	p := &posting{t: t, stop: cancel}
	p.use(doors)
	for range posters {
		p.users.Go(func() {
			pace := time.NewTicker(20 * time.Millisecond)
			defer pace.Stop()
			for ctx.Err() == nil {
				p.post(fmt.Sprintf("again-%d", serial.Add(1)))
				<-pace.C
			}
		})
	}
	t.Cleanup(func() { p.end() })
	return p
}

// use posts to these webhooks from the next try on.
func (p *posting) use(doors fronts) {
	doors = slices.Clone(doors)
	p.doors.Store(&doors)
}

func (p *posting) post(id string) {
	refused := false
	for try, began := 0, time.Now(); time.Since(began) < patience; try++ {
		doors := *p.doors.Load()
		code, err := doors[try%len(doors)].deliver(id, 0)
		_, unreachable := errors.AsType[*url.Error](err)
		switch {
		case code == http.StatusOK, errors.Is(err, errDuplicate):
			p.mu.Lock()
			p.ids = append(p.ids, id)
			p.mu.Unlock()
			p.count.Add(1)
			if refused {
				p.healed.Add(1)
			}
			return
		case unreachable:
			p.away.Add(1)
		case err != nil:
			p.t.Errorf("%s: %v", id, err)
		default:
			refused = true
			p.refusals.Add(1)
		}
		time.Sleep(50 * time.Millisecond) // Telnyx waits before the next try, too
	}
	p.t.Errorf("%s: not accepted within %s", id, patience)
}

// kept waits until so many more were answered 200.
func (p *posting) kept(more int64) {
	p.t.Helper()
	p.reach("kept", &p.count, more)
}

// refused waits until so many more were answered 503.
func (p *posting) refused(more int64) {
	p.t.Helper()
	p.reach("refused", &p.refusals, more)
}

func (p *posting) reach(what string, counted *atomic.Int64, more int64) {
	p.t.Helper()
	before := counted.Load()
	testkit.Within(p.t, patience, func() error {
		if n := counted.Load() - before; n < more {
			return fmt.Errorf("%d more were %s, want %d", n, what, more)
		}
		return nil
	})
}

// end stops posting and returns the ids of the events that were answered 200.
func (p *posting) end() []string {
	p.stop()
	p.users.Wait()
	return p.ids
}

// Streams that were made with one replica get three when a process asks for three. A process
// that still asks for one does not remove any.
func TestReplicas_AreAddedToExistingStreamsAndNeverRemoved(t *testing.T) {
	t.Parallel() // it counts no goroutines
	cluster := testkit.StartCluster(t)
	nc := connect(t, cluster.URL())
	js, err := jetstream.New(nc)
	must(t, err)
	ensure := func(replicas int) error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := events.EnsureStreams(ctx, js, replicas); err != nil {
			return err
		}
		if _, err := ledger.Create(ctx, js, replicas); err != nil {
			return err
		}
		_, err := notice.NewPublisher(ctx, js, replicas)
		return err
	}
	testkit.Within(t, patience, func() error { return ensure(1) }) // a cluster that just came up may need a moment
	front := openFront(t, "first", connect(t, cluster.URL()), 1, false)
	testkit.Within(t, patience, func() error {
		if code, err := front.deliver("kept", 0); code != http.StatusOK && !errors.Is(err, errDuplicate) {
			return fmt.Errorf("answered %d, %v", code, err)
		}
		return nil
	})
	if err := inStep(t, js); err == nil {
		t.Fatal("there are three replicas, want one")
	}
	testkit.Within(t, patience, func() error { return ensure(3) })
	testkit.Within(t, patience, func() error { return inStep(t, js) })
	testkit.Within(t, patience, func() error { return ensure(1) })
	testkit.Within(t, patience, func() error { return inStep(t, js) })
	cluster.Stop(leader(t, js))
	testkit.Within(t, patience, func() error {
		_, err := front.deliver("kept", 0)
		if !errors.Is(err, errDuplicate) {
			return fmt.Errorf("got %v, want that the new leader knows the event as a duplicate", err)
		}
		return nil
	})
}
