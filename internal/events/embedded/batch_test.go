package embedded_test

import (
	"testing"

	"greenlight/internal/events"
)

// many is how many events are published at once: enough for shared commits.
const many = 100

// A process dies in the middle of a batch. The batch was not acknowledged and may be lost,
// but the next process must work.
func TestStart_WorksAfterADeathInABatch(t *testing.T) {
	dir := t.TempDir()
	killInABatch(t, dir)
	s := start(t, dir)
	must(t, publish(t, events.NewBatcher(s.js), "lone-", 1))
	must(t, publish(t, events.NewBatcher(s.js), "event-", many))
	if all, batched := s.stored(t); all != 1+many || batched == 0 {
		t.Errorf("%d events are stored, %d of them in commits of several; want %d, some", all, batched, 1+many)
	}
}
