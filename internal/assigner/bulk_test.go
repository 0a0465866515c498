package assigner

import (
	"fmt"
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

// newPoolRig returns a rig that has given a whole profile to Telnyx, whose task
// goes on until endTask.
func newPoolRig(t *testing.T, numbers int) *rig {
	t.Helper()
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never, TaskDelay: telnyxsim.Never, MaxNumbersPerCampaign: 5000}, numbers)
	r.plan(pooled())
	r.look(testCampaign)
	if single, bulk := r.requests(); bulk != 1 || len(single) != 0 {
		t.Fatalf("%d calls for the whole profile and %d for numbers, want 1 and 0", bulk, len(single))
	}
	return r
}

// endTask ends the task of the whole profile; it has attached the given numbers.
func (r *rig) endTask(attached ...string) {
	r.Helper()
	for _, number := range attached {
		r.check(r.sim.AttachNumber(number, testCampaign, telnyx.Assigned))
	}
	told := fmt.Sprintf(`{"taskId":%q,"status":"completed"}`, r.sim.Writes()[0].TaskID)
	r.sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: strings.TrimPrefix(taskPath, "/v2"), Times: -1, Kind: telnyxsim.StatusFault(200, told)})
}

func isTaskRead(req *http.Request) bool { return strings.HasPrefix(req.URL.Path, taskPath) }

func isListRead(req *http.Request) bool { return req.Method == "GET" && req.URL.Path == recordsPath }

func TestBulkTask_MayEndWhileItsNumbersAreRead(t *testing.T) {
	t.Parallel()
	for name, ends := range map[string]func(r *rig, end func()){
		"before it is asked for": func(r *rig, end func()) {
			r.before = func(req *http.Request) {
				if isTaskRead(req) {
					end()
				}
			}
		},
		"once it was asked for": func(r *rig, end func()) {
			r.after = func(req *http.Request) {
				if isTaskRead(req) {
					end()
				}
			}
		},
		"once its numbers were read": func(r *rig, end func()) {
			r.after = func(req *http.Request) {
				if isListRead(req) {
					end()
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			numbers := numbered(25)
			r := newPoolRig(t, len(numbers))
			r.pass(time.Minute)
			ended := false
			ends(r, sync.OnceFunc(func() {
				r.endTask(numbers...)
				ended = true
			}))
			r.look(testCampaign)
			if !ended {
				t.Fatal("the task did not end during the look")
			}
			r.pass(time.Minute)
			r.look(testCampaign)
			r.wantRequests("the task did it all")
			for _, number := range numbers {
				if got := r.number(number).State; got != ledger.Sendable {
					t.Errorf("%s is %s, want sendable", number, got)
				}
			}
		})
	}
}

func TestBulkTask_IsFollowedWithoutReadingItsNumbersOneByOne(t *testing.T) {
	t.Parallel()
	r := newPoolRig(t, 300)
	var calls, single atomic.Int64
	r.before = func(req *http.Request) {
		calls.Add(1)
		if strings.HasPrefix(req.URL.Path, recordsPath+"/") {
			single.Add(1)
		}
	}
	for range 3 {
		r.pass(time.Minute)
		calls.Store(0)
		r.look(testCampaign)
		if calls.Load() > 10 || single.Load() != 0 {
			t.Errorf("a look took %d calls, %d of them for a single number; want at most 10 and none", calls.Load(), single.Load())
		}
	}
}

func TestBulkCall_IsNotMadeForAPlanThatChangedMeanwhile(t *testing.T) {
	t.Parallel()
	numbers := numbered(25)
	r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never}, len(numbers))
	r.plan(pooled())
	changed := r.parsed(pooled(), listed("other", otherCampaign, numbers[0]))
	r.logged = func(line string) {
		if strings.Contains(line, "number is attaching") {
			r.plans.Store(changed)
		}
	}
	r.look(testCampaign)
	if single, bulk := r.requests(); bulk != 0 || len(single) != 0 {
		t.Fatalf("%d calls for the whole profile and %d for numbers, want none", bulk, len(single))
	}
	for _, number := range numbers {
		if n := r.number(number); n.State != ledger.Planned || n.Attempts != 0 || !n.ClaimedAt.IsZero() {
			t.Errorf("got %+v, want it planned and without a claim", n)
		}
	}
	r.pass(turnWait)
	r.look(testCampaign)
	r.look(otherCampaign)
	r.wantRequests("by the new plan", numbers...)
	for _, write := range r.sim.Writes() {
		if toOther := write.CampaignID == otherCampaign; toOther != (write.PhoneNumber == numbers[0]) {
			t.Errorf("%q was sent to campaign %s", write.PhoneNumber, write.CampaignID)
		}
	}
}

