package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"greenlight/internal/telnyx"
)

func TestWrite_IsAPlanForPeople(t *testing.T) {
	got, err := Write("From the account,\nas of today.", []Entry{
		{
			Campaign: Campaign{Name: "spring", CampaignID: "751c6a5c-907b-43a9-8ada-ba1dc8335b07", MessagingProfileID: "p",
				Numbers: []E164{"+12125550142", "+12125550143"}, MoveFrom: []string{"C6X6M94"}, MaxNumbers: 60, Prune: true},
			Comment:        "Spring promotion",
			NumberComments: map[E164]string{"+12125550143": "on another\nprofile \u202e"},
			Omitted:        "+12125550144 FAILED_ASSIGNMENT",
		},
		{Campaign: Campaign{Name: "123", TCRCampaignID: "C6X6M95"}, Comment: "No numbers yet."},
		{Campaign: Campaign{Name: "rejected", CampaignID: "r", Numbers: []E164{"+12125550145"}}, Disabled: true, Omitted: "+12125550146"},
		{Campaign: Campaign{Name: "pool", ReferenceID: "1e5", BrandID: "b", NumberPool: "true"}},
	})
	const want = `# From the account,
# as of today.
version: 1
campaigns:
  # Spring promotion
  - name: spring
    campaign_id: 751c6a5c-907b-43a9-8ada-ba1dc8335b07
    messaging_profile_id: p
    move_from:
      - C6X6M94
    max_numbers: 60
    prune: true
    numbers:
      - "+12125550142"
      - "+12125550143" # on another\nprofile \u202e
      # +12125550144 FAILED_ASSIGNMENT

  # No numbers yet.
  # - name: "123"
  #   tcr_campaign_id: C6X6M95
  #   numbers:

  # - name: rejected
  #   campaign_id: r
  #   numbers:
  #     - "+12125550145"
  #     # +12125550146

  - name: pool
    reference_id: "1e5"
    brand_id: b
    number_pool: "true"
`
	if diff := cmp.Diff(want, string(got)); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// What is written loads to the same campaigns, whatever their ids and comments are.
func TestWrite_LoadsToTheSameCampaigns(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(words ...string) string { return words[random.IntN(len(words))] }
	comment := func() string {
		return pick("", "plain", "two\nlines", "a: b # c", "\x00\x1b[2J", "\u2028\u0085x\rtail", "\ufeff\xff", "...\n---\n- x", "  \n\n", `"`, "*a &b !c", strings.Repeat("x", 2000))
	}
	for round := range part(1200) {
		var entries []Entry
		var want []Campaign
		for i := range 1 + random.IntN(4) {
			id := fmt.Sprintf("%s%d", pick("true-", "0x", "1e", "2026-11-0", "-", "0", "1", "no", "C"), i)
			e := Entry{Comment: comment(), Disabled: random.IntN(5) == 0, Omitted: comment(), NumberComments: map[E164]string{}}
			e.Campaign = Campaign{Name: fmt.Sprintf("%s%d", pick("true", "0x", "1e", "1.", "2026-11-0", "null"), i), MaxNumbers: 1 + random.IntN(100), Prune: random.IntN(2) == 0}
			switch random.IntN(3) {
			case 0:
				e.CampaignID = telnyx.CampaignID("x" + id)
			case 1:
				e.TCRCampaignID = telnyx.TCRCampaignID(fmt.Sprintf("C00000%d", i))
			default:
				e.ReferenceID, e.BrandID = id, pick("1", "~", "null")
				if e.BrandID == "~" {
					e.BrandID = "1_000"
				}
			}
			if random.IntN(2) == 0 {
				e.NumberPool = id
			}
			if random.IntN(2) == 0 {
				e.MoveFrom, e.MessagingProfileID = []string{"0", "1e5", "false"}, "0b1"
			}
			for j := range random.IntN(1 + e.MaxNumbers) {
				n := E164(fmt.Sprintf("+1555%03d%04d", i, j))
				e.Numbers = append(e.Numbers, n)
				e.NumberComments[n] = comment()
			}
			entries = append(entries, e)
			if !e.Disabled && (len(e.Numbers) > 0 || e.NumberPool != "") {
				want = append(want, e.Campaign)
			}
		}
		text, err := Write(comment(), entries)
		if len(want) == 0 {
			if err == nil {
				t.Fatal("a plan without numbers is not refused")
			}
			continue
		}
		if err != nil {
			t.Fatalf("round %d: %v\n%s", round, err, text)
		}
		set, err := LoadBytes("plan.yaml", text)
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(want, func(a, b Campaign) int { return strings.Compare(a.Name, b.Name) })
		for i := range want {
			if len(want[i].Numbers) == 0 {
				want[i].Numbers = []E164{}
			}
		}
		if diff := cmp.Diff(want, set.Campaigns, ignorePlaces); diff != "" {
			t.Fatalf("round %d (-want +got):\n%s\n%s", round, diff, text)
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
		"—\xff":                         "",
		strings.Repeat("long-", 20):     strings.Repeat("long-", 12) + "long",
		"MARKETING C6X6M95\nname: evil": "MARKETING-C6X6M95-name-evil",
	} {
		got := NewName(text)
		if got != want || got != "" && !forms["name"].pattern.MatchString(got) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
