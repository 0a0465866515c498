// Package testkit is what tests of several packages share: NATS servers (as a process that
// can be killed, embedded, as a cluster, over a connection that can freeze, of an older
// version), a collector of traces, golden files, and goroutines that leak checks ignore.
// Only tests use it.
package testkit
