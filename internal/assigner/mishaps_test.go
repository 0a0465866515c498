package assigner

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/notice"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// oneAtATime makes the order of requests predictable.
func oneAtATime(c *Config) { c.Concurrency = 1 }

// A process may pause between the claim and the request. After Settle, others treat the
// claim as abandoned.
func TestApply_SendsNothingOnAnOldClaim(t *testing.T) {
	t.Parallel()
	const settle = 300 * time.Millisecond
	number := numbered(1)[0]
	for name, tt := range map[string]struct {
		stage func(*rig)
		entry string
	}{
		"of a number":                   {func(*rig) {}, listed("x", testCampaign, number)},
		"of a number without a profile": {offProfile, withProfile(listed("x", testCampaign, number))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, 1, func(c *Config) { c.Settle = settle })
			tt.stage(r)
			r.plan(tt.entry)
			r.logged = func(line string) {
				if strings.Contains(line, "number is attaching") {
					time.Sleep(settle) // the pause
				}
			}
			r.reconcile(testCampaign)
			if writes := r.sim.Writes(); len(writes) != 0 {
				t.Errorf("it sent %+v", writes)
			}
			if n := r.number(number); n.State != ledger.Planned || n.Tries != (ledger.Tries{}) || !n.ClaimedAt.IsZero() {
				t.Errorf("got %+v, want it planned and without a claim", n)
			}
		})
	}
}

// withProfile adds a messaging profile to an entry.
func withProfile(entry string) string { return entry + "  messaging_profile_id: " + testProfile + "\n" }

// A PATCH or PUT is preceded by a read. The plan may change during that read.
func TestApply_SendsNothingForANumberThatLeftThePlan(t *testing.T) {
	t.Parallel()
	number, stays := numbered(2)[0], numbered(2)[1]
	moving := func(entry string) string { return entry + "  move_from: [" + otherCampaign + "]\n" }
	for name, tt := range map[string]struct {
		stage func(r *rig)
		entry func(string) string
		path  string // the read before the request
		reads int    // the last one directly before the request
		leave bool
		want  int // requests
	}{
		"it is moved, and stays":             {onOther, moving, recordsPath + "/" + number, 1, false, 1},
		"it is moved, and leaves":            {onOther, moving, recordsPath + "/" + number, 1, true, 0},
		"it is put on a profile, and stays":  {offProfile, withProfile, settingsPath, 2, false, 2},
		"it is put on a profile, and leaves": {offProfile, withProfile, settingsPath, 2, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, 2, oneAtATime)
			r.plan(tt.entry(listed("x", testCampaign, number, stays)))
			r.must(r.sim.AttachNumber(stays, testCampaign, telnyx.Assigned))
			tt.stage(r)
			without := r.parsed(tt.entry(listed("x", testCampaign, stays)))
			reads := 0
			r.after = func(req *http.Request) {
				if req.Method != "GET" || req.URL.Path != tt.path {
					return
				}
				if reads++; reads == tt.reads && tt.leave {
					r.plans.Store(without)
				}
			}
			r.reconcile(testCampaign)
			if reads != tt.reads {
				t.Fatalf("%s was read %d times, want %d, the last time just before the request", tt.path, reads, tt.reads)
			}
			if writes := r.sim.Writes(); len(writes) != tt.want {
				t.Errorf("got %+v, want %d requests", writes, tt.want)
			}
		})
	}
}

// onOther attaches the first number to the other campaign. offProfile removes its messaging
// profile.
func onOther(r *rig) { r.must(r.sim.AttachNumber(numbered(1)[0], otherCampaign, telnyx.Assigned)) }

func offProfile(r *rig) { r.sim.AddNumbers(telnyxsim.Number{PhoneNumber: numbered(1)[0]}) }

