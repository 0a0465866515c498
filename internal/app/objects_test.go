package app_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/notice"
)

// Anything that the process needs in NATS may be deleted while it runs. It is created again,
// the process is not ready until then, and a later approval has its effect.
func TestProcess_CreatesAgainWhatWasLost(t *testing.T) {
	t.Parallel()
	stream := func(name string) func(context.Context, jetstream.JetStream) error {
		return func(ctx context.Context, js jetstream.JetStream) error { return js.DeleteStream(ctx, name) }
	}
	consumer := func(stream, name string) func(context.Context, jetstream.JetStream) error {
		return func(ctx context.Context, js jetstream.JetStream) error { return js.DeleteConsumer(ctx, stream, name) }
	}
	for name, lose := range map[string]func(context.Context, jetstream.JetStream) error{
		"EVENTS": stream(events.StreamEvents), "TRIGGERS": stream("TRIGGERS"), "DEAD_LETTERS": stream(events.StreamDeadLetters), "NOTICES": stream(notice.Stream),
		"consumer assigner": consumer(events.StreamEvents, events.ConsumerAssigner), "consumer notify": consumer(notice.Stream, notice.Consumer),
		"bucket CAMPAIGNS": stream("KV_CAMPAIGNS"), "bucket NUMBERS": stream("KV_NUMBERS"), "bucket LOOKS": stream("KV_LOOKS"),
		"everything": func(ctx context.Context, js jetstream.JetStream) (err error) {
			for name := range js.StreamNames(ctx).Name() {
				err = errors.Join(err, js.DeleteStream(ctx, name))
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startFullRun(t)
			r.phase(goodCampaign, ledger.PhaseInReview)
			r.phase(badCampaign, ledger.PhaseInReview)
			get(t, r.private, "/readyz", http.StatusOK)
			must(t, lose(t.Context(), r.js))
			// Consumers' readers may create them again at once. A stream exists again before
			// its consumer.
			if !strings.HasPrefix(name, "consumer") {
				if body := get(t, r.private, "/readyz", http.StatusServiceUnavailable); name != "everything" && !strings.Contains(body, name) && !strings.Contains(body, "consumer "+events.ConsumerAssigner) {
					t.Errorf("got readiness\n%s\nwant it to name what is missing", body)
				}
			}
			get(t, r.private, "/readyz", http.StatusOK)
			r.until("both campaigns are in the ledger again", func() (bool, string) {
				known, err := r.book.Campaigns(t.Context())
				return len(known) == 2, fmt.Sprintf("%d, %v", len(known), err)
			})
			must(t, r.sim.Approve(goodCampaign))
			r.reaches(goodCampaign, ledger.Sendable)
			triggers, err := r.js.Stream(t.Context(), "TRIGGERS")
			must(t, err)
			if _, err := triggers.GetLastMsgForSubject(t.Context(), "assigner.schedule.resync"); err != nil {
				t.Errorf("the schedule of resyncs: %v", err)
			}
		})
	}
}
