package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"greenlight/internal/app"
	"greenlight/internal/assigner"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/status"
	"greenlight/internal/telnyx"
)

type planDiffCommand struct {
	Path       string `arg:"" optional:"" help:"Plan file, or folder of plan files. Default: the path of --plans."`
	Plans      string `name:"plans" env:"PLANS" default:"config/plans" placeholder:"PATH" help:"Path to compare if no path is given (${default})."`
	All        bool   `help:"List every number that is already attached."`
	PruneLimit int    `name:"prune-limit" env:"PRUNE_LIMIT" default:"0" placeholder:"N" help:"The --prune-limit of the running Greenlight (${default})."`
	Format     string `enum:"text,json,markdown" default:"text" placeholder:"FORMAT" help:"Output format: text, json, or markdown for a comment on a pull request (${default})."`
	JSON       bool   `help:"The same as --format json."`
	app.Telnyx `group:"Telnyx"`
	where
}

// Help is what kong prints under the command's own help.
func (c *planDiffCommand) Help() string {
	return `Shows what the assigner would do now. It uses the assigner's code with a client that can only read.

Signs:

  '+'  attach
  '>'  move from another campaign
  '='  already attached
  '~'  Telnyx is still processing it, or its answers are not conclusive
  '!'  needs a person
  '?'  on the campaign, but not in its plan
  '-'  to be removed because of prune: true

Removals are shown only if a running Greenlight answers, since only it knows which numbers it attached. Removals beyond
the limit have !. Earlier tries are unknown, so a number that waits after a failed try has +. To see what would fail on
approval, run greenlight plan preflight.

Exits with
  0  if there is nothing to do and nothing is wrong
  1  if plans have faults or Telnyx cannot be reached
  2  if a number would be attached, moved or removed
  3  if nothing would be done, but something needs a person or is unverified`
}

