package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"

	"greenlight/internal/app"
	"greenlight/internal/assigner"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/status"
	"greenlight/internal/telnyx"
)

type numbersListCommand struct {
	Campaign   string `predictor:"campaign" placeholder:"ID" xor:"which" help:"Only what is on this campaign: Telnyx's id, TCR's id, or the plan's name."`
	Profile    string `placeholder:"ID" xor:"which" help:"Only the numbers of this messaging profile."`
	All        bool   `xor:"which" help:"Every number of the account. Default: those that are on a campaign."`
	JSON       bool   `help:"Print JSON."`
	app.Telnyx `group:"Telnyx"`
	where
}

// Help is what kong prints under the command's own help.
func (c *numbersListCommand) Help() string {
	return `Reads from Telnyx. A number with several records, for example a failed one, has a line for each. PLAN is the entry
that names the number in the plan set in force, if a running Greenlight answers.`
}

// listedNumber is a number and one of its records, in the form that --json prints.
type listedNumber struct {
	Number             string                  `json:"number"`
	CampaignID         string                  `json:"campaign_id"`
	TCRCampaignID      string                  `json:"tcr_campaign_id"`
	Status             telnyx.AssignmentStatus `json:"status"`
	TMobileStatus      telnyx.MappingStatus    `json:"tmobile_status"`
	OtherStatus        telnyx.MappingStatus    `json:"other_carriers_status"`
	MessagingProfileID string                  `json:"messaging_profile_id"`
	Type               telnyx.NumberType       `json:"type"`
	Plan               string                  `json:"plan"`
}

// Run reads the lists and prints them.
func (c *numbersListCommand) Run(ctx context.Context, out output) error {
	var faults app.Faults
	client, _ := c.ReadOnlyClient(&faults)
	if err := faults.Err(); err != nil {
		return err
	}
	known := c.plansInForce(ctx)
	known.warn(out.Stderr)
	records, settings, gaps, err := c.read(ctx, client, known)
	if err != nil {
		return err
	}
	rows := listNumbers(records, settings, known.planOf(), c.All || c.Profile != "")
	switch {
	case c.JSON:
		err = writeJSON(out.Stdout, rows)
	case len(rows) > 0:
		err = writeNumbers(out.Stdout, rows)
	case gaps == "":
		_, err = fmt.Fprintln(out.Stdout, c.none())
	}
	if err == nil && gaps != "" {
		err = fmt.Errorf("the list is incomplete: %s; try again", gaps)
	}
	return err
}

// read reads the records and the settings that the list is made of. Gaps says what a list
// lacks.
func (c *numbersListCommand) read(ctx context.Context, client *telnyx.Client, known inForce) (records []telnyx.Assignment, settings map[string]telnyx.Number, gaps string, err error) {
	var on telnyx.Rows[telnyx.Assignment]
	if c.Campaign != "" {
		campaign, err := findCampaign(ctx, client, known, c.Campaign)
		if telnyx.IsNotFound(err) {
			return nil, nil, "", noCampaign(c.Campaign)
		}
		if err != nil {
			return nil, nil, "", err
		}
		on, err = client.AssignmentsOn(ctx, campaign)
		if err != nil {
			return nil, nil, "", err
		}
	} else if on, err = client.Assignments(ctx, 0); err != nil {
		return nil, nil, "", err
	}
	var owned telnyx.Rows[telnyx.Number]
	switch {
	case c.Profile != "":
		owned, err = client.ProfileNumbers(ctx, c.Profile)
	case c.All:
		owned, err = client.AccountNumbers(ctx, 0)
	default:
		owned, err = settingsOf(ctx, client, on.All)
	}
	settings = make(map[string]telnyx.Number, len(owned.All))
	for _, n := range owned.All {
		settings[n.PhoneNumber] = n
	}
	return on.All, settings, cmp.Or(on.Why, owned.Why), err
}

