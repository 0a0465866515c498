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

// accountRefusal is one way in which Telnyx refuses the account or its key.
type accountRefusal struct {
	method string
	status int
	code   string
	reason ledger.Reason
}

func (r accountRefusal) String() string { return fmt.Sprintf("%s %d %s", r.method, r.status, r.code) }

var accountRefusals = []accountRefusal{
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

// refusedWorld has a campaign for each refusal, not approved yet, and one beside
// them of which all is done.
type refusedWorld struct {
	*world
	clock *clock
}

const besideID, besideNumber = "99999999-907b-43a9-8ada-ba1dc8335b07", "+15551234560"

// refusedID is the campaign of the nth refusal, and refusedNumbers are its numbers.
func refusedID(n int) string { return fmt.Sprintf("%08d-907b-43a9-8ada-ba1dc8335b07", n) }

func refusedNumbers(n int) []string {
	return []string{fmt.Sprintf("+1212555%04d", 10*n), fmt.Sprintf("+1212555%04d", 10*n+1), fmt.Sprintf("+1212555%04d", 10*n+2)}
}

// When Telnyx refuses the account or its key, no number is to blame. All work
// rests, one alarm says so, and it goes on by itself when the account works again.
func TestRefusedAccount_RestsAllWorkWithOneAlarm(t *testing.T) {
	t.Parallel()
	w := newRefusedWorld(t)
	for n, refused := range accountRefusals {
		w.refuse(n, refused)
		w.restsAltogether(refused)
		w.triesAgainWithoutAnotherAlarm(n, refused)
		w.goesOn(n, refused)
	}
	if letters := w.deadLetters(); len(letters) != 0 {
		t.Errorf("%d dead letters, want none", len(letters))
	}
}

func newRefusedWorld(t *testing.T) *refusedWorld {
	t.Helper()
	w := &refusedWorld{world: newWorld(t, telnyxsim.Options{})}
	w.clock = w.movableClock()
	staged := []string{besideID + ": " + besideNumber}
	for n := range accountRefusals {
		staged = append(staged, refusedID(n)+": "+strings.Join(refusedNumbers(n), " "))
		w.campaign(refusedID(n), telnyx.CampaignMNOPending)
	}
	w.stage(staged...)
	w.campaign(besideID, telnyx.CampaignMNOProvisioned)
	w.start()
	w.numberReaches(besideID, besideNumber, ledger.Sendable)
	for n := range accountRefusals {
		w.phase(refusedID(n), ledger.PhaseInReview)
	}
	w.idle()
	return w
}

// rests waits until a campaign's record says why nothing is done, and until when.
func (w *refusedWorld) rests(what, id string, reason ledger.Reason) {
	w.t.Helper()
	w.eventually(what, func() (bool, string) {
		record := w.looks(id)
		return record.Reason == reason && record.NextAt.After(w.clock.now()), fmt.Sprintf("%+v", record)
	})
}

// refuse approves the campaign of a refusal, and has Telnyx refuse.
func (w *refusedWorld) refuse(n int, refused accountRefusal) {
	w.t.Helper()
	w.sim.Inject(telnyxsim.Fault{Method: refused.method, Times: -1, Kind: refusal(refused.status, refused.code, "No", "")})
	w.must(w.sim.SetCampaignStatus(refusedID(n), telnyx.CampaignMNOProvisioned))
	w.recheck(refusedID(n))
	w.rests(refused.String()+": its campaign says why", refusedID(n), refused.reason)
	if err := w.latest.Ready(w.t.Context()); err == nil || !strings.Contains(err.Error(), string(refused.reason)) {
		w.t.Errorf("%s: ready says %v, want the reason", refused, err)
	}
}

// restsAltogether fails if Telnyx is asked anything, even for another campaign.
func (w *refusedWorld) restsAltogether(refused accountRefusal) {
	w.t.Helper()
	calls := w.sim.Calls()
	w.recheck(besideID)
	w.rests(refused.String()+": another campaign rests too", besideID, refused.reason)
	if byRoute, total := w.callsSince(calls); total != 0 {
		w.t.Errorf("%s: %d calls while all work rests: %v", refused, total, byRoute)
	}
}

func (w *refusedWorld) triesAgainWithoutAnotherAlarm(n int, refused accountRefusal) {
	w.t.Helper()
	calls := w.sim.Calls()
	w.clock.pass(61 * time.Second)
	w.recheck(refusedID(n)) // the next try, which is refused as well
	w.eventually(refused.String()+": it is tried again", func() (bool, string) {
		_, total := w.callsSince(calls)
		return total > 0 && w.looks(refusedID(n)).NextAt.After(w.clock.now()), fmt.Sprint(total)
	})
	if alarms := w.logged(`"level":"error"`); alarms != n+1 {
		w.t.Errorf("%s: %d alarms so far, want %d", refused, alarms, n+1)
	}
	for _, number := range refusedNumbers(n) {
		if got := w.number(refusedID(n), number); got.State != ledger.Planned || triesOf(got) != 0 {
			w.t.Errorf("%s: got %+v, want a number to which nothing was done", refused, got)
		}
	}
}

// goesOn has Telnyx take the account again, and fails unless all work goes on.
func (w *refusedWorld) goesOn(n int, refused accountRefusal) {
	w.t.Helper()
	w.sim.ClearFaults()
	w.clock.pass(61 * time.Second)
	w.recheck(refusedID(n))
	for _, number := range refusedNumbers(n) {
		w.numberReaches(refusedID(n), number, ledger.Sendable)
	}
	if err := w.latest.Ready(w.t.Context()); err != nil {
		w.t.Errorf("%s: ready says %v after it works again", refused, err)
	}
	w.recheck(besideID)
	w.eventually(refused.String()+": the other goes on", func() (bool, string) {
		record := w.looks(besideID)
		return record.Reason == "", fmt.Sprintf("%+v", record)
	})
	if healed := w.logged("work goes on"); healed != n+1 {
		w.t.Errorf("%s: told %d times that work goes on, want %d", refused, healed, n+1)
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
			w.triedEverLater(clock, number, tt.reason, tt.attempts)
			n := w.numberIs(campaignID, number, ledger.Failed, tt.reason)
			for range 2 {
				clock.pass(3 * time.Hour)
				w.look(campaignID)
			}
			w.posted(number, tt.attempts)

			w.oneLetter(letter{
				Number: number, CampaignID: campaignID, Plan: "plan-1", PlanHash: w.plans().Hash, Reason: tt.reason,
				Attempts: tt.attempts, Error: n.Detail,
				Details: []telnyx.ErrorDetail{{Code: tt.code, Title: "A title", Detail: "A detail"}},
			})

			w.sim.ClearFaults()
			w.look(campaignID)
			w.posted(number, tt.attempts) // nothing has changed for this number
			w.replan(planOf("mended", "campaign_id: "+campaignID, "max_numbers: 7", fmt.Sprintf("numbers: [%q]", number)))
			w.numberReaches(campaignID, number, ledger.Sendable)
			w.posted(number, tt.attempts+1)
		})
	}
}

