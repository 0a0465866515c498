package backup_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"greenlight/internal/backup"
	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/notice"
	"greenlight/internal/testkit"
)

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "8") // they wait most of the time
	goleak.VerifyTestMain(m, testkit.ServerLeaks()...)
}

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
	fill(t, js, 1)
	return js
}

func fill(t *testing.T, js jetstream.JetStream, replicas int) {
	t.Helper()
	testkit.Within(t, 30*time.Second, func() error { return events.EnsureStreams(t.Context(), js, replicas) })
	_, err := notice.NewPublisher(t.Context(), js, replicas)
	must(t, err)
	book, err := ledger.Create(t.Context(), js, replicas)
	must(t, err)
	_, err = book.PutNumber(t.Context(), ledger.NumberEntry{}, ledger.Number{
		Number: "+12125550142", CampaignID: "c", State: ledger.Attached, AttachedBy: "spring", Request: ledger.Request{Sent: "POST /x"}, Since: time.Now(),
	})
	must(t, err)
	random := make([]byte, 400<<10) // it cannot be compressed
	_, err = rand.NewChaCha8([32]byte{}).Read(random)
	must(t, err)
	_, err = events.NewPublisher(js).Publish(t.Context(), events.Event{ID: "e", Type: "10dlc.campaign.update", About: "c", ReceivedAt: time.Now(), Body: random})
	must(t, err)
}

// save writes a backup to the file at path.
func save(ctx context.Context, js jetstream.JetStream, path string) error {
	return backup.ToFile(path, func(w io.Writer) error {
		_, err := backup.Write(ctx, js, w)
		return err
	})
}