// settingsOf reads the settings of the numbers that records name.
func settingsOf(ctx context.Context, client *telnyx.Client, records []telnyx.Assignment) (telnyx.Rows[telnyx.Number], error) {
	found, err := client.Numbers(ctx, numbersOf(records))
	rows := telnyx.Rows[telnyx.Number]{Complete: true}
	for _, n := range found.Found {
		rows.All = append(rows.All, n)
	}
	return rows, err
}

// numbersOf returns the numbers that records name, sorted, each once.
func numbersOf(records []telnyx.Assignment) (numbers []string) {
	for _, record := range records {
		numbers = append(numbers, record.PhoneNumber)
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// listNumbers joins records and settings, sorted by number. With onlyOwned the settings
// say which numbers are listed, else the records.
func listNumbers(records []telnyx.Assignment, settings map[string]telnyx.Number, plans map[plan.E164]string, onlyOwned bool) []listedNumber {
	rows := []listedNumber{}
	onCampaign := map[string]bool{}
	for _, record := range records {
		n, owned := settings[record.PhoneNumber]
		if onlyOwned && !owned {
			continue
		}
		onCampaign[record.PhoneNumber] = true
		rows = append(rows, listedNumber{
			Number: record.PhoneNumber, CampaignID: cmp.Or(string(record.TelnyxCampaignID), record.CampaignID), TCRCampaignID: string(record.TCRCampaignID),
			Status: record.AssignmentStatus, TMobileStatus: record.TMobile, OtherStatus: record.NonTMobile,
			MessagingProfileID: n.MessagingProfileID, Type: n.Type, Plan: plans[plan.E164(record.PhoneNumber)],
		})
	}
	for number, n := range settings {
		if onlyOwned && !onCampaign[number] {
			rows = append(rows, listedNumber{Number: number, MessagingProfileID: n.MessagingProfileID, Type: n.Type, Plan: plans[plan.E164(number)]})
		}
	}
	slices.SortFunc(rows, func(a, b listedNumber) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.CampaignID, b.CampaignID), cmp.Compare(a.Status, b.Status))
	})
	return rows
}

// none says that no number is what was asked for, which may be a typing mistake.
func (c *numbersListCommand) none() string {
	switch {
	case c.Campaign != "":
		return "No number is on campaign " + status.Plain(c.Campaign, 100) + "."
	case c.Profile != "":
		return "No number has messaging profile " + status.Plain(c.Profile, 100) + "."
	case c.All:
		return "The account has no numbers."
	}
	return "No number is on a campaign. With --all, all numbers of the account are listed."
}

func writeNumbers(w io.Writer, rows []listedNumber) error {
	t := status.NewTable()
	t.AppendHeader(table.Row{"NUMBER", "CAMPAIGN", "STATUS", "T-MOBILE", "OTHERS", "PROFILE", "TYPE", "PLAN"})
	for _, r := range rows {
		t.AppendRow(table.Row{r.Number, cmp.Or(r.TCRCampaignID, r.CampaignID, "-"), cmp.Or(r.Status, "-"), cmp.Or(r.TMobileStatus, "-"), cmp.Or(r.OtherStatus, "-"),
			cmp.Or(r.MessagingProfileID, "-"), cmp.Or(r.Type, "-"), cmp.Or(status.Plain(r.Plan, 64), "-")})
	}
	_, err := fmt.Fprintln(w, t.Render())
	return err
}

type numbersVerifyCommand struct {
	Plan       string `arg:"" optional:"" predictor:"campaign" help:"Plan entry to verify, by its name."`
	Campaign   string `predictor:"campaign" placeholder:"ID" help:"Campaign to verify: Telnyx's id, TCR's id, or the plan's name."`
	Profile    string `placeholder:"ID" help:"Messaging profile whose numbers belong on the campaign."`
	Plans      string `name:"plans" env:"PLANS" default:"config/plans" placeholder:"PATH" help:"Plan files to use if no running Greenlight answers (${default})."`
	JSON       bool   `help:"Print JSON."`
	app.Telnyx `group:"Telnyx"`
	where
}

