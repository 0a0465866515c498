package plan

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// clip shortens a text from a plan for use in a message.
func clip(text string) string {
	const limit = 40
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit-1]) + "…"
}

// count returns a number with its noun, in the plural unless it is one.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// list joins words with commas and a last "or".
func list(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// Closest returns the known word that a word is or seems to be a misspelling of: letter
// case aside, within one edit per three letters, two at most. It is empty if there is
// none. An exact match comes first.
func Closest(word string, known []string) string {
	closest, least := "", 3
	for _, candidate := range known {
		if word == candidate {
			return candidate
		}
		limit := min(2, len(candidate)/3)
		if d := distance(strings.ToLower(word), candidate, limit); d <= limit && d < least {
			closest, least = candidate, d
		}
	}
	return closest
}

// distance returns how many letters to insert, delete or replace to turn one word into
// the other, or limit+1 if that is certainly more than limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
