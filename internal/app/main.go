package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"greenlight/internal/status"
)

// ExitCode is an error with an exit code. The code of other errors is 1.
type ExitCode struct {
	Code int
	// Err is printed. Nil prints nothing.
	Err error
}

func (e *ExitCode) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

func (e *ExitCode) Unwrap() error { return e.Err }

// Main runs a program, prints its error, and returns the exit code. An interrupt or SIGTERM
// ends the context, and a second one the process.
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
		printError(Text(os.Stderr), name, code.Err)
	}
	return code.Code
}

// maxErrorWidth is the longest line of an error on a terminal, in columns.
const maxErrorWidth = 100

// printError prints an error. On a terminal, long lines are wrapped between words.
func printError(w io.Writer, name string, err error) {
	width := min(Width(w), maxErrorWidth)
	var b strings.Builder
	for line := range strings.Lines(fmt.Sprintf("%s: %v", name, err)) {
		line = strings.TrimRight(line, "\n")
		if len(line) <= width || width == 0 {
			b.WriteString(line + "\n")
			continue
		}
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		status.Hang(&b, indent, indent+"  ", line, width)
	}
	_, _ = io.WriteString(w, b.String())
}