func written(t *testing.T, js jetstream.JetStream) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "backup")
	must(t, save(t.Context(), js, path))
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
	path := written(t, filled(t))
	whole, err := os.ReadFile(path)
	must(t, err)
	for name, tt := range map[string]struct {
		content []byte
		want    error
		says    string
	}{
		"empty":            {nil, backup.ErrDamaged, "damaged"},
		"another file":     {[]byte(strings.Repeat("not a backup\n", 100)), backup.ErrDamaged, "damaged"},
		"cut off":          {whole[:len(whole)-1], backup.ErrDamaged, "damaged"},
		"one byte changed": {flipped(whole, len(whole)/2), backup.ErrDamaged, "checksum"},
		"no manifest":      {edited(t, path, "manifest.json", nil), backup.ErrDamaged, "no manifest"},
		"no snapshot":      {edited(t, path, "EVENTS.snapshot", nil), backup.ErrDamaged, "EVENTS"},
		"another stream":   {manifest(t, path, `"name":"NOTICES"`, `"name":"NOTICEX"`), backup.ErrDamaged, "NOTICEX"},
		"a newer format":   {manifest(t, path, `"version":1,`, `"version":9,`), events.ErrNewer, "version devel"},
		"newer streams":    {manifest(t, path, `"greenlight_layout":"1"`, `"greenlight_layout":"9"`), events.ErrNewer, "start the newer program"},
		"whole":            {manifest(t, path, "", ""), nil, ""},
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

// edited returns the backup with another content of one entry, or without it.
func edited(t *testing.T, path, name string, edit func([]byte) []byte) []byte {
	t.Helper()
	archive, err := zip.OpenReader(path)
	must(t, err)
	defer archive.Close()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, entry := range archive.File {
		if entry.Name == name && edit == nil {
			continue
		}
		r, err := entry.Open()
		must(t, err)
		content, err := io.ReadAll(r)
		must(t, err)
		if entry.Name == name {
			content = edit(content)
		}
		to, err := w.Create(entry.Name)
		must(t, err)
		_, err = to.Write(content)
		must(t, err)
	}
	must(t, w.Close())
	return out.Bytes()
}

// manifest returns the backup with a change in its manifest.
func manifest(t *testing.T, path, old, changed string) []byte {
	t.Helper()
	return edited(t, path, "manifest.json", func(content []byte) []byte {
		return bytes.Replace(content, []byte(old), []byte(changed), 1)
	})
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

// letter stores a dead letter and returns how many were acknowledged.
func letter(t *testing.T, js jetstream.JetStream, key string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if events.NewPublisher(js).DeadLetter(ctx, events.DeadLetter{Origin: "webhook", Reason: "not_an_event", Key: key, Body: []byte("{}")}) != nil {
		return 0
	}
	return 1
}

// half restores from a file that is lost after it was checked.
func half(t *testing.T, js jetstream.JetStream, path string, options backup.Options) (kept string) {
	t.Helper()
	whole, err := os.ReadFile(path)
	must(t, err)
	file := open(t, path)
	must(t, os.Truncate(path, 100))
	kept, err = file.Restore(t.Context(), js, options)
	if err == nil || !strings.Contains(err.Error(), "not complete") {
		t.Fatalf("got %v, want that it is not complete", err)
	}
	must(t, os.WriteFile(path, whole, 0o600))
	return kept
}

// A restore that ends halfway is repeated. Until then nothing creates the streams, and what
// was replaced is in a file.
func TestRestore_IsRepeatedAfterAnInterruption(t *testing.T) {
	t.Parallel()
	js := filled(t)
	path := written(t, js)
	options := backup.Options{Keep: path + ".before", Alone: true}
	if _, err := open(t, path).Restore(t.Context(), js, options); !errors.Is(err, backup.ErrInPlace) || !strings.Contains(err.Error(), "nothing was changed") {
		t.Fatalf("got %v, want a refusal", err)
	}
	if restoring, err := events.Restoring(t.Context(), js); restoring || err != nil || publish(t, js, "after the refusal") != 1 {
		t.Fatalf("after a refusal: restoring %t, %v, and events are refused", restoring, err)
	}
	options.Replace = true
	if kept := half(t, js, path, options); kept != options.Keep {
		t.Errorf("got %q, want that the state before is kept", kept)
	}
	if err := events.EnsureStreams(t.Context(), js, 1); !errors.Is(err, events.ErrRestoring) {
		t.Errorf("got %v from another process, want %v", err, events.ErrRestoring)
	}
	if err := save(t.Context(), js, path+".half"); !errors.Is(err, events.ErrRestoring) {
		t.Errorf("got %v from a backup meanwhile, want %v", err, events.ErrRestoring)
	}

	synced := false
	_, err := open(t, options.Keep).Restore(t.Context(), js, backup.Options{Keep: path + ".unused", Alone: true, Sync: func() {
		restoring, err := events.Restoring(t.Context(), js)
		synced = restoring && err == nil
	}})
	must(t, err)
	if !synced {
		t.Error("the disk was not synced while the restore was still marked as incomplete")
	}
	must(t, events.EnsureStreams(t.Context(), js, 1))
	numbers, err := ledgerOf(t, js).AllNumbers(t.Context())
	must(t, err)
	// The other event is also carried over, since the first file does not have it.
	if len(numbers) == 1 && numbers[0].AttachedBy != "" {
		t.Errorf("the number is still said to be attached by %q; see ledger.ClearAttachedBy", numbers[0].AttachedBy)
	}
	if len(numbers) != 1 || count(t, js, events.StreamEvents) != 3 || publish(t, js, "later") != 1 {
		t.Errorf("got %d numbers and %d events, want 1, 3 and a fourth", len(numbers), count(t, js, events.StreamEvents))
	}
}

// Every event and dead letter that was acknowledged before or during a restore is in its stream
// afterwards, also after an interruption.
func TestRestore_LosesNoEventThatArrivesMeanwhile(t *testing.T) {
	t.Parallel()
	js := filled(t)
	path := written(t, js)
	stop, stored, letters := make(chan struct{}), make(chan int), 0
	go func() {
		n := 0
		for i := 0; ; i++ {
			select {
			case <-stop:
				stored <- n
				return
			default:
				n += publish(t, js, strconv.Itoa(i))
				letters += letter(t, js, strconv.Itoa(i))
			}
		}
	}()
	options := backup.Options{Replace: true, Alone: true, Keep: path + ".before"}
	half(t, js, path, options)
	_, err := open(t, path).Restore(t.Context(), js, options)
	close(stop)
	acknowledged := <-stored
	must(t, err)
	if got := int(count(t, js, events.StreamEvents)); got != 1+acknowledged || acknowledged == 0 {
		t.Errorf("%d events are in the stream, want that of the backup and %d that were acknowledged", got, acknowledged)
	}
	if got := int(count(t, js, events.StreamDeadLetters)); got != letters || letters == 0 {
		t.Errorf("%d dead letters are in the stream, want %d that were acknowledged", got, letters)
	}
}

// Streams that are nearly full in the backup take what came later, and keep their limits. Each
// letter stays, however often the same file is restored.
func TestRestore_OfFullStreamsLosesNothing(t *testing.T) {
	t.Parallel()
	js := filled(t)
	if letter(t, js, "first") != 1 {
		t.Fatal("no letter was stored")
	}
	var limits []int64
	for _, name := range []string{events.StreamEvents, events.StreamDeadLetters} {
		stream, err := js.Stream(t.Context(), name)
		must(t, err)
		config := stream.CachedInfo().Config
		config.MaxBytes = int64(stream.CachedInfo().State.Bytes) + 1
		limits = append(limits, config.MaxBytes)
		_, err = js.UpdateStream(t.Context(), config)
		must(t, err)
	}
	path := written(t, js)
	for i := range 3 {
		for _, name := range []string{events.StreamEvents, events.StreamDeadLetters} { // there is room later
			stream, err := js.Stream(t.Context(), name)
			must(t, err)
			config := stream.CachedInfo().Config
			config.MaxBytes = 1 << 20
			_, err = js.UpdateStream(t.Context(), config)
			must(t, err)
		}
		if publish(t, js, strconv.Itoa(i)) != 1 || letter(t, js, "later") != 1 {
			t.Fatal("nothing was stored later")
		}
		_, err := open(t, path).Restore(t.Context(), js, backup.Options{Replace: true, Alone: true, Keep: path + ".before" + strconv.Itoa(i)})
		must(t, err)
	}
	for i, name := range []string{events.StreamEvents, events.StreamDeadLetters} {
		stream, err := js.Stream(t.Context(), name)
		must(t, err)
		if info := stream.CachedInfo(); info.State.Msgs != 4 || info.Config.MaxBytes != limits[i] {
			t.Errorf("%s has %d messages and takes %d bytes, want 4 and %d", name, info.State.Msgs, info.Config.MaxBytes, limits[i])
		}
	}
}

// A webhook alone stores events and dead letters, and its streams are no whole backup.
func TestRestore_KeepsWhatAWebhookAloneStored(t *testing.T) {
	t.Parallel()
	path := written(t, filled(t))
	js := testkit.JetStream(t, testkit.Embedded(t))
	must(t, events.EnsureStreams(t.Context(), js, 1))
	if publish(t, js, "meanwhile") != 1 || letter(t, js, "meanwhile") != 1 {
		t.Fatal("nothing is stored")
	}
	_, err := open(t, path).Restore(t.Context(), js, backup.Options{Alone: true, Keep: path + ".before"})
	must(t, err)
	if count(t, js, events.StreamEvents) != 2 || count(t, js, events.StreamDeadLetters) != 1 {
		t.Errorf("got %d events and %d dead letters, want 2 and 1", count(t, js, events.StreamEvents), count(t, js, events.StreamDeadLetters))
	}
}

// The file with what is replaced replaces none: it could be the backup, or what an interrupted
// restore kept.
func TestRestore_KeepsTheDataInANewFileOnly(t *testing.T) {
	t.Parallel()
	js := filled(t)
	path := written(t, js)
	publish(t, js, "later")
	was, err := os.ReadFile(path)
	must(t, err)
	refuses := func(keep, says string) {
		t.Helper()
		_, err := open(t, path).Restore(t.Context(), js, backup.Options{Replace: true, Alone: true, Keep: keep})
		if err == nil || !strings.HasPrefix(err.Error(), "nothing was changed: ") || !strings.HasSuffix(err.Error(), says) {
			t.Errorf("got %v, want that nothing was changed: %s", err, says)
		}
	}
	refuses(path, path+" exists; choose another file with --keep")
	refuses(filepath.Join(path+".missing", "before"), "; choose another place with --keep")
	if restoring, err := events.Restoring(t.Context(), js); restoring || err != nil {
		t.Errorf("restoring %t, %v", restoring, err)
	}
	// As after an interruption when EVENTS is in use again.
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: events.RestoreStream, Subjects: []string{"greenlight.restore.>"}})
	must(t, err)
	refuses(path, path+" exists; choose another file with --keep")
	now, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(now, was) {
		t.Error("the backup was replaced")
	}
}

