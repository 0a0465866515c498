package backup_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"greenlight/internal/backup"
	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/notice"
	"greenlight/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, testkit.ServerLeaks()...) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// filled returns a server with all streams, one number that was requested and an event
// larger than a part of a snapshot.
func filled(t *testing.T) jetstream.JetStream {
	t.Helper()
	js := testkit.JetStream(t, testkit.Embedded(t))
	must(t, events.EnsureStreams(t.Context(), js, 1))
	_, err := notice.NewPublisher(t.Context(), js, 1)
	must(t, err)
	book, err := ledger.Create(t.Context(), js, 1)
	must(t, err)
	_, err = book.PutNumber(t.Context(), ledger.NumberEntry{}, ledger.Number{
		Number: "+12125550142", CampaignID: "c", State: ledger.Attached, Request: ledger.Request{Sent: "POST /x"}, Since: time.Now(),
	})
	must(t, err)
	random := make([]byte, 400<<10) // it cannot be compressed
	_, err = rand.NewChaCha8([32]byte{}).Read(random)
	must(t, err)
	_, err = events.NewPublisher(js).Publish(t.Context(), events.Event{ID: "e", Type: "10dlc.campaign.update", About: "c", ReceivedAt: time.Now(), Body: random})
	must(t, err)
	return js
}

func written(t *testing.T, js jetstream.JetStream) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "backup")
	_, err := backup.Write(t.Context(), js, path, "1.2.3")
	must(t, err)
	return path
}

// count returns the messages of a stream, 0 if it does not exist.
func count(t *testing.T, js jetstream.JetStream, name string) uint64 {
	t.Helper()
	stream, err := js.Stream(t.Context(), name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0
	}
	must(t, err)
	return stream.CachedInfo().State.Msgs
}

func TestOpen_RefusesWhatIsNotWhole(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile(written(t, filled(t)))
	must(t, err)
	for name, tt := range map[string]struct {
		content []byte
		want    error
		says    string
	}{
		"empty":            {nil, backup.ErrDamaged, "no manifest"},
		"another file":     {[]byte(strings.Repeat("not a backup\n", 100)), backup.ErrDamaged, "no manifest"},
		"cut off":          {whole[:len(whole)/2], backup.ErrDamaged, "damaged"},
		"one byte changed": {flipped(whole, len(whole)/2), backup.ErrDamaged, "SHA-256"},
		"no end":           {whole[:len(whole)-1024], nil, ""}, // tar accepts a missing end, and all snapshots are whole
		"another stream":   {bytes.Replace(whole, []byte(`"name": "NOTICES"`), []byte(`"name": "NOTICEX"`), 1), backup.ErrDamaged, "not expected"},
		"a newer format":   {bytes.Replace(whole, []byte(`"version": 1,`), []byte(`"version": 9,`), 1), events.ErrNewer, "version 1.2.3"},
		"newer streams":    {bytes.Replace(whole, []byte(`"greenlight_layout": "1"`), []byte(`"greenlight_layout": "9"`), 1), events.ErrNewer, "start the newer program"},
	} {
		path := filepath.Join(t.TempDir(), "backup")
		must(t, os.WriteFile(path, tt.content, 0o600))
		file, err := backup.Open(path)
		if err == nil {
			must(t, file.Close())
		}
		if !errors.Is(err, tt.want) || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, want %v with %q", name, err, tt.want, tt.says)
		}
	}
}

func flipped(content []byte, at int) []byte {
	changed := bytes.Clone(content)
	changed[at] ^= 1
	return changed
}

func open(t *testing.T, path string) *backup.File {
	t.Helper()
	file, err := backup.Open(path)
	must(t, err)
	t.Cleanup(func() { _ = file.Close() })
	return file
}

func ledgerOf(t *testing.T, js jetstream.JetStream) *ledger.Ledger {
	t.Helper()
	book, err := ledger.Open(t.Context(), js)
	must(t, err)
	return book
}

// publish stores events and returns how many were acknowledged.
func publish(t *testing.T, js jetstream.JetStream, ids ...string) (stored int) {
	t.Helper()
	for _, id := range ids {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := events.NewPublisher(js).Publish(ctx, events.Event{ID: id, Type: "10dlc.campaign.update", About: "live", ReceivedAt: time.Now(), Body: []byte("{}")})
		cancel()
		if err == nil {
			stored++
		}
	}
	return stored
}

