package ledger

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// recordVersion is the version of the records that this program writes. It refuses newer
// records rather than misread them, and converts older ones when it reads them.
const recordVersion = 2

// Number is the record of one planned number on one campaign.
type Number struct {
	Version int `json:"v"`
	// Number is in E.164 form, for example +15551234567.
	Number string `json:"number"`
	// CampaignID is the ID of the campaign's record: the id that the plan uses.
	CampaignID string `json:"campaign_id"`
	// Plan is the name of the plan entry. PlanHash is the hash of the plan set in force
	// when the record was written.
	Plan     string `json:"plan"`
	PlanHash string `json:"plan_hash"`
	// EntryHash is the hash of the campaign's plan entry.
	EntryHash string `json:"entry_hash"`
	// PlanPlace is where the plan names the number or its pool, for example
	// config/plans/spring.yaml:7.
	PlanPlace string `json:"plan_place,omitempty"`

	State  State  `json:"state"`
	Reason Reason `json:"reason,omitempty"`
	// Detail is Telnyx's own text.
	Detail string `json:"detail,omitempty"`
	// Status, TMobile and NonTMobile are the statuses in Telnyx's record.
	Status     string `json:"status,omitempty"`
	TMobile    string `json:"tmobile,omitempty"`
	NonTMobile string `json:"non_tmobile,omitempty"`
	// OtherCampaignID is the campaign that the number is on, in state conflict.
	OtherCampaignID string `json:"other_campaign_id,omitempty"`

	// NeedsPerson says that a person should act. Greenlight still retries at NextAt.
	NeedsPerson bool `json:"needs_person"`
	// Tries counts the failures since the last success, by kind.
	Tries Tries `json:"tries,omitzero"`
	// ClaimedAt is when the request was claimed whose outcome is not known yet. It is zero
	// if no request is under way.
	ClaimedAt time.Time `json:"claimed_at,omitzero"`
	// Request is the latest request to attach the number, and its outcome.
	Request Request `json:"request,omitzero"`
	// Firsts are kept longer than the history of the record.
	Firsts Firsts `json:"firsts,omitzero"`
	// AttachedBy is the entry whose request put the number on the campaign; empty if it was
	// there before, if a person attached it, or after [Ledger.ClearAttachedBy].
	AttachedBy string `json:"attached_by,omitempty"`
	// Manual says that no plan names the number here: a person's command works on it.
	Manual bool `json:"manual,omitempty"`
	// UnnamedAt is since when the plan no longer names the number, in state leaving.
	UnnamedAt time.Time `json:"unnamed_at,omitzero"`
	// NextAt is when the number is checked or tried again, as decided when the record was
	// written. If the campaign's NextAt is later, that one counts.
	NextAt time.Time `json:"next_at,omitzero"`
	// Since is when the number entered its state.
	Since time.Time `json:"since"`
	// Cause says what caused the reconcile that wrote the record, for example "event
	// 10dlc.campaign.update (message 12)".
	Cause string `json:"cause,omitempty"`
}

// Tries counts failures in a row. Each kind has its own count and limit. A successful
// request or a changed plan entry resets all counts. Calls that Telnyx put off (429) do
// not count.
type Tries struct {
	// Refused counts requests that Telnyx refused.
	Refused int `json:"refused,omitempty"`
	// Failed counts requests that Telnyx accepted and the carriers failed.
	Failed int `json:"failed,omitempty"`
	// Busy counts requests that Telnyx put off because of the number or the campaign.
	Busy int `json:"busy,omitempty"`
	// Unanswered counts requests without a usable answer, and accepted requests that left
	// no record at Telnyx.
	Unanswered int `json:"unanswered,omitempty"`
	// Absent counts reads that prove that the number is not on the account.
	Absent int `json:"absent,omitempty"`
}

// String lists the counts that are not zero, for example "2 refused, 1 unanswered".
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

// Request is a request to attach a number. The zero value means that there was none.
type Request struct {
	// Sent is the method and path, for example "POST /10dlc/phone_number_campaigns".
	// Campaign is the campaign id in the request.
	Sent     string `json:"sent,omitempty"`
	Campaign string `json:"campaign,omitempty"`
	// Profile is the messaging profile that was assigned to the number first, if any.
	Profile string    `json:"profile,omitempty"`
	At      time.Time `json:"at,omitzero"`
	// Outcome is empty until the answer is known.
	Outcome Outcome `json:"outcome,omitempty"`
	// AnsweredAt is when the outcome became known.
	AnsweredAt time.Time `json:"answered_at,omitzero"`
}

