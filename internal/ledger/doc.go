// Package ledger is what Greenlight knows about every campaign and number: its state,
// why, what happens next and when. It lives in two JetStream key-value buckets,
// CAMPAIGNS and NUMBERS, so that any process can read it and it survives restarts. The
// history of a key is the timeline of its campaign or number.
//
// The active assigner writes; any process may read. If two assigners both believe that
// they are active, the revision decides: [Ledger.PutNumber] writes only over the
// revision that the writer has read. That keeps two assigners from attaching the same
// number, see [ErrChanged].
//
// The package decides nothing. It defines what each [State], [Reason] and [Phase] means
// for people, so that every output uses the same words.
package ledger
