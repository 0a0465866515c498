// Package backup writes all streams and buckets of Greenlight to one file, and restores
// them from it, with JetStream's own snapshots
// (https://github.com/nats-io/nats-architecture-and-design, adr/ADR-50; the requests are in
// nats-server, server/jetstream_api.go).
//
// The file is a tar archive. Its first entry, manifest.json, has the version of the format
// and, for each stream, the size and SHA-256 of its snapshot, which follow as one entry each.
// A snapshot includes the stream's consumers, so that acknowledged events stay acknowledged.
//
// A backup may be taken while Greenlight runs, so the snapshots are not of one moment. Their
// order is such that no request is repeated and no history lost:
//
//   - EVENTS first. An event is acknowledged after its outcome is in the ledger, so an event
//     that is acknowledged in the file has its outcome in the file. One that was handled
//     during the backup is delivered again, finds its outcome in the ledger, and does nothing.
//   - TRIGGERS next. EVENTS resumes sourcing after the last trigger that it has, so TRIGGERS
//     must not be older.
//   - Then dead letters, which are stored before their event is given up.
//   - Then the ledger: CAMPAIGNS before NUMBERS, so that no campaign is completed whose
//     numbers are not.
//   - NOTICES last. One that the ledger does not have yet is published again, and the stream
//     drops the duplicate.
//
// A restore goes the other way, so EVENTS exists only when everything else does: without it
// nothing is received, no assigner is pinned, and nothing is written to Telnyx. Meanwhile
// [events.RestoreStream] keeps other processes from creating EVENTS, also if the restore is
// interrupted; it can be repeated then.
package backup
