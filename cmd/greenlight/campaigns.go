package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"greenlight/internal/assigner"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/status"
	"greenlight/internal/telnyx"
)

type campaignsCommand struct {
	List  campaignsListCommand  `cmd:"" help:"List campaigns as Telnyx has them now: status, numbers, webhook, end."`
	Show  campaignsShowCommand  `cmd:"" help:"Show one campaign, with each carrier's status."`
	Point campaignsPointCommand `cmd:"" help:"Set the webhook URL of campaigns."`
}

// publicURL has the flag that says where the webhook is reached.
type publicURL struct {
	PublicURL string `name:"public-url" env:"PUBLIC_URL" placeholder:"URL" help:"URL under which the internet reaches the webhook, for example https://hooks.example.com. The webhookURL of campaigns must lead there."`
}

// chosenCampaign is a campaign that a command works on.
type chosenCampaign struct {
	// name is what a person calls it: the plan's name, or what was typed.
	name string
	want plan.Campaign
	// ids are those of the ledger's record, if there is one.
	ids []string
	// campaign is as Telnyx has it; err says why it could not be read.
	campaign telnyx.Campaign
	err      error
}

// choose returns the campaigns that a person names, or without names all that are planned:
// those in force, or those of the files at path if there is no ledger or server.
func (k inForce) choose(path string, names []string) ([]chosenCampaign, error) {
	if err := k.damage(); err != nil {
		return nil, err
	}
	var planned []chosenCampaign
	for _, entry := range k.campaigns {
		if c := entry.Campaign; c.Planned {
			planned = append(planned, chosenCampaign{name: c.Plan, want: assigner.EntryOf(c), ids: c.IDs()})
		}
	}
	var loadErr error
	if len(k.campaigns) == 0 {
		set, err := plan.Load(path)
		if loadErr = err; err == nil {
			for _, want := range set.Campaigns {
				planned = append(planned, chosenCampaign{name: want.Name, want: want, ids: []string{want.ID()}})
			}
		}
	}
	if len(names) == 0 {
		return planned, loadErr
	}
	var chosen []chosenCampaign
	for _, name := range names {
		i := slices.IndexFunc(planned, func(c chosenCampaign) bool {
			return c.name == name || slices.Contains(c.ids, name) || c.want.ID() == name
		})
		switch c, known := k.campaign(name); {
		case i >= 0:
			chosen = append(chosen, planned[i])
		case known:
			chosen = append(chosen, chosenCampaign{name: name, want: assigner.EntryOf(c), ids: c.IDs()})
		default:
			chosen = append(chosen, chosenCampaign{name: name, want: assigner.EntryOf(ledger.Campaign{ID: name})})
		}
	}
	return chosen, nil
}

// readChosen reads the campaigns, and returns each once, in the same order. Telnyx not
// having one is not an error.
func readChosen(ctx context.Context, client *telnyx.Client, concurrency int, chosen []chosenCampaign) ([]chosenCampaign, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(concurrency)
	for i := range chosen {
		c := &chosen[i]
		group.Go(func() error {
			c.campaign, c.err = assigner.ReadEntry(ctx, client, c.want)
			if telnyx.IsNotFound(c.err) {
				c.err = noCampaign(c.name)
				return nil
			}
			return c.err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(chosen, func(c chosenCampaign) bool {
		id := cmp.Or(c.campaign.AssignmentID(), c.name)
		again := seen[id]
		seen[id] = true
		return again
	}), nil
}

// heldBy returns who holds the campaign.
func (c chosenCampaign) heldBy(hold ledger.Hold) (ledger.HeldBy, bool) {
	ids := append(slices.Clone(c.ids), c.want.ID(), string(c.campaign.CampaignID), string(c.campaign.TCRCampaignID))
	return hold.Of(slices.DeleteFunc(ids, func(id string) bool { return id == "" })...)
}

// label names the campaign in a line of output.
func (c chosenCampaign) label() string {
	id := c.campaign.AssignmentID()
	if c.name == id || id == "" {
		return status.Plain(c.name, 100)
	}
	return fmt.Sprintf("%s (%s)", status.Plain(c.name, 100), id)
}

// errNotShown says that a change of a campaign was accepted, and does not show.
var errNotShown = errors.New("the request was accepted, but Telnyx still shows the old URL; check it with greenlight campaigns show")
