package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"greenlight/internal/telnyx"
)

const wantDraft = `# Two campaigns.
version: 1
campaigns:
  # It is approved.
  - name: "123"
    tcr_campaign_id: C6X6M95
    messaging_profile_id: 4001776e-5b1a-4d0c-9f2e-2d9a7b9c1e10
    move_from: [C6X6M94, "1e3"]
    max_numbers: 60
    prune: true
    numbers:
      - "+12125550100"
      - "+12125550101" # PENDING_ASSIGNMENT
      # +12125550102: FAILED_ASSIGNMENT: "no # such: brand"

  # No numbers are on it.
  # - name: empty
  #   campaign_id: 751c6a5c-907b-43a9-8ada-ba1dc8335b07
  #   numbers: []
`

func TestDraft_IsAPlanWithComments(t *testing.T) {
	d := Draft{Comment: []string{"Two\ncampaigns."}, Entries: []DraftEntry{{
		Campaign: Campaign{Name: "123", TCRCampaignID: "C6X6M95", MessagingProfileID: "4001776e-5b1a-4d0c-9f2e-2d9a7b9c1e10",
			MoveFrom: []string{"C6X6M94", "1e3"}, MaxNumbers: 60, Prune: true, Numbers: []E164{"+12125550100", "+12125550101"}},
		Comment: []string{"It is approved."},
		Notes:   map[E164]string{"+12125550101": "PENDING_ASSIGNMENT"},
		Skipped: []SkippedNumber{{"+12125550102", "FAILED_ASSIGNMENT:\n \"no # such: brand\""}},
	}, {
		Campaign: Campaign{Name: "empty", CampaignID: "751c6a5c-907b-43a9-8ada-ba1dc8335b07"},
		Comment:  []string{"No numbers are on it."}, Disabled: true,
	}}}
	if got := string(d.YAML()); got != wantDraft {
		t.Errorf("got:\n%s\nwant:\n%s", got, wantDraft)
	}
}

// anyText is text that would do something in YAML.
var anyText = []string{"plain", "", "a\nb: c", "x\r- y", "\u2028z", "\x00\x1b[2J", "\ufeff", "# ## #", "- [", "%TAG", "\t", "\xff", "---", "*a &b !c", strings.Repeat("long ", 99)}

// randomDraft returns a draft whose entries follow the grammar, in order of their names.
func randomDraft(r *rand.Rand) (d Draft, want []Campaign) {
	text := func() string { return anyText[r.IntN(len(anyText))] + anyText[r.IntN(len(anyText))] }
	// YAML readers take many of these for something else than text.
	word := func() string {
		return [...]string{"y", "no", "null", "0x1F", "1e3", "0o7", "123", "1-2", "2026-11-01", "true", "spring", "1-30"}[r.IntN(12)]
	}
	numbers := 0
	next := func() E164 {
		numbers++
		return E164(fmt.Sprintf("+1212555%04d", numbers))
	}
	d.Comment = []string{text(), text()}
	for i := range 1 + r.IntN(4) {
		e := DraftEntry{Comment: []string{text()}, Disabled: i > 0 && r.IntN(3) == 0, Notes: map[E164]string{}}
		id := fmt.Sprintf("%s-%d", word(), i)
		if i == 0 {
			id = word()
		}
		e.Name, e.MaxNumbers = id, DefaultMaxNumbers
		switch r.IntN(3) {
		case 0:
			e.CampaignID = telnyx.CampaignID(id)
		case 1:
			e.TCRCampaignID = telnyx.TCRCampaignID(fmt.Sprintf("C0000%d", i))
		default:
			e.ReferenceID, e.BrandID = id, word()
		}
		if r.IntN(2) == 0 {
			e.MessagingProfileID = word()
		}
		if r.IntN(3) == 0 {
			e.NumberPool = id
		}
		if r.IntN(3) == 0 {
			e.MoveFrom = []string{"1e4", "C9999"}
		}
		e.Prune = r.IntN(4) == 0
		for range r.IntN(70) {
			n := next()
			e.Numbers = append(e.Numbers, n)
			if r.IntN(3) == 0 {
				e.Notes[n] = text()
			}
		}
		if len(e.Numbers) == 0 && e.NumberPool == "" {
			e.Numbers = []E164{next()}
		}
		if len(e.Numbers) > DefaultMaxNumbers {
			e.MaxNumbers = len(e.Numbers) + r.IntN(5)
		}
		e.Skipped = []SkippedNumber{{text(), text()}}
		d.Entries = append(d.Entries, e)
		if !e.Disabled {
			want = append(want, e.Campaign)
		}
	}
	return d, want
}

// hashes are what the entries ask for, in any order.
func hashes(campaigns []Campaign) (all []string) {
	for _, c := range campaigns {
		all = append(all, c.Hash())
	}
	slices.Sort(all)
	return all
}

func TestDraft_LoadsToTheSameSet(t *testing.T) {
	for seed := range uint64(300) {
		d, want := randomDraft(rand.New(rand.NewPCG(seed, 1)))
		text := d.YAML()
		set, err := LoadBytes("draft.yaml", text)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		if got, want := hashes(set.Campaigns), hashes(want); !slices.Equal(got, want) {
			t.Fatalf("seed %d: got %v, want %v\n%s", seed, got, want, text)
		}
		if again := d.YAML(); string(again) != string(text) {
			t.Fatalf("seed %d: it printed differently again", seed)
		}
	}
}

func TestDraft_DisabledEntriesLoadOnceTheirMarksAreDeleted(t *testing.T) {
	for seed := range uint64(50) {
		d, _ := randomDraft(rand.New(rand.NewPCG(seed, 2)))
		var want []Campaign
		for i := range d.Entries {
			d.Entries[i].Comment = nil
			want = append(want, d.Entries[i].Campaign)
		}
		text := strings.ReplaceAll(string(d.YAML()), "\n  # ", "\n  ")
		set, err := LoadBytes("draft.yaml", []byte(text))
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		if got, want := hashes(set.Campaigns), hashes(want); !slices.Equal(got, want) {
			t.Errorf("seed %d: got %v, want %v\n%s", seed, got, want, text)
		}
	}
}

func TestNewName_IsAValidName(t *testing.T) {
	for text, want := range map[string]string{
		"spring-2026":                   "spring-2026",
		"Spring Promo, 2026!":           "Spring-Promo-2026",
		"  _x_  ":                       "x",
		"été":                           "t",
		"":                              "",
		"—":                             "",
		strings.Repeat("long-", 20):     strings.Repeat("long-", 12) + "long",
		"MARKETING C6X6M95\nname: evil": "MARKETING-C6X6M95-name-evil",
	} {
		got := NewName(text)
		if got != want || got != "" && !forms["name"].pattern.MatchString(got) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
