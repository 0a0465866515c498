package app_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"greenlight/internal/app"
)

// serve runs a server until stop is called, which returns what Serve did.
func serve(t *testing.T, listener net.Listener, handler http.HandlerFunc) (stop context.CancelFunc, ended <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	done := make(chan error, 1)
	go func() { done <- app.Serve(ctx, listener, handler) }()
	return cancel, done
}

func TestServe_FinishesARequestUnderWayAndTakesNoNewOne(t *testing.T) {
	listener, err := app.Listen("127.0.0.1:0")
	must(t, err)
	address := listener.Addr().String()
	arrived, finish := make(chan struct{}), make(chan struct{})
	stop, ended := serve(t, listener, func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-finish
		io.WriteString(w, "finished")
	})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	body, failed := make(chan string, 1), make(chan error, 1)
	go func() {
		answer, err := client.Get("http://" + address)
		if err != nil {
			failed <- err
			return
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			failed <- err
			return
		}
		body <- string(text)
	}()
	<-arrived
	stop()
	untilRefused(t, address)
	select {
	case err := <-ended:
		t.Errorf("Serve returned %v with a request under way", err)
	default:
	}
	close(finish)
	select {
	case got := <-body:
		if got != "finished" {
			t.Errorf("got %q, want the whole answer", got)
		}
	case err := <-failed:
		t.Errorf("the request under way: %v", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("Serve: got %v, want nil", err)
	}
}

// untilRefused waits until no new connection is taken.
func untilRefused(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		conn.Close()
	}
	t.Fatalf("new connections are still taken %s after the stop", patience)
}

func TestListen_NamesTheAddressThatIsTaken(t *testing.T) {
	listener, err := app.Listen("127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	address := listener.Addr().String()
	_, err = app.Listen(address)
	if err == nil || !strings.HasPrefix(err.Error(), "listen on "+address+": ") || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v, want the address and why", err)
	}
}

func TestServe_NamesTheAddressOfAListenerThatFails(t *testing.T) {
	listener, err := app.Listen("127.0.0.1:0")
	must(t, err)
	must(t, listener.Close())
	err = app.Serve(t.Context(), listener, http.NotFoundHandler())
	if !errors.Is(err, net.ErrClosed) || !strings.HasPrefix(err.Error(), "serve on "+listener.Addr().String()+": ") {
		t.Errorf("got %v, want the address and net.ErrClosed", err)
	}
}

// The bounds are tested on net.Pipe in a bubble, where minutes take no time.

func TestServe_CutsOffWhoIsSlow(t *testing.T) {
	for name, test := range map[string]struct {
		send  string
		want  time.Duration
		reply string
	}{
		"with the header":       {"POST / HTTP/1.1\r\nHost: x\r\n", 2 * time.Second, ""},
		"with the body":         {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf", 10 * time.Second, "i/o timeout"},
		"with the next request": {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 60 * time.Second, "read 0"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				listener := newPipeListener()
				stop, ended := serve(t, listener, func(w http.ResponseWriter, r *http.Request) {
					body, err := io.ReadAll(r.Body)
					if err != nil {
						http.Error(w, err.Error(), http.StatusBadRequest)
						return
					}
					io.WriteString(w, "read "+strings.Repeat("0", 1-min(len(body), 1)))
				})
				conn := listener.dial()
				start := time.Now()
				go io.WriteString(conn, test.send)
				reply, err := io.ReadAll(conn)
				must(t, err)
				if got := time.Since(start); got != test.want {
					t.Errorf("cut off after %s, want %s", got, test.want)
				}
				if !strings.Contains(string(reply), test.reply) || (test.reply == "") != (len(reply) == 0) {
					t.Errorf("got %q, want %q", reply, test.reply)
				}
				conn.Close()
				stop()
				must(t, <-ended)
			})
		})
	}
}

func TestServe_RefusesAHeaderThatIsTooLarge(t *testing.T) {
	t.Parallel()
	listener, err := app.Listen("127.0.0.1:0")
	must(t, err)
	stop, ended := serve(t, listener, func(http.ResponseWriter, *http.Request) { t.Error("the request came through") })
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String(), nil)
	must(t, err)
	request.Header.Set("X", strings.Repeat("x", 32<<10))
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := transport.RoundTrip(request)
	must(t, err)
	answer.Body.Close()
	if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("got %d, want 431", answer.StatusCode)
	}
	stop()
	must(t, <-ended)
}

func TestServe_CutsOffAndReportsARequestThatOutlastsTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener := newPipeListener()
		arrived := make(chan struct{})
		stop, ended := serve(t, listener, func(_ http.ResponseWriter, r *http.Request) {
			close(arrived)
			<-r.Context().Done() // until the connection is cut
		})
		conn := listener.dial()
		go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		<-arrived
		stop()
		start := time.Now()
		err := <-ended
		if got, want := time.Since(start), 5*time.Second; got != want {
			t.Errorf("cut off after %s, want %s", got, want)
		}
		if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "requests on pipe were cut off: ") {
			t.Errorf("got %v, want it to say that requests were cut off, and where", err)
		}
		if line, err := bufio.NewReader(conn).ReadString('\n'); err == nil {
			t.Errorf("the client got %q, want nothing", line)
		}
		conn.Close()
		synctest.Wait()
	})
}

func TestServe_EndsWellWithAConnectionWithoutARequest(t *testing.T) {
	for name, sent := range map[string]string{"nothing sent": "", "half a header": "GET / HTTP/1.1\r\n"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				listener := newPipeListener()
				stop, ended := serve(t, listener, func(http.ResponseWriter, *http.Request) { t.Error("a request came through") })
				conn := listener.dial()
				go io.WriteString(conn, sent)
				synctest.Wait() // the server reads
				stop()
				start := time.Now()
				if err := <-ended; err != nil || time.Since(start) > app.DefaultReadHeaderTimeout+time.Second {
					t.Errorf("got %v after %s, want nil soon after the header timeout", err, time.Since(start))
				}
				if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
					t.Errorf("the connection: got %v, want it closed", err)
				}
				conn.Close()
			})
		})
	}
}

// pipeListener is a listener without a network, so that time in a bubble
// stops while nothing happens.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) dial() net.Conn {
	client, server := net.Pipe()
	l.conns <- server
	return client
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	if !l.isClosed() {
		close(l.closed)
	}
	return nil
}

func (l *pipeListener) isClosed() bool {
	select {
	case <-l.closed:
		return true
	default:
		return false
	}
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