// Ten minutes pass before the call, such as in a pause that Telnyx asked for.
func TestBulkCall_ReadsTheCampaignAgainAfterAPause(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		meanwhile func(r *rig) error
		calls     int
	}{
		"nothing happened":          {func(*rig) error { return nil }, 1},
		"the campaign is suspended": {func(r *rig) error { return r.sim.SuspendTMobile(testCampaign) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never, TaskDelay: telnyxsim.Never}, 25)
			r.plan(pooled())
			reads := 0
			r.after = func(req *http.Request) {
				if req.URL.Query().Get("filter[messaging_profile_id]") == "" {
					return
				}
				if reads++; reads == 2 { // the last look at the profile
					r.pass(10 * time.Minute)
					r.check(tt.meanwhile(r))
				}
			}
			r.look(testCampaign)
			if reads != 2 {
				t.Fatalf("the profile was read %d times, want twice", reads)
			}
			r.look(testCampaign)
			if single, bulk := r.requests(); bulk != tt.calls || len(single) != 0 {
				t.Errorf("%d calls for the whole profile and %d for numbers, want %d and none", bulk, len(single), tt.calls)
			}
		})
	}
}

func TestBulkTask_ThatCannotBeReadIsGivenUpAfterAnHour(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]telnyxsim.FaultKind{
		"422":                telnyxsim.StatusFault(422, `{"detail":[{"loc":["path"],"msg":"no such task","type":"x"}]}`),
		"404 without a code": telnyxsim.StatusFault(404, `{"detail":"Not Found"}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			numbers := numbered(25)
			r := newPoolRig(t, len(numbers))
			r.sim.Inject(telnyxsim.Fault{Method: "GET", PathPrefix: strings.TrimPrefix(taskPath, "/v2"), Times: -1, Kind: refusal})
			for range 5 {
				r.pass(10 * time.Minute)
				r.look(testCampaign)
			}
			r.wantRequests("within the hour")
			r.pass(10 * time.Minute)
			r.look(testCampaign)
			r.wantRequests("after the hour", numbers...)
		})
	}
}

// A number that the plan gives to another campaign is still with the task, which
// nobody can call back.
func TestBulkTask_KeepsItsNumbersFromOtherCampaigns(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		attached int // how many numbers the task attaches before it ends
		want     ledger.State
		requests int // for the number that was given away
	}{
		"it attaches the number":     {25, ledger.Conflict, 0},
		"it passes over that number": {0, ledger.Pending, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			numbers := numbered(25)
			r := newPoolRig(t, len(numbers))
			r.plan(pooled(), listed("other", otherCampaign, numbers[0]))
			for range 3 {
				r.pass(10 * time.Minute)
				r.look(testCampaign)
				r.look(otherCampaign)
			}
			r.wantRequests("while the task is at work")
			if n := r.numberOn(otherCampaign, numbers[0]); n.State != ledger.Planned || n.Reason != ledger.BeingProcessed {
				t.Errorf("got %+v, want it to wait for the task", n)
			}
			r.endTask(numbers[:tt.attached]...)
			r.pass(time.Minute)
			r.look(testCampaign)
			r.look(otherCampaign)
			if got := r.numberOn(otherCampaign, numbers[0]).State; got != tt.want {
				t.Errorf("got %s once the task has ended, want %s", got, tt.want)
			}
			if single, _ := r.requests(); single[numbers[0]] != tt.requests {
				t.Errorf("%d requests for the number, want %d", single[numbers[0]], tt.requests)
			}
		})
	}
}

// Telnyx may be at work on the whole profile, and nobody can ask for the task whose
// id was never stored.
func TestBulkCall_WhoseAnswerIsLostIsWaitedFor(t *testing.T) {
	t.Parallel()
	isCall := func(req *http.Request) bool { return req.Method == "POST" }
	for name, lose := range map[string]func(r *rig){
		"the answer is lost": func(r *rig) {
			r.sim.Inject(telnyxsim.Fault{Method: "POST", Kind: telnyxsim.EffectThenLost()})
		},
		"the process dies before the call": func(r *rig) {
			r.before = func(req *http.Request) {
				if isCall(req) {
					panic("killed")
				}
			}
		},
		"the process dies after the call": func(r *rig) {
			r.after = func(req *http.Request) {
				if isCall(req) {
					panic("killed")
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			numbers := numbered(25)
			r := newRig(t, telnyxsim.Options{AssignDelay: telnyxsim.Never, TaskDelay: telnyxsim.Never}, len(numbers))
			r.plan(pooled())
			lose(r)
			_ = r.tryLook(t.Context(), testCampaign) // a process that dies tells nobody
			r.before, r.after = nil, nil
			if got := r.campaign(testCampaign).Bulk; got.Since.IsZero() || got.Task != "" {
				t.Fatalf("got %+v, want a call whose task is not known", got)
			}
			r.restart()
			for range bulkUnknown - 1 {
				r.pass(DefaultSettle)
				r.look(testCampaign)
			}
			r.wantRequests("while a task may be at work")
			const attached = 10 // by the task, if there is one
			for _, number := range numbers[:attached] {
				r.must(r.sim.AttachNumber(number, testCampaign, telnyx.Assigned))
			}
			for range 2 { // once a task cannot be at work any more, the claims are settled like others
				r.pass(DefaultSettle)
				r.look(testCampaign)
			}
			r.wantRequests("once it is given up", numbers[attached:]...)
		})
	}
}
