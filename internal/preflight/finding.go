package preflight

import (
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
)

// Code is the kind of a finding: a reason of the ledger, or one of the codes below. The
// list is closed.
type Code = ledger.Reason

// The codes for which the ledger has no reason.
const (
	// RemovalFailed: Telnyx failed to remove the number from its campaign.
	RemovalFailed Code = "removal_failed"
	CampaignMock  Code = "campaign_mock"
	// NoNumberPool: the plan allows more numbers than a campaign without a number pool can
	// have.
	NoNumberPool Code = "no_number_pool"
	NoWebhookURL Code = "no_webhook_url"
	// WebhookURL: events may not reach Greenlight at the campaign's webhookURL.
	WebhookURL Code = "webhook_url"
	// ExpiresSoon: the campaign ends within 30 days and is not renewed.
	ExpiresSoon Code = "expires_soon"
	// PlannedTwice: two entries name the same campaign by different ids.
	PlannedTwice Code = "planned_twice"
	EmptyPool    Code = "empty_pool"
)

// Finding is a problem that would show when the campaign is approved.
type Finding struct {
	Code Code `json:"code"`
	// Plan is the name of the entry, CampaignID its [plan.Campaign.ID].
	Plan       string `json:"plan"`
	CampaignID string `json:"campaign_id"`
	// Number is empty if the finding is about the campaign.
	Number plan.E164 `json:"number,omitempty"`
	// Position is where the plan names the number. For the campaign, and for a number of a
	// pool, it is where the entry starts.
	plan.Position
	// What names the number or campaign, Why says what is wrong with it, and Fix says what
	// to do. Why and Fix are sentences.
	What string `json:"what"`
	Why  string `json:"why"`
	Fix  string `json:"fix"`
}

// Sentence returns What, Why and Fix.
func (f Finding) Sentence() string { return f.What + ": " + f.Why + " " + f.Fix }

// NoteCode is the kind of a note.
type NoteCode string

// The codes of notes.
const (
	WillMove NoteCode = "will_move"
	// WillMoveLater: the number is still being assigned to the campaign in move_from, and
	// is moved after that.
	WillMoveLater NoteCode = "will_move_later"
	// WillAttachLater: the number is being removed from a campaign, and is attached after
	// that.
	WillAttachLater NoteCode = "will_attach_later"
	WillSetProfile  NoteCode = "will_set_profile"
	// FailedElsewhere: an assignment to another campaign failed earlier. Telnyx keeps such
	// records forever.
	FailedElsewhere NoteCode = "failed_elsewhere"
)

// Note says what Greenlight will do with a number besides attaching it.
type Note struct {
	Code       NoteCode  `json:"code"`
	Plan       string    `json:"plan"`
	CampaignID string    `json:"campaign_id"`
	Number     plan.E164 `json:"number"`
	// Subject is the messaging profile for [WillSetProfile], else the other campaign.
	Subject string `json:"subject"`
}

// sentence says what will happen to the number.
func (n Note) sentence() string {
	switch n.Code {
	case WillMove:
		return "will be moved here from campaign " + n.Subject + ", as the plan's move_from says"
	case WillMoveLater:
		return "will be moved here from campaign " + n.Subject + ", as the plan's move_from says, when its assignment there is finished"
	case WillAttachLater:
		return "will be attached when Telnyx has removed it from campaign " + n.Subject
	case FailedElsewhere:
		return "will be attached, although an assignment to campaign " + n.Subject + " failed earlier"
	default:
		return "will be put on messaging profile " + n.Subject + " first, as the plan's messaging_profile_id says"
	}
}
