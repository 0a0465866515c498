package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	// ErrIncomplete is matched by the error for events without a whole ledger.
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

// Messages counts the messages in all streams.
func (m Manifest) Messages() (n uint64) {
	for _, stream := range m.Streams {
		n += stream.Messages
	}
	return n
}

// Stream is the snapshot of one stream; that of a bucket has the prefix KV_.
type Stream struct {
	Name string `json:"name"`
	// Size is that of the snapshot, in bytes.
	Size     int64  `json:"size"`
	SHA256   string `json:"sha256"`
	Messages uint64 `json:"messages"`
	// Config and State are what the server wants to have back with the snapshot.
	Config json.RawMessage `json:"config"`
	State  json.RawMessage `json:"state"`
}

// order is the order of the snapshots; see the package comment.
var order = func() []string {
	names := []string{events.StreamEvents, events.StreamTriggers, events.StreamDeadLetters}
	for _, bucket := range ledger.Buckets() { // campaigns, numbers, state
		names = append(names, "KV_"+bucket)
	}
	return append(names, notice.Stream)
}()

// Write writes a backup to the file at path, which it replaces only when the backup is
// complete. Only the owner can read the file. Program is the version of this program. The
// error matches [ErrNothing], [ErrIncomplete] or [events.ErrRestoring] if that is the cause.
func Write(ctx context.Context, js jetstream.JetStream, path, program string) (Manifest, error) {
	there, err := complete(ctx, js)
	if err != nil {
		return Manifest{}, fmt.Errorf("write backup %s: %w", path, err)
	}
	return write(ctx, js, path, program, there)
}

// complete returns the names of our streams, or an error if they are not a whole.
func complete(ctx context.Context, js jetstream.JetStream) ([]string, error) {
	restoring, err := events.Restoring(ctx, js)
	if err == nil && restoring {
		err = events.ErrRestoring
	}
	if err != nil {
		return nil, err
	}
	there, err := existing(ctx, js)
	if err != nil {
		return nil, err
	}
	if len(there) == 0 {
		return nil, ErrNothing
	}
	return there, whole(there)
}

// whole returns an error if there are events without a ledger or only a part of it. Before
// an assigner ran, there is no ledger.
func whole(names []string) error {
	buckets := 0
	for _, bucket := range ledger.Buckets() {
		if slices.Contains(names, "KV_"+bucket) {
			buckets++
		}
	}
	if !slices.Contains(names, events.StreamEvents) || buckets != 0 && buckets != len(ledger.Buckets()) {
		return fmt.Errorf("%w: there are only %s", ErrIncomplete, strings.Join(names, ", "))
	}
	return nil
}

// write writes a backup of the named streams.
func write(ctx context.Context, js jetstream.JetStream, path, program string, names []string) (Manifest, error) {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return Manifest{}, fmt.Errorf("write backup %s: it is not a regular file", path)
	}
	spool, err := os.CreateTemp(filepath.Dir(path), ".greenlight-backup-*")
	if err != nil {
		return Manifest{}, fmt.Errorf("write backup %s: %w", path, withoutPath(err))
	}
	defer discard(spool)
	m := Manifest{Version: formatVersion, CreatedAt: time.Now().UTC(), Greenlight: program, NATS: js.Conn().ConnectedServerVersion()}
	if m.Streams, err = snapshotAll(ctx, js, names, spool); err != nil {
		return Manifest{}, fmt.Errorf("write backup %s: %w", path, withoutPath(err))
	}
	if err := m.store(spool, path); err != nil {
		return Manifest{}, fmt.Errorf("write backup %s: %w", path, withoutPath(err))
	}
	return m, nil
}

// store writes the file from the snapshots, which are in the spool one after the other.
func (m Manifest) store(spool *os.File, path string) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".greenlight-backup-*")
	if err != nil {
		return err
	}
	defer discard(file)
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	archive := tar.NewWriter(file)
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := m.add(archive, manifestName, int64(len(text)), bytes.NewReader(text)); err != nil {
		return err
	}
	for _, stream := range m.Streams {
		if err := m.add(archive, stream.entry(), stream.Size, spool); err != nil {
			return err
		}
	}
	if err := errors.Join(archive.Close(), file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func (m Manifest) add(archive *tar.Writer, name string, size int64, content io.Reader) error {
	if err := archive.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600, ModTime: m.CreatedAt.Truncate(time.Second)}); err != nil {
		return err
	}
	_, err := io.CopyN(archive, content, size)
	return err
}

func (s Stream) entry() string { return s.Name + ".snapshot" }