// A restore that ends halfway is repeated. Until then nothing creates the streams, and what
// was replaced is in a file.
func TestRestore_IsRepeatedAfterAnInterruption(t *testing.T) {
	t.Parallel()
	js := filled(t)
	path := written(t, js)
	file := open(t, path)
	options := backup.Options{Keep: path + ".before", Alone: true}
	if _, err := file.Restore(t.Context(), js, options); !errors.Is(err, backup.ErrHistory) || !strings.Contains(err.Error(), "nothing was changed") {
		t.Fatalf("got %v, want a refusal", err)
	}
	if restoring, err := events.Restoring(t.Context(), js); restoring || err != nil || publish(t, js, "after the refusal") != 1 {
		t.Fatalf("after a refusal: restoring %t, %v, and events are refused", restoring, err)
	}
	options.Replace = true
	must(t, os.Truncate(path, 10<<10)) // after it was checked: the disk fails
	done, err := file.Restore(t.Context(), js, options)
	if err == nil || len(done.Kept) != 1 || !strings.Contains(err.Error(), "not complete") {
		t.Fatalf("got %v, %v from a file that was lost meanwhile", done, err)
	}
	if err := events.EnsureStreams(t.Context(), js, 1); !errors.Is(err, events.ErrRestoring) {
		t.Errorf("got %v from another process, want %v", err, events.ErrRestoring)
	}
	if _, err := backup.Write(t.Context(), js, path+".half", "1.2.3"); !errors.Is(err, events.ErrRestoring) {
		t.Errorf("got %v from a backup meanwhile, want %v", err, events.ErrRestoring)
	}

	_, err = open(t, options.Keep).Restore(t.Context(), js, backup.Options{Keep: path + ".unused", Alone: true})
	must(t, err)
	must(t, events.EnsureStreams(t.Context(), js, 1))
	numbers, err := ledgerOf(t, js).AllNumbers(t.Context())
	must(t, err)
	if len(numbers) != 1 || count(t, js, events.StreamEvents) != 2 || publish(t, js, "later") != 1 {
		t.Errorf("got %d numbers and %d events, want 1, 2 and a third", len(numbers), count(t, js, events.StreamEvents))
	}
}

// A restore that was killed before it deleted anything leaves no gap for the next one.
func TestRestore_ChecksHistoryAfterAnInterruption(t *testing.T) {
	t.Parallel()
	for _, sealed := range []bool{false, true} {
		js := filled(t)
		path := written(t, js)
		stored := publish(t, js, "1", "2", "3")
		_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: events.RestoreStream, Subjects: []string{"greenlight.restore.owner", "greenlight.restore.carried"}})
		must(t, err)
		stream, err := js.Stream(t.Context(), events.StreamEvents)
		must(t, err)
		config := stream.CachedInfo().Config
		must(t, events.CloseEvents(t.Context(), js, config))
		if sealed { // it was decided to replace the history
			stream, err = js.Stream(t.Context(), events.StreamEvents)
			must(t, err)
			config = stream.CachedInfo().Config
			config.Sealed = true
			_, err = js.UpdateStream(t.Context(), config)
			must(t, err)
		}
		keep := path + ".before"
		_, err = open(t, path).Restore(t.Context(), js, backup.Options{Keep: keep, Alone: true})
		if !sealed {
			if !errors.Is(err, backup.ErrHistory) || int(count(t, js, events.StreamEvents)) != 1+stored || publish(t, js, "4") != 1 {
				t.Errorf("got %v, want a refusal that changes nothing", err)
			}
			continue
		}
		must(t, err)
		_, err = open(t, keep).Restore(t.Context(), js, backup.Options{Keep: keep + "2", Alone: true, Replace: true})
		must(t, err)
		if int(count(t, js, events.StreamEvents)) != 1+stored || publish(t, js, "4") != 1 {
			t.Errorf("got %d events from what was kept, want %d and a further one", count(t, js, events.StreamEvents), 1+stored)
		}
	}
}

// Every event that was acknowledged during a restore is in the kept file or in the stream.
func TestRestore_LosesNoEventThatArrivesMeanwhile(t *testing.T) {
	t.Parallel()
	js := filled(t)
	path := written(t, js)
	before := count(t, js, events.StreamEvents)
	stop, stored := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for i := 0; ; i++ {
			select {
			case <-stop:
				stored <- n
				return
			default:
				n += publish(t, js, strconv.Itoa(i))
			}
		}
	}()
	keep := path + ".before"
	_, err := open(t, path).Restore(t.Context(), js, backup.Options{Replace: true, Alone: true, Keep: keep})
	close(stop)
	acknowledged := <-stored
	must(t, err)
	kept := 0
	for _, s := range open(t, keep).Streams {
		if s.Name == events.StreamEvents {
			kept = int(s.Messages - before)
		}
	}
	after := int(count(t, js, events.StreamEvents) - before)
	if kept+after != acknowledged || acknowledged == 0 {
		t.Errorf("%d events were acknowledged; %d are in the kept file and %d in the stream", acknowledged, kept, after)
	}
}

