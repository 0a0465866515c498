//go:build unix

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// The files of a server that was started as another user could not be read by the Greenlight
// that uses the folder.
func TestBackup_StartsNoServerOnAFolderOfAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder to another user")
	}
	var w where
	w.Dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(w.Dir, "jetstream"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(w.Dir, 12345, -1); err != nil {
		t.Fatal(err)
	}
	err := w.stayOrStart(t.Context(), func(context.Context, jetstream.JetStream, bool) error {
		t.Error("the server was started")
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "belongs to user id 12345") {
		t.Errorf("got %v, want a refusal", err)
	}
	if entries, err := os.ReadDir(w.Dir); len(entries) != 1 || err != nil {
		t.Errorf("the folder has %v, %v", entries, err)
	}
}
