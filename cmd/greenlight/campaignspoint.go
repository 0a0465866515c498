package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/app"
	"greenlight/internal/assigner"
	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/preflight"
	"greenlight/internal/status"
	"greenlight/internal/telnyx"
)

type campaignsPointCommand struct {
	What        []string `arg:"" optional:"" predictor:"campaign" name:"plan|campaign" help:"Name of a plan entry, or a campaign's id (Telnyx's or TCR's). Default: every planned campaign."`
	URL         string   `name:"url" required:"" placeholder:"URL" help:"Webhook URL to set, for example https://hooks.example.com/webhooks/telnyx."`
	FailoverURL string   `name:"failover-url" placeholder:"URL" help:"Failover URL to set. Default: leave it as it is."`
	DryRun      bool     `help:"Show what would be set, and set nothing."`
	Yes         bool     `help:"Do not ask."`
	Resubmit    bool     `help:"Set it on rejected campaigns too. Telnyx then reviews them again."`
	Plans       string   `name:"plans" env:"PLANS" default:"config/plans" placeholder:"PATH" help:"Plan files to use if no running Greenlight answers (${default})."`
	writing
}

// Help is what kong prints under the command's own help.
func (c *campaignsPointCommand) Help() string {
	return `Reads each campaign, shows the old and the new URL, asks, and sets the new one. Telnyx's request must contain
autoRenewal, so the value that was just read is sent unchanged. Then the campaign is read again, and any other changed
field is reported. Campaigns that have the URL are not changed, nor are rejected ones without --resubmit.

Exits with 0 if all have the URL, with 2 if --dry-run finds something to change, with 3 if some campaigns were left
out, and with 1 on errors or without consent.`
}

// Run sets the URLs and prints a line for each campaign.
func (c *campaignsPointCommand) Run(ctx context.Context, out output) error {
	if err := errors.Join(checkWebhookURL("--url", c.URL), checkWebhookURL("--failover-url", c.FailoverURL)); err != nil {
		return err
	}
	var faults app.Faults
	client, concurrency := c.Client(&faults)
	if err := faults.Err(); err != nil {
		return err
	}
	if c.DryRun {
		client = client.ReadOnly()
	}
	work := pointing{campaignsPointCommand: c, client: client, concurrency: concurrency, out: out, hold: func(context.Context) (ledger.Hold, error) { return ledger.Hold{}, nil }}
	err := c.stay(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		work.hold = func(ctx context.Context) (ledger.Hold, error) { return c.readHold(ctx, js) }
		return work.run(ctx)
	})
	if _, missing := errors.AsType[*app.Fault](err); !missing {
		return err
	}
	if !c.Standalone && !c.DryRun {
		return fmt.Errorf("%w To work without NATS while no assigner runs, add --standalone", err)
	}
	return work.run(ctx)
}

// readHold reads the hold. Where no assigner ever ran there is none. While a backup is
// restored, the hold may be missing, so that is an error.
func (c *campaignsPointCommand) readHold(ctx context.Context, js jetstream.JetStream) (ledger.Hold, error) {
	if err := events.RefuseRestoring(ctx, js); err != nil {
		return ledger.Hold{}, err
	}
	hold, err := ledger.ReadHold(ctx, js)
	switch {
	case !errors.Is(err, jetstream.ErrStreamNotFound):
		return hold, err
	case c.Standalone || c.DryRun:
		return ledger.Hold{}, nil
	}
	return hold, fmt.Errorf("%w: %w; to work without one, add --standalone", events.ErrNoAssigner, err)
}

// checkWebhookURL refuses what Telnyx cannot post to.
func checkWebhookURL(flag, text string) error {
	if text == "" {
		return nil
	}
	address, ok := webURL(text)
	switch {
	case !ok:
		return fmt.Errorf("%s: %s is not a URL; use a form like https://hooks.example.com/webhooks/telnyx", flag, status.Plain(text, 200))
	case address.User != nil:
		return fmt.Errorf("%s contains a user name or password, which anyone with access to the campaign can read", flag)
	case address.Fragment != "":
		return fmt.Errorf("%s has a fragment, which is not sent", flag)
	}
	return nil
}

// webURL parses a URL that HTTP requests can go to.
func webURL(text string) (address *url.URL, ok bool) {
	address, err := url.Parse(text)
	return address, err == nil && address.Host != "" && (address.Scheme == "http" || address.Scheme == "https")
}

