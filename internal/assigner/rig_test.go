package assigner

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
)

const (
	otherCampaign = "851c6a5c-907b-43a9-8ada-ba1dc8335b07"
	testProfile   = "4001776e-0000-4000-8000-000000000001"
	recordsPath   = "/v2/10dlc/phone_number_campaigns"
	settingsPath  = "/v2/phone_numbers/messaging"
	campaignPath  = "/v2/10dlc/campaign/"
)

// rig is an assigner with a simulated Telnyx and its own NATS server. The test starts each
// reconcile and sets the clock.
type rig struct {
	*testing.T
	a      *Assigner
	sim    *telnyxsim.Simulator
	config Config
	plans  atomic.Pointer[plan.Set]
	clock  atomic.Int64 // nanoseconds since 1970
	// before and after are called around each request to Telnyx, logged with each line of
	// the log. Calls may be concurrent. Set them while nothing runs.
	before, after func(*http.Request)
	logged        func(line string)
}

// newRig returns a rig with two approved campaigns and the given count of numbers on the
// messaging profile. Adjust may change the configuration first.
func newRig(t *testing.T, o telnyxsim.Options, numbers int, adjust ...func(*Config)) *rig {
	t.Helper()
	r := &rig{T: t, sim: telnyxsim.New(o)}
	r.clock.Store(time.Date(2026, 8, 7, 12, 0, 0, 0, time.UTC).UnixNano())
	transport := &http.Transport{}
	api := httptest.NewServer(r.sim)
	t.Cleanup(func() { transport.CloseIdleConnections(); api.Close(); r.sim.Close() })
	r.sim.AddMessagingProfiles(testProfile)
	for _, number := range numbered(numbers) {
		r.sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, MessagingProfileID: testProfile})
	}
	for _, id := range []string{testCampaign, otherCampaign} {
		r.sim.AddCampaign(telnyxsim.Campaign{ID: id, CampaignStatus: telnyx.CampaignMNOProvisioned})
	}
	r.config = Config{
		Telnyx: &telnyx.Client{
			APIKey: "key", BaseURL: api.URL + "/v2", HTTPClient: &http.Client{Transport: hooked{r, transport}},
		},
		JetStream: testkit.JetStream(r, testkit.Embedded(r)),
		Plans:     r.plans.Load,
		Log:       zerolog.New(logLines{r}),
		Now:       func() time.Time { return time.Unix(0, r.clock.Load()) },
	}
	for _, change := range adjust {
		change(&r.config)
	}
	r.plan(listed("staged", testCampaign, numbered(numbers)...))
	r.restart()
	return r
}

// restart replaces the assigner, as a new process does.
func (r *rig) restart() {
	r.Helper()
	var err error
	r.a, err = New(r.Context(), r.config)
	r.must(err)
	r.a.isPinned = func(context.Context) bool { return true } // the consumer is not running
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// check is must for other goroutines than the test's, for example in hooks.
func (r *rig) check(err error) {
	r.Helper()
	if err != nil {
		r.Error(err)
	}
}

// plan puts a plan with these entries in force.
func (r *rig) plan(entries ...string) {
	r.Helper()
	r.plans.Store(r.parsed(entries...))
}

func (r *rig) parsed(entries ...string) *plan.Set {
	r.Helper()
	set, err := plan.LoadBytes("plan.yaml", []byte("version: 1\ncampaigns:\n"+strings.Join(entries, "")))
	r.must(err)
	return set
}

// listed returns a plan entry that lists numbers, pooled one with a number pool.
func listed(name, campaign string, numbers ...string) string {
	return fmt.Sprintf("- name: %s\n  campaign_id: %s\n  max_numbers: 5000\n  numbers: [\"%s\"]\n", name, campaign, strings.Join(numbers, `", "`))
}

func pooled() string {
	return fmt.Sprintf("- name: pool\n  campaign_id: %s\n  number_pool: %s\n  max_numbers: 5000\n", testCampaign, testProfile)
}

// numbered returns the first n of the test's numbers.
func numbered(n int) []string {
	numbers := make([]string, n)
	for i := range numbers {
		numbers[i] = fmt.Sprintf("+1212555%04d", i)
	}
	return numbers
}

// reconcile reconciles a campaign once and fails the test on an error.
func (r *rig) reconcile(campaign string) {
	r.Helper()
	r.must(r.tryReconcile(r.Context(), campaign))
}

func (r *rig) tryReconcile(ctx context.Context, campaign string) error {
	return r.request(ctx, request{key: campaign})
}

// request reconciles once for a request.
func (r *rig) request(ctx context.Context, req request) error {
	req.cause, req.made = "the test", time.Now()
	return r.a.guard(req.key, func() error { return r.a.reconcile(ctx, req) })
}

// advance moves the clock.
func (r *rig) advance(d time.Duration) { r.clock.Add(int64(d)) }

// advanceTo moves the clock forward to a time.
func (r *rig) advanceTo(at time.Time) {
	r.clock.Store(max(r.clock.Load(), at.UnixNano()))
}

func (r *rig) campaign(id string) ledger.Campaign {
	r.Helper()
	entry, _, err := r.a.ledger.Campaign(r.Context(), id)
	r.must(err)
	return entry.Campaign
}

// number returns the record of a number on the test's campaign.
func (r *rig) number(number string) ledger.Number { return r.numberOn(testCampaign, number) }

func (r *rig) numberOn(campaign, number string) ledger.Number {
	r.Helper()
	entries, err := r.a.ledger.Numbers(r.Context(), campaign)
	r.must(err)
	return entries[number].Number
}

// requests returns the number of writes for each number.
func (r *rig) requests() map[string]int {
	requests := map[string]int{}
	for _, write := range r.sim.Writes() {
		requests[write.PhoneNumber]++
	}
	return requests
}

// wantRequests checks that each of the numbers got exactly one write, and no other number
// got any.
func (r *rig) wantRequests(when string, numbers ...string) {
	r.Helper()
	requests := r.requests()
	if len(requests) != len(numbers) {
		r.Errorf("%s: %d numbers got a request, want %d", when, len(requests), len(numbers))
	}
	for _, number := range numbers {
		if requests[number] != 1 {
			r.Errorf("%s: %s got %d requests, want 1", when, number, requests[number])
		}
	}
}

// recordsWritten returns how many writes of number records there were so far.
func (r *rig) recordsWritten() int {
	r.Helper()
	stream, err := r.config.JetStream.Stream(r.Context(), "KV_NUMBERS")
	r.must(err)
	return int(stream.CachedInfo().State.LastSeq)
}

// hooked sends requests and calls the hooks of the rig.
type hooked struct {
	r    *rig
	over http.RoundTripper
}

func (h hooked) RoundTrip(req *http.Request) (*http.Response, error) {
	if h.r.before != nil {
		h.r.before(req)
	}
	res, err := h.over.RoundTrip(req)
	if h.r.after != nil {
		h.r.after(req)
	}
	return res, err
}

// logLines calls the hook of the rig with each line of the log.
type logLines struct{ r *rig }

func (l logLines) Write(line []byte) (int, error) {
	if l.r.logged != nil {
		l.r.logged(string(line))
	}
	return len(line), nil
}

// eventually waits until is returns true.
func (r *rig) eventually(what string, is func() bool) {
	r.Helper()
	const patience = 5 * time.Minute // on a machine that runs many tests at once
	for deadline := time.Now().Add(patience); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatalf("not within %s: %s", patience, what)
		}
	}
}
