package assigner

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/notice"
	"greenlight/internal/telnyx/telnyxsim"
)

// Nothing is requested while another assigner is the active one.
func TestApply_SendsNothingWithoutThePin(t *testing.T) {
	t.Parallel()
	number := numbered(1)[0]
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, 1)
	pinned := r.a.isPinned
	r.a.isPinned = r.a.isActive // it has not joined the consumer
	r.reconcile(testCampaign)
	r.wantRequests("without the pin")
	if n := r.number(number); n.State != ledger.Planned || !n.ClaimedAt.IsZero() {
		t.Errorf("got %+v, want it planned and without a claim", n)
	}
	r.a.isPinned = pinned
	r.reconcile(testCampaign)
	r.wantRequests("with the pin", number)
}

// The bucket with the hold was lost and recreated empty. Until the hold is restored, the
// one in memory counts.
func TestHold_InMemoryCountsWhileTheBucketHasNone(t *testing.T) {
	t.Parallel()
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, 1)
	r.a.hold.Store(&ledger.Hold{All: &ledger.HeldBy{By: "ops@desk", At: r.a.now()}})
	r.reconcile(testCampaign)
	r.wantRequests("on hold")
	r.a.hold.Store(&ledger.Hold{})
	r.reconcile(testCampaign)
	r.wantRequests("after the hold", numbered(1)...)
}

// Telnyx takes long to change the messaging profile. By then a person may have put the
// campaign on hold.
func TestApply_ChecksAgainAfterASlowProfileChange(t *testing.T) {
	t.Parallel()
	number := numbered(1)[0]
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, 1)
	r.plan(withProfile(listed("x", testCampaign, number)))
	offProfile(r)
	r.before = func(req *http.Request) {
		if req.Method == "PATCH" {
			time.Sleep(maxCheckAge) // the slow request
		}
	}
	r.reconcile(testCampaign)
	if writes := r.sim.Writes(); len(writes) != 1 || writes[0].Method != "PATCH" {
		t.Errorf("got %+v, want the change of the profile alone", writes)
	}
	if n := r.number(number); n.State != ledger.Planned || n.Reason != ledger.Unverified || !n.ClaimedAt.IsZero() {
		t.Errorf("got %+v, want it unverified and without a claim", n)
	}
}

// Between the observation and the request, the number gets another messaging profile than
// the plan's.
func TestApply_KeepsAProfileThatWasJustSet(t *testing.T) {
	t.Parallel()
	const otherProfile = "4001776e-0000-4000-8000-000000000002"
	number := numbered(1)[0]
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, 1)
	r.sim.AddMessagingProfiles(otherProfile)
	r.plan(withProfile(listed("x", testCampaign, number)))
	offProfile(r)
	r.logged = func(line string) {
		if strings.Contains(line, "campaign is approved") {
			r.sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, MessagingProfileID: otherProfile})
		}
	}
	r.reconcile(testCampaign)
	if writes := r.sim.Writes(); len(writes) != 0 {
		t.Errorf("got %+v, want nothing sent", writes)
	}
	if n := r.number(number); n.State != ledger.Failed || n.Reason != ledger.OtherProfile {
		t.Errorf("got %s, want failed (%s)", n.StateAndReason(), ledger.OtherProfile)
	}
}

// While numbers of a pool are written, the plan names one of them for another campaign.
// The entry with the pool is the same as before.
func TestPool_GivesUpANumberThatAnotherEntryNamesMeanwhile(t *testing.T) {
	t.Parallel()
	numbers := numbered(3)
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, len(numbers))
	r.must(r.sim.SetCampaignStatus(otherCampaign, "MNO_PENDING"))
	r.plan(pooled())
	r.logged = func(line string) {
		if strings.Contains(line, "campaign is approved") {
			r.plan(pooled(), listed("other", otherCampaign, numbers[0]))
		}
	}
	r.reconcile(testCampaign)
	r.wantRequests("after the change")
	r.reconcile(testCampaign)
	r.wantRequests("with the new plan", numbers[1:]...)
}

