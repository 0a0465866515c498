package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"greenlight/internal/plan"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// campaign returns a plan of one campaign with a number that ends in n.
func campaign(id string, n int) string {
	return fmt.Sprintf("version: 1\ncampaigns:\n  - name: %s\n    campaign_id: %s\n    numbers: [%q]\n", id, id, number(n))
}

// number returns the nth number.
func number(n int) plan.E164 { return plan.E164(fmt.Sprintf("+1555%07d", 2000000+n)) }

// broken is a plan with a fault.
const broken = "version: 1\ncampaigns: []\n"

// write writes a file in one go, and the folders on the way to it.
func write(t testing.TB, text string, path ...string) string {
	t.Helper()
	name := filepath.Join(path...)
	must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(t, os.WriteFile(name, []byte(text), 0o644))
	return name
}

// becomes reports whether something is so within the patience of a test.
func becomes(isSo func() bool) bool {
	for end := time.Now().Add(patience); !isSo(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// eventually waits until something is so.
func eventually(t testing.TB, what string, isSo func() bool) {
	t.Helper()
	if !becomes(isSo) {
		t.Fatalf("waited %v in vain: %s", patience, what)
	}
}

// quickPoll is the time between two checks of the files. Most tests have virtual time, in
// which a save takes none unless it sleeps.
const quickPoll = 20 * time.Millisecond

// witness runs Plans and writes down what they report.
type witness struct {
	*Plans
	t     testing.TB
	loads atomic.Int64
	stop  func()

	mu      sync.Mutex
	changes []change
	faults  []string
}

type change struct{ old, new *plan.Set }

// observe returns Plans that run only when start is called.
func observe(t testing.TB, path string) *witness {
	t.Helper()
	w := &witness{t: t}
	w.Plans, _ = WatchPlans(path) // a test that minds asks Err
	w.every = quickPoll
	read := w.read
	w.read = func() (func() error, error) {
		w.loads.Add(1)
		return read()
	}
	w.onChange = func(old, new *plan.Set) { w.note(func() { w.changes = append(w.changes, change{old, new}) }) }
	w.onFault = func(err error) { w.note(func() { w.faults = append(w.faults, err.Error()) }) }
	return w
}

// start runs the Plans until the test ends or calls stop.
func (w *witness) start() *witness {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); w.Run(ctx) }()
	w.stop = sync.OnceFunc(func() { cancel(); <-ended })
	w.t.Cleanup(w.stop)
	return w
}

func (w *witness) note(what func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	what()
}

func (w *witness) reported() (changes []change, faults []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.changes), slices.Clone(w.faults)
}

// plans describes a set as "a=1 b=2": each campaign and the end of its number.
func plans(set *plan.Set) string {
	var words []string
	for _, c := range set.Campaigns {
		words = append(words, c.ID()+"="+strings.TrimLeft(strings.TrimPrefix(string(c.Numbers[0]), "+15552"), "0"))
	}
	return strings.Join(words, " ")
}

// wait waits until a plan is in force and nothing is at fault.
func (w *witness) wait(want string) {
	w.t.Helper()
	if !becomes(func() bool { return plans(w.Set()) == want && w.Err() == nil }) {
		w.t.Fatalf("waited %v: got %s in force, fault %v, want %s and none", patience, plans(w.Set()), w.Err(), want)
	}
}

// waitFault waits until a fault shows that says something.
func (w *witness) waitFault(says string) {
	w.t.Helper()
	eventually(w.t, "a fault that says "+says, func() bool { return w.Err() != nil && strings.Contains(w.Err().Error(), says) })
}

// wantHistory compares the plans that were reported, in order.
func (w *witness) wantHistory(want ...string) {
	w.t.Helper()
	// The callback comes after the set is in force.
	eventually(w.t, "as many changes as expected", func() bool { c, _ := w.reported(); return len(c) >= len(want) })
	changes, _ := w.reported()
	var got []string
	for _, c := range changes {
		got = append(got, plans(c.new))
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("plans reported: got %q, want %q", got, want)
	}
}

func TestWatchPlans_RefusesWhatCannotBeLoaded(t *testing.T) {
	for name, path := range map[string]string{
		"missing": filepath.Join(t.TempDir(), "nowhere"),
		"broken":  write(t, broken, t.TempDir(), "plan.yaml"),
		"no path": "",
	} {
		w, err := WatchPlans(path)
		if _, ok := errors.AsType[plan.Faults](err); !ok || w.Set() != nil {
			t.Errorf("%s: got %v, %v, want no set and plan.Faults", name, w.Set(), err)
		}
	}
}

