package plan

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	yaml3 "github.com/oasdiff/yaml3"
)

// Draft is a plan file with comments, for people to read and edit. The zero value has no
// entries and does not load.
type Draft struct {
	// Comment is printed at the top, one line for each element.
	Comment []string
	// Entries are printed in their order.
	Entries []DraftEntry
}

// DraftEntry is one campaign of a [Draft].
type DraftEntry struct {
	Campaign
	// Comment is printed above the entry, one line for each element.
	Comment []string
	// Disabled prints the whole entry as comments, so that loading skips it.
	Disabled bool
	// Notes are printed behind numbers of the entry.
	Notes map[E164]string
	// Skipped are numbers that the entry does not name. They are printed as comments.
	Skipped []SkippedNumber
}

// SkippedNumber is a number that is only in a comment of a [Draft], and why.
type SkippedNumber struct {
	// Number is as Telnyx spells it. It need not be valid in a plan.
	Number, Why string
}

// YAML prints the draft. What it prints depends on the draft alone, and [LoadBytes] makes
// of it the campaigns that are not disabled, if they follow the rules of the grammar.
// Comments may hold any text: what does not print becomes a blank, and long text is cut.
func (d Draft) YAML() []byte {
	var b strings.Builder
	for _, line := range d.Comment {
		b.WriteString("# " + commentText(line) + "\n")
	}
	b.WriteString("version: 1\ncampaigns:\n")
	for i, e := range d.Entries {
		if i > 0 {
			b.WriteString("\n")
		}
		for _, line := range e.Comment {
			b.WriteString("  # " + commentText(line) + "\n")
		}
		indent := "  "
		if e.Disabled {
			indent = "  # "
		}
		for _, line := range e.lines() {
			b.WriteString(indent + line + "\n")
		}
	}
	return []byte(b.String())
}

// lines are the lines of the entry without their indentation.
func (e DraftEntry) lines() []string {
	lines := []string{"- name: " + scalar(e.Name)}
	add := func(key, value string) {
		if value != "" {
			lines = append(lines, "  "+key+": "+value)
		}
	}
	for _, field := range []struct{ key, value string }{
		{"campaign_id", string(e.CampaignID)}, {"tcr_campaign_id", string(e.TCRCampaignID)}, {"reference_id", e.ReferenceID},
		{"brand_id", e.BrandID}, {"messaging_profile_id", e.MessagingProfileID}, {"number_pool", e.NumberPool},
	} {
		if field.value != "" {
			add(field.key, scalar(field.value))
		}
	}
	if len(e.MoveFrom) > 0 {
		add("move_from", "["+strings.Join(scalars(e.MoveFrom), ", ")+"]")
	}
	if e.MaxNumbers != DefaultMaxNumbers && e.MaxNumbers > 0 {
		add("max_numbers", fmt.Sprint(e.MaxNumbers))
	}
	if e.Prune {
		add("prune", "true")
	}
	return append(lines, e.numberLines()...)
}

// numberLines are the lines that list numbers.
func (e DraftEntry) numberLines() (lines []string) {
	if len(e.Numbers) > 0 {
		lines = append(lines, "  numbers:")
	} else if e.NumberPool == "" {
		lines = append(lines, "  numbers: []")
	}
	for _, n := range e.Numbers {
		line := fmt.Sprintf(`    - "%s"`, n)
		if note := commentText(e.Notes[n]); note != "" {
			line += " # " + note
		}
		lines = append(lines, line)
	}
	for _, s := range e.Skipped {
		lines = append(lines, fmt.Sprintf("    # %s: %s", commentText(s.Number), commentText(s.Why)))
	}
	return lines
}

// scalar prints text as a YAML value that every YAML reader takes for text.
func scalar(text string) string {
	printed, err := yaml3.Marshal(text)
	if err != nil {
		panic("plan: text is always YAML: " + err.Error())
	}
	return strings.TrimSuffix(string(printed), "\n")
}

func scalars(texts []string) []string {
	printed := slices.Clone(texts)
	for i, text := range texts {
		printed[i] = scalar(text)
	}
	return printed
}

// commentText makes one line of a text that may come from outside.
func commentText(text string) string {
	const most = 200
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(text, "\uFFFD"))
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most-1]) + "…"
	}
	return text
}

// NewName makes a valid name for an entry of a text. It is empty if the text has no letter
// or digit of the English alphabet.
func NewName(text string) string {
	const most = 64
	words := strings.FieldsFunc(text, func(r rune) bool {
		return r >= utf8.RuneSelf || !forms["name"].pattern.MatchString("a"+string(r))
	})
	name := strings.TrimLeft(strings.Join(words, "-"), "._-")
	return strings.TrimRight(name[:min(len(name), most)], "._-")
}
