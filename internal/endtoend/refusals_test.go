package endtoend_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// keyRefusal is one way in which Telnyx refuses the key.
type keyRefusal struct {
	method string // every call if it is empty
	status int
	code   string
}

func (r keyRefusal) String() string { return fmt.Sprintf("%s %d %s", r.method, r.status, r.code) }

var keyRefusals = []keyRefusal{
	{http.MethodGet, 401, "10009"},
	{"", 401, "10008"},
	{"", 403, "10010"},
}

// refusedWorld has a campaign for each refusal, not approved yet, and one that is
// completed.
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

// When Telnyx refuses the key, no number is at fault. All work pauses, one alert says so,
// and work continues when the key is accepted again.
func TestRefusedKey_PausesAllWorkWithOneAlert(t *testing.T) {
	t.Parallel()
	w := newRefusedWorld(t)
	for n, refused := range keyRefusals {
		w.refuse(n, refused)
		w.callsNothing(refused)
		w.triesAgainWithoutAnotherAlarm(n, refused)
		w.continues(n, refused)
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
	for n := range keyRefusals {
		staged = append(staged, refusedID(n)+": "+strings.Join(refusedNumbers(n), " "))
		w.campaign(refusedID(n), telnyx.CampaignMNOPending)
	}
	w.stage(staged...)
	w.campaign(besideID, telnyx.CampaignMNOProvisioned)
	w.start()
	w.numberReaches(besideID, besideNumber, ledger.Sendable)
	for n := range keyRefusals {
		w.phase(refusedID(n), ledger.PhaseInReview)
	}
	w.idle()
	return w
}

// rests waits until a campaign's record says why and until when work is paused.
func (w *refusedWorld) rests(what, id string, reason ledger.Reason) {
	w.t.Helper()
	w.eventually(what, func() (bool, string) {
		record := w.campaignRecord(id)
		return record.Reason == reason && record.NextAt.After(w.clock.now()), fmt.Sprintf("%+v", record)
	})
}

// refuse approves the campaign of a refusal, and makes Telnyx refuse.
func (w *refusedWorld) refuse(n int, refused keyRefusal) {
	w.t.Helper()
	w.sim.Inject(telnyxsim.Fault{Method: refused.method, Times: -1, Kind: refusal(refused.status, refused.code, "No", "")})
	w.must(w.sim.SetCampaignStatus(refusedID(n), telnyx.CampaignMNOProvisioned))
	w.recheck(refusedID(n))
	w.rests(refused.String()+": its campaign says why", refusedID(n), ledger.Unauthorized)
	if err := w.latest.Ready(w.t.Context()); err == nil || !strings.Contains(err.Error(), string(ledger.Unauthorized)) {
		w.t.Errorf("%s: ready says %v, want the reason", refused, err)
	}
}

// callsNothing fails if Telnyx gets any call, even for another campaign.
func (w *refusedWorld) callsNothing(refused keyRefusal) {
	w.t.Helper()
	calls := w.sim.Calls()
	w.recheck(besideID)
	w.rests(refused.String()+": another campaign rests too", besideID, ledger.Unauthorized)
	if byRoute, total := w.callsSince(calls); total != 0 {
		w.t.Errorf("%s: %d calls while all work is paused: %v", refused, total, byRoute)
	}
}

func (w *refusedWorld) triesAgainWithoutAnotherAlarm(n int, refused keyRefusal) {
	w.t.Helper()
	calls := w.sim.Calls()
	w.clock.advance(61 * time.Second)
	w.recheck(refusedID(n)) // the next try, which is refused as well
	w.eventually(refused.String()+": it is tried again", func() (bool, string) {
		_, total := w.callsSince(calls)
		return total > 0 && w.campaignRecord(refusedID(n)).NextAt.After(w.clock.now()), fmt.Sprint(total)
	})
	if alarms := w.logged(`"level":"error"`); alarms != n+1 {
		w.t.Errorf("%s: %d alarms so far, want %d", refused, alarms, n+1)
	}
	for _, number := range refusedNumbers(n) {
		if got := w.number(refusedID(n), number); got.State != ledger.Planned || triesOf(got) != 0 {
			w.t.Errorf("%s: got %+v, want the number unchanged", refused, got)
		}
	}
}

// continues makes Telnyx accept the key again, and fails unless all work continues.
func (w *refusedWorld) continues(n int, refused keyRefusal) {
	w.t.Helper()
	w.sim.ClearFaults()
	w.clock.advance(61 * time.Second)
	w.recheck(refusedID(n))
	for _, number := range refusedNumbers(n) {
		w.numberReaches(refusedID(n), number, ledger.Sendable)
	}
	if err := w.latest.Ready(w.t.Context()); err != nil {
		w.t.Errorf("%s: ready says %v after it works again", refused, err)
	}
	w.recheck(besideID)
	w.eventually(refused.String()+": the other continues", func() (bool, string) {
		record := w.campaignRecord(besideID)
		return record.Reason == "", fmt.Sprintf("%+v", record)
	})
	if healed := w.logged("Telnyx accepts the API key again"); healed != n+1 {
		w.t.Errorf("%s: logged %d times that work continues, want %d", refused, healed, n+1)
	}
}

// Codes for a refused account, one for each status that they may have.
// The tests of package telnyx have all codes.
var accountRefusals = map[string]int{"10038": 403, "20013": 400, "20014": 422, "20100": 402}

// When Telnyx refuses the account, writes pause and reads continue. One alert says so, one
// write a minute is tried, and work continues when one is accepted.
func TestRefusedAccount_PausesWritesWithOneAlert(t *testing.T) {
	t.Parallel()
	for code, status := range accountRefusals {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, telnyxsim.Options{})
			clock := w.movableClock()
			all := many(12)
			w.stage(campaignID + ": " + strings.Join(all, " "))
			w.campaign(campaignID, telnyx.CampaignMNOPending)
			w.sim.Inject(telnyxsim.Fault{Method: http.MethodPost, Times: -1, Kind: refusal(status, code, "No", "")})
			w.start()
			w.phase(campaignID, ledger.PhaseInReview)
			w.must(w.sim.Approve(campaignID))
			w.eventually("the campaign says why", func() (bool, string) {
				record := w.campaignRecord(campaignID)
				return record.Reason == ledger.AccountBlocked && record.NextAt.After(clock.now()), fmt.Sprintf("%+v", record)
			})
			if err := w.latest.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), string(ledger.AccountBlocked)) {
				t.Errorf("ready says %v, want the reason", err)
			}
			w.delivered()
			w.idle() // an event during a trial would end it
			refused := len(w.sim.Writes())
			if refused < 2 || refused > 8 {
				t.Errorf("%d requests, want only those that were in flight", refused)
			}
			calls := w.sim.Calls()
			w.reconcile(campaignID)
			if byRoute, _ := w.callsSince(calls); byRoute["GET /10dlc/campaign/{campaignId}"] != 1 || len(w.sim.Writes()) != refused {
				t.Errorf("got %v while writes are paused, want reads only", byRoute)
			}
			clock.advance(61 * time.Second)
			w.reconcile(campaignID)
			if got := len(w.sim.Writes()); got != refused+1 {
				t.Errorf("%d requests after a minute, want one", got-refused)
			}
			for _, number := range all {
				if n := w.number(campaignID, number); n.State != ledger.Planned || n.Reason != ledger.AccountBlocked && n.Reason != ledger.Queued {
					t.Errorf("got %+v, want it planned", n)
				}
			}
			if alarms := w.logged(`"level":"error"`); alarms != 1 {
				t.Errorf("%d alarms, want one", alarms)
			}
			w.sim.ClearFaults()
			clock.advance(6 * time.Minute) // those that were refused wait for five
			w.reconcile(campaignID)
			w.reaches(campaignID, ledger.Sendable)
			if err := w.latest.Ready(t.Context()); err != nil {
				t.Errorf("ready says %v after it works again", err)
			}
			if healed := w.logged("Telnyx accepts the account's requests again"); healed != 1 {
				t.Errorf("logged %d times that work continues, want once", healed)
			}
			if letters := w.deadLetters(); len(letters) != 0 {
				t.Errorf("%d dead letters, want none", len(letters))
			}
		})
	}
}

