package events_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/testkit"
)

func TestLayout_RefusesAStreamOfANewerProgram(t *testing.T) {
	t.Parallel()
	js := testkit.JetStream(t, testkit.Embedded(t))
	for name, test := range map[string]struct {
		metadata map[string]string
		newer    bool
	}{
		"from before there was a version": {nil, false},
		"ours":                            {map[string]string{"greenlight_layout": "1"}, false},
		"the next":                        {map[string]string{"greenlight_layout": "2"}, true},
		"in other words":                  {map[string]string{"greenlight_layout": "2026-12"}, true},
		"of somebody else's":              {map[string]string{"team": "messaging"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}, Metadata: test.metadata})
			if err != nil {
				t.Fatal(err)
			}
			kept, err := events.Layout(t.Context(), js, "S", 0)
			if errors.Is(err, events.ErrNewer) != test.newer {
				t.Fatalf("got %v, want newer %t", err, test.newer)
			}
			if test.newer && !strings.Contains(err.Error(), "start the newer program") {
				t.Errorf("%q does not say what to do", err)
			}
			if !test.newer && (kept.Replicas != 1 || kept.Metadata["greenlight_layout"] != "1") {
				t.Errorf("got %+v, want one copy and the version", kept)
			}
		})
	}
}

func TestLayout_AcceptsAMissingStream(t *testing.T) {
	t.Parallel()
	kept, err := events.Layout(t.Context(), testkit.JetStream(t, testkit.Embedded(t)), "ABSENT", 3)
	if err != nil || kept.Replicas != 3 {
		t.Errorf("got %+v, %v, want three copies", kept, err)
	}
}

func TestLayout_ReturnsAnyOtherError(t *testing.T) {
	t.Parallel()
	nc := testkit.Connect(t, testkit.Embedded(t))
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	if kept, err := events.Layout(t.Context(), js, "S", 3); !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("got %+v, %v, want the error of the connection", kept, err)
	}
}

// What a start would change is named: limits that were added, missing copies, and nothing
// after the server has filled in its defaults.
func TestDifferences_NamesWhatAStartWouldChange(t *testing.T) {
	t.Parallel()
	js := testkit.JetStream(t, testkit.Embedded(t))
	if err := events.EnsureStreams(t.Context(), js, 1); err != nil {
		t.Fatal(err)
	}
	for _, wanted := range events.Settings() {
		stream, err := js.Stream(t.Context(), wanted.Name)
		if err != nil {
			t.Fatal(err)
		}
		has := stream.CachedInfo().Config
		if got := events.Differences(has, wanted); len(got) != 0 {
			t.Errorf("%s: got %v, want none", wanted.Name, got)
		}
		has.MaxMsgs, wanted.Replicas = 10, 3
		if got := events.Differences(has, wanted); !slices.Equal(got, []string{"max_msgs", "num_replicas"}) {
			t.Errorf("%s: got %v, want max_msgs and num_replicas", wanted.Name, got)
		}
		has.MaxAge, wanted.MaxAge, wanted.Replicas = time.Hour, 0, 0
		if got := events.Differences(has, wanted); !slices.Equal(got, []string{"max_age", "max_msgs"}) {
			t.Errorf("%s: got %v, want max_age and max_msgs", wanted.Name, got)
		}
	}
}
