package telnyx

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"unicode"
)

// What [ReasonText] reads and makes at most: lists within lists, and bytes.
const (
	maxReasonDepth = 4
	maxReasonText  = 1000
)

// ReasonText makes one line for a person out of a field that Telnyx fills in
// differently from answer to answer: reasons of an event, failureReasons of a
// campaign or an assignment, errors of an assignment. Strings stay as they are,
// lists are joined with "; ", of an object its description, detail, message or
// title counts, with the fields it blames in brackets. What it cannot read it
// shows as JSON; null and emptiness give an empty string. The line holds no
// control characters and at most 1000 bytes.
func ReasonText(raw json.RawMessage) string {
	return oneLine(reasonText(raw, maxReasonDepth), maxReasonText)
}

func reasonText(raw json.RawMessage, depth int) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text // null too, as an empty string
	}
	var list []json.RawMessage
	if depth > 0 && json.Unmarshal(raw, &list) == nil {
		var texts []string
		for _, raw := range list {
			if text := reasonText(raw, depth-1); text != "" && !slices.Contains(texts, text) {
				texts = append(texts, text)
			}
		}
		return strings.Join(texts, "; ")
	}
	one, ok := asObject(raw)
	if ok && len(one) == 0 {
		return ""
	}
	text = cmp.Or(one.string("description"), one.string("detail"), one.string("message"), one.string("reason"), one.string("title"))
	if text == "" {
		return string(raw)
	}
	var fields []string // as in {"fields":["ein"],"description":"Invalid EIN"}
	if json.Unmarshal(one["fields"], &fields) == nil && len(fields) > 0 {
		text += " (" + strings.Join(fields, ", ") + ")"
	}
	return text
}

// oneLine makes text of an outside source fit for an error or a log: valid
// UTF-8, everything that does not print as single spaces, at most limit bytes,
// the cut marked.
func oneLine(text string, limit int) string {
	const mark = "…"
	// A first, generous cut keeps the rest cheap, whatever was sent.
	cut := len(text) > 4*limit
	if cut {
		text = text[:4*limit]
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(text, "\uFFFD"))
	text = strings.Join(strings.Fields(text), " ")
	if !cut && len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:min(len(text), limit-len(mark))], "") + mark
}
