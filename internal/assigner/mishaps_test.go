package assigner

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/notice"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// oneAtATime makes what happens follow one order.
func oneAtATime(c *Config) { c.Concurrency = 1 }

// A process may stand still between the claim and the request. Others take the
// claim for abandoned after Settle.
func TestAttach_SendsNothingOnAnOldClaim(t *testing.T) {
	t.Parallel()
	const settle = 300 * time.Millisecond
	number := numbered(1)[0]
	for name, tt := range map[string]struct {
		numbers int
		stage   func(*rig)
		entry   string
	}{
		"of a number":                   {1, func(*rig) {}, listed("x", testCampaign, number)},
		"of a number without a profile": {1, offProfile, withProfile(listed("x", testCampaign, number))},
		"of a whole profile":            {25, func(*rig) {}, pooled()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, tt.numbers, func(c *Config) { c.Settle = settle })
			tt.stage(r)
			r.plan(tt.entry)
			r.logged = func(line string) {
				if strings.Contains(line, "number is attaching") {
					time.Sleep(settle) // this is the mishap
				}
			}
			r.look(testCampaign)
			if writes := r.sim.Writes(); len(writes) != 0 {
				t.Errorf("sent all the same: %+v", writes)
			}
			if n := r.number(number); n.State != ledger.Planned || n.Attempts != 0 || !n.ClaimedAt.IsZero() {
				t.Errorf("got %+v, want it planned and without a claim", n)
			}
		})
	}
}

// withProfile adds a messaging profile to an entry.
func withProfile(entry string) string { return entry + "  messaging_profile_id: " + testProfile + "\n" }

// What a PATCH or a PUT rests on is read just before. Meanwhile the plan may change.
func TestAttach_SendsNothingForANumberThatLeftThePlan(t *testing.T) {
	t.Parallel()
	number, stays := numbered(2)[0], numbered(2)[1]
	moving := func(entry string) string { return entry + "  move_from: [" + otherCampaign + "]\n" }
	for name, tt := range map[string]struct {
		stage func(r *rig)
		entry func(string) string
		reads string // the path that is read before the request
		leave bool
		want  int // requests
	}{
		"it is moved, and stays":             {onOther, moving, recordsPath + "/" + number, false, 1},
		"it is moved, and leaves":            {onOther, moving, recordsPath + "/" + number, true, 0},
		"it is put on a profile, and stays":  {offProfile, withProfile, settingsPath, false, 2},
		"it is put on a profile, and leaves": {offProfile, withProfile, settingsPath, true, 0},
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
				if req.Method != "GET" || req.URL.Path != tt.reads {
					return
				}
				if reads++; reads == 2 && tt.leave {
					r.plans.Store(without)
				}
			}
			r.look(testCampaign)
			if reads != 2 {
				t.Fatalf("%s was read %d times, want once at the beginning and once just before", tt.reads, reads)
			}
			if writes := r.sim.Writes(); len(writes) != tt.want {
				t.Errorf("got %+v, want %d requests", writes, tt.want)
			}
		})
	}
}

// onOther puts the first number on the other campaign, offProfile takes it off its
// messaging profile.
func onOther(r *rig) { r.must(r.sim.AttachNumber(numbered(1)[0], otherCampaign, telnyx.Assigned)) }

func offProfile(r *rig) { r.sim.AddNumbers(telnyxsim.Number{PhoneNumber: numbered(1)[0]}) }

// A laptop is shut, a machine is moved: ten minutes pass between two requests.
func TestAttach_ReadsTheCampaignAgainAfterAPause(t *testing.T) {
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
					r.pass(10 * time.Minute)
					r.check(tt.meanwhile(r))
				}
			}
			r.look(testCampaign)
			if len(calls) < 3 || calls[1] != "attach" || calls[2] != "read" {
				t.Fatalf("got %v, want the campaign read again after the pause", calls)
			}
			if single, _ := r.requests(); len(single) != tt.want {
				t.Errorf("%d requests, want %d", len(single), tt.want)
			}
		})
	}
}