// In a cluster, copies of a stream may lag, and what is read from one may be old.
func TestRestore_LosesNoEventInACluster(t *testing.T) {
	t.Parallel()
	nc, err := events.Connect(testkit.StartCluster(t).URL(), "test")
	must(t, err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	must(t, err)
	fill(t, js, 3)
	path := written(t, js)
	stored := publish(t, js, "1", "2", "3")
	// In a cluster that has just started, a server may still count as offline.
	testkit.Within(t, 30*time.Second, func() error {
		_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ALL_ARE_HERE", Subjects: []string{"all.are.here"}, Replicas: 3})
		return err
	})
	options := backup.Options{Replace: true, Alone: true, Keep: path + ".before"}
	half(t, js, path, options)
	_, err = open(t, path).Restore(t.Context(), js, options)
	must(t, err)
	if got := int(count(t, js, events.StreamEvents)); got != 1+stored || stored == 0 {
		t.Errorf("%d events are in the stream, want that of the backup and %d others", got, stored)
	}
	if _, err := open(t, path).Restore(t.Context(), js, backup.Options{Keep: path + ".unused"}); !errors.Is(err, backup.ErrInPlace) {
		t.Errorf("got %v, want %v", err, backup.ErrInPlace)
	}
}

// A hold that is newer than the backup holds after the restore, also after an interruption.
func TestRestore_KeepsALaterHold(t *testing.T) {
	t.Parallel()
	js := filled(t)
	book := ledgerOf(t, js)
	must(t, book.Hold(t.Context(), nil, ledger.HeldBy{By: "a", At: time.Now()}))
	_, err := book.Resume(t.Context(), nil)
	must(t, err)
	path := written(t, js)
	must(t, book.Hold(t.Context(), nil, ledger.HeldBy{By: "b", At: time.Now(), Reason: "emergency"}))
	options := backup.Options{Replace: true, Alone: true, Keep: path + ".before"}
	half(t, js, path, options)
	_, err = open(t, path).Restore(t.Context(), js, options)
	must(t, err)
	hold, err := ledger.ReadHold(t.Context(), js)
	must(t, err)
	if hold.All == nil || hold.All.Reason != "emergency" {
		t.Errorf("got hold %+v, want the one that was in force", hold)
	}
	if restoring, err := events.Restoring(t.Context(), js); restoring || err != nil {
		t.Errorf("still restoring: %t, %v", restoring, err)
	}
}

// A hold that only a running process knows, which puts it back, is newer than a resume that the
// backup has.
func TestRestore_LetsAProcessPutAHoldBack(t *testing.T) {
	t.Parallel()
	js := filled(t)
	book := ledgerOf(t, js)
	must(t, book.Hold(t.Context(), nil, ledger.HeldBy{By: "a", At: time.Now()}))
	_, err := book.Resume(t.Context(), nil)
	must(t, err)
	path := written(t, js)
	must(t, book.Hold(t.Context(), nil, ledger.HeldBy{By: "b", At: time.Now(), Reason: "emergency"}))
	known, err := ledger.ReadHold(t.Context(), js)
	must(t, err)
	lost := testkit.JetStream(t, testkit.Embedded(t))
	_, err = open(t, path).Restore(t.Context(), lost, backup.Options{Alone: true, Keep: path + ".before"})
	must(t, err)
	must(t, ledgerOf(t, lost).Restore(t.Context(), known, false)) // as package app does
	hold, err := ledger.ReadHold(t.Context(), lost)
	must(t, err)
	if hold.All == nil || hold.All.Reason != "emergency" {
		t.Errorf("got hold %+v, want the one that the process knew", hold)
	}
}

// Of a hold that cannot be read, the safe side is that everything is on hold. That one in the
// backup cannot be read stops the restore neither.
func TestRestore_HoldsEverythingAfterADamagedHold(t *testing.T) {
	t.Parallel()
	js := filled(t)
	path := written(t, js)
	_, err := js.Publish(t.Context(), "$KV.LOOKS._hold", []byte("{"))
	must(t, err)
	damaged := filepath.Join(t.TempDir(), "damaged")
	must(t, save(t.Context(), js, damaged))
	for i, file := range []string{path, damaged} {
		_, err = open(t, file).Restore(t.Context(), js, backup.Options{Replace: true, Alone: true, Keep: path + ".before" + strconv.Itoa(i)})
		must(t, err)
		hold, err := ledger.ReadHold(t.Context(), js)
		must(t, err)
		if hold.All == nil || hold.All.Reason != "the hold could not be read" {
			t.Errorf("got hold %+v, want one of everything", hold)
		}
	}
	_, err = ledgerOf(t, js).Resume(t.Context(), nil)
	must(t, err)
}

// An interruption after the ledger's holds were restored, and before the later one was added.
func TestRestore_KeepsALaterHoldThatTheBackupDoesNotHave(t *testing.T) {
	t.Parallel()
	js := filled(t)
	book := ledgerOf(t, js)
	must(t, book.Hold(t.Context(), []string{"c"}, ledger.HeldBy{By: "a", At: time.Now()}))
	path := written(t, js)
	must(t, book.Hold(t.Context(), nil, ledger.HeldBy{By: "b", At: time.Now(), Reason: "emergency"}))
	options := backup.Options{Replace: true, Alone: true, Keep: path + ".before"}
	whole, err := os.ReadFile(path)
	must(t, err)
	file := open(t, path)
	damage(t, path, "KV_NUMBERS.snapshot")
	if _, err := file.Restore(t.Context(), js, options); err == nil {
		t.Fatal("it was not interrupted")
	}
	must(t, os.WriteFile(path, whole, 0o600))
	if _, err = open(t, path).Restore(t.Context(), js, options); err != nil {
		t.Fatal(err)
	}
	hold, err := ledger.ReadHold(t.Context(), js)
	must(t, err)
	if hold.All == nil || hold.All.Reason != "emergency" {
		t.Errorf("got hold %+v, want the one that was in force", hold)
	}
}

// damage changes a byte in the middle of a snapshot.
func damage(t *testing.T, path, entry string) {
	t.Helper()
	archive, err := zip.OpenReader(path)
	must(t, err)
	defer archive.Close()
	for _, e := range archive.File {
		if e.Name != entry {
			continue
		}
		at, err := e.DataOffset()
		must(t, err)
		at += int64(e.CompressedSize64) / 2
		text, err := os.ReadFile(path)
		must(t, err)
		text[at] ^= 0xff
		must(t, os.WriteFile(path, text, 0o600))
	}
}

// Killed before it deleted anything, with and without the seal, a restore leaves no gap.
func TestRestore_IsRepeatedIfNothingWasDeletedYet(t *testing.T) {
	t.Parallel()
	for _, sealed := range []bool{false, true} {
		js := filled(t)
		path := written(t, js)
		stored := publish(t, js, "1", "2")
		_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: events.RestoreStream, Subjects: []string{"greenlight.restore.>"}})
		must(t, err)
		stream, err := js.Stream(t.Context(), events.StreamEvents)
		must(t, err)
		config := stream.CachedInfo().Config
		config.Sealed, config.AllowDirect = sealed, !sealed && config.AllowDirect
		_, err = js.UpdateStream(t.Context(), config)
		must(t, err)
		_, err = open(t, path).Restore(t.Context(), js, backup.Options{Alone: true, Keep: path + ".before"})
		must(t, err)
		if got := int(count(t, js, events.StreamEvents)); got != 1+stored {
			t.Errorf("sealed %t: %d events are in the stream, want that of the backup and %d others", sealed, got, stored)
		}
	}
}

