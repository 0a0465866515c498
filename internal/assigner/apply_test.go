package assigner

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// A person runs hold while numbers are being attached.
func TestHold_EndsWritesAndResumeContinuesThem(t *testing.T) {
	t.Parallel()
	const numbers, sent = 30, 10
	for name, tt := range map[string]struct {
		campaigns []string
		want      int // requests after the hold
	}{
		"everything":       {nil, sent},
		"this campaign":    {[]string{testCampaign}, sent},
		"another campaign": {[]string{otherCampaign}, numbers},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never, MaxNumbersPerCampaign: numbers}, numbers, oneAtATime)
			posts := 0
			r.before = func(req *http.Request) {
				if req.Method != "POST" {
					return
				}
				if posts++; posts == sent {
					r.check(r.a.ledger.Hold(r.Context(), tt.campaigns, ledger.HeldBy{By: "ops@desk", At: r.a.now()}))
				}
			}
			r.reconcile(testCampaign)
			if posts != tt.want {
				t.Fatalf("%d requests, want %d: the one on the wire may end", posts, tt.want)
			}
			r.advance(time.Minute)
			r.reconcile(testCampaign)
			if posts != tt.want {
				t.Errorf("%d requests during the hold", posts-tt.want)
			}
			records, err := r.a.ledger.Numbers(t.Context(), testCampaign)
			r.must(err)
			for _, number := range numbered(numbers)[tt.want:] {
				if n := records[number].Number; n.State != ledger.Planned || n.Reason != ledger.Queued || !n.ClaimedAt.IsZero() {
					t.Fatalf("%s is %+v, want it queued and without a claim", number, n)
				}
			}
			_, err = r.a.ledger.Resume(t.Context(), nil)
			r.must(err)
			r.reconcile(testCampaign)
			r.wantRequests("after the hold", numbered(numbers)...)
		})
	}
}

// Several requests are under way at once.
func TestHold_LetsOnlyClaimedRequestsEnd(t *testing.T) {
	t.Parallel()
	const numbers = 200
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never, MaxNumbersPerCampaign: numbers, Latency: time.Millisecond}, numbers)
	var posts, late atomic.Int64
	var held atomic.Bool
	r.before = func(req *http.Request) {
		if req.Method != "POST" {
			return
		}
		if held.Load() {
			late.Add(1)
		}
		if posts.Add(1) == 20 {
			r.check(r.a.ledger.Hold(r.Context(), nil, ledger.HeldBy{By: "ops@desk", At: r.a.now()}))
			held.Store(true)
		}
	}
	r.reconcile(testCampaign)
	if most := int64(r.a.perCampaign() - 1); late.Load() > most {
		t.Errorf("%d requests began after the hold was stored, want at most the %d that had been claimed", late.Load(), most)
	}
}

// A campaign is put on hold under the reference by which its plan selects it, before it is
// filed. Then the plan names it by its id.
func TestHold_OfAReferenceEndsByTheCampaignsID(t *testing.T) {
	t.Parallel()
	const brand, reference = "97091164-e814-435c-9c1b-14ab2d18e987", "spring-2026"
	number := numbered(1)[0]
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, 1)
	r.plan("- name: spring\n  reference_id: " + reference + "\n  brand_id: " + brand + "\n  numbers: [\"" + number + "\"]\n")
	key := r.plans.Load().Campaigns[0].ID()
	r.reconcile(key)
	r.must(r.a.ledger.Hold(t.Context(), []string{key}, ledger.HeldBy{By: "ops@desk", At: r.a.now()}))
	r.sim.AddCampaign(telnyxsim.Campaign{ID: testCampaign, ReferenceID: reference, CampaignStatus: telnyx.CampaignMNOProvisioned})
	r.plan(listed("spring", testCampaign, number))
	r.reconcile(testCampaign)
	r.wantRequests("on hold")
	hold, err := r.a.ledger.ReadHold(t.Context())
	r.must(err)
	if _, held := hold.Of(r.campaign(testCampaign).IDs()...); !held {
		t.Errorf("the hold %+v is not shown for campaign %v", hold, r.campaign(testCampaign).IDs())
	}
	resumed, err := r.a.ledger.Resume(t.Context(), []string{testCampaign})
	r.must(err)
	if len(resumed.Campaigns) != 1 {
		t.Errorf("resumed %+v, want one campaign", resumed)
	}
	r.reconcile(testCampaign)
	r.wantRequests("after the hold", number)
}

