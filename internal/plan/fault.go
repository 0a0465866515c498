package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Position is a place in a plan file. Line and Column count from 1, columns in
// characters; the zero value is no place. It is plain data.
type Position struct {
	// File is the path as the reader was given it, with slashes.
	File         string
	Line, Column int
}

// String returns "file:line:column", the form that editors and terminals turn
// into a link.
func (p Position) String() string {
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// compare orders positions by file, line and column.
func (p Position) compare(other Position) int {
	return cmp.Or(
		cmp.Compare(p.File, other.File),
		cmp.Compare(p.Line, other.Line),
		cmp.Compare(p.Column, other.Column),
	)
}

// Fault is one thing wrong with a plan: what it is, why it is refused, and how
// to mend it. It is an error; [Faults] holds all of a reading.
type Fault struct {
	// File, Line and Column say where. Line and Column count from 1 and are both
	// 1 when the fault is in the file as a whole.
	File         string
	Line, Column int
	// What names the thing, Why the rule that it breaks, Fix what to do. Each
	// is a clause without a full stop.
	What, Why, Fix string
}

// Error returns "file:line:column: what: why; how to mend" on one line.
func (f *Fault) Error() string {
	return fmt.Sprintf("%s: %s: %s; %s", f.Position(), f.What, f.Why, f.Fix)
}

// Position returns where the fault is.
func (f *Fault) Position() Position {
	return Position{File: f.File, Line: f.Line, Column: f.Column}
}

// Faults are all the faults of one reading, sorted by file, line and column. It
// is the error that [Load] and [LoadBytes] return, and then holds at
// least one. [errors.As] finds the single [*Fault] values in it too.
type Faults []*Fault

// Error returns one line for each fault.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets [errors.Is] and [errors.As] look at each fault.
func (f Faults) Unwrap() []error {
	errs := make([]error, len(f))
	for i, fault := range f {
		errs[i] = fault
	}
	return errs
}

// maxFaults bounds how many faults of one file are told, so that a file of
// rubbish cannot fill memory or bury the faults of the others.
const maxFaults = 1000

// collector gathers the faults of one reading. The zero value is ready for use.
type collector struct {
	faults Faults
	told   map[string]int // by file
}

// add keeps a fault, or says once that there are more than are told.
func (c *collector) add(at Position, what, why, mend string) {
	if c.told == nil {
		c.told = map[string]int{}
	}
	c.told[at.File]++
	switch told := c.told[at.File]; {
	case told == maxFaults+1:
		what, why, mend = "file", fmt.Sprintf("has more than %d faults", maxFaults), "mend the others first to see the rest"
	case told > maxFaults:
		return
	}
	c.faults = append(c.faults, &Fault{at.File, at.Line, at.Column, what, why, mend})
}

// full reports whether no further fault of a file would be told.
func (c *collector) full(file string) bool { return c.told[file] > maxFaults }

// err returns the faults in the order in which a person would walk the files,
// or nil when there are none.
func (c *collector) err() error {
	if len(c.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(c.faults, func(a, b *Fault) int {
		return cmp.Or(a.Position().compare(b.Position()), cmp.Compare(a.What, b.What))
	})
	return c.faults
}
