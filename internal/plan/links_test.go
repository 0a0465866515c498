package plan

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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

func TestFingerprint_ChangesWithEachFileThatCounts(t *testing.T) {
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
		before := Fingerprint(path, set)
		if after := Fingerprint(path, set); after != before {
			t.Errorf("%s: got %s, then %s, without a change", path, before, after)
		}
		for name, data := range map[string]string{"plan.yaml": linkedPlan + "# more\n", "spring.txt": "+15551234567\n# more\n"} {
			write(t, dir, name, []byte(data))
			after := Fingerprint(path, set)
			if after == before {
				t.Errorf("%s: a change of %s is not seen", path, name)
			}
			before = after
		}
		write(t, dir, "plan.yaml", []byte(linkedPlan))
		write(t, dir, "spring.txt", []byte("+15551234567\n"))
	}
	before := Fingerprint(dir, set)
	write(t, dir, "more/plan.yml", []byte(""))
	if Fingerprint(dir, set) == before {
		t.Error("a file that is added is not seen")
	}
	before = Fingerprint(dir, set)
	if err := os.Chmod(filepath.Join(dir, "plan.yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	if Fingerprint(dir, set) == before {
		t.Error("a change of permissions is not seen")
	}
}

// Files of the Nix store and of reproducible images all have the same time.
func TestFingerprint_SeesWhatKeepsItsSizeAndTime(t *testing.T) {
	dir, old := t.TempDir(), time.Now().Add(-20*365*24*time.Hour)
	write(t, dir, "plan.yaml", []byte(linkedPlan))
	write(t, dir, "one", []byte("+15551234567\n"))
	write(t, dir, "other", []byte("+15551234568\n"))
	path := filepath.Join(dir, "spring.txt")
	link(t, "one", path)
	set, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	stamp := func() {
		for _, name := range []string{"plan.yaml", "one", "other", ""} {
			if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	stamp()
	before := Fingerprint(dir, set)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	link(t, "other", path)
	stamp()
	linked := Fingerprint(dir, set)
	write(t, dir, "other", []byte("+15551234569\n"))
	stamp()
	if edited := Fingerprint(dir, set); linked == before || edited == linked {
		t.Errorf("got %s, after another link %s, after an edit %s", before, linked, edited)
	}
}
