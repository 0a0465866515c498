package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/app"
	"greenlight/internal/plan"
	"greenlight/internal/status"
)

type statusCommand struct {
	What    string        `arg:"" optional:"" predictor:"campaign" help:"Show only this, in detail: a plan's name or file, a campaign's id (Telnyx's or TCR's), or a number (+15551234567)."`
	JSON    bool          `help:"Print JSON."`
	Wait    bool          `help:"Wait until every number is attached or something needs a person. The exit code says which."`
	Timeout time.Duration `placeholder:"D" help:"With --wait: the longest time to wait, for example 10m. Default: no limit."`
	Plans   string        `placeholder:"PATH" help:"Compare with these plan files, which may be newer than what Greenlight has read."`
	Watch   bool          `help:"Show changes as they happen, until Ctrl-C or the end of --wait."`
	where
	// planned and fault are the result of loading --plans.
	planned *plan.Set
	fault   error
}

// Help is what kong prints under the command's own help.
func (c *statusCommand) Help() string {
	return `Reads from the NATS server at NATS_URL. Without it, from a greenlight up that runs on the same data folder.
Exits with 0, or with 1 if NATS cannot be reached. With --wait, or when --timeout has passed, it exits with
  0  if every number is attached
  2  if some are not attached yet
  3  if something needs a person, including faults in plan files
--watch --json prints one document per line for each change.`
}

// waitCodes are the exit codes of --wait.
var waitCodes = map[status.Progress]int{status.AllAttached: 0, status.NotYet: 2, status.NeedsPerson: 3}

// Run prints the status of everything, or of what was named.
func (c *statusCommand) Run(ctx context.Context, out output) error {
	if c.Timeout != 0 && !c.Wait {
		return errors.New("--timeout requires --wait")
	}
	if c.Plans != "" {
		if _, err := os.Stat(c.Plans); err != nil {
			return fmt.Errorf("--plans: %s cannot be read; check the path and its permissions", plan.Printable(c.Plans))
		}
		c.planned, c.fault = plan.Load(c.Plans)
	}
	if c.Wait || c.Watch {
		return c.stay(ctx, func(ctx context.Context, js jetstream.JetStream) error { return c.follow(ctx, js, out) })
	}
	return c.stay(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		snapshot, found, err := c.read(ctx, js)
		switch {
		case err != nil:
			return err
		case !found:
			return c.unknown()
		}
		return c.write(out.Stdout, snapshot)
	})
}

const (
	// readTimeout bounds reading the ledger. Half a million numbers take about 20 s.
	readTimeout = 2 * time.Minute
	// readTries is how often it is read at most: a restart of the server may end a read.
	readTries = 3
)

// read reads the status of what was named.
func (c *statusCommand) read(ctx context.Context, js jetstream.JetStream) (s status.Snapshot, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	all, err := status.Read(ctx, js, time.Now())
	if err != nil {
		return s, false, err
	}
	s, found = c.about(all)
	return s, found, nil
}

// about returns the part of the status that was named.
func (c *statusCommand) about(all status.Snapshot) (status.Snapshot, bool) {
	if c.Plans != "" {
		all = all.Against(c.planned, c.fault)
	}
	if c.What == "" {
		return all, true
	}
	return all.About(c.What)
}

func (c *statusCommand) unknown() error {
	return fmt.Errorf("%s: the ledger has no plan, campaign or number of that name; greenlight status lists them", status.Plain(c.What, 100))
}

func (c *statusCommand) write(w io.Writer, s status.Snapshot) error {
	if !c.JSON {
		return s.WriteText(w, textOptions(w))
	}
	encoder := json.NewEncoder(app.Raw(w))
	if !c.Watch {
		encoder.SetIndent("", "  ")
	}
	return encoder.Encode(s)
}

// textOptions returns the options for the terminal or file that w is.
func textOptions(w io.Writer) status.TextOptions {
	return status.TextOptions{Color: app.WantsColour(w), Zone: time.Local, Width: app.Width(w)}
}

// errSettled stops following changes: there is nothing more to wait for.
var errSettled = errors.New("settled")

