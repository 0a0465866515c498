package embedded_test

import (
	"testing"

	"greenlight/internal/events"
)

// many is how many events come at once: enough for commits of several.
const many = 100

// A process dies in the middle of a batch. Nobody was answered that the batch is stored,
// so it need not be; what matters is that the next process can work.
func TestStart_GoesOnAfterADeathInABatch(t *testing.T) {
	dir := t.TempDir()
	killInABatch(t, dir)
	s := start(t, dir)
	must(t, publish(t, events.NewBatcher(s.js), "lone-", 1))
	must(t, publish(t, events.NewBatcher(s.js), "event-", many))
	if all, batched := s.stored(t); all != 1+many || batched == 0 {
		t.Errorf("%d events are stored, %d of them in commits of several; want %d, some", all, batched, 1+many)
	}
}
