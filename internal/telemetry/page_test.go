package telemetry_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every key is listed in docs/operations.md and has a comment.
func TestKeys_AreListedInOperations(t *testing.T) {
	parsed, err := parser.ParseFile(token.NewFileSet(), "keys.go", nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "\n## Log keys\n")
	keys := 0
	for node := range ast.Preorder(parsed) {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Key") {
			continue
		}
		keys++
		name, key := spec.Names[0].Name, strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`)
		if !strings.HasPrefix(spec.Doc.Text(), name+" ") {
			t.Errorf("%s has no comment that begins with its name", name)
		}
		if !strings.Contains(list, "`"+key+"`") {
			t.Errorf("docs/operations.md does not list the log key %s", key)
		}
	}
	if keys < 10 {
		t.Errorf("found %d keys", keys)
	}
}

// fields are the methods that add a field to a log line.
var fields = map[string]bool{
	"Str": true, "Strs": true, "Int": true, "Int64": true, "Uint64": true, "Float64": true, "Bool": true, "Dur": true,
	"Time": true, "Bytes": true, "Stringer": true, "Any": true, "Interface": true,
}

// ownKeys finds log fields with a literal key. A text that begins with a slash is a route.
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
