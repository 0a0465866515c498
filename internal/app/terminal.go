package app

import (
	"io"
	"os"

	"golang.org/x/term"

	"greenlight/internal/status"
)

// Text returns the writer for what people read. If the environment asks for ASCII, it
// replaces all other characters. What programs read goes to [Raw].
func Text(file *os.File) io.Writer {
	if status.WantsASCII(os.Getenv) {
		return asciiText{file}
	}
	return file
}

type asciiText struct{ io.Writer }

// Write writes whole characters, as every caller has them.
func (t asciiText) Write(written []byte) (int, error) {
	if _, err := io.WriteString(t.Writer, status.ASCII(string(written))); err != nil {
		return 0, err
	}
	return len(written), nil
}

// Raw returns the writer below that of [Text], which changes nothing.
func Raw(w io.Writer) io.Writer {
	if text, ok := w.(asciiText); ok {
		return text.Writer
	}
	return w
}

// WantsColour reports whether text for w may have colours: on a terminal, unless NO_COLOR
// (https://no-color.org) is set.
func WantsColour(w io.Writer) bool { return Width(w) > 0 && os.Getenv("NO_COLOR") == "" }

// Width returns the columns of the terminal w, 0 if w is not a terminal.
func Width(w io.Writer) int {
	columns, _ := Size(w)
	return columns
}

// Size returns the columns and rows of the terminal w, 0 and 0 if w is not a terminal. If
// the size is unknown, it is 80 by 24.
func Size(w io.Writer) (columns, rows int) {
	file, ok := Raw(w).(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return 0, 0
	}
	columns, rows, err := term.GetSize(int(file.Fd()))
	if err != nil || columns <= 0 || rows <= 0 {
		return 80, 24
	}
	return columns, rows
}
