package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"greenlight/internal/events"
)

const (
	// makeTimeout bounds one try to make the streams. A cluster may take seconds; one
	// that says nothing must not keep a front door closed that could answer 503.
	makeTimeout = 5 * time.Second
	// joinTimeout bounds one try of an assigner to join, which reads the whole ledger.
	joinTimeout = time.Minute
	// tryAgain is the wait between two tries.
	tryAgain = 500 * time.Millisecond
	// mostTold bounds the reasons that the log is told of one attempt.
	mostTold = 20
)

// attempt is work that needs the NATS server, tried until it is done once. Safe for
// concurrent use, but for one caller of once and until.
type attempt struct {
	// what is the work as a clause, such as "make the streams".
	what string
	// timeout bounds one try.
	timeout time.Duration
	try     func(context.Context) error
	// done is closed when it is done.
	done chan struct{}

	told map[string]bool // by until

	mu  sync.Mutex
	err error // of the last try
}

func newAttempt(what string, timeout time.Duration, try func(context.Context) error) *attempt {
	return &attempt{what: what, timeout: timeout, try: try, done: make(chan struct{}), told: map[string]bool{}}
}

// once tries, and returns the error.
func (a *attempt) once(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	err := a.try(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err = err; err == nil {
		close(a.done)
	}
	return err
}

// until tries until it is done or ctx ends, and reports whether it is done. Each
// reason to try again is told once.
func (a *attempt) until(ctx context.Context, log zerolog.Logger) bool {
	for !a.isDone() {
		err := a.once(ctx)
		if err == nil {
			log.Info().Msg("could " + a.what + ", after all")
			break
		}
		if ctx.Err() != nil {
			return false
		}
		a.tell(log, err)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(tryAgain):
		}
	}
	return true
}

// tell logs the reason of a try, unless it was told before: two reasons may take turns.
func (a *attempt) tell(log zerolog.Logger, err error) {
	if a.told[err.Error()] || len(a.told) >= mostTold {
		return
	}
	a.told[err.Error()] = true
	if events.Misconfigured(err) {
		log.Error().Err(err).Msg("cannot " + a.what + " until somebody mends it; trying again all the time")
		return
	}
	log.Warn().Err(err).Msg("cannot " + a.what + " yet; trying again all the time")
}

// wait waits until it is done or ctx ends, and reports whether it is done and there
// is work to do.
func (a *attempt) wait(ctx context.Context) bool {
	select {
	case <-a.done:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

func (a *attempt) isDone() bool {
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

// pending returns why it is not done yet, or nil.
func (a *attempt) pending() error {
	if a.isDone() {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil {
		return fmt.Errorf("could not %s yet", a.what)
	}
	return fmt.Errorf("could not %s yet: %w", a.what, a.err)
}
