package endtoend_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// When Telnyx refuses the account or its key, no number is to blame. All work
// rests, one alarm says so, and it goes on by itself when the account works again.
func TestRefusedAccount_RestsAllWorkWithOneAlarm(t *testing.T) {
	const otherID, other = "99999999-907b-43a9-8ada-ba1dc8335b07", "+15551234560"
	refusals := []struct {
		method string
		status int
		code   string
		reason ledger.Reason
	}{
		{http.MethodPost, 401, "10009", ledger.Unauthorized},
		{http.MethodGet, 401, "10009", ledger.Unauthorized},
		{http.MethodPost, 403, "10010", ledger.Unauthorized},
		{http.MethodPost, 403, "10038", ledger.AccountBlocked},
		{http.MethodPost, 403, "10039", ledger.AccountBlocked},
		{http.MethodPost, 403, "20012", ledger.AccountBlocked},
		{http.MethodPost, 400, "20013", ledger.AccountBlocked},
		{http.MethodPost, 422, "20014", ledger.AccountBlocked},
		{http.MethodPost, 400, "20015", ledger.AccountBlocked},
		{http.MethodPost, 403, "20016", ledger.AccountBlocked},
		{http.MethodGet, 403, "20017", ledger.AccountBlocked},
		{http.MethodPost, 402, "20100", ledger.AccountBlocked},
	}
	t.Parallel()
	w := newWorld(t, telnyxsim.Options{})
	clock := w.movableClock()
	id := func(i int) string { return fmt.Sprintf("%08d-907b-43a9-8ada-ba1dc8335b07", i) }
	planned := func(i int) []string {
		return []string{fmt.Sprintf("+1212555%04d", 10*i), fmt.Sprintf("+1212555%04d", 10*i+1), fmt.Sprintf("+1212555%04d", 10*i+2)}
	}
	staged := []string{otherID + ": " + other}
	for i := range refusals {
		staged = append(staged, id(i)+": "+strings.Join(planned(i), " "))
		w.campaign(id(i), telnyx.CampaignMNOPending)
	}
	w.stage(staged...)
	w.campaign(otherID, telnyx.CampaignMNOProvisioned)
	w.start()
	w.numberReaches(otherID, other, ledger.Sendable)
	for i := range refusals {
		w.phase(id(i), ledger.Waiting)
	}
	w.idle()

	rests := func(key string, reason ledger.Reason) func() (bool, string) {
		return func() (bool, string) {
			record := w.looks(key)
			return record.Reason == reason && record.NextAt.After(clock.now()), fmt.Sprintf("%+v", record)
		}
	}
	for i, refused := range refusals {
		name := fmt.Sprintf("%s %d %s", refused.method, refused.status, refused.code)
		w.sim.Inject(telnyxsim.Fault{Method: refused.method, Times: -1, Kind: refusal(refused.status, refused.code, "No", "")})
		w.must(w.sim.SetCampaignStatus(id(i), telnyx.CampaignMNOProvisioned))
		w.recheck(id(i))
		w.eventually(name+": its campaign says why", rests(id(i), refused.reason))
		if err := w.latest.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), string(refused.reason)) {
			t.Errorf("%s: ready says %v, want the reason", name, err)
		}

		calls := w.sim.Calls()
		w.recheck(otherID)
		w.eventually(name+": another campaign rests too", rests(otherID, refused.reason))
		if byRoute, total := w.callsSince(calls); total != 0 {
			t.Errorf("%s: %d calls while all work rests: %v", name, total, byRoute)
		}
		clock.pass(61 * time.Second)
		w.recheck(id(i)) // the next try, which is refused as well
		w.eventually(name+": it is tried again", func() (bool, string) {
			_, total := w.callsSince(calls)
			return total > 0 && w.looks(id(i)).NextAt.After(clock.now()), fmt.Sprint(total)
		})
		if alarms := w.logged(`"level":"error"`); alarms != i+1 {
			t.Errorf("%s: %d alarms so far, want %d", name, alarms, i+1)
		}
		for _, number := range planned(i) {
			n := w.number(id(i), number)
			if n.State != ledger.Planned || n.Attempts != 0 {
				t.Errorf("%s: got %+v, want a number to which nothing was done", name, n)
			}
		}

		w.sim.ClearFaults()
		clock.pass(61 * time.Second)
		w.recheck(id(i))
		for _, number := range planned(i) {
			w.numberReaches(id(i), number, ledger.Sendable)
		}
		if err := w.latest.Ready(t.Context()); err != nil {
			t.Errorf("%s: ready says %v after it works again", name, err)
		}
		w.recheck(otherID)
		w.eventually(name+": the other goes on", func() (bool, string) {
			record := w.looks(otherID)
			return record.Reason == "", fmt.Sprintf("%+v", record)
		})
		if healed := w.logged("work goes on"); healed != i+1 {
			t.Errorf("%s: told %d times that work goes on, want %d", name, healed, i+1)
		}
	}
	if letters := w.deadLetters(); len(letters) != 0 {
		t.Errorf("%d dead letters, want none", len(letters))
	}
}

