package preflight_test

import (
	"flag"
	"fmt"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"greenlight/internal/plan"
	"greenlight/internal/preflight"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) {
	// Most tests wait between tries, so more of them run than there are processors.
	_ = flag.Set("test.parallel", strconv.Itoa(16*runtime.GOMAXPROCS(0)))
	goleak.VerifyTestMain(m)
}

// The ids of the tests' account.
const (
	springID  = "751c6a5c-907b-43a9-8ada-ba1dc8335b07"
	springTCR = "C6X6M95"
	otherID   = "2f9d2c11-6e0f-4c53-9a5c-7f6d0a3b1e55"
	otherTCR  = "C6X6M94"
	profileA  = "4001776e-5b1a-4d0c-9f2e-2d9a7b9c1e10"
	profileB  = "4001776e-5b1a-4d0c-9f2e-2d9a7b9c1e11"
	brandID   = "97091164-e814-435c-9c1b-14ab2d18e987"
	ourURL    = "https://greenlight.example.com/webhooks/telnyx"
	key       = "KEY0123456789_s3cret"
)

// account is a simulated account over HTTP.
type account struct {
	*telnyxsim.Simulator
	client *telnyx.Client
}

func newAccount(t *testing.T, options telnyxsim.Options) *account {
	t.Helper()
	options.RequiredAPIKey = key
	sim := telnyxsim.New(options)
	server := httptest.NewServer(sim)
	t.Cleanup(func() {
		server.Close()
		sim.Close()
	})
	return &account{sim, &telnyx.Client{APIKey: key, BaseURL: server.URL + "/v2", HTTPClient: server.Client()}}
}

// springAccount has a campaign in review, an approved one, and three numbers on a profile.
func springAccount(t *testing.T) *account {
	t.Helper()
	a := newAccount(t, telnyxsim.Options{})
	a.AddBrand(telnyxsim.Brand{ID: brandID})
	a.AddCampaign(springCampaign())
	a.AddCampaign(telnyxsim.Campaign{ID: otherID, TCRID: otherTCR, CampaignStatus: telnyx.CampaignMNOProvisioned, WebhookURL: ourURL})
	a.addNumbers(1, 3, profileA)
	return a
}

func springCampaign() telnyxsim.Campaign {
	return telnyxsim.Campaign{
		ID: springID, TCRID: springTCR, BrandID: brandID, ReferenceID: "spring-2026",
		CampaignStatus: telnyx.CampaignMNOPending, WebhookURL: ourURL,
	}
}

// number is the i-th number of the tests.
func number(i int) string { return fmt.Sprintf("+1555%07d", 2000000+i) }

func (a *account) addNumbers(from, to int, profile string) {
	for i := from; i <= to; i++ {
		a.AddNumbers(telnyxsim.Number{PhoneNumber: number(i), MessagingProfileID: profile})
	}
}

func (a *account) attach(t *testing.T, i int, campaign string, status telnyx.AssignmentStatus, reason ...string) {
	t.Helper()
	must(t, a.AttachNumber(number(i), campaign, status, reason...))
}

func (a *account) calls() (total int) {
	for _, n := range a.Calls() {
		total += n
	}
	return total
}

// springPlan plans the first three numbers on lines 6 to 8, followed by more lines of YAML.
func springPlan(more ...string) string {
	return planFor("campaign_id: "+springID, 1, 3, more...)
}

func planFor(selector string, from, to int, more ...string) string {
	var b strings.Builder
	b.WriteString("version: 1\ncampaigns:\n  - name: spring\n    " + selector + "\n    numbers:\n")
	for i := from; i <= to; i++ {
		fmt.Fprintf(&b, "      - %s\n", number(i))
	}
	for _, line := range more {
		b.WriteString(line + "\n")
	}
	return b.String()
}

func load(t *testing.T, text string) *plan.Set {
	t.Helper()
	set, err := plan.LoadBytes("plans/spring.yaml", []byte(text))
	must(t, err)
	return set
}

func (a *account) check(t *testing.T, text string) preflight.Report {
	t.Helper()
	reports, err := preflight.Check(t.Context(), a.client, 8, "", load(t, text))
	must(t, err)
	return reports[0]
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
