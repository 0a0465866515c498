// Package preflight asks Telnyx, days before approval, whether the plans will work, and
// reports what would fail: campaigns that are missing or will never be approved, and
// numbers that cannot be attached.
//
// It only reads: every call goes through [telnyx.Client.ReadOnly]. It decides
// nothing about numbers: [assigner.ForeseeAll] does, as if every campaign were
// approved, and what needs a person there is a finding here.
//
// # Cost
//
// Campaigns, pools and lists are read once for all sets together. With c campaigns, n
// numbers of one campaign that are planned by name or in a pool, a of them on no planned
// campaign yet, and an account that has r records and o numbers, in pages of s (250 if
// Telnyx gives that many):
//
//	campaigns    c       one each; a TCR id or a reference costs a search more, and
//	                     one that is not there a second read
//	pools        ⌈o/s⌉   for each, or of its own numbers if the account has many
//	records      ⌈r/s⌉   the whole list, if that is at most c+⌈n/s⌉+2 pages; else
//	             ≥ c     each campaign's own list, and for m numbers that are not on
//	                     it the smaller of m and, once for all, ⌈r/s⌉
//	settings     ⌈o/s⌉   the whole list, if that is at most c+⌈a/s⌉+2 pages; else
//	             ⌈a/s⌉   for each campaign, and a few more that show what filter
//	                     Telnyx understands; none for the numbers of a pool
//	status       as many as the settings
//
// Settings are read a second time if a number does not seem to be on the account:
// one answer does not prove that. A list whose total is not known takes one page
// more, since only an empty page shows that it ended.
package preflight
