package ledger

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// recordVersion is the version of the records that this program writes. A
// program refuses to read a newer one rather than misread it, and reads older ones
// as [Number.upgrade] and [Campaign.upgrade] say.
const recordVersion = 2

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
	// PlanPlace is where the plan names the number, or its pool, such as
	// config/plans/spring.yaml:7.
	PlanPlace string `json:"plan_place,omitempty"`

	State  State  `json:"state"`
	Reason Reason `json:"reason,omitempty"`
	// Detail is what Telnyx said, in its own words.
	Detail string `json:"detail,omitempty"`
	// Status, TMobile and NonTMobile are what Telnyx's record said.
	Status     string `json:"status,omitempty"`
	TMobile    string `json:"tmobile,omitempty"`
	NonTMobile string `json:"non_tmobile,omitempty"`
	// OtherCampaignID is where the number is, in state conflict.
	OtherCampaignID string `json:"other_campaign_id,omitempty"`

	// NeedsPerson says that a person should do something. The number is tried
	// again all the same, at NextAt.
	NeedsPerson bool `json:"needs_person"`
	// Tries counts what kept the number from being attached, by kind.
	Tries Tries `json:"tries,omitzero"`
	// ClaimedAt is when the latest request was about to be sent, as long as its
	// outcome is not known. Zero: no request is under way.
	ClaimedAt time.Time `json:"claimed_at,omitzero"`
	// Request is the latest request to attach, and what came of it.
	Request Request `json:"request,omitzero"`
	// Firsts outlive the history of the record's key.
	Firsts Firsts `json:"firsts,omitzero"`
	// NextAt is when the number is checked or tried again, as known when the record
	// was written. The campaign's NextAt may be later and then counts.
	NextAt time.Time `json:"next_at,omitzero"`
	// Since is when the number came into its state.
	Since time.Time `json:"since"`
	// Cause is what caused the reconcile that wrote the record, for example "event
	// 10dlc.campaign.update (message 12)".
	Cause string `json:"cause,omitempty"`
}

// Tries counts failures in a row, by kind, so that one kind never uses up the
// patience of another. A request that works, and a changed plan entry, start all of
// them at zero again. Calls that Telnyx put off (429) are not counted.
type Tries struct {
	// Refused counts requests that Telnyx refused.
	Refused int `json:"refused,omitempty"`
	// Failed counts requests that Telnyx took and carriers failed.
	Failed int `json:"failed,omitempty"`
	// Busy counts requests that Telnyx put off because of the number or campaign.
	Busy int `json:"busy,omitempty"`
	// Unanswered counts requests without a usable answer, and those that Telnyx
	// accepted and then showed no record of.
	Unanswered int `json:"unanswered,omitempty"`
	// Absent counts readings that prove that the account does not have the number.
	Absent int `json:"absent,omitempty"`
}

// String counts each kind that occurred: "2 refused, 1 unanswered". It is empty when
// there was none.
func (t Tries) String() string {
	var parts []string
	for _, kind := range []struct {
		n    int
		word string
	}{
		{t.Refused, "refused"}, {t.Failed, "failed at the carriers"}, {t.Busy, "put off"}, {t.Unanswered, "unanswered"}, {t.Absent, "not on the account"},
	} {
		if kind.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", kind.n, kind.word))
		}
	}
	return strings.Join(parts, ", ")
}

// Request is a request to attach a number, as the ledger keeps it. The zero value
// means that there was none.
type Request struct {
	// Sent says what was sent, such as "POST /10dlc/phone_number_campaigns", and
	// Campaign the id that it named.
	Sent     string `json:"sent,omitempty"`
	Campaign string `json:"campaign,omitempty"`
	// Profile is the messaging profile that the number was put on before, if any.
	Profile string    `json:"profile,omitempty"`
	At      time.Time `json:"at,omitzero"`
	// Outcome is empty as long as no answer is known.
	Outcome Outcome `json:"outcome,omitempty"`
	// AnsweredAt is when the outcome was known.
	AnsweredAt time.Time `json:"answered_at,omitzero"`
}

// Outcome is what came of a request. Telnyx's words stand in the record's Detail
// at that time.
type Outcome string

// The outcomes.
const (
	// Accepted: Telnyx took the request. That is not yet attached.
	Accepted Outcome = "accepted"
	// Refused: Telnyx answered with a refusal.
	Refused Outcome = "refused"
	// Unanswered: no answer came, or none that can be read, so that the request
	// may have taken effect.
	Unanswered Outcome = "unanswered"
	// Unsent: the request did not leave this machine.
	Unsent Outcome = "unsent"
)

// Firsts are when things first happened to a number on a campaign, since a plan
// began to name it there. The history of a key is bounded; these stay.
type Firsts struct {
	Named time.Time `json:"named,omitzero"`
	// NamedIn and NamedHash are the place in the plan and the plan set of then.
	NamedIn   string `json:"named_in,omitempty"`
	NamedHash string `json:"named_hash,omitempty"`

	Requested time.Time `json:"requested,omitzero"`
	Accepted  time.Time `json:"accepted,omitzero"`
	Attached  time.Time `json:"attached,omitzero"`
	Sendable  time.Time `json:"sendable,omitzero"`
	// Requests counts all requests.
	Requests int `json:"requests,omitempty"`
}