// A number that Telnyx refuses is retried less and less often, needs a person from the
// third refusal on, and is attached as soon as Telnyx accepts it, or retried when the
// plan's entry changes. There are no dead letters: its record says everything.
func TestRefusal_IsRetriedLessOftenAndNeedsAPersonFromTheThird(t *testing.T) {
	t.Parallel()
	const number = "+15551234567"
	for name, tt := range map[string]struct {
		status int
		code   string
		reason ledger.Reason
	}{
		"not active":                    {422, "10027", ledger.Rejected},
		"not found, though it was read": {404, "10005", ledger.Rejected},
		"a code of the request":         {400, "10015", ledger.Rejected},
		"an unknown refusal":            {418, "99999", ledger.UnknownError},
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
			for try := 1; try <= 5; try++ {
				w.posted(number, try)
				w.idle()
				state := ledger.Planned
				if try >= 3 {
					state = ledger.Failed
				}
				n := w.numberIs(campaignID, number, state, tt.reason)
				longer := n.NextAt.Sub(clock.now())
				if longer < wait*3/2 || longer < 10*time.Second || try == 1 && longer > 30*time.Second {
					t.Errorf("after try %d the next is in %s, want longer than the %s before", try, longer, wait)
				}
				if n.NeedsPerson != (try >= 3) || n.Tries.Refused != try || !strings.Contains(n.Detail, "A detail") {
					t.Errorf("after try %d: got %+v, want Telnyx's words, and a person from the third on", try, n)
				}
				wait = longer
				w.reconcile(campaignID)
				w.posted(number, try) // it is not time yet
				if try < 5 {
					clock.advance(longer)
					w.reconcile(campaignID)
				}
			}
			w.sim.ClearFaults()
			w.replan(planOf("changed", "campaign_id: "+campaignID, "max_numbers: 7", fmt.Sprintf("numbers: [%q]", number)))
			w.numberReaches(campaignID, number, ledger.Sendable)
			w.posted(number, 6)
			if n := w.number(campaignID, number); n.Tries != (ledger.Tries{}) || n.NeedsPerson {
				t.Errorf("got %+v, want a clean slate", n)
			}
			if letters := w.deadLetters(); len(letters) != 0 {
				t.Errorf("%d dead letters, want none", len(letters))
			}
		})
	}
}
