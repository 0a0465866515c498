// Package testkit is what tests of several packages share: real NATS servers (in a
// process of their own that can be killed, embedded, as a cluster, behind a wire that can
// go dead, of an older version), a collector of traces, golden files and readable text,
// and the goroutines to ignore in leak checks. Only tests use it.
package testkit
