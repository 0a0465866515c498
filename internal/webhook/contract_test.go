package webhook_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The answers of net/http to invalid requests, which are text and have no code.
var serversOwn = []answer{{400, ""}, {417, ""}, {431, ""}, {501, ""}, {505, ""}}

var contractRow = regexp.MustCompile("(?m)^\\| (\\d{3}) \\| (?:`([a-z_]+)`|—) \\| [^|]+ \\|$")

// contract returns the answers that docs/webhook.md lists.
func contract(t testing.TB) []answer {
	t.Helper()
	page, err := os.ReadFile("../../docs/webhook.md")
	if err != nil {
		t.Fatal(err)
	}
	var answers []answer
	for _, row := range contractRow.FindAllStringSubmatch(string(page), -1) {
		status, _ := strconv.Atoi(row[1])
		answers = append(answers, answer{status, row[2]})
	}
	return answers
}

// TestContract_IsDocumented compares the table in docs/webhook.md with the answers in the
// source: each code must have a line, and each line a code.
func TestContract_IsDocumented(t *testing.T) {
	want := append(sourceAnswers(t), serversOwn...)
	got := contract(t)
	for _, list := range [][]answer{got, want} {
		slices.SortFunc(list, func(a, b answer) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/webhook.md, the table of answers (-source +page):\n%s", diff)
	}
}

// sourceAnswers collects the answers from the source: refusals, the words of a 200, and
// the verifier's codes. It fails for an answer that it cannot read.
func sourceAnswers(t *testing.T) []answer {
	t.Helper()
	found := map[answer]bool{}
	constants := map[string]string{}
	files := sources(t, ".")
	for _, file := range files {
		maps.Copy(constants, textConstants(file, ""))
	}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit:
				if kind, ok := n.Type.(*ast.Ident); !ok || kind.Name != "refusal" {
					return true
				}
				status, code := statusOf(t, field(n, "status")), field(n, "code")
				if name, ok := code.(*ast.Ident); ok && name.Name == "code" && status == http.StatusUnauthorized {
					return true // the verifier's
				}
				found[answer{status, textOf(t, code, constants)}] = true
			case *ast.RangeStmt: // over the words of okBodies
				words, ok := n.X.(*ast.CompositeLit)
				if key, named := n.Value.(*ast.Ident); !ok || !named || key.Name != "status" {
					return true
				}
				for _, word := range words.Elts {
					found[answer{http.StatusOK, textOf(t, word, constants)}] = true
				}
			}
			return true
		})
	}
	for _, file := range sources(t, "../telnyx") {
		for _, code := range textConstants(file, "SignatureCode") {
			found[answer{http.StatusUnauthorized, code}] = true
		}
	}
	return slices.Collect(maps.Keys(found))
}

// sources parses the files of a package without its tests.
func sources(t *testing.T, folder string) (files []*ast.File) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no source in %s: %v", folder, err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// textConstants returns the file's string constants by name. If a type is given, it returns
// only constants of that type.
func textConstants(file *ast.File, kind string) map[string]string {
	texts := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Names) != len(spec.Values) {
			return true
		}
		if named, ok := spec.Type.(*ast.Ident); kind != "" && (!ok || named.Name != kind) {
			return true
		}
		for i, value := range spec.Values {
			if literal, ok := value.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				texts[spec.Names[i].Name], _ = strconv.Unquote(literal.Value)
			}
		}
		return true
	})
	return texts
}

func field(literal *ast.CompositeLit, name string) ast.Expr {
	for _, element := range literal.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); ok && pair.Key.(*ast.Ident).Name == name {
			return pair.Value
		}
	}
	return nil
}

func textOf(t *testing.T, value ast.Expr, constants map[string]string) string {
	t.Helper()
	switch value := value.(type) {
	case *ast.BasicLit:
		text, _ := strconv.Unquote(value.Value)
		return text
	case *ast.Ident:
		if text, ok := constants[value.Name]; ok {
			return text
		}
	}
	t.Errorf("an answer whose code is neither a text nor a constant: write it so that this test can collect it (%T)", value)
	return ""
}

// statusOf reads http.StatusX.
func statusOf(t *testing.T, value ast.Expr) int {
	t.Helper()
	if selector, ok := value.(*ast.SelectorExpr); ok {
		for status := 100; status < 600; status++ {
			if "Status"+strings.ReplaceAll(http.StatusText(status), " ", "") == selector.Sel.Name {
				return status
			}
		}
	}
	t.Errorf("an answer whose status is none of http's constants: write it so that this test can collect it (%T)", value)
	return 0
}
