package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"greenlight/internal/app"
	"greenlight/internal/ledger"
	"greenlight/internal/status"
)

// board prints the progress of a demo: messages, and the state of the numbers. On a
// terminal it redraws a table and a bar below the messages. Otherwise it prints a line
// for each change, or counts if there are many numbers. It is safe for concurrent use.
type board struct {
	w       io.Writer
	width   int // of the terminal; 0 if w is not a terminal
	color   bool
	planned int
	started time.Time

	mu      sync.Mutex
	numbers map[string]ledger.Number
	drawn   int // lines on the terminal that the next redraw replaces
	latest  string
	counted time.Time
}

const (
	// boardRows bounds the numbers that are shown one by one.
	boardRows = 15
	barWidth  = 40
	// boardWidth is the width of messages in columns, boardEvery the pause between counts.
	boardWidth = 78
	boardEvery = 2 * time.Second
)

func newBoard(w io.Writer) *board {
	return &board{
		w: w, width: app.Width(w), color: app.WantsColour(w),
		started: time.Now(), numbers: make(map[string]ledger.Number),
	}
}

// change updates one record.
func (b *board) change(n ledger.Number) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before, known := b.numbers[n.Number]
	b.numbers[n.Number] = n
	switch {
	case known && before.State == n.State && before.Reason == n.Reason:
	case b.width > 0:
		b.erase()
		b.draw()
	case b.planned <= boardRows:
		b.line(fmt.Sprintf("%s  %s", n.Number, n.StateAndReason()))
	case time.Since(b.counted) >= boardEvery:
		b.count()
	}
}

// count prints the numbers by state if they have changed.
func (b *board) count() {
	if counts := b.byState(); counts != b.latest {
		b.latest, b.counted = counts, time.Now()
		b.line(counts)
	}
}

// known returns the latest records.
func (b *board) known() []ledger.Number {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Values(b.numbers))
}

// print prints a message.
func (b *board) print(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var lines strings.Builder
	status.Wrap(&lines, "", fmt.Sprintf(format, args...), boardWidth)
	io.WriteString(b.w, lines.String())
}

// log prints a message with the time since the start.
func (b *board) log(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.erase()
	b.line(fmt.Sprintf(format, args...))
	if b.width > 0 {
		b.draw()
	}
}

func (b *board) line(sentence string) {
	var lines strings.Builder
	status.Hang(&lines, fmt.Sprintf("%6.1fs  ", time.Since(b.started).Seconds()), "         ", sentence, boardWidth)
	io.WriteString(b.w, lines.String())
}

// finish keeps the last drawing on the terminal. Call change no more after it.
func (b *board) finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.width == 0 && b.planned > boardRows {
		b.count()
	}
	b.drawn = 0
	fmt.Fprintln(b.w)
}

// erase removes the drawing from the terminal.
func (b *board) erase() {
	if b.drawn > 0 {
		fmt.Fprintf(b.w, "\x1b[%dA\x1b[J", b.drawn) // up, and clear from there
	}
	b.drawn = 0
}

// draw draws the table and the bar.
func (b *board) draw() {
	if len(b.numbers) == 0 {
		return
	}
	var frame strings.Builder
	// A line that the terminal wraps would make the count of lines wrong.
	for line := range strings.SplitSeq("\n"+b.table()+b.bar(), "\n") {
		frame.WriteString(text.Trim(line, b.width) + "\n")
		b.drawn++
	}
	io.WriteString(b.w, frame.String())
}

func (b *board) table() string {
	if b.planned > boardRows {
		return b.byState() + "\n"
	}
	t := status.NewTable()
	t.AppendHeader(table.Row{"number", "state", "campaign"})
	for _, number := range slices.Sorted(maps.Keys(b.numbers)) {
		n := b.numbers[number]
		t.AppendRow(table.Row{n.Number, status.Paint(n, n.StateAndReason(), b.color), n.Plan})
	}
	return t.Render() + "\n"
}

// bar draws the share of numbers that are sendable, and of those being attached.
func (b *board) bar() string {
	counts := b.counts()
	sendable := counts[ledger.Sendable]
	moving := sendable + counts[ledger.Attaching] + counts[ledger.Pending] + counts[ledger.Attached]
	full, part := barWidth*sendable/max(b.planned, 1), barWidth*moving/max(b.planned, 1)
	bar := strings.Repeat("█", full) + strings.Repeat("▒", part-full) + strings.Repeat("░", barWidth-part)
	return fmt.Sprintf("%s %d of %d sendable", status.Paint(ledger.Number{State: ledger.Sendable}, bar, b.color), sendable, b.planned)
}

// progress counts the numbers by state, for example "3 sendable, 2 pending".
func (b *board) progress() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return cmp.Or(b.byState(), "none in the ledger")
}

// byState counts the numbers by state, in the order of the states. It is empty if there
// are no numbers.
func (b *board) byState() string {
	counts := b.counts()
	var parts []string
	for _, state := range ledger.States() {
		if n := counts[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	return strings.Join(parts, ", ")
}

func (b *board) counts() map[ledger.State]int {
	counts := map[ledger.State]int{}
	for _, n := range b.numbers {
		counts[n.State]++
	}
	return counts
}
