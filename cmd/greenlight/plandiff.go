package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"greenlight/internal/app"
	"greenlight/internal/assigner"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/preflight"
	"greenlight/internal/telnyx"
)

type planDiffCommand struct {
	Path       string `arg:"" optional:"" help:"Plan file, or folder of them, which is one set. None: what --plans says."`
	Plans      string `name:"plans" env:"PLANS" default:"config/plans" placeholder:"PATH" help:"What is compared when no path is given (${default})."`
	All        bool   `help:"List every number that is attached already, however many."`
	Format     string `enum:"text,json,markdown" default:"text" placeholder:"FORMAT" help:"Format: text, json, or markdown for a comment on a pull request (${default})."`
	JSON       bool   `help:"The same as --format json."`
	app.Telnyx `group:"Telnyx"`
}

// Help is what kong prints under the command's own help.
func (c *planDiffCommand) Help() string {
	return `Shows what the assigner would do this minute, by the assigner's own code, and changes nothing: its client can
only read. Signs: + attach, > move from another campaign, = attached already, ~ Telnyx is still processing it, or its
answers are not conclusive, ! needs a person, ? on the campaign and not in its plan. It does not know what was tried
before: a number that waits after a failed try is shown as one to attach.
Exits with 0 if there is nothing to do and all is well, with 2 if a number would be attached or moved, with 3 if
nothing would be done and a number or campaign needs a person or cannot be verified, and with 1 if plans have faults
or Telnyx cannot be asked. greenlight plan preflight shows what would fail on approval.`
}

// Run compares the plans with what Telnyx has, and prints what would be done.
func (c *planDiffCommand) Run(ctx context.Context, out output) error {
	if c.Path == "" {
		c.Path = c.Plans
	}
	if c.JSON {
		c.Format = "json"
	}
	var faults app.Faults
	client, concurrency := c.ReadOnlyClient(&faults)
	set, err := plan.Load(c.Path)
	if err != nil {
		if err := c.writeFaults(out.Stdout); err != nil {
			return err
		}
		return &app.ExitCode{Code: 1, Err: faults.Err()} // the plans' faults are printed
	}
	if err := faults.Err(); err != nil {
		return err
	}
	forecasts, err := assigner.Foresee(ctx, assigner.NewObserver(client, concurrency), set)
	if err != nil {
		return preflight.Explain(ctx, err)
	}
	report := newDiffReport(c.Path, set.Hash, forecasts)
	if err := c.write(out.Stdout, report); err != nil {
		return err
	}
	if err := unreadCampaigns(forecasts); err != nil {
		return err
	}
	switch { // the report is the message
	case report.Changes:
		return &app.ExitCode{Code: 2}
	case report.NeedsPerson:
		return &app.ExitCode{Code: 3}
	default:
		return nil
	}
}

// unreadCampaigns returns an error that names the campaigns that could not be read,
// each for a reason of its own, so that the diff is not taken for whole. The others
// are shown all the same.
func unreadCampaigns(forecasts []assigner.Forecast) error {
	var errs []error
	for _, f := range forecasts {
		if f.Phase == ledger.PhaseUnread {
			errs = append(errs, fmt.Errorf("plan %s could not be compared: %s", f.Plan.Name, f.Detail))
		}
	}
	return errors.Join(errs...)
}

// writeFaults prints the faults of the plans as plan validate does.
func (c *planDiffCommand) writeFaults(w io.Writer) error {
	found := validate(c.Path)
	switch c.Format {
	case "json":
		return writeValidations(w, []validation{found})
	case "markdown":
		return writeFaultsMarkdown(w, found)
	default:
		return writeText(w, []validation{found})
	}
}

func (c *planDiffCommand) write(w io.Writer, report diffReport) error {
	switch c.Format {
	case "json":
		return writeJSON(w, report)
	case "markdown":
		return report.writeMarkdown(w, c.All)
	default:
		return report.writeText(w, c.All, app.WantsColour(w))
	}
}

// diffReport is what an assigner would do about one set of plans. Its JSON form is
// what --json prints; fields may be added to it, and none is renamed.
type diffReport struct {
	// Path is where the plans were read, Hash that of the set.
	Path string `json:"path"`
	Hash string `json:"hash"`
	// Changes says that at least one number would be attached or moved. It is what
	// exit code 2 says.
	Changes bool `json:"changes"`
	// NeedsPerson says that a number or campaign needs a person, or may: Telnyx's
	// answers are not conclusive. It is what exit code 3 says, if there are no changes.
	NeedsPerson bool       `json:"needs_person"`
	Totals      diffTotals `json:"totals"`
	// Campaigns are in the order of the set, which is by name.
	Campaigns []diffCampaign `json:"campaigns"`
	// Reasons explains each reason that a number has, once.
	Reasons []diffReason `json:"reasons"`
}

// diffTotals counts the numbers of all approved campaigns, each once, and the
// campaigns that are not approved.
type diffTotals struct {
	Attach int `json:"attach"`
	Move   int `json:"move"`
	// Conflicts are on another campaign. Unattachable would be attached or moved, but
	// for a reason that needs a person.
	Conflicts    int `json:"conflicts"`
	Unattachable int `json:"unattachable"`
	// Waiting are those that Telnyx has not finished with, or is to be asked about again.
	Waiting  int `json:"waiting"`
	Attached int `json:"attached"`
	// Extras are on a campaign whose plan does not name them.
	Extras      int `json:"extras"`
	NotApproved int `json:"campaigns_not_ready"`
	// Unread counts campaigns that could not be read.
	Unread int `json:"campaigns_unread"`
}

