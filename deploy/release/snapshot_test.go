package release_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"greenlight/internal/app"
)

// dist is where make snapshot puts the files of a release.
const dist = root + "/dist"

// snapshot skips a test unless make snapshot runs it, and returns the archives that it made.
func snapshot(t *testing.T) (archives []string) {
	t.Helper()
	if os.Getenv("GREENLIGHT_SNAPSHOT") == "" {
		t.Skip("it reads dist; make snapshot makes that, and runs it")
	}
	archives, err := filepath.Glob(dist + "/*.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	if len(archives) != 4 {
		t.Fatalf("got %q, want an archive of Linux and of macOS, for amd64 and for arm64", archives)
	}
	return archives
}

// Every file has a checksum, which is correct.
func TestSnapshot_EachFileHasItsChecksum(t *testing.T) {
	var names []string
	for _, archive := range snapshot(t) {
		names = append(names, archive, archive+".sbom.json")
	}
	for _, format := range []string{"deb", "rpm", "apk"} {
		packages, err := filepath.Glob(dist + "/*." + format)
		if err != nil || len(packages) != 2 {
			t.Errorf("got %q, %v; want a .%s for amd64 and for arm64", packages, err, format)
		}
		names = append(names, packages...)
	}
	want := map[string]string{}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		want[filepath.Base(name)] = hex.EncodeToString(sum[:])
	}
	if cask := read(t, "dist/homebrew/Casks/greenlight.rb"); !strings.Contains(cask, `binary "greenlight"`) || !strings.Contains(cask, `manpage "man/greenlight.1"`) {
		t.Errorf("the cask is\n%s", cask)
	}
	for line := range strings.Lines(read(t, "dist/SHA256SUMS")) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if want[name] != sum {
			t.Errorf("the sum of %s is %s, want %q", name, sum, want[name])
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("%s has no sum", name)
	}
}

// parts is the part of an SPDX document that the test reads.
type parts struct {
	SPDXVersion string `json:"spdxVersion"`
	Packages    []struct {
		Name    string `json:"name"`
		Version string `json:"versionInfo"`
	} `json:"packages"`
	Files []file `json:"files"`
}

type file struct {
	Name string `json:"fileName"`
}

// An SPDX document names each program of its archive, and each linked module with its
// version, so that users can find vulnerable modules.
func TestSnapshot_ListsOfPartsNameEachProgramAndModule(t *testing.T) {
	for _, archive := range snapshot(t) {
		var list parts
		text, err := os.ReadFile(archive + ".sbom.json")
		if err := errors.Join(err, json.Unmarshal(text, &list)); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(list.SPDXVersion, "SPDX-") {
			t.Errorf("%s: the list is in the form %q", archive, list.SPDXVersion)
		}
		listed := map[string]bool{}
		for _, p := range list.Packages {
			listed[p.Name+" "+p.Version] = true
		}
		modules := map[string]bool{}
		for name, program := range programs(t, archive) {
			info, err := buildinfo.Read(bytes.NewReader(program))
			if err != nil {
				t.Fatal(err)
			}
			for _, module := range info.Deps {
				modules[module.Path+" "+module.Version] = true
			}
			modules["stdlib "+info.GoVersion] = true
			if !slices.ContainsFunc(list.Files, func(f file) bool { return filepath.Base(f.Name) == name }) {
				t.Errorf("%s: the list does not name the program %s", archive, name)
			}
		}
		if len(modules) < 20 {
			t.Errorf("%s: only %d modules are in the programs, so this shows nothing", archive, len(modules))
		}
		for module := range modules {
			if !listed[module] {
				t.Errorf("%s: the list does not name %s", archive, module)
			}
		}
		t.Logf("%s: %d parts are listed, %d modules are in the programs", filepath.Base(archive), len(list.Packages), len(modules))
	}
}

// The programs of an archive print the commit that is checked out, like those of make build
// and of an image.
func TestSnapshot_ProgramsSayWhatTheyAre(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "sh", filepath.Join(root, "deploy/version.sh"), "print").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, archive := range snapshot(t) {
		if !strings.HasSuffix(archive, "_"+runtime.GOOS+"_"+runtime.GOARCH+".tar.gz") {
			continue
		}
		program := filepath.Join(t.TempDir(), "greenlight")
		if err := os.WriteFile(program, programs(t, archive)["greenlight"], 0o700); err != nil {
			t.Fatal(err)
		}
		says, err := exec.CommandContext(t.Context(), program, "version", "--json").Output()
		var build app.Build
		if err := errors.Join(err, json.Unmarshal(says, &build)); err != nil {
			t.Fatal(err)
		}
		if build.Commit == "none" {
			t.Skip("git has no remote here, without which goreleaser knows of no commit on trial and makes no release")
		}
		// goreleaser refuses to release changed sources, so +dirty does not occur.
		want := strings.ReplaceAll(string(out), "+dirty\n", "\n")
		if !strings.HasSuffix(want, "COMMIT="+build.Commit+"\nDATE="+build.Date+"\n") {
			t.Errorf("%s says %s, and version.sh\n%s", archive, says, out)
		}
	}
}

// programs returns the commands in an archive by name. It fails if one is missing.
func programs(t *testing.T, archive string) map[string][]byte {
	t.Helper()
	file, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]byte{}
	for entries := tar.NewReader(unzipped); ; {
		entry, err := entries.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if name := filepath.Base(entry.Name); most[name] > 0 && entry.Typeflag == tar.TypeReg {
			if found[name], err = io.ReadAll(entries); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(found) != len(most) {
		t.Fatalf("%s has %d programs, want %d", archive, len(found), len(most))
	}
	return found
}
