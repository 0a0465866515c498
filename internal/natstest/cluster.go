package natstest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// StartCluster starts three servers that sync always, named n1 to n3, each with a
// monitoring address, and returns when they have a leader. They are stopped when the
// test ends.
func StartCluster(t testing.TB) []*server.Server {
	t.Helper()
	var routes []string
	for range 3 {
		routes = append(routes, "nats://127.0.0.1:"+FreePort(t))
	}
	servers := make([]*server.Server, len(routes))
	for i, route := range server.RoutesFromStr(strings.Join(routes, ",")) {
		options := &server.Options{
			ServerName: fmt.Sprintf("n%d", i+1), Host: "127.0.0.1", Port: server.RANDOM_PORT, HTTPHost: "127.0.0.1", HTTPPort: server.RANDOM_PORT,
			NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(), SyncAlways: true,
			JetStreamMaxStore: 16 << 30, JetStreamMaxMemory: 64 << 20,
			Routes: server.RoutesFromStr(strings.Join(routes, ",")),
		}
		port, err := strconv.Atoi(route.Port())
		if err != nil {
			t.Fatal(err)
		}
		options.Cluster = server.ClusterOpts{Name: "three", Host: "127.0.0.1", Port: port}
		ns, err := server.NewServer(options)
		if err != nil {
			t.Fatal(err)
		}
		servers[i] = ns
		ns.Start()
		t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	}
	Within(t, startTimeout+10*time.Second, func() error {
		for _, ns := range servers {
			if ns.JetStreamIsLeader() && len(ns.JetStreamClusterPeers()) == len(servers) {
				return nil
			}
		}
		return errors.New("no leader")
	})
	return servers
}
