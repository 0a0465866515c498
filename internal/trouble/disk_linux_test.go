package trouble

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"greenlight/internal/doctor"
	"greenlight/internal/events/embedded"
	"greenlight/internal/status"
	"greenlight/internal/testkit"
)

// varMount is set where the tests with a full disk must not be skipped, as in CI.
const varMount = "GREENLIGHT_MOUNT"

// smallDisk mounts a small disk and unmounts it when the test ends. Where that is not
// allowed, the test is skipped unless GREENLIGHT_MOUNT is set.
func smallDisk(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("greenlight-test", dir, "tmpfs", 0, "size=64m"); err != nil {
		if os.Getenv(varMount) != "" {
			t.Fatalf("a disk that can be filled cannot be mounted here, and %s is set: %v", varMount, err)
		}
		t.Skipf("a disk that can be filled cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir
}

// fill fills the disk of the folder. The function it returns makes room again.
func fill(t *testing.T, dir string) (makeRoom func()) {
	t.Helper()
	path := filepath.Join(dir, "filler")
	filler, err := os.Create(path)
	must(t, err)
	defer filler.Close()
	for size := 1 << 20; size > 0; {
		if _, err := filler.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else {
			must(t, err)
		}
	}
	return func() { must(t, os.Remove(path)) }
}

// up is the webhook on a NATS server inside the process, as in greenlight up.
type up struct {
	fronts
	server *embedded.Server
	own    *nats.Conn
}

func startUp(t *testing.T, dir string) *up {
	t.Helper()
	server, err := embedded.Start(embedded.Options{Dir: dir, SyncAlways: true, Listen: true})
	must(t, err)
	inside := func() *nats.Conn { return connect(t, "", server.InProcess()...) }
	u := &up{server: server, own: inside()}
	must(t, server.TellHealth(u.own))
	u.fronts = openFronts(t, inside, 1, status.Check{Name: "storage", Ready: func(context.Context) error { return server.Health() }})
	return u
}

func (u *up) close(t *testing.T) {
	t.Helper()
	u.stop()
	must(t, u.server.Close())
}

// doctored returns the finding of greenlight doctor about writes.
func (u *up) doctored(t *testing.T) doctor.Finding {
	t.Helper()
	nc := connect(t, u.server.URL())
	defer nc.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	report := doctor.NewReport(time.Now())
	doctor.NATS{Conn: nc, Embedded: true, Syncs: true, Health: embedded.AskHealth}.Check(ctx, report)
	for _, finding := range report.Findings {
		if finding.Check == doctor.CheckWrites {
			return finding
		}
	}
	t.Fatalf("no finding about writing among %+v", report.Findings)
	return doctor.Finding{}
}

// The disk fills up under load, and gets room again. Even then NATS stores nothing until it
// is restarted. Greenlight restarts it, unattended.
func TestFullDisk_HealsWhenThereIsRoom(t *testing.T) {
	if !alone(t) {
		return
	}
	dir := smallDisk(t)
	u := startUp(t, dir)
	defer u.close(t)
	address := u.server.URL()
	outside := connect(t, address)
	before := begin(u.fronts)
	ls := startLoads(u.fronts, 0)
	ls.stored(50)
	makeRoom := fill(t, dir)
	ls.refused(connections)
	u.becomeUnready("no space left on device")
	u.becomeUnready("free 8 MiB on the disk of " + dir)
	if got := u.doctored(t); got.Level != doctor.Fail || !strings.Contains(got.Message, "stores no more events") || !strings.Contains(got.Fix, "Make room") {
		t.Errorf("doctor says %+v, want that there must be room", got)
	}
	before.assertBounded(t)

	makeRoom()
	ls.stored(2 * connections)
	u.becomeReady()
	ids := ls.end()
	testkit.Within(t, patience, func() error { return outside.FlushTimeout(time.Second) })
	if u.server.URL() != address {
		t.Error("the address of the NATS server changed")
	}
	if got := u.doctored(t); got.Level != doctor.OK {
		t.Errorf("afterwards doctor says %+v", got)
	}
	before.assertNothingLeft(u.fronts)
	assertKept(t, u.own, ids)
}

// An outside server does not report that its disk is full, and may not answer a publisher.
func TestFullDisk_OfAnOutsideServerIsRefusedInTime(t *testing.T) {
	t.Parallel() // it counts no goroutines
	dir := smallDisk(t)
	server, err := embedded.Start(embedded.Options{Dir: dir, SyncAlways: true})
	must(t, err)
	defer func() { must(t, server.Close()) }()
	fs := openFronts(t, func() *nats.Conn { return connect(t, "", server.InProcess()...) }, 1)
	defer fs.stop()
	begin(fs)
	fill(t, dir)
	var all sync.WaitGroup
	for _, f := range fs {
		all.Go(func() {
			// Larger than what may be left of the file's last page.
			if code, err := f.deliver("refused-"+f.name, 64<<10); code != http.StatusServiceUnavailable || err != nil {
				t.Errorf("with a full disk: %d, %v", code, err)
			}
		})
	}
	all.Wait()
}
