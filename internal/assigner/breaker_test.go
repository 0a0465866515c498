package assigner

import (
	"context"
	"errors"
	"testing"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
)

var (
	refusedKey     = &telnyx.APIError{Method: "GET", Route: "/10dlc/campaign/{id}", Status: 401}
	refusedAccount = &telnyx.APIError{Method: "POST", Route: "/10dlc/phone_number_campaigns", Status: 403,
		Errors: []telnyx.ErrorDetail{{Code: telnyx.CodeInsufficientFunds, Title: "Insufficient Funds"}}}
)

// breakerRig is a breaker with a fake clock and a fake answer to its checks of the key.
type breakerRig struct {
	*breaker
	clock             time.Time
	answer            error
	checks, recovered int
}

func newBreakerRig() *breakerRig {
	r := &breakerRig{clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	r.breaker = &breaker{
		now:      func() time.Time { return r.clock },
		checkKey: func(context.Context) error { r.checks++; return r.answer },
	}
	r.breaker.recovered = func() { r.recovered++ }
	return r
}

func TestBreaker_ARefusedKeyStopsEverythingWithOneAlarm(t *testing.T) {
	b := newBreakerRig()
	if open := b.allow(t.Context()); open != nil {
		t.Fatalf("a new breaker is open: %v", open)
	}
	if _, alarm := b.refuseKey(refusedKey); !alarm {
		t.Error("the first refusal raised no alarm")
	}
	if _, alarm := b.refuseKey(refusedKey); alarm {
		t.Error("the second refusal raised another alarm")
	}
	open := b.allow(t.Context())
	if open == nil || open.reason != ledger.Unauthorized || !open.trialAt.Equal(b.clock.Add(trialEvery)) || b.checks != 0 {
		t.Errorf("got %v after %d checks, want it open for a minute", open, b.checks)
	}
	b.answer = refusedKey
	b.clock = b.clock.Add(trialEvery)
	for range 5 {
		if b.allow(t.Context()) == nil {
			t.Error("work was let through while the key is refused")
		}
	}
	if b.checks != 1 {
		t.Errorf("%d checks of the key in a minute, want 1", b.checks)
	}
	b.answer = nil
	b.clock = b.clock.Add(trialEvery)
	if open := b.allow(t.Context()); open != nil || b.err() != nil || b.recovered != 1 {
		t.Errorf("got %v, %v, recovered %d times; want it closed once", open, b.err(), b.recovered)
	}
}

// A gateway's error says nothing about the key.
func TestBreaker_StaysOpenUntilTheKeyIsAccepted(t *testing.T) {
	b := newBreakerRig()
	b.refuseKey(refusedKey)
	b.answer = errors.New("no answer")
	b.clock = b.clock.Add(trialEvery)
	if open := b.allow(t.Context()); open == nil || !open.trialAt.Equal(b.clock.Add(trialEvery)) {
		t.Errorf("got %v, want another trial in a minute", open)
	}
}

// Many ask at once whether the key is accepted.
func TestBreaker_AnswerAboutTheKeyCountsForAMoment(t *testing.T) {
	b := newBreakerRig()
	for range 3 {
		b.check(t.Context())
	}
	if b.checks != 1 {
		t.Errorf("got %d checks at the same time, want 1", b.checks)
	}
	b.clock = b.clock.Add(keyCheckLasts)
	if b.check(t.Context()); b.checks != 2 {
		t.Errorf("got %d checks after %s, want 2", b.checks, keyCheckLasts)
	}
}

// While one call checks the key, another one finds it accepted.
func TestBreaker_LetsWorkThroughIfTheKeyWasAcceptedMeanwhile(t *testing.T) {
	b := newBreakerRig()
	b.refuseKey(refusedKey)
	b.clock = b.clock.Add(trialEvery)
	b.checkKey = func(context.Context) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.key = nil
		return errors.New("no answer")
	}
	if open := b.allow(t.Context()); open != nil || b.recovered != 0 {
		t.Errorf("got %v, recovered %d times; want it let through", open, b.recovered)
	}
}

