package testkit

import (
	"bufio"
	"fmt"
	"net"
	"testing"
)

// OldServer answers the first lines of NATS' protocol as a server of the given version
// would, until the test ends. Only one version of the real server can be linked.
func OldServer(t testing.TB, version string) (url string) {
	return "nats://" + Answering(t, func(conn net.Conn) {
		fmt.Fprintf(conn, "INFO {\"server_id\":\"x\",\"version\":%q,\"proto\":1,\"max_payload\":1048576,\"headers\":true}\r\n", version)
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			if lines.Text() == "PING" {
				fmt.Fprint(conn, "PONG\r\n")
			}
		}
	})
}

// Answering starts a server that calls answer with one connection after the other, and then
// closes it. It is stopped when the test ends. The address has host and port.
func Answering(t testing.TB, answer func(net.Conn)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	t.Cleanup(func() { listener.Close(); <-stopped })
	go func() {
		defer close(stopped)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			answer(conn)
			conn.Close()
		}
	}()
	return listener.Addr().String()
}
