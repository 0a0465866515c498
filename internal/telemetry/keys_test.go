package telemetry_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

func TestKeys_AreDistinctWords(t *testing.T) {
	parsed, err := parser.ParseFile(token.NewFileSet(), "keys.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	// zerolog's own fields, which another key must not repeat.
	seen := map[string]string{
		zerolog.LevelFieldName: "zerolog", zerolog.TimestampFieldName: "zerolog", zerolog.ErrorFieldName: "zerolog",
	}
	keys := 0
	for node := range ast.Preorder(parsed) {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Key") {
			continue
		}
		keys++
		name, word := spec.Names[0].Name, strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`)
		if other, twice := seen[word]; twice {
			t.Errorf("%s is %q, as %s is", name, word, other)
		}
		seen[word] = name
		if strings.Trim(word, "abcdefghijklmnopqrstuvwxyz_") != "" {
			t.Errorf("%s is %q, want small letters and underscores", name, word)
		}
	}
	if keys == 0 {
		t.Error("found no keys")
	}
}