// Others may be subscribed to every subject; only another restore is one.
func TestRestore_IgnoresSubscribersToEverything(t *testing.T) {
	t.Parallel()
	js := filled(t)
	path := written(t, js)
	everything, err := js.Conn().Subscribe(">", func(*nats.Msg) {})
	must(t, err)
	defer everything.Unsubscribe()
	_, err = open(t, path).Restore(t.Context(), js, backup.Options{Replace: true, Alone: true, Keep: path + ".before"})
	must(t, err)
}

// Events between two backups are only in the marker of the newer one's restore.
func TestRestore_RefusesAnOlderFileAfterAnInterruption(t *testing.T) {
	t.Parallel()
	js := filled(t)
	older := written(t, js)
	stored := publish(t, js, "1", "2")
	path := written(t, js)
	options := backup.Options{Replace: true, Alone: true, Keep: path + ".before"}
	half(t, js, path, options)
	if _, err := open(t, older).Restore(t.Context(), js, options); err == nil || !strings.Contains(err.Error(), "nothing was changed: the interrupted restore used a newer backup") {
		t.Errorf("got %v, want a refusal", err)
	}
	_, err := open(t, path).Restore(t.Context(), js, options)
	must(t, err)
	if got := int(count(t, js, events.StreamEvents)); got != 1+stored {
		t.Errorf("%d events are in the stream, want %d", got, 1+stored)
	}
}

