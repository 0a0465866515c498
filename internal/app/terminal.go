// Package terminal says whether what is written to is a terminal, how large it is, and
// whether it may be painted. It imports nothing of ours.
package app

import (
	"io"
	"os"

	"golang.org/x/term"
)

// WantsColour reports whether a text for w may be painted: on a terminal, unless
// NO_COLOR (https://no-color.org) is set.
func WantsColour(w io.Writer) bool { return Width(w) > 0 && os.Getenv("NO_COLOR") == "" }

// Width returns the columns of the terminal that w is, 0 if it is none.
func Width(w io.Writer) int {
	columns, _ := Size(w)
	return columns
}

// Size returns the columns and rows of the terminal that w is, 0 and 0 if it is none.
// A terminal that does not tell its size is taken for one of 80 by 24.
func Size(w io.Writer) (columns, rows int) {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return 0, 0
	}
	columns, rows, err := term.GetSize(int(file.Fd()))
	if err != nil || columns <= 0 || rows <= 0 {
		return 80, 24
	}
	return columns, rows
}
