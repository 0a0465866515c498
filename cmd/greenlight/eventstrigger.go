package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/status"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// eventsCommand groups the commands for events.
type eventsCommand struct {
	Trigger triggerEventCommand `cmd:"" help:"Post a test notification, signed with a test key, to a webhook."`
	Tail    tailCommand         `cmd:"" help:"Show events as they are stored. Changes nothing."`
	Replay  replayCommand       `cmd:"" help:"Send stored events to the assigner again."`
}

const (
	// postTimeout is longer than the 2 s that Telnyx waits, to show why a webhook is slow.
	postTimeout = 10 * time.Second
	// maxAnswer bounds the part of a webhook's answer that is shown, in characters.
	maxAnswer = 300
	// helpWidth is the width of generated help texts, in columns.
	helpWidth = 78
)

type triggerEventCommand struct {
	Kind        string `arg:"" help:"The notification, for example verified. All names are listed above."`
	To          string `required:"" placeholder:"URL" help:"The webhook, for example http://127.0.0.1:8080/webhooks/telnyx."`
	Campaign    string `predictor:"campaign" placeholder:"ID" help:"The campaign's Telnyx id, or its name in a plan. Required except for brand notifications."`
	TCRCampaign string `name:"tcr-campaign" placeholder:"ID" help:"The campaign's id at The Campaign Registry (C6X6M95)."`
	Number      string `placeholder:"NUMBER" help:"The phone number, for example +15551234567. Required for assignment, deletion and status-update."`
	Brand       string `placeholder:"ID" help:"The brand's Telnyx id. Required for brand notifications."`
	KeyFile     string `placeholder:"FILE" help:"File with the test key for signing; created if it does not exist. Default: a new key for each run."`
	Any         bool   `help:"Post about any campaign, even if the ledger does not have it. Does not use NATS."`
	where
}

// Help is what kong prints under the command's own help.
func (c *triggerEventCommand) Help() string {
	var names []string
	for _, n := range telnyxsim.Notifications() {
		names = append(names, n.Name)
	}
	return "Posts one notification in Telnyx's format, once, and prints the answer. The webhook accepts it only if\n" +
		"TELNYX_PUBLIC_KEY holds the test key's public key. Never set that key in production. A notification is a\n" +
		"hint: Greenlight reads the campaign from Telnyx and acts on what it reads.\n\n" +
		"The published notifications:\n\n" + text.WrapSoft(strings.Join(names, " "), helpWidth)
}

// Run posts the notification. An answer other than 2xx is an error.
func (c *triggerEventCommand) Run(ctx context.Context, out output) error {
	kind, err := c.notification()
	if err != nil {
		return err
	}
	to, ok := webURL(c.To)
	if !ok {
		return fmt.Errorf("--to: %q is not a URL; use a form like http://127.0.0.1:8080/webhooks/telnyx", c.To)
	}
	if err := c.findCampaign(ctx); err != nil {
		return err
	}
	for _, id := range []string{c.Campaign, c.TCRCampaign, c.Brand, c.Number} {
		if id != "" && !idPattern.MatchString(id) {
			return fmt.Errorf("%.100q is neither an id nor a phone number", id)
		}
	}
	key, created, err := testKey(c.KeyFile)
	if err != nil {
		return err
	}
	if created {
		fmt.Fprintf(out.Stdout, "Signed with a new test key. To accept it, run the webhook with\n  TELNYX_PUBLIC_KEY=%s\n", telnyx.PublicKeyOf(key))
	}
	about := telnyxsim.About{CampaignID: c.Campaign, TCRCampaignID: c.TCRCampaign, BrandID: c.Brand, PhoneNumber: c.Number}
	body, id := kind.Body(about, time.Now(), c.To)
	fmt.Fprintf(out.Stdout, "Posting %s (%s), event %s\n", kind.Name, kind.EventType, id)
	code, answer, err := post(ctx, c.To, body, telnyxsim.Signed(key, time.Now(), body))
	if err != nil {
		return fmt.Errorf("no answer from %s: %w", to.Redacted(), networkCause(err))
	}
	fmt.Fprintf(out.Stdout, "Answer %d %s\n", code, status.Plain(answer, maxAnswer))
	if code == http.StatusUnauthorized {
		return errors.New("the webhook does not know the test key, or its clock is wrong: start it with TELNYX_PUBLIC_KEY=" +
			telnyx.PublicKeyOf(key).String() + " and sign with the same --key-file")
	}
	if code < 200 || code > 299 {
		return fmt.Errorf("the webhook answered %d, so Telnyx would retry this delivery", code)
	}
	return nil
}

// findCampaign fails if the ledger does not know the campaign, which is most often a typing
// error, and replaces a plan's name by the id that Telnyx would send.
func (c *triggerEventCommand) findCampaign(ctx context.Context) error {
	name := cmp.Or(c.Campaign, c.TCRCampaign)
	if c.Any || name == "" {
		return nil
	}
	err := c.ask(ctx, func(ctx context.Context, js jetstream.JetStream) error {
		book, named, err := campaignsNamed(ctx, js, []string{name})
		if err != nil {
			return err
		}
		for id, plan := range named {
			if plan != c.Campaign {
				continue
			}
			entry, _, err := book.Campaign(ctx, id)
			if err != nil {
				return err
			}
			c.Campaign = cmp.Or(entry.Campaign.TelnyxID, id)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w; to post about any campaign, add --any", err)
	}
	return nil
}

// networkCause returns the cause of a failed request without the address, which the caller
// names.
func networkCause(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err
	}
	if failed, ok := errors.AsType[*net.OpError](err); ok {
		err = failed.Err
	}
	return err
}

// idPattern catches typing errors in ids. The webhook is stricter.
var idPattern = regexp.MustCompile(`^\+?[A-Za-z0-9-]{1,64}$`)

// notification returns the requested notification, or an error if its name is wrong or a
// required id is missing.
func (c *triggerEventCommand) notification() (n telnyxsim.Notification, err error) {
	all := telnyxsim.Notifications()
	at := slices.IndexFunc(all, func(n telnyxsim.Notification) bool { return n.Name == c.Kind })
	if at < 0 {
		return n, fmt.Errorf("%q is not a published notification; greenlight events trigger --help lists them", c.Kind)
	}
	n = all[at]
	var missing []string
	switch {
	case n.EventType == telnyxsim.EventBrand && c.Brand == "":
		missing = append(missing, "--brand")
	case n.Name == "campaign-nudge" && c.TCRCampaign == "":
		missing = append(missing, "--tcr-campaign")
	case n.EventType != telnyxsim.EventBrand && n.Name != "campaign-nudge" && c.Campaign == "":
		missing = append(missing, "--campaign")
	}
	if n.EventType == telnyxsim.EventPhoneNumber && c.Number == "" {
		missing = append(missing, "--number")
	}
	if len(missing) > 0 {
		return n, fmt.Errorf("%s requires %s", c.Kind, strings.Join(missing, " and "))
	}
	return n, nil
}

// post posts a delivery once. It does not follow redirects, as Telnyx does not.
func post(ctx context.Context, to string, body []byte, header http.Header) (status int, answer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	request.Header = header
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, 4*maxAnswer))
	return response.StatusCode, string(content), err
}
