package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/oasdiff/yaml"

	"greenlight/config"
)

// small returns a valid plan of one campaign with one number.
func small(name, id, number string) []byte {
	return fmt.Appendf(nil, "version: 1\ncampaigns:\n  - name: %s\n    campaign_id: %s\n    numbers: [%s]\n", name, id, number)
}

// ignorePlaces compares what sets plan, and not where it was written.
var ignorePlaces = cmp.Options{
	cmpopts.IgnoreTypes(Position{}), cmpopts.IgnoreFields(Campaign{}, "Places"),
	cmpopts.IgnoreFields(Set{}, "Files"), cmpopts.IgnoreUnexported(Set{}),
}

// loadFS is [Load] for a file or folder of a file system; "." is all of it.
func loadFS(fsys fs.FS, name string) (*Set, error) {
	l := loader{fsys: fsys, show: func(file string) string { return file }}
	return l.load(name)
}

func TestLoad_ReadsGoodPlans(t *testing.T) {
	eachFixture(t, "good", func(t *testing.T, f fixture) {
		set, err := loadFS(f.plans(t), ".")
		if err != nil {
			t.Fatal(err)
		}
		text, err := set.YAML()
		if err != nil {
			t.Fatal(err)
		}
		f.want(t, string(text))
	})
}

func TestLoad_ReadsTheExample(t *testing.T) {
	set, err := LoadBytes("plan.example.yaml", config.ExamplePlan)
	if err != nil {
		t.Fatal(err)
	}
	want := []Campaign{{
		Name:       "spring-promo",
		CampaignID: "751c6a5c-907b-43a9-8ada-ba1dc8335b07",
		Numbers:    []E164{"+12125550142", "+12125550143", "+15551234567", "+15551234568", "+15551234569"},
		MaxNumbers: DefaultMaxNumbers,
	}}
	if diff := cmp.Diff(want, set.Campaigns, ignorePlaces); diff != "" {
		t.Errorf("campaigns (-want +got):\n%s", diff)
	}
}

func TestLoad_KeepsTheCallersFileNames(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "team/plan.yaml", small("a", "a", "+15551234567"))
	t.Chdir(dir)
	for _, path := range []string{"team", "team/", "./team", "team/plan.yaml", "."} {
		set, err := Load(path)
		if err != nil {
			t.Fatalf("Load(%q): %v", path, err)
		}
		want := Position{"team/plan.yaml", 3, 5}
		if !slices.Equal(set.Files, []string{want.File}) || set.Campaigns[0].Position != want {
			t.Errorf("Load(%q): got files %v, position %v, want %v", path, set.Files, set.Campaigns[0].Position, want)
		}
	}
}

func TestLoad_AFileOfAnyName(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, ".draft.txt", small("a", "a", "+15551234567"))
	if _, err := Load(path); err != nil {
		t.Error(err)
	}
}

// TestLoad_ReadsEachPlanOfAKubernetesMountOnce lays a folder out as the kubelet
// does.
func TestLoad_ReadsEachPlanOfAKubernetesMountOnce(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "..2026_11_23/spring.yaml", small("a", "a", "+15551234567"))
	link(t, "..2026_11_23", filepath.Join(dir, "..data"))
	link(t, "..data/spring.yaml", filepath.Join(dir, "spring.yaml"))
	mount := filepath.Join(t.TempDir(), "plans")
	link(t, dir, mount)
	set, err := Load(mount)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.ToSlash(mount) + "/spring.yaml"; !slices.Equal(set.Files, []string{want}) {
		t.Errorf("got %v, want %s", set.Files, want)
	}
}

func TestLoad_ReportsEverythingThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "good.yaml", small("a", "a", "+15551234567"))
	write(t, dir, "big.yaml", bytes.Repeat([]byte("#"), maxFileSize+1))
	write(t, dir, "elsewhere/x", nil)
	link(t, "nowhere", filepath.Join(dir, "gone.yaml"))
	link(t, "nowhere", filepath.Join(dir, "gone.txt"))
	link(t, "elsewhere", filepath.Join(dir, "more"))
	_, err := loadFS(os.DirFS(dir), ".")
	want := strings.Join([]string{
		"big.yaml:1:1: file: is larger than 10 MiB; split it into several files in one folder",
		"gone.yaml:1:1: file: cannot be read (no such file or directory); check the path and its permissions",
		"more:1:1: link: points to a folder, and links to folders are not followed; link the plan files themselves",
	}, "\n")
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

