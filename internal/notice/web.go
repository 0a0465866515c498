package notice

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
	"regexp"
	"strings"

	"greenlight/internal/telnyx"
)

const (
	// maxAnswer limits what is read of an answer, in bytes. Receivers answer in a line.
	maxAnswer = 64 << 10
	// maxDiscord is Discord's limit for a message, in characters
	// (https://discord.com/developers/docs/resources/webhook#execute-webhook).
	maxDiscord = 2000
)

// webClient posts notices. It follows no redirect, which could send the secret address to
// another host, and so sends no Referer. The context limits each call, including the
// answer's body. Connections are not reused.
var webClient = &http.Client{
	Transport:     boundedTransport(),
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func boundedTransport() *http.Transport {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	transport.MaxResponseHeaderBytes = maxAnswer
	return transport
}

// web sends notices by HTTP. Safe for concurrent use.
type web struct {
	service string
	url     string
	header  http.Header
	// body encodes a notice for the service.
	body func(text string) ([]byte, error)
	// refused, if not nil, returns an error if an answer with status 2xx is a refusal. The
	// error contains nothing of the address.
	refused func(answer []byte) error
}

// Send posts a notice until ctx ends. Its error contains nothing of the address.
func (w *web) Send(ctx context.Context, text string) error {
	if err := w.post(ctx, text); err != nil {
		return fmt.Errorf("%s: %w", w.service, err)
	}
	return nil
}

func (w *web) post(ctx context.Context, text string) error {
	body, err := w.body(text)
	if err != nil {
		return errors.New("the notice cannot be encoded")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("its address cannot be used")
	}
	request.Header = w.header.Clone()
	answer, err := webClient.Do(request)
	if err != nil {
		return withoutAddress(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("it answered with status %d", answer.StatusCode)
	}
	if w.refused == nil {
		return nil
	}
	said, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return withoutAddress(err)
	}
	return w.refused(said)
}

// withoutAddress returns an error whose text does not repeat the address.
func withoutAddress(err error) error {
	if cause, ok := errors.AsType[*telnyx.NetworkError](telnyx.NetworkCause(err)); ok {
		return errors.New(cause.Text)
	}
	return errors.New("it cannot be reached, or its answer cannot be read")
}

// asJSON returns a body that encodes the result of message as JSON.
func asJSON(message func(text string) any) func(string) ([]byte, error) {
	return func(text string) ([]byte, error) { return json.Marshal(message(text)) }
}

// jsonHeader returns the headers of a JSON body.
func jsonHeader() http.Header {
	return http.Header{"Content-Type": {"application/json"}, "User-Agent": {"greenlight"}}
}

var (
	// slackToken is the form of Slack's secrets.
	slackToken = regexp.MustCompile(`^(hook|xox[a-z])[:-]([A-Z0-9]{9,})-([A-Z0-9]{9,})-([A-Za-z0-9]{24,})$`)
	// slackEscapes escapes the characters that Slack interprets
	// (https://docs.slack.dev/messaging/formatting-message-text#escaping).
	slackEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
)

// openSlack posts to an incoming webhook (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks)
// or, with a bot's token, to a channel (https://docs.slack.dev/reference/methods/chat.postMessage).
func openSlack(a address) (Receiver, error) {
	token, channel := "", a.Hostname()
	if a.User != nil {
		token = a.User.String()
	}
	parts := slackToken.FindStringSubmatch(token)
	if parts == nil {
		return nil, errors.New("its token does not have three parts with dashes between them")
	}
	heading := cmp.Or(a.take("title"), title)
	if err := a.leftOver("color", "icon", "icon_emoji", "icon_url", "botname", "username"); err != nil {
		return nil, err
	}
	w := &web{service: a.service, header: jsonHeader(), url: "https://hooks.slack.com/services/" + strings.Join(parts[2:], "/")}
	message := map[string]string{}
	if kind := parts[1]; kind != "hook" {
		w.url = "https://slack.com/api/chat.postMessage"
		w.header.Set("Authorization", "Bearer "+kind+"-"+strings.Join(parts[2:], "-"))
		w.refused = slackRefused
		message["channel"] = channel
	}
	w.body = asJSON(func(text string) any {
		said := maps.Clone(message)
		said["text"] = "*" + slackEscapes.Replace(heading) + "*\n" + slackEscapes.Replace(text)
		return said
	})
	return w, nil
}

// slackErrors is the form of Slack's error codes, for example channel_not_found.
var slackErrors = regexp.MustCompile(`^[a-z_]{1,60}$`)

// slackRefused reads Slack's answer, which has status 200 even for an error.
func slackRefused(answer []byte) error {
	var said struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
	}
	err := json.Unmarshal(answer, &said)
	switch {
	case err == nil && said.OK:
		return nil
	case err == nil && slackErrors.MatchString(said.Error):
		return fmt.Errorf("it refused the notice: %s", said.Error)
	default:
		return errors.New("it refused the notice")
	}
}

