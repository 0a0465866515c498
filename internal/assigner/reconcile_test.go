package assigner

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// The answer to a request was lost, and then the plan drops the number. Its record stays until
// the request is over, so that no other campaign requests it meanwhile.
func TestReconcile_KeepsAClaimedNumberThatLeftThePlan(t *testing.T) {
	t.Parallel()
	numbers := numbered(2)
	r := newRig(t, telnyxsim.Options{}, len(numbers))
	r.sim.Inject(telnyxsim.Fault{Method: "POST", PathPrefix: "/10dlc/phone_number_campaigns", Times: -1, Kind: telnyxsim.HTML502()})
	r.reconcile(testCampaign)
	r.plan(listed("staged", testCampaign, numbers[0]))
	r.reconcile(testCampaign)
	if n := r.number(numbers[1]); n.ClaimedAt.IsZero() {
		t.Errorf("got %+v, want its claim", n)
	}
	r.advance(DefaultSettle + time.Second)
	r.reconcile(testCampaign)
	if n := r.number(numbers[1]); n.Number != "" {
		t.Errorf("got %+v after the claim ended, want no record", n)
	}
}

// A plan that changes during a reconcile may have been reported before, so the next one
// follows at once.
func TestReconcile_IsRepeatedWhenThePlanChangesMeanwhile(t *testing.T) {
	t.Parallel()
	numbers := numbered(2)
	r := newRig(t, telnyxsim.Options{}, len(numbers))
	r.must(r.sim.SetCampaignStatus(testCampaign, telnyx.CampaignMNOPending))
	r.plan(listed("staged", testCampaign, numbers[0]))
	r.after = func(req *http.Request) {
		if strings.HasPrefix(req.URL.Path, campaignPath) {
			r.plan(listed("staged", testCampaign, numbers...))
		}
	}
	r.reconcile(testCampaign)
	r.eventually("another reconcile is requested", func() bool {
		stream, err := r.config.JetStream.Stream(t.Context(), "TRIGGERS")
		r.must(err)
		const subject = "assigner.trigger.recheck." + testCampaign
		info, err := stream.Info(t.Context(), jetstream.WithSubjectFilter(subject))
		r.must(err)
		return info.State.Subjects[subject] > 0
	})
}

// A read that failed for another reason does not count towards the two that prove that a
// campaign is missing.
func TestMissing_TakesTwoReadsThatDoNotFindIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, telnyxsim.Options{}, 1)
	route := "/10dlc/campaign/" + testCampaign
	for _, step := range []struct {
		status int
		body   string
		phase  ledger.Phase
	}{
		{500, "", ledger.PhaseUnread},
		{404, `{"errors":[{"code":"10005","title":"Resource not found"}]}`, ledger.PhaseUnread},
		{404, `{"errors":[{"code":"10005","title":"Resource not found"}]}`, ledger.PhaseMissing},
	} {
		r.sim.ClearFaults()
		r.sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: route, Times: -1, Kind: telnyxsim.StatusFault(step.status, step.body)})
		r.advance(time.Minute)
		r.reconcile(testCampaign)
		if c := r.campaign(testCampaign); c.Phase != step.phase {
			t.Errorf("after %d: got phase %s (%s), want %s", step.status, c.Phase, c.Reason, step.phase)
		}
	}
}
