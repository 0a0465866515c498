package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"golang.org/x/sync/errgroup"

	"greenlight/internal/app"
	"greenlight/internal/assigner"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/preflight"
	"greenlight/internal/status"
	"greenlight/internal/telnyx"
)

type campaignsListCommand struct {
	Brand string `placeholder:"ID" help:"Only the campaigns of this brand, by Telnyx's id."`
	reading
}

// reading has the flags of the commands that show campaigns.
type reading struct {
	JSON bool `help:"Print JSON."`
	publicURL
	app.Telnyx `group:"Telnyx"`
	where
}

// Help is what kong prints under the command's own help.
func (c *campaignsListCommand) Help() string {
	return `Reads from Telnyx the campaigns of all brands, and those that other accounts share. The plan and the capacity come
from the plan set in force, if a running Greenlight answers. WEBHOOK says whether the webhookURL leads to Greenlight.`
}

// shownCampaign is a campaign in the form that --json prints.
type shownCampaign struct {
	CampaignID    telnyx.CampaignID     `json:"campaign_id"`
	TCRCampaignID telnyx.TCRCampaignID  `json:"tcr_campaign_id"`
	BrandID       string                `json:"brand_id"`
	Shared        bool                  `json:"shared"`
	Plan          string                `json:"plan"`
	Phase         ledger.Phase          `json:"phase"`
	Status        telnyx.CampaignStatus `json:"campaign_status"`
	Stage         string                `json:"stage"`
	Carriers      []ledger.Carrier      `json:"carriers"`
	// Numbers counts those on the campaign, Capacity is how many it takes.
	Numbers            int    `json:"numbers"`
	Capacity           int    `json:"capacity"`
	WebhookURL         string `json:"webhook_url"`
	WebhookFailoverURL string `json:"webhook_failover_url"`
	// WebhookProblem says why events may not reach Greenlight; empty if they do.
	WebhookProblem string `json:"webhook_problem"`
	AutoRenewal    *bool  `json:"auto_renewal"`
	RenewsOrEnds   string `json:"next_renewal_or_expiration"`

	ends time.Time
}

// Run reads the lists and prints them.
func (c *campaignsListCommand) Run(ctx context.Context, out output) error {
	var faults app.Faults
	client, concurrency := c.ReadOnlyClient(&faults)
	if err := faults.Err(); err != nil {
		return err
	}
	campaigns, gap, err := c.read(ctx, client)
	if err != nil {
		return err
	}
	on, err := client.Assignments(ctx, 0)
	if err != nil {
		return err
	}
	known := c.plansInForce(ctx)
	known.warn(out.Stderr)
	shown := make([]shownCampaign, len(campaigns))
	failures := make([]error, len(campaigns))
	carriers := assigner.NewCarriers(client)
	var group errgroup.Group
	group.SetLimit(concurrency)
	for i, campaign := range campaigns {
		group.Go(func() error {
			shown[i] = c.show(campaign, known, on.All)
			failures[i] = shown[i].readCarriers(ctx, carriers, campaign)
			return nil
		})
	}
	_ = group.Wait()
	slices.SortStableFunc(shown, func(a, b shownCampaign) int { return cmp.Compare(a.BrandID, b.BrandID) })
	gap = cmp.Or(gap, on.Why)
	switch {
	case c.JSON:
		err = writeJSON(out.Stdout, shown)
	case len(shown) > 0:
		err = writeCampaigns(out.Stdout, shown)
	case gap == "":
		_, err = fmt.Fprintln(out.Stdout, c.none())
	}
	if err == nil && gap != "" {
		err = fmt.Errorf("the list is incomplete: %s; try again", gap)
	}
	failures = slices.DeleteFunc(failures, func(failure error) bool { return failure == nil })
	if err == nil && len(failures) > 0 {
		err = fmt.Errorf("the carriers of %s are not shown: %w", status.Count(len(failures), "campaign"), failures[0])
	}
	return err
}