// A laptop sleeps or a machine is migrated: ten minutes pass between two requests.
func TestApply_ReadsTheCampaignAgainAfterAPause(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		meanwhile func(r *rig) error
		want      int // requests in all
	}{
		"nothing happened":          {func(*rig) error { return nil }, 40},
		"the campaign is suspended": {func(r *rig) error { return r.sim.SuspendTMobile(testCampaign) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, 40, oneAtATime)
			var calls []string
			r.after = func(req *http.Request) {
				switch {
				case req.Method == "POST":
					calls = append(calls, "attach")
				case strings.HasPrefix(req.URL.Path, campaignPath):
					calls = append(calls, "read")
				}
				if len(calls) == 2 {
					r.advance(10 * time.Minute)
					r.check(tt.meanwhile(r))
				}
			}
			r.reconcile(testCampaign)
			if len(calls) < 3 || calls[1] != "attach" || calls[2] != "read" {
				t.Fatalf("got %v, want the campaign read again after the pause", calls)
			}
			if got := len(r.requests()); got != tt.want {
				t.Errorf("%d requests, want %d", got, tt.want)
			}
		})
	}
}

// Any number of events about a campaign does not keep its numbers from being attached. But
// the campaign is read again after an event before the next number is attached.
func TestApply_ReadsTheCampaignAgainAfterAnEvent(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		meanwhile func(r *rig) error
		want      int // requests in all
	}{
		"nothing happened":          {func(*rig) error { return nil }, 40},
		"the campaign is suspended": {func(r *rig) error { return r.sim.SuspendTMobile(testCampaign) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, 40, oneAtATime)
			r.after = func(req *http.Request) {
				if req.Method == "POST" {
					r.check(tt.meanwhile(r))
					r.a.queue.add(request{key: testCampaign, changed: true, made: time.Now()})
				}
			}
			r.reconcile(testCampaign)
			if got := len(r.requests()); got != tt.want {
				t.Errorf("%d requests, want %d", got, tt.want)
			}
		})
	}
}

// A person's request ends the reconcile that is under way.
func TestApply_EndsEarlyForAPersonsRequest(t *testing.T) {
	t.Parallel()
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, 40, oneAtATime)
	r.before = func(req *http.Request) {
		if req.Method == "POST" {
			r.a.queue.add(request{key: testCampaign, urgent: true})
		}
	}
	r.reconcile(testCampaign)
	r.wantRequests("before the request", numbered(1)...)
	if _, ok := r.a.queue.take(prompt); !ok {
		t.Fatal("the request is gone")
	}
	r.a.queue.finish(testCampaign)
	r.before = nil
	r.reconcile(testCampaign)
	r.wantRequests("after the request", numbered(40)...)
}

// A suspension ends, and the reconcile that reads this is interrupted before its first
// request. The next one attaches the numbers. The suspension remains the only notice.
func TestApply_InterruptedAfterASuspensionReportsNothingTwice(t *testing.T) {
	t.Parallel()
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, 3, oneAtATime)
	r.must(r.sim.Reject(testCampaign, "no opt-in"))
	r.reconcile(testCampaign)
	if got := r.number(numbered(1)[0]); got.State != ledger.Planned || got.Reason != ledger.CampaignRejected || !got.NeedsPerson {
		t.Fatalf("a number of a rejected campaign is %+v", got)
	}
	r.must(r.sim.SetCampaignStatus(testCampaign, telnyx.CampaignMNOProvisioned))
	var opened ledger.Campaign
	r.before = func(req *http.Request) {
		if strings.HasPrefix(req.URL.Path, settingsPath) && opened.ID == "" {
			opened = r.campaign(testCampaign)
			r.a.queue.add(request{key: testCampaign, urgent: true})
		}
	}
	r.reconcile(testCampaign)
	r.wantRequests("interrupted")
	if got := r.campaign(testCampaign).Phase; got != ledger.PhaseApproved {
		t.Errorf("the campaign is %q, want approved", got)
	}
	r.before = nil
	_, _ = r.a.queue.take(prompt)
	r.a.queue.finish(testCampaign)
	r.reconcile(testCampaign)
	r.wantRequests("after that", numbered(3)...)
	stream, err := r.config.JetStream.Stream(t.Context(), notice.Stream)
	r.must(err)
	if notices := stream.CachedInfo().State.Msgs; notices != 1 {
		t.Errorf("%d notices, want that of the rejection alone", notices)
	}
}

