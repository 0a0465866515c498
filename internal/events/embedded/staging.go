package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"greenlight/internal/events"
)

// memory is a folder on a file system in memory, as Linux has.
const memory = "/dev/shm"

// StageInMemory makes the server stage batches of events in memory, if this machine
// has a file system there; see [events.Group]. The stream must exist. What goes wrong
// is told and does no harm: batches are then staged on the disk, or refused and their
// events stored one by one.
//
// The server writes a batch to files of its own before it stores it, and syncs those
// several times, so that after a crash it can store the rest of a batch whose first
// half it had stored already. That costs it more than all else about a batch. For us
// half a batch is as good as a whole one: events are acknowledged when all of it is
// in the stream, synced, and what is not acknowledged comes again. When this process
// dies, its staged batches are still there; when the power fails they are gone, and
// the server goes on without (recovery in server/jetstream.go of nats-server 2.15).
// At each start it removes the link that is made here, which is made again when the
// server is started anew.
func (s *Server) StageInMemory() error {
	s.staging.Lock()
	defer s.staging.Unlock()
	s.staging.wanted = true
	return s.stage()
}

// stageAgain makes the link for a server that was started anew, whose start has
// removed the folder as well.
func (s *Server) stageAgain() error {
	s.staging.Lock()
	defer s.staging.Unlock()
	s.staging.folder = ""
	if !s.staging.wanted {
		return nil
	}
	return s.stage()
}

func (s *Server) stage() error {
	if _, err := os.Stat(memory); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	staging, err := os.MkdirTemp(memory, stagingPattern)
	if err != nil {
		return fmt.Errorf("make a folder in memory: %w", err)
	}
	batches := s.batches()
	// An empty folder is one that the server made; one with a batch in it is in use.
	if err := os.Remove(batches); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("stage batches in memory: %w", err), os.Remove(staging))
	}
	if err := os.Symlink(staging, batches); err != nil {
		return errors.Join(fmt.Errorf("stage batches in memory: %w", err), os.Remove(staging))
	}
	s.staging.folder = staging
	return nil
}

const stagingPattern = "greenlight-batches-*"

// batches is where the server stages the batches of the stream of events.
func (s *Server) batches() string {
	return filepath.Join(s.dir, "jetstream", "$G", "streams", events.StreamEvents, "batches")
}

// staged returns the folder in memory that a process left behind which died, empty
// if there is none. A link is removed if what it leads to is not ours: everybody may
// make folders in memory, and the server would store what it finds in this one.
func (s *Server) staged() (string, error) {
	target, err := os.Readlink(s.batches())
	if err != nil {
		return "", nil // no link
	}
	if strings.HasPrefix(target, filepath.Join(memory, strings.TrimSuffix(stagingPattern, "*"))) && isOurs(target) {
		return target, nil
	}
	if err := os.Remove(s.batches()); err != nil {
		return "", fmt.Errorf("remove a link that leads out of the data folder: %w", err)
	}
	return "", nil
}

// isOurs reports whether it is a folder of this user that nobody else may use.
func isOurs(folder string) bool {
	info, err := os.Lstat(folder)
	return err == nil && info.IsDir() && info.Mode().Perm() == 0o700 && ownedByUs(info)
}

// unlink removes the link and the folder in memory, if there are any.
func (s *Server) unlink() error {
	s.staging.Lock()
	defer s.staging.Unlock()
	if s.staging.folder == "" {
		return nil
	}
	err := os.Remove(s.batches())
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, unstage(s.staging.folder))
}

// unstage removes a folder in memory.
func unstage(staging string) error {
	if staging == "" {
		return nil
	}
	return os.RemoveAll(staging)
}