// discard closes and removes a temporary file. It may be closed or renamed already.
func discard(file *os.File) {
	_ = file.Close()
	_ = os.Remove(file.Name())
}

// withoutPath removes the name of a temporary file from an error.
func withoutPath(err error) error {
	if in, ok := errors.AsType[*fs.PathError](err); ok {
		return in.Err
	}
	return err
}

// File is a backup that was read whole and is intact. Close it. Not safe for concurrent use.
type File struct {
	Manifest
	file *os.File
	// begins has the offset of each snapshot.
	begins map[string]int64
}

// Open reads a backup to its end and checks every snapshot. The error matches [ErrDamaged]
// or [events.ErrNewer] if that is the cause.
func Open(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open backup: %w", err)
	}
	f := &File{file: file, begins: make(map[string]int64)}
	if err := f.check(); err != nil {
		return nil, errors.Join(fmt.Errorf("backup %s %w", path, err), file.Close())
	}
	return f, nil
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

// check reads the whole file.
func (f *File) check() error {
	archive := tar.NewReader(f.file)
	if err := f.readManifest(archive); err != nil {
		return err
	}
	for _, stream := range f.Streams {
		header, err := archive.Next()
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrDamaged, stream.Name, err)
		}
		if header.Typeflag != tar.TypeReg || header.Name != stream.entry() || header.Size != stream.Size {
			return fmt.Errorf("%w: it has %q where %s is due", ErrDamaged, header.Name, stream.entry())
		}
		if f.begins[stream.Name], err = f.file.Seek(0, io.SeekCurrent); err != nil {
			return err
		}
		digest := sha256.New()
		if _, err := io.Copy(digest, archive); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrDamaged, stream.Name, err)
		}
		if hex.EncodeToString(digest.Sum(nil)) != stream.SHA256 {
			return fmt.Errorf("%w: the SHA-256 of %s is not that of the manifest", ErrDamaged, stream.Name)
		}
	}
	if _, err := archive.Next(); err != io.EOF {
		return fmt.Errorf("%w: it does not end after %d snapshots", ErrDamaged, len(f.Streams))
	}
	return nil
}

func (f *File) readManifest(archive *tar.Reader) error {
	header, err := archive.Next()
	if err != nil || header.Name != manifestName || header.Size > maxManifest {
		return fmt.Errorf("%w: it has no manifest", ErrDamaged)
	}
	text, err := io.ReadAll(archive)
	if err != nil {
		return fmt.Errorf("%w: its manifest: %w", ErrDamaged, err)
	}
	// The version comes first: fields of a newer manifest may have other types.
	var format struct {
		Version    int    `json:"version"`
		Greenlight string `json:"greenlight"`
	}
	if err := json.Unmarshal(text, &format); err != nil {
		return fmt.Errorf("%w: its manifest: %w", ErrDamaged, err)
	}
	if format.Version > formatVersion {
		return fmt.Errorf("was %w (version %s, format %d; this program supports format %d): restore it with that version", events.ErrNewer, format.Greenlight, format.Version, formatVersion)
	}
	if err := json.Unmarshal(text, &f.Manifest); err != nil {
		return fmt.Errorf("%w: its manifest: %w", ErrDamaged, err)
	}
	return f.checkStreams()
}

// checkStreams refuses streams that are not ours, and those of a newer program.
func (f *File) checkStreams() error {
	var seen []string
	for _, stream := range f.Streams {
		if !slices.Contains(order, stream.Name) || slices.Contains(seen, stream.Name) || stream.Size < 0 {
			return fmt.Errorf("%w: its manifest lists a stream that is not expected", ErrDamaged)
		}
		seen = append(seen, stream.Name)
		var config jetstream.StreamConfig
		if err := json.Unmarshal(stream.Config, &config); err != nil || config.Name != stream.Name {
			return fmt.Errorf("%w: the settings of %s", ErrDamaged, stream.Name)
		}
		if err := events.CheckLayout(config); err != nil {
			return fmt.Errorf("cannot be restored: %w", err)
		}
	}
	if len(seen) == 0 {
		return fmt.Errorf("%w: its manifest lists no streams", ErrDamaged)
	}
	if err := whole(seen); err != nil {
		return fmt.Errorf("cannot be restored: %w", err)
	}
	return nil
}

// syncFolder makes a rename in the folder last. Windows cannot, and does not need it.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	_ = folder.Sync()
	return folder.Close()
}

// SyncFiles syncs all files under a folder to the disk: NATS does not sync what it restores.
// The server may run, and remove files meanwhile.
func SyncFiles(folder string) error {
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			err = syncFolder(path)
		} else if err == nil {
			err = syncFile(path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}

func syncFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}