func TestWatchPlans_HasTheSetBeforeRun(t *testing.T) {
	w := observe(t, write(t, campaign("a", 1), t.TempDir(), "plan.yaml"))
	if got := plans(w.Set()); got != "a=1" || w.Err() != nil {
		t.Errorf("got %s, %v, want a=1 without a fault", got, w.Err())
	}
}

func TestPlans_SeesWhatChangedSinceTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		write(t, campaign("a", 1), dir, "a.yaml")
		w := observe(t, dir)
		write(t, campaign("a", 2), dir, "a.yaml")
		w.start().wait("a=2")
	})
}

// TestPlans_TakesASave saves in the ways of editors and tools. Each is one change,
// and nothing in between is taken for the plan.
func TestPlans_TakesASave(t *testing.T) {
	plan2 := campaign("a", 2)
	for name, save := range map[string]func(t *testing.T, file string){
		"truncate and write": func(t *testing.T, file string) { write(t, plan2, file) },
		"write in pieces": func(t *testing.T, file string) {
			f, err := os.Create(file)
			must(t, err)
			defer f.Close()
			for _, b := range []byte(plan2) {
				_, err := f.Write([]byte{b})
				must(t, err)
				time.Sleep(quickPoll / 4)
			}
		},
		"rename over": func(t *testing.T, file string) {
			must(t, os.Rename(write(t, plan2, filepath.Dir(file), "saving"), file))
		},
		"vim": func(t *testing.T, file string) {
			folder := filepath.Dir(file)
			swap := write(t, "b0VIM", folder, ".plan.yaml.swp")
			must(t, os.Remove(write(t, "", folder, "4913")))
			must(t, os.Rename(file, file+"~"))
			write(t, plan2, file)
			must(t, os.Remove(file+"~"))
			must(t, os.Remove(swap))
		},
		"emacs": func(t *testing.T, file string) {
			folder := filepath.Dir(file)
			lock := filepath.Join(folder, ".#plan.yaml")
			must(t, os.Symlink("ops@host.1", lock))
			auto := write(t, plan2, folder, "#plan.yaml#")
			must(t, os.Rename(file, file+"~"))
			write(t, plan2, file)
			must(t, os.Remove(auto))
			must(t, os.Remove(lock))
		},
		"remove and write": func(t *testing.T, file string) {
			must(t, os.Remove(file))
			write(t, plan2, file)
		},
	} {
		for _, kind := range []string{"file", "folder"} {
			t.Run(name+" in a "+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					dir := t.TempDir()
					file := write(t, campaign("a", 1), dir, "plan.yaml")
					path := map[string]string{"file": file, "folder": dir}[kind]
					w := observe(t, path).start()
					save(t, file)
					w.wait("a=2")
					write(t, campaign("a", 3), file) // the watch is still there
					w.wait("a=3")
					w.wantHistory("a=2", "a=3")
					if _, faults := w.reported(); len(faults) > 0 {
						t.Errorf("got faults %q, want none", faults)
					}
				})
			})
		}
	}
}

// mount makes a folder as Kubernetes mounts a ConfigMap, and returns how it swaps
// it for another generation.
func mount(t testing.TB, dir string, files func(generation int) map[string]string) (swap func(generation int)) {
	data := filepath.Join(dir, "..data")
	swap = func(generation int) {
		t.Helper()
		folder := fmt.Sprintf("..2026_11_23_%04d", generation)
		for name, text := range files(generation) {
			write(t, text, dir, folder, name)
		}
		must(t, os.Symlink(folder, data+"_tmp"))
		must(t, os.Rename(data+"_tmp", data))
	}
	swap(1)
	for name := range files(1) {
		must(t, os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)))
	}
	return swap
}

func TestPlans_TakesAConfigMapAsAWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		swap := mount(t, dir, func(n int) map[string]string {
			return map[string]string{"a.yaml": campaign("a", n), "b.yaml": campaign("b", 5000+n)}
		})
		w := observe(t, dir).start()
		const last = 60
		for n := 2; n <= last; n++ {
			swap(n)
			w.Reload() // so that many checks meet a swap under way
		}
		w.wait(fmt.Sprintf("a=%d b=%d", last, 5000+last))
		must(t, os.RemoveAll(filepath.Join(dir, "..2026_11_23_0001")))
		w.stop()
		changes, faults := w.reported()
		for _, c := range changes {
			var a, b int
			if _, err := fmt.Sscanf(plans(c.new), "a=%d b=%d", &a, &b); err != nil || b != 5000+a {
				t.Errorf("a mix of generations was in force: %s", plans(c.new))
			}
		}
		if len(faults) > 0 {
			t.Errorf("got faults %q, want none", faults)
		}
	})
}

