package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module      = "greenlight/"
	packagesIn  = "docs/architecture.md"
	beginLayers = "<!-- begin layers -->"
	endLayers   = "<!-- end layers -->"
)

// short is how the architecture calls a package: without the folder internal.
func short(folder string) string { return strings.TrimPrefix(folder, "internal/") }

// imports returns every package of ours that has code besides tests, and which
// others of ours it imports, by their short names. Those that only tests use are none.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	all := make(map[string][]string)
	for _, folder := range []string{"cmd", "config", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(name string, entry fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			relative, err := filepath.Rel(root, filepath.Dir(name))
			if err != nil {
				return err
			}
			of := short(filepath.ToSlash(relative))
			if of == "testkit" || strings.HasPrefix(of, "testkit/") {
				return nil
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
			if err != nil {
				return err
			}
			if file.Name.Name != "main" && path.Base(name) == "doc.go" && onlyTests(filepath.Dir(name)) {
				return nil
			}
			all[of] = append(all[of], []string{}...) // it is there, whatever it imports
			for _, spec := range file.Imports {
				imported, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					return err
				}
				if ours, found := strings.CutPrefix(imported, module); found && !slices.Contains(all[of], short(ours)) {
					all[of] = append(all[of], short(ours))
				}
			}
			slices.Sort(all[of])
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// onlyTests reports whether a folder has a doc.go, and no other code than tests.
func onlyTests(folder string) bool {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	return err == nil && !slices.ContainsFunc(files, func(file string) bool {
		return filepath.Base(file) != "doc.go" && !strings.HasSuffix(file, "_test.go")
	})
}

var inCode = regexp.MustCompile("`([^`]+)`")

// layers returns the rows of the table of layers, the uppermost first.
func layers(t *testing.T) (rows [][]string) {
	t.Helper()
	_, rest, _ := strings.Cut(read(t, filepath.Join(root, packagesIn)), beginLayers)
	table, _, closed := strings.Cut(rest, endLayers)
	if !closed {
		t.Fatalf("%s has no table between %s and %s", packagesIn, beginLayers, endLayers)
	}
	for line := range strings.Lines(table) {
		var row []string
		for _, found := range inCode.FindAllStringSubmatch(line, -1) {
			row = append(row, found[1])
		}
		if row != nil {
			rows = append(rows, row)
		}
	}
	return rows
}

// The layers have every package once, and each imports only from below.
func TestDocs_ImportsPointDown(t *testing.T) {
	t.Parallel()
	imports, level := imports(t), make(map[string]int)
	for depth, row := range layers(t) {
		for _, name := range row {
			if _, twice := level[name]; twice {
				t.Errorf("%s has %s twice", packagesIn, name)
			}
			if _, there := imports[name]; !there {
				t.Errorf("%s has %s, which is not a package", packagesIn, name)
			}
			level[name] = depth
		}
	}
	for _, name := range slices.Sorted(maps.Keys(imports)) {
		depth, listed := level[name]
		if !listed {
			t.Errorf("%s, table of layers, lacks %s", packagesIn, name)
			continue
		}
		for _, imported := range imports[name] {
			if below, listed := level[imported]; listed && below <= depth {
				t.Errorf("%s imports %s, which is not below it in %s", name, imported, packagesIn)
			}
		}
	}
}
