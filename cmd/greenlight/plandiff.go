package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"greenlight/internal/account"
	"greenlight/internal/assigner"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/preflight"
	"greenlight/internal/process"
	"greenlight/internal/settings"
	"greenlight/internal/telnyx"
	"greenlight/internal/terminal"
)

type planDiffCommand struct {
	Path            string `arg:"" optional:"" help:"Plan file, or folder of them, which is one set. None: what --plans says."`
	Plans           string `name:"plans" env:"PLANS" default:"config/plans" placeholder:"PATH" help:"What is compared when no path is given (${default})."`
	All             bool   `help:"List every number that is attached already, however many."`
	Format          string `enum:"text,json,markdown" default:"text" placeholder:"FORMAT" help:"How to tell: text, json, or markdown for a comment on a pull request (${default})."`
	JSON            bool   `help:"The same as --format json."`
	settings.Telnyx `group:"Telnyx"`
}

// Help is what kong prints under the command's own help.
func (c *planDiffCommand) Help() string {
	return `Tells what the assigner would do this minute, by the assigner's own code, and changes nothing: its client can
only read. Signs: + attach, > move from another campaign, = attached already, ~ Telnyx is still at work on it,
! cannot be attached, ? on the campaign and not in its plan. It does not know what was tried before: a number
that waits after a failed try is shown as one to attach.
Ends with 0 if there is nothing to do, with 2 if a number would be attached or moved, and with 1 if plans have
faults or Telnyx cannot be asked. Numbers that cannot be attached are shown and are nothing to do: alone they
end it with 0. To fail for them, use greenlight plan preflight.`
}

// Run compares the plans with what Telnyx has, and prints what would be done.
func (c *planDiffCommand) Run(ctx context.Context, out output) error {
	if c.Path == "" {
		c.Path = c.Plans
	}
	if c.JSON {
		c.Format = "json"
	}
	var faults settings.Faults
	client, concurrency := c.ReadOnlyClient(&faults)
	set, err := plan.Load(c.Path)
	if err != nil {
		if err := c.writeFaults(out.Stdout); err != nil {
			return err
		}
		return &process.ExitCode{Code: 1, Err: faults.Err()} // the plans' faults are told
	}
	if err := faults.Err(); err != nil {
		return err
	}
	forecasts, err := assigner.Foresee(ctx, account.NewReader(client, concurrency), set)
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
	if report.Changes {
		return &process.ExitCode{Code: 2} // the changes are the message
	}
	return nil
}

// unreadCampaigns returns an error that names the campaigns that Telnyx would not
// let be read, each for a reason of its own, so that the diff is not taken for
// whole. The others are told all the same.
func unreadCampaigns(forecasts []assigner.Forecast) error {
	var errs []error
	for _, f := range forecasts {
		if f.Phase == ledger.Unread {
			errs = append(errs, fmt.Errorf("plan %s could not be told: %s", f.Plan.Name, f.Detail))
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
		return report.writeText(w, c.All, terminal.WantsColour(w))
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
	Changes bool       `json:"changes"`
	Totals  diffTotals `json:"totals"`
	// Campaigns are in the order of the set, which is by name.
	Campaigns []diffCampaign `json:"campaigns"`
	// Reasons explains each reason that a number has, once.
	Reasons []diffReason `json:"reasons"`
}

// diffTotals counts the numbers of all campaigns that are ready, each once, and
// the campaigns that are not.
type diffTotals struct {
	Attach int `json:"attach"`
	Move   int `json:"move"`
	// Conflicts are on another campaign. Unattachable would be attached or moved, but
	// for their reason.
	Conflicts    int `json:"conflicts"`
	Unattachable int `json:"unattachable"`
	// Waiting are those that Telnyx has not finished with.
	Waiting  int `json:"waiting"`
	Attached int `json:"attached"`
	// Extras are on a campaign whose plan does not name them.
	Extras   int `json:"extras"`
	NotReady int `json:"campaigns_not_ready"`
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
	// Planned counts the numbers of the plan; those of its pool are among them once
	// the campaign is ready. MaxNumbers is the plan's.
	Planned    int `json:"planned"`
	MaxNumbers int `json:"max_numbers"`
	// Numbers are sorted by number; none unless the campaign is ready.
	Numbers []diffNumber `json:"numbers"`
}

// diffNumber is what would be done about one number.
type diffNumber struct {
	Number plan.E164 `json:"number"`
	// Sign is that of the action, and ! for every number that has a reason.
	Sign   string      `json:"sign"`
	Action plan.Action `json:"action"`
	// Change says that a request would be sent: the number is attached or moved.
	Change bool `json:"change"`
	// Reason is why the action cannot be done, in the ledger's words.
	Reason ledger.Reason `json:"reason,omitempty"`
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
		if c.Phase != ledger.Ready {
			r.Totals.NotReady++
		}
		for _, n := range c.Numbers {
			r.Totals.add(n)
			met[n.Reason] = true
		}
		r.Campaigns = append(r.Campaigns, c)
	}
	r.Changes = r.Totals.Attach+r.Totals.Move > 0
	for _, reason := range ledger.Reasons() {
		if met[reason] {
			advice := reason.Advice()
			r.Reasons = append(r.Reasons, diffReason{reason, advice.Why + " " + advice.Action})
		}
	}
	return r
}

func newDiffCampaign(f assigner.Forecast) diffCampaign {
	c := diffCampaign{
		Plan: f.Plan.Name, ID: f.Plan.ID(), Phase: f.Phase, Status: f.Status, Detail: f.Detail,
		Planned: len(f.Plan.Numbers), MaxNumbers: f.Plan.MaxNumbers, Numbers: []diffNumber{},
	}
	for _, forecast := range f.Numbers {
		n := diffNumber{
			Number: forecast.Number, Sign: forecast.Action.Sign(), Action: forecast.Action, Change: forecast.Writes(),
			Reason: forecast.Reason, SetProfile: forecast.SetProfile,
		}
		if n.Action == plan.Conflict {
			n.Reason = ledger.OtherCampaign
		}
		if n.Reason != "" {
			n.Sign = plan.Conflict.Sign()
		}
		if record := forecast.Record; record != nil {
			n.CampaignID, n.Status = record.CampaignID, record.AssignmentStatus
		}
		c.Numbers = append(c.Numbers, n)
	}
	return c
}

// add counts a number.
func (t *diffTotals) add(n diffNumber) {
	switch {
	case n.Action == plan.Conflict:
		t.Conflicts++
	case n.Reason != "":
		t.Unattachable++
	case n.Action == plan.Attach:
		t.Attach++
	case n.Action == plan.Move:
		t.Move++
	case n.Action == plan.Done:
		t.Attached++
	case n.Action == plan.Extra:
		t.Extras++
	default:
		t.Waiting++
	}
}
