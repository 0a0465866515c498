package rehearsal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/rehearsal"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

const (
	own  = "751c6a5c-907b-43a9-8ada-ba1dc8335b07"
	old  = "0000000d-907b-43a9-8ada-ba1dc8335b07"
	pool = "6001776e-5b1a-4d0c-9f2e-2d9a7b9c1e10"
)

const plans = `version: 1
campaigns:
  - name: own
    campaign_id: ` + own + `
    messaging_profile_id: 4001776e-5b1a-4d0c-9f2e-2d9a7b9c1e10
    numbers: [+12125550101, +12125550102, +12125550103, +12125550104]
    move_from: [` + old + `, COLD123]
  - name: shared
    tcr_campaign_id: CSHARE1
    numbers: [+12125550111]
  - name: later
    reference_id: spring-2026
    brand_id: 97091164-e814-435c-9c1b-14ab2d18e987
    numbers: [+12125550121]
  - name: pool
    campaign_id: 951c6a5c-907b-43a9-8ada-ba1dc8335b07
    number_pool: ` + pool + `
`

// seeded is an account for plans.
func seeded(t *testing.T) (*telnyxsim.Simulator, *plan.Set, *rehearsal.Account) {
	t.Helper()
	set, err := plan.LoadBytes("plans.yaml", []byte(plans))
	if err != nil {
		t.Fatal(err)
	}
	sim := telnyxsim.New(telnyxsim.Options{})
	t.Cleanup(sim.Close)
	return sim, set, rehearsal.Seed(sim, set, rehearsal.Seeding{Bystanders: true})
}

// done is the history of a rehearsal in which all went well.
func done(t *testing.T) (*rehearsal.Account, rehearsal.History) {
	t.Helper()
	sim, _, account := seeded(t)
	h := rehearsal.History{
		Expected: account.Expected, Bystanders: account.Bystanders, Assignments: sim.Assignments(),
		Accepted: []string{"e1"}, Kept: map[string]uint64{"e1": 1},
	}
	at := map[string]string{}
	for _, now := range h.Assignments {
		at[now.PhoneNumber] = now.CampaignID
	}
	for _, number := range slices.Sorted(maps.Keys(account.Expected)) {
		want := account.Expected[number]
		h.Ledger = append(h.Ledger, ledger.Number{Number: number, CampaignID: want.Entry, State: want.State, Reason: want.Reason, NeedsPerson: !want.Attaches()})
		if !want.Attaches() {
			continue
		}
		h.Writes = append(h.Writes, telnyxsim.Write{
			Method: "POST", Path: "/10dlc/phone_number_campaigns", PhoneNumber: number, CampaignID: want.Campaign,
			PreviousCampaignID: at[number], CampaignStatus: telnyx.CampaignMNOProvisioned, Effective: true, AnswerStatus: 200,
		})
		h.Assignments = slices.DeleteFunc(h.Assignments, func(a telnyxsim.Assignment) bool { return a.PhoneNumber == number })
		h.Assignments = append(h.Assignments, telnyxsim.Assignment{PhoneNumber: number, CampaignID: want.Campaign, Status: telnyx.Assigned})
	}
	return account, h
}

