// Package preflight checks plans against Telnyx days before the campaigns are approved. It
// reports what would fail: campaigns that do not exist or will not be approved, and numbers
// that cannot be attached.
//
// It only reads: every call goes through [telnyx.Client.ReadOnly]. It makes no decisions
// about numbers. [assigner.ForecastPlans] does, as if every campaign were approved, and every
// decision that needs a person is a finding here.
//
// # Cost
//
// Campaigns, pools and lists are read once for all sets together. The table counts calls
// for c campaigns, one of them with n planned numbers, a of which are on no planned
// campaign yet. The account has r records and o numbers, in pages of s (at most 250):
//
//	campaigns    c       one each; a TCR id or a reference needs a search too, and a
//	                     missing campaign a second read
//	pools        ⌈o/s⌉   each, or the pages of its own numbers on a large account
//	records      ⌈r/s⌉   the whole list, if that is at most c+⌈n/s⌉+2 pages; else
//	             ≥ c     each campaign's own list; for m numbers that are not on it,
//	                     either m calls or, once for all campaigns, ⌈r/s⌉
//	settings     ⌈o/s⌉   the whole list, if that is at most c+⌈a/s⌉+2 pages; else
//	             ⌈a/s⌉   for each campaign, and a few calls to find the filter that
//	                     Telnyx understands; none for the numbers of a pool
//	status       as many as the settings
//
// If a number seems not to be on the account, its settings are read again, because one
// answer does not prove that. A list without a total takes one more page, because only an
// empty page shows where it ends.
package preflight