func TestPlans_TakesAConfigMapKeyGivenAsAFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		swap := mount(t, dir, func(n int) map[string]string { return map[string]string{"plan.yaml": campaign("a", n)} })
		w := observe(t, filepath.Join(dir, "plan.yaml")).start()
		swap(2)
		w.wait("a=2")
		swap(3)
		w.wait("a=3")
	})
}

func TestPlans_FollowsALinkAboveTheFolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		for n := 1; n <= 2; n++ {
			write(t, campaign("a", n), dir, "releases", fmt.Sprint(n), "plans", "a.yaml")
		}
		current := filepath.Join(dir, "current")
		must(t, os.Symlink("releases/1", current))
		w := observe(t, filepath.Join(current, "plans")).start()
		must(t, os.Symlink(filepath.Join(dir, "releases/2"), current+".new"))
		must(t, os.Rename(current+".new", current))
		w.wait("a=2")
		write(t, campaign("a", 3), dir, "releases/2/plans/a.yaml")
		w.wait("a=3")
	})
}

func TestPlans_KeepsTheLastGoodSetOfWhatVanished(t *testing.T) {
	for name, vanishing := range map[string]string{"the folder": "team/plans", "a folder above": "team"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				write(t, campaign("a", 1), dir, "team/plans/a.yaml")
				w := observe(t, filepath.Join(dir, "team/plans")).start()
				gone := filepath.Join(dir, vanishing)

				must(t, os.Rename(gone, gone+".old"))
				w.waitFault("cannot be read")
				if got := plans(w.Set()); got != "a=1" {
					t.Errorf("in force: got %s, want a=1", got)
				}
				must(t, os.Rename(gone+".old", gone))
				w.wait("a=1")
				write(t, campaign("a", 2), dir, "team/plans/a.yaml") // watched again
				w.wait("a=2")

				must(t, os.RemoveAll(gone))
				w.waitFault("cannot be read")
				write(t, campaign("a", 3), dir, "team/plans/a.yaml")
				w.wait("a=3")
				w.wantHistory("a=2", "a=3")
			})
		})
	}
}

func TestPlans_KeepsTheLastGoodSetAndReportsAFaultOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		write(t, campaign("a", 1), dir, "a.yaml")
		w := observe(t, dir).start()
		good := w.Set()
		put := func(text, name string) { must(t, os.Rename(write(t, text, dir, ".new"), filepath.Join(dir, name))) }

		put(broken, "b.yaml")
		w.waitFault("b.yaml")
		for range 3 {
			loads := w.loads.Load()
			w.Reload()
			eventually(t, "one more look at the same fault", func() bool { return w.loads.Load() > loads })
		}
		if w.Set() != good {
			t.Errorf("in force: got %s, want the very set that was good", plans(w.Set()))
		}
		must(t, os.Rename(filepath.Join(dir, "b.yaml"), filepath.Join(dir, "c.yaml")))
		w.waitFault("c.yaml")
		put(campaign("c", 3), "c.yaml")
		w.wait("a=1 c=3")
		put(broken, "c.yaml")
		w.waitFault("c.yaml")
		w.stop()

		_, faults := w.reported()
		for i, file := range []string{"b.yaml", "c.yaml", "c.yaml"} { // the last again, since it was fixed in between
			if len(faults) != 3 || !strings.Contains(faults[i], file) {
				t.Fatalf("faults reported: got %q, want one each of b.yaml, c.yaml, c.yaml", faults)
			}
		}
		w.wantHistory("a=1 c=3")
	})
}

func TestPlans_CommentFixesAFaultWithoutAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		file := write(t, campaign("a", 1), dir, "a.yaml")
		w := observe(t, dir).start()
		write(t, broken, file)
		w.waitFault("a.yaml")
		write(t, "# as it was\n"+campaign("a", 1), file)
		w.wait("a=1")
		if line := w.Set().Campaigns[0].Position.Line; line != 4 {
			t.Errorf("got line %d, want line 4 of the file as it is", line)
		}
		w.stop()
		w.wantHistory()
	})
}

func TestPlans_MissesNoFaultOfAFileThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		write(t, campaign("a", 1), dir, "a.yaml")
		link := filepath.Join(dir, "b.yaml")

		w := observe(t, dir).start()
		must(t, os.Symlink("nowhere", link))
		w.waitFault("b.yaml:1:1: file: cannot be read")
		write(t, campaign("b", 2), dir, "nowhere")
		w.wait("a=1 b=2")
	})
}

func TestPlans_SeesPermissionsFixed(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root reads every file; TestPlans_MissesNoFaultOfAFileThatCannotBeRead has a way that root cannot read either")
	}
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		file := write(t, campaign("a", 1), dir, "a.yaml")
		w := observe(t, dir).start()
		must(t, os.Chmod(file, 0))
		w.waitFault("cannot be read")
		must(t, os.Chmod(file, 0o644))
		w.wait("a=1")
	})
}

func TestPlans_ThousandFilesOneChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		thousand(t, dir)
		w := observe(t, dir).start()
		write(t, campaign("c0500", 5000), dir, "07", "c0500.yaml")
		eventually(t, "a change", func() bool { changes, _ := w.reported(); return len(changes) > 0 })
		w.stop()
		changes, _ := w.reported()
		if len(changes) != 1 {
			t.Fatalf("changes: got %d, want 1", len(changes))
		}
		if got, want := plan.Changed(changes[0].old, changes[0].new), []string{"c0500"}; !slices.Equal(got, want) {
			t.Errorf("Changed: got %q, want %q", got, want)
		}
	})
}

// thousand writes 1,000 plans in ten folders; c0500 is in 07.
func thousand(t testing.TB, dir string) {
	for n := range 1000 {
		id := fmt.Sprintf("c%04d", n)
		folder := fmt.Sprintf("%02d", (n+7)%10)
		write(t, campaign(id, n+1), dir, folder, id+".yaml")
	}
}

func TestPlans_BurstOfWritesIsFewLoads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		write(t, campaign("a", 1), dir, "a.yaml")
		w := observe(t, dir).start()
		before := w.loads.Load()
		time.Sleep(quickPoll / 8) // so that no write coincides with a check
		for n := 1; n <= 500; n++ {
			write(t, campaign("a", n), dir, "a.yaml")
			time.Sleep(quickPoll / 4)
		}
		w.wait("a=500")
		if got := w.loads.Load() - before; got != 1 {
			t.Errorf("loads: got %d, want 1", got)
		}
	})
}

func TestPlans_WatchesFoldersThatComeLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		write(t, campaign("a", 1), dir, "a.yaml")
		w := observe(t, dir).start()
		deep := write(t, campaign("b", 2), dir, "x/y/z/b.yaml")
		w.wait("a=1 b=2")
		write(t, campaign("b", 3), deep)
		w.wait("a=1 b=3")
		// A folder under another name.
		must(t, os.Rename(filepath.Join(dir, "x"), filepath.Join(dir, "w")))
		write(t, campaign("b", 4), dir, "w/y/z/b.yaml")
		w.wait("a=1 b=4")
		write(t, campaign("b", 5), dir, "w/y/z/b.yaml")
		w.wait("a=1 b=5")
		must(t, os.RemoveAll(filepath.Join(dir, "w")))
		w.wait("a=1")
	})
}

func TestPlans_SeesAFileRenamedAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, elsewhere := t.TempDir(), t.TempDir()
		write(t, campaign("a", 1), dir, "a.yaml")
		b := write(t, campaign("b", 2), dir, "b.yaml")
		w := observe(t, dir).start()
		must(t, os.Rename(b, filepath.Join(elsewhere, "b.yaml")))
		w.wait("a=1")
	})
}

func TestPlans_SeesANumbersFileAsPackagePlanReadsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		file := write(t, strings.Replace(campaign("a", 1), "numbers:", "numbers_file: numbers/spring.csv\n    numbers:", 1), dir, "a.yaml")
		list := write(t, "+15552000008\n", dir, "numbers/spring.csv")
		w := observe(t, file).start()
		write(t, "+15552000009\n", list)
		eventually(t, "the other number", func() bool {
			return slices.Equal(w.Set().Campaigns[0].Numbers, []plan.E164{number(1), number(9)})
		})
	})
}

