package ledger_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"greenlight/internal/ledger"
)

// constants returns the values of a file's constants of the given type, in order.
func constants(t *testing.T, file, typeName string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	must(t, err)
	var values []string
	for node := range ast.Preorder(parsed) {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			continue
		}
		if of, ok := spec.Type.(*ast.Ident); !ok || of.Name != typeName || len(spec.Values) != 1 {
			continue
		}
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			continue
		}
		value, err := strconv.Unquote(literal.Value)
		must(t, err)
		values = append(values, value)
	}
	if len(values) == 0 {
		t.Fatalf("%s has no constants of type %s", file, typeName)
	}
	return values
}

func TestReasons_AreAllThatAreDeclared(t *testing.T) {
	want := constants(t, "reason.go", "Reason")
	if diff := cmp.Diff(want, words(ledger.Reasons())); diff != "" {
		t.Errorf("Reasons (-declared +listed):\n%s", diff)
	}
}

func TestStates_AreAllThatAreDeclared(t *testing.T) {
	want := constants(t, "state.go", "State")
	if diff := cmp.Diff(want, words(ledger.States())); diff != "" {
		t.Errorf("States (-declared +listed):\n%s", diff)
	}
}

func words[T ~string](list []T) []string {
	var all []string
	for _, word := range list {
		all = append(all, string(word))
	}
	return all
}

func TestAdvice_HasSentencesForEveryReason(t *testing.T) {
	for _, word := range constants(t, "reason.go", "Reason") {
		t.Run(word, func(t *testing.T) {
			advice := ledger.Reason(word).Advice()
			if advice.Why == "" || advice.Next == "" {
				t.Errorf("got %+v, want Why and Next", advice)
			}
			for _, sentence := range []string{advice.Why, advice.Next, advice.Action} {
				if sentence != "" && !isSentence(sentence) {
					t.Errorf("%q is not a sentence", sentence)
				}
			}
		})
	}
}

// isSentence reports whether a text starts with a capital letter and ends with a period.
func isSentence(text string) bool {
	return text[0] >= 'A' && text[0] <= 'Z' && strings.HasSuffix(text, ".")
}

func TestAdvice_IsEmptyForNoReason(t *testing.T) {
	if got := ledger.Reason("").Advice(); got != (ledger.Advice{}) {
		t.Errorf("got %+v, want none", got)
	}
}

func TestSentence_IsDifferentForEveryPhase(t *testing.T) {
	unknown := ledger.Phase("none").Sentence()
	seen := map[string]string{}
	for _, word := range constants(t, "state.go", "Phase") {
		sentence := ledger.Phase(word).Sentence()
		if sentence == unknown || !isSentence(sentence) {
			t.Errorf("phase %s: got %q, want its own sentence", word, sentence)
		}
		if other, twice := seen[sentence]; twice {
			t.Errorf("phases %s and %s have the same sentence", word, other)
		}
		seen[sentence] = word
	}
}

func TestPhases_AreAllThatAreDeclared(t *testing.T) {
	want := constants(t, "state.go", "Phase")
	if diff := cmp.Diff(want, words(ledger.Phases())); diff != "" {
		t.Errorf("Phases (-declared +listed):\n%s", diff)
	}
}

func TestPhase_GivesWaitingNumbersItsReason(t *testing.T) {
	for _, test := range []struct {
		phase       ledger.Phase
		reason      ledger.Reason
		needsPerson bool
	}{
		{ledger.PhaseUnread, "", false},
		{ledger.PhaseInReview, ledger.CampaignInReview, false},
		{ledger.PhaseApproved, "", false},
		{ledger.PhaseSuspended, ledger.CampaignSuspended, false},
		{ledger.PhaseRejected, ledger.CampaignRejected, true},
		{ledger.PhaseExpired, ledger.CampaignExpired, true},
		{ledger.PhaseMissing, ledger.CampaignMissing, true},
		{ledger.PhaseUnknown, ledger.CampaignUnknown, true},
	} {
		if got := test.phase.Reason(); got != test.reason {
			t.Errorf("%s: got reason %q, want %q", test.phase, got, test.reason)
		}
		if test.reason != "" && !test.reason.OfCampaign() {
			t.Errorf("%s: reason %s is not one of the campaign", test.phase, test.reason)
		}
		if got := test.phase.NeedsPerson(); got != test.needsPerson {
			t.Errorf("%s: got needs person %t, want %t", test.phase, got, test.needsPerson)
		}
	}
	for _, reason := range []ledger.Reason{"", ledger.CampaignFull, ledger.Queued, ledger.NotOwned} {
		if reason.OfCampaign() {
			t.Errorf("%q counts as the reason of a phase", reason)
		}
	}
}

