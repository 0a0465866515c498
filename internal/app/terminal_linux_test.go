package app_test

import (
	"os"
	"syscall"
	"testing"
	"unsafe"

	"greenlight/internal/app"
)

// openTerminal opens a terminal of the kernel's, of no size yet.
func openTerminal(t *testing.T) *os.File {
	t.Helper()
	file, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminal can be made here: ", err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

// resize gives a terminal a size (ioctl_tty(2)).
func resize(t *testing.T, file *os.File, columns, rows uint16) {
	t.Helper()
	size := struct{ rows, columns, x, y uint16 }{rows: rows, columns: columns}
	if _, _, err := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), syscall.TIOCSWINSZ, uintptr(unsafe.Pointer(&size))); err != 0 {
		t.Fatal(err)
	}
}

func TestTerminal_TellsItsSize(t *testing.T) {
	file := openTerminal(t)
	if columns, rows := app.Size(file); columns != 80 || rows != 24 {
		t.Errorf("one of unknown size: got %d by %d, want 80 by 24", columns, rows)
	}
	resize(t, file, 132, 50)
	if columns, rows := app.Size(file); columns != 132 || rows != 50 || app.Width(file) != 132 {
		t.Errorf("got %d by %d, want 132 by 50", columns, rows)
	}
}

func TestTerminal_IsPaintedUnlessAskedNotTo(t *testing.T) {
	file := openTerminal(t)
	for set, want := range map[string]bool{"": true, "1": false, "0": false} {
		t.Setenv("NO_COLOR", set)
		if got := app.WantsColour(file); got != want {
			t.Errorf("NO_COLOR=%q: painted is %t, want %t", set, got, want)
		}
	}
}
