// Package ledger is what Greenlight knows of every campaign and number: where
// it stands, why, what happens next and when. It lives in two JetStream
// key-value buckets, CAMPAIGNS and NUMBERS, so that any process can read it and
// a restart forgets nothing. The history of a key is the timeline of what it is
// about.
//
// One process writes, the assigner that works; anybody may read. Should two
// assigners believe that they are the one, the revision decides: [Ledger.PutNumber]
// writes only over the revision that the writer has read. That is what keeps two
// assigners from attaching one number, see [ErrChanged].
//
// The package decides nothing. What a state or reason means for people is here,
// in [State], [Reason] and [Phase], so that every surface says the same.
package ledger
