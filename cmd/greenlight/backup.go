package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/app"
	"greenlight/internal/backup"
	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
	"greenlight/internal/ledger"
	"greenlight/internal/status"
)

// jetStreamFolder is where the built-in server has its files in the data folder.
const jetStreamFolder = "jetstream"

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
	work := func(ctx context.Context, js jetstream.JetStream, _ bool) error {
		if c.File == standard {
			return c.print(ctx, js, out)
		}
		m, err := backup.Write(ctx, js, c.File, app.ThisBuild().Version)
		if err != nil {
			return err
		}
		return c.report(out.Stdout, m)
	}
	_, err := os.Stat(filepath.Join(c.Dir, jetStreamFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return c.stay(ctx, func(ctx context.Context, js jetstream.JetStream) error { return heed(ctx, js, false, work) })
	}
	return c.stayOrStart(ctx, work)
}

// print writes the backup to standard output, when it is complete.
func (c *backupCommand) print(ctx context.Context, js jetstream.JetStream, out output) error {
	path, err := temporary(c.Dir, nil)
	if err != nil {
		return err
	}
	defer os.Remove(path)
	m, err := backup.Write(ctx, js, path, app.ThisBuild().Version)
	if err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := io.Copy(out.Stdout, file); err != nil {
		return fmt.Errorf("write to standard output: %w", err)
	}
	return c.report(out.Stderr, m)
}

func (c *backupCommand) report(w io.Writer, m backup.Manifest) error {
	_, err := fmt.Fprintf(w, "Backed up %s of %s to %s. Keep it private: it contains phone numbers.\n", contents(m), c.server(), c.File)
	return err
}

// standard is the file name that means standard input or output.
const standard = "-"

// temporary copies the content, if any, to a temporary file, and returns its path. It is in
// the data folder if there is no other place, as in a container with a read-only root.
func temporary(folder string, content io.Reader) (path string, err error) {
	file, err := os.CreateTemp("", ".greenlight-backup-*")
	if err != nil {
		file, err = os.CreateTemp(folder, ".greenlight-backup-*")
	}
	if err != nil {
		return "", fmt.Errorf("create a temporary file; set TMPDIR to a folder that can be written: %w", err)
	}
	if content != nil {
		_, err = io.Copy(file, content)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("read standard input: %w", err), os.Remove(file.Name()))
	}
	return file.Name(), nil
}

type restoreCommand struct {
	File    string `arg:"" help:"File that greenlight backup wrote, or - for standard input."`
	Replace bool   `help:"Replace streams that have history: events, dead letters, requests, a hold. They are kept in a second file."`
	Keep    string `placeholder:"FILE" help:"Where to keep what is replaced. Default: FILE.before-<time>; for standard input, before-<time> in the data folder."`
	where
}

// Help is what kong prints under the command's own help.
func (c *restoreCommand) Help() string {
	return `Checks the whole file, then replaces all streams and the ledger by those of the backup. Greenlight may
run meanwhile: it stores no event and writes nothing to Telnyx until the restore is complete, and then reads
everything from Telnyx. Holds stay, and so does what is known about later requests. After an interruption, run
this again.`
}

// Run restores a backup.
func (c *restoreCommand) Run(ctx context.Context, out output) error {
	path, before := c.File, c.File+"."
	if c.File == standard {
		before = c.Dir + string(filepath.Separator)
		var err error
		if path, err = temporary(c.Dir, os.Stdin); err != nil {
			return err
		}
		defer os.Remove(path)
	}
	file, err := backup.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := ownedByUs(c.Dir); err != nil && c.URL == "" && c.URLFile == "" {
		return err
	}
	return c.stayOrStart(ctx, func(ctx context.Context, js jetstream.JetStream, alone bool) error {
		now := time.Now()
		keep := cmp.Or(c.Keep, before+"before-"+now.UTC().Format("20060102T150405Z"))
		options := backup.Options{Replace: c.Replace, Alone: alone, Keep: keep, Program: app.ThisBuild().Version}
		if folder := filepath.Join(c.Dir, jetStreamFolder); c.URL == "" && c.URLFile == "" {
			options.Sync = func() error { return backup.SyncFiles(folder) }
		}
		done, err := file.Restore(ctx, js, options)
		kept := ""
		if len(done.Kept) > 0 {
			kept = " What it replaced is in " + strings.Join(done.Kept, ", ") + "."
		}
		if err != nil {
			if kept != "" {
				err = fmt.Errorf("%w;%s", err, kept)
			}
			return err
		}
		_, err = fmt.Fprintf(out.Stdout, "Restored %s of %s (%s ago) to %s.%s%s\n", contents(file.Manifest), file.CreatedAt.Format("2006-01-02 15:04 MST"),
			status.Span(now.Sub(file.CreatedAt)), c.server(), kept, onHold(done.Hold))
		return err
	})
}

// onHold says what is on hold after a restore, empty if nothing is.
func onHold(h ledger.Hold) (text string) {
	if h.All != nil {
		text = fmt.Sprintf(" Everything is on hold, by %s.", h.All)
	}
	if len(h.Campaigns) > 0 {
		text += fmt.Sprintf(" %s on hold: %s.", status.Count(len(h.Campaigns), "campaign"), strings.Join(slices.Sorted(maps.Keys(h.Campaigns)), ", "))
	}
	return text
}

// server names the server that a command works on.
func (w where) server() string {
	if w.URL != "" || w.URLFile != "" {
		return "the NATS server at NATS_URL"
	}
	return "data folder " + w.Dir
}

func contents(m backup.Manifest) string {
	return fmt.Sprintf("%s with %s", status.Count(len(m.Streams), "stream"), status.Count(int(m.Messages()), "message"))
}

// stayOrStart does the work on the server at NATS_URL or that of a greenlight up that runs.
// Else it starts the built-in server on the data folder, alone, until the work is done.
func (w where) stayOrStart(ctx context.Context, work func(ctx context.Context, js jetstream.JetStream, alone bool) error) error {
	running := func(ctx context.Context, js jetstream.JetStream) error { return heed(ctx, js, false, work) }
	if w.URL != "" || w.URLFile != "" {
		return w.stay(ctx, running)
	}
	err := withServer(embedded.Options{Dir: w.Dir, SyncAlways: true}, func(js jetstream.JetStream) error { return heed(ctx, js, true, work) })
	if errors.Is(err, embedded.ErrInUse) {
		return w.stay(ctx, running)
	}
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

// heed does the work and reports a missing permission at once; see [events.Heed].
func heed(ctx context.Context, js jetstream.JetStream, alone bool, work func(context.Context, jetstream.JetStream, bool) error) error {
	return events.Heed(ctx, js.Conn(), func(ctx context.Context) error { return work(ctx, js, alone) })
}
