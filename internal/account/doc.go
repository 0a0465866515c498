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
// costs a search the first time. Many campaigns that wait are read by the lists of
// their brands, 500 a call ([Listing]). Numbers are read in the way that needs fewer
// calls: records one by one or by the account's list, settings 250 at a time. So N
// new numbers cost about N/250 + 4 calls before the first request, and as many more
// as the account's list has pages, or N, whichever is less.
package account
