package main

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
	"greenlight/internal/ledger"
	"greenlight/internal/testkit"
)

// A command that watches outlives a restart of greenlight up, which has another port and
// token then.
func TestStatus_WatchesAcrossARestartOfGreenlightUp(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	start := func() (book *ledger.Ledger, stop func()) {
		server, err := embedded.Start(embedded.Options{Dir: data, Listen: true})
		must(err)
		nc, err := events.Connect("", t.Name(), server.InProcess()...)
		must(err)
		js, err := jetstream.New(nc)
		must(err)
		must(events.EnsureStreams(t.Context(), js, 1))
		book, err = ledger.Create(t.Context(), js, 1)
		must(err)
		return book, func() { nc.Close(); must(server.Close()) }
	}
	book, stop := start()
	_, err := book.PutCampaign(t.Context(), ledger.CampaignEntry{}, ledger.Campaign{ID: springID, Plan: "spring", Planned: true})
	must(err)

	var stdout, stderr testkit.Buffer
	shows := func(b *testkit.Buffer, words string) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !strings.Contains(b.String(), words); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("no %q in\n%s%s", words, stdout.String(), stderr.String())
			}
		}
	}
	ctx, end := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"status", "--watch", "--data", data, "--nats-url="}, output{&stdout, &stderr})
	}()
	shows(&stdout, "spring")
	stop()
	shows(&stderr, "Waiting for the server")

	book, stop = start()
	defer stop()
	_, err = book.PutCampaign(t.Context(), ledger.CampaignEntry{}, ledger.Campaign{ID: oldID, Plan: "autumn", Planned: true})
	must(err)
	shows(&stdout, "autumn")
	end()
	must(<-done)
}

// The server stops just when everything was attached, before that was read again. What was seen
// last counts, not that nothing could be read.
func TestStatus_WaitsOverAnOutageWithWhatItKnows(t *testing.T) {
	t.Parallel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	server, err := embedded.Start(embedded.Options{Dir: testkit.MemoryDir(t), Listen: true})
	must(err)
	stop := sync.OnceFunc(func() { must(server.Close()) })
	t.Cleanup(stop)
	js := testkit.JetStream(t, server)
	must(events.EnsureStreams(t.Context(), js, 1))
	book, err := ledger.Create(t.Context(), js, 1)
	must(err)
	_, err = book.PutCampaign(t.Context(), ledger.CampaignEntry{}, ledger.Campaign{ID: springID, Plan: "spring", Planned: true, Phase: ledger.PhaseApproved})
	must(err)
	_, err = book.PutNumber(t.Context(), ledger.NumberEntry{}, ledger.Number{Number: "+12125550142", CampaignID: springID, Plan: "spring", State: ledger.Sendable, Since: time.Now()})
	must(err)
	printed := writerFunc(func(line string) {
		if strings.Contains(line, "+12125550142") {
			stop()
		}
	})
	err = run(t.Context(), []string{"status", "spring", "--wait", "--watch", "--json", "--timeout", "2s", "--nats-url", server.URL()}, output{printed, io.Discard})
	if err != nil {
		t.Errorf("got %v, want 0: the number is attached", err)
	}
}
