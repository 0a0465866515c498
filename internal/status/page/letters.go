package page

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
)

// lettersPerPage is fewer than other rows, since each is read from NATS by itself.
const lettersPerPage = 25

// mostProbes bounds the places that are tried for one page: where letters were
// requeued there are none.
const mostProbes = 500

// lettersBefore reads the latest dead letters that were stored before the one with a
// sequence, the latest first. Older is the sequence to go on with, 0 at the end.
func lettersBefore(ctx context.Context, js jetstream.JetStream, before uint64) (letters []events.StoredLetter, older uint64, total int, err error) {
	stream, err := js.Stream(ctx, events.StreamDeadLetters)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, 0, 0, nil
	}
	if err != nil {
		return nil, 0, 0, fmt.Errorf("look up stream %s: %w", events.StreamDeadLetters, err)
	}
	state := stream.CachedInfo().State
	total = int(state.Msgs)
	at := min(before, state.LastSeq+1)
	for probes := 0; total > 0 && at > state.FirstSeq && len(letters) < lettersPerPage && probes < mostProbes; probes++ {
		at--
		letter, err := events.DeadLetterAt(ctx, js, at)
		if errors.Is(err, events.ErrNoDeadLetter) {
			continue
		}
		if err != nil {
			return nil, 0, 0, err
		}
		letters = append(letters, letter)
	}
	if total == 0 || at <= state.FirstSeq {
		at = 0
	}
	return letters, at, total, nil
}

// sequence reads where the dead letters of a page begin; from the latest, unless
// told otherwise.
func sequence(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 {
		return math.MaxUint64
	}
	return n
}
