package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/app"
	"greenlight/internal/plan"
	"greenlight/internal/status"
	"greenlight/internal/words"
)

type statusCommand struct {
	What    string        `arg:"" optional:"" help:"A plan's name or file, a campaign's id (Telnyx's or TCR's), or a number (+15551234567): that alone, in more depth."`
	JSON    bool          `help:"Print JSON."`
	Wait    bool          `help:"Wait until every number is attached or something needs a person, and end with a code that says which."`
	Timeout time.Duration `placeholder:"D" help:"With --wait: how long at most, such as 10m. None: for ever."`
	Plans   string        `placeholder:"PATH" help:"Compare with these plan files as they are now, which may be newer than what Greenlight has read."`
	Watch   bool          `help:"Stay, and show each change as it happens, until Ctrl-C or what --wait waits for."`
	where
	// planned and fault are what --plans has.
	planned *plan.Set
	fault   error
}

// Help is what kong prints under the command's own help.
func (c *statusCommand) Help() string {
	return `Asks the NATS server at NATS_URL or, without it, the one of a greenlight up on the same data folder.
Ends with 0. With --wait it ends with 0 if every number is attached, with 2 if not yet, and with 3 if
something needs a person, a fault in the plan files too; when --timeout is over, with the code of where things stand. With 1 if there
is nobody to ask. --watch --json prints one document a line for each change.`
}

// The codes with which --wait ends.
var waitCodes = map[status.Standing]int{status.AllAttached: 0, status.NotYet: 2, status.NeedsPerson: 3}

// Run prints where everything, or what was asked for, stands.
func (c *statusCommand) Run(ctx context.Context, out output) error {
	if c.Timeout != 0 && !c.Wait || c.Timeout < 0 {
		return errors.New("--timeout goes with --wait, and is a time such as 10m")
	}
	if c.Plans != "" {
		if _, err := os.Stat(c.Plans); err != nil {
			return fmt.Errorf("--plans cannot be used: %w", err)
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

// readTimeout bounds reading the ledger: half a million numbers take some twenty
// seconds.
const readTimeout = 2 * time.Minute

// read reads what was asked for.
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

// about returns the part that was asked for.
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
	return fmt.Errorf("%s: the ledger has no plan, campaign or number of that name; greenlight status shows all that it has", words.Plain(c.What, 100))
}

func (c *statusCommand) write(w io.Writer, s status.Snapshot) error {
	if !c.JSON {
		return s.WriteText(w, status.TextOptions{Colour: app.WantsColour(w), Zone: time.Local})
	}
	encoder := json.NewEncoder(w)
	if !c.Watch {
		encoder.SetIndent("", "  ")
	}
	return encoder.Encode(s)
}

// errSettled ends the following of changes: there is nothing more to wait for.
var errSettled = errors.New("settled")

// follow shows changes, or waits for the end of them.
func (c *statusCommand) follow(ctx context.Context, js jetstream.JetStream, out output) error {
	var latest status.Snapshot
	found := false
	if c.Timeout > 0 {
		// The current state is printed even if the time is too short to follow changes.
		var err error
		if latest, found, err = c.read(ctx, js); err != nil {
			return err
		}
		bounded, cancel := context.WithTimeout(ctx, c.Timeout)
		defer cancel()
		ctx = bounded
	}
	show, end := c.screen(out.Stdout)
	err := status.Follow(ctx, js, time.Now, func(all status.Snapshot) error {
		latest, found = c.about(all)
		if !found {
			return nil
		}
		if c.Watch {
			if err := show(latest); err != nil {
				return err
			}
		}
		if c.Wait && latest.Standing() != status.NotYet {
			return errSettled
		}
		return nil
	})
	end()
	switch {
	case err != nil && !errors.Is(err, errSettled) && ctx.Err() == nil:
		return err
	case !c.Wait:
		return nil // somebody has seen enough
	case !found:
		return &app.ExitCode{Code: waitCodes[status.NotYet], Err: c.unknown()}
	}
	if !c.Watch || app.Width(out.Stdout) > 0 {
		if err := c.write(out.Stdout, latest); err != nil {
			return err
		}
	}
	if code := waitCodes[latest.Standing()]; code != 0 {
		return &app.ExitCode{Code: code} // what is printed says why
	}
	return nil
}

// screen returns how a change is shown: drawn over the one before on a terminal,
// else written below it. End gives the terminal back as it was.
func (c *statusCommand) screen(w io.Writer) (show func(status.Snapshot) error, end func()) {
	if c.JSON || app.Width(w) == 0 {
		return func(s status.Snapshot) error { return c.show(w, s) }, func() {}
	}
	s := &screen{w: w}
	return s.show, s.end
}

// screen draws snapshots on a terminal, each over the one before. Between two of them
// it redraws the latest every second, since its times are relative to now, and the
// window may have another size.
type screen struct {
	w       io.Writer
	mu      sync.Mutex
	latest  status.Snapshot
	stop    chan struct{} // nil until something was drawn
	ticking sync.WaitGroup
}

func (s *screen) show(latest status.Snapshot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest = latest
	if s.stop == nil {
		s.stop = make(chan struct{})
		io.WriteString(s.w, otherScreen)
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
			s.latest.At = at.UTC()
			_ = s.draw() // an error shows at the next change
			s.mu.Unlock()
		}
	}
}

// draw draws the latest snapshot. s.mu is held.
func (s *screen) draw() error {
	var frame bytes.Buffer
	if err := s.latest.WriteText(&frame, status.TextOptions{Colour: app.WantsColour(s.w), Zone: time.Local}); err != nil {
		return err
	}
	columns, rows := app.Size(s.w)
	head := "Live at " + s.latest.At.In(time.Local).Format(time.TimeOnly) + "; Ctrl-C ends it."
	_, err := io.WriteString(s.w, redraw(head+"\n\n"+frame.String(), columns, rows))
	return err
}

func (s *screen) end() {
	if s.stop == nil {
		return
	}
	close(s.stop)
	s.ticking.Wait()
	io.WriteString(s.w, ownScreen)
}

// show writes one change below the one before.
func (c *statusCommand) show(w io.Writer, s status.Snapshot) error {
	if !c.JSON {
		if _, err := fmt.Fprintf(w, "== %s\n", s.At.In(time.Local).Format(time.TimeOnly)); err != nil {
			return err
		}
	}
	return c.write(w, s)
}

// What makes a terminal show its other screen, without a cursor, and its own again.
const (
	otherScreen = "\x1b[?1049h\x1b[?25l"
	ownScreen   = "\x1b[?25h\x1b[?1049l"
)

// redraw returns what draws a text over the whole screen without a flicker: each line
// is written over the old one and only the rest of it cleared. What does not fit is
// counted.
func redraw(frame string, columns, rows int) string {
	lines := strings.Split(strings.TrimRight(frame, "\n"), "\n")
	if len(lines) > rows {
		lines = append(lines[:rows-1], fmt.Sprintf("… %d more lines: greenlight status, or name a plan or number", len(lines)-rows+1))
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
