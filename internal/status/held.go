package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"greenlight/internal/ledger"
)

// HoldSentences says what is on hold, since when, by whom and why: one sentence for each
// element of [HeldBy]. Times are in the time zone of now.
func HoldSentences(h ledger.Hold, names map[string]string, now time.Time) []string {
	var sentences []string
	for _, held := range HeldBy(h, names) {
		text := fmt.Sprintf("On hold: %s, since %s by %s", held.What, Clock(now, held.At), held.By)
		if held.Reason != "" {
			text += ": " + held.Reason
		}
		sentences = append(sentences, text+".")
	}
	return sentences
}

// Held is what the same person put on hold at the same time, and why. Its texts are harmless
// on a terminal.
type Held struct {
	// What names the campaigns, or is "everything".
	What, By, Reason string
	At               time.Time
}

// HeldBy lists what is on hold: first a hold of everything, then the campaigns, by name. Names
// maps ids of campaigns to names; without a name the id is shown.
func HeldBy(h ledger.Hold, names map[string]string) []Held {
	byHolder := map[ledger.HeldBy][]string{}
	for id, by := range h.Campaigns {
		by.At = by.At.UTC().Round(0)
		byHolder[by] = append(byHolder[by], cmp.Or(names[id], id))
	}
	var list []Held
	for by, held := range byHolder {
		slices.Sort(held)
		list = append(list, heldBy(Plain(listed(held), maxDetail), by))
	}
	slices.SortFunc(list, func(a, b Held) int {
		return cmp.Or(strings.Compare(a.What, b.What), a.At.Compare(b.At), strings.Compare(a.By, b.By))
	})
	if h.All != nil {
		list = slices.Insert(list, 0, heldBy("everything", *h.All))
	}
	return list
}

func heldBy(what string, by ledger.HeldBy) Held {
	return Held{What: what, At: by.At, By: Plain(by.By, maxDetail), Reason: strings.TrimRight(Plain(by.Reason, maxDetail), ". ")}
}

// MissingSentence says that buckets of the ledger are missing.
func MissingSentence(buckets []string) string {
	return "The ledger is incomplete. Missing on the NATS server: " + strings.Join(buckets, ", ") + ". " +
		"A running assigner creates the missing buckets and reads everything again. Until then their contents are unknown."
}

// names returns the plan names of the campaigns by each of their ids.
func (s Snapshot) names() map[string]string {
	names := make(map[string]string, len(s.Campaigns))
	for _, c := range s.Campaigns {
		for _, id := range c.IDs() {
			names[id] = c.Plan
		}
	}
	return names
}
