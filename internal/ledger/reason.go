package ledger

import "strings"

// Reason says why a number is not further. The list is closed: whatever Telnyx
// answers becomes one of these, with Telnyx's own words kept beside it. The
// empty reason means that all is as it should be.
type Reason string

// The reasons.
const (
	NotOwned           Reason = "not_owned"
	NotActive          Reason = "not_active"
	NotLongCode        Reason = "not_long_code"
	NoMessagingProfile Reason = "no_messaging_profile"
	OtherProfile       Reason = "other_profile"
	OtherCampaign      Reason = "other_campaign"
	CampaignInReview   Reason = "campaign_in_review"
	CampaignSuspended  Reason = "campaign_suspended"
	CampaignRejected   Reason = "campaign_rejected"
	CampaignExpired    Reason = "campaign_expired"
	CampaignMissing    Reason = "campaign_missing"
	CampaignUnknown    Reason = "campaign_unknown"
	CampaignFull       Reason = "campaign_full"
	Queued             Reason = "queued"
	Unverified         Reason = "unverified"
	DormantRetry       Reason = "dormant_retry"
	BeingProcessed     Reason = "being_processed"
	CarrierFailed      Reason = "carrier_failed"
	RateLimited        Reason = "rate_limited"
	Unauthorized       Reason = "unauthorized"
	AccountBlocked     Reason = "account_blocked"
	TelnyxUnavailable  Reason = "telnyx_unavailable"
	Rejected           Reason = "rejected"
	Stuck              Reason = "stuck"
	PruneLimit         Reason = "prune_limit"
	UnknownError       Reason = "unknown_error"
)

// Advice is what a reason means for people.
type Advice struct {
	// Why is a sentence that explains the reason.
	Why string
	// Next is a sentence that says what Greenlight does by itself.
	Next string
	// Action is a sentence that says what a person should do; empty when
	// nothing needs doing.
	Action string
}

const (
	nextResync = "Greenlight checks again at every resync."
	nextSlower = "Greenlight tries again by itself, with growing waits."
)