// While a write waits for the limiter, its number moves to a third campaign, which is not in
// move_from.
func TestMove_IsNotSentWhenTheNumberMovedWhileTheLimiterWaited(t *testing.T) {
	t.Parallel()
	const third = "951c6a5c-907b-43a9-8ada-ba1dc8335b07"
	number := numbered(1)[0]
	for name, pause := range map[string]time.Duration{"soon": 0, "after the campaign had to be read again": 10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limiter := telnyx.NewLimiter(telnyx.LimiterConfig{Ceiling: 1000, Concurrency: 1})
			r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, 1, func(c *Config) { c.Telnyx.Limiter = limiter })
			r.sim.AddCampaign(telnyxsim.Campaign{ID: third, CampaignStatus: telnyx.CampaignMNOProvisioned})
			onOther(r)
			r.plan(listed("x", testCampaign, number) + "  move_from: [" + otherCampaign + "]\n")
			var others sync.WaitGroup
			// whileItWaits takes the only slot, and releases it after calling meanwhile.
			whileItWaits := func(meanwhile func()) {
				taken := make(chan func())
				others.Go(func() {
					_, release, err := limiter.Reserve(r.Context(), 1)
					r.check(err)
					taken <- release
				})
				others.Go(func() {
					release := <-taken
					r.eventually("the write waits", func() bool { return limiter.Waits().Now > 0 })
					meanwhile()
					release()
				})
			}
			goes := func() { r.check(r.sim.AttachNumber(number, third, telnyx.Assigned)) }
			reads := 0
			r.after = func(req *http.Request) {
				if strings.HasPrefix(req.URL.Path, campaignPath) {
					if reads++; reads == 2 {
						goes()
					}
				}
			}
			r.logged = func(line string) {
				if !strings.Contains(line, "campaign is approved") {
					return
				}
				whileItWaits(func() {
					if r.advance(pause); pause == 0 {
						goes()
					}
				})
				r.eventually("the slot is taken", func() bool { return limiter.Waits().Calls > 0 && limiter.Waits().Now == 0 })
			}
			r.reconcile(testCampaign)
			others.Wait()
			if writes := r.sim.Writes(); len(writes) != 0 {
				t.Fatalf("got %+v, want nothing sent", writes)
			}
			if n := r.number(number); n.State != ledger.Planned || n.Reason != ledger.Unverified || !n.ClaimedAt.IsZero() {
				t.Errorf("got %+v, want it unverified and without a claim", n)
			}
			r.after, r.logged = nil, nil
			r.advance(soon)
			r.reconcile(testCampaign)
			if n := r.number(number); n.State != ledger.Conflict || n.OtherCampaignID != third {
				t.Errorf("got %+v, want a conflict with the third campaign", n)
			}
		})
	}
}

// aboutNumber matches requests whose body names the number.
func aboutNumber(number string) func(*http.Request) bool {
	return func(req *http.Request) bool {
		body, err := io.ReadAll(req.Body)
		return err == nil && bytes.Contains(body, []byte(strings.TrimPrefix(number, "+")))
	}
}

// A 403 on one number proves nothing about the others.
func TestForbidden_ConcernsItsNumberAlone(t *testing.T) {
	t.Parallel()
	numbers := numbered(6)
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, len(numbers))
	r.plan(listed("x", testCampaign, numbers[:4]...), listed("other", otherCampaign, numbers[4:]...))
	r.sim.Inject(telnyxsim.Fault{Method: "POST", Times: -1, Match: aboutNumber(numbers[0]),
		Kind: telnyxsim.StatusFault(403, `{"errors":[{"code":"10010","title":"Authorization failed"}]}`)})
	for try := 1; try <= 4; try++ {
		r.reconcile(testCampaign)
		if try == 1 {
			r.reconcile(otherCampaign)
			r.wantRequests("at first", numbers...)
		}
		if err := r.a.breaker.err(); err != nil {
			t.Errorf("the breaker opened: %v", err)
		}
		n := r.number(numbers[0])
		state, needsPerson := ledger.Planned, false
		if try >= personAfterRefusals {
			state, needsPerson = ledger.Failed, true
		}
		if n.State != state || n.Reason != ledger.Rejected || n.NeedsPerson != needsPerson || n.Tries.Refused != try {
			t.Errorf("try %d: got %+v, want it %s, rejected, for a person: %t", try, n, state, needsPerson)
		}
		r.advanceTo(n.NextAt)
	}
	r.sim.ClearFaults()
	r.reconcile(testCampaign)
	if n := r.number(numbers[0]); n.State != ledger.Pending || n.NeedsPerson || n.Tries.Refused != 4 {
		t.Errorf("got %+v once Telnyx takes it, want it pending", n)
	}
}