// No filter works, so absence is read off the account's list, which is kept for minutes. The
// same reading never counts twice.
func TestObserve_AbsenceFromAKeptListCountsOnce(t *testing.T) {
	t.Parallel()
	const ordered = "+13135559999"
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never, Dialect: telnyxsim.Dialect{
		NumberFilter: telnyxsim.FilterNothing, PhoneNumbersFilter: telnyxsim.NumbersFindNone,
	}}, 1)
	r.plan(listed("x", testCampaign, ordered))
	r.reconcile(testCampaign)
	if n := r.number(ordered); n.Reason != ledger.Unverified || n.Tries.Absent != 1 {
		t.Fatalf("got %s with %s, want it unverified and absent once", n.StateAndReason(), n.Tries)
	}
	r.sim.AddNumbers(telnyxsim.Number{PhoneNumber: ordered, MessagingProfileID: testProfile})
	r.advance(soon)
	r.reconcile(testCampaign)
	if n := r.number(ordered); n.State == ledger.Failed {
		t.Errorf("got %s by a list from before the number was ordered", n.StateAndReason())
	}
}

// Telnyx answers for a free number with a 404 of another kind. Then the account's list
// decides, if it is complete.
func TestObserve_AnOddAnswerNeedsACompleteList(t *testing.T) {
	t.Parallel()
	number := numbered(1)[0]
	for name, complete := range map[string]bool{"complete": true, "not complete": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never, MaxNumbersPerCampaign: 5000}, 1)
			largeAccount(r)
			records := strings.TrimPrefix(recordsPath, "/v2")
			r.sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: records + "/" + number, Times: -1, Kind: telnyxsim.StatusFault(404, "<html>")})
			if !complete {
				r.sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: records, Times: -1, Kind: telnyxsim.StatusFault(200, `{"records":[],"page":1,"totalRecords":5000}`)})
			}
			r.reconcile(testCampaign)
			if n := r.number(number); complete && n.State != ledger.Pending || !complete && n.Reason != ledger.Unverified {
				t.Errorf("got %s: %s", n.StateAndReason(), n.Detail)
			}
		})
	}
}

func TestApply_CountsRequestsWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	number := numbered(1)[0]
	r := newRig(t, telnyxsim.Options{}, 1)
	r.sim.Inject(telnyxsim.Fault{Method: "POST", PathPrefix: "/10dlc/phone_number_campaigns", Times: -1, Kind: telnyxsim.HTML502()})
	for want := 1; want <= 2; want++ {
		r.reconcile(testCampaign)
		if n := r.number(number); n.Tries != (ledger.Tries{Unanswered: want}) || n.State != ledger.Attaching {
			t.Fatalf("got %s with %s after %d requests", n.StateAndReason(), n.Tries, want)
		}
		r.advance(DefaultSettle + time.Second)
	}
}

// Whether a request without an answer took effect or not, its number is settled within a
// minute (docs/performance.md), by the ledger's time of the next check.
func TestApply_SettlesALostAnswerWithinAMinute(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]telnyxsim.FaultKind{"without effect": telnyxsim.HTML502(), "with effect": telnyxsim.EffectThenLost()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			number := numbered(1)[0]
			r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, 1)
			r.sim.Inject(telnyxsim.Fault{Method: "POST", PathPrefix: "/10dlc/phone_number_campaigns", Times: 1, Kind: kind})
			sent := r.a.now()
			r.reconcile(testCampaign)
			for tries := 0; r.number(number).State != ledger.Pending && tries < 10; tries++ {
				r.advanceTo(r.campaign(testCampaign).NextAt)
				r.advance(time.Second) // a check comes a moment later
				r.reconcile(testCampaign)
			}
			took := r.a.now().Sub(sent)
			if n := r.number(number); n.State != ledger.Pending || took > time.Minute {
				t.Errorf("%s after %s, want it pending within a minute", n.StateAndReason(), took)
			}
			t.Logf("settled after %s", took)
		})
	}
}