// read reads the campaigns of the brands, and the shared ones unless a brand is given. Gap
// says what a list lacks.
func (c *campaignsListCommand) read(ctx context.Context, client *telnyx.Client) (all []telnyx.Campaign, gap string, err error) {
	brands := []telnyx.Brand{{BrandID: c.Brand}}
	if c.Brand == "" {
		if brands, err = client.Brands(ctx); err != nil {
			return nil, "", err
		}
		shared, err := client.PartnerCampaigns(ctx)
		if err != nil && !telnyx.IsNotFound(err) {
			return nil, "", err
		}
		all, gap = shared.All, shared.Why
	}
	for _, brand := range brands {
		rows, err := client.Campaigns(ctx, brand.BrandID)
		if err != nil {
			return nil, "", err
		}
		all, gap = append(all, rows.All...), cmp.Or(gap, rows.Why)
	}
	return all, gap, nil
}

// readCarriers fills in the carriers.
func (s *shownCampaign) readCarriers(ctx context.Context, carriers *assigner.Carriers, c telnyx.Campaign) error {
	read, err := carriers.Read(ctx, c)
	s.Carriers = append(s.Carriers, read...)
	return err
}

// webhookProblem is a relative clause that says why events may not reach Greenlight.
func webhookProblem(c telnyx.Campaign, publicURL string) string {
	if c.WebhookURL == "" {
		return "which is empty"
	}
	return preflight.WrongWebhookURL(c.WebhookURL, publicURL)
}

// show joins what is known of a campaign.
func (r reading) show(c telnyx.Campaign, known inForce, records []telnyx.Assignment) shownCampaign {
	phase, _ := assigner.PhaseOf(c)
	s := shownCampaign{
		CampaignID: c.CampaignID, TCRCampaignID: c.TCRCampaignID, BrandID: c.BrandID, Shared: c.Shared,
		Phase: phase, Status: c.CampaignStatus, Stage: status.Stage(string(c.CampaignStatus)), Carriers: []ledger.Carrier{},
		WebhookURL: c.WebhookURL, WebhookFailoverURL: c.WebhookFailoverURL, WebhookProblem: webhookProblem(c, r.PublicURL),
		AutoRenewal: c.AutoRenewal, RenewsOrEnds: c.RenewsOrEnds.Text, ends: assigner.EndOf(c),
	}
	want := plan.Campaign{MaxNumbers: plan.DefaultMaxNumbers}
	for _, entry := range known.campaigns {
		if p := entry.Campaign; p.Planned && (slices.Contains(p.IDs(), string(c.CampaignID)) || slices.Contains(p.IDs(), string(c.TCRCampaignID))) {
			s.Plan = p.Plan
			want.MaxNumbers = cmp.Or(p.MaxNumbers, want.MaxNumbers)
		}
	}
	s.Capacity = assigner.CapacityOf(want, c)
	for _, record := range records {
		if record.On(c) && record.AssignmentStatus != telnyx.FailedAssignment {
			s.Numbers++
		}
	}
	return s
}

// webhookText says whether the webhook is ours, and where it is.
func (s shownCampaign) webhookText() string {
	address := status.Plain(s.WebhookURL, 300)
	switch {
	case s.WebhookURL == "":
		return "none"
	case s.WebhookProblem == "":
		return "ours: " + address
	}
	return "not ours: " + address
}

// endText says when the campaign is renewed or ends.
func (s shownCampaign) endText() string {
	day, _, _ := strings.Cut(status.Plain(s.RenewsOrEnds, 40), "T")
	switch {
	case day == "":
		return "-"
	case s.AutoRenewal == nil:
		return day
	case *s.AutoRenewal:
		return "renews " + day
	}
	return "ends " + day
}

// none says that no campaign is what was asked for, which may be a typing mistake.
func (c *campaignsListCommand) none() string {
	if c.Brand != "" {
		return "Brand " + status.Plain(c.Brand, 100) + " has no campaigns."
	}
	return "The account has no campaigns."
}

