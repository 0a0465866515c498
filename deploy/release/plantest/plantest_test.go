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
	root = "../../.."
	// generated is where make generated writes, before anything is packed.
	generated = "deploy/package/generated/"
	planFile  = root + "/.goreleaser.yaml"
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
	var pinned []string
	for _, pin := range []struct{ name, line string }{
		{root + "/Makefile", `GORELEASER_VERSION = (v\S+)`}, {"go.mod", `github\.com/goreleaser/goreleaser/v2 (v\S+)`},
	} {
		name := pin.name
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(pin.line).FindSubmatch(text)
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
	infos, stamped := map[string]config.FileInfo{"programs": archive.BuildsInfo}, false
	for _, file := range archive.Files {
		stamped = stamped || file.Source == generated+"Chart.yaml" && file.Destination == "deploy/helm/greenlight/Chart.yaml"
		infos[file.Source] = file.Info
		if strings.HasPrefix(file.Source, generated) {
			continue
		}
		if _, err := os.Stat(filepath.Join(root, file.Source)); err != nil {
			t.Error(err)
		}
	}
	if !stamped {
		t.Error("no archive has the chart with the release as its appVersion")
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

// Each system's packages have the service, its settings, which an upgrade keeps, the manual
// page and the completions. Nothing but the commit decides their times.
func TestPackages_HoldTheServiceAndItsSettings(t *testing.T) {
	plan := load(t)
	if len(plan.NFPMs) != 1 {
		t.Fatalf("%d packages, want one", len(plan.NFPMs))
	}
	pack := plan.NFPMs[0]
	if !slices.Equal(pack.Formats, []string{"deb", "rpm", "apk"}) || pack.MTime != "{{ .CommitDate }}" || pack.Maintainer == "" {
		t.Errorf("formats %v, time %q, maintainer %q", pack.Formats, pack.MTime, pack.Maintainer)
	}
	for _, script := range []string{pack.Scripts.PostInstall, pack.Scripts.PreRemove, pack.Scripts.PostRemove} {
		if _, err := os.Stat(filepath.Join(root, script)); script == "" || err != nil {
			t.Errorf("script %q: %v", script, err)
		}
	}
	for _, format := range pack.Formats {
		modes := map[string]os.FileMode{}
		for _, content := range pack.Contents {
			if content.Packager != "" && content.Packager != format {
				continue
			}
			modes[content.Destination] = content.FileInfo.Mode
			if content.FileInfo.MTime != "{{ .CommitDate }}" {
				t.Errorf("%s has time %q", content.Destination, content.FileInfo.MTime)
			}
			if content.Destination == "/etc/greenlight/greenlight.env" && content.Type != "config|noreplace" {
				t.Errorf("an upgrade would replace %s", content.Destination)
			}
		}
		zsh := "/usr/share/zsh/site-functions/_greenlight"
		if format == "deb" {
			zsh = "/usr/share/zsh/vendor-completions/_greenlight"
		}
		unit := os.FileMode(0o644)
		if format == "apk" {
			unit = 0 // not there
		}
		for name, want := range map[string]os.FileMode{
			"/usr/lib/systemd/system/greenlight.service": unit, "/etc/greenlight/greenlight.env": 0o600, "/etc/greenlight/plans": 0o755,
			"/usr/share/man/man1/greenlight.1.gz": 0o644, "/usr/share/bash-completion/completions/greenlight": 0o644, zsh: 0o644,
			"/usr/share/fish/vendor_completions.d/greenlight.fish": 0o644,
		} {
			if modes[name] != want {
				t.Errorf("%s: %s has mode %o, want %o", format, name, modes[name], want)
			}
		}
	}
}

// The checksums are signed without a key, and Homebrew's cask is made from the archives.
func TestRelease_IsSignedAndHasACask(t *testing.T) {
	plan := load(t)
	if len(plan.Signs) != 1 || plan.Signs[0].Cmd != "cosign" || plan.Signs[0].Artifacts != "checksum" || slices.ContainsFunc(plan.Signs[0].Args, func(arg string) bool {
		return strings.HasPrefix(arg, "--key")
	}) {
		t.Errorf("signatures %+v", plan.Signs)
	}
	if len(plan.Casks) != 1 || plan.Casks[0].Repository.Name == "" || !slices.Equal(plan.Casks[0].GenerateCompletionsFromExecutable.Args, []string{"completion"}) {
		t.Errorf("casks %+v", plan.Casks)
	}
}
