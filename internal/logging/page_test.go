package logging_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"greenlight/internal/pagetest"
)

var update = flag.Bool("update", false, "write the parts of documentation pages anew that are made from the program")

// Every key is in the table, with the comment that stands over it in logging.go.
func TestKeys_AreTabledInOperations(t *testing.T) {
	parsed, err := parser.ParseFile(token.NewFileSet(), "logging.go", nil, parser.ParseComments|parser.SkipObjectResolution)
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

// ownKey finds a field of a log line whose key is written where the line is. What
// begins with a slash is a route.
var ownKey = regexp.MustCompile(`\.(Str|Strs|Int|Int64|Uint64|Float64|Bool|Dur|Time|Bytes|Stringer|Any|Interface)\("[^"/][^"]*",`)

func TestKeys_AreAllThatLinesHave(t *testing.T) {
	files := 0
	for _, folder := range []string{"../../internal", "../../cmd"} {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			files++
			text, err := os.ReadFile(path)
			if found := ownKey.FindString(string(text)); found != "" {
				t.Errorf("%s has %s…): name the key in package logging, so that it is the same everywhere", path, found)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 100 {
		t.Errorf("looked at %d files", files)
	}
}
