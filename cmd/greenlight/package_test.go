package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

var updateEnv = flag.Bool("update-env", false, "rewrite deploy/package/greenlight.env")

const serviceUnit = "deploy/package/greenlight.service"

// The packages' file of settings has every variable that greenlight up reads, with its help,
// its default, and commented out. The unit sets those of the folders.
func TestPackage_EnvironmentFileHasEverySetting(t *testing.T) {
	defaults := map[string]string{}
	for line := range strings.Lines(read(t, filepath.Join(root, serviceUnit))) {
		if set, found := strings.CutPrefix(line, "Environment="); found {
			for _, one := range strings.Fields(set) {
				name, value, _ := strings.Cut(one, "=")
				defaults[name] = value
			}
		}
	}
	if len(defaults) == 0 {
		t.Errorf("%s sets no folder", serviceUnit)
	}
	parser, err := newParser(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("# Settings of greenlight.service. Only root may read this file. Remove the # before a\n" +
		"# setting to change it, then run: systemctl restart greenlight\n")
	up := parser.Model.Children[slices.IndexFunc(parser.Model.Children, func(n *kong.Node) bool { return n.Name == "up" })]
	for _, setting := range up.Flags {
		if len(setting.Envs) == 0 {
			continue
		}
		name := setting.Envs[0]
		value := setting.Default
		if own, found := defaults[name]; found {
			value = own
			delete(defaults, name)
		}
		b.WriteString("\n" + comment(strings.ReplaceAll(setting.Help, setting.Default, value)))
		fmt.Fprintf(&b, "#%s=%s\n", name, value)
	}
	b.WriteString("\n" + comment("Where traces of deliveries are sent, in OTLP over HTTP. All OTEL_ variables of OpenTelemetry's SDK count."))
	b.WriteString("#OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318\n")
	if len(defaults) > 0 {
		t.Errorf("%s sets %v, which greenlight up does not know", serviceUnit, defaults)
	}
	file := filepath.Join(root, "deploy/package/greenlight.env")
	if *updateEnv {
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(read(t, file), b.String()); diff != "" {
		t.Errorf("run go test ./cmd/greenlight -run Package -update-env (-file +settings):\n%s", diff)
	}
}

// comment wraps a text as comment lines.
func comment(text string) string {
	var b strings.Builder
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > 90 {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	return b.String() + line + "\n"
}
