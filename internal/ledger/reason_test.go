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

// constants returns the values of a file's constants of the given type, in the
// order in which they stand there.
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
					t.Errorf("%q is no sentence", sentence)
				}
			}
		})
	}
}

// isSentence reports whether a text begins with a capital and ends with a stop.
func isSentence(text string) bool {
	return text[0] >= 'A' && text[0] <= 'Z' && strings.HasSuffix(text, ".")
}

func TestAdvice_IsEmptyForNoReason(t *testing.T) {
	if got := ledger.Reason("").Advice(); got != (ledger.Advice{}) {
		t.Errorf("got %+v, want none", got)
	}
}

func TestSentence_TellsEveryPhaseApart(t *testing.T) {
	unknown := ledger.Phase("no phase").Sentence()
	seen := map[string]string{}
	for _, word := range constants(t, "state.go", "Phase") {
		sentence := ledger.Phase(word).Sentence()
		if sentence == unknown || !isSentence(sentence) {
			t.Errorf("phase %s: got %q, want a sentence of its own", word, sentence)
		}
		if other, twice := seen[sentence]; twice {
			t.Errorf("phases %s and %s have the same sentence", word, other)
		}
		seen[sentence] = word
	}
}

func TestNeedsPerson_IsTrueForTheLastThree(t *testing.T) {
	var got []ledger.State
	for _, state := range ledger.States() {
		if state.NeedsPerson() {
			got = append(got, state)
		}
	}
	if diff := cmp.Diff([]ledger.State{ledger.Conflict, ledger.Failed, ledger.Held}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
