//go:build unix

package torture

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// child is a role that is kept running: when its process ends, for whatever reason, the next
// one is started, as systemd or Kubernetes would.
type child struct {
	name string
	env  []string
	log  *os.File
	// rest is how long it stays away before the next start.
	rest func() time.Duration

	mu      sync.Mutex
	command *exec.Cmd
	lives   int
	ending  bool
	exits   map[string]int
	done    chan struct{}
}

// startChild starts a role and keeps it running until end.
func startChild(t *testing.T, dir, role, name string, rest func() time.Duration, env ...string) *child {
	t.Helper()
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	races := "halt_on_error=1 exitcode=" + strconv.Itoa(exitRace)
	if role == "nats" {
		// The NATS server has races, seen when several clients update a stream at once.
		// They are counted and do not end a run.
		races = "halt_on_error=0 exitcode=0"
	}
	c := &child{
		name: name, log: log, rest: rest, exits: map[string]int{}, done: make(chan struct{}),
		// The race detector would have each process wait a second at its end.
		env: append(os.Environ(), append(env, varRole+"="+role, "GORACE=atexit_sleep_ms=0 "+races)...),
	}
	if err := c.start(); err != nil {
		t.Fatal(err)
	}
	go c.keep()
	t.Cleanup(c.end)
	return c
}

// start starts the next process.
func (c *child) start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c.lives++
	command := exec.Command(self)
	command.Env = append(c.env, varName+"="+c.living())
	command.Stdout, command.Stderr = c.log, c.log
	if _, err := command.StdinPipe(); err != nil { // it is closed when the test ends
		return err
	}
	fmt.Fprintf(c.log, "--- %s %s starts\n", clock(time.Now()), c.living())
	c.command = command
	return command.Start()
}

// living is the name of the process that runs now.
func (c *child) living() string { return c.name + "." + strconv.Itoa(c.lives) }

// keep starts the next process whenever one has ended.
func (c *child) keep() {
	defer close(c.done)
	for {
		_ = c.command.Wait() // how it ended is in ProcessState
		if c.ended(c.command.ProcessState) {
			return
		}
		time.Sleep(c.rest())
		if err := c.start(); err != nil {
			fmt.Fprintf(c.log, "--- cannot be started: %v\n", err)
			return
		}
	}
}

// ended notes how the process ended and reports whether it was the last.
func (c *child) ended(state *os.ProcessState) (last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	how := state.String()
	if state.ExitCode() == 1 {
		// Its last line says why. Without digits, the same reason is counted as one.
		how += ": " + strings.Trim(regexp.MustCompile(`[0-9]+`).ReplaceAllString(c.tail(1, ""), "#"), "\n")
	}
	fmt.Fprintf(c.log, "--- %s %s ended: %s\n", clock(time.Now()), c.living(), state)
	if !c.ending {
		c.exits[how]++
	}
	return c.ending
}

// signal sends a signal to the process that runs now, if one does.
func (c *child) signal(s syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.command.Process.Signal(s) // it may have ended
}

// end kills the child for good.
func (c *child) end() {
	c.mu.Lock()
	c.ending = true
	_ = c.command.Process.Kill()
	c.mu.Unlock()
	<-c.done
	c.log.Close()
}

// accidents are the ends that no signal of ours explains and no absence of another
// part: panics and races.
func (c *child) accidents() (count int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.exits["exit status "+strconv.Itoa(exitPanic)] + c.exits["exit status "+strconv.Itoa(exitRace)]
}

// text returns the whole log.
func (c *child) text() string {
	text, err := os.ReadFile(c.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// tail returns the last lines of the log that hold a word, or of all.
func (c *child) tail(lines int, word string) string {
	var found []string
	for line := range strings.Lines(c.text()) {
		if strings.Contains(line, word) {
			found = append(found, line)
		}
	}
	return strings.Join(found[max(len(found)-lines, 0):], "")
}

// around returns the lines of the log that hold a word, with what follows.
func (c *child) around(word string, lines int) string {
	_, rest, _ := strings.Cut(c.text(), word)
	all := strings.SplitAfterN(rest, "\n", lines+1)
	return word + strings.Join(all[:min(len(all), lines)], "")
}

// clockFile is the file by which a child's clock is set.
type clockFile struct {
	file  *os.File
	ahead atomic.Int64
}

func newClockFile(t *testing.T, name string) *clockFile {
	t.Helper()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	c := &clockFile{file: file}
	c.set(0)
	return c
}

// set puts the clock ahead of the real one.
func (c *clockFile) set(ahead time.Duration) {
	_, _ = c.file.WriteAt(binary.LittleEndian.AppendUint64(nil, uint64(ahead)), 0)
	c.ahead.Store(int64(ahead))
}

func (c *clockFile) get() time.Duration { return time.Duration(c.ahead.Load()) }
