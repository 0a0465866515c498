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
)

// board shows what happens in a demo: sentences, and how far the numbers are. On a
// terminal it redraws a table and a bar below the sentences. Elsewhere it writes a line
// for each change, or counts if there are many numbers. It is safe for concurrent use.
type board struct {
	w       io.Writer
	width   int // of the terminal; 0 if w is not one
	colour  bool
	planned int
	started time.Time

	mu      sync.Mutex
	numbers map[string]ledger.Number
	drawn   int // lines on the terminal that the next drawing replaces
	latest  string
	counted time.Time
}

const (
	// boardRows is how many numbers are shown one by one.
	boardRows = 15
	barWidth  = 40
	// boardWidth is how wide sentences may be, boardEvery how often counts are written.
	boardWidth = 78
	boardEvery = 2 * time.Second
)

func newBoard(w io.Writer) *board {
	return &board{
		w: w, width: app.Width(w), colour: app.WantsColour(w),
		started: time.Now(), numbers: make(map[string]ledger.Number),
	}
}

// change takes in one record.
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

// count writes how many numbers are in which state, if that is news.
func (b *board) count() {
	if words := b.byState(); words != b.latest {
		b.latest, b.counted = words, time.Now()
		b.line(words)
	}
}

// known returns the latest records.
func (b *board) known() []ledger.Number {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Values(b.numbers))
}

// plain writes a sentence.
func (b *board) plain(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, line := range wrapped(fmt.Sprintf(format, args...), boardWidth) {
		fmt.Fprintln(b.w, line)
	}
}

// say writes a sentence with the time.
func (b *board) say(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.erase()
	b.line(fmt.Sprintf(format, args...))
	if b.width > 0 {
		b.draw()
	}
}

func (b *board) line(sentence string) {
	const indent = "         "
	head := fmt.Sprintf("%6.1fs  ", time.Since(b.started).Seconds())
	for _, line := range wrapped(sentence, boardWidth-len(indent)) {
		fmt.Fprintln(b.w, head+line)
		head = indent
	}
}

// finish leaves what is drawn where it is. Nothing is drawn after it.
func (b *board) finish() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.width == 0 && b.planned > boardRows {
		b.count()
	}
	b.drawn = 0
	fmt.Fprintln(b.w)
}

// erase takes the drawing off the app.
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
	// A line that the terminal breaks in two would spoil the count of lines.
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
	t := table.NewWriter()
	style := table.StyleLight
	style.Options = table.OptionsNoBordersAndSeparators
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	t.AppendHeader(table.Row{"number", "state", "campaign"})
	for _, number := range slices.Sorted(maps.Keys(b.numbers)) {
		n := b.numbers[number]
		t.AppendRow(table.Row{n.Number, b.paint(n.State, n.StateAndReason()), n.Plan})
	}
	return t.Render() + "\n"
}

// bar draws how many numbers are sendable, and behind them how many are on their way.
func (b *board) bar() string {
	counts := b.counts()
	sendable := counts[ledger.Sendable]
	moving := sendable + counts[ledger.Attaching] + counts[ledger.Pending] + counts[ledger.Attached]
	full, part := barWidth*sendable/max(b.planned, 1), barWidth*moving/max(b.planned, 1)
	bar := strings.Repeat("█", full) + strings.Repeat("▒", part-full) + strings.Repeat("░", barWidth-part)
	return fmt.Sprintf("%s %d of %d sendable", b.paint(ledger.Sendable, bar), sendable, b.planned)
}

// paint colours a text by a state, where colours are wanted.
func (b *board) paint(state ledger.State, words string) string {
	if !b.colour {
		return words
	}
	switch state {
	case ledger.Sendable, ledger.Attached:
		return text.FgGreen.Sprint(words)
	case ledger.Conflict, ledger.Failed:
		return text.FgRed.Sprint(words)
	default:
		return text.FgYellow.Sprint(words)
	}
}

// progress counts the numbers by state, such as "3 sendable, 2 pending".
func (b *board) progress() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return cmp.Or(b.byState(), "none was staged")
}

// byState is progress, in the order in which numbers pass through the states. It is
// empty for no number.
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

// wrapped breaks a sentence into lines without blanks at their ends.
func wrapped(sentence string, width int) []string {
	lines := strings.Split(text.WrapSoft(sentence, width), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return lines
}