// A numbers file that is still being copied when a plan names it is not taken in part.
func TestPlans_WaitsForANumbersFileThatIsNewlyNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		file := write(t, campaign("a", 1), dir, "a.yaml")
		p, err := WatchPlans(file)
		must(t, err)
		var got []int // read once Run has ended
		p.OnChange(func(_, set *plan.Set) { got = append(got, len(set.Campaigns[0].Numbers)) })
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); p.Run(ctx) }()
		text := ""
		time.Sleep(pollEvery / 2) // so that no write coincides with a poll
		for n := range 10 {
			text += string(number(n+2)) + "\n"
			write(t, text, dir, "list.csv")
			if n == 0 {
				write(t, strings.Replace(campaign("a", 1), "numbers:", "numbers_file: list.csv\n    numbers:", 1), file)
			}
			time.Sleep(pollEvery)
		}
		time.Sleep(5 * pollEvery)
		cancel()
		<-ended
		if want := []int{11}; !slices.Equal(got, want) {
			t.Errorf("sets with so many numbers were in force: got %v, want %v", got, want)
		}
	})
}

func TestPlans_ReportInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		write(t, campaign("a", 1), dir, "a.yaml")
		w := observe(t, dir)
		first := w.Set()
		w.start()
		for n := 2; n < 20; n++ {
			must(t, os.Rename(write(t, campaign("a", n), dir, ".a"), filepath.Join(dir, "a.yaml")))
			w.wait(fmt.Sprintf("a=%d", n))
		}
		w.stop()
		changes, _ := w.reported()
		if len(changes) != 18 {
			t.Errorf("changes: got %d, want 18", len(changes))
		}
		before := plans(first)
		for _, c := range changes {
			if plans(c.old) != before {
				t.Errorf("change to %s: got old %s, want %s", plans(c.new), plans(c.old), before)
			}
			before = plans(c.new)
		}
	})
}

// TestPlans_SetIsAlwaysWhole reads without pause while the plan changes.
func TestPlans_SetIsAlwaysWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, campaign("a", 1), dir, "a.yaml")
	w := observe(t, dir).start()
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for last := ""; ; {
				select {
				case <-done:
					return
				default:
				}
				set := w.Set()
				_ = w.Err()
				if set.Hash == last {
					continue
				}
				last = set.Hash
				if text, err := set.YAML(); err != nil {
					t.Error(err)
				} else if again, err := plan.LoadBytes("again", text); err != nil || again.Hash != last {
					t.Errorf("hash %s is not that of the content, %v:\n%s", last, err, text)
				}
			}
		})
	}
	for n := 2; n <= 100; n++ {
		must(t, os.Rename(write(t, campaign("a", n), dir, ".a"), filepath.Join(dir, "a.yaml")))
		w.Reload()
	}
	w.wait("a=100")
	close(done)
	readers.Wait()
}

// A start with a broken plan uses the set that was in force before, if it was kept, and the
// corrected plan after that.
func TestPlans_StartWithBrokenFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		path, kept := write(t, campaign("C1", 1), dir, "plans", "a.yaml"), filepath.Join(dir, "kept.yaml")
		good, err := WatchPlans(path)
		must(t, err)
		must(t, good.Keep(kept))
		must(t, good.store(good.Set()))

		write(t, broken, path)
		first, err := WatchPlans(path)
		if err == nil || first.Set() != nil || first.Err() == nil {
			t.Fatalf("got %v, %v; want no set, and why", first.Set(), err)
		}
		must(t, first.Keep(filepath.Join(dir, "none.yaml")))
		select {
		case <-first.inForce:
			t.Error("a set is in force without a good file")
		default:
		}
		if err := first.Keep(write(t, broken, dir, "spoiled.yaml")); err == nil {
			t.Error("got no error for a kept file that cannot be used")
		}

		w := observe(t, path)
		must(t, w.Keep(kept))
		if got, want := w.Set().Hash, good.Set().Hash; got != want || w.Err() == nil {
			t.Errorf("got set %s, %v; want the kept one, %s, and why", got, w.Err(), want)
		}
		w.start()
		write(t, campaign("C1", 2), path)
		eventually(t, "the corrected plan is in force", func() bool { return plans(w.Set()) == "C1=2" && w.Err() == nil })
		if changes, _ := w.reported(); len(changes) != 1 || plans(changes[0].old) != "C1=1" {
			t.Errorf("got %v, want one change, from the kept set", changes)
		}
	})
}