// When an event about the campaign comes, the look that is under way ends early. It
// must not stand in line once more for each number that is left.
func TestAttach_EndsEarlyWithoutATurnForEachNumberLeft(t *testing.T) {
	t.Parallel()
	turns := telnyx.NewTurns(1)
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, 40, oneAtATime, func(c *Config) { c.Telnyx.Turns = turns })
	ended := make(chan struct{})
	var others sync.WaitGroup
	r.before = func(req *http.Request) {
		if req.Method != "POST" {
			return
		}
		r.a.queue.add(errand{key: testCampaign, ticket: &ticket{}, interrupts: true})
		others.Go(func() { // takes the only place and keeps it
			_, leave, err := turns.Enter(telnyx.InLane(context.WithoutCancel(t.Context()), "others", false))
			r.check(err)
			<-ended
			leave()
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := r.tryLook(telnyx.InLane(ctx, testCampaign, false), testCampaign)
	close(ended)
	others.Wait()
	if err != nil {
		t.Errorf("the look waited for a turn that it has no use for: %v", err)
	}
	r.wantRequests("before the event", numbered(1)...)
}

// A campaign comes back from a suspension, and the look that reads so is broken off by
// the next event before it has asked for anything. Nobody is to be called for numbers
// that were held, and are so no more.
func TestAttach_BrokenOffLeavesNothingHeldInAReadyCampaign(t *testing.T) {
	t.Parallel()
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, 3, oneAtATime)
	r.must(r.sim.Suspend(testCampaign))
	r.look(testCampaign)
	if got := r.number(numbered(1)[0]).State; got != ledger.Held {
		t.Fatalf("a number of a suspended campaign is %s, want held", got)
	}
	r.must(r.sim.Unsuspend(testCampaign))
	var opened ledger.Campaign
	r.before = func(req *http.Request) {
		if strings.HasPrefix(req.URL.Path, settingsPath) && opened.ID == "" {
			opened = r.campaign(testCampaign)
			r.a.queue.add(errand{key: testCampaign, ticket: &ticket{}, interrupts: true})
		}
	}
	r.look(testCampaign)
	r.wantRequests("broken off")
	if opened.Phase != ledger.Ready {
		t.Errorf("while its numbers are read the campaign is %q, want ready", opened.Phase)
	}
	for _, number := range numbered(3) {
		if got := r.number(number); got.State != ledger.Planned || got.Reason != "" {
			t.Errorf("%s is %s (%s), want planned", number, got.State, got.Reason)
		}
	}
	stream, err := r.config.JetStream.Stream(t.Context(), notice.Stream)
	r.must(err)
	if told := stream.CachedInfo().State.Msgs; told != 1 {
		t.Errorf("%d notices, want that of the suspension alone", told)
	}
}

// Hundreds of numbers are due when Telnyx asks for a pause. A number is claimed
// when its request may be sent, so that none is claimed in vain.
func TestAttach_ClaimsNothingWhileThePaceRests(t *testing.T) {
	t.Parallel()
	const numbers = 300
	r := newRig(t, telnyxsim.Options{}, numbers, func(c *Config) {
		c.Telnyx.Pacer = telnyx.NewPacer(telnyx.PacerConfig{Ceiling: 1000})
	})
	r.sim.Inject(telnyxsim.Fault{Method: "POST", Times: -1, Kind: telnyxsim.RateLimited(time.Minute)})
	// The pause is longer than this, which ends every wait for it at once.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r.must(r.tryLook(ctx, testCampaign))
	first, sent := r.recordsWritten(), len(r.sim.Writes())
	if sent == 0 || sent > DefaultConcurrency {
		t.Fatalf("%d requests were sent, want at least one and no more than were under way at once", sent)
	}
	if most := numbers + 2*sent; first > most {
		t.Errorf("%d records written for %d numbers and %d requests, want at most %d", first, numbers, sent, most)
	}
	for range 3 {
		r.pass(30 * time.Second)
		r.must(r.tryLook(ctx, testCampaign))
	}
	if got := r.recordsWritten(); got != first {
		t.Errorf("%d more records written in the pause, want none", got-first)
	}
}

// More requests are wanted at once than the pace lets through in the time that a
// request has.
func TestAttach_ClaimsNoMoreThanThePaceLetsThrough(t *testing.T) {
	t.Parallel()
	const numbers = 20
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, numbers, func(c *Config) {
		c.Telnyx.Pacer = telnyx.NewPacer(telnyx.PacerConfig{Ceiling: 10})
		c.Concurrency, c.Settle = numbers, 1500*time.Millisecond
	})
	r.look(testCampaign)
	r.wantRequests("at ten a second", numbered(numbers)...)
	if got := r.recordsWritten(); got != 2*numbers {
		t.Errorf("%d records written, want a claim and an outcome for each of %d numbers", got, numbers)
	}
}

