package embedded_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"greenlight/internal/events"
)

// many is how many events come at once: enough for commits of several.
const many = 100

// needMemory skips a test where there is no file system in memory.
func needMemory(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/dev/shm"); err != nil {
		t.Skipf("no file system in memory on this machine: %v", err)
	}
}

func TestStageInMemory_StagesCommitsThere(t *testing.T) {
	needMemory(t)
	s, folder := start(t, t.TempDir())
	if !strings.HasPrefix(folder, "/dev/shm/") {
		t.Errorf("batches are staged in %s, want a folder in memory", folder)
	}
	watch, err := fsnotify.NewWatcher()
	must(t, err)
	defer watch.Close()
	must(t, watch.Add(folder))
	must(t, publish(t, events.NewGroup(s.js), "event-", many))
	all, batched := s.stored(t)
	if all != many || batched == 0 {
		t.Errorf("%d events are stored, %d of them in commits of several; want %d, some", all, batched, many)
	}
	for {
		select {
		case seen := <-watch.Events:
			if seen.Has(fsnotify.Create) && filepath.Dir(seen.Name) == folder {
				return
			}
		case err := <-watch.Errors:
			t.Fatal(err)
		case <-time.After(patience):
			t.Fatalf("nothing was staged in %s", folder)
		}
	}
}

func TestClose_LeavesNothingInMemory(t *testing.T) {
	needMemory(t)
	dir := t.TempDir()
	s, err := open(dir)
	must(t, err)
	must(t, s.server.StageInMemory())
	folder := folderOf(t, dir)
	must(t, publish(t, events.NewGroup(s.js), "event-", many))
	must(t, sendHalf(s.nc))
	if entries, err := os.ReadDir(folder); err != nil || len(entries) == 0 {
		t.Errorf("half a batch is not in %s: %v, %v", folder, entries, err)
	}
	must(t, s.close())
	assertGone(t, folder)
	if _, err := os.Lstat(link(dir)); !os.IsNotExist(err) {
		t.Errorf("the link is still there: %v", err)
	}
	again, _ := start(t, dir)
	if all, _ := again.stored(t); all != many {
		t.Errorf("%d events are stored, want %d", all, many)
	}
}

// A process dies in the middle of a batch, or the power fails, which empties memory as
// well. Nobody was told that the batch is stored, so it need not be; what matters is
// that the next process can work.
func TestStart_GoesOnAfterADeathInABatch(t *testing.T) {
	needMemory(t)
	for name, lost := range map[string]bool{"the process died": false, "the power failed": true} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			left := killInABatch(t, dir)
			defer os.RemoveAll(left)
			if lost {
				must(t, os.RemoveAll(left))
			}
			s, folder := start(t, dir)
			assertGone(t, left)
			if folder == left {
				t.Error("it stages in the folder of the dead process")
			}
			must(t, publish(t, events.NewGroup(s.js), "lone-", 1))
			must(t, publish(t, events.NewGroup(s.js), "event-", many))
			if all, batched := s.stored(t); all != 1+many || batched == 0 {
				t.Errorf("%d events are stored, %d of them in commits of several; want %d, some", all, batched, 1+many)
			}
		})
	}
}

// What a server finds in its staging folder it may store. After a power failure anybody
// on the machine could have made the folder that the link leads to.
func TestStart_FollowsNoLinkToAFolderOfSomebodyElse(t *testing.T) {
	needMemory(t)
	dir := t.TempDir()
	left := killInABatch(t, dir)
	defer os.RemoveAll(left)
	must(t, os.Chmod(left, 0o777))
	_, folder := start(t, dir)
	if folder == left {
		t.Error("it stages in a folder that everybody may use")
	}
	if _, err := os.Stat(left); err != nil {
		t.Errorf("the folder, which is not ours, was touched: %v", err)
	}
}

// Somebody clears the file system in memory while the server runs.
func TestStageInMemory_LosesNothingWithoutItsFolder(t *testing.T) {
	needMemory(t)
	s, folder := start(t, t.TempDir())
	g := events.NewGroup(s.js)
	must(t, publish(t, g, "before-", many))
	_, before := s.stored(t)
	must(t, os.RemoveAll(folder))
	must(t, publish(t, g, "after-", many))
	all, batched := s.stored(t)
	if all != 2*many || batched != before {
		t.Errorf("%d events are stored, want %d; and %d in commits of several, want the %d from before", all, 2*many, batched, before)
	}
	if err := s.server.Health(); err != nil {
		t.Errorf("Health: %v", err)
	}
}
