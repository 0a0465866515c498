package plan

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestLoad_HostileFilesAreBounded feeds files that have broken YAML readers. Each
// must come back with a fault, soon; the sizes keep the test itself quick.
func TestLoad_HostileFilesAreBounded(t *testing.T) {
	const size = 1 << 18
	for name, data := range map[string]string{
		"nested lists":   strings.Repeat("[", size),
		"nested maps":    strings.Repeat("{a: ", size/4),
		"nested dashes":  strings.Repeat("- ", size/2),
		"nested keys":    strings.Repeat("? ", size/2),
		"deep but legal": strings.Repeat("[", 9000) + strings.Repeat("]", 9000),
		"one long list":  "[" + strings.Repeat("1,", size/2) + "]",
		"repeated keys":  strings.Repeat("a: 1\n", size/5),
		"long key":       strings.Repeat("k", size) + ": 1\n",
		"long number":    "version: 1\ncampaigns: [{name: a, campaign_id: a, numbers: [" + strings.Repeat("1", size) + "]}]\n",
		"comments":       strings.Repeat("#\n- 1\n", size/6),
		"tabs":           strings.Repeat("\t-\n", size/3),
		"aliases":        "a: &a [x]\nb: [" + strings.Repeat("*a,", size/3) + "]\n",
		"NULs":           strings.Repeat("\x00", size),
		"too big":        strings.Repeat("#", maxFileSize+1),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := LoadBytes("hostile.yaml", []byte(data))
			if err == nil {
				t.Fatal("no fault")
			}
			if size := len(err.Error()); size > 1<<20 {
				t.Errorf("the faults are %d bytes long", size)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestLoad_TakesAFileOfTheGreatestSize(t *testing.T) {
	plan := small("a", "a", "+15551234567")
	data := append(plan, bytes.Repeat([]byte("#"), maxFileSize-len(plan))...)
	if _, err := LoadBytes("plan.yaml", data); err != nil {
		t.Error(err)
	}
}