// reasons are all reasons, in the order in which they are documented: what each means,
// what Greenlight does by itself, and what a person should do.
var reasons = []struct {
	reason Reason
	advice Advice
}{
	{NotOwned, Advice{
		Why:    "Telnyx does not list the number on this account.",
		Next:   nextSlower,
		Action: "Order or port the number, or take it out of the plan. Check that the API key belongs to the right account.",
	}},
	{NotActive, Advice{
		Why:    "The number is on the account but not active.",
		Next:   "Greenlight attaches it as soon as Telnyx lists it as active.",
		Action: "Finish the port or order in Telnyx's portal, or take the number out of the plan.",
	}},
	{NotLongCode, Advice{
		Why:    "The number is not a US long code, and 10DLC campaigns take nothing else.",
		Next:   nextResync,
		Action: "Take the number out of the plan. Toll-free numbers and short codes are registered elsewhere.",
	}},
	{NoMessagingProfile, Advice{
		Why:    "The number has no messaging profile, and Telnyx attaches only numbers that have one.",
		Next:   nextResync,
		Action: "Put the number on a messaging profile in Telnyx's portal, or name one in the plan: messaging_profile_id.",
	}},
	{OtherProfile, Advice{
		Why:    "The number is on a different messaging profile than the plan names.",
		Next:   nextResync,
		Action: "Move the number to the plan's profile, or correct the plan.",
	}},
	{OtherCampaign, Advice{
		Why:    "The number is in use on another campaign. Greenlight takes a number only from campaigns that the plan's move_from names.",
		Next:   nextResync,
		Action: "Detach the number from the other campaign if it should move, or take it out of this plan.",
	}},
	{CampaignInReview, Advice{
		Why:  "The campaign is in review by Telnyx and the carriers.",
		Next: "Greenlight attaches the number as soon as they approve.",
	}},
	{CampaignSuspended, Advice{
		Why:    "The campaign is suspended.",
		Next:   "Greenlight continues by itself when the suspension ends.",
		Action: "Check the campaign in Telnyx's portal. A campaign that was suspended because it was idle wakes up when a number is assigned to it by hand.",
	}},
	{CampaignRejected, Advice{
		Why:    "The campaign was rejected.",
		Next:   "Greenlight checks at every resync and continues when it is approved.",
		Action: "Read the reason in Telnyx's portal, then appeal or resubmit.",
	}},
	{CampaignExpired, Advice{
		Why:    "The campaign has expired.",
		Next:   nextResync,
		Action: "If it was filed again it has a new id: put that into the plan.",
	}},
	{CampaignMissing, Advice{
		Why:    "Telnyx does not have this campaign on this account.",
		Next:   nextResync,
		Action: "Check the id in the plan, and that the API key belongs to the right account.",
	}},
	{CampaignUnknown, Advice{
		Why:    "The campaign is in a state in which Greenlight does not attach numbers.",
		Next:   nextResync,
		Action: "Check the campaign in Telnyx's portal.",
	}},
	{CampaignFull, Advice{
		Why:    "The campaign has as many numbers as it may have.",
		Next:   "Greenlight checks for room at every resync and when Telnyx reports a number pool.",
		Action: "Detach numbers that the campaign no longer needs, or plan a second campaign. Without a number pool T-Mobile allows 49.",
	}},
	{Queued, Advice{
		Why:  "The campaign is approved and the number is waiting for its turn.",
		Next: "Greenlight attaches it when the rate limit allows.",
	}},
	{Unverified, Advice{
		Why:  "Telnyx's answers do not show for certain yet whether the number can be attached.",
		Next: "Greenlight asks again within seconds, then with growing waits.",
	}},
	{DormantRetry, Advice{
		Why:  "The campaign was dormant. The first request wakes it and fails, the second succeeds.",
		Next: "Greenlight tries again shortly.",
	}},
	{BeingProcessed, Advice{
		Why:  "Telnyx is still processing the number or its campaign.",
		Next: nextSlower,
	}},
	{CarrierFailed, Advice{
		Why:    "Telnyx took the request, and then it failed at the carriers.",
		Next:   nextSlower,
		Action: "If it keeps failing, ask Telnyx's support and quote Telnyx's words.",
	}},
	{RateLimited, Advice{
		Why:  "Telnyx asked for fewer requests.",
		Next: "Greenlight continues more slowly.",
	}},
	{Unauthorized, Advice{
		Why:    "Telnyx refuses the API key.",
		Next:   "Nothing is sent for now; Greenlight tries the key every minute and continues by itself.",
		Action: "Check TELNYX_API_KEY: Mission Control, Account, Keys & Credentials.",
	}},
	{AccountBlocked, Advice{
		Why:    "Telnyx says that the account may not do this: funds, a limit, or a block.",
		Next:   "Greenlight sends one request a minute until Telnyx takes it, and continues by itself.",
		Action: "Check the account's balance and messages in Mission Control.",
	}},
	{TelnyxUnavailable, Advice{
		Why:  "Telnyx did not answer, or not in a way that can be read.",
		Next: "Greenlight reads again before it sends anything, with growing waits.",
	}},
	{Rejected, Advice{
		Why:    "Telnyx refuses the number.",
		Next:   nextSlower,
		Action: "Read Telnyx's words and fix what they name, or ask Telnyx's support.",
	}},
	{Stuck, Advice{
		Why:    "It takes far longer than it should.",
		Next:   "Greenlight keeps checking, once an hour.",
		Action: "Ask Telnyx's support about this number and campaign.",
	}},
	{PruneLimit, Advice{
		Why:    "The plan no longer names the number, but removing it would remove more than a third of the entry's numbers.",
		Next:   "Greenlight leaves the number on the campaign.",
		Action: "If the plan is right, start the assigner with --prune-limit and how many numbers may go. Otherwise correct the plan.",
	}},
	{UnknownError, Advice{
		Why:    "Telnyx refuses the request for a reason that it does not document.",
		Next:   nextSlower,
		Action: "Read Telnyx's words, and ask Telnyx's support if they do not help.",
	}},
}

// Reasons lists all reasons, in the order in which they are documented.
func Reasons() []Reason {
	all := make([]Reason, len(reasons))
	for i, row := range reasons {
		all[i] = row.reason
	}
	return all
}

// Advice returns what the reason means for people; the zero Advice for the
// empty reason.
func (r Reason) Advice() Advice {
	for _, row := range reasons {
		if row.reason == r {
			return row.advice
		}
	}
	return Advice{}
}

// OfCampaign reports whether the reason is one of the campaign's phase.
func (r Reason) OfCampaign() bool {
	for _, reason := range phaseReasons {
		if r == reason {
			return true
		}
	}
	return false
}

// OfAccount reports whether the reason concerns the account and not the number.
func (r Reason) OfAccount() bool { return r == Unauthorized || r == AccountBlocked }

// sentences joins those that are not empty.
func sentences(all ...string) string {
	var kept []string
	for _, s := range all {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return strings.Join(kept, " ")
}