func TestBreaker_OneNumberThatNeedsAPersonRaisesAnAlarm(t *testing.T) {
	b := newBreakerRig()
	for i := range 5 {
		if alarm := b.refuseWrite("+15551230000", i == 2, refusedAccount); alarm != (i == 2) {
			t.Errorf("refusal %d: alarm %t", i+1, alarm)
		}
	}
	if b.allowWrite("c") != nil {
		t.Error("one number opened the breaker")
	}
}

func TestBreaker_OpensForWritesWhenTwoNumbersAreRefused(t *testing.T) {
	b := newBreakerRig()
	for range 3 {
		b.refuseWrite("+15551230000", false, refusedAccount)
	}
	if b.allowWrite("c") != nil {
		t.Fatal("one number's refusals opened the breaker")
	}
	b.wrote()
	b.refuseWrite("+15551230001", false, refusedAccount)
	if b.allowWrite("c") != nil {
		t.Fatal("two numbers' refusals with a success in between opened the breaker")
	}
	if alarm := b.refuseWrite("+15551230002", false, refusedAccount); !alarm {
		t.Error("no alarm")
	}
	open := b.allowWrite("c")
	if open == nil || open.reason != ledger.AccountBlocked {
		t.Errorf("got %v, want it open because of the account", open)
	}
	if b.allow(t.Context()) != nil {
		t.Error("reads are stopped as well")
	}
	if _, recovered := b.wrote(); !recovered || b.allowWrite("c") != nil || b.err() != nil {
		t.Error("a write that was accepted does not close it")
	}
	if _, recovered := b.wrote(); recovered {
		t.Error("closed twice")
	}
}

// A number that is refused for another reason must not use up all trials.
func TestBreaker_TrialsRotateBetweenCampaigns(t *testing.T) {
	b := newBreakerRig()
	b.refuseWrite("1", false, refusedAccount)
	b.refuseWrite("2", false, refusedAccount)
	campaigns := []string{"a", "b", "c"}
	for i, c := range campaigns {
		open, want := b.allowWrite(c), b.clock.Add(time.Duration(i+1)*trialEvery)
		if open == nil || !open.trialAt.Equal(want) {
			t.Fatalf("%s: got %v, want its trial at %s", c, open, want)
		}
	}
	var trials []string
	for range 6 {
		b.clock = b.clock.Add(trialEvery)
		for range 2 {
			for _, c := range campaigns {
				if b.allowWrite(c) == nil {
					trials = append(trials, c)
					b.refuseWrite(c, false, refusedAccount)
				}
			}
		}
	}
	counts := map[string]int{}
	for _, c := range trials {
		counts[c]++
	}
	if len(trials) != 6 || counts["a"] != 2 || counts["b"] != 2 || counts["c"] != 2 {
		t.Errorf("got trials %v in six minutes, want two for each campaign", trials)
	}
}

// The campaign whose turn it is may have nothing left to write.
func TestBreaker_ATurnThatNobodyTakesGoesToTheNext(t *testing.T) {
	b := newBreakerRig()
	b.refuseWrite("1", false, refusedAccount)
	b.refuseWrite("2", false, refusedAccount)
	b.allowWrite("gone")
	b.allowWrite("b")
	b.clock = b.clock.Add(trialEvery)
	if b.allowWrite("b") == nil {
		t.Fatal("b was let through before the other's turn was over")
	}
	b.clock = b.clock.Add(trialPatience + time.Second)
	if open := b.allowWrite("b"); open != nil {
		t.Errorf("got %v, want b to have the turn that nobody took", open)
	}
}

// If nothing is left to write, no trial is sent, and nothing shows that the account works
// again.
func TestBreaker_ClosesForWritesWhenNobodyAsks(t *testing.T) {
	b := newBreakerRig()
	b.refuseWrite("1", false, refusedAccount)
	b.refuseWrite("2", false, refusedAccount)
	b.clock = b.clock.Add(writesForgotten)
	if b.err() == nil {
		t.Error("it closed while a trial may still be asked for")
	}
	b.clock = b.clock.Add(2 * trialEvery)
	if err := b.err(); err != nil {
		t.Errorf("after half an hour: %v", err)
	}
}
