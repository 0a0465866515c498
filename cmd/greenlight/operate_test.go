package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/testkit/commandtest"
)

// A number's letter and a message's letter, listed, shown and put back.
func TestDeadLetters_AreListedShownAndRequeued(t *testing.T) {
	t.Parallel()
	url, js := commandtest.StartNATS(t)
	if err := events.EnsureStreams(t.Context(), js, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Create(t.Context(), js, 1); err != nil {
		t.Fatal(err)
	}
	publisher := events.NewPublisher(js)
	for _, letter := range []events.DeadLetter{
		{Origin: "assigner", Reason: "rejected", Detail: "10015 Bad Request: <b>no such luck</b>", Attempts: 1, Body: []byte(`{"number":"+15551234567","campaign_id":"C6X6M95"}`)},
		{Origin: "webhook", Reason: "not_an_event", Detail: "the body is not a JSON object", Attempts: 1, Body: []byte("\x00garbage")},
	} {
		if err := publisher.DeadLetter(t.Context(), letter); err != nil {
			t.Fatal(err)
		}
	}

	list := mustRun(t, url, "deadletters", "list")
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
	var shown deadLetter
	if err := json.Unmarshal([]byte(mustRun(t, url, "deadletters", "show", "1")), &shown); err != nil {
		t.Fatal(err)
	}
	if shown.Reason != "rejected" || shown.Detail != "10015 Bad Request: <b>no such luck</b>" || !strings.Contains(shown.Body, "C6X6M95") {
		t.Errorf("got %+v", shown)
	}

	mustRun(t, url, "deadletters", "requeue", "1")
	err := run(t.Context(), []string{"deadletters", "requeue", "2", "--nats-url", url}, output{new(strings.Builder), new(strings.Builder)})
	if err == nil || !strings.Contains(err.Error(), "greenlight deadletters discard 2") {
		t.Errorf("got %v for a body that is not an event and names no campaign, want what to do instead", err)
	}
	if left := mustRun(t, url, "deadletters", "list", "--json"); strings.Count(left, "\n") != 1 || !strings.Contains(left, "not_an_event") {
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

// What a person has discarded does not wait for a person any more, and is still listed on
// request.
func TestDeadLetters_AreDiscarded(t *testing.T) {
	t.Parallel()
	url, js := commandtest.StartNATS(t)
	if err := events.EnsureStreams(t.Context(), js, 1); err != nil {
		t.Fatal(err)
	}
	publisher := events.NewPublisher(js)
	for range 3 {
		letter := events.DeadLetter{Origin: "webhook", Reason: "not_an_event", Detail: "not JSON", Attempts: 1, Body: []byte("garbage")}
		if err := publisher.DeadLetter(t.Context(), letter); err != nil {
			t.Fatal(err)
		}
	}
	waiting := func() uint64 {
		t.Helper()
		backlog, err := events.ReadBacklog(t.Context(), js)
		if err != nil {
			t.Fatal(err)
		}
		return backlog.DeadLetters
	}
	if got := waiting(); got != 3 {
		t.Fatalf("got %d that wait, want 3", got)
	}
	mustRun(t, url, "deadletters", "discard", "1", "3", "--reason", "a test of Telnyx")
	if got := waiting(); got != 1 {
		t.Errorf("got %d that wait, want 1", got)
	}
	if list := mustRun(t, url, "deadletters", "list", "--json"); strings.Count(list, "\n") != 1 || !strings.Contains(list, `"sequence":2`) {
		t.Errorf("got %s, want only dead letter 2", list)
	}
	if all := mustRun(t, url, "deadletters", "list", "--all", "--json"); strings.Count(all, "\n") != 3 || strings.Count(all, "a test of Telnyx") != 2 {
		t.Errorf("got %s, want three, two of them discarded", all)
	}
	for line := range strings.Lines(mustRun(t, url, "deadletters", "list", "--all")) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 {
			t.Errorf("a line of %d columns: %s", n, line)
		}
	}
	for _, args := range [][]string{{"discard", "1"}, {"discard", "2", "9"}, {"discard", "4"}, {"requeue", "4"}} {
		if err := run(t.Context(), append([]string{"deadletters", "--nats-url", url}, args...), output{new(strings.Builder), new(strings.Builder)}); err == nil {
			t.Errorf("%v: got no error, but it was discarded or never existed", args)
		}
	}
	if got := waiting(); got != 1 {
		t.Errorf("got %d that wait after faulty commands, want 1", got)
	}
}

// A plan names the campaign by its TCR id now, and named it by Telnyx's before. It is
// held, shown and resumed as one, and the assigner is asked to reconcile it.
func TestHoldAndResume_OfACampaignWithTwoIDs(t *testing.T) {
	t.Parallel()
	const telnyxID, tcrID = "751c6a5c-907b-43a9-8ada-ba1dc8335b07", "C6X6M95"
	for name, tt := range map[string]struct {
		what     []string
		triggers map[string]uint64
	}{
		"by the plan's name": {[]string{"spring-promo"}, map[string]uint64{"assigner.trigger.recheck." + tcrID: 1}},
		"by an id":           {[]string{telnyxID}, map[string]uint64{"assigner.trigger.recheck." + tcrID: 1, "assigner.trigger.recheck." + telnyxID: 1}},
		"everything":         {nil, map[string]uint64{"assigner.trigger.resync": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, js := commandtest.StartNATS(t)
			if err := events.EnsureStreams(t.Context(), js, 1); err != nil {
				t.Fatal(err)
			}
			book, err := ledger.Create(t.Context(), js, 1)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range []ledger.Campaign{
				{ID: telnyxID, Plan: "spring-promo", TelnyxID: telnyxID, TCRID: tcrID},
				{ID: tcrID, Plan: "spring-promo", Planned: true, TelnyxID: telnyxID, TCRID: tcrID},
			} {
				if _, err := book.PutCampaign(t.Context(), ledger.CampaignEntry{}, c); err != nil {
					t.Fatal(err)
				}
			}
			if got := mustRun(t, url, append([]string{"resume"}, tt.what...)...); !strings.HasPrefix(got, "Nothing ") {
				t.Errorf("resumed before it is held: got %q", got)
			}
			held := mustRun(t, url, "hold", "spring-promo")
			shown := mustRun(t, url, "status")
			resumed := mustRun(t, url, append([]string{"resume"}, tt.what...)...)
			for command, got := range map[string]string{"hold": held, "status": shown, "resume": resumed} {
				if n := strings.Count(strings.ToLower(got), "on hold: spring-promo, since "); n != 1 {
					t.Errorf("%s shows the campaign %d times, want once:\n%s", command, n, got)
				}
			}
			if hold, err := book.ReadHold(t.Context()); err != nil || !hold.IsZero() {
				t.Errorf("got %+v, %v, want nothing held", hold, err)
			}
			stream, err := js.Stream(t.Context(), "TRIGGERS")
			if err != nil {
				t.Fatal(err)
			}
			info, err := stream.Info(t.Context(), jetstream.WithSubjectFilter("assigner.trigger.>"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.triggers, info.State.Subjects); diff != "" {
				t.Errorf("triggers (-want +got):\n%s", diff)
			}
		})
	}
}

// A hold was stored under the reference by which a plan selected the campaign. The plan
// names it by its id now, or no plan and no record names it any more.
func TestResume_EndsAHoldOfAReference(t *testing.T) {
	t.Parallel()
	const telnyxID, tcrID, reference = "751c6a5c-907b-43a9-8ada-ba1dc8335b07", "C6X6M95", "ref_spring-2026"
	url, js := commandtest.StartNATS(t)
	if err := events.EnsureStreams(t.Context(), js, 1); err != nil {
		t.Fatal(err)
	}
	book, err := ledger.Create(t.Context(), js, 1)
	if err != nil {
		t.Fatal(err)
	}
	c := ledger.Campaign{ID: telnyxID, Plan: "spring-promo", Planned: true, TelnyxID: telnyxID, TCRID: tcrID, ReferenceKey: reference}
	entry, err := book.PutCampaign(t.Context(), ledger.CampaignEntry{}, c)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"spring-promo", telnyxID, tcrID, reference}
	for _, name := range append(names, "without a record") {
		shown := "spring-promo"
		if name == "without a record" {
			name, shown = reference, reference
			if err := book.DropCampaign(t.Context(), entry); err != nil {
				t.Fatal(err)
			}
		}
		if err := book.Hold(t.Context(), []string{reference}, ledger.HeldBy{By: "ann@ops"}); err != nil {
			t.Fatal(err)
		}
		if got := mustRun(t, url, "status"); !strings.Contains(got, "On hold: "+shown+", since ") {
			t.Errorf("status does not show the hold of %s:\n%s", shown, got)
		}
		if got := mustRun(t, url, "resume", name); !strings.HasPrefix(got, "Resumed. Was on hold: "+shown+", since ") {
			t.Errorf("resume %s: got %q", name, got)
		}
		if hold, err := book.ReadHold(t.Context()); err != nil || !hold.IsZero() {
			t.Errorf("resume %s: got %+v, %v, want nothing held", name, hold, err)
		}
	}
}

// A resumption whose trigger cannot be stored is shown, and the command fails.
func TestResume_SaysThatTheAssignerCouldNotBeAsked(t *testing.T) {
	t.Parallel()
	url, js := commandtest.StartNATS(t)
	book, err := ledger.Create(t.Context(), js, 1) // and no stream for triggers
	if err != nil {
		t.Fatal(err)
	}
	if err := book.Hold(t.Context(), nil, ledger.HeldBy{By: "ann@ops"}); err != nil {
		t.Fatal(err)
	}
	var stdout strings.Builder
	err = run(t.Context(), []string{"resume", "--nats-url", url}, output{&stdout, new(strings.Builder)})
	if err == nil || !strings.Contains(err.Error(), "resumed, but an immediate reconcile could not be requested") {
		t.Errorf("got %v, want that no reconcile could be requested", err)
	}
	if got := stdout.String(); !strings.HasPrefix(got, "Resumed. Was on hold: everything, since ") {
		t.Errorf("got %q, want what was resumed", got)
	}
}

// mustRun runs a command on a server, which must work, and returns what it prints.
func mustRun(t *testing.T, url string, args ...string) string {
	t.Helper()
	var stdout, stderr strings.Builder
	if err := run(context.Background(), append(args, "--nats-url", url), output{&stdout, &stderr}); err != nil {
		t.Fatalf("greenlight %s: %v", strings.Join(args, " "), err)
	}
	return stdout.String()
}