// Outcome is the result of a request. The Detail of the record that first has it is
// Telnyx's text.
type Outcome string

// The outcomes.
const (
	// Accepted: Telnyx accepted the request. The number is not attached yet.
	Accepted Outcome = "accepted"
	// Refused: Telnyx refused the request.
	Refused Outcome = "refused"
	// Unanswered: there was no readable answer. The request may have worked.
	Unanswered Outcome = "unanswered"
	// Unsent: the request was not sent.
	Unsent Outcome = "unsent"
)

// Firsts are the times of the first events of a number on a campaign, since a plan named
// it there. They are kept when the bounded history no longer has them.
type Firsts struct {
	Named time.Time `json:"named,omitzero"`
	// NamedIn and NamedHash are the place in the plan and the plan set at that time.
	NamedIn   string `json:"named_in,omitempty"`
	NamedHash string `json:"named_hash,omitempty"`

	Requested time.Time `json:"requested,omitzero"`
	Accepted  time.Time `json:"accepted,omitzero"`
	Attached  time.Time `json:"attached,omitzero"`
	Sendable  time.Time `json:"sendable,omitzero"`
	// Requests counts all requests.
	Requests int `json:"requests,omitempty"`
}

// note adds the first events of a record that is about to be written.
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

// MaxExtraNumbers bounds [Campaign.ExtraNumbers].
const MaxExtraNumbers = 20

// Campaign is the record of one campaign, planned or not.
type Campaign struct {
	Version int `json:"v"`
	// ID is the plan's id for the campaign ([plan.Campaign.ID]), or the id in an event if no
	// plan names the campaign.
	ID string `json:"id"`
	// TelnyxID and TCRID are set once the campaign was read, and BrandID as well unless the
	// plan has it.
	TelnyxID string `json:"telnyx_id,omitempty"`
	TCRID    string `json:"tcr_id,omitempty"`
	BrandID  string `json:"brand_id,omitempty"`
	// ReferenceKey is the ID that the record has if a plan selects the campaign by its
	// referenceId. It is empty if the campaign has none, or was not read.
	ReferenceKey string `json:"reference_key,omitempty"`
	// Shared says that the campaign belongs to another account, which shares it.
	Shared bool `json:"shared,omitempty"`

	// Planned says that a plan names the campaign. Plan is the entry's name, PlanHash the
	// hash of the plan set.
	Planned  bool   `json:"planned"`
	Plan     string `json:"plan,omitempty"`
	PlanHash string `json:"plan_hash,omitempty"`
	// EntryHash is the hash of the plan entry with which the campaign was last reconciled
	// completely.
	EntryHash string `json:"entry_hash,omitempty"`
	// PlanPlace is where the plan entry starts, for example config/plans/spring.yaml:3.
	PlanPlace string `json:"plan_place,omitempty"`

	Phase Phase `json:"phase"`
	// Status is Telnyx's campaignStatus.
	Status string `json:"status,omitempty"`
	// Carriers are the carriers' statuses as they were read last. They are empty for a
	// shared campaign.
	Carriers []Carrier `json:"carriers,omitempty"`
	Reason   Reason    `json:"reason,omitempty"`
	// Detail is Telnyx's own text.
	Detail     string `json:"detail,omitempty"`
	WebhookURL string `json:"webhook_url,omitempty"`
	// MaxNumbers is the plan's max_numbers, 0 in records of earlier versions.
	MaxNumbers int `json:"max_numbers,omitempty"`
	// NumberPool is the messaging profile under the plan's number_pool, empty if it has none.
	NumberPool string `json:"number_pool,omitempty"`
	// EndsAt is when the campaign ends; zero if it is renewed.
	EndsAt time.Time `json:"ends_at,omitzero"`
	// Extras counts numbers on the campaign that the plan does not name, and ExtraNumbers
	// lists the first of them, at most MaxExtraNumbers. Greenlight never changes them.
	Extras       int      `json:"extras,omitempty"`
	ExtraNumbers []string `json:"extra_numbers,omitempty"`

	// PruneBase is how many numbers the entry named when it last removed none, and Pruned
	// how many it has removed since.
	PruneBase int `json:"prune_base,omitempty"`
	Pruned    int `json:"pruned,omitempty"`

	// ReadAgoSeconds is the time from the read of the campaign to the write of the record.
	ReadAgoSeconds float64 `json:"read_ago_seconds,omitempty"`

	// ApprovedAt is Telnyx's time of the approval, zero if no event said it. NoticedAt is
	// when Greenlight stored the event, or read the approval if there was none. Both are
	// zero unless the phase is PhaseApproved. AttachedAt is when all planned numbers were
	// attached for the first time after that.
	ApprovedAt time.Time `json:"approved_at,omitzero"`
	NoticedAt  time.Time `json:"noticed_at,omitzero"`
	AttachedAt time.Time `json:"attached_at,omitzero"`

	// Reported identifies the latest notice about the campaign, so that it is not sent twice.
	// It is empty if there was nothing to report.
	Reported string `json:"reported,omitempty"`
	// EndReported is the EndsAt that a notice was sent about.
	EndReported time.Time `json:"end_reported,omitzero"`
	// Told is Reported as an earlier version wrote it. It is empty after decoding.
	Told string `json:"told,omitempty"`

	// Attempts counts failed reads in a row, and reads in a row that did not find the
	// campaign.
	Attempts int       `json:"attempts,omitempty"`
	NextAt   time.Time `json:"next_at,omitzero"`
	Since    time.Time `json:"since"`
	Cause    string    `json:"cause,omitempty"`
}

