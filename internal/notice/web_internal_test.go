package notice

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Slack, Discord and Teams are reached at the vendors' hosts, which no test calls.
func TestOpen_UsesTheVendorsAddress(t *testing.T) {
	for address, want := range map[string]struct{ url, body string }{
		"slack://hook:AAAAAAAAA-BBBBBBBBB-123456789123456789123456@webhook": {
			"https://hooks.slack.com/services/AAAAAAAAA/BBBBBBBBB/123456789123456789123456", `{"text":"*Greenlight*\n1 \u0026lt; 2"}`},
		"slack://xoxb:AAAAAAAAA-BBBBBBBBB-123456789123456789123456@C012345?title=Ops": {
			"https://slack.com/api/chat.postMessage", `{"channel":"C012345","text":"*Ops*\n1 \u0026lt; 2"}`},
		"discord://T0KEN@123?Title=Ops&Username=Bot&avatar=x&color=0x50D9ff&colorError=1&splitLines=Yes": {
			"https://discord.com/api/webhooks/123/T0KEN", `{"allowed_mentions":{"parse":[]},"content":"**Ops**\n1 \u003c 2"}`},
		"teams+https://prod-1.westus.logic.azure.com:443/workflows/x?sig=y": {
			"https://prod-1.westus.logic.azure.com:443/workflows/x?sig=y", `{"text":"1 \u003c 2","type":"TextBlock","wrap":true}`},
	} {
		receiver, err := Open(address)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		w := receiver.(*web)
		body, err := w.body("1 < 2")
		if err != nil || w.url != want.url || !strings.Contains(string(body), want.body) {
			t.Errorf("%s: got %s %s, %v\nwant %s %s", address, w.url, body, err, want.url, want.body)
		}
	}
}

func TestSlack_ReadsTheAnswerToABot(t *testing.T) {
	for answer, want := range map[string]string{
		`{"ok":true}`: "",
		`{"ok":false,"error":"channel_not_found"}`: "it refused the notice: channel_not_found",
		`{"ok":false,"error":"<s3cret>"}`:          "it refused the notice",
		`oops`:                                     "it refused the notice",
	} {
		got := ""
		if err := slackRefused([]byte(answer)); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", answer, got, want)
		}
	}
}

// An answer that is read, as Slack's is to a bot, may be endless.
func TestSend_ReadsABoundedPartOfAnAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		part := bytes.Repeat([]byte("x"), 64<<10)
		for range 64 {
			if _, err := w.Write(part); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	read := 0
	w := &web{url: server.URL, header: http.Header{},
		body:    func(text string) ([]byte, error) { return []byte(text), nil },
		refused: func(answer []byte) error { read = len(answer); return nil },
	}
	if err := w.Send(t.Context(), "text"); err != nil || read != maxAnswer {
		t.Errorf("got %d bytes, %v, want %d", read, err, maxAnswer)
	}
}