// Run compares the plans with Telnyx, and prints what would be done.
func (c *planDiffCommand) Run(ctx context.Context, out output) error {
	if c.JSON {
		c.Format = "json"
	}
	var faults app.Faults
	client, concurrency := c.ReadOnlyClient(&faults)
	if c.Path == "" {
		if c.Format == "text" && !app.CheckPlans(&faults, c.Plans) {
			return faults.Err()
		}
		c.Path = c.Plans
	}
	sets, loaded := loadPlans(c.Path)
	if !valid(loaded) {
		// Faults of plans are the output, those of settings the error.
		return cmp.Or(c.writeFaults(out.Stdout, loaded), error(&app.ExitCode{Code: 1, Err: faults.Err()}))
	}
	if err := faults.Err(); err != nil {
		return err
	}
	all, err := assigner.ForecastPlans(ctx, assigner.NewObserver(client, concurrency), sets[0])
	if err != nil {
		return err
	}
	forecasts := all[0]
	known := c.plansInForce(ctx)
	known.warn(out.Stderr)
	known.markRemovals(forecasts, c.PruneLimit)
	report := newDiffReport(c.Path, sets[0].Hash, forecasts)
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

// markRemovals marks the extra numbers that an entry with prune: true attached, except those
// that another entry needs there. As many as the assigner would remove without a person are
// to be removed; the rest needs one.
func (k inForce) markRemovals(forecasts []assigner.Forecast, limit int) {
	records := map[recordKey]ledger.Number{}
	for _, n := range k.numbers {
		records[recordKey{n.CampaignID, plan.E164(n.Number)}] = n
	}
	campaigns := map[string]ledger.Campaign{}
	for _, entry := range k.campaigns {
		campaigns[entry.Campaign.ID] = entry.Campaign
	}
	for _, f := range forecasts {
		var requested, leaving []*assigner.NumberForecast
		for i := range f.Numbers {
			n := &f.Numbers[i]
			record := records[recordKey{f.Plan.ID(), n.Number}]
			switch {
			case !f.Plan.Prune || n.Action != plan.Extra || isNeeded(n.Number, f, forecasts) || !assigner.AttachedBy(f.Plan, record):
			case strings.HasPrefix(record.Request.Sent, http.MethodDelete) && !record.Request.At.Before(record.UnnamedAt):
				requested = append(requested, n)
			default:
				leaving = append(leaving, n)
			}
		}
		all := len(requested) + len(leaving)
		room := assigner.PruneRoom(campaigns[f.Plan.ID()], len(f.Expanded.Numbers), all, limit)
		markLeaving(append(requested, leaving...), max(room, len(requested)))
	}
}

// recordKey is a number on a campaign, by the campaign's id in the ledger.
type recordKey struct {
	campaign string
	number   plan.E164
}

// markLeaving has the first numbers removed, as many as there is room for.
func markLeaving(leaving []*assigner.NumberForecast, room int) {
	for i, n := range leaving {
		if i < room {
			n.Action = plan.Remove
			continue
		}
		n.Decision.Record.NeedsPerson, n.Decision.Record.Reason = true, ledger.PruneLimit
		n.Decision.Record.Detail = fmt.Sprintf("%s left the plan, and %d may be removed without a person", status.Count(len(leaving), "number"), max(room, 0))
	}
}

// isNeeded reports whether another entry names a number, or may have it in its pool, and needs
// it on the campaign of the forecast.
func isNeeded(number plan.E164, f assigner.Forecast, all []assigner.Forecast) bool {
	return slices.ContainsFunc(all, func(other assigner.Forecast) bool {
		_, names := slices.BinarySearch(other.Expanded.Numbers, number)
		return (names || !other.PoolComplete) && other.Plan.ID() != f.Plan.ID() && assigner.NeedsOn(other.Plan, f.Campaign)
	})
}

// unreadCampaigns returns an error that names the campaigns that could not be read, so
// that nobody takes the diff for complete. The other campaigns are still shown.
func unreadCampaigns(forecasts []assigner.Forecast) error {
	var errs []error
	for _, f := range forecasts {
		if f.Phase == ledger.PhaseUnread {
			errs = append(errs, fmt.Errorf("plan %s could not be compared: %s", f.Plan.Name, f.Detail))
		}
	}
	return errors.Join(errs...)
}

// writeFaults prints the same as plan validate, in the format of the diff.
func (c *planDiffCommand) writeFaults(w io.Writer, loaded []validation) error {
	switch c.Format {
	case "json":
		return writeValidations(w, loaded)
	case "markdown":
		return writeFaultsMarkdown(app.Raw(w), loaded[0])
	default:
		return writeText(w, loaded)
	}
}

func (c *planDiffCommand) write(w io.Writer, report diffReport) error {
	switch c.Format {
	case "json":
		return writeJSON(w, report)
	case "markdown":
		return report.writeMarkdown(app.Raw(w), c.All)
	default:
		return report.writeText(w, c.All, app.WantsColour(w))
	}
}

// diffReport is what an assigner would do about one set of plans. --json prints it;
// fields may be added but not renamed.
type diffReport struct {
	// Path is where the plans were read, Hash identifies the set.
	Path string `json:"path"`
	Hash string `json:"hash"`
	// Changes is true if a number would be attached, moved or removed (exit code 2).
	Changes bool `json:"changes"`
	// NeedsPerson is true if a number or campaign needs a person, or may because Telnyx's
	// answers are not conclusive (exit code 3 if there are no changes).
	NeedsPerson bool       `json:"needs_person"`
	Totals      diffTotals `json:"totals"`
	// Campaigns are sorted by name.
	Campaigns []diffCampaign `json:"campaigns"`
	// Reasons explains once each reason that a number has.
	Reasons []diffReason `json:"reasons"`
}

// diffTotals counts the numbers of all approved campaigns, each once, and the
// campaigns that are not approved.
type diffTotals struct {
	Attach int `json:"attach"`
	Move   int `json:"move"`
	// Conflicts are on another campaign. Unattachable cannot be attached or moved until
	// a person acts.
	Conflicts    int `json:"conflicts"`
	Unattachable int `json:"unattachable"`
	// Waiting are those that Telnyx is still processing, or that must be read again.
	Waiting  int `json:"waiting"`
	Attached int `json:"attached"`
	// Extras are on a campaign whose plan does not list them.
	Extras int `json:"extras"`
	// Remove are extra numbers that an entry with prune: true would remove.
	Remove      int `json:"remove"`
	NotApproved int `json:"campaigns_not_ready"`
	// Unread counts campaigns that could not be read.
	Unread int `json:"campaigns_unread"`
}

// diffCampaign is what would be done about one entry of the plans.
type diffCampaign struct {
	Plan string `json:"plan"`
	// ID is the entry's [plan.Campaign.ID].
	ID string `json:"id"`
	// Phase is Greenlight's reading of Status, which is Telnyx's campaignStatus. Detail
	// says more about the phase.
	Phase  ledger.Phase `json:"phase"`
	Status string       `json:"campaign_status,omitempty"`
	Detail string       `json:"detail,omitempty"`
	// Planned counts the numbers of the plan, including those of its pool. MaxNumbers
	// is the plan's limit.
	Planned    int `json:"planned"`
	MaxNumbers int `json:"max_numbers"`
	// Numbers are sorted by number. The list is empty unless the campaign is approved.
	Numbers []diffNumber `json:"numbers"`
}

// diffNumber is what would be done about one number.
type diffNumber struct {
	Number plan.E164 `json:"number"`
	// Sign is that of the action, except ! for a number that needs a person and ~ for
	// one that waits.
	Sign   string      `json:"sign"`
	Action plan.Action `json:"action"`
	// Change is true if a request would be sent for the number.
	Change bool `json:"change"`
	// Reason is why nothing would be sent. Detail says more about the reason or the change.
	Reason      ledger.Reason `json:"reason,omitempty"`
	Detail      string        `json:"detail,omitempty"`
	NeedsPerson bool          `json:"needs_person,omitempty"`
	// CampaignID and Status come from the number's record at Telnyx, if it has one. For
	// a move, that is the campaign it leaves.
	CampaignID string                  `json:"campaign_id,omitempty"`
	Status     telnyx.AssignmentStatus `json:"assignment_status,omitempty"`
	// SetProfile is the messaging profile that would be set before the number is attached.
	SetProfile string `json:"set_messaging_profile_id,omitempty"`
}

// diffReason explains a reason.
type diffReason struct {
	Reason   ledger.Reason `json:"reason"`
	Sentence string        `json:"sentence"`
}

func newDiffReport(path, hash string, forecasts []assigner.Forecast) diffReport {
	r := diffReport{Path: path, Hash: hash, Campaigns: []diffCampaign{}, Reasons: []diffReason{}} // [] in JSON, never null
	seen := map[ledger.Reason]bool{}
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
			seen[n.Reason] = true
		}
		r.Campaigns = append(r.Campaigns, c)
	}
	r.Changes = r.Totals.Attach+r.Totals.Move+r.Totals.Remove > 0
	for _, reason := range ledger.Reasons() {
		if seen[reason] {
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
	n := diffNumber{Number: f.Number, Sign: f.Action.Sign(), Action: f.Action, NeedsPerson: decided.NeedsPerson, Change: f.Action == plan.Remove}
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
	case n.Action == plan.Remove:
		t.Remove++
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
