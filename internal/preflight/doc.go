// Package preflight asks Telnyx, days before approval, whether what is planned
// will work on the day, and reports whatever would not: campaigns that are not
// there or will never be ready, numbers that cannot be attached.
//
// It only reads: every call goes through [telnyx.Client.ReadOnly]. It decides
// nothing anew: what a campaign's state means is the assigner's PhaseOf, what a
// number's record means is plan.Diff, and what reasons mean is the ledger's.
//
// # Cost
//
// Reads are made once for all sets together. With c campaigns, n numbers that are
// planned by name, p rows on number pools, and an account that has r records in
// pages of s (250 if Telnyx gives that many):
//
//	campaigns    c       one each; a TCR id or a reference costs a search more
//	settings     ⌈n/250⌉ and one more for each 250 that lack a number
//	pools        ⌈p/250⌉ at least one for each; they bring the settings with them
//	records      1       the first page of the account's list, and then
//	             ⌈r/s⌉   the whole list, if that is at most c+⌈(n+p)/s⌉ pages; else
//	             ≥ c     each campaign's own list, and for m numbers that are on
//	                     none of them the smaller of m and ⌈r/s⌉
//
// So 1,000 numbers of one campaign take at most 10 calls in an account of that
// size.
package preflight
