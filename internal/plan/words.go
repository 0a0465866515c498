package plan

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// clip shortens a text from a plan so that it can stand in a message.
func clip(text string) string {
	const most = 40
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}

// count returns a number with its noun, in the plural unless it is one. It is not that
// of package words, because this package imports telnyx and nothing else of ours.
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

// nearest returns the index of the known word that a word is, or else seems to
// be: letter case aside, within one edit for every three letters, two at most.
// It is -1 when there is none.
func nearest(word string, known []string) (index int, exact bool) {
	index, least := -1, 3
	for i, candidate := range known {
		if word == candidate {
			return i, true
		}
		most := min(2, len(candidate)/3)
		if d := distance(strings.ToLower(word), candidate, most); d <= most && d < least {
			index, least = i, d
		}
	}
	return index, false
}

// Closest returns the known word that a word seems to be a misspelling of, empty when there
// is none.
func Closest(word string, known []string) string {
	if i, _ := nearest(word, known); i >= 0 {
		return known[i]
	}
	return ""
}

// distance returns the number of letters to insert, delete or replace that make
// one word of the other, or most+1 when it is certainly more than most.
func distance(a, b string, most int) int {
	if len(a)-len(b) > most || len(b)-len(a) > most {
		return most + 1
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