// Requests that the previous assigner kept in memory are lost with it, so the next one
// reconciles everything once.
func TestReceiveAll_ReconcilesEverythingAfterATakeOver(t *testing.T) {
	t.Parallel()
	r := newRig(t, telnyxsim.Options{}, 2)
	campaigns := []string{testCampaign, otherCampaign}
	r.plan(listed("x", campaigns[0], numbered(2)[0]), listed("y", campaigns[1], numbered(2)[1]))
	resyncs := func() uint64 {
		stream, err := r.config.JetStream.Stream(t.Context(), "TRIGGERS")
		r.must(err)
		const subject = "assigner.trigger.resync"
		info, err := stream.Info(t.Context(), jetstream.WithSubjectFilter(subject))
		r.must(err)
		return info.State.Subjects[subject]
	}
	deliveries := make(chan *events.Delivery)
	received := make(chan struct{})
	go func() { defer close(received); r.a.receiveAll(t.Context(), deliveries) }()
	for _, step := range []struct {
		pin   string
		after time.Duration
		want  uint64
		why   string
	}{
		{"1", 0, 0, "it has just started, which is a resync by itself"},
		{"2", 5 * time.Second, 0, "it started moments ago"},
		{"2", takeoverAfter, 0, "the pin is the same"},
		{"3", 0, 1, "another one was active in between"},
		{"3", 0, 1, "the pin is the same"},
	} {
		r.advance(step.after)
		for _, id := range campaigns {
			deliveries <- &events.Delivery{Kind: events.KindEvent, Type: "10dlc.campaign.update", About: id, Pin: step.pin}
			req, _ := r.a.queue.take(prompt)
			r.a.queue.finish(req.key)
		}
		if got := resyncs(); got != step.want {
			t.Errorf("pin %s: got %d resyncs, want %d: %s", step.pin, got, step.want, step.why)
		}
	}
	close(deliveries)
	<-received
}

// A notice is stored when the ledger has what it reports, and not when a record could not
// be written.
func TestNotice_ComesAfterTheRecordsThatItReports(t *testing.T) {
	t.Parallel()
	const absent = "+13135559999" // not on the account
	r := newRig(t, telnyxsim.Options{}, 1)
	r.plan(listed("x", testCampaign, absent))
	notices := func() uint64 {
		stream, err := r.config.JetStream.Stream(t.Context(), notice.Stream)
		r.must(err)
		return stream.CachedInfo().State.LastSeq
	}
	r.reconcile(testCampaign)
	r.advance(soon)
	var raced atomic.Bool
	r.after = func(req *http.Request) {
		if !strings.HasPrefix(req.URL.Path, settingsPath) || raced.Swap(true) {
			return
		}
		entries, err := r.a.ledger.Numbers(r.Context(), testCampaign)
		r.check(err)
		n := entries[absent].Number
		n.Detail = "written by another process"
		_, err = r.a.ledger.PutNumber(r.Context(), entries[absent], n)
		r.check(err)
	}
	if err := r.tryReconcile(t.Context(), testCampaign); !errors.Is(err, ledger.ErrChanged) || !raced.Load() {
		t.Errorf("got %v, want %v", err, ledger.ErrChanged)
	}
	if got := notices(); got != 0 {
		t.Errorf("got %d notices of a record that was not written", got)
	}
	logged := 0
	r.logged = func(line string) {
		if !strings.Contains(line, `"notice":"needs_person"`) {
			return
		}
		logged++
		if n := r.number(absent); !n.NeedsPerson || n.State != ledger.Failed {
			t.Errorf("the notice is stored while the record is %+v", n)
		}
	}
	r.advance(soon)
	r.reconcile(testCampaign)
	if got := notices(); got != 1 || logged != 1 {
		t.Errorf("got %d notices and %d lines of the log, want one", got, logged)
	}
}
