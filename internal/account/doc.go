// Package account reads what Telnyx has of an account, at least cost: the campaign
// that a plan means, the records of its numbers, their messaging settings. The
// assigner decides by it, preflight reports by it, and plan diff shows by it what
// the assigner would do.
//
// It writes nothing and decides nothing.
//
// # Cost
//
// A campaign is one call, once its Telnyx id is known; a TCR id or a reference id
// costs a search the first time. Numbers are read in the way that needs fewer
// calls: records one by one or by the account's list, settings 250 at a time.
package account