// What an interrupted restore replaced can be restored, also if it has no event.
func TestRestore_GoesBackToWhatWasReplaced(t *testing.T) {
	t.Parallel()
	path := written(t, filled(t))
	js := filled(t)
	must(t, js.DeleteStream(t.Context(), events.StreamEvents))
	must(t, events.EnsureStreams(t.Context(), js, 1))
	options := backup.Options{Alone: true, Keep: path + ".before"}
	half(t, js, path, options)
	_, err := open(t, options.Keep).Restore(t.Context(), js, backup.Options{Alone: true, Keep: path + ".unused"})
	must(t, err)
	if got := count(t, js, events.StreamEvents); got != 0 || publish(t, js, "later") != 1 {
		t.Errorf("%d events are in the stream, want none and a new one", got)
	}
}

// A request may take effect after its claim was deleted. Until then nothing is deleted.
func TestRestore_WaitsForRequestsUnderWay(t *testing.T) {
	t.Parallel()
	js := filled(t)
	path := written(t, js)
	_, err := ledgerOf(t, js).PutNumber(t.Context(), ledger.NumberEntry{}, ledger.Number{
		Number: "+12125550143", CampaignID: "c", State: ledger.Pending, ClaimedAt: time.Now(), Since: time.Now(),
		Request: ledger.Request{At: time.Now(), Outcome: ledger.Accepted},
	})
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = open(t, path).Restore(ctx, js, backup.Options{Replace: true, Alone: true, Keep: path + ".before", Settle: time.Hour})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want that it waits", err)
	}
	if count(t, js, "KV_NUMBERS") != 2 {
		t.Error("the claim is deleted while its request may be under way")
	}
}

