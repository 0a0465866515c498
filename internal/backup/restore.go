package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/status"
)

// ErrHistory is matched by the error for a server whose history a restore would replace.
var ErrHistory = errors.New("this server has history that is not in the backup")

// noticeable is how long replaced streams are missing, so that running processes notice it
// and read everything again. They check for streams and buckets every one or two seconds,
// and wait for a lost consumer for ten.
const noticeable = 4 * time.Second

// tagKey is the key in the metadata of a stream with the restore that created it. The next
// start of Greenlight removes it.
const tagKey = "greenlight_restored"

// Options choose how to restore.
type Options struct {
	// Replace replaces streams that have history of their own.
	Replace bool
	// Alone says that no other process uses the server.
	Alone bool
	// Keep is where to write a backup of the streams that are replaced.
	Keep string
	// Program is the version of this program.
	Program string
	// Sync, if not nil, makes what was restored last on the disk.
	Sync func() error
}

// Result is what a restore did.
type Result struct {
	// Kept names the backups of what was replaced, empty if there was nothing.
	Kept []string
	// Hold is what is on hold after the restore: the holds of the backup, and those that were
	// in force before the restore.
	Hold ledger.Hold
}

// Restore replaces the streams and buckets that the file has. Without [Options.Replace], it
// changes nothing if the server has history: events, dead letters, requests, or a hold. What
// a new start has read from Telnyx is not history. The error matches [ErrHistory] or
// [ErrBusy] if that is the cause.
//
// Greenlight may run meanwhile; see the package comment. If Restore fails after it has begun
// to replace, Greenlight waits until it is repeated.
func (f *File) Restore(ctx context.Context, js jetstream.JetStream, o Options) (r Result, err error) {
	if err := f.restorable(ctx, js); err != nil {
		return r, fmt.Errorf("nothing was changed: %w", err)
	}
	m, owning, err := mark(ctx, js, f.replicas(js.Conn()), o.Alone)
	if err != nil {
		return r, err
	}
	s := restore{File: f, js: js, options: o, marker: m, begun: m.interrupted}
	if err := s.run(owning, &r); err != nil {
		return r, s.undo(ctx, err)
	}
	r.Hold, err = ledger.ReadHold(ctx, js)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		err = nil // the assigner never ran
	}
	return r, errors.Join(err, m.end(ctx))
}

// restore is a restore under way.
type restore struct {
	*File
	js      jetstream.JetStream
	options Options
	marker  *marker
	// begun says that something was deleted, by this restore or before it was interrupted.
	begun bool
}

func (s *restore) run(ctx context.Context, r *Result) error {
	config, exists, err := s.events(ctx)
	if err != nil {
		return err
	}
	restored := exists && !events.IsClosed(config) && !config.Sealed && s.marker.tagged(config.Metadata[tagKey])
	if restored && config.Metadata[tagKey] == s.marker.tag(s.File) {
		return nil // an earlier restore of this file lacks only the removal of the marker
	}
	begun, err := s.marker.hasCarried(ctx)
	if err != nil {
		return err
	}
	s.begun = begun && !restored
	for {
		there, err := existing(ctx, s.js)
		if err != nil {
			return err
		}
		there = slices.DeleteFunc(there, func(name string) bool { return !s.has(name) })
		if len(there) == 0 {
			break
		}
		if err := s.clear(ctx, there, r); err != nil {
			return err
		}
		// A process that did not see the marker may have created streams meanwhile.
		if !s.options.Alone {
			if err := wait(ctx, noticeable); err != nil {
				return err
			}
		}
	}
	s.begun = true
	if err := s.fill(ctx); err != nil || s.options.Sync == nil {
		return err
	}
	return s.options.Sync()
}

// events returns the settings of the stream of events.
func (s *restore) events(ctx context.Context) (config jetstream.StreamConfig, exists bool, err error) {
	stream, err := s.js.Stream(ctx, events.StreamEvents)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return config, false, nil
	}
	if err != nil {
		return config, false, fmt.Errorf("look up stream %s: %w", events.StreamEvents, err)
	}
	return stream.CachedInfo().Config, true, nil
}

