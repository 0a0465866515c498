package plan

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const linkedPlan = "version: 1\ncampaigns:\n  - {name: spring, tcr_campaign_id: C6X6M95, numbers_file: spring.txt}\n"

// A link in a pull request must not make CI print a file of the machine.
func TestLoad_FollowsNoLinkOutOfTheFolder(t *testing.T) {
	secret := write(t, t.TempDir(), "passwd", []byte("s3cret"))
	for name, stage := range map[string]func(dir string) (path string){
		"a plan in the folder": func(dir string) string { link(t, secret, filepath.Join(dir, "plan.yaml")); return dir },
		"the plan itself": func(dir string) string {
			link(t, secret, filepath.Join(dir, "plan.yaml"))
			return filepath.Join(dir, "plan.yaml")
		},
		"through the parent folder": func(dir string) string {
			link(t, "../"+filepath.Base(filepath.Dir(secret))+"/passwd", filepath.Join(dir, "plan.yaml"))
			return dir
		},
		"the numbers file": func(dir string) string {
			write(t, dir, "plan.yaml", []byte(linkedPlan))
			link(t, secret, filepath.Join(dir, "spring.txt"))
			return dir
		},
		"the folder, by a relative path": func(dir string) string {
			t.Chdir(dir)
			link(t, filepath.Dir(secret), "plans")
			write(t, filepath.Dir(secret), "plan.yaml", []byte("s3cret"))
			return "plans"
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(stage(t.TempDir()))
			if err == nil || !strings.Contains(err.Error(), "path escapes from parent") || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Kubernetes mounts a ConfigMap as links to ..data, which is a link to a folder.
func TestLoad_FollowsTheLinksOfAConfigMap(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "..2026_11_30/plan.yaml", []byte(linkedPlan))
	write(t, dir, "..2026_11_30/spring.txt", []byte("+15551234567\n"))
	link(t, "..2026_11_30", filepath.Join(dir, "..data"))
	link(t, "..data/plan.yaml", filepath.Join(dir, "plan.yaml"))
	link(t, "..data/spring.txt", filepath.Join(dir, "spring.txt"))
	for _, path := range []string{dir, filepath.Join(dir, "plan.yaml")} {
		set, err := Load(path)
		if err != nil || len(set.Campaigns) != 1 || len(set.Campaigns[0].Numbers) != 1 {
			t.Errorf("%s: got %+v, %v", path, set, err)
		}
	}
}

func TestLoad_PrintsFileNamesEscaped(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a\n::error::b\x1b[2J\u202eyaml.yaml", nil)
	_, err := Load(dir)
	if err == nil || !strings.HasPrefix(err.Error(), filepath.ToSlash(dir)+`/a\n::error::b\x1b[2J\u202eyaml.yaml:1:`) || strings.ContainsAny(err.Error(), "\n\x1b\u202e") {
		t.Errorf("got %q", err)
	}
}

func TestPrintable(t *testing.T) {
	for name, want := range map[string]string{
		"plans/spring.yaml": "plans/spring.yaml", "plans/Frühling 2.yaml": "plans/Frühling 2.yaml", `a"b`: `a"b`,
		"a\tb\xff": `a\tb\xff`, "::error::x": "./::error::x", "##[group]##vso[x]": `#\x23[group]#\x23vso[x]`, "": "",
	} {
		if got := Printable(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestFingerprints_ChangeWithEachFileThatCounts(t *testing.T) {
	var prints Fingerprints
	dir := t.TempDir()
	write(t, dir, "plan.yaml", []byte(linkedPlan))
	write(t, dir, "spring.txt", []byte("+15551234567\n"))
	set, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "plan.yaml")} {
		set, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-time.Minute)
		for _, name := range []string{"plan.yaml", "spring.txt"} {
			if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
				t.Fatal(err)
			}
		}
		before := prints.Of(path, set)
		if after := prints.Of(path, set); after != before {
			t.Errorf("%s: got %s, then %s, without a change", path, before, after)
		}
		for name, data := range map[string]string{"plan.yaml": linkedPlan + "# more\n", "spring.txt": "+15551234567\n# more\n"} {
			write(t, dir, name, []byte(data))
			after := prints.Of(path, set)
			if after == before {
				t.Errorf("%s: a change of %s is not seen", path, name)
			}
			before = after
		}
		write(t, dir, "plan.yaml", []byte(linkedPlan))
		write(t, dir, "spring.txt", []byte("+15551234567\n"))
	}
	before := prints.Of(dir, set)
	write(t, dir, "more/plan.yml", []byte(""))
	if prints.Of(dir, set) == before {
		t.Error("a file that is added is not seen")
	}
	before = prints.Of(dir, set)
	if err := os.Chmod(filepath.Join(dir, "plan.yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	if prints.Of(dir, set) == before {
		t.Error("a change of permissions is not seen")
	}
}

// Files of the Nix store and of reproducible images all have the same time.
func TestFingerprints_SeeWhatKeepsItsSizeAndTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // for the time
		const long = 20 * 365 * 24 * time.Hour
		stamp := func(t *testing.T, path string, at time.Time) {
			t.Helper()
			if err := os.Chtimes(path, at, at); err != nil {
				t.Fatal(err)
			}
		}
		one, other := []byte("+15551234567\n"), []byte("+15551234568\n")
		for name, test := range map[string]struct {
			age, wait time.Duration
			change    func(t *testing.T, dir string)
		}{
			"a link that leads elsewhere": {long, 0, func(t *testing.T, dir string) {
				if err := os.Remove(filepath.Join(dir, "spring.txt")); err != nil {
					t.Fatal(err)
				}
				link(t, "other", filepath.Join(dir, "spring.txt"))
			}},
			"a file in its place": {long, 0, func(t *testing.T, dir string) {
				if err := os.Rename(filepath.Join(dir, "other"), filepath.Join(dir, "spring.txt")); err != nil {
					t.Fatal(err)
				}
			}},
			"an edit within a coarse tick of the clock": {time.Second, 0, func(t *testing.T, dir string) {
				write(t, dir, "one", other)
			}},
			"an edit in place": {long, rereadEvery, func(t *testing.T, dir string) {
				write(t, dir, "one", other)
			}},
		} {
			dir, at := t.TempDir(), time.Now().Add(-test.age)
			write(t, dir, "plan.yaml", []byte(linkedPlan))
			write(t, dir, "one", one)
			write(t, dir, "other", other)
			link(t, "one", filepath.Join(dir, "spring.txt"))
			for _, name := range []string{"plan.yaml", "one", "other"} {
				stamp(t, filepath.Join(dir, name), at)
			}
			stamp(t, dir, at)
			set, err := Load(dir)
			if err != nil {
				t.Fatal(err)
			}
			var prints Fingerprints
			before := prints.Of(dir, set)
			test.change(t, dir)
			for _, name := range []string{"one", "spring.txt"} {
				stamp(t, filepath.Join(dir, name), at)
			}
			stamp(t, dir, at)
			if test.wait > 0 && prints.Of(dir, set) != before {
				t.Errorf("%s: a file that seems unchanged is read each time", name)
			}
			time.Sleep(test.wait)
			if prints.Of(dir, set) == before {
				t.Errorf("%s: the change is not seen", name)
			}
		}
	})
}