// A number waits for approval for days. Then it turns out to be leaving another
// campaign, which is waited for from then on.
func TestNumber_ThatIsLeavingIsWaitedForFromWhenThatIsSeen(t *testing.T) {
	t.Parallel()
	number := numbered(1)[0]
	r := newRig(t, telnyxsim.Options{UnassignDelay: telnyxsim.Never}, 1)
	r.must(r.sim.SetCampaignStatus(testCampaign, telnyx.CampaignMNOPending))
	r.must(r.sim.AttachNumber(number, otherCampaign, telnyx.PendingUnassignment))
	r.look(testCampaign)
	r.pass(5 * 24 * time.Hour)
	r.must(r.sim.SetCampaignStatus(testCampaign, telnyx.CampaignMNOProvisioned))
	r.look(testCampaign)
	n := r.number(number)
	if n.State != ledger.Planned || n.Reason != ledger.BeingProcessed || n.NextAt.Sub(r.a.now()) != recheckLeast {
		t.Errorf("got %+v, want another look in %s", n, recheckLeast)
	}
	r.pass(DefaultPendingDeadline)
	r.look(testCampaign)
	if n := r.number(number); n.Reason != ledger.BeingProcessed {
		t.Errorf("got %+v before the deadline, want it waited for", n)
	}
	for range 2 {
		r.pass(time.Minute)
		r.look(testCampaign)
		if n := r.number(number); n.State != ledger.Planned || n.Reason != ledger.Stuck {
			t.Errorf("got %+v after the deadline, want it stuck", n)
		}
	}
	r.wantRequests("while it is leaving")
}

// Every request is refused with the same words for a day.
func TestComplaint_ThatRecursEndsAsStuckAndStaysThere(t *testing.T) {
	t.Parallel()
	const said = "Longcode cannot be added to campaign. Limit exceeded"
	number := numbered(1)[0]
	r := newRig(t, telnyxsim.Options{}, 1)
	r.sim.Inject(telnyxsim.Fault{Method: "POST", Times: -1, Kind: telnyxsim.StatusFault(400,
		`{"errors":[{"code":"10015","title":"Bad Request","detail":"`+said+`"}]}`)})
	tries := 0
	for started := r.a.now(); r.a.now().Sub(started) < 24*time.Hour; {
		r.look(testCampaign)
		n := r.number(number)
		if n.Attempts < tries || n.Attempts > tries+1 {
			t.Fatalf("%d tries after %d", n.Attempts, tries)
		}
		tries = n.Attempts
		state, reason := ledger.Planned, ledger.CampaignFull
		if tries >= stuckAfter {
			state, reason = ledger.Failed, ledger.Stuck
		}
		if n.State != state || n.Reason != reason || !strings.Contains(n.Detail, said) {
			t.Fatalf("try %d: got %s, %s, %q; want %s, %s and Telnyx's words", tries, n.State, n.Reason, n.Detail, state, reason)
		}
		// Half of the looks come too early, as when something else happens.
		r.pass(max(r.campaign(testCampaign).NextAt.Sub(r.a.now())/2, time.Second))
	}
	if single, _ := r.requests(); tries <= stuckAfter || single[number] != tries {
		t.Errorf("%d requests and %d tries in a day, want them to go on", single[number], tries)
	}
}

// The plan gives a campaign far more numbers than Telnyx lets it carry.
func TestFullCampaign_CostsFewRequestsAPass(t *testing.T) {
	t.Parallel()
	const room, numbers, most = 5, 12, 2
	r := newRig(t, telnyxsim.Options{MaxNumbersPerCampaign: room}, numbers, func(c *Config) { c.Concurrency = most })
	before, stuck := room, 0 // those that have room are no waste
	for pass := range 80 {
		r.look(testCampaign)
		if sent := len(r.sim.Writes()); sent-before > most {
			t.Fatalf("pass %d sent %d requests in vain, want at most %d", pass, sent-before, most)
		}
		before, stuck = len(r.sim.Writes()), 0
		for number, entry := range r.surplus(numbers - room) {
			n := entry.Number
			state, reason := ledger.Planned, ledger.CampaignFull
			if n.Attempts >= stuckAfter {
				state, reason = ledger.Failed, ledger.Stuck
				stuck++
			}
			if n.State != state || n.Reason != reason || !strings.Contains(n.Detail, "Limit exceeded") || strings.Count(n.Detail, "came to nothing") > 1 {
				t.Fatalf("pass %d: %s is %s, %s, %q after %d tries; want %s, %s and Telnyx's words",
					pass, number, n.State, n.Reason, n.Detail, n.Attempts, state, reason)
			}
		}
		next := r.campaign(testCampaign).NextAt
		if !next.After(r.a.now()) {
			t.Fatalf("pass %d: the next look is at %s and now is %s", pass, next, r.a.now())
		}
		r.passUntil(next)
		if pass%10 == 9 {
			r.pass(2 * time.Hour) // all are due at once
		}
	}
	if stuck == 0 {
		t.Error("no number was tried so often that it is stuck")
	}
}

