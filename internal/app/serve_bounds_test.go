package app_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"greenlight/internal/app"
	"greenlight/internal/testkit"
)

// servePatience is how long a test waits for what should come soon.
const servePatience = 10 * time.Second

// startServing serves on a port of this machine until the test ends.
func startServing(t *testing.T, options app.ServerOptions, handler http.HandlerFunc) (address string, stop context.CancelFunc, ended <-chan error) {
	t.Helper()
	listener, err := app.Listen("127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	over := make(chan struct{})
	go func() { defer close(over); done <- options.Serve(ctx, listener, handler) }()
	t.Cleanup(func() { cancel(); <-over })
	return listener.Addr().String(), cancel, done
}

// client is a connection on which a test writes what it likes.
type client struct {
	t *testing.T
	net.Conn
	answers *bufio.Reader
}

func dial(t *testing.T, address string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(servePatience)))
	return &client{t, conn, bufio.NewReader(conn)}
}

func (c *client) send(text string) *client {
	c.t.Helper()
	_, err := io.WriteString(c, text)
	must(c.t, err)
	return c
}

// answer returns the status and the body of the next answer.
func (c *client) answer() (status int, body string, close bool) {
	c.t.Helper()
	answer, err := http.ReadResponse(c.answers, nil)
	must(c.t, err)
	text, err := io.ReadAll(answer.Body)
	must(c.t, err)
	return answer.StatusCode, string(text), answer.Close
}

// isClosed waits until the server hangs up without a word.
func (c *client) isClosed() {
	c.t.Helper()
	if b, err := c.answers.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Errorf("got %q, %v; want the connection closed", b, err)
	}
}

// isOpen fails if the server has hung up.
func (c *client) isOpen() {
	c.t.Helper()
	must(c.t, c.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	if b, err := c.answers.ReadByte(); !errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Errorf("got %q, %v; want the connection open and quiet", b, err)
	}
	must(c.t, c.SetReadDeadline(time.Now().Add(servePatience)))
}

const getRequest = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

func TestServe_CutsOffSlowClientsOnARealNetwork(t *testing.T) {
	const short = 50 * time.Millisecond
	address, _, _ := startServing(t, app.ServerOptions{ReadHeaderTimeout: short, ReadTimeout: 2 * short, IdleTimeout: short},
		func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err != nil {
				w.WriteHeader(http.StatusBadRequest)
			}
		})
	for name, test := range map[string]struct {
		first  string
		drip   string // sent again and again
		status int    // 0 for none
	}{
		"sends nothing":                 {"", "", 0},
		"sends a header byte by byte":   {"POST / HTTP/1.1\r\nHost: x\r\nX: ", "x", 0},
		"sends one header after other":  {"POST / HTTP/1.1\r\nHost: x\r\n", "X: y\r\n", 0},
		"sends a body byte by byte":     {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n", "x", 400},
		"sends a body in small chunks":  {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", 400},
		"sends a chunk's size for long": {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "0", 400},
		"sends no second request":       {getRequest, "", 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, address).send(test.first)
			over := make(chan struct{})
			defer func() { <-over }()
			go func() {
				defer close(over)
				for test.drip != "" {
					if _, err := io.WriteString(c, test.drip); err != nil {
						return // cut off
					}
					time.Sleep(short / 5)
				}
			}()
			if test.status != 0 {
				if got, _, _ := c.answer(); got != test.status {
					t.Errorf("got %d, want %d", got, test.status)
				}
			}
			c.isClosed()
			c.Close()
		})
	}
}

// served fails unless the answer is 200. On a busy machine the request may be cut off.
func served(client *http.Client, url string) error {
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %s", url, answer.Status)
	}
	return errors.Join(err, answer.Body.Close())
}

