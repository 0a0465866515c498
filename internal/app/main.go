package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// ExitCode is an error that carries the code with which the program ends. An
// error without one ends it with 1.
type ExitCode struct {
	Code int
	// Err is what is printed. Nil prints nothing: everything was said.
	Err error
}

func (e *ExitCode) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

func (e *ExitCode) Unwrap() error { return e.Err }

// hangups are the SIGHUPs since it was made.
type hangups chan os.Signal

// catchHangups takes SIGHUP, which ends a process that does not, from now on: one may
// come while the process starts.
func catchHangups() hangups {
	h := make(hangups, 1)
	signal.Notify(h, syscall.SIGHUP)
	return h
}

// relay calls f on every SIGHUP until stop is called. After that they are caught and
// mean nothing: one must not end a process whose other parts are still stopping.
func (h hangups) relay(f func()) (stop func()) {
	done := make(chan struct{})
	var relay sync.WaitGroup
	relay.Go(func() {
		for {
			select {
			case <-h:
				f()
			case <-done:
				return
			}
		}
	})
	return func() {
		close(done)
		relay.Wait()
	}
}

// Main is the frame around a program: it runs run until it ends by itself or the
// process is told to stop (interrupt, SIGTERM), prints its error, and returns the
// exit code. A second signal ends the process at once.
func Main(name string, run func(context.Context) error) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	err := run(ctx)
	if err == nil {
		return 0
	}
	code, coded := errors.AsType[*ExitCode](err)
	if !coded {
		code = &ExitCode{Code: 1, Err: err}
	}
	if code.Err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, code.Err)
	}
	return code.Code
}