// diffCampaign is what would be done about one entry of the plans.
type diffCampaign struct {
	Plan string `json:"plan"`
	// ID is the entry's [plan.Campaign.ID].
	ID string `json:"id"`
	// Phase is what the campaign's state means, Status Telnyx's campaignStatus, and
	// Detail says why in a few words.
	Phase  ledger.Phase `json:"phase"`
	Status string       `json:"campaign_status,omitempty"`
	Detail string       `json:"detail,omitempty"`
	// Planned counts the numbers of the plan, those of its pool among them. MaxNumbers
	// is the plan's.
	Planned    int `json:"planned"`
	MaxNumbers int `json:"max_numbers"`
	// Numbers are sorted by number; none unless the campaign is approved.
	Numbers []diffNumber `json:"numbers"`
}

// diffNumber is what would be done about one number.
type diffNumber struct {
	Number plan.E164 `json:"number"`
	// Sign is that of the action, but ! for a number that needs a person and ~ for one
	// that waits.
	Sign   string      `json:"sign"`
	Action plan.Action `json:"action"`
	// Change says that a request would be sent: the number is attached or moved.
	Change bool `json:"change"`
	// Reason is why nothing is sent, in the ledger's words. Detail says more, in a few
	// words, also of a change.
	Reason      ledger.Reason `json:"reason,omitempty"`
	Detail      string        `json:"detail,omitempty"`
	NeedsPerson bool          `json:"needs_person,omitempty"`
	// CampaignID and Status are those of the number's record, if it has one: for a
	// move the campaign that it leaves.
	CampaignID string                  `json:"campaign_id,omitempty"`
	Status     telnyx.AssignmentStatus `json:"assignment_status,omitempty"`
	// SetProfile is the messaging profile that the number would be put on first.
	SetProfile string `json:"set_messaging_profile_id,omitempty"`
}

// diffReason explains a reason in sentences.
type diffReason struct {
	Reason   ledger.Reason `json:"reason"`
	Sentence string        `json:"sentence"`
}

func newDiffReport(path, hash string, forecasts []assigner.Forecast) diffReport {
	r := diffReport{Path: path, Hash: hash, Campaigns: []diffCampaign{}, Reasons: []diffReason{}} // [] in JSON, never null
	met := map[ledger.Reason]bool{}
	for _, f := range forecasts {
		c := newDiffCampaign(f)
		switch {
		case f.Phase == ledger.PhaseUnread:
			r.Totals.Unread++
		case f.Waits():
			r.Totals.NotApproved++
		}
		r.NeedsPerson = r.NeedsPerson || f.Phase.NeedsPerson()
		for _, n := range c.Numbers {
			r.Totals.add(n)
			r.NeedsPerson = r.NeedsPerson || n.NeedsPerson || n.Reason == ledger.Unverified
			met[n.Reason] = true
		}
		r.Campaigns = append(r.Campaigns, c)
	}
	r.Changes = r.Totals.Attach+r.Totals.Move > 0
	for _, reason := range ledger.Reasons() {
		if met[reason] {
			advice := reason.Advice()
			r.Reasons = append(r.Reasons, diffReason{reason, advice.Why + " " + cmp.Or(advice.Action, advice.Next)})
		}
	}
	return r
}

func newDiffCampaign(f assigner.Forecast) diffCampaign {
	c := diffCampaign{
		Plan: f.Plan.Name, ID: f.Plan.ID(), Phase: f.Phase, Status: string(f.Campaign.CampaignStatus), Detail: f.Detail,
		Planned: len(f.Expanded.Numbers), MaxNumbers: f.Plan.MaxNumbers, Numbers: []diffNumber{},
	}
	if f.Waits() {
		return c
	}
	for _, n := range f.Numbers {
		c.Numbers = append(c.Numbers, newDiffNumber(n))
	}
	return c
}

func newDiffNumber(f assigner.NumberForecast) diffNumber {
	decided := f.Decision.Record
	n := diffNumber{Number: f.Number, Sign: f.Action.Sign(), Action: f.Action, NeedsPerson: decided.NeedsPerson}
	if record := f.Change.Record; record != nil {
		n.CampaignID, n.Status = record.CampaignID, record.AssignmentStatus
	}
	switch {
	case f.Write != assigner.WriteNone:
		n.Change, n.SetProfile, n.Detail = true, f.SetProfile, decided.Detail
		return n
	case decided.NeedsPerson:
		n.Sign = plan.Conflict.Sign()
	case decided.Reason != "":
		n.Sign = plan.Wait.Sign()
	}
	n.Reason, n.Detail = decided.Reason, decided.Detail
	return n
}

// add counts a number.
func (t *diffTotals) add(n diffNumber) {
	switch {
	case n.Action == plan.Conflict:
		t.Conflicts++
	case n.Action == plan.Done:
		t.Attached++
	case n.Action == plan.Extra:
		t.Extras++
	case n.NeedsPerson:
		t.Unattachable++
	case !n.Change:
		t.Waiting++
	case n.Action == plan.Move:
		t.Move++
	default:
		t.Attach++
	}
}
