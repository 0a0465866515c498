package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"

	"greenlight/internal/telnyx/telnyxsim"
)

// eventsCommand holds the commands about events.
type eventsCommand struct {
	Trigger triggerEventCommand `cmd:"" help:"Post a test notification, signed with a test key, to a webhook."`
	Tail    tailCommand         `cmd:"" help:"Show events as they are stored. Changes nothing and takes nothing from the assigner."`
	Replay  replayCommand       `cmd:"" help:"Put stored events before the assigner once more."`
}

const (
	// postTimeout is what Telnyx gives a webhook, and some more for a look at why.
	postTimeout = 10 * time.Second
	// maxAnswer is how much of a webhook's answer is shown.
	maxAnswer = 300
	// helpWidth is how wide what a command explains may be.
	helpWidth = 78
)

type triggerEventCommand struct {
	Kind        string `arg:"" help:"What happened, such as verified; all names stand above."`
	To          string `required:"" placeholder:"URL" help:"The webhook, such as http://127.0.0.1:8080/webhooks/telnyx."`
	Campaign    string `placeholder:"ID" help:"The campaign's id at Telnyx. Needed but for brands."`
	TCRCampaign string `name:"tcr-campaign" placeholder:"ID" help:"Its id at The Campaign Registry (C6X6M95)."`
	Number      string `placeholder:"NUMBER" help:"The phone number, such as +15551234567. Needed for assignment, deletion and status-update."`
	Brand       string `placeholder:"ID" help:"The brand's id at Telnyx. Needed for brands."`
	KeyFile     string `placeholder:"FILE" help:"File with the test key that signs; made if it is not there. Without it a new key signs, which no webhook knows yet."`
}

// Help is what kong prints under the command's own help.
func (c *triggerEventCommand) Help() string {
	names := make([]string, 0, 40)
	for _, n := range telnyxsim.Notifications() {
		names = append(names, n.Name)
	}
	return "Posts one delivery as Telnyx would, once, and tells the answer. Only a webhook that has the test key's\n" +
		"public key in TELNYX_PUBLIC_KEY takes it; give that to a test, never to what runs for real. A notification\n" +
		"is a hint: Greenlight reads the campaign at Telnyx and does what that says.\n\n" +
		"The published notifications:\n\n" + text.WrapSoft(strings.Join(names, " "), helpWidth)
}

// Run posts the notification. An answer other than 2xx is an error.
func (c *triggerEventCommand) Run(ctx context.Context, out output) error {
	kind, err := c.notification()
	if err != nil {
		return err
	}
	to, err := url.Parse(c.To)
	if err != nil || to.Host == "" || to.Scheme != "http" && to.Scheme != "https" {
		return fmt.Errorf("--to: %q is not a URL; write it like http://127.0.0.1:8080/webhooks/telnyx", c.To)
	}
	key, made, err := testKey(c.KeyFile)
	if err != nil {
		return err
	}
	if made {
		fmt.Fprintf(out.Stdout, "Signed with a new test key. A webhook takes it that runs with\n  TELNYX_PUBLIC_KEY=%s\n", publicKeyOf(key))
	}
	about := telnyxsim.About{CampaignID: c.Campaign, TCRCampaignID: c.TCRCampaign, BrandID: c.Brand, PhoneNumber: c.Number}
	body, id := kind.Body(about, time.Now(), c.To)
	fmt.Fprintf(out.Stdout, "Posting %s (%s), event %s\n", kind.Name, kind.EventType, id)
	status, answer, err := post(ctx, c.To, body, telnyxsim.Signed(key, time.Now(), body))
	if err != nil {
		return fmt.Errorf("no answer from the webhook: %w", err)
	}
	fmt.Fprintf(out.Stdout, "Answer %d %s\n", status, bounded(answer, maxAnswer))
	if status == http.StatusUnauthorized {
		return errors.New("the webhook does not know the test key, or its clock is off: start it with TELNYX_PUBLIC_KEY=" +
			publicKeyOf(key) + " and sign with the same --key-file")
	}
	if status < 200 || status > 299 {
		return fmt.Errorf("the webhook answered %d, so Telnyx would post this again", status)
	}
	return nil
}

// idPattern is what an id in a notification may look like; the webhook is stricter
// still, and this is for typing errors.
var idPattern = regexp.MustCompile(`^\+?[A-Za-z0-9-]{1,64}$`)

// notification returns the kind that is asked for, or why it cannot be made.
func (c *triggerEventCommand) notification() (telnyxsim.Notification, error) {
	all := telnyxsim.Notifications()
	at := slices.IndexFunc(all, func(n telnyxsim.Notification) bool { return n.Name == c.Kind })
	if at < 0 {
		return telnyxsim.Notification{}, fmt.Errorf("%q is no published notification; greenlight events trigger --help lists their names", c.Kind)
	}
	var missing []string
	switch kind := all[at]; {
	case kind.EventType == telnyxsim.EventBrand && c.Brand == "":
		missing = append(missing, "--brand")
	case kind.Name == "campaign-nudge" && c.TCRCampaign == "":
		missing = append(missing, "--tcr-campaign")
	case kind.EventType != telnyxsim.EventBrand && kind.Name != "campaign-nudge" && c.Campaign == "":
		missing = append(missing, "--campaign")
	}
	if all[at].EventType == telnyxsim.EventPhoneNumber && c.Number == "" {
		missing = append(missing, "--number")
	}
	if len(missing) > 0 {
		return telnyxsim.Notification{}, fmt.Errorf("%s says what it is about with %s", c.Kind, strings.Join(missing, " and "))
	}
	for _, id := range []string{c.Campaign, c.TCRCampaign, c.Brand, c.Number} {
		if id != "" && !idPattern.MatchString(id) {
			return telnyxsim.Notification{}, fmt.Errorf("%.100q is no id and no phone number", id)
		}
	}
	return all[at], nil
}

// post posts a delivery once, and follows no redirect, as Telnyx does not.
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
	told, err := io.ReadAll(io.LimitReader(response.Body, 4*maxAnswer))
	return response.StatusCode, string(told), err
}

// bounded makes words of somebody else fit for a terminal: no control characters, one
// line, and at most so many characters.
func bounded(words string, most int) string {
	return text.Snip(strings.TrimSpace(printable(strings.ToValidUTF8(cmp.Or(words, "-"), "?"))), most, "…")
}