// follow shows changes, or waits until everything is settled.
func (c *statusCommand) follow(ctx context.Context, js jetstream.JetStream, out output) error {
	var latest status.Snapshot
	found := false
	if c.Timeout > 0 {
		// The current status is printed even if the time is too short to follow changes.
		var err error
		if latest, found, err = c.read(ctx, js); err != nil {
			return err
		}
		bounded, cancel := context.WithTimeout(ctx, c.Timeout)
		defer cancel()
		ctx = bounded
	}
	var silent atomic.Bool // JetStream may not answer on a connection that works
	show, end := c.screen(out.Stdout, func() bool { return js.Conn().IsConnected() && !silent.Load() })
	err := status.Follow(ctx, js, time.Now, func(all status.Snapshot) error {
		silent.Store(false)
		latest, found = c.about(all)
		if !found {
			return nil
		}
		if c.Watch {
			if err := show(latest); err != nil {
				return err
			}
		}
		if !c.Wait || latest.Progress() == status.NotYet {
			return nil
		}
		// A campaign's record may arrive before those of its numbers, so everything is read again.
		for try := 1; ; try++ {
			again, there, err := c.read(ctx, js)
			switch {
			case err == nil && there && again.Progress() != status.NotYet:
				latest = again
				return errSettled
			case err == nil, !js.Conn().IsConnected():
				return nil // there will be a change, or everything is read again after the outage
			case try == readTries:
				return err
			}
			select {
			case <-ctx.Done():
				return err
			case <-time.After(time.Second):
			}
		}
	}, func(why string) {
		silent.Store(true)
		if app.Width(out.Stdout) == 0 || !c.Watch { // the screen says it
			fmt.Fprintln(out.Stderr, why, "Waiting for the server.")
		}
	})
	end()
	switch {
	case err != nil && !errors.Is(err, errSettled) && ctx.Err() == nil:
		return err
	case !c.Wait:
		return nil // stopped with Ctrl-C
	case !found:
		return &app.ExitCode{Code: waitCodes[status.NotYet], Err: c.unknown()}
	}
	if !c.Watch || app.Width(out.Stdout) > 0 {
		if err := c.write(out.Stdout, latest); err != nil {
			return err
		}
	}
	if code := waitCodes[latest.Progress()]; code != 0 {
		return &app.ExitCode{Code: code} // the status is the message
	}
	return nil
}

// screen returns a function that shows a change, and one that restores the terminal. On
// a terminal a change is drawn over the last one, otherwise it is printed below it.
func (c *statusCommand) screen(w io.Writer, live func() bool) (show func(status.Snapshot) error, end func()) {
	if c.JSON || app.Width(w) == 0 {
		return func(s status.Snapshot) error { return c.show(w, s) }, func() {}
	}
	s := &screen{w: w, live: live, command: c.once()}
	return s.show, s.end
}

// once returns the command that shows the same in full, without --watch.
func (c *statusCommand) once() string {
	what := status.Plain(c.What, 100)
	if strings.ContainsAny(what, " ()'*") {
		what = strconv.Quote(what)
	}
	return strings.TrimSpace("greenlight status " + what)
}

// screen draws snapshots on a terminal, each over the last one. It redraws every second,
// because times are relative to now and the window may have been resized.
type screen struct {
	w       io.Writer
	mu      sync.Mutex
	latest  status.Snapshot
	stop    chan struct{} // nil until something is drawn
	ticking sync.WaitGroup
	// live reports whether changes can arrive. While it does not, lost is since when.
	live func() bool
	lost time.Time
	// command shows what the screen has no room for.
	command string
}

func (s *screen) show(latest status.Snapshot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest = latest
	if s.stop == nil {
		s.stop = make(chan struct{})
		io.WriteString(s.w, enterScreen)
		s.ticking.Go(s.tick)
	}
	return s.draw()
}

func (s *screen) tick() {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-s.stop:
			return
		case at := <-ticker.C:
			s.mu.Lock()
			switch {
			case s.live():
				s.latest.At, s.lost = at.UTC(), time.Time{}
			case s.lost.IsZero():
				s.lost = at
			}
			_ = s.draw() // the next change reports the error
			s.mu.Unlock()
		}
	}
}

// draw draws the latest snapshot. s.mu is held.
func (s *screen) draw() error {
	columns, rows := app.Size(s.w)
	head := "Live at " + s.latest.At.In(time.Local).Format(time.TimeOnly) + "; stop with Ctrl-C.\n\n"
	if !s.lost.IsZero() {
		head = "NOT LIVE: no answer from NATS since " + s.lost.In(time.Local).Format(time.TimeOnly) + ". What follows is older.\n" +
			"Waiting for the server.\n\n"
	}
	options := textOptions(s.w)
	options.Command = s.command
	options.Rows = max(rows-strings.Count(head, "\n"), 1)
	var frame bytes.Buffer
	if err := s.latest.WriteText(&frame, options); err != nil {
		return err
	}
	_, err := io.WriteString(s.w, redraw(head+frame.String(), columns, rows, s.command))
	return err
}

func (s *screen) end() {
	if s.stop == nil {
		return
	}
	close(s.stop)
	s.ticking.Wait()
	io.WriteString(s.w, leaveScreen)
}

// show prints one change below the last one.
func (c *statusCommand) show(w io.Writer, s status.Snapshot) error {
	if !c.JSON {
		if _, err := fmt.Fprintf(w, "== %s\n", s.At.In(time.Local).Format(time.TimeOnly)); err != nil {
			return err
		}
	}
	return c.write(w, s)
}

// Escape sequences that switch to the alternate screen and hide the cursor, and back.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l"
	leaveScreen = "\x1b[?25h\x1b[?1049l"
)

// redraw returns the output that draws a frame over the whole screen without flicker:
// each line is overwritten and only its rest cleared. Lines that do not fit are counted, and
// command shows them.
func redraw(frame string, columns, rows int, command string) string {
	lines := strings.Split(strings.TrimRight(frame, "\n"), "\n")
	if len(lines) > rows {
		lines = append(lines[:rows-1], fmt.Sprintf("… %d more lines: %s", len(lines)-rows+1, command))
	}
	var b strings.Builder
	b.WriteString("\x1b[H")
	for i, line := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(text.Trim(line, columns) + "\x1b[K")
	}
	b.WriteString("\x1b[J")
	return b.String()
}
