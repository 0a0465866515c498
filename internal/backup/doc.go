// Package backup writes all streams and buckets of Greenlight to one file, and restores
// them from it, with JetStream's own snapshots (https://github.com/nats-io/nats-server,
// server/jetstream_api.go: jsStreamSnapshotRequest, jsStreamRestoreRequest).
//
// The file is a zip archive, whose checksums show damage. Its last entry, manifest.json, has
// the version of the format. A snapshot includes the stream's consumers, so that acknowledged
// events stay acknowledged.
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
//   - NOTICES last. One that the ledger does not have yet is sent again.
//
// A restore goes the other way, so EVENTS exists only when everything else does: without it
// nothing is received, no assigner is pinned, and nothing is written to Telnyx. Its steps:
//
//  1. It makes sure that the streams fit and may be replaced, and keeps them in a second file.
//     Until here nothing is changed.
//  2. It creates the stream [events.RestoreStream], the marker. While that exists, no other
//     process creates or updates a stream.
//  3. It seals EVENTS, dead letters and the ledger, and copies the hold and what is later than
//     the backup to the marker. It waits for requests that are under way, deletes all streams,
//     and waits until running processes have noticed.
//  4. It restores all but EVENTS, adds the hold to the ledger, restores EVENTS, publishes the
//     later events and dead letters, and deletes the marker.
//
// After an interruption, all steps are repeated: what they copy is either still in its stream
// or in the marker.
package backup