// triedEverLater fails unless the number is tried so often, each time after a longer
// wait, and not before it is time.
func (w *world) triedEverLater(c *clock, number string, reason ledger.Reason, attempts int) {
	w.t.Helper()
	var wait time.Duration
	for try := 1; try < attempts; try++ {
		w.posted(number, try)
		w.idle()
		n := w.numberIs(campaignID, number, ledger.Planned, reason)
		longer := n.NextAt.Sub(c.now())
		if longer < wait*3/2 || longer < 10*time.Second {
			w.t.Errorf("after try %d the next is in %s, want longer than the %s before", try, longer, wait)
		}
		wait = longer
		w.look(campaignID)
		w.posted(number, try) // it is not time yet
		c.pass(longer)
		w.look(campaignID)
	}
}

// oneLetter fails unless there is one dead letter, with that body and headers to match.
func (w *world) oneLetter(want letter) {
	w.t.Helper()
	letters := w.deadLetters()
	if len(letters) != 1 {
		w.t.Fatalf("%d dead letters, want 1", len(letters))
	}
	header := letters[0].Header
	got := []string{letters[0].Subject, header.Get(events.HeaderReason), header.Get(events.HeaderAttempts), header.Get(events.HeaderDetail)}
	wanted := []string{"deadletter.assigner." + string(want.Reason), string(want.Reason), fmt.Sprint(want.Attempts), want.Error}
	if diff := cmp.Diff(wanted, got); diff != "" {
		w.t.Errorf("headers (-want +got):\n%s", diff)
	}
	var body letter
	w.must(json.Unmarshal(letters[0].Data, &body))
	if diff := cmp.Diff(want, body); diff != "" {
		w.t.Errorf("body (-want +got):\n%s", diff)
	}
}
