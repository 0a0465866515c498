package testkit

import (
	"os"
	"syscall"
	"testing"
)

const (
	// memory is where Linux keeps files in memory.
	memory = "/dev/shm"
	// memoryNeeded is how many bytes must be free there. Docker's default of 64 MiB is too
	// little for tests that run side by side.
	memoryNeeded = 1 << 30
)

// MemoryDir returns an empty folder, which is removed when the test ends. It is in memory if
// this machine has room for that. A server writes a few files for each stream and consumer,
// and a disk takes some milliseconds for each of them. Tests that are about the disk use
// t.TempDir instead.
func MemoryDir(t testing.TB) string {
	t.Helper()
	var disk syscall.Statfs_t
	if err := syscall.Statfs(memory, &disk); err != nil || disk.Bavail*uint64(disk.Bsize) < memoryNeeded {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(memory, "greenlight-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