// poolNumbers are the numbers that were made up for the pool.
func poolNumbers(t *testing.T, sim *telnyxsim.Simulator) (numbers []string) {
	t.Helper()
	r := httptest.NewRequest("GET", "/v2/messaging_profiles/"+pool+"/phone_numbers", http.NoBody)
	r.Header.Set("Authorization", "Bearer any")
	w := httptest.NewRecorder()
	sim.ServeHTTP(w, r)
	var list struct {
		Data []struct {
			PhoneNumber string `json:"phone_number"`
		} `json:"data"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	for _, row := range list.Data {
		numbers = append(numbers, row.PhoneNumber)
	}
	return numbers
}

func TestSeed_HasWhatThePlanNames(t *testing.T) {
	sim, set, account := seeded(t)
	if account.Numbers != 11 || account.Moves != 1 || account.Taken != 1 {
		t.Errorf("numbers, moves, taken = %d, %d, %d, want 11, 1, 1", account.Numbers, account.Moves, account.Taken)
	}
	for i, c := range set.Campaigns {
		got, found := sim.Campaign(account.Campaigns[i])
		if !found || got.CampaignStatus != telnyx.CampaignTCRPending || got.Shared != (c.TCRCampaignID != "") || got.ReferenceID != c.ReferenceID {
			t.Errorf("campaign %s = %+v, %t", c.Name, got, found)
		}
	}
	for _, number := range poolNumbers(t, sim) {
		if _, err := plan.ParseE164(number); err != nil {
			t.Errorf("a made-up number is none: %v", err)
		}
	}
	if got := len(poolNumbers(t, sim)); got != 5 {
		t.Errorf("%d numbers on the pool's profile, want 5", got)
	}
}

func TestCheck_FindsNothingWhereAllIsWell(t *testing.T) {
	account, h := done(t)
	if got := rehearsal.Check(h); len(got) > 0 {
		t.Errorf("got %v, want nothing", got)
	}
	if !account.IsSettled(h.Ledger) || account.IsSettled(h.Ledger[1:]) {
		t.Error("settled must mean every number, and no less")
	}
}

func TestCheck_FindsWhatMustNotBe(t *testing.T) {
	const first, second, taken = "+12125550101", "+12125550102", "+12125550104"
	write := func(h *rehearsal.History, number string) *telnyxsim.Write {
		return &h.Writes[slices.IndexFunc(h.Writes, func(w telnyxsim.Write) bool { return w.PhoneNumber == number })]
	}
	record := func(h *rehearsal.History, number string) *ledger.Number {
		return &h.Ledger[slices.IndexFunc(h.Ledger, func(n ledger.Number) bool { return n.Number == number })]
	}
	at := func(h *rehearsal.History, number string) *telnyxsim.Assignment {
		return &h.Assignments[slices.IndexFunc(h.Assignments, func(a telnyxsim.Assignment) bool { return a.PhoneNumber == number })]
	}
	for _, tt := range []struct {
		name  string
		spoil func(h *rehearsal.History)
		want  string
	}{
		{"taken from a campaign that the plan does not name", func(h *rehearsal.History) { write(h, second).PreviousCampaignID = "elsewhere" }, "never elsewhere"},
		{"taken off", func(h *rehearsal.History) { write(h, second).Method = "DELETE" }, "never elsewhere"},
		{"put on another campaign", func(h *rehearsal.History) { write(h, first).CampaignID = "elsewhere" }, "never elsewhere"},
		{"a number that no plan names", func(h *rehearsal.History) { write(h, first).PhoneNumber = "+13105550100" }, "never elsewhere"},
		{"a messaging profile that the plan does not name", func(h *rehearsal.History) {
			h.Writes = append(h.Writes, telnyxsim.Write{Method: "PATCH", PhoneNumber: "+12125550111", MessagingProfileID: pool, Effective: true})
		}, "never elsewhere"},
		{"a bystander that is gone", func(h *rehearsal.History) { h.Assignments = h.Assignments[1:] }, "final state at Telnyx"},
		{"the number in use elsewhere is moved", func(h *rehearsal.History) { at(h, taken).CampaignID = own }, "final state at Telnyx"},
		{"not there", func(h *rehearsal.History) { at(h, first).Status = telnyx.PendingAssignment }, "final state at Telnyx"},
		{"there, and called failed", func(h *rehearsal.History) { record(h, first).State = ledger.Failed }, "final state in the ledger"},
		{"elsewhere, and called sendable", func(h *rehearsal.History) { record(h, taken).State = ledger.Sendable }, "final state in the ledger"},
		{"put on twice", func(h *rehearsal.History) { h.Writes = append(h.Writes, *write(h, first)) }, "one effective write"},
		{"put on before approval", func(h *rehearsal.History) { write(h, first).CampaignStatus = telnyx.CampaignMNOAccepted }, "only when provisioned"},
		{"an event that was accepted and not kept", func(h *rehearsal.History) { h.Kept = nil }, "a 200 means stored"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, h := done(t)
			tt.spoil(&h)
			got := rehearsal.Check(h)
			if len(got) == 0 || slices.ContainsFunc(got, func(v rehearsal.Violation) bool { return v.Rule != tt.want }) {
				t.Errorf("got %v, want only %q", got, tt.want)
			}
		})
	}
}

func TestCheck_IgnoresARefusedWrite(t *testing.T) {
	_, h := done(t)
	again := h.Writes[0]
	again.Effective = false
	h.Writes = append(h.Writes, again)
	if got := rehearsal.Check(h); len(got) > 0 {
		t.Errorf("got %v, want nothing", got)
	}
}

// carrier is a RoundTripper that takes everything.
type carrier struct{ arrived int }

func (c *carrier) RoundTrip(*http.Request) (*http.Response, error) {
	c.arrived++
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(""))}, nil
}

func TestNetwork_FailsOnlyWhileFaulty(t *testing.T) {
	next := &carrier{}
	network := &rehearsal.Network{Next: next}
	send := func() error {
		response, err := network.RoundTrip(httptest.NewRequest("POST", "http://127.0.0.1/", http.NoBody))
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
	if err := send(); err != nil {
		t.Fatalf("a good network: %v", err)
	}
	network.SetFaulty(true)
	failed := 0
	for range 4 {
		if send() != nil {
			failed++
		}
	}
	if got, want := network.Counts(), (rehearsal.NetworkCounts{Lost: 1, Unanswered: 1, Late: 1}); got != want || failed != 2 || next.arrived != 4 {
		t.Errorf("tolls %+v, %d failed, %d arrived; want %+v, 2, 4", got, failed, next.arrived, want)
	}
	network.SetFaulty(false)
	if err := send(); err != nil {
		t.Errorf("a network that is good again: %v", err)
	}
}

func TestNetwork_LateEndsWithItsRequest(t *testing.T) {
	network := &rehearsal.Network{Next: &carrier{}}
	network.SetFaulty(true)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var got error
	for range 3 { // the third is late
		response, err := network.RoundTrip(httptest.NewRequest("POST", "http://127.0.0.1/", http.NoBody).WithContext(ctx))
		if err == nil {
			err = response.Body.Close()
		}
		got = err
	}
	if !errors.Is(got, context.Canceled) {
		t.Errorf("got %v, want that the sender gave up", got)
	}
}

func TestInject_InjectsAsManyAsGiven(t *testing.T) {
	sim, _, _ := seeded(t)
	api := httptest.NewServer(sim)
	t.Cleanup(api.Close)
	rehearsal.Inject(sim, rehearsal.Faults{Limited: 1, Failed: 2, Gateway: 1})
	got := map[int]int{}
	for range 40 {
		request, err := http.NewRequestWithContext(t.Context(), "GET", api.URL+"/v2/10dlc/campaign/"+own, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer any")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		got[response.StatusCode]++
		if err := response.Body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if want := fmt.Sprint(map[int]int{200: 36, 429: 1, 500: 2, 502: 1}); fmt.Sprint(got) != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestControl_MovesCampaignsByAnyName(t *testing.T) {
	sim, set, account := seeded(t)
	control := rehearsal.NewControl(sim, set, account)
	ask := func(method, path string) (int, string) {
		w := httptest.NewRecorder()
		control.ServeHTTP(w, httptest.NewRequest(method, path, http.NoBody))
		return w.Code, w.Body.String()
	}
	for _, name := range []string{"own", own, "shared", "CSHARE1", "later", "ref_spring-2026"} {
		if status, body := ask("POST", "/simulator/campaigns/"+name+"/approve"); status != 200 || !strings.Contains(body, "MNO_PROVISIONED") {
			t.Errorf("approve %s: %d %s", name, status, body)
		}
	}
	if _, body := ask("GET", "/simulator"); strings.Count(body, `"MNO_PROVISIONED"`) != 3 || strings.Count(body, `"TCR_PENDING"`) != 1 {
		t.Errorf("the list: %s", body)
	}
	for _, step := range rehearsal.Steps() {
		if status, body := ask("POST", "/simulator/campaigns/own/"+step+"?reason=x"); status != 200 {
			t.Errorf("%s: %d %s", step, status, body)
		}
	}
	for path, want := range map[string]int{
		"/simulator/campaigns/own/celebrate": 404, "/simulator/campaigns/nobody/approve": 404, "/v2/10dlc/brand": 401,
	} {
		if status, body := ask("POST", path); status != want {
			t.Errorf("POST %s: %d %s, want %d", path, status, body, want)
		}
	}
}