// clear keeps and deletes the streams. EVENTS is first, and as long as it exists, everything
// can be undone.
func (s *restore) clear(ctx context.Context, there []string, r *Result) error {
	if there[0] == events.StreamEvents || !s.begun {
		if err := s.keep(ctx, there, r); err != nil {
			return err
		}
	}
	s.begun = true
	if err := s.marker.carry(ctx, ledger.Carried{}); err != nil { // for the next one, if this is interrupted
		return err
	}
	if there[0] == events.StreamEvents {
		if err := s.remove(ctx, events.StreamEvents); err != nil {
			return err
		}
	}
	// From here no claim and no hold is stored, so none is missing from what is carried.
	for _, name := range there {
		if strings.HasPrefix(name, "KV_") {
			if err := seal(ctx, s.js, name); err != nil {
				return err
			}
		}
	}
	carried, err := ledger.ReadCarried(ctx, s.js)
	if err != nil {
		return err
	}
	if err := s.marker.carry(ctx, carried); err != nil {
		return err
	}
	for _, name := range there {
		if err := s.remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (s *restore) remove(ctx context.Context, name string) error {
	if err := s.js.DeleteStream(ctx, name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("delete stream %s: %w", name, err)
	}
	return nil
}

// keep writes a backup of the streams, if they may be replaced. EVENTS is closed first, so
// the backup has every event that was acknowledged.
func (s *restore) keep(ctx context.Context, there []string, r *Result) error {
	config, exists, err := s.events(ctx)
	if err != nil {
		return err
	}
	if exists && !config.Sealed {
		delete(config.Metadata, tagKey)
		if err := events.CloseEvents(ctx, s.js, config); err != nil {
			return err
		}
	}
	if !config.Sealed && !s.begun { // else it is decided already
		if err := mayReplace(ctx, s.js, s.options.Replace); err != nil {
			return err
		}
	}
	path := s.options.Keep
	if len(r.Kept) > 0 {
		path = fmt.Sprintf("%s.%d", path, len(r.Kept)+1)
	}
	if err := s.write(ctx, path, there, exists); err != nil {
		return fmt.Errorf("the present state cannot be kept: %w", err)
	}
	r.Kept = append(r.Kept, path)
	return nil
}

// write writes the backup, and seals EVENTS. If the stream got messages after its snapshot,
// because a process that did not see the marker opened it, the backup is written again.
func (s *restore) write(ctx context.Context, path string, there []string, sealing bool) error {
	for {
		kept, err := write(ctx, s.js, path, s.options.Program, there)
		if err != nil || !sealing {
			return err
		}
		if err := seal(ctx, s.js, events.StreamEvents); err != nil {
			return err
		}
		stream, err := s.js.Stream(ctx, events.StreamEvents)
		if err != nil {
			return fmt.Errorf("look up stream %s: %w", events.StreamEvents, err)
		}
		var state jetstream.StreamState
		if err := json.Unmarshal(kept.Streams[0].State, &state); err != nil {
			return fmt.Errorf("read the server's answer: %w", err)
		}
		if state.LastSeq == stream.CachedInfo().State.LastSeq {
			return nil
		}
	}
}

// seal makes a stream refuse all changes of its messages. Nothing can undo it.
func seal(ctx context.Context, js jetstream.JetStream, name string) error {
	stream, err := js.Stream(ctx, name)
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", name, err)
	}
	config := stream.CachedInfo().Config
	config.Sealed = true
	if _, err := js.UpdateStream(ctx, config); err != nil {
		return fmt.Errorf("seal stream %s: %w", name, err)
	}
	return nil
}

// fill restores the streams, EVENTS last. Before EVENTS exists, the ledger takes over what
// must not get lost of the one before.
func (s *restore) fill(ctx context.Context) error {
	for _, name := range slices.Backward(order) {
		for _, stream := range s.Streams {
			if stream.Name != name {
				continue
			}
			if name == events.StreamEvents {
				if err := s.carryOver(ctx); err != nil {
					return err
				}
			}
			if err := restoreStream(ctx, s.js.Conn(), stream, io.NewSectionReader(s.file, s.begins[name], stream.Size), s.marker.tag(s.File)); err != nil {
				return fmt.Errorf("restore stream %s: %w", name, err)
			}
		}
	}
	return nil
}

func (s *restore) carryOver(ctx context.Context) error {
	return s.marker.carried(ctx, func(c ledger.Carried) error {
		if c.IsZero() {
			return nil
		}
		book, err := ledger.Open(ctx, s.js)
		if err != nil {
			return err
		}
		return book.Carry(ctx, c)
	})
}

// undo is what follows an error. If nothing was deleted, everything continues as before.
func (s *restore) undo(ctx context.Context, cause error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	config, _, err := s.events(ctx)
	if err == nil && !s.begun && !config.Sealed {
		err = errors.Join(events.OpenEvents(ctx, s.js), s.marker.end(ctx))
		if err == nil {
			return fmt.Errorf("nothing was changed: %w", cause)
		}
	}
	s.marker.release(ctx)
	return errors.Join(fmt.Errorf("the restore is not complete, and Greenlight waits until it is repeated: %w", cause), err)
}

// restorable returns an error if the server would refuse to restore the file.
func (f *File) restorable(ctx context.Context, js jetstream.JetStream) error {
	var size int64
	for _, stream := range f.Streams {
		if err := events.MayRestore(ctx, js.Conn(), stream.Name); err != nil {
			return fmt.Errorf("restore stream %s: %w", stream.Name, err)
		}
		size += stream.Size
	}
	account, err := js.AccountInfo(ctx)
	if err != nil {
		return fmt.Errorf("read the limits of the NATS account: %w", err)
	}
	if most := account.Limits.MaxStore; most > 0 && size > most {
		return fmt.Errorf("the backup has %d bytes, and the NATS account may store %d", size, most)
	}
	return nil
}

// replicas is how many copies the marker needs.
func (f *File) replicas(nc *nats.Conn) int {
	if nc.ConnectedClusterName() == "" {
		return 1
	}
	copies := 1
	for _, stream := range f.Streams {
		var config jetstream.StreamConfig
		_ = json.Unmarshal(stream.Config, &config) // it was checked
		copies = max(copies, config.Replicas)
	}
	return copies
}

// has reports whether the file has the stream.
func (f *File) has(name string) bool {
	return slices.ContainsFunc(f.Streams, func(s Stream) bool { return s.Name == name })
}

// mayReplace returns an error if the streams have history.
func mayReplace(ctx context.Context, js jetstream.JetStream, replace bool) error {
	if replace {
		return nil
	}
	history, err := historyOf(ctx, js)
	if err != nil {
		return fmt.Errorf("whether this server has history is unknown; to replace it, add --replace: %w", err)
	}
	if len(history) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s; to replace it, add --replace", ErrHistory, strings.Join(history, ", "))
}

// historyOf names what Telnyx could not give back.
func historyOf(ctx context.Context, js jetstream.JetStream) (history []string, err error) {
	received, err := events.CountEvents(ctx, js)
	if err != nil {
		return nil, err
	}
	if received > 0 {
		history = append(history, status.Count(received, "event"))
	}
	backlog, err := events.ReadBacklog(ctx, js)
	if err != nil {
		return nil, err
	}
	if backlog.DeadLetters > 0 {
		history = append(history, status.Count(int(backlog.DeadLetters), "dead letter"))
	}
	book, err := ledger.Open(ctx, js)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return history, nil
	}
	if err != nil {
		return nil, err
	}
	hold, err := book.ReadHold(ctx)
	if err != nil {
		return nil, err
	}
	if !hold.IsZero() {
		history = append(history, "a hold")
	}
	numbers, err := book.AllNumbers(ctx)
	if err != nil {
		return nil, err
	}
	requested := 0
	for _, n := range numbers {
		if n.Request.Sent != "" || !n.ClaimedAt.IsZero() {
			requested++
		}
	}
	if requested > 0 {
		history = append(history, "requests for "+status.Count(requested, "number"))
	}
	return history, nil
}
