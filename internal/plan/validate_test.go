package plan

import (
	"errors"
	"testing"
)

// TestLoad_RefusesInTheseWords pins the whole text of every refusal: the files of
// testdata/faults are what people will read.
func TestLoad_RefusesInTheseWords(t *testing.T) {
	eachFixture(t, "faults", func(t *testing.T, f fixture) {
		set, err := loadFS(f.plans(t), ".")
		if set != nil {
			t.Error("a set came back with the faults")
		}
		if _, ok := errors.AsType[Faults](err); !ok {
			t.Fatalf("got error %v, want Faults", err)
		}
		f.want(t, err.Error()+"\n")
	})
}