// pointed is the result for one campaign, in the form that --json prints.
type pointed struct {
	Plan          string               `json:"plan"`
	CampaignID    telnyx.CampaignID    `json:"campaign_id"`
	TCRCampaignID telnyx.TCRCampaignID `json:"tcr_campaign_id"`
	// Result is "set", "already_set", "would_set", "left_out" or "failed".
	Result string `json:"result"`
	// Before is the webhook URL as it was read before.
	Before  string `json:"webhook_url_before"`
	Message string `json:"message"`
	// Changed are the other fields that changed.
	Changed []fieldChange `json:"changed"`
}

type fieldChange struct {
	Field  string          `json:"field"`
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
}

func (f fieldChange) String() string {
	return fmt.Sprintf("%s changed from %s to %s", f.Field, status.Plain(string(f.Before), 100), status.Plain(string(f.After), 100))
}

// pointing is one run of the command.
type pointing struct {
	*campaignsPointCommand
	client      *telnyx.Client
	concurrency int
	out         output
	hold        func(context.Context) (ledger.Hold, error)
	results     []pointed
}

func (p *pointing) run(ctx context.Context) error {
	hold, err := p.hold(ctx)
	if err != nil {
		return err
	}
	if hold.All != nil && !p.DryRun {
		return &assigner.HeldError{By: *hold.All}
	}
	known := p.plansInForce(ctx)
	known.warn(p.out.Stderr)
	chosen, err := known.choose(p.Plans, p.What)
	if err != nil {
		return err
	}
	if chosen, err = readChosen(ctx, p.client, p.concurrency, chosen); err != nil {
		return err
	}
	if wrong := preflight.WrongWebhookURL(p.URL, ""); wrong != "" {
		fmt.Fprintf(p.out.Stderr, "Note: --url is a URL %s.\n", wrong)
	}
	var due []chosenCampaign
	var lines []string
	for _, c := range chosen {
		result := p.judge(c, hold)
		if result.Result != "would_set" || p.DryRun {
			p.report(c, result)
			continue
		}
		due = append(due, c)
		lines = append(lines, fmt.Sprintf("  %s  %s", c.label(), p.change(c.campaign)))
	}
	agreed, err := consent{"Would be set", "Set", "nothing was set"}.ask(p.out.Stderr, p.Yes, lines)
	if err != nil {
		return err
	}
	for _, c := range due {
		if !agreed || ctx.Err() != nil {
			break
		}
		p.report(c, p.set(ctx, c))
	}
	return cmp.Or(context.Cause(ctx), p.finish())
}

// judge says what the campaign's state allows, without a write.
func (p *pointing) judge(c chosenCampaign, hold ledger.Hold) pointed {
	result := pointed{
		Plan: c.name, CampaignID: c.campaign.CampaignID, TCRCampaignID: c.campaign.TCRCampaignID,
		Before: c.campaign.WebhookURL, Result: "left_out", Changed: []fieldChange{},
	}
	phase, _ := assigner.PhaseOf(c.campaign)
	by, held := c.heldBy(hold)
	switch {
	case c.err != nil:
		result.Message = "It is not on this Telnyx account."
	case c.campaign.WebhookURL == p.URL && (p.FailoverURL == "" || c.campaign.WebhookFailoverURL == p.FailoverURL):
		result.Result = "already_set"
	case held && !p.DryRun:
		result.Message = sentence((&assigner.HeldError{By: by}).Error())
	case phase == ledger.PhaseExpired:
		result.Message = "It has expired."
	case phase == ledger.PhaseRejected && !p.Resubmit:
		result.Message = "It is rejected, so Telnyx would review it again. To allow that, add --resubmit."
	case c.campaign.AutoRenewal == nil && !c.campaign.Shared:
		result.Message = "Telnyx does not report its autoRenewal, which the request must contain. Set the URL in Mission Control."
	default:
		result.Result, result.Message = "would_set", p.change(c.campaign)
	}
	return result
}

// change shows the old and the new URLs.
func (p *pointing) change(c telnyx.Campaign) string {
	arrow := func(before, after string) string {
		return status.Plain(cmp.Or(before, "none"), 200) + " → " + status.Plain(after, 200)
	}
	var parts []string
	if c.WebhookURL != p.URL {
		parts = append(parts, arrow(c.WebhookURL, p.URL))
	}
	if p.FailoverURL != "" && c.WebhookFailoverURL != p.FailoverURL {
		parts = append(parts, "failover "+arrow(c.WebhookFailoverURL, p.FailoverURL))
	}
	return strings.Join(parts, ", ")
}