func TestReason_OfAccountIsTrueForTheKeyAndTheAccount(t *testing.T) {
	var got []ledger.Reason
	for _, reason := range ledger.Reasons() {
		if reason.OfAccount() {
			got = append(got, reason)
		}
	}
	if diff := cmp.Diff([]ledger.Reason{ledger.Unauthorized, ledger.AccountBlocked}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAdvise_ExplainsEveryStateAndReason(t *testing.T) {
	for _, state := range ledger.States() {
		for _, reason := range append(ledger.Reasons(), "") {
			advice := ledger.Advise(ledger.Number{State: state, Reason: reason}, ledger.Campaign{})
			if advice.Why == "" || advice.Next == "" {
				t.Errorf("%s (%s): got %+v, want Why and Next", state, reason, advice)
			}
		}
	}
}

func TestAdvise_AddsTheProblemOfCampaignOrAccount(t *testing.T) {
	for name, test := range map[string]struct {
		n    ledger.Number
		c    ledger.Campaign
		want ledger.Advice
	}{
		"waits for a rejected campaign": {
			n:    ledger.Number{State: ledger.Planned, Reason: ledger.CampaignRejected},
			c:    ledger.Campaign{Phase: ledger.PhaseRejected},
			want: ledger.CampaignRejected.Advice(),
		},
		"on a suspended campaign": {
			n: ledger.Number{State: ledger.Attached, Reason: ledger.CampaignSuspended},
			want: ledger.Advice{
				Why:    "The number is on the campaign, but carriers may block its messages: The campaign is suspended.",
				Next:   ledger.CampaignSuspended.Advice().Next,
				Action: ledger.CampaignSuspended.Advice().Action,
			},
		},
		"the key is refused": {
			n: ledger.Number{State: ledger.Planned, Reason: ledger.Queued},
			c: ledger.Campaign{Phase: ledger.PhaseApproved, Reason: ledger.Unauthorized},
			want: ledger.Advice{
				Why:    ledger.Queued.Advice().Why + " At the moment nothing is sent for the account: Telnyx refuses the API key.",
				Next:   ledger.Unauthorized.Advice().Next,
				Action: ledger.Unauthorized.Advice().Action,
			},
		},
		"the campaign cannot be read, and the number has its own action": {
			n: ledger.Number{State: ledger.Failed, Reason: ledger.NotOwned},
			c: ledger.Campaign{Phase: ledger.PhaseApproved, Reason: ledger.TelnyxUnavailable},
			want: ledger.Advice{
				Why:    ledger.NotOwned.Advice().Why + " At the moment its campaign cannot be read: " + ledger.TelnyxUnavailable.Advice().Why,
				Next:   ledger.TelnyxUnavailable.Advice().Next,
				Action: ledger.NotOwned.Advice().Action,
			},
		},
		"both have the same reason": {
			n:    ledger.Number{State: ledger.Planned, Reason: ledger.Unauthorized},
			c:    ledger.Campaign{Phase: ledger.PhaseApproved, Reason: ledger.Unauthorized},
			want: ledger.Unauthorized.Advice(),
		},
		"sendable while the key is refused": {
			n:    ledger.Number{State: ledger.Sendable},
			c:    ledger.Campaign{Phase: ledger.PhaseApproved, Reason: ledger.Unauthorized},
			want: ledger.Advise(ledger.Number{State: ledger.Sendable}, ledger.Campaign{}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, ledger.Advise(test.n, test.c)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTries_CountsEachKindInWords(t *testing.T) {
	for want, tries := range map[string]ledger.Tries{
		"":                        {},
		"3 refused":               {Refused: 3},
		"2 refused, 1 unanswered": {Refused: 2, Unanswered: 1},
		"1 failed at the carriers, 4 put off, 5 not on the account": {Failed: 1, Busy: 4, Absent: 5},
	} {
		if got := tries.String(); got != want {
			t.Errorf("%+v: got %q, want %q", tries, got, want)
		}
	}
}

func TestState_TriesAgainWhereTheNumberIsNotOnItsWay(t *testing.T) {
	var got []ledger.State
	for _, state := range ledger.States() {
		if state.TriesAgain() {
			got = append(got, state)
		}
	}
	if diff := cmp.Diff([]ledger.State{ledger.Planned, ledger.Conflict, ledger.Failed}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
