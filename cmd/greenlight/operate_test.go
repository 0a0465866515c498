package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"greenlight/internal/commandtest"
	"greenlight/internal/events"
	"greenlight/internal/ledger"
)

// A number's letter and a message's letter, listed, shown and put back.
func TestDeadLetters_AreListedShownAndRequeued(t *testing.T) {
	url, js := commandtest.StartNATS(t)
	t.Setenv("NATS_URL", url)
	if err := events.EnsureStreams(t.Context(), js, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Create(t.Context(), js, 1); err != nil {
		t.Fatal(err)
	}
	publisher := events.NewPublisher(js)
	for _, letter := range []events.DeadLetter{
		{Origin: "assigner", Reason: "rejected", Detail: "10015 Bad Request: <b>no such luck</b>", Attempts: 1, Body: []byte(`{"number":"+15551234567","campaign_id":"C6X6M95"}`)},
		{Origin: "webhook", Reason: "not_an_event", Detail: "the body is no JSON object", Attempts: 1, Body: []byte("\x00garbage")},
	} {
		if err := publisher.DeadLetter(t.Context(), letter); err != nil {
			t.Fatal(err)
		}
	}

	list := mustRun(t, "deadletters", "list")
	for line := range strings.Lines(list) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 {
			t.Errorf("a line of %d columns: %s", n, line)
		}
	}
	for _, want := range []string{"rejected", "not_an_event"} {
		if !strings.Contains(list, want) {
			t.Errorf("the list lacks %s:\n%s", want, list)
		}
	}
	var shown letter
	if err := json.Unmarshal([]byte(mustRun(t, "deadletters", "show", "1")), &shown); err != nil {
		t.Fatal(err)
	}
	if shown.Reason != "rejected" || shown.Detail != "10015 Bad Request: <b>no such luck</b>" || !strings.Contains(shown.Body, "C6X6M95") {
		t.Errorf("got %+v", shown)
	}

	mustRun(t, "deadletters", "requeue", "1")
	if err := run(t.Context(), []string{"deadletters", "requeue", "2"}, output{new(strings.Builder), new(strings.Builder)}); err == nil {
		t.Error("requeued a body that was no event and names no campaign")
	}
	if left := mustRun(t, "deadletters", "list", "--json"); strings.Count(left, "\n") != 1 || !strings.Contains(left, "not_an_event") {
		t.Errorf("left are %s, want the one that cannot be requeued", left)
	}
	stream, err := js.Stream(t.Context(), "TRIGGERS")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.GetLastMsgForSubject(t.Context(), "assigner.trigger.campaign.C6X6M95"); err != nil {
		t.Errorf("the number's campaign was not asked for: %v", err)
	}
}

// mustRun runs a command that must work and returns what it prints.
func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr strings.Builder
	if err := run(context.Background(), args, output{&stdout, &stderr}); err != nil {
		t.Fatalf("greenlight %s: %v", strings.Join(args, " "), err)
	}
	return stdout.String()
}
