package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/testkit"
)

var (
	ann = ledger.HeldBy{By: "ann@ops-1", At: noon, Reason: "carrier incident"}
	bob = ledger.HeldBy{By: "bob@ops-2", At: noon.Add(time.Minute)}
)

func held(t *testing.T, book *ledger.Ledger) ledger.Hold {
	t.Helper()
	h, err := book.ReadHold(t.Context())
	must(t, err)
	return h
}

func TestHold_SaysWhoWhenAndWhy(t *testing.T) {
	t.Parallel()
	book, _ := start(t)
	if h := held(t, book); !h.IsZero() {
		t.Fatalf("before anybody holds: got %+v", h)
	}
	must(t, book.Hold(t.Context(), []string{telnyxID, tcrID}, ann))
	must(t, book.Hold(t.Context(), []string{tcrID}, bob))
	want := ledger.Hold{Campaigns: map[string]ledger.HeldBy{telnyxID: ann, tcrID: bob}}
	if diff := cmp.Diff(want, held(t, book)); diff != "" {
		t.Errorf("hold of two campaigns (-want +got):\n%s", diff)
	}
	must(t, book.Hold(t.Context(), nil, bob))
	want.All = &bob
	if diff := cmp.Diff(want, held(t, book)); diff != "" {
		t.Errorf("hold of everything (-want +got):\n%s", diff)
	}
	if by, ok := want.Of("CANOTHR"); !ok || by != bob {
		t.Errorf("another campaign: got %+v, %t, want it held with all", by, ok)
	}
	if by, ok := want.Of(telnyxID); !ok || by != ann {
		t.Errorf("a campaign that is held by itself: got %+v, %t, want why it is", by, ok)
	}
	if by, ok := (ledger.Hold{Campaigns: map[string]ledger.HeldBy{tcrID: bob}}).Of(telnyxID); ok {
		t.Errorf("a campaign that is not on hold: got %+v, want none", by)
	}
}

// lastWrite returns the sequence of the latest write to the bucket that has the hold.
func lastWrite(t *testing.T, js jetstream.JetStream) uint64 {
	t.Helper()
	stream, err := js.Stream(t.Context(), "KV_LOOKS")
	must(t, err)
	return stream.CachedInfo().State.LastSeq
}

func TestResume_ReturnsWhatWasHeld(t *testing.T) {
	t.Parallel()
	book, js := start(t)
	for _, test := range []struct {
		name    string
		ids     []string
		resumed ledger.Hold
		left    ledger.Hold
	}{
		{"one of two", []string{tcrID}, ledger.Hold{Campaigns: map[string]ledger.HeldBy{tcrID: bob}}, ledger.Hold{All: &bob, Campaigns: map[string]ledger.HeldBy{telnyxID: ann}}},
		{"one that is not held", []string{tcrID}, ledger.Hold{}, ledger.Hold{All: &bob, Campaigns: map[string]ledger.HeldBy{telnyxID: ann}}},
		{"everything", nil, ledger.Hold{All: &bob, Campaigns: map[string]ledger.HeldBy{telnyxID: ann}}, ledger.Hold{}},
		{"nothing", nil, ledger.Hold{}, ledger.Hold{}},
	} {
		if test.name == "one of two" {
			must(t, book.Hold(t.Context(), nil, bob))
			must(t, book.Hold(t.Context(), []string{telnyxID}, ann))
			must(t, book.Hold(t.Context(), []string{tcrID}, bob))
		}
		before := lastWrite(t, js)
		resumed, err := book.Resume(t.Context(), test.ids)
		must(t, err)
		if !resumed.Equal(test.resumed) {
			t.Errorf("%s: resumed %+v, want %+v", test.name, resumed, test.resumed)
		}
		if h := held(t, book); !h.Equal(test.left) {
			t.Errorf("%s: left %+v, want %+v", test.name, h, test.left)
		}
		if wrote := lastWrite(t, js) != before; test.resumed.IsZero() && wrote {
			t.Errorf("%s: a record that says the same was written", test.name)
		}
	}
}

func TestHold_OfManyAtOnceLosesNone(t *testing.T) {
	t.Parallel()
	book, _ := start(t)
	var holding sync.WaitGroup
	for i := range 5 {
		holding.Go(func() {
			if err := book.Hold(t.Context(), []string{fmt.Sprintf("C00000%d", i)}, ann); err != nil {
				t.Error(err)
			}
		})
	}
	holding.Wait()
	if got := len(held(t, book).Campaigns); got != 5 {
		t.Errorf("got %d campaigns held, want 5", got)
	}
}

