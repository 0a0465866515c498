// Package plantest reads the release configuration as goreleaser does. It is a separate
// module, because goreleaser's reader needs sixty modules that Greenlight does not use.
package plantest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goreleaser/goreleaser/v2/pkg/config"
)

const (
	root     = "../../.."
	planFile = root + "/.goreleaser.yaml"
)

func load(t *testing.T) config.Project {
	t.Helper()
	plan, err := config.Load(planFile)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// The other tests would not notice a misspelled key.
func TestLoad_RefusesWhatItDoesNotKnow(t *testing.T) {
	text, err := os.ReadFile(planFile)
	if err != nil {
		t.Fatal(err)
	}
	spoilt := strings.Replace(string(text), "mod_timestamp:", "mod_timestmap:", 1)
	if _, err := config.LoadReader(strings.NewReader(spoilt)); err == nil {
		t.Error("a field that does not exist was taken")
	}
}

// The test uses the version of goreleaser that reads it in a release.
func TestReader_IsThatOfTheMakefile(t *testing.T) {
	pin := regexp.MustCompile(`github\.com/goreleaser/goreleaser/v2[@ ](v\S+)`)
	var pinned []string
	for _, name := range []string{root + "/Makefile", "go.mod"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found := pin.FindSubmatch(text)
		if found == nil {
			t.Fatalf("%s names no goreleaser", name)
		}
		pinned = append(pinned, string(found[1]))
	}
	if pinned[0] != pinned[1] {
		t.Errorf("the Makefile runs goreleaser %s, and %s is tested", pinned[0], pinned[1])
	}
}

// Every command is built statically for every system, without paths or times of the build.
func TestBuilds_AreOfEachCommandAndTellOnlyOfTheCommit(t *testing.T) {
	plan := load(t)
	if plan.Version != 2 {
		t.Errorf("version %d, want 2", plan.Version)
	}
	commands, err := filepath.Glob(root + "/cmd/*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, main := range commands {
		want = append(want, filepath.Base(filepath.Dir(main)))
	}
	for _, build := range plan.Builds {
		got = append(got, build.Binary)
		if build.Main != "./cmd/"+build.Binary || build.ID != build.Binary {
			t.Errorf("%s: main %q, id %q", build.Binary, build.Main, build.ID)
		}
		if !slices.Equal(build.Env, []string{"CGO_ENABLED=0"}) {
			t.Errorf("%s: env %v", build.Binary, build.Env)
		}
		if !slices.Equal(build.Goos, []string{"linux", "darwin"}) || !slices.Equal(build.Goarch, []string{"amd64", "arm64"}) {
			t.Errorf("%s: for %v on %v; try others with go build before they are listed", build.Binary, build.Goos, build.Goarch)
		}
		for _, flag := range []string{"-trimpath", "-buildvcs=false"} {
			if !slices.Contains(build.Flags, flag) {
				t.Errorf("%s: flags %v, without %s", build.Binary, build.Flags, flag)
			}
		}
		for _, flag := range []string{"-s -w", "app.version={{ .Version }}", "app.commit={{ .FullCommit }}", "app.date={{ .CommitDate }}"} {
			if !strings.Contains(strings.Join(build.Ldflags, " "), flag) {
				t.Errorf("%s: ldflags %v, without %s", build.Binary, build.Ldflags, flag)
			}
		}
		if build.ModTimestamp != "{{ .CommitTimestamp }}" {
			t.Errorf("%s: mod_timestamp %q", build.Binary, build.ModTimestamp)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("builds %v, want %v", got, want)
	}
}

// Each system has one reproducible archive with all programs and the files that they need,
// a checksum and an SPDX document.
func TestArchives_HoldAllAndTellOnlyOfTheCommit(t *testing.T) {
	plan := load(t)
	if len(plan.Archives) != 1 {
		t.Fatalf("%d archives a system, want one", len(plan.Archives))
	}
	archive := plan.Archives[0]
	for _, build := range plan.Builds {
		if !slices.Contains(archive.IDs, build.ID) {
			t.Errorf("no archive has %s", build.ID)
		}
	}
	infos := map[string]config.FileInfo{"programs": archive.BuildsInfo}
	for _, file := range archive.Files {
		infos[file.Source] = file.Info
		if _, err := os.Stat(filepath.Join(root, file.Source)); err != nil {
			t.Error(err)
		}
	}
	for _, wanted := range []string{"LICENSE", "README.md", "CHANGELOG.md", "config/plan.example.yaml"} {
		if _, there := infos[wanted]; !there {
			t.Errorf("no archive has %s", wanted)
		}
	}
	for name, info := range infos {
		mode := os.FileMode(0o644)
		if name == "programs" {
			mode = 0o755
		}
		if info.Mode != mode {
			t.Errorf("%s: mode %o, want %o", name, info.Mode, mode)
		}
		if info.MTime != "{{ .CommitDate }}" || info.Owner != "root" || info.Group != "root" {
			t.Errorf("%s: %+v has data of the build machine", name, info)
		}
	}
	if plan.Checksum.NameTemplate == "" || plan.Checksum.Disable {
		t.Errorf("checksum %+v", plan.Checksum)
	}
	if len(plan.SBOMs) != 1 || plan.SBOMs[0].Artifacts != "archive" {
		t.Errorf("lists of parts %+v", plan.SBOMs)
	}
}