// Hundreds of numbers are due when Telnyx asks for a pause. A number is claimed only when its
// request can be sent, so few are claimed in vain.
func TestApply_ClaimsNothingWhileTelnyxAsksForAPause(t *testing.T) {
	t.Parallel()
	const numbers = 300
	r := newRig(t, telnyxsim.Options{}, numbers, func(c *Config) {
		c.Telnyx.Limiter = telnyx.NewLimiter(telnyx.LimiterConfig{Ceiling: 1000})
	})
	r.sim.Inject(telnyxsim.Fault{Method: "POST", Times: -1, Kind: telnyxsim.RateLimited(time.Minute)})
	// The pause is longer than this deadline, so every wait ends at once.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r.must(r.tryReconcile(ctx, testCampaign))
	first, sent := r.recordsWritten(), len(r.sim.Writes())
	if sent == 0 || sent > DefaultConcurrency {
		t.Fatalf("%d requests were sent, want at least one and no more than were under way at once", sent)
	}
	if most := numbers + 3*DefaultConcurrency; first > most {
		t.Errorf("%d records written for %d numbers and %d requests, want at most %d", first, numbers, sent, most)
	}
	for range 3 {
		r.advance(30 * time.Second)
		r.must(r.tryReconcile(ctx, testCampaign))
	}
	if got := r.recordsWritten(); got != first {
		t.Errorf("%d more records written in the pause, want none", got-first)
	}
}

// More requests are due than the rate allows before their deadline.
func TestApply_ClaimsNoMoreThanTheRateAllows(t *testing.T) {
	t.Parallel()
	const numbers = 20
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, numbers, func(c *Config) {
		c.Telnyx.Limiter = telnyx.NewLimiter(telnyx.LimiterConfig{Ceiling: 10, Concurrency: numbers})
		c.Concurrency, c.Settle = 2*numbers, 1500*time.Millisecond
	})
	r.reconcile(testCampaign)
	r.wantRequests("at ten a second", numbered(numbers)...)
	if got := r.recordsWritten(); got != 2*numbers {
		t.Errorf("%d records written, want a claim and an outcome for each of %d numbers", got, numbers)
	}
}

// A number waits for approval for days. Then it is found to be leaving another campaign. The
// wait for that starts only then.
func TestNumber_ThatIsLeavingIsWaitedForFromWhenItIsSeen(t *testing.T) {
	t.Parallel()
	number := numbered(1)[0]
	r := newRig(t, telnyxsim.Options{UnassignDelay: telnyxsim.Never}, 1)
	r.must(r.sim.SetCampaignStatus(testCampaign, telnyx.CampaignMNOPending))
	r.must(r.sim.AttachNumber(number, otherCampaign, telnyx.PendingUnassignment))
	r.reconcile(testCampaign)
	r.advance(5 * 24 * time.Hour)
	r.must(r.sim.SetCampaignStatus(testCampaign, telnyx.CampaignMNOProvisioned))
	r.reconcile(testCampaign)
	n := r.number(number)
	if n.State != ledger.Planned || n.Reason != ledger.BeingProcessed || n.NextAt.Sub(r.a.now()) != recheckMin {
		t.Errorf("got %+v, want another look in %s", n, recheckMin)
	}
	r.advance(DefaultPendingDeadline)
	r.reconcile(testCampaign)
	if n := r.number(number); n.Reason != ledger.BeingProcessed {
		t.Errorf("got %+v before the deadline, want it waited for", n)
	}
	for range 2 {
		r.advance(time.Minute)
		r.reconcile(testCampaign)
		if n := r.number(number); n.State != ledger.Planned || n.Reason != ledger.Stuck {
			t.Errorf("got %+v after the deadline, want it stuck", n)
		}
	}
	r.wantRequests("while it is leaving")
}

