package plan

import "testing"

func TestNearest_IsTheKeyThatWasMeant(t *testing.T) {
	known := []string{"name", "campaign_id", "tcr_campaign_id", "numbers", "max_numbers"}
	for word, want := range map[string]string{
		"name":          "name",
		"Name":          "name",
		"nme":           "name",
		"note":          "", // two letters off a word of four is another word
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
		index, exact := nearest(word, known)
		got := ""
		if index >= 0 {
			got = known[index]
		}
		if got != want || exact != (word == want && want != "") {
			t.Errorf("nearest(%q) = %q, %t, want %q", word, got, exact, want)
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