func writeCampaigns(w io.Writer, shown []shownCampaign) error {
	t := status.NewTable()
	t.AppendHeader(table.Row{"CAMPAIGN", "PLAN", "PHASE", "STATUS", "STAGE", "CARRIERS", "NUMBERS", "RENEWAL", "WEBHOOK"})
	for _, s := range shown {
		t.AppendRow(table.Row{cmp.Or(string(s.CampaignID), string(s.TCRCampaignID)), cmp.Or(status.Plain(s.Plan, 64), "-"), s.Phase, s.Status, cmp.Or(s.Stage, "-"),
			cmp.Or(status.CarriersText(s.Carriers), "-"), fmt.Sprintf("%d of %d", s.Numbers, s.Capacity), s.endText(), s.webhookText()})
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}

type campaignsShowCommand struct {
	Campaign string `arg:"" predictor:"campaign" help:"Telnyx's id, TCR's id, or the plan's name."`
	Plans    string `name:"plans" env:"PLANS" default:"config/plans" placeholder:"PATH" help:"Plan files to use if no running Greenlight answers (${default})."`
	reading
}

// Run reads the campaign and prints it.
func (c *campaignsShowCommand) Run(ctx context.Context, out output) error {
	var faults app.Faults
	client, _ := c.ReadOnlyClient(&faults)
	if err := faults.Err(); err != nil {
		return err
	}
	known := c.plansInForce(ctx)
	known.warn(out.Stderr)
	chosen, err := known.choose(c.Plans, []string{c.Campaign})
	if err == nil {
		chosen, err = readChosen(ctx, client, 1, chosen)
	}
	if err == nil {
		err = chosen[0].err
	}
	if err != nil {
		return err
	}
	campaign := chosen[0].campaign
	on, err := client.AssignmentsOn(ctx, campaign)
	if err != nil {
		return err
	}
	shown := c.show(campaign, known, on.All)
	unread := shown.readCarriers(ctx, assigner.NewCarriers(client), campaign)
	if c.JSON {
		err = writeJSON(out.Stdout, shown)
	} else {
		err = shown.write(out.Stdout)
	}
	if err == nil && !on.Complete {
		err = errors.New("the count of numbers is uncertain: " + on.Why + "; try again")
	}
	return cmp.Or(err, unread)
}

func (s shownCampaign) write(w io.Writer) error {
	t := status.NewTable()
	add := func(name, value string) { t.AppendRow(table.Row{name, cmp.Or(value, "-")}) }
	add("Campaign", string(s.CampaignID))
	add("TCR id", string(s.TCRCampaignID))
	add("Plan", status.Plain(s.Plan, 64))
	add("Phase", string(s.Phase))
	add("Status", strings.TrimSuffix(string(s.Status)+": "+s.Stage, ": "))
	for _, c := range s.Carriers {
		add(status.Plain(c.Name, 40), status.Plain(c.Status, 40))
	}
	add("Numbers", fmt.Sprintf("%d of %d", s.Numbers, s.Capacity))
	webhook := status.Plain(s.WebhookURL, 300)
	if s.WebhookProblem != "" && s.WebhookURL != "" {
		webhook += ", " + s.WebhookProblem
	}
	add("Webhook", webhook)
	add("Failover", status.Plain(s.WebhookFailoverURL, 300))
	add("Renewal", s.endText())
	if _, err := fmt.Fprintln(w, t.Render()); err != nil {
		return err
	}
	if days := math.Ceil(time.Until(s.ends).Hours() / 24); ledger.EndsSoon(s.ends, time.Now()) && s.Phase != ledger.PhaseExpired {
		_, err := fmt.Fprintf(w, "\nIt ends in %d days. %s\n", int(days), ledger.FixEnd)
		return err
	}
	return nil
}
