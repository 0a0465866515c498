package ledger_test

import (
	"os"
	"strings"
	"testing"

	"greenlight/internal/ledger"
)

// Every reason and state has a row, and every phase is named.
func TestReasons_AreExplainedInOperations(t *testing.T) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, reason := range ledger.Reasons() {
		if !strings.Contains(page, "\n| `"+string(reason)+"` | ") {
			t.Errorf("docs/operations.md has no row for the reason %s", reason)
		}
	}
	for _, state := range ledger.States() {
		if !strings.Contains(page, "\n| `"+string(state)+"` | ") {
			t.Errorf("docs/operations.md has no row for the state %s", state)
		}
	}
	for _, phase := range ledger.Phases() {
		if !strings.Contains(page, "`"+string(phase)+"`") {
			t.Errorf("docs/operations.md does not name the phase %s", phase)
		}
	}
}