// What does not fit is refused before anything is changed.
func TestRestore_RefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	js := filled(t)
	path := written(t, js)
	_, err := open(t, path).Restore(t.Context(), js, backup.Options{Replace: true, Keep: path + ".before", Room: 1 << 20})
	if !errors.Is(err, backup.ErrNoRoom) || !strings.Contains(err.Error(), "nothing was changed: there is not enough room: the disk has 1 MB free, but 17 MB are needed") {
		t.Errorf("got %v, want %v", err, backup.ErrNoRoom)
	}
	if count(t, js, events.StreamEvents) != 1 || publish(t, js, "later") != 1 {
		t.Error("something was changed")
	}
}

// A right that is only needed later is missed before anything is changed.
func TestRestore_RefusesAUserWhoMayNotFinish(t *testing.T) {
	t.Parallel()
	users, denied := []*server.User{{Username: "all"}}, []string{
		"$JS.API.STREAM.UPDATE.KV_NUMBERS", "$JS.API.STREAM.DELETE.KV_NUMBERS", "$JS.API.STREAM.RESTORE.KV_NUMBERS",
		"$JS.API.STREAM.MSG.GET.EVENTS", "$JS.API.STREAM.MSG.GET.KV_LOOKS", "$JS.SNAPSHOT.RESTORE.>",
		"greenlight.restore.>", "$JS.API.STREAM.DELETE.GREENLIGHT_RESTORE", "$JS.API.STREAM.MSG.GET.GREENLIGHT_RESTORE",
		"$JS.API.CONSUMER.CREATE.KV_NUMBERS.>", "$KV.LOOKS.>", "telnyx.event.>", "deadletter.>",
	}
	for i, subject := range denied {
		users = append(users, &server.User{Username: strconv.Itoa(i), Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Deny: []string{subject}},
		}})
	}
	ns, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: testkit.MemoryDir(t), Users: users,
	})
	must(t, err)
	ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	as := func(user string) jetstream.JetStream {
		nc, err := nats.Connect(ns.ClientURL(), nats.UserInfo(user, ""))
		must(t, err)
		t.Cleanup(nc.Close)
		js, err := jetstream.New(nc)
		must(t, err)
		return js
	}
	all := as("all")
	fill(t, all, 1)
	path := written(t, all)
	for i, subject := range denied {
		user := strconv.Itoa(i)
		o := backup.Options{Replace: true, Alone: true, Keep: path + ".before." + user}
		if _, err := open(t, path).Restore(t.Context(), as(user), o); !errors.Is(err, events.ErrNotPermitted) || !strings.Contains(err.Error(), "nothing was changed") {
			t.Errorf("without %s: got %v, want %v", subject, err, events.ErrNotPermitted)
		}
		if restoring, err := events.Restoring(t.Context(), all); restoring || err != nil || publish(t, all, "after "+user) == 0 {
			t.Errorf("without %s: restoring %t, %v", subject, restoring, err)
		}
	}
	_, err = open(t, path).Restore(t.Context(), all, backup.Options{Replace: true, Alone: true, Keep: path + ".before.all"})
	must(t, err)
}