// A hold and a request that are newer than the backup are still known after the restore.
func TestRestore_KeepsHoldsAndLaterRequests(t *testing.T) {
	t.Parallel()
	js := filled(t)
	book := ledgerOf(t, js)
	must(t, book.Hold(t.Context(), nil, ledger.HeldBy{By: "a", At: time.Now()}))
	_, err := book.Resume(t.Context(), nil)
	must(t, err)
	path := written(t, js)
	must(t, book.Hold(t.Context(), nil, ledger.HeldBy{By: "b", At: time.Now(), Reason: "emergency"}))
	claimed := ledger.Number{Number: "+12125550143", CampaignID: "c", State: ledger.Attaching, ClaimedAt: time.Now(), Since: time.Now()}
	_, err = book.PutNumber(t.Context(), ledger.NumberEntry{}, claimed)
	must(t, err)

	// The first try is interrupted after it has deleted the ledger.
	file := open(t, path)
	whole, err := os.ReadFile(path)
	must(t, err)
	must(t, os.Truncate(path, 10<<10))
	options := backup.Options{Replace: true, Alone: true, Keep: path + ".before"}
	if _, err := file.Restore(t.Context(), js, options); err == nil {
		t.Fatal("it was not interrupted")
	}
	must(t, os.WriteFile(path, whole, 0o600))
	done, err := open(t, path).Restore(t.Context(), js, options)
	must(t, err)
	if done.Hold.All == nil || done.Hold.All.Reason != "emergency" {
		t.Errorf("got hold %+v, want the one that was in force", done.Hold)
	}
	got, err := ledgerOf(t, js).Numbers(t.Context(), "c")
	must(t, err)
	if n := got["+12125550143"].Number; !n.ClaimedAt.Equal(claimed.ClaimedAt) || len(got) != 2 {
		t.Errorf("got claim at %s and %d numbers, want %s and 2", n.ClaimedAt, len(got), claimed.ClaimedAt)
	}
	if restoring, err := events.Restoring(t.Context(), js); restoring || err != nil {
		t.Errorf("still restoring: %t, %v", restoring, err)
	}
}

// Of two restores at once, one is refused.
func TestRestore_RefusesASecondOne(t *testing.T) {
	t.Parallel()
	js := filled(t)
	path := written(t, js)
	errs := make(chan error, 2)
	for i := range 2 {
		file := open(t, path)
		go func() {
			_, err := file.Restore(t.Context(), js, backup.Options{Replace: true, Keep: path + ".before" + strconv.Itoa(i)})
			errs <- err
		}()
	}
	first, second := <-errs, <-errs // the refusal comes first: a restore takes longer
	if !errors.Is(first, backup.ErrBusy) || second != nil {
		t.Errorf("got %v and %v, want %v and success", first, second, backup.ErrBusy)
	}
	if restoring, err := events.Restoring(t.Context(), js); restoring || err != nil || count(t, js, events.StreamEvents) != 1 {
		t.Errorf("restoring %t, %v, %d events", restoring, err, count(t, js, events.StreamEvents))
	}
}

// Events without the outcomes that belong to them are neither backed up nor restored.
func TestWrite_RefusesAPartOfTheLedger(t *testing.T) {
	t.Parallel()
	js := filled(t)
	must(t, js.DeleteStream(t.Context(), "KV_NUMBERS"))
	path := filepath.Join(t.TempDir(), "backup")
	if _, err := backup.Write(t.Context(), js, path, "1.2.3"); !errors.Is(err, backup.ErrIncomplete) {
		t.Errorf("got %v, want %v", err, backup.ErrIncomplete)
	}
	must(t, os.Symlink(filepath.Join(t.TempDir(), "elsewhere"), path))
	if _, err := backup.Write(t.Context(), filled(t), path, "1.2.3"); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("got %v for a symbolic link", err)
	}
}

func TestWrite_KeepsTheOldFileWhenItFails(t *testing.T) {
	t.Parallel()
	js := testkit.JetStream(t, testkit.Embedded(t))
	path := filepath.Join(t.TempDir(), "backup")
	must(t, os.WriteFile(path, []byte("old"), 0o600))
	if _, err := backup.Write(t.Context(), js, path, "1.2.3"); !errors.Is(err, backup.ErrNothing) {
		t.Errorf("got %v without streams, want %v", err, backup.ErrNothing)
	}
	must(t, events.EnsureStreams(t.Context(), js, 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := backup.Write(ctx, js, path, "1.2.3"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v when stopped", err)
	}
	content, err := os.ReadFile(path)
	must(t, err)
	entries, err := os.ReadDir(filepath.Dir(path))
	must(t, err)
	if string(content) != "old" || len(entries) != 1 {
		t.Errorf("the old file has %q and the folder %d files, want the old file alone", content, len(entries))
	}
}
