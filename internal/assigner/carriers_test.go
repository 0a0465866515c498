package assigner

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx/telnyxsim"
)

// The carriers' status is read when the campaign is new or has changed, and rarely
// otherwise.
func TestReconcile_RecordsTheCarriersStatus(t *testing.T) {
	r := newRig(t, telnyxsim.Options{}, 1)
	var calls atomic.Int32
	isStatus := func(req *http.Request) bool { return strings.HasSuffix(req.URL.Path, "/operationStatus") }
	r.before = func(req *http.Request) {
		if isStatus(req) {
			calls.Add(1)
		}
	}
	fail := telnyxsim.Fault{Match: isStatus, Kind: telnyxsim.StatusFault(http.StatusForbidden, `{"errors":[]}`)}
	carriers := func(state string) []ledger.Carrier {
		return []ledger.Carrier{{Network: "10017", Name: "AT&T", Status: state}, {Network: "10035", Name: "T-Mobile", Status: state}}
	}
	for _, step := range []struct {
		when   string
		do     func()
		req    request
		calls  int32
		status string
	}{
		{"the first time", func() {}, request{}, 1, "APPROVED"},
		{"again", func() {}, request{}, 1, "APPROVED"},
		{"after an event", func() {}, request{changed: true}, 2, "APPROVED"},
		{"in another process", r.restart, request{}, 2, "APPROVED"},
		{"after hours", func() { r.advance(carriersLast) }, request{}, 3, "APPROVED"},
		{"when it was suspended and the event was lost", func() { r.must(r.sim.Suspend(testCampaign)) }, request{}, 4, "SUSPENDED"},
		{"when it cannot be read", func() { r.sim.Inject(fail); r.must(r.sim.Unsuspend(testCampaign)) }, request{}, 5, "SUSPENDED"},
		{"soon after that", func() { r.advance(time.Minute) }, request{}, 5, "SUSPENDED"},
		{"later", func() { r.advance(carriersRetry) }, request{}, 6, "APPROVED"},
	} {
		step.do()
		step.req.key = testCampaign
		r.must(r.request(t.Context(), step.req))
		if got := calls.Load(); got != step.calls {
			t.Errorf("%s: got %d calls, want %d", step.when, got, step.calls)
		}
		if diff := cmp.Diff(carriers(step.status), r.campaign(testCampaign).Carriers); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.when, diff)
		}
	}
}

// An approval that comes while the carriers are read waits for no more than that, and what
// was decided is recorded before. While a request waits, they are not read.
func TestReconcile_ReadsTheCarriersLast(t *testing.T) {
	t.Parallel()
	r := newRig(t, telnyxsim.Options{}, 1)
	phase, calls := ledger.Phase(""), 0
	r.before = func(req *http.Request) {
		if strings.HasSuffix(req.URL.Path, "/operationStatus") {
			entry, _, err := r.a.ledger.Campaign(t.Context(), testCampaign)
			r.check(err)
			phase, calls = entry.Campaign.Phase, calls+1
		}
	}
	r.a.queue.add(request{key: testCampaign})
	r.reconcile(testCampaign)
	if calls != 0 {
		t.Errorf("%d calls while a request waits, want none", calls)
	}
	_, _ = r.a.queue.take(prompt)
	r.a.queue.finish(testCampaign)
	r.must(r.sim.Suspend(testCampaign))
	r.advance(time.Minute)
	r.reconcile(testCampaign)
	if c := r.campaign(testCampaign); calls != 1 || phase != c.Phase || !c.Since.Equal(r.a.now()) || len(c.Carriers) == 0 {
		t.Errorf("got %d calls, phase %q in the record before, %q after it, carriers %v", calls, phase, c.Phase, c.Carriers)
	}
}
