package backup_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
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

// A restore that ends halfway is repeated. Until then nothing creates the streams, and what
// was replaced is in a file.
func TestRestore_IsRepeatedAfterAnInterruption(t *testing.T) {
	t.Parallel()
	js := filled(t)
	path := written(t, js)
	file, err := backup.Open(path)
	must(t, err)
	defer file.Close()
	options := backup.Options{Keep: path + ".before", Alone: true}
	if _, err := file.Restore(t.Context(), js, options); !errors.Is(err, backup.ErrHistory) || count(t, js, events.StreamEvents) != 1 {
		t.Fatalf("got %v and %d events, want a refusal", err, count(t, js, events.StreamEvents))
	}
	options.Replace = true
	must(t, os.Truncate(path, 10<<10)) // after it was checked: the disk fails
	kept, err := file.Restore(t.Context(), js, options)
	if err == nil || !kept || !strings.Contains(err.Error(), "not complete") {
		t.Fatalf("got %v, %v from a file that was lost meanwhile", kept, err)
	}
	if err := events.EnsureStreams(t.Context(), js, 1); !errors.Is(err, events.ErrRestoring) {
		t.Errorf("got %v from another process, want %v", err, events.ErrRestoring)
	}
	if _, err := backup.Write(t.Context(), js, path+".half", "1.2.3"); !errors.Is(err, events.ErrRestoring) {
		t.Errorf("got %v from a backup meanwhile, want %v", err, events.ErrRestoring)
	}

	before, err := backup.Open(options.Keep)
	must(t, err)
	defer before.Close()
	_, err = before.Restore(t.Context(), js, backup.Options{Keep: path + ".unused", Alone: true})
	must(t, err)
	must(t, events.EnsureStreams(t.Context(), js, 1))
	book, err := ledger.Open(t.Context(), js)
	must(t, err)
	numbers, err := book.AllNumbers(t.Context())
	must(t, err)
	if len(numbers) != 1 || count(t, js, events.StreamEvents) != 1 {
		t.Errorf("got %d numbers and %d events, want 1, 1", len(numbers), count(t, js, events.StreamEvents))
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