// set reads the campaign, changes it at once, and reads it again.
func (p *pointing) set(ctx context.Context, c chosenCampaign) pointed {
	failed := func(result pointed, err error) pointed {
		result.Result, result.Message = "failed", sentence(err.Error())
		return result
	}
	// What waits does so before the reading on which the request rests.
	reserved, release, err := p.client.Limiter.Reserve(ctx, 2)
	if err != nil {
		return failed(p.judge(c, ledger.Hold{}), err)
	}
	defer release()
	hold, err := p.hold(ctx)
	before, readErr := p.client.CampaignFields(reserved, c.campaign)
	if err = cmp.Or(err, readErr); err != nil {
		return failed(p.judge(c, ledger.Hold{}), err)
	}
	if c.campaign, err = asCampaign(before, c.campaign.Shared); err != nil {
		return failed(p.judge(c, hold), err)
	}
	result := p.judge(c, hold)
	if result.Result != "would_set" {
		return result
	}
	urls := telnyx.WebhookURLs{WebhookURL: p.URL, WebhookFailoverURL: p.FailoverURL}
	var sent error
	if c.campaign.Shared {
		_, sent = p.client.UpdatePartnerCampaign(reserved, c.campaign.TCRCampaignID, urls)
	} else {
		_, sent = p.client.UpdateCampaign(reserved, c.campaign.CampaignID, telnyx.CampaignUpdate{AutoRenewal: *c.campaign.AutoRenewal, WebhookURLs: urls})
	}
	release()
	if answer, ok := errors.AsType[*telnyx.APIError](sent); ok && answer.Status < http.StatusInternalServerError {
		return failed(result, sent) // it was refused; after other errors it may have worked
	}
	after, err := p.client.CampaignFields(ctx, c.campaign)
	if err != nil {
		return failed(result, errors.Join(sent, err))
	}
	result.Changed = otherChanges(before, after, p.FailoverURL != "")
	now, err := asCampaign(after, c.campaign.Shared)
	if err == nil && p.change(now) != "" {
		err = cmp.Or(sent, errNotShown) // after an answer that was lost, this read settles it
	}
	if err != nil {
		return failed(result, err)
	}
	result.Result = "set"
	return result
}

// asCampaign reads a campaign's record.
func asCampaign(fields map[string]json.RawMessage, shared bool) (c telnyx.Campaign, err error) {
	record, err := json.Marshal(fields)
	if err == nil {
		err = json.Unmarshal(record, &c)
	}
	c.Shared = shared
	return c, err
}

// otherChanges compares two readings of a campaign in the fields that were not to change.
func otherChanges(before, after map[string]json.RawMessage, withFailover bool) []fieldChange {
	changes := []fieldChange{}
	all := maps.Clone(before)
	maps.Copy(all, after)
	for _, field := range slices.Sorted(maps.Keys(all)) {
		switch plain := strings.ToLower(strings.ReplaceAll(field, "_", "")); {
		case plain == "webhookurl", plain == "webhookfailoverurl" && withFailover, strings.HasPrefix(plain, "update"):
		case !sameJSON(before[field], after[field]):
			changes = append(changes, fieldChange{field, orNull(before[field]), orNull(after[field])})
		}
	}
	return changes
}

func orNull(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return json.RawMessage("null")
	}
	return raw
}

// sameJSON compares values. No value is the same as null.
func sameJSON(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y any
	return json.Unmarshal(orNull(a), &x) == nil && json.Unmarshal(orNull(b), &y) == nil && reflect.DeepEqual(x, y)
}

// report prints a result, unless all are printed as JSON at the end.
func (p *pointing) report(c chosenCampaign, result pointed) {
	p.results = append(p.results, result)
	if p.JSON {
		return
	}
	line := c.label() + "  " + strings.ReplaceAll(result.Result, "_", " ")
	if result.Message != "" {
		line += "  " + result.Message
	}
	for _, changed := range result.Changed {
		line += "\n  " + changed.String()
	}
	fmt.Fprintln(p.out.Stdout, line)
}

// finish prints the JSON, and returns the error with the exit code.
func (p *pointing) finish() error {
	if p.JSON {
		if err := writeJSON(p.out.Stdout, append([]pointed{}, p.results...)); err != nil {
			return err
		}
	} else if len(p.results) == 0 {
		if _, err := io.WriteString(p.out.Stdout, "No campaigns.\n"); err != nil {
			return err
		}
	}
	for _, ending := range []struct {
		result string
		code   int
	}{{"failed", 1}, {"would_set", 2}, {"left_out", 3}} {
		if slices.ContainsFunc(p.results, func(r pointed) bool { return r.Result == ending.result }) {
			return &app.ExitCode{Code: ending.code}
		}
	}
	return nil
}
