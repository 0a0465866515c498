package plan

import "testing"

func TestClosest_IsTheKeyThatWasMeant(t *testing.T) {
	known := []string{"name", "campaign_id", "tcr_campaign_id", "numbers", "max_numbers"}
	for word, want := range map[string]string{
		"name":          "name",
		"Name":          "name",
		"nme":           "name",
		"note":          "", // two of four letters differ
		"id":            "",
		"campaignId":    "campaign_id",
		"campaign-id":   "campaign_id",
		"campain_id":    "campaign_id",
		"tcrCampaignID": "tcr_campaign_id",
		"number":        "numbers",
		"nubmers":       "numbers",
		"max-number":    "max_numbers",
		"number_pool":   "",
		"numbers_file":  "",
		"":              "",
	} {
		if got := Closest(word, known); got != want {
			t.Errorf("Closest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestList_JoinsWithCommasAndOr(t *testing.T) {
	for want, words := range map[string][]string{
		"":          nil,
		"a":         {"a"},
		"a or b":    {"a", "b"},
		"a, b or c": {"a", "b", "c"},
	} {
		if got := list(words); got != want {
			t.Errorf("list(%q) = %q, want %q", words, got, want)
		}
	}
}
