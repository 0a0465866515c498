package app_test

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"
	"unsafe"

	"greenlight/internal/app"
	"greenlight/internal/telemetry"
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

// openTTY opens both sides of a terminal (pty(7)): what is written to tty is read from out.
func openTTY(t *testing.T) (out, tty *os.File) {
	t.Helper()
	out = openTerminal(t)
	var number, unlocked int32
	for request, argument := range map[uintptr]*int32{syscall.TIOCSPTLCK: &unlocked, syscall.TIOCGPTN: &number} {
		if _, _, err := syscall.Syscall(syscall.SYS_IOCTL, out.Fd(), request, uintptr(unsafe.Pointer(argument))); err != 0 {
			t.Fatal(err)
		}
	}
	tty, err := os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminal can be made here: ", err)
	}
	t.Cleanup(func() { tty.Close() })
	return out, tty
}

// On a terminal, each line of the log fits its width and at most 120 columns, and what is
// completed is green.
func TestLogger_FitsTheTerminal(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	out, tty := openTTY(t)
	var faults app.Faults
	log := app.Log{Level: "info"}.Logger(&faults, tty)
	lines := bufio.NewReader(out)
	read := func() string {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return line
	}
	bare := regexp.MustCompile(`\x1b\[\d*m|\r|\n`)
	for columns, want := range map[uint16]int{60: 60, 100: 100, 200: 120} {
		resize(t, out, columns, 24)
		log.Info().Str(telemetry.KeyNotice, "completed").Str(telemetry.KeyPlan, strings.Repeat("p", 200)).Msg("Completed")
		line := read()
		if got := utf8.RuneCountInString(bare.ReplaceAllString(line, "")); got != want {
			t.Errorf("%d columns: got %d, want %d: %q", columns, got, want, line)
		}
		if !strings.Contains(line, "\x1b[32mCompleted\x1b[0m") {
			t.Errorf("not green: %q", line)
		}
	}
	log.Info().Str(telemetry.KeyNotice, "needs_person").Msg("A person is needed")
	if line := read(); strings.Contains(line, "\x1b[32mA person") {
		t.Errorf("green, although it is not completed: %q", line)
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
