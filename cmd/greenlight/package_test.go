package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

var updateEnv = flag.Bool("update-env", false, "rewrite deploy/package/greenlight.env")

const serviceUnit = "deploy/package/greenlight.service"

// The packages' file of settings has every variable that greenlight up reads, with its help,
// its default, and commented out. The unit sets those of the folders, and has a credential
// for each file that its user could not read.
func TestPackage_EnvironmentFileHasEverySetting(t *testing.T) {
	defaults, credentials := map[string]string{}, map[string]bool{}
	for line := range strings.Lines(read(t, filepath.Join(root, serviceUnit))) {
		if set, found := strings.CutPrefix(line, "Environment="); found {
			for _, one := range strings.Fields(set) {
				name, value, _ := strings.Cut(one, "=")
				defaults[name] = value
			}
		}
	}
	for _, line := range regexp.MustCompile(`(?m)^#LoadCredential=([a-z-]+):/etc/greenlight/\S+$`).FindAllStringSubmatch(read(t, filepath.Join(root, serviceUnit)), -1) {
		credentials[line[1]] = true
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
		"# setting to change it, then run: systemctl restart greenlight\n" +
		"# Files in /run/credentials need LoadCredential lines: copy those of greenlight.service to\n" +
		"# systemctl edit greenlight. A restart reads such files again, and a reload does not.\n")
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
		if secret, is := strings.CutSuffix(name, "_FILE"); is || name == "TLS_CERT" || name == "TLS_KEY" {
			credential := strings.ReplaceAll(strings.ToLower(secret), "_", "-")
			if !credentials[credential] {
				t.Errorf("%s has no credential %s", serviceUnit, credential)
			}
			value = "/run/credentials/greenlight.service/" + credential
		}
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