// Telnyx refuses the key with 403 right after a call proved that it was accepted.
func TestMissing_IsNotBelievedWhileTheKeyIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, 2)
	forbidden := telnyxsim.StatusFault(403, `{"errors":[{"code":"10010","title":"Authorization failed"}]}`)
	r.sim.Inject(telnyxsim.Fault{Method: "POST", Match: aboutNumber(numbered(1)[0]), Kind: forbidden})
	r.reconcile(testCampaign)
	r.sim.Inject(telnyxsim.Fault{Times: -1, Kind: forbidden})
	for range 3 {
		_ = r.tryReconcile(t.Context(), testCampaign)
		r.advance(soon)
	}
	if c := r.campaign(testCampaign); c.Phase != ledger.PhaseApproved || c.Reason != ledger.Unauthorized || r.a.breaker.err() == nil {
		t.Errorf("got %s (%s), breaker %v; want an approved campaign and a refused key", c.Phase, c.Reason, r.a.breaker.err())
	}
	r.sim.ClearFaults()
	r.sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: "/10dlc/campaign/", Times: -1, Kind: forbidden})
	r.advance(time.Hour)
	for range 3 {
		_ = r.tryReconcile(t.Context(), testCampaign)
		r.advance(time.Minute)
	}
	if c := r.campaign(testCampaign); c.Phase != ledger.PhaseMissing || r.a.breaker.err() != nil {
		t.Errorf("got %s (%s), breaker %v; want a campaign that is not for this account", c.Phase, c.Reason, r.a.breaker.err())
	}
}

// Two numbers are refused because of the account. From then on one request a minute is sent,
// of each campaign in turn.
func TestAccount_RefusedOnTwoNumbersLetsOneTrialThroughAMinute(t *testing.T) {
	t.Parallel()
	numbers := numbered(8)
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, len(numbers), oneAtATime)
	r.plan(listed("x", testCampaign, numbers[:4]...), listed("other", otherCampaign, numbers[4:]...))
	var alarms, closed atomic.Int64
	r.logged = func(line string) {
		if strings.Contains(line, `"level":"error"`) {
			alarms.Add(1)
		}
		if strings.Contains(line, "accepts the account's requests again") {
			closed.Add(1)
		}
	}
	r.sim.Inject(telnyxsim.Fault{Method: "POST", Times: -1, Kind: telnyxsim.StatusFault(403, `{"errors":[{"code":"20100","title":"Insufficient Funds"}]}`)})
	sent := func() (both [2]int) {
		for _, write := range r.sim.Writes() {
			if write.CampaignID == otherCampaign {
				both[1]++
			} else {
				both[0]++
			}
		}
		return both
	}
	r.reconcile(testCampaign)
	r.reconcile(otherCampaign)
	if got := sent(); got != [2]int{2, 0} {
		t.Fatalf("%d requests, want that two numbers open the breaker", got)
	}
	for i, number := range numbers[:4] {
		reason := ledger.AccountBlocked
		if i >= 2 {
			reason = ledger.Queued
		}
		if n := r.number(number); n.State != ledger.Planned || n.Reason != reason {
			t.Errorf("%s is %+v, want it planned, %s", number, n, reason)
		}
	}
	for _, id := range []string{testCampaign, otherCampaign} {
		if c := r.campaign(id); c.Reason != ledger.AccountBlocked || c.Phase != ledger.PhaseApproved {
			t.Errorf("got %+v, want it to say that the account is refused", c)
		}
	}
	for minute, want := range [][2]int{{3, 0}, {3, 1}, {4, 1}, {4, 2}} {
		r.advance(trialEvery)
		for range 3 {
			r.reconcile(otherCampaign)
			r.reconcile(testCampaign)
		}
		if got := sent(); got != want {
			t.Errorf("minute %d: %d requests, want %d", minute+1, got, want)
		}
	}
	r.sim.ClearFaults()
	for range 10 { // refused numbers wait longer
		r.advance(accountMax)
		r.reconcile(testCampaign)
		r.reconcile(otherCampaign)
	}
	for _, number := range numbers[:4] {
		if n := r.number(number); n.State != ledger.Pending {
			t.Errorf("%s is %+v after that, want it pending", number, n)
		}
	}
	if n := r.numberOn(otherCampaign, numbers[7]); n.State != ledger.Pending || alarms.Load() != 1 || closed.Load() != 1 || r.a.breaker.err() != nil {
		t.Errorf("the last number is %s; %d alarms, closed %d times, %v; want one each", n.State, alarms.Load(), closed.Load(), r.a.breaker.err())
	}
}

