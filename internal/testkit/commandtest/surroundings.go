package commandtest

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/config"
	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
)

// APIKey is the key that the simulated Telnyx wants.
const APIKey = "KEY0123_s3cret"

// StartNATS starts a server that listens, as one beside the command would, and
// connects to it. The URL has the server's token. It is stopped when the test ends.
func StartNATS(t testing.TB) (url string, js jetstream.JetStream) {
	t.Helper()
	server, err := embedded.Start(embedded.Options{Dir: testkit.MemoryDir(t), Listen: true})
	must(t, err)
	t.Cleanup(func() { must(t, server.Close()) })
	return server.URL(), Connect(t, server.URL())
}

// Connect connects to a server until the test ends.
func Connect(t testing.TB, url string) jetstream.JetStream {
	t.Helper()
	nc, err := events.Connect(url, t.Name())
	must(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	must(t, err)
	return js
}

// StartTelnyx simulates Telnyx until the test ends.
func StartTelnyx(t testing.TB) (sim *telnyxsim.Simulator, baseURL string) {
	t.Helper()
	sim = telnyxsim.New(telnyxsim.Options{RequiredAPIKey: APIKey})
	t.Cleanup(sim.Close)
	api := httptest.NewServer(sim)
	t.Cleanup(api.Close)
	return sim, api.URL + "/v2"
}

// Stage gives Telnyx the example plan's numbers and its campaign, which waits for the
// carriers and posts its notifications to the address.
func Stage(t testing.TB, sim *telnyxsim.Simulator, webhookURL string) (*plan.Set, plan.Campaign) {
	t.Helper()
	set, err := plan.LoadBytes("plan.yaml", config.ExamplePlan)
	must(t, err)
	campaign := set.Campaigns[0]
	sim.AddCampaign(telnyxsim.Campaign{ID: campaign.ID(), CampaignStatus: telnyx.CampaignMNOPending, WebhookURL: webhookURL})
	for _, number := range campaign.Numbers {
		sim.AddNumbers(telnyxsim.Number{PhoneNumber: string(number), MessagingProfileID: "4001776e-0000-4000-8000-000000000001"})
	}
	return set, campaign
}

// Reaches returns when the ledger has every number of the campaign in the state, and
// fails the test if that does not come within [Patience].
func Reaches(t testing.TB, js jetstream.JetStream, c plan.Campaign, state ledger.State) {
	t.Helper()
	testkit.Within(t, Patience, func() error {
		book, err := ledger.Open(t.Context(), js)
		if err != nil {
			return err // the assigner has not made it yet
		}
		numbers, err := book.Numbers(t.Context(), c.ID())
		must(t, err)
		reached := 0
		for _, entry := range numbers {
			if entry.Number.State == state {
				reached++
			}
		}
		if reached != len(c.Numbers) {
			return fmt.Errorf("%d of %d numbers are %s: %+v", reached, len(c.Numbers), state, numbers)
		}
		return nil
	})
}
