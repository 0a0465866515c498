package httpserve_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"greenlight/internal/httpserve"
)

func TestTLS_TellsOfHandshakesThatFail(t *testing.T) {
	example := httptest.NewTLSServer(nil) // whose certificate we borrow
	config, client := example.TLS.Clone(), example.Client()
	example.Close()
	config.NextProtos = []string{"http/1.1"}
	listener, err := httpserve.Listen("127.0.0.1:0")
	must(t, err)
	address := listener.Addr().String()
	failures := make(chan string, 10)
	stop, ended := serve(t, httpserve.TLS(listener, config, func(reason string) { failures <- reason }), func(w http.ResponseWriter, r *http.Request) {
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