// Every request is refused with the same text, until after a person is needed.
func TestComplaint_ThatRecursBecomesStuckAndIsTriedOn(t *testing.T) {
	t.Parallel()
	const said = "Longcode cannot be added to campaign. Limit exceeded"
	number := numbered(1)[0]
	r := newRig(t, telnyxsim.Options{}, 1)
	r.sim.Inject(telnyxsim.Fault{Method: "POST", Times: -1, Kind: telnyxsim.StatusFault(400,
		`{"errors":[{"code":"10015","title":"Bad Request","detail":"`+said+`"}]}`)})
	tries := 0
	for end := r.a.now().Add(24 * time.Hour); tries <= personAfterBusy+1 && r.a.now().Before(end); {
		r.reconcile(testCampaign)
		n := r.number(number)
		if n.Tries.Busy < tries || n.Tries.Busy > tries+1 {
			t.Fatalf("%d tries after %d", n.Tries.Busy, tries)
		}
		tries = n.Tries.Busy
		reason := ledger.CampaignFull
		if tries >= personAfterBusy {
			reason = ledger.Stuck
		}
		if n.State != ledger.Planned || n.Reason != reason || !n.NeedsPerson || !strings.Contains(n.Detail, said) {
			t.Fatalf("try %d: got %+v; want it planned, %s, for a person, with Telnyx's words", tries, n, reason)
		}
		// Half of the reconciles come early, for other reasons.
		r.advance(max(r.campaign(testCampaign).NextAt.Sub(r.a.now())/2, time.Second))
	}
	if got := r.requests()[number]; tries <= personAfterBusy+1 || got != tries {
		t.Errorf("%d requests and %d tries, want them to continue", got, tries)
	}
}

// The plan has far more numbers than Telnyx allows on the campaign.
func TestFullCampaign_CostsFewRequestsAReconcile(t *testing.T) {
	t.Parallel()
	const room, numbers, most = 5, 12, 2
	r := newRig(t, telnyxsim.Options{MaxNumbersPerCampaign: room}, numbers, func(c *Config) { c.Concurrency = 2 * most })
	before, stuck := room, 0 // the requests that succeed
	for i := range 40 {
		r.reconcile(testCampaign)
		if sent := len(r.sim.Writes()); sent-before > most {
			t.Fatalf("reconcile %d sent %d requests that had no effect, want at most %d", i, sent-before, most)
		}
		before, stuck = len(r.sim.Writes()), 0
		for number, entry := range r.surplus(numbers - room) {
			n := entry.Number
			if n.Reason == ledger.Stuck {
				stuck++
			}
			if n.State != ledger.Planned || n.Reason != ledger.CampaignFull && n.Reason != ledger.Stuck || !n.NeedsPerson ||
				!strings.Contains(n.Detail, "Limit exceeded") || strings.Count(n.Detail, "refused another") > 1 {
				t.Fatalf("reconcile %d: got %s %+v; want it full or stuck, for a person, with Telnyx's words once", i, number, n)
			}
		}
		next := r.campaign(testCampaign).NextAt
		if !next.After(r.a.now()) {
			t.Fatalf("reconcile %d: the next is at %s and now is %s", i, next, r.a.now())
		}
		r.advanceTo(next)
		if i%10 == 9 {
			r.advance(2 * time.Hour) // so that all are due
		}
	}
	if stuck == 0 {
		t.Error("no number was tried so often that it is stuck")
	}
}

// surplus returns the records of the numbers that are not on the campaign, and checks how
// many there are.
func (r *rig) surplus(want int) map[string]ledger.NumberEntry {
	r.Helper()
	entries, err := r.a.ledger.Numbers(r.Context(), testCampaign)
	r.must(err)
	for number, entry := range entries {
		if s := entry.Number.State; s == ledger.Sendable || s == ledger.Attached || s == ledger.Pending {
			delete(entries, number)
		}
	}
	if len(entries) != want {
		r.Fatalf("%d numbers are not on the campaign, want %d", len(entries), want)
	}
	return entries
}

