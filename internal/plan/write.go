package plan

import (
	"fmt"
	"strings"

	yaml3 "github.com/oasdiff/yaml3"
)

// Entry is a campaign of a plan file that [Write] writes, with comments for people. A
// comment may have several lines, and any characters.
type Entry struct {
	Campaign
	// Comment is written above the entry, if it is not empty.
	Comment string
	// NumberComments are written after numbers of the entry.
	NumberComments map[E164]string
	// Disabled has the whole entry written as a comment.
	Disabled bool
	// Omitted is written below the numbers, for example to name those that are left out.
	Omitted string
}

// Write returns a plan file with the entries, in their order, below a comment. Loading it
// gives the campaigns that are not disabled. An entry without numbers and without a pool is
// not a plan yet and is disabled. MaxNumbers 0 means [DefaultMaxNumbers].
//
// The error is a [Faults] if the entries break the rules of plans, or have no numbers at
// all. Its positions are in the text, which is returned nevertheless.
func Write(comment string, entries []Entry) ([]byte, error) {
	var text strings.Builder
	writeComment(&text, "", comment)
	text.WriteString("version: 1\ncampaigns:\n")
	for i, e := range entries {
		if i > 0 {
			text.WriteString("\n")
		}
		writeComment(&text, "  ", e.Comment)
		written := e.text()
		if e.Disabled || len(e.Numbers) == 0 && e.NumberPool == "" {
			for line := range strings.Lines(written) {
				text.WriteString("  #" + strings.TrimPrefix(line, " "))
			}
			continue
		}
		text.WriteString(written)
	}
	data := []byte(text.String())
	_, err := LoadBytes("plan", data)
	return data, err
}

// NewName makes a name for an entry of a text. It is empty if the text has no letter or
// digit that names may have.
func NewName(text string) string {
	const longest = 64
	words := strings.FieldsFunc(text, func(r rune) bool { return !forms["name"].pattern.MatchString("a" + string(r)) })
	name := strings.TrimLeft(strings.Join(words, "-"), "._-")
	return strings.TrimRight(name[:min(len(name), longest)], "._-")
}

// text returns the lines of the entry.
func (e Entry) text() string {
	var text strings.Builder
	indent := "  - "
	key := func(name, value string) {
		if value != "" {
			text.WriteString(indent + name + ": " + scalar(value) + "\n")
			indent = "    "
		}
	}
	key("name", e.Name)
	key("campaign_id", string(e.CampaignID))
	key("tcr_campaign_id", string(e.TCRCampaignID))
	key("reference_id", e.ReferenceID)
	key("brand_id", e.BrandID)
	key("messaging_profile_id", e.MessagingProfileID)
	key("number_pool", e.NumberPool)
	if len(e.MoveFrom) > 0 {
		text.WriteString("    move_from:\n")
		for _, id := range e.MoveFrom {
			text.WriteString("      - " + scalar(id) + "\n")
		}
	}
	if e.MaxNumbers != 0 && e.MaxNumbers != DefaultMaxNumbers {
		fmt.Fprintf(&text, "    max_numbers: %d\n", e.MaxNumbers)
	}
	if e.Prune {
		text.WriteString("    prune: true\n")
	}
	if len(e.Numbers) > 0 || e.NumberPool == "" {
		text.WriteString("    numbers:\n")
	}
	for _, n := range e.Numbers {
		text.WriteString("      - " + scalar(string(n)))
		if comment := e.NumberComments[n]; comment != "" {
			text.WriteString(" # " + escaped(comment))
		}
		text.WriteString("\n")
	}
	writeComment(&text, "      ", e.Omitted)
	return text.String()
}

// writeComment writes a comment, each of its lines with an indent.
func writeComment(text *strings.Builder, indent, comment string) {
	for line := range strings.Lines(comment) {
		text.WriteString(strings.TrimRight(indent+"# "+escaped(strings.TrimRight(line, "\r\n")), " ") + "\n")
	}
}

// scalar returns a text as YAML, in quotes if YAML would read it as another type.
func scalar(text string) string {
	data, err := yaml3.Marshal(text)
	if err != nil {
		panic("plan: a string is always YAML: " + err.Error())
	}
	return strings.TrimSuffix(string(data), "\n")
}
