package backup_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A full disk keeps the old backup and leaves nothing behind.
func TestWrite_SaysThatTheDiskIsFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("greenlight-test", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	path := filepath.Join(dir, "backup")
	must(t, os.WriteFile(path, []byte("old"), 0o600))
	err := save(t.Context(), filled(t), path)
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, want that the disk is full", err)
	}
	entries, err := os.ReadDir(dir)
	must(t, err)
	if len(entries) != 1 || entries[0].Name() != "backup" {
		t.Errorf("got %v, want the old backup alone", entries)
	}
}
