package app

import (
	"bytes"
	"runtime/debug"
	"testing"
)

func TestBuild_ComesFromTheLinkerElseFromGo(t *testing.T) {
	const revision = "fa859393c2f9bbb375d96589946d58f3a5dd01f7"
	noted := func(modified string) *debug.BuildInfo {
		return &debug.BuildInfo{Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: revision}, {Key: "vcs.time", Value: "2026-11-26T12:48:39Z"}, {Key: "vcs.modified", Value: modified},
		}}
	}
	for _, test := range []struct {
		name                  string
		version, commit, date string
		info                  *debug.BuildInfo
		wantVersion, want     string // want without the part about Go
	}{
		{"set by the linker", "1.2.3", "abc", "2026-01-02T03:04:05Z", noted("true"), "1.2.3", "1.2.3 (commit abc, 2026-01-02T03:04:05Z, "},
		{"a tag with its v", "v1.2.3", "abc", "", nil, "1.2.3", "1.2.3 (commit abc, "},
		{"noted by Go", "", "", "", noted("false"), "devel", "devel (commit fa859393c2f9, 2026-11-26T12:48:39Z, "},
		{"changed since", "", "", "", noted("true"), "devel", "devel (commit fa859393c2f9+dirty, 2026-11-26T12:48:39Z, "},
		{"a version alone", "1.2.3", "", "", noted("false"), "1.2.3", "1.2.3 (commit fa859393c2f9, 2026-11-26T12:48:39Z, "},
		{"no working copy", "", "", "", &debug.BuildInfo{}, "devel", "devel ("},
		{"nothing known", "", "", "", nil, "devel", "devel ("},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := buildOf(test.version, test.commit, test.date, test.info)
			if got.Version != test.wantVersion {
				t.Errorf("got version %q, want %q", got.Version, test.wantVersion)
			}
			if want := test.want + got.Go + ", " + got.Platform + ")"; got.String() != want {
				t.Errorf("got %q, want %q", got, want)
			}
			if got, want := got.UserAgent(), "greenlight/"+test.wantVersion; got != want {
				t.Errorf("got User-Agent %q, want %q", got, want)
			}
		})
	}
}

func TestTelnyxClient_NamesItself(t *testing.T) {
	var faults Faults
	client := Telnyx{APIKey: "KEY", BaseURL: "https://api.telnyx.com/v2"}.client(&faults)
	if got, want := client.UserAgent, ThisBuild().UserAgent(); got != want || len(faults) > 0 {
		t.Errorf("got %q, want %q; faults %v", got, want, faults)
	}
}

func TestVersion_EndsTheCommandLine(t *testing.T) {
	var cli struct {
		Version
		Needed string `required:""`
	}
	var out bytes.Buffer
	_, done, err := Parse(&cli, "webhook", "Tests.", []string{"--version"}, &out)
	if got, want := out.String(), "webhook "+ThisBuild().String()+"\n"; !done || err != nil || got != want {
		t.Errorf("got %q, done %t, %v; want %q and nothing more to do", got, done, err, want)
	}
}
