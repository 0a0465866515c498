// Package backup writes all streams and buckets of Greenlight to one file, and restores
// them from it, with JetStream's own snapshots (https://github.com/nats-io/nats-server,
// server/jetstream_api.go: jsStreamSnapshotRequest, jsStreamRestoreRequest).
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
//   - NOTICES last. One that the ledger does not have yet is published again; for a day the
//     stream drops the duplicate, and later the notice is sent twice.
//
// A restore goes the other way, so EVENTS exists only when everything else does: without it
// nothing is received, no assigner is pinned, and nothing is written to Telnyx. Its steps:
//
//  1. It creates the stream [events.RestoreStream], the marker. Until its end no other process
//     creates or updates a stream, and no second restore begins.
//  2. It closes EVENTS, so that the webhook answers 503, looks for history, and writes what is
//     there to a second file. Until here an error undoes everything.
//  3. It seals and deletes EVENTS, then seals the ledger. From here no claim and no hold can
//     be stored. It copies holds and requests to the marker, and deletes the rest.
//  4. It waits until running processes have noticed, restores all but EVENTS, and adds the
//     holds and requests in the marker to the ledger. It restores EVENTS and deletes the marker.
//
// After an interruption each step can be repeated: whether EVENTS exists, is sealed, or has
// this marker's tag, says where the restore was.
package backup
