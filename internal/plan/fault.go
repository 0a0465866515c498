package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Position is a place in a plan file. Line and Column count from 1, columns in
// characters. The zero value is not a place.
type Position struct {
	// File is the path as the reader was given it, with slashes.
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// String returns "file:line:column", which editors and terminals turn into a link.
func (p Position) String() string {
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Compare orders positions by file, line and column.
func (p Position) Compare(other Position) int {
	return cmp.Or(
		cmp.Compare(p.File, other.File),
		cmp.Compare(p.Line, other.Line),
		cmp.Compare(p.Column, other.Column),
	)
}

// Fault is one thing wrong with a plan: what it is, why it is refused, and how to fix
// it. It is an error; [Faults] holds all of one load.
type Fault struct {
	// Position says where. Line and Column are 1 if the fault concerns the whole file.
	Position
	// What names the thing, Why says which rule it breaks, Fix what to do. Each is a
	// clause without a full stop.
	What, Why, Fix string
}

// Error returns "file:line:column: what: why; fix" on one line.
func (f *Fault) Error() string {
	return fmt.Sprintf("%s: %s: %s; %s", f.Position, f.What, f.Why, f.Fix)
}

// Faults are all faults of one load, sorted by file, line and column. [Load] and
// [LoadBytes] return it as their error, with at least one fault. [errors.As] finds the
// single [*Fault] values in it.
type Faults []*Fault

// Error returns one line for each fault.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets [errors.Is] and [errors.As] see each fault.
func (f Faults) Unwrap() []error {
	errs := make([]error, len(f))
	for i, fault := range f {
		errs[i] = fault
	}
	return errs
}

// maxFaults bounds how many faults of one file are reported, so that a file of garbage
// cannot fill memory or hide the faults of other files.
const maxFaults = 1000

// collector gathers the faults of one load. The zero value is ready for use.
type collector struct {
	faults Faults
	count  map[string]int // by file
}

// add keeps a fault, with texts that are safe to print. The first one beyond the bound becomes
// a fault that says so.
func (c *collector) add(at Position, what, why, fix string) {
	if c.full(at.File) {
		return
	}
	if c.count == nil {
		c.count = map[string]int{}
	}
	c.count[at.File]++
	if c.full(at.File) {
		what, why, fix = "file", fmt.Sprintf("has more than %d faults", maxFaults), "fix the others first to see the rest"
	}
	c.faults = append(c.faults, &Fault{at, printable(what), printable(why), printable(fix)})
}

// full reports whether further faults of a file would be left out.
func (c *collector) full(file string) bool { return c.count[file] > maxFaults }

// err returns the faults in reading order, or nil if there are none.
func (c *collector) err() error {
	if len(c.faults) == 0 {
		return nil
	}
	return c.sorted()
}

// sorted returns the faults in reading order.
func (c *collector) sorted() Faults {
	slices.SortStableFunc(c.faults, func(a, b *Fault) int {
		return cmp.Or(a.Compare(b.Position), cmp.Compare(a.What, b.What))
	})
	return c.faults
}
