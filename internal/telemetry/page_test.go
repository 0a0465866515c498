package telemetry_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"greenlight/internal/testkit/pagetest"
)

var update = flag.Bool("update", false, "write the parts of documentation pages anew that are made from the program")

// Every key is in the table, with the comment that stands over it in keys.go.
func TestKeys_AreTabledInOperations(t *testing.T) {
	parsed, err := parser.ParseFile(token.NewFileSet(), "keys.go", nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| Key | What it is |\n| --- | --- |\n")
	rows := 0
	for node := range ast.Preorder(parsed) {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Key") {
			continue
		}
		rows++
		name, key := spec.Names[0].Name, strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`)
		comment, ofItsOwn := strings.CutPrefix(strings.Join(strings.Fields(spec.Doc.Text()), " "), name+" ")
		if !ofItsOwn {
			t.Errorf("%s has no comment that begins with its name", name)
		}
		_, comment, _ = strings.Cut(comment, " ") // is, or are
		fmt.Fprintf(&table, "| `%s` | %s |\n", key, comment)
	}
	if rows < 10 {
		t.Errorf("found %d keys", rows)
	}
	pagetest.Section(t, "../../docs/operations.md", "log keys", table.String(), *update)
}

// fields are the methods of a log line that add a field by its key.
var fields = map[string]bool{
	"Str": true, "Strs": true, "Int": true, "Int64": true, "Uint64": true, "Float64": true, "Bool": true, "Dur": true,
	"Time": true, "Bytes": true, "Stringer": true, "Any": true, "Interface": true,
}

// ownKeys finds the fields of log lines whose key is written where the line is. What
// begins with a slash is a route.
func ownKeys(file *ast.File) (keys []string) {
	for node := range ast.Preorder(file) {
		call, ok := node.(*ast.CallExpr)
		if !ok || len(call.Args) < 2 {
			continue
		}
		method, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || !fields[method.Sel.Name] {
			continue
		}
		key, ok := call.Args[0].(*ast.BasicLit)
		if ok && key.Kind == token.STRING && !strings.HasPrefix(strings.Trim(key.Value, "\"`"), "/") {
			keys = append(keys, method.Sel.Name+"("+key.Value)
		}
	}
	return keys
}

func TestOwnKeys_FindsThemHoweverALineIsBroken(t *testing.T) {
	const source = "package p\nfunc f() {\nlog.Info().Str(\"a\", b).\n\tStrs(\"c\",\n\td).Err(err).Str(telemetry.KeyPlan, e).\n\tMsg(\"f\")\ne.Any(\"/g\", h)\nx.Str(`i`, j)\n}\n"
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	got := ownKeys(file)
	slices.Sort(got)
	if want := []string{`Str("a"`, "Str(`i`", `Strs("c"`}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestKeys_AreAllThatLinesHave(t *testing.T) {
	files := 0
	for _, folder := range []string{"../../internal", "../../cmd"} {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			files++
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			for _, key := range ownKeys(file) {
				t.Errorf("%s has %s…): name the key in package telemetry, so that it is the same everywhere", path, key)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 100 {
		t.Errorf("looked at %d files", files)
	}
}
