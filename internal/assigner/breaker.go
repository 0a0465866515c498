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
	// trialEvery is how often an open circuit breaker lets one call through.
	trialEvery = time.Minute
	// writesForgotten is how long after the time of its next trial an open circuit breaker
	// closes if no write asks for that trial: nothing is left to write.
	writesForgotten = 30 * time.Minute
	// keyCheckLasts is how long the answer to a key check counts. It is shorter than the time
	// between two reads that confirm each other.
	keyCheckLasts = 2 * time.Second
	// keyCheckTimeout bounds a key check.
	keyCheckTimeout = 10 * time.Second
	// trialPatience is how long the campaign that is next may leave its trial unused before
	// the following campaign gets it.
	trialPatience = 15 * time.Second
)

// breaker is the circuit breaker of the account. It opens in two ways:
//
//   - Telnyx refuses the key, which a call that names no number or campaign shows. Then
//     nothing is read or written. It closes when that call, once a minute, succeeds.
//   - Telnyx refuses writes because of the account, for two different numbers without a
//     success in between. Then it lets one write a minute through, from each waiting campaign
//     in turn, so that one refused number does not block other campaigns. The first accepted
//     write closes it.
//
// Safe for concurrent use.
type breaker struct {
	now func() time.Time
	// checkKey makes the call that shows whether the key is accepted. recovered is called when
	// it is accepted again.
	checkKey  func(context.Context) error
	recovered func()

	checking sync.Mutex // guards checked and checkedAt
	// checked is the class of the latest answer to checkKey, empty if the key was accepted.
	checked   telnyx.ErrorClass
	checkedAt time.Time

	mu     sync.Mutex // guards the fields below
	key    *outage
	writes *outage
	// refused is the number that was last refused because of the account.
	refused string
	// waiting are the campaigns whose writes were blocked, the next one first.
	waiting []string
}

// outage is why the breaker is open.
type outage struct {
	reason  ledger.Reason
	detail  string
	trialAt time.Time
}

// openError is the error of work that an open breaker blocked.
type openError struct{ outage }

func (e *openError) Error() string {
	return fmt.Sprintf("circuit breaker open until %s (%s): %s", e.trialAt.UTC().Format(time.RFC3339), e.reason, e.detail)
}

// check makes a call that names no number or campaign, and returns the class of its error,
// empty if it succeeded. Concurrent callers share an answer.
func (b *breaker) check(ctx context.Context) telnyx.ErrorClass {
	b.checking.Lock()
	defer b.checking.Unlock()
	if now := b.now(); b.checkedAt.IsZero() || now.Sub(b.checkedAt).Abs() >= keyCheckLasts {
		ctx, cancel := context.WithTimeout(ctx, keyCheckTimeout)
		defer cancel()
		b.checked = telnyx.Classify(b.checkKey(ctx))
		b.checkedAt = b.now()
	}
	return b.checked
}

// allow returns nil unless the key is refused. If a trial is due, it makes it.
func (b *breaker) allow(ctx context.Context) *openError {
	if open := b.keyOutage(); open == nil || b.now().Before(open.trialAt) {
		return open
	}
	class := b.check(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.key == nil:
		return nil // another trial succeeded
	case class == "":
		b.key = nil
		b.recovered()
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

// refuseKey opens the breaker for everything. It reports an alarm if it was closed before.
func (b *breaker) refuseKey(cause error) (open *openError, alarm bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	alarm = b.key == nil
	b.key = &outage{ledger.Unauthorized, errorWords(cause), b.now().Add(trialEvery)}
	return &openError{*b.key}, alarm
}

// refuseWrite notes that Telnyx refused a number because of the account. It reports an alarm
// if that opens the breaker for writes, or if the number now needs a person.
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

// wrote notes that Telnyx accepted a write. It reports whether that closes the breaker, and
// which campaigns waited.
func (b *breaker) wrote() (waiting []string, recovered bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	waiting, recovered = b.waiting, b.writes != nil
	b.refused, b.writes, b.waiting = "", nil, nil
	return waiting, recovered
}

// expire closes the breaker for writes if no write has asked for a long time. The caller must
// hold b.mu.
func (b *breaker) expire() {
	if b.writes != nil && b.now().Sub(b.writes.trialAt) > writesForgotten {
		b.refused, b.writes, b.waiting = "", nil, nil
	}
}

// allowWrite returns nil if a campaign may write, else until when it must wait. A write during
// an outage uses up the campaign's turn.
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
