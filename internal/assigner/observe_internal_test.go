package assigner

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// An address at which nothing answers is found out by the calls under way, however many
// numbers there are.
func TestObserver_StopsReadingNumbersAtADeadAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var attempts atomic.Int64
		client := &telnyx.Client{APIKey: "KEY", HTTPClient: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			attempts.Add(1)
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		})}}
		numbers := make([]plan.E164, 100)
		for i := range numbers {
			numbers[i] = plan.E164(fmt.Sprintf("+1212555%04d", i))
		}
		seen := newObservation()
		err := NewObserver(client, 4).readEach(t.Context(), numbers, false, &seen)
		if !telnyx.IsUnreachable(err) || attempts.Load() > 3*4 {
			t.Errorf("got %v after %d attempts, want at most three for each call under way", err, attempts.Load())
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Two requests that share a list do not see the records that the other one reads.
func TestObserver_SharedListIsNotWrittenTo(t *testing.T) {
	const campaign, other = "4b30019a-e14d-522f-fc8e-00000000000a", "4b30019a-e14d-522f-fc8e-00000000000b"
	sim := telnyxsim.New(telnyxsim.Options{Dialect: telnyxsim.Dialect{ListLag: time.Hour}})
	api := httptest.NewServer(sim)
	t.Cleanup(func() { sim.Close(); api.Close() })
	sim.AddCampaign(telnyxsim.Campaign{ID: campaign, CampaignStatus: telnyx.CampaignMNOProvisioned})
	sim.AddCampaign(telnyxsim.Campaign{ID: other, CampaignStatus: telnyx.CampaignMNOProvisioned})
	client := &telnyx.Client{APIKey: "KEY", BaseURL: api.URL + "/v2"}
	numbers := make([]plan.E164, 40)
	for i := range numbers {
		numbers[i] = plan.E164(fmt.Sprintf("+1212555%04d", i))
		sim.AddNumbers(telnyxsim.Number{PhoneNumber: string(numbers[i]), MessagingProfileID: "4001776e-0000-4000-8000-000000000001"})
		if i < 37 { // appending leaves spare capacity
			if err := sim.AttachNumber(string(numbers[i]), other, telnyx.Assigned); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if _, err := client.Assign(t.Context(), string(numbers[i]), campaign); err != nil { // the lists lag behind
			t.Fatal(err)
		}
	}
	o, asked := NewObserver(client, 1), time.Now()
	ask := func(n plan.E164) Observation {
		seen := Observation{Unknown: map[plan.E164]string{}}
		q := question{
			want:     plan.Campaign{CampaignID: campaign, Numbers: []plan.E164{n}},
			campaign: telnyx.Campaign{CampaignID: campaign}, asked: asked, sharedBy: 1,
			requested: func(plan.E164) bool { return true },
		}
		if err := o.readRecords(t.Context(), q, &seen); err != nil {
			t.Fatal(err)
		}
		return seen
	}
	first := ask(numbers[38])
	ask(numbers[39])
	if !slices.ContainsFunc(first.Records, func(a telnyx.Assignment) bool { return a.PhoneNumber == string(numbers[38]) }) {
		t.Errorf("the first request lost the record of %s", numbers[38])
	}
}
