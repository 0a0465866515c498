package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Every event is on the disk before its 200 is written: a tracer sees the process's
// system calls, those of events that come alone and of some that share a commit.
func TestUp_SyncsEachEventBeforeIts200(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("strace"); err != nil {
		cannotTrace(t, err)
	}
	up := startUp(t, thisProgram(t))
	calls := traceCalls(t, up.pid)
	answered := map[string]string{} // ids, by the client's address
	var mu sync.Mutex
	post := func() {
		id, address := up.postByItself(t)
		mu.Lock()
		defer mu.Unlock()
		answered[address] = id
	}
	for range 5 {
		post()
	}
	var all sync.WaitGroup
	for range 64 {
		all.Go(post)
	}
	all.Wait()
	made := readCalls(calls())
	shared := map[int]int{}
	for address, id := range answered {
		written, answered := made.written[id], made.answered[address]
		synced := made.synced(written)
		switch {
		case written.ended == 0 || answered == 0:
			t.Errorf("event %s was written by call %d and answered by call %d, want to see both", id, written.ended, answered)
		case synced == 0 || synced > answered:
			t.Errorf("event %s was written by call %d and answered 200 by call %d, with no sync between", id, written.ended, answered)
		}
		shared[synced]++
	}
	most := 0
	for _, events := range shared {
		most = max(most, events)
	}
	if most < 2 {
		t.Error("no two events shared a sync, so this shows nothing of those that do")
	}
	t.Logf("%d events, %d syncs, at most %d events by one", len(answered), len(shared), most)
}

// postByItself posts an event on a new connection, and returns the event's id
// and the address from which it came.
func (u *upProcess) postByItself(t *testing.T) (id, address string) {
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, to)
		if err == nil {
			address = conn.LocalAddr().String()
		}
		return conn, err
	}}
	request := u.request()
	body, err := request.GetBody()
	if err != nil {
		t.Error(err)
		return "", ""
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Error(err)
	}
	if !u.post(&http.Client{Transport: transport}, request) {
		t.Errorf("event %s was not stored", text)
	}
	return string(eventID.Find(text)), address
}

// cannotTrace skips the test, unless the environment says that calls can be traced.
func cannotTrace(t *testing.T, why any) {
	t.Helper()
	if os.Getenv("GREENLIGHT_STRACE") != "" {
		t.Fatal("system calls cannot be traced: ", why)
	}
	t.Skip("strace, which shows system calls, is not here or may not look at another process: ", why)
}

// traceCalls begins to trace a process. The calls are complete when the returned
// function was called.
func traceCalls(t *testing.T, pid int) (calls func() []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "calls")
	tracer := exec.Command("strace", "-f", "-yy", "-s", "1048576", "-e", "trace=write,pwrite64,fsync,fdatasync",
		"-o", file, "-p", fmt.Sprint(pid))
	said, err := tracer.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := tracer.Start(); err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		_ = tracer.Process.Signal(syscall.SIGINT) // it lets go of the process and ends
		_ = tracer.Wait()
	})
	t.Cleanup(stop)
	lines := bufio.NewScanner(said)
	if !lines.Scan() || !strings.Contains(lines.Text(), "attached") {
		cannotTrace(t, lines.Text())
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	return func() []byte {
		stop()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
}

// calls has the order in which a process made system calls: each is numbered by the line
// in which it ended, an answer's by that in which it began.
type calls struct {
	written  map[string]fileCall // by the event's id
	answered map[string]int      // 200, by the client's address
	syncs    []fileCall          // of files of events
}

type fileCall struct {
	path         string
	began, ended int
}

var (
	eventID  = regexp.MustCompile(`0b7f5c1a-52b6-4a0e-9d53-\d{12}`)
	fileOf   = regexp.MustCompile(`^(pwrite64|fsync|fdatasync)\(\d+<([^>]*/EVENTS/msgs/[^>]*)>`)
	failed   = regexp.MustCompile(`= -1 E[A-Z]+ \([^)]*\)$`)
	clientOf = regexp.MustCompile(`->([^\]]+)\]>, "HTTP/1\.1 200 OK`)
)

// readCalls reads what strace wrote: a line for each call, or one for its beginning and
// one for its end if other threads made some meanwhile.
func readCalls(text []byte) *calls {
	c := &calls{written: map[string]fileCall{}, answered: map[string]int{}}
	underWay := map[string]func(ended int){} // by thread
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSuffix(line, "\n")
		thread, call, _ := strings.Cut(line, " ")
		call = strings.TrimLeft(call, " ") // short numbers of threads are padded
		var end func(ended int)
		if resumed := strings.HasPrefix(call, "<... "); resumed {
			end = underWay[thread]
			delete(underWay, thread)
		} else if file := fileOf.FindStringSubmatch(call); file != nil {
			end = c.onFile(file[1], fileCall{path: file[2], began: n}, eventID.FindAllString(call, -1))
		} else if to := clientOf.FindStringSubmatch(call); to != nil && strings.HasPrefix(call, "write(") {
			c.answered[to[1]] = n
		}
		switch {
		case strings.HasSuffix(call, "<unfinished ...>"):
			underWay[thread] = end
		case end != nil && !failed.MatchString(call):
			end(n)
		}
	}
	return c
}

// onFile returns what a call on a file of events means, once it has ended.
func (c *calls) onFile(name string, call fileCall, ids []string) func(ended int) {
	return func(ended int) {
		call.ended = ended
		if name != "pwrite64" {
			c.syncs = append(c.syncs, call)
			return
		}
		for _, id := range ids {
			c.written[id] = call
		}
	}
}

// synced is when the first sync of a file ended that began after it was written; 0 if
// none did.
func (c *calls) synced(written fileCall) int {
	for _, s := range c.syncs {
		if s.path == written.path && s.began > written.ended {
			return s.ended
		}
	}
	return 0
}
