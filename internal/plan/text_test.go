package plan

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
)

// TestLoad_HostileFilesAreBounded loads files that have broken YAML readers, each as
// large as a plan may be. Each must give a fault, and must not take more memory than a
// plan of that size full of numbers.
func TestLoad_HostileFilesAreBounded(t *testing.T) {
	skipUnderRace(t)
	fill := func(begin, repeat, end string) string {
		return begin + strings.Repeat(repeat, (hostileSize-len(begin)-len(end))/len(repeat)) + end
	}
	most := fill("", "- ", "")[:2*hostileValues] // the most items that are parsed
	var laughs strings.Builder
	laughs.WriteString("a0: &a0 [x, x]\n")
	for i := range 40 {
		fmt.Fprintf(&laughs, "a%d: &a%d [*a%d, *a%d]\n", i+1, i+1, i, i)
	}
	var tags strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&tags, "%%TAG !%d! x\n", i)
	}
	for name, data := range map[string]string{
		"nested lists":        fill("", "[", ""),
		"nested maps":         fill("", "{a: ", ""),
		"nested dashes":       fill("", "- ", ""),
		"nested keys":         fill("", "? ", ""),
		"deep but legal":      strings.Repeat("[", 9000) + strings.Repeat("]", 9000),
		"one long list":       fill("[", "1,", "]"),
		"list of empty":       fill("[", "[],", "]"),
		"dashes":              fill("", "-\n", ""),
		"question marks":      fill("", "?\n", ""),
		"most dashes":         strings.ReplaceAll(most, " ", "\n"),
		"most question marks": strings.Repeat("?\n", hostileValues),
		"most items":          "[" + strings.Repeat("x,", hostileValues-1) + "]",
		"other line ends":     fill("", "-\u0085", ""),
		"repeated keys":       fill("", "a: 1\n", ""),
		"long number":         fill("version: 1\ncampaigns: [{name: a, campaign_id: a, numbers: [", "1", "]}]\n"),
		"comments":            fill("", "#\n- 1\n", ""),
		"tabs":                fill("", "\t-\n", ""),
		"aliases":             fill("a: &a [x]\nb: [", "*a,", "]\n"),
		"anchors":             fill("a: [", "&a x,", "]\n"),
		"billion laughs":      laughs.String(),
		"tags":                fill("a: [", "! x,", "]\n"),
		"tag directives":      tags.String() + "---\na: 1\n",
		"NULs":                fill("", "\x00", ""),
		"spaces":              fill("", " ", ""),
		"an open quote":       fill("a: \"", "x ", ""),
		"too big":             strings.Repeat("#", maxFileSize+1),
	} {
		t.Run(name, func(t *testing.T) {
			allocated := allocation(func() {
				_, err := LoadBytes("hostile.yaml", []byte(data))
				if err == nil {
					t.Fatal("no fault")
				}
				if size := len(err.Error()); size > 1<<20 {
					t.Errorf("the faults are %d bytes long", size)
				}
			})
			t.Logf("allocated %d MiB", allocated>>20)
			if allocated > maxMemory {
				t.Errorf("allocated %d MiB, want at most %d", allocated>>20, maxMemory>>20)
			}
		})
	}
}

// TestLoad_HostileNumbersFilesAreBounded does the same with numbers files.
func TestLoad_HostileNumbersFilesAreBounded(t *testing.T) {
	plan := []byte("version: 1\ncampaigns: [{name: a, campaign_id: a, numbers_file: x.csv}]\n")
	for name, data := range map[string]string{
		"garbage":        strings.Repeat("x\n", hostileSize/2),
		"one number":     strings.Repeat("+15551234567\n", hostileSize/13),
		"separators":     strings.Repeat(",", hostileSize),
		"wide rows":      "phone,b\n" + strings.Repeat(strings.Repeat(",", 1<<19)+"\n", 19),
		"one wide row":   "phone,b\n" + strings.Repeat(",", hostileSize-10),
		"ragged rows":    "phone,b\n" + strings.Repeat("1\n", hostileSize/2-10),
		"open quotes":    "phone,b\n" + strings.Repeat("\"\n", hostileSize/2-10),
		"bare quotes":    "phone,b\n" + strings.Repeat("a\"\n", hostileSize/3-10),
		"accents":        "phone,é\n" + strings.Repeat("1,é\n", hostileSize/5-10),
		"one long line":  "phone,é\n" + strings.Repeat("é", hostileSize/2-10),
		"too big":        strings.Repeat("1", maxFileSize+1),
		"blank":          strings.Repeat("\n", hostileSize),
		"NULs":           strings.Repeat("\x00", hostileSize),
		"long separator": strings.Repeat(";", 1000) + strings.Repeat("\t\n", 1000),
	} {
		t.Run(name, func(t *testing.T) {
			fsys := fstest.MapFS{"plan.yaml": {Data: plan}, "x.csv": {Data: []byte(data)}}
			allocated := allocation(func() {
				_, err := loadFS(fsys, ".")
				if err == nil || len(err.Error()) > 1<<20 {
					t.Errorf("got no fault, or more than 1 MiB of text: %.200v", err)
				}
			})
			t.Logf("allocated %d MiB", allocated>>20)
			if allocated > maxMemory {
				t.Errorf("allocated %d MiB, want at most %d", allocated>>20, maxMemory>>20)
			}
		})
	}
}

// maxMemory is the total that the loader may allocate for a file, including memory that
// is freed again: a part that grows with the file, and some for files that are always large.
// A legal plan of 10 MiB takes some 400 MB.
var maxMemory = uint64(part(480<<20) + 160<<20)

// allocation returns how many bytes are allocated while f runs.
func allocation(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestLoad_RefusesTooManyValues(t *testing.T) {
	_, err := LoadBytes("plan.yaml", []byte(strings.Repeat("- 1\n", maxValues+1)))
	want := "plan.yaml:1:1: file: contains more than 600000 values; split it into several files in one folder, or move the numbers to a numbers_file"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestLoad_AcceptsAPlanOfTenMebibytes: the bound on values does not affect real plans.
func TestLoad_AcceptsAPlanOfTenMebibytes(t *testing.T) {
	plan := []byte("version: 1\ncampaigns:\n")
	for i := 0; len(plan) < hostileSize-2000; i++ {
		plan = fmt.Appendf(plan, "  - name: c%d\n    campaign_id: id-%d\n    numbers:\n", i, i)
		for j := range DefaultMaxNumbers {
			plan = fmt.Appendf(plan, "      - +1555%07d\n", DefaultMaxNumbers*i+j)
		}
	}
	set, err := LoadBytes("plan.yaml", plan)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(set.Campaigns); got < 9000*hostileSize/maxFileSize {
		t.Errorf("got %d campaigns", got)
	}
}

func TestLoad_AcceptsAFileOfTheGreatestSize(t *testing.T) {
	skipUnderRace(t)
	plan := small("a", "a", "+15551234567")
	data := append(plan, bytes.Repeat([]byte("#"), maxFileSize-len(plan))...)
	if _, err := LoadBytes("plan.yaml", data); err != nil {
		t.Error(err)
	}
}
