// Package status shows the state of every campaign and number: as JSON, as text for a
// terminal, and as pages on the private listener, which also serves health and metrics.
// All of them render the same [View], so they cannot disagree.
//
// It only reads the ledger and the streams.
package status