// Several workers want to write while one of them sends the trial request.
func TestAccount_ATrialThatIsAcceptedLetsTheOthersFollow(t *testing.T) {
	t.Parallel()
	numbers := numbered(30)
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never, Latency: time.Millisecond}, len(numbers))
	r.sim.Inject(telnyxsim.Fault{Method: "POST", Times: -1, Kind: telnyxsim.StatusFault(403, `{"errors":[{"code":"20100","title":"Insufficient Funds"}]}`)})
	r.reconcile(testCampaign)
	refused := len(r.requests())
	r.advance(trialEvery)
	r.reconcile(testCampaign)
	if got := len(r.sim.Writes()); got != refused+1 {
		t.Fatalf("%d requests after a minute, want one", got-refused)
	}
	r.sim.ClearFaults()
	r.advance(time.Hour)
	r.reconcile(testCampaign)
	for _, number := range numbers {
		if n := r.number(number); n.State != ledger.Pending {
			t.Fatalf("%s is %+v, want it pending", number, n)
		}
	}
	if c := r.campaign(testCampaign); c.Reason != "" {
		t.Errorf("got %+v, want no error", c)
	}
}

// A suspended campaign is approved again, and then Telnyx does not answer. Its numbers must
// not be shown as waiting for the suspension.
func TestUnread_SaysWhatWasReadOfTheCampaign(t *testing.T) {
	t.Parallel()
	number := numbered(1)[0]
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, 1)
	r.must(r.sim.Reject(testCampaign, "no opt-in"))
	r.reconcile(testCampaign)
	r.must(r.sim.SetCampaignStatus(testCampaign, telnyx.CampaignMNOProvisioned))
	r.sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: "/10dlc/phone_number_campaigns", Times: -1, Kind: telnyxsim.StatusFault(418, "{}")})
	r.reconcile(testCampaign)
	if c, n := r.campaign(testCampaign), r.number(number); c.Phase != ledger.PhaseApproved || n.Reason.OfCampaign() || n.NeedsPerson {
		t.Errorf("got campaign %s (%s), number %s (%s), for a person: %t; want an approved campaign and a number that waits for Telnyx",
			c.Phase, c.Reason, n.State, n.Reason, n.NeedsPerson)
	}
}

// Numbers that seem to have left a pool keep their records until a later read confirms it.
func TestPool_BelievesALossTheSecondTime(t *testing.T) {
	t.Parallel()
	numbers := numbered(3)
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, len(numbers))
	r.plan(pooled())
	r.reconcile(testCampaign)
	r.wantRequests("at first", numbers...)
	records := func() int {
		entries, err := r.a.ledger.Numbers(context.Background(), testCampaign)
		r.must(err)
		return len(entries)
	}
	r.sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: "/messaging_profiles", Times: 1, Kind: telnyxsim.StatusFault(200, `{"data":[],"meta":{"page_number":1,"total_pages":0,"total_results":0}}`)})
	r.reconcile(testCampaign)
	if got := records(); got != 3 {
		t.Errorf("%d records after one empty answer, want 3", got)
	}
	r.sim.AddNumbers(telnyxsim.Number{PhoneNumber: numbers[2], MessagingProfileID: "4001776e-0000-4000-8000-000000000002"})
	for i, want := range []int{3, 3, 2} {
		r.reconcile(testCampaign)
		if got := records(); got != want {
			t.Errorf("reading %d of a pool that lost a number: %d records, want %d", i+1, got, want)
		}
		if i == 1 {
			r.advance(poolConfirm)
		}
	}
	r.wantRequests("after that", numbers...)
}
