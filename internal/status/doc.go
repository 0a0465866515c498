// Package status shows how far every campaign and number is: as a snapshot
// (JSON), as a table for a terminal, and as pages on the private listener, which
// also has the process's health and metrics. All of them render the same
// [Snapshot], so they cannot disagree.
//
// It only reads, from the ledger and the streams.
package status
