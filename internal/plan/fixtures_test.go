package plan

import (
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the expected results in testdata")

// fixture is one txtar file: some inputs, and the expected result in the file "want".
type fixture struct {
	name    string
	archive *txtar.Archive
}

// eachFixture runs a test over every file of a folder under testdata.
func eachFixture(t *testing.T, folder string, test func(t *testing.T, f fixture)) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures in testdata/%s: %v", folder, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			test(t, fixture{path, archive})
		})
	}
}

// plans returns the inputs as a file system. A file whose bytes editors would change is
// written as a Go string, and its name ends in .quoted.
func (f fixture) plans(t testing.TB) fstest.MapFS {
	t.Helper()
	fsys := fstest.MapFS{}
	for _, file := range f.archive.Files {
		name, data := file.Name, file.Data
		if plain, ok := strings.CutSuffix(name, ".quoted"); ok {
			text, err := strconv.Unquote(strings.TrimSpace(string(data)))
			if err != nil {
				t.Fatalf("%s: %s: %v", f.name, name, err)
			}
			name, data = plain, []byte(text)
		}
		if name != "want" {
			fsys[name] = &fstest.MapFile{Data: data}
		}
	}
	return fsys
}

// seeds returns the inputs of a fixture for a fuzz target.
func seeds(f *testing.F, path string) [][]byte {
	f.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		f.Fatal(err)
	}
	var inputs [][]byte
	for _, file := range (fixture{path, archive}).plans(f) {
		inputs = append(inputs, file.Data)
	}
	return inputs
}

// file returns the content of one file of the fixture.
func (f fixture) file(name string) []byte {
	for _, file := range f.archive.Files {
		if file.Name == name {
			return file.Data
		}
	}
	return nil
}

// want compares the result with the file "want", or rewrites that file.
func (f fixture) want(t *testing.T, got string) {
	t.Helper()
	if want := string(f.file("want")); got == want {
		return
	} else if !*update {
		t.Errorf("%s\ngot:\n%s\nwant:\n%s", f.name, got, want)
		return
	}
	for i := range f.archive.Files {
		if f.archive.Files[i].Name == "want" {
			f.archive.Files[i].Data = []byte(got)
		}
	}
	if err := os.WriteFile(f.name, txtar.Format(f.archive), 0o644); err != nil {
		t.Fatal(err)
	}
}
