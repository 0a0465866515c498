// Package ledger stores what Greenlight knows about every campaign and number: its
// state, the reason, what happens next and when. The records are in the JetStream
// key-value buckets CAMPAIGNS and NUMBERS, so any process can read them and a restart
// loses nothing. The history of a key is the timeline of its campaign or number.
//
// Only the active assigner writes; any process may read. If two assigners both believe
// that they are active, the revision decides: [Ledger.PutNumber] writes only over the
// revision that the writer has read. This prevents two assigners from attaching the
// same number; see [ErrChanged].
//
// The package makes no decisions. It defines what [State], [Reason] and [Phase] mean
// for people, so that all output uses the same words.
package ledger