// Help is what kong prints under the command's own help.
func (c *numbersVerifyCommand) Help() string {
	return `Compares the numbers of a plan entry, or of a messaging profile, with what is on the campaign at Telnyx now: missing
(not on the campaign), extra (on it, but not in the pool), and waiting (not yet with every carrier). It uses the entry
in the plan set in force, or in the plan files if no running Greenlight answers.

Exits with 0 if the pool is complete, with 2 if there are gaps, and with 1 on errors.`
}

// gaps is what the pool and the campaign do not share, in the form that --json prints.
type gaps struct {
	Missing []plan.E164 `json:"missing"`
	Extra   []plan.E164 `json:"extra"`
	Waiting []plan.E164 `json:"waiting"`
}

func (g gaps) empty() bool { return len(g.Missing)+len(g.Extra)+len(g.Waiting) == 0 }

// Run compares, and prints what differs.
func (c *numbersVerifyCommand) Run(ctx context.Context, out output) error {
	if (c.Plan == "") == (c.Campaign == "" && c.Profile == "") || (c.Campaign == "") != (c.Profile == "") {
		return errors.New("name either a plan entry, or both --campaign and --profile")
	}
	var faults app.Faults
	client, _ := c.ReadOnlyClient(&faults)
	if err := faults.Err(); err != nil {
		return err
	}
	want, campaign, err := c.wanted(ctx, client, out.Stderr)
	if err != nil {
		return err
	}
	on, err := client.AssignmentsOn(ctx, campaign)
	if err != nil {
		return err
	}
	if !on.Complete {
		return fmt.Errorf("the campaign's list is incomplete: %s; try again", on.Why)
	}
	found := findGaps(want, campaign, on.All)
	if c.JSON {
		err = writeJSON(out.Stdout, found)
	} else {
		err = found.write(out.Stdout, len(want.Numbers))
	}
	if err == nil && !found.empty() {
		err = &app.ExitCode{Code: 2}
	}
	return err
}

// wanted returns the numbers that belong on the campaign, and the campaign.
func (c *numbersVerifyCommand) wanted(ctx context.Context, client *telnyx.Client, stderr io.Writer) (want plan.Campaign, campaign telnyx.Campaign, err error) {
	known := c.plansInForce(ctx)
	if c.Plan == "" {
		known.warn(stderr)
		if campaign, err = findCampaign(ctx, client, known, c.Campaign); err != nil {
			return want, campaign, explain(err, c.Campaign)
		}
		want.NumberPool = c.Profile
		want, err = withPool(ctx, client, &plan.Set{}, want)
		return want, campaign, err
	}
	want, set, err := c.entry(known, stderr)
	if err != nil {
		return want, campaign, err
	}
	if _, isKnown := known.campaign(want.ID()); isKnown {
		campaign, err = findCampaign(ctx, client, known, want.ID())
	} else {
		campaign, err = assigner.ReadEntry(ctx, client, want)
	}
	if err != nil {
		return want, campaign, explain(err, want.ID())
	}
	want, err = withPool(ctx, client, set, want)
	return want, campaign, err
}

// withPool returns an entry of the set with the numbers of its pool, if it has one.
func withPool(ctx context.Context, client *telnyx.Client, set *plan.Set, want plan.Campaign) (plan.Campaign, error) {
	if want.NumberPool == "" {
		return want, nil
	}
	rows, err := client.ProfileNumbers(ctx, want.NumberPool)
	if err != nil {
		return want, err
	}
	if !rows.Complete {
		return want, fmt.Errorf("the list of messaging profile %s is incomplete: %s; try again", want.NumberPool, rows.Why)
	}
	pool, _ := assigner.PoolOf(rows.All)
	return set.WithPool(want, pool), nil
}

