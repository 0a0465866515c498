package plan

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestFaults_AreErrorsOneByOne(t *testing.T) {
	_, err := LoadBytes("plan.yaml", []byte("version: 2\ncampaigns:\n"))
	wrapped := fmt.Errorf("reload: %w", err)
	faults, ok := errors.AsType[Faults](wrapped)
	if !ok || len(faults) != 2 {
		t.Fatalf("got %v, want two faults", err)
	}
	first, ok := errors.AsType[*Fault](wrapped)
	if !ok || first != faults[0] {
		t.Errorf("got %v, want the first fault", first)
	}
	if !errors.Is(wrapped, faults[1]) {
		t.Error("the second fault is not found in the error")
	}
	if got, want := faults.Error(), faults[0].Error()+"\n"+faults[1].Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFault_HasPositionWhatWhyAndFix(t *testing.T) {
	fault := &Fault{Position{"a.yaml", 3, 7}, "name", "is empty", "write one"}
	if got, want := fault.Error(), "a.yaml:3:7: name: is empty; write one"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestLoad_BoundsTheFaultsOfAFile: a file of garbage ends with a fault that says so, and
// does not hide the faults of another file.
func TestLoad_BoundsTheFaultsOfAFile(t *testing.T) {
	var c collector
	for line := range 3 * maxFaults {
		c.add(Position{"rubbish.yaml", line + 1, 1}, "x", "y", "z")
	}
	c.add(Position{"a.yaml", 1, 1}, "x", "y", "z")
	faults := c.err().(Faults)
	if len(faults) != maxFaults+2 || faults[0].File != "a.yaml" {
		t.Fatalf("got %d faults, the first in %s", len(faults), faults[0].File)
	}
	if last := faults[len(faults)-1].Error(); !strings.HasSuffix(last, "file: has more than 1000 faults; fix the others first to see the rest") {
		t.Errorf("got last fault %s", last)
	}
}
