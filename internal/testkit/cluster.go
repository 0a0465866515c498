package testkit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// Cluster is three servers in the test's process. They sync every write, and each has a
// monitoring address. Not safe for concurrent use.
type Cluster struct {
	// Servers are n1 to n3, including those that were stopped.
	Servers []*server.Server

	t       testing.TB
	options []*server.Options
}

// StartCluster starts a cluster and returns when it has a leader. For some time it may still
// refuse requests, so retry the first ones, also after [Cluster.Start]. The servers are
// stopped when the test ends.
func StartCluster(t testing.TB) *Cluster {
	t.Helper()
	var routes []string
	for range 3 {
		routes = append(routes, "nats://127.0.0.1:"+FreePort(t))
	}
	c := &Cluster{t: t, Servers: make([]*server.Server, len(routes))}
	for i, route := range server.RoutesFromStr(strings.Join(routes, ",")) {
		c.options = append(c.options, &server.Options{
			ServerName: fmt.Sprintf("n%d", i+1), Host: "127.0.0.1", Port: c.port(FreePort(t)), HTTPHost: "127.0.0.1", HTTPPort: server.RANDOM_PORT,
			NoSigs: true, NoLog: true, JetStream: true, StoreDir: MemoryDir(t), SyncAlways: true,
			JetStreamMaxStore: 16 << 30, JetStreamMaxMemory: 64 << 20,
			Routes:  server.RoutesFromStr(strings.Join(routes, ",")),
			Cluster: server.ClusterOpts{Name: "three", Host: "127.0.0.1", Port: c.port(route.Port())},
		})
	}
	for i := range c.options {
		c.start(i)
	}
	t.Cleanup(func() {
		for _, ns := range c.Servers {
			ns.Shutdown()
			ns.WaitForShutdown()
		}
	})
	Within(t, startTimeout, func() error {
		for _, ns := range c.Servers {
			if ns.JetStreamIsLeader() && len(ns.JetStreamClusterPeers()) == len(c.Servers) {
				return nil
			}
		}
		return errors.New("no leader")
	})
	return c
}

// URL returns the addresses of all servers, separated by commas. A restart keeps them.
func (c *Cluster) URL() string {
	var urls []string
	for _, o := range c.options {
		urls = append(urls, fmt.Sprintf("nats://%s:%d", o.Host, o.Port))
	}
	return strings.Join(urls, ",")
}

// Stop stops the server of that name and returns when its files are closed.
func (c *Cluster) Stop(name string) {
	c.t.Helper()
	ns := c.Servers[c.index(name)]
	ns.Shutdown()
	ns.WaitForShutdown()
}

// Start starts a stopped server again, on the same files.
func (c *Cluster) Start(name string) {
	c.t.Helper()
	c.start(c.index(name))
}

func (c *Cluster) start(i int) {
	c.t.Helper()
	ns, err := server.NewServer(c.options[i].Clone())
	if err != nil {
		c.t.Fatal(err)
	}
	c.Servers[i] = ns
	ns.Start()
}

func (c *Cluster) index(name string) int {
	c.t.Helper()
	for i, o := range c.options {
		if o.ServerName == name {
			return i
		}
	}
	c.t.Fatalf("no server is called %q", name)
	return 0
}

func (c *Cluster) port(text string) int {
	c.t.Helper()
	port, err := strconv.Atoi(text)
	if err != nil {
		c.t.Fatal(err)
	}
	return port
}
