package assigner

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
)

const (
	// trialEvery is how often an open circuit breaker lets one call try.
	trialEvery = time.Minute
	// writesForgotten is how long after its last trial an open circuit breaker closes if
	// nobody has asked for another: nothing is left to write.
	writesForgotten = 30 * time.Minute
	// checkLasts is for how long a call that worked proves that the key is accepted. It is
	// shorter than the time between two readings that prove something.
	checkLasts = 2 * time.Second
	// keyCheckTime is how long that call may take.
	keyCheckTime = 10 * time.Second
	// trialPatience is how long the campaign whose turn it is may take to come for
	// its trial before the next one gets it.
	trialPatience = 15 * time.Second
)

// breaker is the circuit breaker of the account. It opens in two ways:
//
//   - Telnyx refuses the key, as a call that names no number and no campaign proves.
//     Then nothing is read or written. The same call, once a minute, closes it.
//   - Telnyx refuses writes because of the account, for two different numbers with no
//     success in between. Then one write a minute is let through, of each waiting
//     campaign in turn, so that one number that is refused for a reason of its own
//     keeps no other campaign waiting. The first write that is accepted closes it.
//
// Safe for concurrent use.
type breaker struct {
	now func() time.Time
	// checkKey makes the call that proves whether the key is accepted, healed is called
	// when it is again.
	checkKey func(context.Context) error
	healed   func()

	checking sync.Mutex // guards what follows
	// checked is the class of the latest answer to that call, empty if it worked.
	checked   telnyx.ErrorClass
	checkedAt time.Time

	mu     sync.Mutex // guards what follows
	key    *outage
	writes *outage
	// refused is the number that was refused last because of the account.
	refused string
	// waiting are the campaigns whose writes were not let through, the next one first.
	waiting []string
}

// outage is why the breaker is open.
type outage struct {
	reason  ledger.Reason
	detail  string
	trialAt time.Time
}

// openError is the error of work that an open breaker did not let through.
type openError struct{ outage }

func (e *openError) Error() string {
	return fmt.Sprintf("circuit breaker open until %s (%s): %s", e.trialAt.UTC().Format(time.RFC3339), e.reason, e.detail)
}

// check makes a call that names no number and no campaign, and returns the class of its
// error, empty if it worked. An answer counts for a moment, since many ask at once.
func (b *breaker) check(ctx context.Context) telnyx.ErrorClass {
	b.checking.Lock()
	defer b.checking.Unlock()
	if now := b.now(); b.checkedAt.IsZero() || now.Sub(b.checkedAt).Abs() >= checkLasts {
		ctx, cancel := context.WithTimeout(ctx, keyCheckTime)
		defer cancel()
		b.checked = telnyx.Classify(b.checkKey(ctx))
		b.checkedAt = b.now()
	}
	return b.checked
}

// allow lets work through unless the key is refused. When a trial is due it makes it.
func (b *breaker) allow(ctx context.Context) *openError {
	if open := b.keyOutage(); open == nil || b.now().Before(open.trialAt) {
		return open
	}
	class := b.check(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.key == nil:
		return nil // somebody else has tried meanwhile
	case class == "":
		b.key = nil
		b.healed()
		return nil
	case !b.now().Before(b.key.trialAt):
		b.key.trialAt = b.now().Add(trialEvery)
	}
	return &openError{*b.key}
}

func (b *breaker) keyOutage() *openError {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.key == nil {
		return nil
	}
	return &openError{*b.key}
}

// refuseKey opens the breaker for everything. Alarm reports whether it was closed.
func (b *breaker) refuseKey(cause error) (open *openError, alarm bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	alarm = b.key == nil
	b.key = &outage{ledger.Unauthorized, errorWords(cause), b.now().Add(trialEvery)}
	return &openError{*b.key}, alarm
}

// refuseWrite takes in that Telnyx refused a number because of the account. Alarm
// reports whether a person must know: the refusal opens the breaker for writes, or the
// number was refused so often that it needs a person by itself.
func (b *breaker) refuseWrite(number string, needsPerson bool, cause error) (alarm bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	another := b.refused != "" && b.refused != number
	b.refused = number
	if b.writes == nil && !another {
		return needsPerson
	}
	alarm = b.writes == nil
	b.writes = &outage{ledger.AccountBlocked, errorWords(cause), b.now().Add(trialEvery)}
	return alarm
}

// wrote takes in that Telnyx accepted a write. Healed reports whether that closes the
// breaker; waiting are the campaigns whose writes were not let through.
func (b *breaker) wrote() (waiting []string, healed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	waiting, healed = b.waiting, b.writes != nil
	b.refused, b.writes, b.waiting = "", nil, nil
	return waiting, healed
}

// expire closes the breaker for writes if nobody asks any more. b.mu is held.
func (b *breaker) expire() {
	if b.writes != nil && b.now().Sub(b.writes.trialAt) > writesForgotten {
		b.refused, b.writes, b.waiting = "", nil, nil
	}
}

// allowWrite lets a campaign's write through, or says until when it waits. A campaign
// that is let through while the breaker is open has used up its turn.
func (b *breaker) allowWrite(campaign string) *openError {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expire()
	if b.writes == nil {
		return nil
	}
	now := b.now()
	if late := now.Sub(b.writes.trialAt); late > trialPatience && len(b.waiting) > 1 && b.waiting[0] != campaign {
		b.waiting = append(b.waiting[1:], b.waiting[0])
	}
	place := slices.Index(b.waiting, campaign)
	if place < 0 {
		place = len(b.waiting)
		b.waiting = append(b.waiting, campaign)
	}
	if place == 0 && !now.Before(b.writes.trialAt) {
		b.writes.trialAt = now.Add(trialEvery)
		b.waiting = b.waiting[1:]
		return nil
	}
	open := &openError{*b.writes}
	open.trialAt = b.writes.trialAt.Add(time.Duration(place) * trialEvery)
	return open
}

// err returns why the breaker is open, nil if it is closed.
func (b *breaker) err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expire()
	switch {
	case b.key != nil:
		return &openError{*b.key}
	case b.writes != nil:
		return &openError{*b.writes}
	default:
		return nil
	}
}