func TestLoad_FolderThatCannotBeRead(t *testing.T) {
	fsys := lockedFolder{fstest.MapFS{
		"a.yaml":      {Data: small("a", "a", "+15551234567")},
		"sub/b.yaml":  {Data: small("b", "b", "+15551234568")},
		"zzz/c.yaml":  {Data: []byte("version: 2\n")},
		"pipe.yaml":   {Mode: fs.ModeNamedPipe},
		"locked.yaml": {Data: small("c", "c", "+15551234569")},
	}}
	_, err := loadFS(fsys, ".")
	want := strings.Join([]string{
		"locked.yaml:1:1: file: cannot be read (permission denied); check the path and its permissions",
		"pipe.yaml:1:1: file: is not a regular file; write the plan to a regular file",
		"sub:1:1: file: cannot be read (permission denied); check the path and its permissions",
		"zzz/c.yaml:1:1: file: has no campaigns; add a list named campaigns, see config/plan.example.yaml",
		"zzz/c.yaml:1:10: version 2: this Greenlight reads version 1; write version: 1, or upgrade Greenlight if the plan is for a newer one",
	}, "\n")
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

// lockedFolder denies its folder sub and its file locked.yaml, which a test that
// runs as root could not have on disk.
type lockedFolder struct{ fstest.MapFS }

var errDenied = errors.New("permission denied")

func (l lockedFolder) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == "sub" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errDenied}
	}
	return l.MapFS.ReadDir(name)
}

func (l lockedFolder) Open(name string) (fs.File, error) {
	if name == "locked.yaml" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errDenied}
	}
	return l.MapFS.Open(name)
}

func TestLoad_RefusesAPathWithoutPlans(t *testing.T) {
	for path, want := range map[string]string{
		"testdata/none": "testdata/none:1:1: file: cannot be read (no such file or directory); check the path and its permissions",
		"testdata/good": "testdata/good:1:1: folder: contains no plans; add a *.yaml file, see config/plan.example.yaml",
	} {
		set, err := Load(path)
		if set != nil || err == nil || err.Error() != want {
			t.Errorf("got %v, %v, want %s", set, err, want)
		}
	}
	if _, err := loadFS(fstest.MapFS{}, "none"); err == nil {
		t.Error("no fault for a path that does not exist")
	}
}

func TestSet_HashDependsOnContentOnly(t *testing.T) {
	base := load(t, `version: 1
campaigns:
  - name: a
    campaign_id: a
    numbers: [+15551234567, +15551234568]
  - name: b
    tcr_campaign_id: C6X6M95
    numbers: [+15551234569]
`)
	same, err := loadFS(fstest.MapFS{
		"z.yaml": {Data: []byte("# later\nversion: 1\ncampaigns:\n- {campaign_id: a, max_numbers: 49, name: \"a\", numbers: [15551234568, \"+15551234567\"]}\n")},
		"b.yml":  {Data: []byte("campaigns: [{name: b, tcr_campaign_id: C6X6M95, numbers: ['+15551234569']}]\nversion: 1\n")},
	}, ".")
	if err != nil {
		t.Fatal(err)
	}
	if same.Hash != base.Hash || len(base.Hash) != 2*hashBytes {
		t.Errorf("got hash %s, want %s", same.Hash, base.Hash)
	}
	for change, plan := range map[string][]byte{
		"name":     small("b", "a", "+15551234567"),
		"campaign": small("a", "b", "+15551234567"),
		"number":   small("a", "a", "+15551234568"),
		"bound":    append(small("a", "a", "+15551234567"), "    max_numbers: 1\n"...),
		"pool":     append(small("a", "a", "+15551234567"), "    number_pool: p\n"...),
		"profile":  append(small("a", "a", "+15551234567"), "    messaging_profile_id: p\n"...),
		"move":     append(small("a", "a", "+15551234567"), "    move_from: [b]\n"...),
		"prune":    append(small("a", "a", "+15551234567"), "    prune: true\n"...),
		"selector": bytes.ReplaceAll(small("a", "a", "+15551234567"), []byte("campaign_id: a"), []byte("reference_id: a\n    brand_id: b")),
	} {
		if load(t, string(plan)).Hash == load(t, string(small("a", "a", "+15551234567"))).Hash {
			t.Errorf("a plan with a different %s has the same hash", change)
		}
	}
}

