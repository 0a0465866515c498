package plan

import (
	"errors"
	"testing"
)

// TestLoad_ReportsTheseFaults pins the text of every fault: testdata/faults shows what
// people will read.
func TestLoad_ReportsTheseFaults(t *testing.T) {
	eachFixture(t, "faults", func(t *testing.T, f fixture) {
		set, err := loadFS(f.plans(t), ".")
		if set != nil {
			t.Error("got a set with the faults")
		}
		if _, ok := errors.AsType[Faults](err); !ok {
			t.Fatalf("got error %v, want Faults", err)
		}
		f.want(t, err.Error()+"\n")
	})
}