// Of two restores at once, one is refused.
func TestRestore_RefusesASecondOne(t *testing.T) {
	t.Parallel()
	js := filled(t)
	path := written(t, js)
	oneOfTwo(t, js, path, path+".before")
}

// Of two that repeat an interrupted restore at once, one is refused, also if the question for
// another restore is not answered in time.
func TestRestore_RefusesASecondRepetition(t *testing.T) {
	t.Parallel()
	js := filled(t)
	path := written(t, js)
	everything, err := js.Conn().Subscribe(">", func(*nats.Msg) {})
	must(t, err)
	defer everything.Unsubscribe()
	half(t, js, path, backup.Options{Replace: true, Alone: true, Keep: path + ".before"})
	oneOfTwo(t, js, path, path+".again")
}

// oneOfTwo starts two restores at once, of which one must be refused.
func oneOfTwo(t *testing.T, js jetstream.JetStream, path, keep string) {
	t.Helper()
	errs := make(chan error, 2)
	for i := range 2 {
		file := open(t, path)
		go func() {
			_, err := file.Restore(t.Context(), js, backup.Options{Replace: true, Keep: keep + strconv.Itoa(i)})
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
	if err := save(t.Context(), js, path); !errors.Is(err, backup.ErrIncomplete) {
		t.Errorf("got %v, want %v", err, backup.ErrIncomplete)
	}
	must(t, os.Symlink(filepath.Join(t.TempDir(), "elsewhere"), path))
	if err := save(t.Context(), filled(t), path); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("got %v for a symbolic link", err)
	}
}

func TestWrite_KeepsTheOldFileWhenItFails(t *testing.T) {
	t.Parallel()
	js := testkit.JetStream(t, testkit.Embedded(t))
	path := filepath.Join(t.TempDir(), "backup")
	must(t, os.WriteFile(path, []byte("old"), 0o600))
	if err := save(t.Context(), js, path); !errors.Is(err, backup.ErrNothing) {
		t.Errorf("got %v without streams, want %v", err, backup.ErrNothing)
	}
	must(t, events.EnsureStreams(t.Context(), js, 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := save(ctx, js, path); !errors.Is(err, context.Canceled) {
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
