package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"greenlight/internal/ledger"
)

// HoldSentences says what is on hold, since when, by whom and why: one sentence for a hold
// of everything, and one for all campaigns that the same person put on hold at the same
// time. Names maps ids of campaigns to names; without a name the id is shown. Times are in
// the time zone of now. Without a hold the result is empty.
func HoldSentences(h ledger.Hold, names map[string]string, now time.Time) []string {
	var sentences []string
	if h.All != nil {
		sentences = append(sentences, holdSentence("everything", *h.All, now))
	}
	byHolder := map[ledger.HeldBy][]string{}
	for id, by := range h.Campaigns {
		by.At = by.At.UTC().Round(0)
		byHolder[by] = append(byHolder[by], cmp.Or(names[id], id))
	}
	var rest []string
	for by, held := range byHolder {
		slices.Sort(held)
		rest = append(rest, holdSentence(Plain(listed(held), maxDetail), by, now))
	}
	slices.Sort(rest)
	return append(sentences, rest...)
}

func holdSentence(what string, by ledger.HeldBy, now time.Time) string {
	text := fmt.Sprintf("On hold: %s, since %s by %s", what, Clock(now, by.At), Plain(by.By, maxDetail))
	if by.Reason != "" {
		text += ": " + strings.TrimRight(Plain(by.Reason, maxDetail), ". ")
	}
	return text + "."
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
