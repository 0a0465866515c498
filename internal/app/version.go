package app

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"greenlight/internal/events"
)

// The version of a release. The linker sets these:
//
//	-ldflags '-X greenlight/internal/app.version=1.2.3 -X …commit=… -X …date=…'
//
// make build, the Dockerfile and .goreleaser.yaml do so.
var version, commit, date string

// noVersion is the version of a build that is not a release.
const noVersion = "devel"

// Build describes how a program was built.
type Build struct {
	// Version is the release's, without a leading v, or "devel".
	Version string `json:"version"`
	// Commit is the full revision, followed by "+dirty" if files had been changed; empty if
	// unknown.
	Commit string `json:"commit,omitempty"`
	// Date is that of the commit, in RFC 3339; empty if unknown. It is not the time of the
	// build, so that two builds are equal byte for byte.
	Date string `json:"date,omitempty"`
	// Go is the version of Go, for example "go1.26.8".
	Go string `json:"go"`
	// Platform is the target, for example "linux/amd64".
	Platform string `json:"platform"`
}

// Streams say which version set them last.
func init() { events.Program = ThisBuild().Version }

// ThisBuild returns the build of the running program, as the linker set it or as Go
// recorded it from the working copy.
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

// String returns a line for people without the program's name, for example
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

// UserAgent is the program's name in HTTP requests.
func (b Build) UserAgent() string { return "greenlight/" + b.Version }
