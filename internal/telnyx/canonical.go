package telnyx

import (
	"bytes"
	"encoding/json"
	"errors"
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
// "pending-assignment" and "pendingAssignment" all give "PENDING_ASSIGNMENT", and
// "MNOProvisioned" gives "MNO_PROVISIONED".
func canonicalWord(text string) string {
	var b strings.Builder
	var before rune
	word := []rune(strings.TrimSpace(text))
	for i, r := range word {
		switch {
		case r == ' ' || r == '-' || r == '_' || r == '.':
			if before != '_' {
				b.WriteByte('_')
			}
			before = '_'
			continue
		case unicode.IsUpper(r) && unicode.IsLower(before),
			unicode.IsUpper(r) && unicode.IsUpper(before) && i+1 < len(word) && unicode.IsLower(word[i+1]):
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

// asRecord reads an object out of valid JSON, as UnmarshalJSON gets it. Its values
// are parts of that text. A key that comes in two spellings has the value that is
// not null.
func asRecord(valid []byte) (record, error) {
	fields, ok := asObject(valid)
	if !ok {
		return nil, errors.New("it is not an object")
	}
	r := make(record)
	for key, value := range fields.members() {
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
	return bytes.Clone(r[key])
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

// single returns the one record that an answer of valid JSON is about: bare, under
// data, or the only element of a list. Anything else is returned as it is.
func single(valid []byte) []byte {
	for range 3 { // {"data":[{…}]} has two layers
		if list := elements(valid); len(list) == 1 {
			valid = list[0]
			continue
		}
		layers, err := asRecord(valid)
		switch {
		case err != nil:
			return valid
		case isContainer(layers["data"]):
			valid = layers["data"]
		case isContainer(layers["records"]):
			valid = layers["records"]
		default:
			return valid
		}
	}
	return valid
}

func isContainer(raw json.RawMessage) bool {
	return len(raw) > 0 && (raw[0] == '{' || raw[0] == '[')
}

// elements returns the elements of a list of valid JSON, one more than maxListRows
// at most. It is nil for anything else.
func elements(valid []byte) []json.RawMessage {
	valid = bytes.TrimSpace(valid)
	if len(valid) == 0 || valid[0] != '[' {
		return nil
	}
	var list []json.RawMessage
	for i := skipSpace(valid, 1); valid[i] != ']' && len(list) <= maxListRows; {
		end := skipValue(valid, i)
		list = append(list, json.RawMessage(valid[i:end:end]))
		if i = skipSpace(valid, end); valid[i] == ',' {
			i = skipSpace(valid, i+1)
		}
	}
	return list
}