func TestHold_KeepsAThousandCampaignsAndPrintableTexts(t *testing.T) {
	t.Parallel()
	book, _ := start(t)
	var ids []string
	for i := range 1000 {
		ids = append(ids, fmt.Sprintf("751c6a5c-907b-43a9-8ada-%012d", i))
	}
	must(t, book.Hold(t.Context(), ids, ledger.HeldBy{By: "ann\x1b[31m@ops", At: noon, Reason: "line\none " + strings.Repeat("é", 300)}))
	by, ok := held(t, book).Of(ids[999])
	if !ok || by.By != "ann [31m@ops" || !strings.HasPrefix(by.Reason, "line one é") || len(by.Reason) > 200 {
		t.Errorf("got %+v, %t, want bounded texts on one line", by, ok)
	}
}

// The bucket has the next checks of campaigns too.
func TestHold_IsNotReadAsACampaign(t *testing.T) {
	book, _ := start(t)
	must(t, book.Hold(t.Context(), nil, ann))
	entries, err := book.Campaigns(t.Context())
	must(t, err)
	if len(entries) != 0 {
		t.Errorf("got %d campaigns, want none", len(entries))
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- book.Follow(ctx, ledger.Follower{
			Campaign:   func(c ledger.Campaign) { t.Errorf("got campaign %s", c.ID) },
			Unreadable: func(err error) { t.Error(err) }, Current: cancel,
		})
	}()
	must(t, <-ended)
}

func TestWatchHold_ReportsEachChange(t *testing.T) {
	t.Parallel()
	book, _ := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	holds, ended := make(chan ledger.Hold, 10), make(chan error, 1)
	go func() { ended <- book.WatchHold(ctx, func(h ledger.Hold) { holds <- h }) }()
	want := func(what string, want ledger.Hold) {
		t.Helper()
		select {
		case got := <-holds:
			if !got.Equal(want) {
				t.Errorf("%s: got %+v, want %+v", what, got, want)
			}
		case <-time.After(patience):
			t.Fatalf("%s was not reported", what)
		}
	}
	want("the beginning", ledger.Hold{})
	must(t, book.Hold(t.Context(), nil, ann))
	want("a hold", ledger.Hold{All: &ann})
	_, err := book.Resume(t.Context(), nil)
	must(t, err)
	want("its end", ledger.Hold{})
	cancel()
	must(t, <-ended)
}