// surplus returns the records of the numbers that are not on the campaign, which
// must be so many.
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

// The key may read campaigns and not the numbers' settings: every minute the one
// works and the other is refused.
func TestGate_AlarmsOnceForAKeyThatMayReadOnlySome(t *testing.T) {
	t.Parallel()
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, 5)
	var alarms, healed atomic.Int64
	r.logged = func(line string) {
		if strings.Contains(line, `"level":"error"`) {
			alarms.Add(1)
		}
		if strings.Contains(line, "takes the account's calls again") {
			healed.Add(1)
		}
	}
	r.sim.Inject(telnyxsim.Fault{PathPrefix: "/phone_numbers/messaging", Times: -1,
		Kind: telnyxsim.StatusFault(403, `{"errors":[{"code":"10010","title":"Authorization failed"}]}`)})
	for range 10 {
		if err := r.tryLook(t.Context(), testCampaign); err == nil {
			t.Error("a look got to its end")
		}
		if r.a.gate.trouble() == nil {
			t.Error("the trouble was forgotten")
		}
		r.pass(gateRest + time.Second)
	}
	if alarms.Load() != 1 || healed.Load() != 0 {
		t.Errorf("%d alarms in ten minutes, and healed %d times; want one and never", alarms.Load(), healed.Load())
	}
	if c := r.campaign(testCampaign); c.Reason != ledger.Unauthorized {
		t.Errorf("got %+v, want it to say that the key is refused", c)
	}
	r.sim.ClearFaults()
	r.look(testCampaign)
	r.wantRequests("once the key may read them", numbered(5)...)
	if r.a.gate.trouble() != nil || healed.Load() != 1 {
		t.Errorf("%v, and healed %d times; want no trouble and once", r.a.gate.trouble(), healed.Load())
	}
}

// A person's nudge becomes one with a routine look that waits already, and that look
// fails. It must be repeated as the person's: a number that failed for good is
// tried again by such a look alone.
func TestNudge_IsAsUrgentWhenItsLookIsRepeated(t *testing.T) {
	t.Parallel()
	number := numbered(1)[0]
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, 1, func(c *Config) { c.Now = time.Now })
	r.sim.Inject(telnyxsim.Fault{Method: "POST", Kind: telnyxsim.StatusFault(400, `{"errors":[{"code":"10015","title":"Bad Request"}]}`)})
	looking, goOn := make(chan struct{}), make(chan struct{})
	var looks atomic.Int64
	r.before = func(req *http.Request) {
		if !strings.HasPrefix(req.URL.Path, campaignPath) {
			return
		}
		switch looks.Add(1) {
		case 2: // a look during which the routine one and the nudge come
			close(looking)
			<-goOn
		case 3: // theirs, which loses the number's record to somebody else
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
	waiting := func() errand {
		r.a.queue.mu.Lock()
		defer r.a.queue.mu.Unlock()
		return r.a.queue.waiting[testCampaign]
	}

	r.eventually("rejected", func() bool { return r.number(number).Reason == ledger.Rejected })
	trigger(events.KindResync, "")
	<-looking
	trigger(events.KindResync, "")
	r.eventually("a routine look waits", func() bool { return waiting().routine })
	trigger(events.KindCampaign, testCampaign)
	r.eventually("the nudge is one with it", func() bool { return waiting().urgent })
	close(goOn)
	r.eventually("tried again", func() bool { return r.number(number).State == ledger.Pending })
}

// An assigner that cannot go on ends, with all that it had under way, so that it is started
// anew.
func TestRun_EndsWhenItsConsumerIsDeleted(t *testing.T) {
	t.Parallel()
	number := numbered(1)[0]
	r := newRig(t, telnyxsim.Options{}, 1, func(c *Config) { c.Now = time.Now })
	ended := make(chan error, 1)
	go func() { ended <- r.a.Run(t.Context()) }()
	r.eventually("it works", func() bool { return r.number(number).State != ledger.Planned })
	r.must(r.config.JetStream.DeleteConsumer(t.Context(), events.StreamEvents, events.ConsumerAssigner))
	select {
	case err := <-ended:
		if !errors.Is(err, jetstream.ErrConsumerDeleted) && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			t.Errorf("Run: %v, want that the consumer is gone", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it did not end")
	}
}

// eventually waits until something is so.
func (r *rig) eventually(what string, is func() bool) {
	r.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatalf("not after 20s: %s", what)
		}
	}
}
