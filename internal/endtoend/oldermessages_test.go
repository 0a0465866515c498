//go:build unix

package endtoend_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/telnyx"
	"greenlight/internal/testkit"
)

// olderMessages are an event and a dead letter as the older program stored them. Those in its
// data folder expire.
const olderMessages = "testdata/messages-2026-11.json"

const (
	olderEvent  = "5c0a9e7e-0b64-4b1c-9f6a-3f6b6c1d2e71"
	notAnOrigin = `{"data":"of no event"}`
)

// olderMessage is a message of a stream.
type olderMessage struct {
	Stream  string      `json:"stream"`
	Subject string      `json:"subject"`
	Header  nats.Header `json:"header"`
	Data    string      `json:"data"`
}

// An event that was not handled when the older program stopped is handled now, and its
// dead letters can be read.
func TestUpgrade_HandlesMessagesOfAnOlderProgram(t *testing.T) {
	t.Parallel()
	up := olderWorld(t)
	data := unpack(t, olderFolder)
	var event uint64
	withServer(t, data, func(js jetstream.JetStream) { event = storeOlder(t, js) })
	_, stop := up.run(data)
	up.eventually("the assigner has handled the older event", func() (bool, string) {
		acked := handled(t, data)
		return acked >= event, fmt.Sprintf("all up to message %d, the event is %d", acked, event)
	})
	why, err := exec.Command(up.commands+"greenlight", "why", laterNumber, "--data", data).CombinedOutput()
	if err != nil || !strings.Contains(strings.Join(strings.Fields(string(why)), " "), "Telnyx reported on the campaign: VERIFIED") {
		t.Errorf("greenlight why: %v\n%s\nwant what the older event reported", err, why)
	}
	letters, err := exec.Command(up.commands+"greenlight", "deadletters", "list", "--data", data).CombinedOutput()
	if err != nil || strings.Count(string(letters), "not_an_event") != 1 {
		t.Errorf("greenlight deadletters list: %v\n%s\nwant the older dead letter", err, letters)
	}
	letter, err := exec.Command(up.commands+"greenlight", "deadletters", "show", "1", "--data", data).CombinedOutput()
	if body, _ := json.Marshal(notAnOrigin); err != nil || !strings.Contains(string(letter), string(body)) {
		t.Errorf("greenlight deadletters show: %v\n%s\nwant the body %s", err, letter, body)
	}
	stop()
}

// storeOlder puts the older messages into their streams, and returns the number of the
// event.
func storeOlder(t *testing.T, js jetstream.JetStream) (event uint64) {
	t.Helper()
	text, err := os.ReadFile(olderMessages)
	if err != nil {
		t.Fatal(err)
	}
	var messages []olderMessage
	if err := json.Unmarshal(text, &messages); err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		msg := &nats.Msg{Subject: m.Subject, Header: m.Header, Data: []byte(m.Data)}
		ack, err := js.PublishMsg(t.Context(), msg, jetstream.WithExpectStream(m.Stream))
		if err != nil {
			t.Fatal(err)
		}
		if m.Stream == events.StreamEvents {
			event = ack.Sequence
		}
	}
	return event
}

// handled returns the sequence up to which the assigner of the `greenlight up` on a data
// folder has handled all messages.
func handled(t *testing.T, data string) uint64 {
	t.Helper()
	address, err := os.ReadFile(filepath.Join(data, events.EmbeddedURLFile))
	if err != nil {
		t.Fatal(err)
	}
	nc, err := events.Connect(strings.TrimSpace(string(address)), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := js.Consumer(t.Context(), events.StreamEvents, events.ConsumerAssigner)
	if err != nil {
		t.Fatal(err)
	}
	return consumer.CachedInfo().AckFloor.Stream
}

// TestOlderMessages_AreMade recreates the older messages with the older program.
// testdata/README.md says when and how.
func TestOlderMessages_AreMade(t *testing.T) {
	commands := os.Getenv("GREENLIGHT_OLDER")
	if commands == "" {
		t.Skip("they were made once and do not change")
	}
	address := "127.0.0.1:" + testkit.FreePort(t)
	up := newOlderWorld(t, commands+"/", "", telnyx.CampaignMNOPending)
	up.env = []string{"LISTEN=" + address}
	up.hook.Config.Handler = httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})
	data := filepath.Join(t.TempDir(), "data")
	_, stop := up.run(data)
	up.post(verified(olderEvent, laterID), 200)
	up.post([]byte(notAnOrigin), 200)
	stop()
	var messages []olderMessage
	withServer(t, data, func(js jetstream.JetStream) {
		messages = append(stored(t, js, events.StreamEvents, "telnyx.event.>"), stored(t, js, events.StreamDeadLetters, ">")...)
	})
	text, err := json.MarshalIndent(messages, "", "  ")
	up.must(err)
	up.must(os.WriteFile(olderMessages, append(text, '\n'), 0o600))
}

// stored returns what a stream holds of a subject, without what the server adds.
func stored(t *testing.T, js jetstream.JetStream, name, subject string) (messages []olderMessage) {
	t.Helper()
	stream, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	for sequence := uint64(0); ; {
		msg, err := stream.GetMsg(t.Context(), sequence+1, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return messages // no more messages
		}
		if err != nil {
			t.Fatal(err)
		}
		sequence = msg.Sequence
		for _, header := range []string{"Nats-Stream", "Nats-Subject", "Nats-Sequence", "Nats-Time-Stamp"} {
			msg.Header.Del(header)
		}
		messages = append(messages, olderMessage{Stream: name, Subject: msg.Subject, Header: msg.Header, Data: string(msg.Data)})
	}
}
