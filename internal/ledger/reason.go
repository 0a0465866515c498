package ledger

// Reason says why a number is not further. The list is closed: whatever Telnyx
// answers becomes one of these, with Telnyx's own words kept beside it. The
// empty reason means that all is as it should be.
type Reason string

// The reasons.
const (
	NotOwned           Reason = "not_owned"
	NotLongCode        Reason = "not_long_code"
	NoMessagingProfile Reason = "no_messaging_profile"
	OtherProfile       Reason = "other_profile"
	OtherCampaign      Reason = "other_campaign"
	CampaignNotReady   Reason = "campaign_not_ready"
	CampaignFull       Reason = "campaign_full"
	DormantRetry       Reason = "dormant_retry"
	BeingProcessed     Reason = "being_processed"
	CarrierFailed      Reason = "carrier_failed"
	RateLimited        Reason = "rate_limited"
	Unauthorized       Reason = "unauthorized"
	AccountBlocked     Reason = "account_blocked"
	TelnyxUnavailable  Reason = "telnyx_unavailable"
	Rejected           Reason = "rejected"
	Stuck              Reason = "stuck"
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

const nextResync = "Greenlight looks again at every resync."

var advice = map[Reason]Advice{
	NotOwned: {
		Why:    "Telnyx does not list the number on this account.",
		Next:   nextResync,
		Action: "Order or port the number, or take it out of the plan. Check that the API key is the right account's.",
	},
	NotLongCode: {
		Why:    "The number is no US ten-digit long code, and 10DLC campaigns take no other.",
		Next:   nextResync,
		Action: "Take the number out of the plan; toll-free numbers and short codes are registered elsewhere.",
	},
	NoMessagingProfile: {
		Why:    "The number is on no messaging profile, and Telnyx attaches only numbers that are.",
		Next:   nextResync,
		Action: "Put the number on a messaging profile in Telnyx's portal, or name one in the plan: messaging_profile_id.",
	},
	OtherProfile: {
		Why:    "The number is on another messaging profile than the plan names.",
		Next:   nextResync,
		Action: "Move the number to the plan's profile, or correct the plan.",
	},
	OtherCampaign: {
		Why:    "The number is in use on another campaign, and Greenlight never takes it from one that the plan's move_from does not name.",
		Next:   nextResync,
		Action: "Detach the number from the other campaign if it should move, or take it out of this plan.",
	},
	CampaignNotReady: {
		Why:    "The campaign is not approved by the carriers.",
		Next:   "Greenlight attaches the number as soon as the campaign is approved.",
		Action: "",
	},
	CampaignFull: {
		Why:    "The campaign holds as many numbers as it may.",
		Next:   "Greenlight looks for room at every resync, and after a refusal ever more slowly.",
		Action: "Detach numbers that the campaign no longer needs, or plan a second campaign. Without a number pool T-Mobile allows 49.",
	},
	DormantRetry: {
		Why:  "The campaign was dormant; the first try wakes it and fails, the second works.",
		Next: "Greenlight tries again shortly.",
	},
	BeingProcessed: {
		Why:  "Telnyx is still working on the number or its campaign.",
		Next: "Greenlight tries again, ever more slowly.",
	},
	CarrierFailed: {
		Why:    "Telnyx took the request, and then it failed at the carriers.",
		Next:   "Greenlight tries again a few times, ever more slowly.",
		Action: "If it goes on, ask Telnyx's support with the words told here.",
	},
	RateLimited: {
		Why:  "Telnyx asked for fewer requests.",
		Next: "Greenlight goes on more slowly.",
	},
	Unauthorized: {
		Why:    "Telnyx refuses the API key.",
		Next:   "All work rests; Greenlight tries again every minute and goes on by itself.",
		Action: "Check TELNYX_API_KEY: Mission Control, Account, Keys & Credentials.",
	},
	AccountBlocked: {
		Why:    "Telnyx says that the account may not do this: funds, a limit, or a block.",
		Next:   "All work rests; Greenlight tries again every minute and goes on by itself.",
		Action: "Look at the account's balance and messages in Mission Control.",
	},
	TelnyxUnavailable: {
		Why:  "Telnyx did not answer, or not in a way that can be read.",
		Next: "Greenlight reads the number's record and tries again, ever more slowly.",
	},
	Rejected: {
		Why:    "Telnyx refuses the number for good.",
		Next:   "Greenlight tries again when the plan changes.",
		Action: "Read Telnyx's words, mend what they name, and change the plan or ask Telnyx's support.",
	},
	Stuck: {
		Why:    "It takes far longer than it should.",
		Next:   "Greenlight goes on looking, once an hour.",
		Action: "Ask Telnyx's support about this number and campaign.",
	},
	UnknownError: {
		Why:    "Telnyx answered in a way that Greenlight does not know.",
		Next:   "Greenlight tries a few times, then again when the plan changes.",
		Action: "Read Telnyx's words; they are kept as a dead letter too.",
	},
}

// Reasons lists all reasons, in the order in which they are documented.
func Reasons() []Reason {
	return []Reason{
		NotOwned, NotLongCode, NoMessagingProfile, OtherProfile, OtherCampaign, CampaignNotReady, CampaignFull,
		DormantRetry, BeingProcessed, CarrierFailed, RateLimited, Unauthorized, AccountBlocked, TelnyxUnavailable,
		Rejected, Stuck, UnknownError,
	}
}

// Advice returns what the reason means for people; the zero Advice for the
// empty reason.
func (r Reason) Advice() Advice { return advice[r] }
