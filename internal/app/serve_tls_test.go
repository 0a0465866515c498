package app_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"greenlight/internal/app"
	"greenlight/internal/testkit"
)

// borrowed is how a server of package httptest is configured, certificate and all, and a
// client that trusts it.
func borrowed() (*tls.Config, *http.Client) {
	example := httptest.NewTLSServer(nil)
	defer example.Close()
	config := example.TLS.Clone()
	config.NextProtos = []string{"http/1.1"}
	return config, example.Client()
}

// Half a handshake gives up its place as half a request does.
func TestTLS_HalfAHandshakeTimesOutLikeHalfARequest(t *testing.T) {
	t.Parallel()
	config, client := borrowed()
	listener, err := app.Listen("127.0.0.1:0")
	must(t, err)
	options := app.ServerOptions{MaxConnections: 3, ReadHeaderTimeout: 50 * time.Millisecond}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- options.Serve(ctx, app.ServeTLS(listener, config, nil), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	}()
	const half = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" // a ClientHello of 512 bytes begins
	for range 9 {
		dial(t, listener.Addr().String()).send(half)
	}
	client.Timeout = servePatience
	testkit.Within(t, servePatience, func() error { return served(client, "https://"+listener.Addr().String()) })
	client.CloseIdleConnections()
	stop()
	must(t, <-ended)
}

func TestTLS_TellsOfHandshakesThatFail(t *testing.T) {
	config, client := borrowed()
	listener, err := app.Listen("127.0.0.1:0")
	must(t, err)
	address := listener.Addr().String()
	failures := make(chan string, 10)
	stop, ended := serve(t, app.ServeTLS(listener, config, func(reason string) { failures <- reason }), func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Proto)
	})

	if conn, err := tls.Dial("tcp", address, &tls.Config{ServerName: "example.com"}); err == nil {
		conn.Close()
		t.Error("a client that does not know the authority was content")
	}
	if reason := <-failures; !strings.Contains(reason, "bad certificate") {
		t.Errorf("got %q, want what the client did not like", reason)
	}
	conn, err := net.Dial("tcp", address)
	must(t, err)
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	reply, err := io.ReadAll(conn)
	must(t, err)
	conn.Close()
	if !strings.Contains(string(reply), "400 Bad Request") || !strings.Contains(string(reply), "Client sent an HTTP request to an HTTPS server") {
		t.Errorf("plain HTTP: got %q", reply)
	}
	<-failures

	answer, err := client.Get("https://" + address)
	must(t, err)
	proto, err := io.ReadAll(answer.Body)
	must(t, err)
	answer.Body.Close()
	client.CloseIdleConnections()
	if string(proto) != "HTTP/1.1" {
		t.Errorf("got %s", proto)
	}
	stop()
	must(t, <-ended)
}
