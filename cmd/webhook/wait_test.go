package main

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/telnyx"
	"greenlight/internal/testkit"
	"greenlight/internal/testkit/commandtest"
	"greenlight/internal/webhook"
)

// answerLimit is the webhook's deadline of 1.5 s with room for a busy machine.
const answerLimit = 4 * time.Second

// The door is open before there is a NATS server, and keeps what comes when there is
// one, unattended.
func TestWebhook_WaitsForNATS(t *testing.T) {
	t.Parallel()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	server := testkit.NewProcess(t)
	door := commandtest.Start(t, commandName, "status page at", "NATS_URL="+strings.Replace(server.URL, "//", "//t0ken@", 1), "TELNYX_PUBLIC_KEY="+telnyx.PublicKeyOf(key).String(),
		"LISTEN=127.0.0.1:0", "ADMIN_LISTEN=127.0.0.1:0")
	door.Says("webhook accepts deliveries")
	public, private := "http://"+door.Address("webhook"), "http://"+door.Address("status")
	client := &http.Client{Timeout: answerLimit}
	defer client.CloseIdleConnections()
	deliver := func(body string) (int, http.Header, string) {
		t.Helper()
		request, err := http.NewRequest(http.MethodPost, public+webhook.Path, strings.NewReader(body))
		must(t, err)
		for name, values := range telnyx.Sign(key, time.Now(), []byte(body)) {
			request.Header[name] = values
		}
		return commandtest.Do(t, client, request)
	}
	const event = `{"data":{"event_type":"10dlc.campaign.update","id":"early","payload":{"campaignId":"751c6a5c-907b-43a9-8ada-ba1dc8335b07"}}}`
	for _, body := range []string{event, "no event"} {
		if code, header, text := deliver(body); code != http.StatusServiceUnavailable || header.Get("Retry-After") != "1" || !strings.Contains(text, `"not_stored"`) {
			t.Errorf("without NATS %.20q is answered %d %s, Retry-After %q", body, code, text, header.Get("Retry-After"))
		}
	}
	if code, text := commandtest.Get(t, client, public+"/healthz"); code != http.StatusOK {
		t.Errorf("/healthz: %d %s", code, text)
	}
	want := "the NATS server is not connected; Greenlight keeps trying at " + server.URL
	if code, text := commandtest.Get(t, client, private+"/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(text, want) || strings.Contains(text, "t0ken") {
		t.Errorf("/readyz: %d %s, want %q in it", code, text, want)
	}
	testkit.Within(t, commandtest.Patience, func() error {
		if n := strings.Count(door.Log(), "cannot create the streams yet"); n != 1 {
			return fmt.Errorf("its log says %d times why it waits", n)
		}
		return nil
	})

	server.Start()
	testkit.Within(t, commandtest.Patience, func() error {
		if code, _, text := deliver(event); code != http.StatusOK || !strings.Contains(text, "accepted") {
			return fmt.Errorf("answered %d %s", code, text)
		}
		return nil
	})
	testkit.Within(t, commandtest.Patience, func() error {
		if code, text := commandtest.Get(t, client, private+"/readyz"); code != http.StatusOK {
			return fmt.Errorf("/readyz: %d %s", code, text)
		}
		return nil
	})
	stream, err := commandtest.Connect(t, server.URL).Stream(t.Context(), events.StreamEvents)
	must(t, err)
	first, err := stream.GetMsg(t.Context(), 1)
	must(t, err)
	if stored := stream.CachedInfo().State.Msgs; stored != 1 || first.Header.Get(jetstream.MsgIDHeader) != "early" || string(first.Data) != event {
		t.Errorf("%d events are stored, the first is %s", stored, first.Data)
	}
	door.Stop()
	if n := strings.Count(door.Log(), "cannot create the streams yet"); n != 1 || strings.Contains(door.Log(), "t0ken") {
		t.Errorf("the log says %d times why it waited, or has the token", n)
	}
}

func TestWebhook_StopsWhileItWaitsForNATS(t *testing.T) {
	t.Parallel()
	sim, _ := commandtest.StartTelnyx(t)
	door := commandtest.Start(t, commandName, "cannot create the streams yet", "NATS_URL="+testkit.NewProcess(t).URL, "TELNYX_PUBLIC_KEY="+sim.PublicKey(),
		"LISTEN=127.0.0.1:0", "ADMIN_LISTEN=127.0.0.1:0")
	door.Stop()
}