// The key may read campaigns but not the numbers' settings. That proves nothing about the
// campaign or the key.
func TestUnread_ARefusedListOfNumbersIsNotAMissingCampaign(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]telnyxsim.FaultKind{
		"403": telnyxsim.StatusFault(403, `{"errors":[{"code":"10010","title":"Authorization failed"}]}`),
		"404": telnyxsim.StatusFault(404, `{"errors":[{"code":"10005","title":"Resource not found"}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, 5)
			for _, list := range []string{"/phone_numbers", "/messaging_profiles"} {
				r.sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: list, Times: -1, Kind: answer})
			}
			for range 4 {
				r.reconcile(testCampaign)
				if c := r.campaign(testCampaign); c.Phase != ledger.PhaseApproved || c.Reason == ledger.Unauthorized {
					t.Fatalf("got %+v, want it approved", c)
				}
				if err := r.a.breaker.err(); err != nil {
					t.Errorf("the breaker opened: %v", err)
				}
				r.advance(time.Hour)
			}
			r.wantRequests("while the settings cannot be read")
			r.sim.ClearFaults()
			r.reconcile(testCampaign)
			r.wantRequests("once they can", numbered(5)...)
		})
	}
}

// A person's request is merged with a waiting routine one, and its reconcile fails. The
// repeated one must be urgent too, because only that cuts waits short.
func TestUrgent_StaysUrgentWhenItsReconcileIsRepeated(t *testing.T) {
	t.Parallel()
	number := numbered(1)[0]
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, 1, func(c *Config) { c.Now = time.Now })
	r.sim.Inject(telnyxsim.Fault{Method: "POST", Kind: telnyxsim.StatusFault(400, `{"errors":[{"code":"10015","title":"Bad Request"}]}`)})
	reading, resume := make(chan struct{}), make(chan struct{})
	var reads atomic.Int64
	r.before = func(req *http.Request) {
		if !strings.HasPrefix(req.URL.Path, campaignPath) {
			return
		}
		switch reads.Add(1) {
		case 2: // during this reconcile the routine and the person's request arrive
			close(reading)
			<-resume
		case 3: // their reconcile, which fails because another process wrote the record
			entries, err := r.a.ledger.Numbers(t.Context(), testCampaign)
			r.check(err)
			n := entries[number].Number
			n.Detail = "somebody else was here"
			_, err = r.a.ledger.PutNumber(t.Context(), entries[number], n)
			r.check(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		r.check(r.a.Run(ctx))
	})
	defer running.Wait()
	defer cancel()
	trigger := func(kind events.Kind, id string) {
		r.must(events.NewPublisher(r.config.JetStream).Trigger(t.Context(), kind, id))
	}
	waiting := func() request {
		r.a.queue.mu.Lock()
		defer r.a.queue.mu.Unlock()
		return r.a.queue.waiting[testCampaign]
	}

	r.eventually("rejected", func() bool { return r.number(number).Reason == ledger.Rejected })
	trigger(events.KindResync, "")
	<-reading
	trigger(events.KindResync, "")
	r.eventually("a routine request waits", func() bool { return waiting().class == routine && waiting().key != "" })
	trigger(events.KindCampaign, testCampaign)
	r.eventually("the person's request is merged with it", func() bool { return waiting().urgent })
	close(resume)
	r.eventually("tried again", func() bool { return r.number(number).State == ledger.Pending })
}

// The consumer is recreated, and the assigner catches up.
func TestRun_ContinuesWhenItsConsumerIsDeleted(t *testing.T) {
	t.Parallel()
	number := numbered(2)[1]
	r := newRig(t, telnyxsim.Options{}, 2, func(c *Config) { c.Now = time.Now })
	r.plan(listed("first", testCampaign, numbered(1)...))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { r.check(r.a.Run(ctx)) })
	defer running.Wait()
	defer cancel()
	r.eventually("it works", func() bool { return len(r.requests()) == 1 })
	r.must(r.config.JetStream.DeleteConsumer(t.Context(), events.StreamEvents, events.ConsumerAssigner))
	r.plan(listed("first", testCampaign, numbered(1)...), listed("second", otherCampaign, number))
	r.must(events.NewPublisher(r.config.JetStream).Trigger(t.Context(), events.KindCampaign, otherCampaign))
	r.eventually("it continues", func() bool { return r.requests()[number] == 1 })
}

// A number that left the plan must not be attached because its entry now has a pool.
func TestPool_NeverAttachesWhatNeitherPlanNorPoolNames(t *testing.T) {
	t.Parallel()
	const extra, otherProfile = "+12125559999", "4001776e-0000-4000-8000-000000000002"
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, 2)
	r.sim.AddMessagingProfiles(otherProfile)
	r.sim.AddNumbers(telnyxsim.Number{PhoneNumber: extra, MessagingProfileID: otherProfile})
	r.must(r.sim.SetCampaignStatus(testCampaign, telnyx.CampaignMNOPending))
	r.plan(pooled() + "  numbers: [\"" + extra + "\"]\n")
	r.reconcile(testCampaign)
	r.plan(pooled())
	r.must(r.sim.SetCampaignStatus(testCampaign, telnyx.CampaignMNOProvisioned))
	for range 3 {
		r.reconcile(testCampaign)
		r.advance(poolConfirm)
	}
	r.wantRequests("after it left the plan", numbered(2)...)
	if n := r.number(extra); n.Number != "" {
		t.Errorf("the ledger still has %+v", n)
	}
}

// One wrong answer a day does not remove a number from the ledger if the answers in between
// are right.
func TestPool_ForgetsALossThatWasNotConfirmed(t *testing.T) {
	t.Parallel()
	const otherProfile = "4001776e-0000-4000-8000-000000000002"
	numbers := numbered(3)
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, len(numbers))
	r.sim.AddMessagingProfiles(otherProfile)
	r.plan(pooled())
	r.reconcile(testCampaign)
	for day := range 3 {
		r.sim.AddNumbers(telnyxsim.Number{PhoneNumber: numbers[2], MessagingProfileID: otherProfile})
		r.reconcile(testCampaign)
		if n := r.number(numbers[2]); n.State != ledger.Pending {
			t.Errorf("day %d: it is %+v, want it as it was", day, n)
		}
		r.sim.AddNumbers(telnyxsim.Number{PhoneNumber: numbers[2], MessagingProfileID: testProfile})
		r.advance(24 * time.Hour)
		r.reconcile(testCampaign)
	}
}

// It takes two searches to prove that no campaign has a reference; a remembered search does
// not count.
func TestCampaign_IsMissingAfterTwoSearches(t *testing.T) {
	t.Parallel()
	r := newRig(t, telnyxsim.Options{}, 1)
	r.plan("- name: ref\n  reference_id: spring-2026\n  brand_id: 97091164-e814-435c-9c1b-14ab2d18e987\n  numbers: [\"" + numbered(1)[0] + "\"]\n")
	key := r.plans.Load().Campaigns[0].ID()
	var calls atomic.Int64
	r.before = func(*http.Request) { calls.Add(1) }
	var first int64
	for i, want := range []ledger.Phase{ledger.PhaseUnread, ledger.PhaseMissing} {
		r.reconcile(key)
		if got := r.campaign(key); got.Phase != want {
			t.Errorf("search %d: it is %+v, want it %s", i+1, got, want)
		}
		if i == 0 {
			first = calls.Load()
		}
		r.advance(soon)
	}
	if second := calls.Load() - first; second < first {
		t.Errorf("the second search took %d calls, the first %d", second, first)
	}
}

// When the account is accepted again, its numbers do not wait out their earlier waits.
func TestAccount_ContinuesSoonAfterItIsAcceptedAgain(t *testing.T) {
	t.Parallel()
	numbers := numbered(3)
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, len(numbers), oneAtATime)
	r.sim.Inject(telnyxsim.Fault{Method: "POST", Times: -1, Kind: telnyxsim.StatusFault(403, `{"errors":[{"code":"20100","title":"Insufficient Funds"}]}`)})
	for range 2 * 12 { // two hours, in which waits that double would exceed accountMax
		r.advance(5 * time.Minute)
		r.reconcile(testCampaign)
	}
	r.sim.ClearFaults()
	r.advance(accountMax)
	r.reconcile(testCampaign)
	req, ok := r.a.queue.take(prompt) // added when a request was accepted
	if !ok || req.key != testCampaign {
		t.Fatalf("got %+v, want a reconcile of the campaign", req)
	}
	r.must(r.a.reconcile(t.Context(), req))
	for _, number := range numbers {
		if n := r.number(number); n.State != ledger.Pending {
			t.Errorf("%s is %+v, want it pending", number, n)
		}
	}
}

// A person's request is kept while Telnyx cannot be read.
func TestUrgent_IsRepeatedWhenTelnyxCannotBeRead(t *testing.T) {
	t.Parallel()
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, 1)
	r.sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: "/10dlc/campaign", Times: -1, Kind: telnyxsim.StatusFault(503, "{}")})
	for name, req := range map[string]request{
		"a person":  {urgent: true, changed: true},
		"an event":  {changed: true},
		"a recheck": {},
	} {
		settled := 0
		req.key, req.made, req.settle = testCampaign, time.Now(), func() { settled++ }
		r.a.serve(t.Context(), req)
		// The message of a person's request stays open, so it outlives this process.
		if (settled == 1) == req.urgent {
			t.Errorf("%s: settled %d times", name, settled)
		}
		again := r.a.queue.waiting[testCampaign]
		if again.changed != req.changed || again.urgent != req.urgent || req.changed && (again.wait <= 0 || (again.settle != nil) != req.urgent) {
			t.Errorf("%s: %+v waits", name, again)
		}
		r.a.queue.dequeue(again)
		delete(r.a.queue.waiting, testCampaign)
	}
}

// While the call that checks the key gets no answer, a 403 may or may not be about the key.
func TestForbidden_ProvesNothingWhileTheKeyCannotBeChecked(t *testing.T) {
	t.Parallel()
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, 1)
	r.sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: "/10dlc/campaign", Times: -1, Kind: telnyxsim.StatusFault(403, `{"errors":[{"code":"10010","title":"Authorization failed"}]}`)})
	r.sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: "/10dlc/brand", Times: -1, Kind: telnyxsim.StatusFault(503, `{}`)})
	for range 3 {
		r.reconcile(testCampaign)
		r.advance(10 * time.Minute)
	}
	if c, n := r.campaign(testCampaign), r.number(numbered(1)[0]); c.Phase != ledger.PhaseUnread || c.Reason != ledger.TelnyxUnavailable || n.NeedsPerson {
		t.Errorf("the campaign is %+v, the number %+v", c, n)
	}
}

// If the reader of a list panics, a waiting one reads the list again.
func TestShared_SurvivesAPanic(t *testing.T) {
	t.Parallel()
	s := shared[string, int]{index: func(rows []string) int { return len(rows) }, kept: time.Minute}
	started, release := make(chan struct{}), make(chan struct{})
	go func() {
		defer func() { _ = recover() }()
		_, _ = s.read(t.Context(), time.Now(), 1, func(context.Context, int) (telnyx.Rows[string], error) {
			close(started)
			<-release
			panic("a surprise")
		})
	}()
	<-started
	asked := s.latest.began
	done := make(chan error)
	go func() {
		_, err := s.read(t.Context(), asked, 1, func(context.Context, int) (telnyx.Rows[string], error) {
			return telnyx.Rows[string]{All: []string{"a"}, Complete: true}, nil
		})
		done <- err
	}()
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
