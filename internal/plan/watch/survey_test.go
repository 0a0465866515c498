package watch

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// resolved returns a path without links, as events name it.
func resolved(t *testing.T, path string) string {
	t.Helper()
	real, err := filepath.EvalSymlinks(path)
	must(t, err)
	return real
}

func TestSurvey_ConcernsWhatMayBePartOfThePlan(t *testing.T) {
	dir := resolved(t, t.TempDir())
	file := write(t, campaign("a", 1), dir, "team/a.yaml")
	outside := write(t, "", dir, "numbers/.spring.csv")
	folder := takeSurvey(filepath.Dir(file), []string{outside}, nil)
	single := takeSurvey(file, nil, nil)
	for _, row := range []struct {
		name                    string
		folder, single, atFault bool
	}{
		{"team/a.yaml", true, true, true},
		{"team", true, true, true}, // moved or removed
		{"team/b.yml", true, false, true},
		{"team/spring.csv", true, false, true},
		{"team/new", true, false, true},
		{"team/.hidden.yaml", false, false, false},
		{"team/.a.yaml.swp", false, false, false},
		{"team/a.swx", false, false, false},
		{"team/a.yaml~", false, false, false},
		{"team/#a.yaml#", false, false, false},
		{"team/.#a.yaml", false, false, false},
		{"team/a.yaml.TMP", false, false, false},
		{"team/4913", false, false, false},
		{"team/..data", false, false, false},
		{"numbers/.spring.csv", true, false, false}, // named, so not passing
		{"numbers/other.csv", false, false, false},
		{"neighbour", false, false, false},
	} {
		path := filepath.Join(dir, row.name)
		got := []bool{folder.concerns(path, false), single.concerns(path, false), single.concerns(path, true)}
		if want := []bool{row.folder, row.single, row.atFault}; !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v for the folder, the file, and the file at fault", row.name, got, want)
		}
	}
}

func TestSurvey_DifferenceNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	file := write(t, "12", dir, "b.yaml")
	write(t, "", dir, "a.yaml")
	must(t, os.Symlink("circle", filepath.Join(dir, "circle")))
	must(t, os.Symlink("b.yaml/none", filepath.Join(dir, "dangling")))
	link := filepath.Join(dir, "link.yaml")
	must(t, os.Symlink("../"+filepath.Base(dir)+"/b.yaml", link))
	old := time.Now().Add(-time.Hour)
	must(t, os.Chtimes(file, old, old))

	for _, row := range []struct {
		name, want string
		change     func()
	}{
		{"nothing", "", func() {}},
		{"what passes", "", func() { write(t, "x", dir, ".b.yaml.swp"); write(t, "x", dir, "b.yaml~") }},
		{"an empty folder", "", func() { must(t, os.Mkdir(filepath.Join(dir, "new"), 0o755)) }},
		{"another time", "b.yaml", func() { must(t, os.Chtimes(file, old, old.Add(1))) }},
		{"another size", "b.yaml", func() { write(t, "123", file); must(t, os.Chtimes(file, old, old.Add(1))) }},
		{"another mode", "b.yaml", func() { must(t, os.Chmod(file, 0o600)) }},
		{"another file of the same size and time", "b.yaml", func() {
			other := write(t, "321", dir, ".b")
			must(t, os.Chmod(other, 0o600))
			must(t, os.Chtimes(other, old, old.Add(1)))
			must(t, os.Rename(other, file))
		}},
		{"a link that leads elsewhere", "link.yaml", func() { must(t, os.Remove(link)); must(t, os.Symlink("a.yaml", link)) }},
		{"one more", "new/c.yaml", func() { write(t, "", dir, "new/c.yaml") }},
		{"one less", "a.yaml", func() { must(t, os.Remove(filepath.Join(dir, "a.yaml"))) }},
	} {
		before := takeSurvey(dir, nil, nil)
		row.change()
		want := row.want
		if want != "" {
			want = filepath.Join(dir, want)
		}
		if got := before.difference(takeSurvey(dir, nil, nil)); got != want {
			t.Errorf("%s: got difference %q, want %q", row.name, got, want)
		}
	}
}

// TestSurvey_ListensBeforeItReads keeps a file from slipping in between.
func TestSurvey_ListensBeforeItReads(t *testing.T) {
	dir := resolved(t, t.TempDir())
	write(t, "", dir, "x/a.yaml")
	var heard []string
	s := takeSurvey(dir, nil, func(folder string) {
		heard = append(heard, folder)
		if folder == filepath.Join(dir, "x") {
			write(t, "", folder, "b.yaml")
		}
	})
	if want := filepath.Join(dir, "x/b.yaml"); !s.covers([]string{want}) {
		t.Errorf("files: got %v, want %s among them", slices.Collect(maps.Keys(s.files)), want)
	}
	if want := []string{filepath.Dir(dir), dir, filepath.Join(dir, "x")}; !slices.Equal(heard, want) {
		t.Errorf("listened to: got %q, want %q", heard, want)
	}
}

func TestSurvey_OfWhatIsMissingListensToWhatIsThere(t *testing.T) {
	dir := resolved(t, t.TempDir())
	s := takeSurvey(filepath.Join(dir, "team/plans"), nil, nil)
	if _, ok := s.folders[dir]; !ok || len(s.folders) != 1 || !s.concerns(filepath.Join(dir, "team"), true) {
		t.Errorf("got folders %v, points %v, want %s and team in it", s.folders, s.points, dir)
	}
}
