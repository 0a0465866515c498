package ledger

import (
	"context"
	"testing"

	"greenlight/internal/testkit"
)

// A server that does not answer proves nothing about its buckets.
func TestIsMadeAgain_NeedsAnAnswer(t *testing.T) {
	t.Parallel()
	js := testkit.JetStream(t, testkit.Embedded(t))
	l, err := Create(t.Context(), js, 1)
	if err != nil {
		t.Fatal(err)
	}
	began, err := created(t.Context(), js)
	if err != nil {
		t.Fatal(err)
	}
	if l.isRecreated(t.Context(), began) {
		t.Error("the buckets that were there count as others")
	}
	silent, cancel := context.WithCancel(t.Context())
	cancel()
	if l.isRecreated(silent, began) {
		t.Error("without an answer the buckets count as lost")
	}
	if err := js.DeleteKeyValue(t.Context(), bucketState); err != nil {
		t.Fatal(err)
	}
	if !l.isRecreated(t.Context(), began) {
		t.Error("a lost bucket was not noticed")
	}
}
