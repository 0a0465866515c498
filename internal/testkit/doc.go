// Package testkit has what the tests of several packages share: real NATS servers (in a
// separate process that can be killed, embedded, as a cluster, behind a network that can
// fail, or of an older version), a collector of traces, golden files and readable text,
// and the goroutines that leak checks ignore. Only tests use it.
package testkit
