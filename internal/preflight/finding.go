package preflight

import (
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
)

// Code says what kind of thing was found: a reason of the ledger, or one of the codes
// below. The list is closed.
type Code = ledger.Reason

// The codes for which the ledger has no reason.
const (
	// RemovalFailed: Telnyx failed to take the number off its campaign.
	RemovalFailed Code = "removal_failed"
	CampaignMock  Code = "campaign_mock"
	// NoNumberPool: the plan allows more numbers than a campaign has room for without
	// a number pool, and it has none.
	NoNumberPool Code = "no_number_pool"
	NoWebhookURL Code = "no_webhook_url"
	// WebhookURL: events may not reach Greenlight at the campaign's webhookURL.
	WebhookURL Code = "webhook_url"
	// PlannedTwice: two entries name one campaign, by two of its ids.
	PlannedTwice Code = "planned_twice"
	EmptyPool    Code = "empty_pool"
)

// Finding is one thing that would go wrong when the campaign is approved.
type Finding struct {
	Code Code `json:"code"`
	// Plan is the name of the entry, CampaignID its [plan.Campaign.ID].
	Plan       string `json:"plan"`
	CampaignID string `json:"campaign_id"`
	// Number is empty if it is about the campaign.
	Number plan.E164 `json:"number,omitempty"`
	// File, Line and Column are where the plan names the number; where the entry
	// begins if it is about the campaign, or about a number that came by a pool.
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	// What names the number or campaign. Why says what is wrong with it and Fix
	// what to do about it, in sentences.
	What string `json:"what"`
	Why  string `json:"why"`
	Fix  string `json:"fix"`
}

// Sentence returns what, why and what to do.
func (f Finding) Sentence() string { return f.What + ": " + f.Why + " " + f.Fix }

// Position returns where the plan says it.
func (f Finding) Position() plan.Position {
	return plan.Position{File: f.File, Line: f.Line, Column: f.Column}
}

// NoteCode says what Greenlight will do about a number other than attaching it.
type NoteCode string

// The codes of notes. The subject of the first three is the campaign that the number
// leaves, that of the fourth the messaging profile, that of the fifth the campaign of
// the failed record.
const (
	WillMove NoteCode = "will_move"
	// WillMoveLater: the number is still on its way to the campaign that it may
	// leave, and is moved once it is there.
	WillMoveLater NoteCode = "will_move_later"
	// WillAttachLater: the number is leaving a campaign, and is attached when it has.
	WillAttachLater NoteCode = "will_attach_later"
	WillSetProfile  NoteCode = "will_set_profile"
	// FailedElsewhere: an assignment to another campaign failed once. Telnyx keeps
	// such records for good, and nobody can remove them.
	FailedElsewhere NoteCode = "failed_elsewhere"
)

// Note says what Greenlight will do about a number.
type Note struct {
	Code       NoteCode  `json:"code"`
	Plan       string    `json:"plan"`
	CampaignID string    `json:"campaign_id"`
	Number     plan.E164 `json:"number"`
	// Subject is the campaign or the messaging profile that the code speaks of.
	Subject string `json:"subject"`
}

// sentence says what happens to the number.
func (n Note) sentence() string {
	switch n.Code {
	case WillMove:
		return "will be moved here from campaign " + n.Subject + ", as the plan's move_from says"
	case WillMoveLater:
		return "will be moved here from campaign " + n.Subject + ", as the plan's move_from says, once the assignment there is finished"
	case WillAttachLater:
		return "will be attached when Telnyx has removed it from campaign " + n.Subject
	case FailedElsewhere:
		return "will be attached, although an assignment to campaign " + n.Subject + " failed once"
	default:
		return "will be put on messaging profile " + n.Subject + " first, as the plan's messaging_profile_id says"
	}
}
