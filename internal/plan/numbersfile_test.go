package plan

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"greenlight/internal/telnyx"
)

// listed is a plan with a numbers file.
const listed = "version: 1\ncampaigns: [{name: a, campaign_id: a, numbers: [+12125550142], numbers_file: sub/x.csv, max_numbers: 1000000}]\n"

func TestLoad_SaysWhereEachNumberIsListed(t *testing.T) {
	set, err := loadFS(fstest.MapFS{
		"team/plan.yaml": {Data: []byte(listed)},
		"team/sub/x.csv": {Data: []byte("Ort;Phone\r\n\"Köln;\nMitte\";15551234568\r\nÄöü;+15551234567\r\n")},
	}, ".")
	if err != nil {
		t.Fatal(err)
	}
	c := set.Campaigns[0]
	for n, want := range map[E164]string{
		"+12125550142": "team/plan.yaml:2:49",
		"+15551234567": "team/sub/x.csv:4:5",
		"+15551234568": "team/sub/x.csv:3:8",
	} {
		if at, ok := c.Where(n); !ok || at.String() != want {
			t.Errorf("%s: got %s, %t, want %s", n, at, ok, want)
		}
	}
	if at, ok := c.Where("+15551234569"); ok {
		t.Errorf("got position %s for a number that is not planned", at)
	}
	if want := []string{"team/plan.yaml", "team/sub/x.csv"}; !slices.Equal(set.Files, want) {
		t.Errorf("got files %v, want %v", set.Files, want)
	}
	made := Campaign{Numbers: []E164{"+15551234567"}, Position: Position{"a.yaml", 1, 2}}
	if at, ok := made.Where("+15551234567"); !ok || at != made.Position {
		t.Errorf("without places: got %s, %t, want the campaign's", at, ok)
	}
}

// TestLoad_NumbersFileIsTheSamePlan: the hash does not depend on where a number is listed.
func TestLoad_NumbersFileIsTheSamePlan(t *testing.T) {
	fromFile, err := loadFS(fstest.MapFS{
		"plan.yaml": {Data: []byte(strings.Replace(string(small("a", "a", "x")), "numbers: [x]", "numbers_file: x.txt", 1))},
		"x.txt":     {Data: []byte("15551234567\n")},
	}, ".")
	if err != nil {
		t.Fatal(err)
	}
	if want := load(t, string(small("a", "a", "+15551234567"))).Hash; fromFile.Hash != want {
		t.Errorf("got hash %s, want %s", fromFile.Hash, want)
	}
}

func TestLoad_NumbersFileOfOnePlanFileAndThroughLinks(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "plan.yaml", []byte(strings.Replace(listed, "sub/x.csv", "x.csv", 1)))
	write(t, dir, "..data/x.csv", []byte("+15551234567\n"))
	link(t, "..data/x.csv", filepath.Join(dir, "x.csv")) // as Kubernetes mounts it
	set, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := Position{filepath.ToSlash(dir) + "/x.csv", 1, 1}
	if at, _ := set.Campaigns[0].Where("+15551234567"); at != want {
		t.Errorf("got %s, want %s", at, want)
	}
}

func TestLoadBytes_RefusesANumbersFile(t *testing.T) {
	_, err := LoadBytes("plan.yaml", []byte(listed))
	want := `plan.yaml:2:78: numbers_file "sub/x.csv": cannot be read, because the plan was loaded without its folder; load the plan from its file, or list the numbers under numbers`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestCampaign_IDsAreUnique: no two selectors give the same ID.
func TestCampaign_IDsAreUnique(t *testing.T) {
	for _, id := range []string{"", "a", "ref", "ref-a", "C6X6M95", "_", "a_b"} {
		reference := Campaign{ReferenceID: id}.ID()
		if id == "" {
			if reference != "" {
				t.Errorf("the zero campaign has ID %q", reference)
			}
			continue
		}
		if reference != "ref_"+id {
			t.Errorf("got %q for reference %q", reference, id)
		}
		if plainID.MatchString(reference) || tcrID.MatchString(reference) {
			t.Errorf("%q could be the id of a campaign", reference)
		}
	}
	for _, c := range []Campaign{{CampaignID: "x"}, {TCRCampaignID: "x"}} {
		if got := c.ID(); got != "x" {
			t.Errorf("got %q, want x", got)
		}
	}
	if got := (Campaign{CampaignID: telnyx.CampaignID("a"), ReferenceID: "b"}).ID(); got != "a" {
		t.Errorf("got %q, want the campaign's own id", got)
	}
}

// FuzzNumbersFile: the loader never panics, a fault is one line with a position in one
// of the two files, and an accepted number is in the file at or after its position.
func FuzzNumbersFile(f *testing.F) {
	for _, folder := range []string{"good", "faults"} {
		paths, _ := filepath.Glob(filepath.Join("testdata", folder, "numbers_*.txtar"))
		for _, path := range paths {
			for _, data := range seeds(f, path) {
				f.Add("x.csv", "", data)
				f.Add("x.txt", "Phone", data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, name, column string, data []byte) {
		data = data[:min(len(data), 16<<10)] // long ones are slow
		if name != "x.csv" {
			name = "x.txt"
		}
		plan := fmt.Sprintf("version: 1\ncampaigns: [{name: a, campaign_id: a, max_numbers: 99999, numbers_file: %s", name)
		if forms["name"].pattern.MatchString(column) {
			plan += fmt.Sprintf(", numbers_column: %q", column)
		}
		set, err := loadFS(fstest.MapFS{"fuzz.yaml": {Data: []byte(plan + "}]\n")}, name: {Data: data}}, ".")
		if err != nil {
			faults, ok := errors.AsType[Faults](err)
			if !ok || set != nil || len(faults) == 0 {
				t.Fatalf("got set %v and error %v, want faults alone", set, err)
			}
			for _, fault := range faults {
				known := fault.File == name || fault.File == "fuzz.yaml"
				if !known || fault.Line < 1 || fault.Column < 1 || strings.ContainsAny(fault.Error(), "\n\r\x00") {
					t.Fatalf("bad fault %q", fault)
				}
			}
			return
		}
		checkSet(t, set)
		checkPlaces(t, set.Campaigns[0], name, strings.TrimPrefix(string(data), byteOrderMark))
	})
}

// checkPlaces checks that each number is at its position.
func checkPlaces(t *testing.T, c Campaign, name, text string) {
	t.Helper()
	if !strings.Contains(text, "\n") {
		text = strings.ReplaceAll(text, "\r", "\n")
	}
	lines := strings.SplitAfter(text, "\n")
	for i, n := range c.Numbers {
		at := c.Places[i]
		if at.File != name || at.Line < 1 || at.Line > len(lines) {
			t.Fatalf("%s at %s", n, at)
		}
		line := []rune(lines[at.Line-1])
		if at.Column < 1 || at.Column > len(line)+1 {
			t.Fatalf("%s at %s, in a line of %d characters", n, at, len(line))
		}
		rest := string(line[at.Column-1:]) + strings.Join(lines[at.Line:], "")
		if !strings.Contains(rest, strings.TrimPrefix(string(n), "+")) {
			t.Fatalf("%s is not at %s: %.40q", n, at, rest)
		}
	}
}
