package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/sync/errgroup"

	"greenlight/internal/ledger"
	"greenlight/internal/terminal"
)

// board draws how far numbers are: on a terminal a table and a bar that are drawn
// over and over in the same place, elsewhere a line for each change.
type board struct {
	w       io.Writer
	width   int // of the terminal; 0 when w is none
	colour  bool
	planned int
	started time.Time

	mu      sync.Mutex
	numbers map[string]ledger.Number
	said    string
	drawn   int // lines on the terminal that the next drawing replaces
}

const (
	// boardRows is how many numbers are drawn one by one.
	boardRows = 15
	barWidth  = 40
)

func newBoard(w io.Writer, planned int) *board {
	return &board{
		w: w, width: terminal.Width(w), colour: terminal.WantsColour(w),
		planned: planned, started: time.Now(), numbers: make(map[string]ledger.Number),
	}
}

// follow draws every change until all planned numbers are sendable. When all are
// staged it calls then, once, beside drawing. It returns the cause of ctx's end
// if that comes first, with how far the numbers are.
func (b *board) follow(ctx context.Context, book *ledger.Ledger, then func() error) error {
	group, working := errgroup.WithContext(ctx)
	working, done := context.WithCancel(working)
	defer done()
	var staged sync.Once
	group.Go(func() error {
		return book.Follow(working, ledger.Follower{Number: func(n ledger.Number) {
			b.change(n)
			if b.count("") == b.planned {
				staged.Do(func() { group.Go(then) })
			}
			if b.count(ledger.Sendable) == b.planned {
				done()
			}
		}})
	})
	err := group.Wait()
	if b.count(ledger.Sendable) == b.planned {
		return nil
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	return fmt.Errorf("%w: %s", err, b.progress())
}

// change takes in one record and draws it.
func (b *board) change(n ledger.Number) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before, known := b.numbers[n.Number]
	b.numbers[n.Number] = n
	if known && before.State == n.State && before.Reason == n.Reason {
		return
	}
	if b.width > 0 {
		b.draw()
		return
	}
	fmt.Fprintf(b.w, "%5.1fs  %s  %s\n", time.Since(b.started).Seconds(), n.Number, n.StateAndReason())
}

// say writes a sentence about what happens.
func (b *board) say(sentence string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.said = sentence
	if b.width > 0 {
		b.draw()
		return
	}
	fmt.Fprintf(b.w, "%5.1fs  %s\n", time.Since(b.started).Seconds(), sentence)
}

// finish writes the last line.
func (b *board) finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	fmt.Fprintf(b.w, "\nAll %d numbers are sendable, after %.1f s.\n", b.planned, time.Since(b.started).Seconds())
}

// draw draws the whole board over the last one.
func (b *board) draw() {
	var frame strings.Builder
	if b.drawn > 0 {
		fmt.Fprintf(&frame, "\x1b[%dA\x1b[J", b.drawn) // up, and clear from here on
	}
	// A line that the terminal breaks in two would spoil the count of lines.
	b.drawn = 0
	for line := range strings.SplitSeq(b.said+"\n\n"+b.table()+"\n"+b.bar(), "\n") {
		frame.WriteString(text.Trim(line, b.width) + "\n")
		b.drawn++
	}
	io.WriteString(b.w, frame.String())
}

func (b *board) table() string {
	t := table.NewWriter()
	style := table.StyleLight
	style.Options = table.OptionsNoBordersAndSeparators
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	t.AppendHeader(table.Row{"number", "state", "campaign"})
	for i, number := range slices.Sorted(maps.Keys(b.numbers)) {
		if i == boardRows {
			t.AppendRow(table.Row{fmt.Sprintf("and %d more", len(b.numbers)-boardRows)})
			break
		}
		n := b.numbers[number]
		t.AppendRow(table.Row{n.Number, b.paint(n.State, n.StateAndReason()), n.Plan})
	}
	return t.Render()
}

// bar draws how many numbers are sendable, and behind them how many are on their
// way.
func (b *board) bar() string {
	sendable := b.countLocked(ledger.Sendable)
	moving := sendable + b.countLocked(ledger.Attaching) + b.countLocked(ledger.Pending) + b.countLocked(ledger.Attached)
	full, part := barWidth*sendable/max(b.planned, 1), barWidth*moving/max(b.planned, 1)
	bar := strings.Repeat("█", full) + strings.Repeat("▒", part-full) + strings.Repeat("░", barWidth-part)
	return fmt.Sprintf("%s %d of %d sendable", b.paint(ledger.Sendable, bar), sendable, b.planned)
}

// paint colours a text by a state, where colours are wanted.
func (b *board) paint(state ledger.State, words string) string {
	if !b.colour {
		return words
	}
	switch {
	case state == ledger.Sendable || state == ledger.Attached:
		return text.FgGreen.Sprint(words)
	case state == ledger.Conflict || state == ledger.Failed:
		return text.FgRed.Sprint(words)
	default:
		return text.FgYellow.Sprint(words)
	}
}

// progress counts the numbers by state, such as "3 sendable, 2 pending".
func (b *board) progress() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return cmp.Or(byState(maps.Values(b.numbers)), "no number was staged")
}

// byState counts numbers by state, in the order in which they pass through it. It is
// empty for none.
func byState(numbers iter.Seq[ledger.Number]) string {
	counts := map[ledger.State]int{}
	for n := range numbers {
		counts[n.State]++
	}
	var parts []string
	for _, state := range ledger.States() {
		if n := counts[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	return strings.Join(parts, ", ")
}

// count returns how many numbers are in a state, or known at all for the empty
// state.
func (b *board) count(state ledger.State) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.countLocked(state)
}

func (b *board) countLocked(state ledger.State) int {
	if state == "" {
		return len(b.numbers)
	}
	total := 0
	for _, n := range b.numbers {
		if n.State == state {
			total++
		}
	}
	return total
}
