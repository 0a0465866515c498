package app

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"
)

// What a release says it is. The linker sets these:
//
//	-ldflags '-X greenlight/internal/app.version=1.2.3 -X …commit=… -X …date=…'
//
// make build, the Dockerfile and .goreleaser.yaml do so.
var version, commit, date string

// noVersion is the version of a program that nobody released.
const noVersion = "devel"

// Build is what a program was built from, and with what.
type Build struct {
	// Version is the release's, without a v before it. It begins with "devel" if nobody
	// released it.
	Version string `json:"version"`
	// Commit is the revision in full, with "+dirty" after it if files were changed
	// since; empty if that is not known.
	Commit string `json:"commit,omitempty"`
	// Date is the commit's, in RFC 3339; empty if that is not known. It is not the
	// time of building, so that building twice gives the same bytes.
	Date string `json:"date,omitempty"`
	// Go is the version of Go, such as "go1.26.8".
	Go string `json:"go"`
	// Platform is what the program runs on, such as "linux/amd64".
	Platform string `json:"platform"`
}

// ThisBuild returns what the running program was built from: what the linker was told,
// else what Go noted of the working copy.
func ThisBuild() Build {
	info, _ := debug.ReadBuildInfo()
	return buildOf(version, commit, date, info)
}

// buildOf puts a build together; info may be nil.
func buildOf(version, commit, date string, info *debug.BuildInfo) Build {
	b := Build{
		Version: cmp.Or(strings.TrimPrefix(version, "v"), noVersion), Commit: commit, Date: date,
		Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if commit != "" || info == nil {
		return b
	}
	noted := make(map[string]string)
	for _, setting := range info.Settings {
		noted[setting.Key] = setting.Value
	}
	b.Commit = noted["vcs.revision"]
	b.Date = cmp.Or(date, noted["vcs.time"])
	if b.Commit != "" && noted["vcs.modified"] == "true" {
		b.Commit += "+dirty"
	}
	return b
}

// String returns a line for people without the program's name, such as
// "1.2.3 (commit fa859393c2f9, 2026-11-26T12:48:39Z, go1.26.8, linux/amd64)".
func (b Build) String() string {
	var about []string
	if b.Commit != "" {
		revision, dirty, changed := strings.Cut(b.Commit, "+")
		revision = revision[:min(len(revision), 12)]
		if changed {
			revision += "+" + dirty
		}
		about = append(about, "commit "+revision)
	}
	if b.Date != "" {
		about = append(about, b.Date)
	}
	return fmt.Sprintf("%s (%s)", b.Version, strings.Join(append(about, b.Go, b.Platform), ", "))
}

// UserAgent is how the program names itself to others over HTTP.
func (b Build) UserAgent() string { return "greenlight/" + b.Version }

// Version is the flag that tells which version a program is.
type Version struct {
	Version kong.VersionFlag `name:"version" help:"Tell which version this is, and end."`
}