// A client that sends nothing, or half a header, gives up its place after the header timeout.
func TestServe_GivesThePlaceOfASilentConnectionToTheNext(t *testing.T) {
	t.Parallel()
	address, _, _ := startServing(t, app.ServerOptions{MaxConnections: 2, ReadHeaderTimeout: 50 * time.Millisecond},
		func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	for range 5 {
		dial(t, address)
		dial(t, address).send("GET / HTTP/1.1\r\nHost:")
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: servePatience}
	testkit.Within(t, servePatience, func() error { return served(client, "http://"+address) })
}

func TestServe_LetsANewConnectionWaitWhileAllAreAtWork(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	working := make(chan struct{}, 10)
	address, stop, ended := startServing(t, app.ServerOptions{MaxConnections: 2}, func(w http.ResponseWriter, r *http.Request) {
		working <- struct{}{}
		<-hold
		fmt.Fprint(w, "ok")
	})
	var clients []*client
	for range 5 {
		clients = append(clients, dial(t, address).send(getRequest))
	}
	<-working
	<-working
	for _, c := range clients {
		c.isOpen()
	}
	if len(working) > 0 {
		t.Error("a third request is being answered")
	}
	close(hold)
	for _, c := range clients {
		if status, _, _ := c.answer(); status != http.StatusOK {
			t.Errorf("got %d", status)
		}
		c.Close()
	}
	stop()
	must(t, <-ended)
}

func TestServe_StopsWhileAConnectionWaitsForItsPlace(t *testing.T) {
	working, hold := make(chan struct{}, 10), make(chan struct{})
	address, stop, ended := startServing(t, app.ServerOptions{MaxConnections: 1}, func(http.ResponseWriter, *http.Request) {
		working <- struct{}{}
		<-hold
	})
	first := dial(t, address).send(getRequest)
	<-working
	second := dial(t, address)
	stop()
	untilRefused(t, address)
	close(hold)
	if status, _, _ := first.answer(); status != http.StatusOK {
		t.Errorf("the request under way: got %d", status)
	}
	second.isClosed()
	must(t, <-ended)
}

func TestServe_AnswersDuringTheDrainDelayAndThenRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const delay = 3 * time.Second
		listener := newPipeListener()
		var stopped atomic.Bool
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		options := app.ServerOptions{DrainDelay: delay, OnStop: func() {
			stopped.Store(true)
			if listener.isClosed() {
				t.Error("the listener was closed before OnStop was called")
			}
		}}
		go func() {
			ended <- options.Serve(ctx, listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					time.Sleep(4 * time.Second) // into the stop, within its deadline
				}
				fmt.Fprint(w, "ok")
			}))
		}()
		kept := listener.dial()
		if askOn(t, kept, "/") || stopped.Load() {
			t.Error("before the stop: the connection is to end, or the stop was called")
		}
		began := time.Now()
		stop()
		synctest.Wait()
		if !stopped.Load() {
			t.Error("OnStop was not called")
		}
		if !askOn(t, kept, "/") {
			t.Error("during the delay: the client is not sent elsewhere")
		}
		if !askOn(t, listener.dial(), "/") {
			t.Error("during the delay: a new client is not sent elsewhere")
		}
		late := listener.dial()
		done := make(chan bool)
		time.Sleep(time.Second)
		go func() { done <- askOn(t, late, "/slow") }()
		if listener.isClosed() {
			t.Error("the listener was closed during the delay")
		}
		time.Sleep(2*time.Second + time.Millisecond)
		if !listener.isClosed() {
			t.Error("the listener is open after the delay")
		}
		<-done
		must(t, <-ended)
		// Shutdown checks for requests in progress every half second.
		if took := time.Since(began); took < 5*time.Second || took > 6*time.Second {
			t.Errorf("the stop took %s, want it to end with the last request after 5 s", took)
		}
		for _, conn := range []net.Conn{kept, late} {
			conn.Close()
		}
		synctest.Wait()
	})
}

// askOn makes a request that must be answered ok, and reports whether the answer says that
// the connection ends.
func askOn(t *testing.T, conn net.Conn, path string) (closes bool) {
	t.Helper()
	go io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Error(err)
		return false
	}
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "ok" {
		t.Errorf("got %q, %v", body, err)
	}
	return answer.Close
}

func TestServe_HasADeadlineOfDelayAndDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener := newPipeListener()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		options := app.ServerOptions{DrainDelay: 2 * time.Second}
		go func() {
			ended <- options.Serve(ctx, listener, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		}()
		conn := listener.dial()
		go io.WriteString(conn, getRequest)
		synctest.Wait()
		stop()
		began := time.Now()
		err := <-ended
		if got, want := time.Since(began), 2*time.Second+app.DrainTimeout; got != want || err == nil || !strings.Contains(err.Error(), "were cut off") {
			t.Errorf("ended after %s with %v, want %s and what was cut off", got, err, want)
		}
		conn.Close()
		synctest.Wait()
	})
}
