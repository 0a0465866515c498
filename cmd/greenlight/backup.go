package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/app"
	"greenlight/internal/assigner"
	"greenlight/internal/backup"
	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
	"greenlight/internal/status"
)

// standard is the file name that means standard input or output.
const standard = "-"

type backupCommand struct {
	File string `arg:"" help:"File to write, or - for standard output. An existing file is replaced when the backup is complete."`
	where
}

// Help is what kong prints under the command's own help.
func (c *backupCommand) Help() string {
	return `Writes all streams, the ledger, and the state of consumers to one file, while Greenlight runs or while
greenlight up is stopped. Plans, keys and certificates are not in it. Only the owner can read the file.`
}

// Run writes a backup.
func (c *backupCommand) Run(ctx context.Context, out output) error {
	work := func(ctx context.Context, js jetstream.JetStream, _ bool) (err error) {
		var m backup.Manifest
		write := func(w io.Writer) error {
			m, err = backup.Write(ctx, js, w)
			return err
		}
		report, to := out.Stdout, c.File
		if c.File == standard {
			report, to, err = out.Stderr, "standard output", write(app.Raw(out.Stdout))
		} else {
			err = backup.ToFile(c.File, write)
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(report, "Backed up %s from %s to %s. Keep it private: it contains phone numbers.\n", contents(m), c.server(), to)
		return err
	}
	if c.isNew() {
		return c.stay(ctx, func(ctx context.Context, js jetstream.JetStream) error { return work(ctx, js, false) })
	}
	return c.stayOrStart(ctx, work)
}

type restoreCommand struct {
	File    string `arg:"" help:"File that greenlight backup wrote, or - for standard input."`
	Replace bool   `help:"Also replace data that is older than the backup. The old data is saved in a second file."`
	Keep    string `placeholder:"FILE" help:"Where to keep what is replaced. Default: FILE.before-<time>; for standard input, before-<time> in the data folder."`
	where
}

// Help is what kong prints under the command's own help.
func (c *restoreCommand) Help() string {
	return `Checks the whole file, then replaces all streams and the ledger with those in the backup. Greenlight may
run meanwhile: it stores no event and writes nothing to Telnyx until the restore is complete, and then reads
everything from Telnyx. Holds and later events stay, and what is replaced is kept in a second file. After an
interruption, run this again.`
}

// Run restores a backup.
func (c *restoreCommand) Run(ctx context.Context, out output) error {
	path, before := c.File, c.File+"."
	if c.File == standard {
		before = c.Dir + string(filepath.Separator)
		var err error
		if path, err = readStandard(c.Dir); err != nil {
			return err
		}
		defer os.Remove(path)
	}
	file, err := backup.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if c.isNew() {
		fmt.Fprintf(out.Stderr, "Creating %s. To restore to a NATS server, set NATS_URL.\n", c.server())
	}
	return c.stayOrStart(ctx, func(ctx context.Context, js jetstream.JetStream, alone bool) error {
		now := time.Now()
		options := backup.Options{
			Replace: c.Replace, Alone: alone, Settle: assigner.DefaultSettle,
			Keep: cmp.Or(c.Keep, before+"before-"+now.UTC().Format("20060102T150405Z")),
		}
		if c.isEmbedded() {
			options.Room, _ = embedded.Room(c.Dir)
			options.Sync = syncDisks
		}
		kept, err := file.Restore(ctx, js, options)
		if kept != "" {
			fmt.Fprintf(out.Stderr, "The replaced data is saved in %s.\n", kept)
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(out.Stdout, "Restored %s to %s from the backup of %s (%s old). Holds remain in effect, including any in the backup; see greenlight status.\n",
			contents(file.Manifest), c.server(), file.CreatedAt.Format("2006-01-02 15:04 MST"), status.Span(now.Sub(file.CreatedAt)))
		return err
	})
}

// readStandard copies standard input to a temporary file, and returns its path. The file is
// in the data folder if there is no other place, as in a container with a read-only root.
func readStandard(folder string) (path string, err error) {
	file, err := os.CreateTemp("", ".greenlight-backup-*")
	if err != nil {
		file, err = os.CreateTemp(folder, ".greenlight-backup-*")
	}
	if err != nil {
		return "", fmt.Errorf("create a temporary file; set TMPDIR to a folder that can be written: %w", err)
	}
	_, err = io.Copy(file, os.Stdin)
	if err = errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("read standard input: %w", err), os.Remove(file.Name()))
	}
	return file.Name(), nil
}

func contents(m backup.Manifest) string {
	return fmt.Sprintf("%s (%s)", status.Count(len(m.Streams), "stream"), status.Count(int(m.Messages()), "message"))
}

// isEmbedded reports whether a command works on the built-in server.
func (w where) isEmbedded() bool { return w.URL == "" && w.URLFile == "" }

// isNew reports whether the built-in server has no data yet.
func (w where) isNew() bool {
	_, err := os.Stat(filepath.Join(w.Dir, "jetstream"))
	return w.isEmbedded() && errors.Is(err, fs.ErrNotExist)
}

// server names the server that a command works on.
func (w where) server() string {
	if w.isEmbedded() {
		return "data folder " + w.Dir
	}
	return "the NATS server at NATS_URL"
}

// stayOrStart does the work on the server at NATS_URL or that of a greenlight up that runs.
// Else it starts the built-in server on the data folder, alone, until the work is done, and
// has the disk store everything. It does not start it on the folder of another user. A missing
// permission is reported at once; see [events.Heed].
func (w where) stayOrStart(ctx context.Context, work func(ctx context.Context, js jetstream.JetStream, alone bool) error) error {
	heeded := func(ctx context.Context, js jetstream.JetStream, alone bool) error {
		return events.Heed(ctx, js.Conn(), func(ctx context.Context) error { return work(ctx, js, alone) })
	}
	running := func(ctx context.Context, js jetstream.JetStream) error { return heeded(ctx, js, false) }
	if !w.isEmbedded() {
		return w.stay(ctx, running)
	}
	if foreign := ownedByUs(w.Dir); foreign != nil {
		err := w.stay(ctx, running)
		if _, unreachable := errors.AsType[*app.Fault](err); unreachable {
			return foreign
		}
		return err
	}
	err := withServer(embedded.Options{Dir: w.Dir}, func(js jetstream.JetStream) error { return heeded(ctx, js, true) })
	if errors.Is(err, embedded.ErrInUse) {
		return w.stay(ctx, running)
	}
	syncDisks()
	return err
}

// withServer starts a built-in server, and stops it when the work is done. The error matches
// [embedded.ErrInUse] if another process has the folder.
func withServer(options embedded.Options, work func(jetstream.JetStream) error) (err error) {
	server, err := embedded.Start(options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	nc, err := events.Connect("", "greenlight", server.InProcess()...)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	return work(js)
}