// letter is the body of the dead letter of a number.
type letter struct {
	Number     string               `json:"number"`
	CampaignID string               `json:"campaign_id"`
	Plan       string               `json:"plan"`
	PlanHash   string               `json:"plan_hash"`
	Reason     ledger.Reason        `json:"reason"`
	Attempts   int                  `json:"attempts"`
	Error      string               `json:"error"`
	Details    []telnyx.ErrorDetail `json:"details"`
}

// A number that Telnyx refuses for good is tried no more, until the plan's entry
// changes. The dead letter has all that a person needs.
func TestRefusalForGood_LeavesADeadLetterAndWaitsForThePlan(t *testing.T) {
	t.Parallel()
	const number = "+15551234567"
	for name, tt := range map[string]struct {
		status   int
		code     string
		reason   ledger.Reason
		attempts int
	}{
		"a code of the request": {400, "10015", ledger.Rejected, 1},
		"an unknown refusal":    {418, "99999", ledger.UnknownError, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, telnyxsim.Options{})
			clock := w.movableClock()
			w.stage(campaignID + ": " + number)
			w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
			w.sim.Inject(telnyxsim.Fault{Method: http.MethodPost, Times: -1, Kind: refusal(tt.status, tt.code, "A title", "A detail")})
			w.start()
			var wait time.Duration
			for try := 1; try < tt.attempts; try++ {
				w.posted(number, try)
				w.idle()
				n := w.numberIs(campaignID, number, ledger.Planned, tt.reason)
				longer := n.NextAt.Sub(clock.now())
				if longer < wait*3/2 || longer < 10*time.Second {
					t.Errorf("after try %d the next is in %s, want longer than the %s before", try, longer, wait)
				}
				wait = longer
				w.look(campaignID)
				w.posted(number, try) // it is not time yet
				clock.pass(longer)
				w.look(campaignID)
			}
			n := w.numberIs(campaignID, number, ledger.Failed, tt.reason)
			for range 2 {
				clock.pass(3 * time.Hour)
				w.look(campaignID)
			}
			w.posted(number, tt.attempts)

			letters := w.deadLetters()
			if len(letters) != 1 {
				t.Fatalf("%d dead letters, want 1", len(letters))
			}
			header := letters[0].Header
			got := []string{letters[0].Subject, header.Get(events.HeaderReason), header.Get(events.HeaderAttempts), header.Get(events.HeaderDetail)}
			want := []string{"deadletter.assigner." + string(tt.reason), string(tt.reason), fmt.Sprint(tt.attempts), n.Detail}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			var body letter
			w.must(json.Unmarshal(letters[0].Data, &body))
			if diff := cmp.Diff(letter{
				Number: number, CampaignID: campaignID, Plan: "plan-1", PlanHash: w.plans().Hash, Reason: tt.reason,
				Attempts: tt.attempts, Error: n.Detail,
				Details: []telnyx.ErrorDetail{{Code: tt.code, Title: "A title", Detail: "A detail"}},
			}, body); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}

			w.sim.ClearFaults()
			w.look(campaignID)
			w.posted(number, tt.attempts) // nothing has changed for this number
			w.replan(planOf("mended", "campaign_id: "+campaignID, "max_numbers: 7", fmt.Sprintf("numbers: [%q]", number)))
			w.numberReaches(campaignID, number, ledger.Sendable)
			w.posted(number, tt.attempts+1)
		})
	}
}
