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
	// createTimeout bounds one try to create the streams. A cluster may take seconds, and a
	// webhook must not wait long for a silent server, since it could already answer 503.
	createTimeout = 5 * time.Second
	// joinTimeout bounds one try of an assigner to join, which reads the whole ledger.
	joinTimeout = time.Minute
	// retryEvery is the wait between two tries.
	retryEvery = 500 * time.Millisecond
	// maxReasons bounds the reasons that are logged for one attempt.
	maxReasons = 20
)

// attempt is work that needs the NATS server. It is tried until it has succeeded once. It is
// safe for concurrent use, except that once and until have one caller at a time.
type attempt struct {
	// what is the work as a clause, for example "create the streams".
	what string
	// timeout bounds one try.
	timeout time.Duration
	try     func(context.Context) error
	// done is closed after the success.
	done chan struct{}
	// logged are the reasons that were logged. They belong to until.
	logged map[string]bool

	mu  sync.Mutex
	err error // of the last try
}

func newAttempt(what string, timeout time.Duration, try func(context.Context) error) *attempt {
	return &attempt{what: what, timeout: timeout, try: try, done: make(chan struct{}), logged: map[string]bool{}}
}

// once tries once.
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

// until tries until it succeeds or ctx ends, and reports success.
func (a *attempt) until(ctx context.Context, log zerolog.Logger) bool {
	for !a.isDone() {
		err := a.once(ctx)
		if err == nil {
			log.Info().Msg("retry succeeded: " + a.what)
			break
		}
		if ctx.Err() != nil {
			return false
		}
		a.logOnce(log, err)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(retryEvery):
		}
	}
	return true
}

// logOnce logs a reason that was not logged yet. Two reasons may alternate.
func (a *attempt) logOnce(log zerolog.Logger, err error) {
	if a.logged[err.Error()] || len(a.logged) >= maxReasons {
		return
	}
	a.logged[err.Error()] = true
	if events.Misconfigured(err) {
		log.Error().Err(err).Msg("cannot " + a.what + " until the configuration is fixed; trying again")
		return
	}
	log.Warn().Err(err).Msg("cannot " + a.what + " yet; trying again")
}

// wait waits for the success or the end of ctx, and reports whether ctx still runs.
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

// pending returns nil after the success, before it an error with the last reason.
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
