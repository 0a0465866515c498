package page

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/status"
)

// partNames are the class and the label of each part, for one number and for several.
var partNames = [status.Parts]struct{ class, one, many string }{
	status.CanSend:    {"sendable", "can send", "can send"},
	status.OnCampaign: {"attached", "attached", "attached"},
	status.InProgress: {"moving", "in progress", "in progress"},
	status.InQueue:    {"queued", "queued", "queued"},
	status.InReview:   {"review", "in review", "in review"},
	status.Waiting:    {"waiting", "waiting", "waiting"},
	status.WithPerson: {"person", "needs a person", "need a person"},
}

// share is a part of a bar: x and width are in percent.
type share struct {
	Class    string
	N        int
	Label    string
	X, Width string
}

// progress counts numbers by part.
type progress struct {
	// Name is what the bar of the numbers is about.
	Name            string
	Sendable, Total int
	Counts          [status.Parts]int
	Shares          []share
	// Pace is how fast queued numbers have their turn.
	Pace status.Pace
	// AllHeld means that everything is on hold, Unknown that the ledger is incomplete, and
	// Stale that NATS cannot be read.
	AllHeld, Unknown, Stale bool
}

func progressOf(x *status.Contents, name string, counts map[ledger.NumberKind]int, pace status.Pace) progress {
	p := progress{Name: name, Pace: pace, AllHeld: x.Hold.All != nil, Unknown: len(x.Missing) > 0, Stale: x.Unreachable != ""}
	p.Counts = status.PartsOf(counts)
	for _, n := range p.Counts {
		p.Total += n
	}
	p.Sendable = p.Counts[status.CanSend]
	before := 0
	for part, n := range p.Counts {
		if n == 0 {
			continue
		}
		names := partNames[part]
		label := names.many
		if n == 1 {
			label = names.one
		}
		p.Shares = append(p.Shares, share{Class: names.class, N: n, Label: label, X: percent(before, p.Total), Width: percent(n, p.Total)})
		before += n
	}
	return p
}

func percent(n, total int) string {
	return strconv.FormatFloat(100*float64(n)/float64(max(total, 1)), 'f', 2, 64) + "%"
}

// Done reports whether every number can send, and there is one.
func (p progress) Done() bool { return p.Total > 0 && p.Sendable == p.Total }

// Heading summarizes the progress in one line.
func (p progress) Heading() string {
	if p.AllHeld {
		p.AllHeld = false
		return "On hold. " + p.Heading()
	}
	can := "can"
	if p.Stale {
		can = "could" // when NATS was last read
	}
	switch {
	case p.Unknown && p.Total == 0:
		return "The ledger is incomplete"
	case p.Total == 0:
		return "No numbers are planned yet"
	case p.Done() && p.Total == 1:
		return "The number " + can + " send"
	case p.Done():
		return fmt.Sprintf("All %s numbers %s send", grouped(p.Total), can)
	default:
		return fmt.Sprintf("%s of %s %s send", grouped(p.Sendable), plural(p.Total, "number"), can)
	}
}

// band is the area of one part in a chart. Path has a unit for each slot to the right and one
// for the whole height downwards.
type band struct{ Class, Path string }

// tick is a time below a chart, at X percent of its width.
type tick struct {
	X  string
	At time.Time
}

// chart shows numbers by part over time.
type chart struct {
	Bands []band
	Ticks []tick
	// Slots is the width in slots, and Scale the transformation of a path to a width of 1.
	Slots int
	Scale string
	// Span is the time from end to end, Most the highest number at any time.
	Span string
	Most int
	// Before and Now are how many could send at its ends.
	Before, Now int
}

func chartOf(h status.History) chart {
	c := chart{Slots: len(h.Counts), Span: spelled(time.Duration(len(h.Counts)) * h.Slot)}
	if c.Slots == 0 {
		return c
	}
	c.Scale = fmt.Sprintf("scale(%.5f 1)", 1/float64(c.Slots))
	c.Before, c.Now = h.Counts[0][status.CanSend], h.Counts[c.Slots-1][status.CanSend]
	below := make([]int, c.Slots)
	for _, counts := range h.Counts {
		sum := 0
		for _, n := range counts {
			sum += n
		}
		c.Most = max(c.Most, sum)
	}
	for part, names := range partNames {
		above := slices.Clone(below)
		for slot, counts := range h.Counts {
			above[slot] += counts[part]
		}
		if !slices.Equal(above, below) {
			c.Bands = append(c.Bands, band{names.class, outline(above, below, c.Most)})
		}
		below = above
	}
	from := h.End.Add(-time.Duration(c.Slots) * h.Slot)
	for at := from.Truncate(h.Tick).Add(h.Tick); at.Before(h.End); at = at.Add(h.Tick) {
		if x := float64(at.Sub(from)) / float64(h.End.Sub(from)); x > 0.05 && x < 0.87 { // "now" is at the end
			c.Ticks = append(c.Ticks, tick{strconv.FormatFloat(100*x, 'f', 1, 64) + "%", at})
		}
	}
	return c
}