// Carrier is one carrier's status of a campaign.
type Carrier struct {
	// Network is the id that Telnyx uses for the carrier, and Name its name, or the id.
	Network string `json:"network_id"`
	Name    string `json:"name"`
	// Status is Telnyx's word, for example APPROVED.
	Status string `json:"status"`
}

// IDs returns every id by which a plan or a hold may name the campaign, each once.
func (c Campaign) IDs() []string {
	ids := []string{c.ID, c.TelnyxID, c.TCRID, c.ReferenceKey}
	slices.Sort(ids)
	return slices.DeleteFunc(slices.Compact(ids), func(id string) bool { return id == "" })
}

// FindCampaign returns the campaign with the given plan name or id.
func FindCampaign(entries []CampaignEntry, name string) (Campaign, bool) {
	for _, entry := range entries {
		if c := entry.Campaign; c.Planned && c.Plan == name || slices.Contains(c.IDs(), name) {
			return c, true
		}
	}
	return Campaign{}, false
}

// StateAndReason returns the state and the reason, if any: "failed (not_owned)".
func (n Number) StateAndReason() string {
	if n.Reason == "" {
		return string(n.State)
	}
	return fmt.Sprintf("%s (%s)", n.State, n.Reason)
}

// same reports whether two records differ in nothing that a person cares about. Writing
// the second would only push older changes out of the history. The cause and time of a
// check, the time of the next one and a moved line in a plan file do not count. The next
// check of all numbers is in the campaign's record.
func (n Number) same(o Number) bool {
	n.Version, n.Cause, n.Since, n.NextAt = o.Version, o.Cause, o.Since, o.NextAt
	n.PlanHash, n.EntryHash, n.PlanPlace, n.Firsts = o.PlanHash, o.EntryHash, o.PlanPlace, o.Firsts
	n.ClaimedAt, o.ClaimedAt = n.ClaimedAt.UTC(), o.ClaimedAt.UTC()
	n.UnnamedAt, o.UnnamedAt = n.UnnamedAt.UTC(), o.UnnamedAt.UTC()
	n.Request.At, o.Request.At = n.Request.At.UTC(), o.Request.At.UTC()
	n.Request.AnsweredAt, o.Request.AnsweredAt = n.Request.AnsweredAt.UTC(), o.Request.AnsweredAt.UTC()
	return n == o
}

// same is [Number.same] for campaigns. [Ledger.PutCampaign] stores the time of their next
// check separately.
func (c Campaign) same(o Campaign) bool {
	c.Version, c.Cause, c.Since, c.NextAt = o.Version, o.Cause, o.Since, o.NextAt
	c.PlanPlace, c.ReadAgoSeconds = o.PlanPlace, o.ReadAgoSeconds
	c.ApprovedAt, o.ApprovedAt = c.ApprovedAt.UTC(), o.ApprovedAt.UTC()
	c.NoticedAt, o.NoticedAt = c.NoticedAt.UTC(), o.NoticedAt.UTC()
	c.AttachedAt, o.AttachedAt = c.AttachedAt.UTC(), o.AttachedAt.UTC()
	c.EndsAt, o.EndsAt = c.EndsAt.UTC(), o.EndsAt.UTC()
	c.EndReported, o.EndReported = c.EndReported.UTC(), o.EndReported.UTC()
	return reflect.DeepEqual(c, o)
}

// sameTime compares to the second, as schedules do.
func sameTime(a, b time.Time) bool {
	return a.UTC().Truncate(time.Second).Equal(b.UTC().Truncate(time.Second))
}
