package telnyx

import (
	"encoding/json"
	"strings"
	"unicode"
)

// CanonicalNumber returns a phone number in E.164 form, whatever way it is
// written: "16715455939", "(671) 545-5939" and "+1 671-545-5939" all give
// "+16715455939". Ten digits are taken for a number of the North American plan.
// Text that is not a phone number is returned trimmed.
func CanonicalNumber(text string) string {
	trimmed := strings.TrimSpace(text)
	var digits strings.Builder
	for _, r := range strings.TrimPrefix(trimmed, "tel:") {
		switch {
		case r >= '0' && r <= '9':
			digits.WriteRune(r)
		case unicode.IsSpace(r) || strings.ContainsRune("+-.()/‐‑–", r):
		default:
			return trimmed
		}
	}
	number := digits.String()
	switch {
	case strings.HasPrefix(trimmed, "+") && len(number) >= 7 && len(number) <= 15,
		len(number) == 11 && number[0] == '1':
		return "+" + number
	case len(number) == 10 && number[0] >= '2':
		return "+1" + number
	}
	return trimmed
}

// canonicalWord returns a word of a closed list as Telnyx's OpenAPI description
// spells statuses: upper case with underscores. "Pending Assignment",
// "pending-assignment" and "pendingAssignment" all give "PENDING_ASSIGNMENT".
func canonicalWord(text string) string {
	var b strings.Builder
	var before rune
	for _, r := range strings.TrimSpace(text) {
		switch {
		case r == ' ' || r == '-' || r == '_' || r == '.':
			if before != '_' {
				b.WriteByte('_')
			}
			before = '_'
			continue
		case unicode.IsUpper(r) && unicode.IsLower(before):
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToUpper(r))
		before = r
	}
	return b.String()
}

// plain returns the letters and digits of a text in lower case, so that
// "phone_number" and "phoneNumber" are one key.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, text)
}

// record is a JSON object by the plain form of its keys. Telnyx's guides write
// 10DLC records in snake case and its OpenAPI description in camel case.
type record object

// asRecord reads a JSON object. A key that comes in two spellings has the value
// that is not null.
func asRecord(data []byte) (record, error) {
	var fields object
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	r := make(record, len(fields))
	for key, value := range fields {
		if key = plain(key); isNull(r[key]) {
			r[key] = value
		}
	}
	return r, nil
}

// text returns the string or number under the first of the keys that has one.
func (r record) text(keys ...string) string {
	for _, key := range keys {
		if text := object(r).scalar(key); text != "" {
			return text
		}
	}
	return ""
}

// word returns the canonical word under the first of the keys that has one.
func (r record) word(keys ...string) string { return canonicalWord(r.text(keys...)) }

// raw returns the value under key, nil if it is null.
func (r record) raw(key string) json.RawMessage {
	if isNull(r[key]) {
		return nil
	}
	return r[key]
}

// flag returns the boolean under key; known is false if there is none.
func (r record) flag(key string) (value, known bool) {
	switch strings.ToLower(strings.Trim(string(r[key]), `"`)) {
	case "true", "1", "yes":
		return true, true
	case "false", "0", "no":
		return false, true
	}
	return false, false
}

// time returns the time under key.
func (r record) time(key string) (t Time) {
	if raw := r[key]; len(raw) > 0 {
		_ = t.UnmarshalJSON(raw) // never fails
	}
	return t
}

// single returns the one record that an answer is about: bare, under data, or
// the only element of a list. Anything else is returned as it is.
func single(body []byte) []byte {
	for range 3 { // {"data":[{…}]} has two layers
		var list []json.RawMessage
		if json.Unmarshal(body, &list) == nil && len(list) == 1 {
			body = list[0]
			continue
		}
		var layer struct {
			Data    json.RawMessage `json:"data"`
			Records json.RawMessage `json:"records"`
		}
		if json.Unmarshal(body, &layer) != nil {
			return body
		}
		switch {
		case isContainer(layer.Data):
			body = layer.Data
		case isContainer(layer.Records):
			body = layer.Records
		default:
			return body
		}
	}
	return body
}

func isContainer(raw json.RawMessage) bool {
	return len(raw) > 0 && (raw[0] == '{' || raw[0] == '[')
}
