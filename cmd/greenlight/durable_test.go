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
	up := startUp(t)
	trace := traceCalls(t, up.pid)
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
	made := readCalls(trace())
	shared := map[int]int{}
	for address, id := range answered {
		written, told := made.written[id], made.told[address]
		synced := made.synced(written)
		switch {
		case written == 0 || told == 0:
			t.Errorf("event %s was written by call %d and answered by call %d, want to see both", id, written, told)
		case synced == 0 || synced > told:
			t.Errorf("event %s was written by call %d and answered 200 by call %d, with no sync between", id, written, told)
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

// postByItself posts an event on a connection of its own, and returns the event's id
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

// traceCalls begins to trace a process. The calls are complete when the returned
// function was called.
func traceCalls(t *testing.T, pid int) (calls func() []byte) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("no strace here, which shows system calls: ", err)
	}
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
		t.Skip("strace may not look at another process here: ", lines.Text())
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

// calls tells in which order a process made system calls: each is numbered by the line
// in which it ended, an answer's by that in which it began.
type calls struct {
	written map[string]int // an event's file, by the event's id
	told    map[string]int // 200, by the client's address
	syncs   []syncCall     // of files of events
}

type syncCall struct{ began, ended int }

var (
	eventID  = regexp.MustCompile(`0b7f5c1a-52b6-4a0e-9d53-\d{12}`)
	clientOf = regexp.MustCompile(`->([^\]]+)\]>, "HTTP/1\.1 200 OK`)
)

// readCalls reads what strace wrote: a line for each call, or one for its beginning and
// one for its end if other threads made some meanwhile.
func readCalls(text []byte) calls {
	c := calls{written: map[string]int{}, told: map[string]int{}}
	underWay := map[string]func(ended int){} // by thread
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSuffix(line, "\n")
		thread, call, _ := strings.Cut(line, " ")
		call = strings.TrimLeft(call, " ") // short numbers of threads are padded
		ofEvents := strings.Contains(call, "/EVENTS/msgs/")
		var end func(int)
		switch {
		case strings.HasPrefix(call, "<... "):
			if end := underWay[thread]; end != nil {
				end(n)
			}
			delete(underWay, thread)
			continue
		case ofEvents && strings.HasPrefix(call, "pwrite64("):
			ids := eventID.FindAllString(call, -1)
			end = func(ended int) {
				for _, id := range ids {
					c.written[id] = ended
				}
			}
		case ofEvents && (strings.HasPrefix(call, "fsync(") || strings.HasPrefix(call, "fdatasync(")):
			began := n
			end = func(ended int) { c.syncs = append(c.syncs, syncCall{began, ended}) }
		case strings.HasPrefix(call, "write("):
			if to := clientOf.FindStringSubmatch(call); to != nil {
				c.told[to[1]] = n
			}
		}
		switch {
		case strings.HasSuffix(call, "<unfinished ...>"):
			underWay[thread] = end
		case end != nil:
			end(n)
		}
	}
	return c
}

// synced is when the first sync ended that began after the call; 0 if none did.
func (c calls) synced(after int) int {
	for _, s := range c.syncs {
		if s.began > after {
			return s.ended
		}
	}
	return 0
}