// openDiscord posts to a webhook (https://discord.com/developers/docs/resources/webhook#execute-webhook).
func openDiscord(a address) (Receiver, error) {
	id, token := a.Hostname(), a.User.Username()
	if id == "" || token == "" || len(a.Path) > 1 {
		return nil, errors.New("write the webhook as discord://token@id")
	}
	heading := cmp.Or(a.take("title"), title)
	if err := a.leftOver("username", "avatar", "avatarurl", "splitlines", "color", "colorerror", "colorwarn", "colorinfo", "colordebug"); err != nil {
		return nil, err
	}
	target := "https://discord.com/api/webhooks/" + url.PathEscape(id) + "/" + url.PathEscape(token)
	return &web{service: a.service, url: target, header: jsonHeader(), body: asJSON(func(text string) any {
		said := []rune("**" + heading + "**\n" + text)
		return map[string]any{
			"content":          string(said[:min(len(said), maxDiscord)]),
			"allowed_mentions": map[string]any{"parse": []string{}}, // a notice must not notify @everyone
		}
	})}, nil
}

// openTeams posts an Adaptive Card, which workflows and incoming webhooks accept
// (https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using).
func openTeams(a address) (Receiver, error) {
	target, err := a.web()
	return &web{service: a.service, url: target, header: jsonHeader(), body: asJSON(teamsCard)}, err
}

// teamsCard returns a card with a heading and one text block for each line: Teams joins
// the lines within a block.
func teamsCard(text string) any {
	blocks := []map[string]any{{"type": "TextBlock", "text": title, "weight": "Bolder"}}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			blocks = append(blocks, map[string]any{"type": "TextBlock", "text": line, "wrap": true})
		}
	}
	card := map[string]any{
		"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.2", "body": blocks,
	}
	return map[string]any{
		"type":        "message",
		"attachments": []map[string]any{{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}},
	}
}

// openGeneric posts to any web address. The body is the text or, with template=json, an
// object with the keys message and title; messagekey and titlekey rename them.
// @name=value adds a header.
func openGeneric(a address) (Receiver, error) {
	w := &web{service: a.service, header: http.Header{"User-Agent": {"greenlight"}}}
	if a.inner == "" {
		a.inner = "https"
		if isYes(a.take("disabletls")) {
			a.inner = "http"
		}
	}
	for name, values := range a.query {
		if key, found := strings.CutPrefix(name, "@"); found {
			w.header.Set(key, values[0])
			delete(a.query, name)
		}
	}
	template, messageKey, titleKey := a.take("template"), cmp.Or(a.take("messagekey"), "message"), cmp.Or(a.take("titlekey"), "title")
	heading := cmp.Or(a.take("title"), title)
	switch strings.ToLower(template) {
	case "":
		w.header.Set("Content-Type", "text/plain; charset=utf-8")
		w.body = func(text string) ([]byte, error) { return []byte(text), nil }
	case "json":
		w.header.Set("Content-Type", "application/json")
		w.body = asJSON(func(text string) any { return map[string]string{titleKey: heading, messageKey: text} })
	default:
		return nil, errors.New("its template is not json")
	}
	var err error
	w.url, err = a.web()
	return w, err
}