// entry returns the plan entry as it is in force, or as the files have it if there is no
// ledger to read, and the other entries, for its pool. It says which it was.
func (c *numbersVerifyCommand) entry(known inForce, stderr io.Writer) (want plan.Campaign, set *plan.Set, err error) {
	files, loadErr := plan.Load(c.Plans)
	if known.err == nil {
		fmt.Fprintln(stderr, "Compared with the plan set in force.")
		return c.entryInForce(known, files, loadErr)
	}
	if err := known.damage(); err != nil {
		return want, nil, err
	}
	known.warn(stderr)
	if loadErr != nil {
		return want, nil, loadErr
	}
	want, ok := entryNamed(files, c.Plan)
	if !ok {
		return want, nil, fmt.Errorf("%s has no entry named %s", plan.Printable(c.Plans), status.Plain(c.Plan, 100))
	}
	fmt.Fprintf(stderr, "Compared with the plan files at %s, because no running Greenlight answered.\n", plan.Printable(c.Plans))
	return want, files, nil
}

// entryInForce returns the entry that the ledger has. Which of the numbers of an entry with
// a pool it lists itself is only certain from the files, if these have the same entry.
func (c *numbersVerifyCommand) entryInForce(known inForce, files *plan.Set, loadErr error) (want plan.Campaign, set *plan.Set, err error) {
	record, ok := known.campaign(c.Plan)
	if !ok || !record.Planned {
		return want, nil, fmt.Errorf("the plan set in force has no entry named %s%s", status.Plain(c.Plan, 100), couldMean(c.Plan, known.campaigns))
	}
	numbers, others := known.namedFor(record)
	set = &plan.Set{Campaigns: []plan.Campaign{{Numbers: others}}}
	if loadErr == nil {
		if want, ok := files.Find(record.ID); ok && want.Hash() == record.EntryHash {
			return want, set, nil
		}
	}
	want = assigner.EntryOf(record)
	want.Name, want.NumberPool, want.Numbers = record.Plan, record.NumberPool, numbers
	return want, set, nil
}

// namedFor returns the numbers that the entry of the record lists, sorted, and those that
// other entries name. Those of a pool have no place but the entry's.
func (k inForce) namedFor(record ledger.Campaign) (numbers, others []plan.E164) {
	for _, n := range k.numbers {
		switch {
		case !isNamed(n):
		case n.CampaignID == record.ID && record.NumberPool != "" && n.PlanPlace == record.PlanPlace: // the pool's
		case n.CampaignID == record.ID:
			numbers = append(numbers, plan.E164(n.Number))
		default:
			others = append(others, plan.E164(n.Number))
		}
	}
	slices.Sort(numbers)
	return numbers, others
}

// findGaps compares the numbers that belong on the campaign with the records on it.
func findGaps(want plan.Campaign, campaign telnyx.Campaign, records []telnyx.Assignment) gaps {
	found := gaps{Missing: []plan.E164{}, Extra: []plan.E164{}, Waiting: []plan.E164{}}
	for _, change := range plan.Diff(want, campaign, records) {
		switch {
		case change.Action == plan.Extra:
			found.Extra = append(found.Extra, change.Number)
		case change.Action == plan.Wait, change.Action == plan.Done && !change.Record.Sendable():
			found.Waiting = append(found.Waiting, change.Number)
		case change.Action != plan.Done:
			found.Missing = append(found.Missing, change.Number)
		}
	}
	return found
}

func (g gaps) write(w io.Writer, total int) error {
	if g.empty() {
		_, err := fmt.Fprintf(w, "Complete: all %d numbers are on the campaign, and every carrier has them.\n", total)
		return err
	}
	for _, part := range []struct {
		word    string
		numbers []plan.E164
	}{{"missing", g.Missing}, {"extra", g.Extra}, {"waiting", g.Waiting}} {
		for _, n := range part.numbers {
			if _, err := fmt.Fprintf(w, "%-7s  %s\n", part.word, n); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(w, "%d missing, %d extra, %d waiting, of %d.\n", len(g.Missing), len(g.Extra), len(g.Waiting), total)
	return err
}