// TestSet_HashIsStable pins the hash of one plan: hashes are stored in records, and a new
// key must not change those of plans without it.
func TestSet_HashIsStable(t *testing.T) {
	const want = "4956954433ec"
	if got := load(t, string(small("a", "a", "+15551234567"))).Hash; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSet_FindsAnEntryByItsID(t *testing.T) {
	set := load(t, `version: 1
campaigns:
  - {name: a, campaign_id: a, numbers: [+15551234567]}
  - {name: b, tcr_campaign_id: C6X6M95, numbers: [+15551234568]}
  - {name: c, reference_id: a, brand_id: b, numbers: [+15551234569]}
`)
	for id, want := range map[string]string{"a": "a", "C6X6M95": "b", "ref_a": "c", "b": "", "ref_": "", "": ""} {
		got, ok := set.Find(id)
		if got.Name != want || ok != (want != "") {
			t.Errorf("Find(%q) = %q, %t, want %q", id, got.Name, ok, want)
		}
	}
	if _, ok := new(Set).Find("a"); ok {
		t.Error("the zero Set found something")
	}
}

// CI reads commands from lines, and a terminal from characters. A tag may have any character
// by its number.
func TestLoad_FaultsHoldNoCommands(t *testing.T) {
	for _, text := range []string{
		"!%0a::error::x a", "!%1b[2J a", "!%e2%80%ae a", "!##vso[task.x] a", "*##vso[task.x]", "\"##vso[task.x]\": 1", "version: \"##vso[task.x]\"",
		"version: 1\ncampaigns: [{name: \"a\\e[2J##vso[x]\", campaign_id: \"\\u202e\", numbers: [\"##[x]\", \"\\n::error::x\"]}]",
	} {
		_, err := LoadBytes("plan.yaml", []byte(text))
		faults, _ := errors.AsType[Faults](err)
		if len(faults) == 0 {
			t.Errorf("%q: got %v, want faults", text, err)
		}
		for _, fault := range faults {
			if said := fault.Error(); !isHarmless(said) {
				t.Errorf("%q: got %q", text, said)
			}
		}
	}
}

// isHarmless reports whether every character of the text prints, and none begins a command.
func isHarmless(text string) bool {
	return !strings.Contains(text, "##") && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// FuzzLoad: the loader never panics. A refused plan gives no Set and at least one fault
// with a position. An accepted one follows the grammar, prints as a plan that loads to
// the same Set, and is what oasdiff/yaml itself decodes.
func FuzzLoad(f *testing.F) {
	f.Add(config.ExamplePlan)
	for _, folder := range []string{"good", "faults"} {
		paths, _ := filepath.Glob(filepath.Join("testdata", folder, "*.txtar"))
		for _, path := range paths {
			for _, data := range seeds(f, path) {
				f.Add(data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		data = data[:min(len(data), 16<<10)] // long ones are slow
		set, err := LoadBytes("fuzz.yaml", data)
		if err != nil {
			checkFaults(t, set, err)
			return
		}
		checkSet(t, set)
		text, err := set.YAML()
		if err != nil {
			t.Fatal(err)
		}
		again, err := LoadBytes("again.yaml", text)
		if err != nil {
			t.Fatalf("%s\ndoes not load: %v", text, err)
		}
		if diff := cmp.Diff(set, again, ignorePlaces); diff != "" {
			t.Fatalf("printed and read again (-first +again):\n%s", diff)
		}
		checkDecoded(t, set, data)
	})
}

// checkFaults checks the faults of a refused plan.
func checkFaults(t *testing.T, set *Set, err error) {
	t.Helper()
	faults, ok := errors.AsType[Faults](err)
	if set != nil || !ok || len(faults) == 0 {
		t.Fatalf("got set %v and error %v, want faults alone", set, err)
	}
	for _, fault := range faults {
		if fault.File != "fuzz.yaml" || fault.Line < 1 || fault.Column < 1 || fault.What == "" || fault.Why == "" || fault.Fix == "" {
			t.Fatalf("incomplete fault %+v", fault)
		}
		if text := fault.Error(); !isHarmless(text) {
			t.Fatalf("fault that does not print: %q", text)
		}
	}
}

// checkSet checks the rules of the grammar on a set.
func checkSet(t *testing.T, set *Set) {
	t.Helper()
	seen := map[any]bool{}
	once := func(thing any) {
		if seen[thing] {
			t.Fatalf("%v appears twice", thing)
		}
		seen[thing] = true
	}
	if len(set.Campaigns) == 0 || set.Hash == "" {
		t.Fatalf("empty set %+v", set)
	}
	for _, c := range set.Campaigns {
		selected := 0
		for _, id := range []string{string(c.CampaignID), string(c.TCRCampaignID), c.ReferenceID} {
			if id != "" {
				selected++
			}
		}
		if selected != 1 || (c.ReferenceID == "") != (c.BrandID == "") || len(c.Numbers)+len(c.NumberPool) == 0 || len(c.Numbers) > c.MaxNumbers {
			t.Fatalf("bad campaign %+v", c)
		}
		once("name " + c.Name)
		once("campaign " + c.ID())
		if c.NumberPool != "" {
			once("pool " + c.NumberPool)
		}
		for i, from := range c.MoveFrom {
			if from == "" || from == c.ID() || i > 0 && from <= c.MoveFrom[i-1] {
				t.Fatalf("bad move_from %q", c.MoveFrom)
			}
		}
		if found, ok := set.Find(c.ID()); !ok || found.Name != c.Name {
			t.Fatalf("Find(%q) = %q, %t", c.ID(), found.Name, ok)
		}
		for _, n := range c.Numbers {
			once(n)
			if again, err := ParseE164(string(n)); err != nil || again != n {
				t.Fatalf("number %q: %v", n, err)
			}
		}
	}
}

// checkDecoded checks that a plain decode by oasdiff/yaml gives the same plan.
func checkDecoded(t *testing.T, set *Set, data []byte) {
	t.Helper()
	var plain struct {
		Version   int `json:"version"`
		Campaigns []struct {
			Name               string   `json:"name"`
			CampaignID         string   `json:"campaign_id"`
			TCRCampaignID      string   `json:"tcr_campaign_id"`
			ReferenceID        string   `json:"reference_id"`
			BrandID            string   `json:"brand_id"`
			MessagingProfileID string   `json:"messaging_profile_id"`
			Numbers            []string `json:"numbers"`
			NumberPool         string   `json:"number_pool"`
			MoveFrom           []string `json:"move_from"`
			MaxNumbers         int      `json:"max_numbers"`
			Prune              bool     `json:"prune"`
		} `json:"campaigns"`
	}
	strict := func(d *json.Decoder) *json.Decoder { d.DisallowUnknownFields(); return d }
	if _, err := yaml.Unmarshal(data, &plain, yaml.DecodeOpts{DisableTimestamps: true}, strict); err != nil {
		t.Fatalf("oasdiff/yaml refuses a plan that the loader accepts: %v", err)
	}
	got := map[string]string{}
	for _, c := range plain.Campaigns {
		slices.Sort(c.MoveFrom)
		got[c.Name] = fmt.Sprint(c.BrandID, " ", c.MessagingProfileID, " ", c.NumberPool, " ", c.MoveFrom, " ", c.Prune)
		if c.ReferenceID != "" {
			c.ReferenceID = "ref_" + c.ReferenceID
		}
		for _, n := range c.Numbers {
			number, _ := ParseE164(n)
			got[string(number)] = c.Name + " " + c.CampaignID + c.TCRCampaignID + c.ReferenceID
		}
	}
	want := map[string]string{}
	for _, c := range set.Campaigns {
		want[c.Name] = fmt.Sprint(c.BrandID, " ", c.MessagingProfileID, " ", c.NumberPool, " ", c.MoveFrom, " ", c.Prune)
		for _, n := range c.Numbers {
			want[string(n)] = c.Name + " " + c.ID()
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("decoded by oasdiff/yaml (-ours +theirs):\n%s", diff)
	}
}

// BenchmarkLoad reads 100,000 numbers in 2,000 plans, which should take less than
// a second.
func BenchmarkLoad(b *testing.B) {
	fsys := fstest.MapFS{}
	for i := range 2000 {
		text := fmt.Appendf(nil, "version: 1\ncampaigns:\n  - name: c%d\n    campaign_id: id-%d\n    max_numbers: 50\n    numbers:\n", i, i)
		for j := range 50 {
			text = fmt.Appendf(text, "      - +1555%07d\n", 50*i+j)
		}
		fsys[fmt.Sprintf("plan-%04d.yaml", i)] = &fstest.MapFile{Data: text}
	}
	for b.Loop() {
		if _, err := loadFS(fsys, "."); err != nil {
			b.Fatal(err)
		}
	}
}

func load(t *testing.T, plan string) *Set {
	t.Helper()
	set, err := LoadBytes("plan.yaml", []byte(plan))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func write(t *testing.T, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func link(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Skip("no symbolic links here:", err)
	}
}