// note takes in what a record says that is about to be written. It goes by the
// record's own times.
func (f *Firsts) note(n Number) {
	first := func(at *time.Time, happened bool, when time.Time) {
		if happened && at.IsZero() {
			*at = when.UTC().Round(0)
		}
	}
	first(&f.Requested, true, n.Request.At)
	first(&f.Accepted, n.Request.Outcome == Accepted, n.Request.AnsweredAt)
	first(&f.Attached, n.State == Attached || n.State == Sendable, n.Since)
	first(&f.Sendable, n.State == Sendable, n.Since)
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
	// ReferenceKey is the ID that the campaign's record has, or had, when a plan selects
	// the campaign by its referenceId. It is empty if Telnyx has no referenceId of it.
	ReferenceKey string `json:"reference_key,omitempty"`
	// Shared says that another account shares the campaign with this one.
	Shared bool `json:"shared,omitempty"`

	// Planned says that a plan names the campaign; Plan and PlanHash say which.
	Planned  bool   `json:"planned"`
	Plan     string `json:"plan,omitempty"`
	PlanHash string `json:"plan_hash,omitempty"`
	// EntryHash is that of the campaign's entry alone, the one under which it was
	// checked completely.
	EntryHash string `json:"entry_hash,omitempty"`
	// PlanPlace is where the plan's entry begins, such as
	// config/plans/spring.yaml:3.
	PlanPlace string `json:"plan_place,omitempty"`

	Phase Phase `json:"phase"`
	// Status is Telnyx's campaignStatus.
	Status string `json:"status,omitempty"`
	Reason Reason `json:"reason,omitempty"`
	// Detail is what Telnyx said, in its own words.
	Detail     string `json:"detail,omitempty"`
	WebhookURL string `json:"webhook_url,omitempty"`
	// Extras counts numbers on the campaign that the plan does not name. They
	// are never touched.
	Extras int `json:"extras,omitempty"`

	// ReadAgo is how long before the record was written the campaign was read.
	ReadAgo time.Duration `json:"read_ago,omitempty"`

	// ApprovedAt is when Telnyx reported the approval, or when Greenlight read it if no
	// event came; zero unless the phase is PhaseApproved. AttachedAt is when every planned
	// number was attached for the first time since then.
	ApprovedAt time.Time `json:"approved_at,omitzero"`
	AttachedAt time.Time `json:"attached_at,omitzero"`

	// Reported identifies the latest notice about the campaign, to see whether the next one is
	// news; empty when there is nothing to report.
	Reported string `json:"reported,omitempty"`
	// Told is how an earlier version wrote Reported; it is empty once it was read.
	Told string `json:"told,omitempty"`

	// Attempts counts failed reads since the last that worked, and readings in a row
	// in which Telnyx did not know the campaign.
	Attempts int       `json:"attempts,omitempty"`
	NextAt   time.Time `json:"next_at,omitzero"`
	Since    time.Time `json:"since"`
	Cause    string    `json:"cause,omitempty"`
}

// IDs returns every id by which a plan or a hold may name the campaign, each once.
func (c Campaign) IDs() []string {
	ids := []string{c.ID, c.TelnyxID, c.TCRID, c.ReferenceKey}
	slices.Sort(ids)
	return slices.DeleteFunc(slices.Compact(ids), func(id string) bool { return id == "" })
}

// StateAndReason names the state and, where there is one, the reason:
// "failed (not_owned)".
func (n Number) StateAndReason() string {
	if n.Reason == "" {
		return string(n.State)
	}
	return fmt.Sprintf("%s (%s)", n.State, n.Reason)
}

// same reports whether two records say the same to a person, so that writing the
// second would only push older news out of the history. The time and cause of a check,
// the time of the next one, and a moved line in a plan file are not news by themselves;
// the campaign's record has the next check of all its numbers.
func (n Number) same(o Number) bool {
	n.Version, n.Cause, n.Since, n.NextAt = o.Version, o.Cause, o.Since, o.NextAt
	n.PlanHash, n.EntryHash, n.PlanPlace, n.Firsts = o.PlanHash, o.EntryHash, o.PlanPlace, o.Firsts
	n.ClaimedAt, o.ClaimedAt = n.ClaimedAt.UTC(), o.ClaimedAt.UTC()
	n.Request.At, o.Request.At = n.Request.At.UTC(), o.Request.At.UTC()
	n.Request.AnsweredAt, o.Request.AnsweredAt = n.Request.AnsweredAt.UTC(), o.Request.AnsweredAt.UTC()
	return n == o
}

// same is [Number.same] for campaigns. Their next check is kept beside the record, see
// [Ledger.PutCampaign].
func (c Campaign) same(o Campaign) bool {
	c.Version, c.Cause, c.Since, c.NextAt = o.Version, o.Cause, o.Since, o.NextAt
	c.PlanPlace, c.ReadAgo = o.PlanPlace, o.ReadAgo
	c.ApprovedAt, o.ApprovedAt = c.ApprovedAt.UTC(), o.ApprovedAt.UTC()
	c.AttachedAt, o.AttachedAt = c.AttachedAt.UTC(), o.AttachedAt.UTC()
	return c == o
}

// sameTime compares to the second, which is what schedules have.
func sameTime(a, b time.Time) bool {
	return a.UTC().Truncate(time.Second).Equal(b.UTC().Truncate(time.Second))
}
