package ledger

import (
	"maps"
	"slices"
	"strings"
)

// Reason says why a number is not attached yet, or what is wrong with it. The list is
// closed: every answer of Telnyx is mapped to one of these, and the record keeps Telnyx's
// text as well. The empty reason means that nothing is wrong.
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

// Advice explains a reason to people, in sentences.
type Advice struct {
	// Why explains the reason.
	Why string
	// Next says what Greenlight does by itself.
	Next string
	// Action says what a person should do. It is empty if no action is needed.
	Action string
}

const (
	nextResync = "Greenlight checks again at every resync."
	nextSlower = "Greenlight retries automatically, with growing waits."
)

// reasons lists all reasons with their advice, in the order of the documentation.
var reasons = []struct {
	reason Reason
	advice Advice
}{
	{NotOwned, Advice{
		Why:    "Telnyx does not list the number on this account.",
		Next:   nextSlower,
		Action: "Order or port the number, or remove it from the plan. Check that the API key belongs to the right account.",
	}},
	{NotActive, Advice{
		Why:    "The number is on the account but not active.",
		Next:   "Greenlight attaches it as soon as Telnyx lists it as active.",
		Action: "Finish the port or order in Telnyx's portal, or remove the number from the plan.",
	}},
	{NotLongCode, Advice{
		Why:    "The number is not a US long code. 10DLC campaigns accept no other numbers.",
		Next:   nextResync,
		Action: "Remove the number from the plan. Toll-free numbers and short codes are registered elsewhere.",
	}},
	{NoMessagingProfile, Advice{
		Why:    "The number has no messaging profile, and Telnyx attaches only numbers that have one.",
		Next:   nextResync,
		Action: "Assign a messaging profile to the number in Telnyx's portal, or set messaging_profile_id in the plan.",
	}},
	{OtherProfile, Advice{
		Why:    "The number is on a different messaging profile than the plan names.",
		Next:   nextResync,
		Action: "Assign the plan's profile to the number in Telnyx's portal, or correct the plan.",
	}},
	{OtherCampaign, Advice{
		Why:    "The number is on another campaign. Greenlight moves a number only from campaigns that the plan lists under move_from.",
		Next:   nextResync,
		Action: "Detach the number from the other campaign, or remove it from this plan.",
	}},
	{CampaignInReview, Advice{
		Why:  "The campaign is in review by Telnyx and the carriers.",
		Next: "Greenlight attaches the number as soon as the carriers approve the campaign.",
	}},
	{CampaignSuspended, Advice{
		Why:    "The campaign is suspended.",
		Next:   "Greenlight continues automatically when the suspension ends.",
		Action: "Check the campaign in Telnyx's portal. To reactivate a campaign that was suspended for inactivity, assign a number to it in the portal.",
	}},
	{CampaignRejected, Advice{
		Why:    "The campaign was rejected.",
		Next:   "Greenlight checks at every resync, and continues when the campaign is approved.",
		Action: "Read the reason in Telnyx's portal, then appeal or resubmit.",
	}},
	{CampaignExpired, Advice{
		Why:    "The campaign has expired.",
		Next:   nextResync,
		Action: "If the campaign was filed again, it has a new id: put that id into the plan.",
	}},
	{CampaignMissing, Advice{
		Why:    "Telnyx does not have this campaign on this account.",
		Next:   nextResync,
		Action: "Check the id in the plan, and that the API key belongs to the right account.",
	}},
	{CampaignUnknown, Advice{
		Why:    "Greenlight does not attach numbers to a campaign in this state.",
		Next:   nextResync,
		Action: "Check the campaign in Telnyx's portal.",
	}},
	{CampaignFull, Advice{
		Why:    "The campaign has as many numbers as it is allowed.",
		Next:   "Greenlight checks for room at every resync, and when Telnyx reports a number pool.",
		Action: "Detach numbers that the campaign no longer needs, or plan a second campaign. Without a number pool T-Mobile allows 49.",
	}},
	{Queued, Advice{
		Why:  "The campaign is approved and the number is waiting for its turn.",
		Next: "Greenlight attaches it as soon as the rate limit allows.",
	}},
	{Unverified, Advice{
		Why:  "Telnyx's answers do not yet prove whether the number can be attached.",
		Next: "Greenlight asks again within seconds, then with growing waits.",
	}},
	{DormantRetry, Advice{
		Why:  "The campaign was dormant. The first request fails and reactivates it; the second succeeds.",
		Next: "Greenlight tries again shortly.",
	}},
	{BeingProcessed, Advice{
		Why:  "Telnyx is still processing the number or its campaign.",
		Next: nextSlower,
	}},
	{CarrierFailed, Advice{
		Why:    "Telnyx accepted the request, but it failed at the carriers.",
		Next:   nextSlower,
		Action: "If it keeps failing, contact Telnyx support and quote Telnyx's message.",
	}},
	{RateLimited, Advice{
		Why:  "Telnyx asked for fewer requests.",
		Next: "Greenlight continues more slowly.",
	}},
	{Unauthorized, Advice{
		Why:    "Telnyx refuses the API key.",
		Next:   "Greenlight tries the key every minute, and continues when Telnyx accepts it. Until then it sends nothing.",
		Action: "Check TELNYX_API_KEY: Mission Control, Account, Keys & Credentials.",
	}},
	{AccountBlocked, Advice{
		Why:    "Telnyx refuses requests of this account, because of its funds, a limit or a block.",
		Next:   "Greenlight sends one request a minute until Telnyx accepts it, then continues.",
		Action: "Check the account's balance and messages in Mission Control.",
	}},
	{TelnyxUnavailable, Advice{
		Why:  "Telnyx did not answer, or its answer was not readable.",
		Next: "Greenlight reads again with growing waits, before it sends anything.",
	}},
	{Rejected, Advice{
		Why:    "Telnyx refuses the number.",
		Next:   nextSlower,
		Action: "Fix what Telnyx's message names, or contact Telnyx support.",
	}},
	{Stuck, Advice{
		Why:    "It is taking far longer than it should.",
		Next:   "Greenlight keeps checking, once an hour.",
		Action: "Contact Telnyx support about this number and campaign.",
	}},
	{PruneLimit, Advice{
		Why:    "The plan no longer names the number, but removing it would remove more than a third of the entry's numbers.",
		Next:   "Greenlight leaves the number on the campaign.",
		Action: "If the plan is right, start the assigner with --prune-limit and how many numbers may go. Otherwise correct the plan.",
	}},
	{UnknownError, Advice{
		Why:    "Telnyx refuses the request for a reason that it does not document.",
		Next:   nextSlower,
		Action: "Read Telnyx's message. If it does not help, contact Telnyx support.",
	}},
}

// Reasons lists all reasons, in the order of the documentation.
func Reasons() []Reason {
	all := make([]Reason, len(reasons))
	for i, row := range reasons {
		all[i] = row.reason
	}
	return all
}

// Advice returns the advice for the reason, or the zero Advice for the empty reason.
func (r Reason) Advice() Advice {
	for _, row := range reasons {
		if row.reason == r {
			return row.advice
		}
	}
	return Advice{}
}

// OfCampaign reports whether the reason comes from the campaign's phase.
func (r Reason) OfCampaign() bool {
	return slices.Contains(ofCampaigns, r)
}

var ofCampaigns = slices.Collect(maps.Values(phaseReasons))

// OfAccount reports whether the reason concerns the account rather than the number.
func (r Reason) OfAccount() bool { return r == Unauthorized || r == AccountBlocked }

// sentences joins the sentences that are not empty.
func sentences(all ...string) string {
	return strings.Join(slices.DeleteFunc(all, func(s string) bool { return s == "" }), " ")
}
