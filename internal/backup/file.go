package backup

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/notice"
)

const (
	// formatVersion is the version of the file. Newer files are refused.
	formatVersion = 1
	manifestName  = "manifest.json"
	// maxManifest bounds the manifest, in bytes; it has about 2 KiB for each stream.
	maxManifest = 1 << 20
)

var (
	// ErrNothing is matched by the error for a server without any of Greenlight's streams.
	ErrNothing = errors.New("there is nothing to back up: neither webhook nor assigner ever ran here")
	// ErrIncomplete is matched by the error for a server or file without some of them.
	ErrIncomplete = errors.New("some streams or buckets are missing")
	// ErrDamaged is matched by the error for a file that is not a whole backup.
	ErrDamaged = errors.New("is damaged, or is not a backup of Greenlight")
)

// Manifest describes a backup.
type Manifest struct {
	Version int `json:"version"`
	// CreatedAt is when the backup began, in UTC.
	CreatedAt time.Time `json:"created_at"`
	// Greenlight and NATS are the versions of the program and the server.
	Greenlight string   `json:"greenlight"`
	NATS       string   `json:"nats"`
	Streams    []Stream `json:"streams"`
}

// Stream describes a stream in a backup; that of a bucket has the prefix KV_. The server
// wants both parts back with the snapshot.
type Stream struct {
	Config jetstream.StreamConfig `json:"config"`
	State  jetstream.StreamState  `json:"state"`
}

// Messages counts the messages in all streams.
func (m Manifest) Messages() (n uint64) {
	for _, stream := range m.Streams {
		n += stream.State.Msgs
	}
	return n
}

// entry is the name of a stream's snapshot in the file.
func entry(stream string) string { return stream + ".snapshot" }

// order is the order of the snapshots; see the package comment.
var order = func() []string {
	names := []string{events.StreamEvents, events.StreamTriggers, events.StreamDeadLetters}
	for _, bucket := range ledger.Buckets() { // campaigns, numbers, state
		names = append(names, "KV_"+bucket)
	}
	return append(names, notice.Stream)
}()

// existing returns our streams that exist, in order.
func existing(ctx context.Context, js jetstream.JetStream) (found []*jetstream.StreamInfo, err error) {
	for _, name := range order {
		stream, err := js.Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look up stream %s: %w", name, err)
		}
		found = append(found, stream.CachedInfo())
	}
	return found, nil
}

// Write writes a backup, which is not whole until Write returns. The error matches
// [ErrNothing], [ErrIncomplete] or [events.ErrRestoring] if that is the cause.
func Write(ctx context.Context, js jetstream.JetStream, w io.Writer) (Manifest, error) {
	restoring, err := events.Restoring(ctx, js)
	if err == nil && restoring {
		err = events.ErrRestoring
	}
	if err != nil {
		return Manifest{}, err
	}
	found, err := existing(ctx, js)
	switch {
	case err != nil:
		return Manifest{}, err
	case len(found) == 0:
		return Manifest{}, ErrNothing
	case len(found) < len(order):
		return Manifest{}, fmt.Errorf("%w; start webhook and assigner, which create them", ErrIncomplete)
	}
	return write(ctx, js, found, w)
}

// write writes a backup of the streams.
func write(ctx context.Context, js jetstream.JetStream, streams []*jetstream.StreamInfo, w io.Writer) (m Manifest, err error) {
	m = Manifest{Version: formatVersion, CreatedAt: time.Now().UTC(), Greenlight: events.Program, NATS: js.Conn().ConnectedServerVersion()}
	archive := zip.NewWriter(w)
	for _, info := range streams {
		name := info.Config.Name
		content, err := archive.CreateHeader(&zip.FileHeader{Name: entry(name), Modified: m.CreatedAt})
		if err != nil {
			return m, err
		}
		stream, err := snapshot(ctx, js.Conn(), name, content)
		if err != nil {
			return m, fmt.Errorf("snapshot of stream %s: %w", name, err)
		}
		m.Streams = append(m.Streams, stream)
	}
	content, err := archive.CreateHeader(&zip.FileHeader{Name: manifestName, Modified: m.CreatedAt})
	if err != nil {
		return m, err
	}
	if err := json.NewEncoder(content).Encode(m); err != nil {
		return m, err
	}
	return m, archive.Close()
}

// ToFile has a file written that only its owner can read. A file at path is replaced when
// the new one is complete and on the disk.
func ToFile(path string, write func(io.Writer) error) error {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("write backup %s: it is not a regular file", path)
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".greenlight-backup-*")
	if err != nil {
		return fmt.Errorf("write backup %s: %w", path, err)
	}
	defer os.Remove(file.Name()) // it is gone after the rename
	err = write(file)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write backup %s: %w", path, err)
	}
	return nil
}

// File is a backup that was read whole and is intact. Close it. Not safe for concurrent use.
type File struct {
	Manifest
	archive *zip.ReadCloser
}

// Open reads a backup to its end and checks every snapshot. The error matches [ErrDamaged]
// or [events.ErrNewer] if that is the cause.
func Open(path string) (*File, error) {
	archive, err := zip.OpenReader(path)
	if errors.Is(err, zip.ErrFormat) {
		return nil, fmt.Errorf("backup %s %w: %w", path, ErrDamaged, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open backup: %w", err)
	}
	f := &File{archive: archive}
	if err := f.check(); err != nil {
		return nil, errors.Join(fmt.Errorf("backup %s %w", path, err), archive.Close())
	}
	return f, nil
}

// Close closes the file.
func (f *File) Close() error { return f.archive.Close() }

// check reads the whole file.
func (f *File) check() error {
	content, err := f.archive.Open(manifestName)
	if err != nil {
		return fmt.Errorf("%w: it has no manifest", ErrDamaged)
	}
	defer content.Close()
	text, err := io.ReadAll(io.LimitReader(content, maxManifest))
	if err == nil {
		err = json.Unmarshal(text, &f.Manifest)
	}
	// The version comes first: fields of a newer manifest may have other types.
	if f.Version > formatVersion {
		return fmt.Errorf("was %w (version %s, format %d; this program supports format %d): restore it with that version", events.ErrNewer, f.Greenlight, f.Version, formatVersion)
	}
	if err != nil {
		return fmt.Errorf("%w: its manifest: %w", ErrDamaged, err)
	}
	if len(f.Streams) != len(order) {
		return fmt.Errorf("cannot be restored: %w", ErrIncomplete)
	}
	for i, stream := range f.Streams {
		if err := f.checkStream(order[i], stream); err != nil {
			return err
		}
	}
	return nil
}

// checkStream refuses a stream that is not the named one, is newer, or is damaged.
func (f *File) checkStream(name string, s Stream) error {
	if s.Config.Name != name {
		return fmt.Errorf("%w: it has stream %q where %s is expected", ErrDamaged, s.Config.Name, name)
	}
	if err := events.CheckLayout(s.Config); err != nil {
		return fmt.Errorf("cannot be restored: %w", err)
	}
	content, err := f.archive.Open(entry(name))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	defer content.Close()
	if _, err := io.Copy(io.Discard, content); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, name, err)
	}
	return nil
}