// outline is the path around the area between two stairs.
func outline(above, below []int, limit int) string {
	var b strings.Builder
	edge := func(command byte, n int) {
		b.WriteByte(command)
		b.WriteString(strings.TrimPrefix(strconv.FormatFloat(1-float64(n)/float64(limit), 'f', 3, 64), "0"))
	}
	b.WriteString("M0 ")
	edge(' ', above[0])
	for slot := 1; slot < len(above); slot++ {
		if above[slot] != above[slot-1] {
			fmt.Fprintf(&b, "H%d", slot)
			edge('V', above[slot])
		}
	}
	fmt.Fprintf(&b, "H%d", len(above))
	edge('V', below[len(below)-1])
	for slot := len(below) - 1; slot > 0; slot-- {
		if below[slot] != below[slot-1] {
			fmt.Fprintf(&b, "H%d", slot)
			edge('V', below[slot-1])
		}
	}
	b.WriteString("H0Z")
	return b.String()
}

// lane is how far the numbers are with some carriers.
type lane struct {
	Name          string
	Added, Failed int
	Shares        []share
	Total         int
}

func lanesOf(lanes status.Lanes, total int) []lane {
	var list []lane
	for _, of := range []struct {
		name string
		status.Lane
	}{{"T-Mobile", lanes.TMobile}, {"Other carriers", lanes.Others}} {
		l := lane{Name: of.name, Added: of.Added, Failed: of.Failed, Total: total}
		before := 0
		for _, part := range []struct {
			class string
			n     int
		}{{"sendable", of.Added}, {"moving", of.Pending}, {"person", of.Failed}} {
			if part.n > 0 {
				l.Shares = append(l.Shares, share{Class: part.class, X: percent(before, total), Width: percent(part.n, total)})
			}
			before += part.n
		}
		list = append(list, l)
	}
	return list
}

// history is a chart with its lanes.
type history struct {
	Chart chart
	Lanes []lane
}

// milestone is a step of a campaign. At is zero if it is not reached; then Count says how far
// the numbers are.
type milestone struct {
	What, Count string
	At          time.Time
	// Seconds means that the minute alone would not tell it from the one before.
	Seconds bool
}

func milestonesOf(c *status.Entry) []milestone {
	m := c.Milestones()
	if m.Approved.IsZero() {
		return nil
	}
	what := "approved"
	if m.Noticed {
		what = "approval noticed"
	}
	list := []milestone{{What: what, At: m.Approved}, {What: "first number", At: m.First}, {What: "all attached", At: m.Attached}, {What: "all carriers", At: m.Sendable}}
	on, sendable := 0, 0
	for kind, n := range c.Counts {
		if kind.State == ledger.Sendable {
			sendable += n
		}
		if kind.State == ledger.Sendable || kind.State == ledger.Attached {
			on += n
		}
	}
	total := len(c.Numbers())
	for i, reached := range []int{0, 0, on, sendable} {
		step := &list[i]
		if step.At.IsZero() && i > 1 {
			step.Count = fmt.Sprintf("%s of %s", grouped(reached), grouped(total))
		}
		step.Seconds = i > 0 && step.At.Truncate(time.Minute).Equal(list[i-1].At.Truncate(time.Minute))
	}
	return slices.DeleteFunc(list, func(step milestone) bool { return step.At.IsZero() && step.Count == "" })
}

// spelled writes a duration in hours or minutes, in words: "24 hours".
func spelled(d time.Duration) string {
	if d < time.Hour {
		return plural(int(d.Minutes()), "minute")
	}
	return plural(int(d.Hours()), "hour")
}

// plural is status.Count with thousands separators.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(n) + " " + noun + "s"
}

// grouped formats a number with thousands separators.
func grouped(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// spaced replaces the underscores of a word like not_owned.
func spaced(word string) string { return strings.ReplaceAll(word, "_", " ") }

// upper returns the text with a capital letter.
func upper(text string) string {
	return strings.ToUpper(text[:min(1, len(text))]) + text[min(1, len(text)):]
}
