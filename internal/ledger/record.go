package ledger

import "time"

// recordVersion is the version of the records that this program writes. A
// program refuses to read a newer one rather than misread it.
const recordVersion = 1

// Number is the record of one planned number on one campaign.
type Number struct {
	Version int `json:"v"`
	// Number is in E.164 form, such as +15551234567.
	Number string `json:"number"`
	// CampaignID is the id by which the plan names the campaign.
	CampaignID string `json:"campaign_id"`
	// Plan and PlanHash are the plan's name and the plan set under which the
	// record was written.
	Plan     string `json:"plan"`
	PlanHash string `json:"plan_hash"`
	// EntryHash is that of the campaign's entry alone.
	EntryHash string `json:"entry_hash"`

	State  State  `json:"state"`
	Reason Reason `json:"reason,omitempty"`
	// Detail is what Telnyx said, in its own words.
	Detail string `json:"detail,omitempty"`
	// Status, TMobile and NonTMobile are what Telnyx's record said, as told.
	Status     string `json:"status,omitempty"`
	TMobile    string `json:"tmobile,omitempty"`
	NonTMobile string `json:"non_tmobile,omitempty"`
	// OtherCampaignID is where the number is, in state conflict.
	OtherCampaignID string `json:"other_campaign_id,omitempty"`

	// Attempts counts the requests to attach since the last that worked out.
	Attempts int `json:"attempts,omitempty"`
	// ClaimedAt is when the latest request to attach was about to be sent.
	ClaimedAt time.Time `json:"claimed_at,omitzero"`
	// BusyUntil is until when, at the latest, a bulk task may work on the number.
	BusyUntil time.Time `json:"busy_until,omitzero"`
	// NextAt is when Greenlight meant to look at the number again when it wrote
	// the record, if it knew. The campaign's NextAt may be later and then counts.
	NextAt time.Time `json:"next_at,omitzero"`
	// Since is when the number came into its state.
	Since time.Time `json:"since"`
	// Cause is what made the assigner look, such as "event
	// 10dlc.campaign.update (message 12)".
	Cause string `json:"cause,omitempty"`
}

// Campaign is the record of one campaign, planned or not.
type Campaign struct {
	Version int `json:"v"`
	// ID is the id by which the plan names the campaign, or by which an event
	// did when no plan does.
	ID string `json:"id"`
	// TelnyxID, TCRID and BrandID are known once the campaign was read.
	TelnyxID string `json:"telnyx_id,omitempty"`
	TCRID    string `json:"tcr_id,omitempty"`
	BrandID  string `json:"brand_id,omitempty"`
	// Shared says that another account shares the campaign with this one.
	Shared bool `json:"shared,omitempty"`

	// Planned says that a plan names the campaign; Plan and PlanHash say which.
	Planned  bool   `json:"planned"`
	Plan     string `json:"plan,omitempty"`
	PlanHash string `json:"plan_hash,omitempty"`
	// EntryHash is that of the campaign's entry alone.
	EntryHash string `json:"entry_hash,omitempty"`

	Phase Phase `json:"phase"`
	// Status is Telnyx's campaignStatus, as told.
	Status string `json:"status,omitempty"`
	Reason Reason `json:"reason,omitempty"`
	// Detail is what Telnyx said, in its own words.
	Detail     string `json:"detail,omitempty"`
	WebhookURL string `json:"webhook_url,omitempty"`
	// Extras counts numbers on the campaign that the plan does not name. They
	// are never touched.
	Extras int `json:"extras,omitempty"`

	// ApprovedAt is when Telnyx told of the approval that the campaign has, or when it
	// was read if nothing told; zero in any other phase than Ready. AttachedAt is when
	// every planned number was attached for the first time since.
	ApprovedAt time.Time `json:"approved_at,omitzero"`
	AttachedAt time.Time `json:"attached_at,omitzero"`

	// Told is what people were told of the campaign last, in a form that only says
	// whether something else is news; empty when there is nothing to tell.
	Told string `json:"told,omitempty"`

	// Bulk is about the call for a whole messaging profile.
	Bulk Bulk `json:"bulk,omitzero"`

	// Attempts counts failed reads since the last that worked.
	Attempts int       `json:"attempts,omitempty"`
	NextAt   time.Time `json:"next_at,omitzero"`
	Since    time.Time `json:"since"`
	Cause    string    `json:"cause,omitempty"`
}

// Bulk is what is known of the call that attaches a whole messaging profile. The
// zero value means that there was none.
type Bulk struct {
	// Entry is the Hash of the plan's entry under which the call was made: it is
	// made at most once for each.
	Entry string `json:"entry,omitempty"`
	// Since is when the call was about to be made, as long as its task may still be
	// at work. Task is the task's id, empty while it is not known.
	Since time.Time `json:"since,omitzero"`
	Task  string    `json:"task,omitempty"`
}

// same reports whether two records tell a person the same, so that writing the
// second would only push older news out of the history. When and by what the
// assigner was made to look, and when it will be again, is no news by itself; the
// campaign's record has the next look of all its numbers.
func (n Number) same(o Number) bool {
	n.Version, n.Cause, n.Since, n.NextAt = o.Version, o.Cause, o.Since, o.NextAt
	n.PlanHash, n.EntryHash = o.PlanHash, o.EntryHash
	n.ClaimedAt, o.ClaimedAt = n.ClaimedAt.UTC(), o.ClaimedAt.UTC()
	n.BusyUntil, o.BusyUntil = n.BusyUntil.UTC(), o.BusyUntil.UTC()
	return n == o
}

func (c Campaign) same(o Campaign) bool {
	c.Version, c.Cause, c.Since = o.Version, o.Cause, o.Since
	c.NextAt, o.NextAt = c.NextAt.UTC().Truncate(time.Second), o.NextAt.UTC().Truncate(time.Second)
	c.ApprovedAt, o.ApprovedAt = c.ApprovedAt.UTC(), o.ApprovedAt.UTC()
	c.AttachedAt, o.AttachedAt = c.AttachedAt.UTC(), o.AttachedAt.UTC()
	return c == o
}
