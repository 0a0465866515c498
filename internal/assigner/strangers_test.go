package assigner

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"greenlight/internal/events"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
)

// Tens of thousands of events are about unplanned campaigns. Then a planned one is approved.
// Its numbers must not wait until all the others are read.
func TestStrangers_DoNotHoldUpAPlannedApproval(t *testing.T) {
	t.Parallel()
	const strangers, numbers = 200, 5
	stored := testkit.Fewer(30000)
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never, Latency: time.Millisecond}, numbers, func(c *Config) {
		c.Now = time.Now
		c.Telnyx.Limiter = telnyx.NewLimiter(telnyx.LimiterConfig{Ceiling: 5})
	})
	r.must(r.sim.SetCampaignStatus(testCampaign, telnyx.CampaignMNOPending))
	var approved atomic.Bool
	var reads, before atomic.Int64
	r.before = func(req *http.Request) {
		switch {
		case req.Method == "POST":
			before.CompareAndSwap(0, reads.Load()+1)
		case approved.Load() && strings.Contains(req.URL.Path, "/stranger-"):
			reads.Add(1)
		}
	}
	publish := func(id, campaign string) error {
		_, err := events.NewPublisher(r.config.JetStream).Publish(t.Context(), events.Event{
			ID: id, Type: "10dlc.campaign.update", About: campaign, ReceivedAt: time.Now(), Body: []byte("{}"),
		})
		return err
	}
	var publishing errgroup.Group
	publishing.SetLimit(64)
	for i := range stored {
		publishing.Go(func() error { return publish(fmt.Sprint("event ", i), fmt.Sprint("stranger-", i%strangers)) })
	}
	r.must(publishing.Wait())
	r.must(r.sim.SetCampaignStatus(testCampaign, telnyx.CampaignMNOProvisioned))
	r.must(publish("approval", testCampaign))
	approved.Store(true)

	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { r.check(r.a.Run(ctx)) })
	defer running.Wait()
	defer cancel()
	r.eventually("its numbers are requested", func() bool { return len(r.requests()) == numbers })
	if got := before.Load() - 1; got > strangers {
		t.Errorf("%d calls for strangers before the first request, want at most one each", got)
	}
	r.wantRequests("in the end", numbered(numbers)...)
}