func TestRestore_MergesWithWhatWasHeldSince(t *testing.T) {
	t.Parallel()
	one := func(by ledger.HeldBy) ledger.Hold {
		return ledger.Hold{Campaigns: map[string]ledger.HeldBy{telnyxID: by}}
	}
	for name, tt := range map[string]struct {
		since func(context.Context, *ledger.Ledger) error
		was   ledger.Hold
		want  ledger.Hold
	}{
		"nothing": {
			since: func(context.Context, *ledger.Ledger) error { return nil },
			was:   ledger.Hold{All: &ann}, want: ledger.Hold{All: &ann},
		},
		"one campaign, after everything": {
			since: func(ctx context.Context, book *ledger.Ledger) error { return book.Hold(ctx, []string{telnyxID}, bob) },
			was:   ledger.Hold{All: &ann}, want: ledger.Hold{All: &ann, Campaigns: one(bob).Campaigns},
		},
		"the same, newer": {
			since: func(ctx context.Context, book *ledger.Ledger) error { return book.Hold(ctx, []string{telnyxID}, bob) },
			was:   one(ann), want: one(bob),
		},
		"the same, older": { // another process restored its own copy
			since: func(ctx context.Context, book *ledger.Ledger) error {
				return book.Restore(ctx, ledger.Hold{All: &ann}, false)
			},
			was: ledger.Hold{All: &bob}, want: ledger.Hold{All: &bob},
		},
		"everything, newer": {
			since: func(ctx context.Context, book *ledger.Ledger) error { return book.Hold(ctx, nil, bob) },
			was:   ledger.Hold{All: &ann}, want: ledger.Hold{All: &bob},
		},
		"everything resumed": {
			since: func(ctx context.Context, book *ledger.Ledger) error {
				_, err := book.Resume(ctx, nil)
				return err
			},
			was: ledger.Hold{All: &ann}, want: ledger.Hold{},
		},
		"everything resumed, and one campaign held": {
			since: func(ctx context.Context, book *ledger.Ledger) error {
				_, err := book.Resume(ctx, nil)
				return errors.Join(err, book.Hold(ctx, []string{telnyxID}, bob))
			},
			was: ledger.Hold{All: &ann}, want: one(bob),
		},
	} {
		t.Run(name, func(t *testing.T) {
			book, _ := start(t)
			must(t, tt.since(t.Context(), book))
			must(t, book.Restore(t.Context(), tt.was, false))
			if got := held(t, book); !got.Equal(tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// A plan may name a campaign by another of its ids later. The hold still counts.
func TestHold_CountsForEveryIDOfACampaign(t *testing.T) {
	t.Parallel()
	book, js := start(t)
	const reference = "ref_spring-2026"
	campaign := ledger.Campaign{ID: telnyxID, Plan: "spring-promo", Planned: true, TelnyxID: telnyxID, TCRID: tcrID, ReferenceKey: reference}
	_, err := book.PutCampaign(t.Context(), ledger.CampaignEntry{}, campaign)
	must(t, err)
	for _, by := range []string{telnyxID, tcrID, reference} {
		must(t, book.Hold(t.Context(), []string{by}, ann))
		must(t, book.Hold(t.Context(), []string{telnyxID, tcrID}, bob))
		h := held(t, book)
		if got, ok := h.Of(campaign.IDs()...); !ok || got != bob {
			t.Errorf("held by %s: it is held by %+v, %t, want %+v", by, got, ok, bob)
		}
		if len(h.Campaigns) != 1 {
			t.Errorf("held by %s: got %+v, want one campaign", by, h)
		}
		must(t, js.DeleteKeyValue(t.Context(), "LOOKS"))
		_, err := ledger.Create(t.Context(), js, 1)
		must(t, err)
		must(t, book.Restore(t.Context(), h, false))
		if got := held(t, book); !got.Equal(h) {
			t.Errorf("held by %s: restored %+v, want %+v", by, got, h)
		}
		resumed, err := book.Resume(t.Context(), []string{by})
		must(t, err)
		if len(resumed.Campaigns) != 1 {
			t.Errorf("resumed by %s: got %+v, want one campaign", by, resumed)
		}
		if left := held(t, book); !left.IsZero() {
			t.Errorf("resumed by %s: left %+v, want nothing", by, left)
		}
	}
}

func TestReadHold_SaysThatTheBucketIsLost(t *testing.T) {
	book, js := start(t)
	must(t, book.Hold(t.Context(), nil, ann))
	must(t, js.DeleteKeyValue(t.Context(), "LOOKS"))
	if h, err := book.ReadHold(t.Context()); !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Errorf("got %+v, %v, want that the stream is not there", h, err)
	}
}

// Every server of a cluster answers with the hold that was stored last.
func TestReadHold_OfAClusterIsTheLatest(t *testing.T) {
	if !testkit.Full {
		t.Skip("a cluster takes 5 s to start; make test runs this with GREENLIGHT_FULL=1")
	}
	t.Parallel()
	cluster := testkit.StartCluster(t)
	var books []*ledger.Ledger
	for _, url := range strings.Split(cluster.URL(), ",") {
		nc, err := events.Connect(url, t.Name())
		must(t, err)
		t.Cleanup(nc.Close)
		js, err := jetstream.New(nc)
		must(t, err)
		var book *ledger.Ledger
		testkit.Within(t, time.Minute, func() error { // a cluster that just came up refuses some requests
			book, err = ledger.Create(t.Context(), js, 3)
			return err
		})
		books = append(books, book)
	}
	for i := range 30 {
		by := ledger.HeldBy{By: "ann@ops-1", At: noon.Add(time.Duration(i) * time.Second)}
		testkit.Within(t, time.Minute, func() error { return books[i%3].Hold(t.Context(), nil, by) })
		for n, book := range books {
			if h := held(t, book); h.All == nil || !h.All.At.Equal(by.At) {
				t.Fatalf("hold %d, server %d: got %+v, want %s", i, n+1, h.All, by.At)
			}
		}
	}
}

// A hold that cannot be read counts as one of everything.
func TestWatchHold_OfADamagedRecordHoldsEverything(t *testing.T) {
	t.Parallel()
	book, js := start(t)
	_, err := js.Publish(t.Context(), "$KV.LOOKS._hold", []byte("{"))
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var got ledger.Hold
	must(t, book.WatchHold(ctx, func(h ledger.Hold) { got = h; cancel() }))
	if got.All == nil {
		t.Errorf("got %+v, want a hold of everything", got)
	}
}
