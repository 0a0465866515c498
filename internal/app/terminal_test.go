package app_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"greenlight/internal/app"
)

func TestTerminal_IsNoFileAndNoBuffer(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, w := range []io.Writer{&bytes.Buffer{}, file} {
		if columns, rows := app.Size(w); columns != 0 || rows != 0 {
			t.Errorf("%T: got %d by %d, want no size", w, columns, rows)
		}
		if app.Width(w) != 0 || app.WantsColour(w) {
			t.Errorf("%T: taken for a terminal", w)
		}
	}
}
