package telnyx

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// object is a JSON object with its keys as they are spelled: a struct would take
// "Data" for "data".
type object map[string]json.RawMessage

// asObject decodes a JSON object; ok is false for anything else.
func asObject(raw json.RawMessage) (o object, ok bool) {
	err := json.Unmarshal(raw, &o)
	return o, err == nil && o != nil
}

// string returns the string under key, or an empty one.
func (o object) string(key string) (s string) {
	raw := o[key]
	if len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	// Most strings have no escapes, and every event is read while Telnyx waits for the
	// answer.
	if plain := raw[1 : len(raw)-1]; bytes.IndexByte(plain, '\\') < 0 && utf8.Valid(plain) {
		return string(plain)
	}
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// scalar returns the text of a string or a number under key, or an empty one.
func (o object) scalar(key string) string {
	var n json.Number // takes strings that are numbers too, but no other ones
	if s := o.string(key); s != "" {
		return s
	}
	if raw := o[key]; isNull(raw) || json.Unmarshal(raw, &n) != nil {
		return ""
	}
	return n.String()
}

// flag returns the boolean under key; known is false if there is none.
func (o object) flag(key string) (value, known bool) {
	value, err := strconv.ParseBool(strings.Trim(string(o[key]), `"`))
	return value, err == nil
}

// isNull reports whether a raw value is absent or null.
func isNull(raw json.RawMessage) bool {
	return len(raw) == 0 || bytes.Equal(raw, []byte("null"))
}

// asRecord returns the object that a JSON text is by the plain form of its keys, since
// Telnyx's guides write 10DLC records in snake case and its OpenAPI description in
// camel case. A key that comes in two spellings has the value that is not null.
func asRecord(raw json.RawMessage) (object, error) {
	fields := gjson.ParseBytes(raw)
	if !fields.IsObject() {
		return nil, errors.New("it is not an object")
	}
	record := make(object, 16)
	fields.ForEach(func(key, value gjson.Result) bool {
		name := plain(key.Str)
		if value.Type != gjson.Null || record[name] == nil {
			record[name] = json.RawMessage(value.Raw)
		}
		return true
	})
	return record, nil
}

// plain returns the letters and digits of a text in lower case, so that
// "phone_number" and "phoneNumber" are one key.
func plain(text string) string {
	if isPlain(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, text)
}

func isPlain(text string) bool {
	for _, c := range []byte(text) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// decodeRecord fills the struct that to points to from a JSON object, by the names in
// the fields' json tags and, where that is empty, in the tags "or". Keys may be in camel
// case or snake case, texts may be numbers, and what does not fit its field is left out.
// The tag "as" says what a text is: a word of a closed list or a phone number.
func decodeRecord(raw json.RawMessage, to any) error {
	record, err := asRecord(raw)
	if err != nil {
		return err
	}
	fields := reflect.ValueOf(to).Elem()
	for i := range fields.NumField() {
		tag := fields.Type().Field(i).Tag
		name, _, _ := strings.Cut(tag.Get("json"), ",")
		names := append([]string{name}, strings.Fields(tag.Get("or"))...)
		for _, name := range names {
			if fields.Field(i).IsZero() {
				record.fill(fields.Field(i), plain(name), tag.Get("as"))
			}
		}
	}
	return nil
}

// fill sets a field of a record to the value under key, if it fits.
func (o object) fill(field reflect.Value, key, as string) {
	switch to := field.Addr().Interface().(type) {
	case *json.RawMessage:
		if !isNull(o[key]) {
			*to = bytes.Clone(o[key])
		}
	case *Time:
		if raw := o[key]; len(raw) > 0 {
			_ = to.UnmarshalJSON(raw) // never fails
		}
	case *bool:
		*to, _ = o.flag(key)
	case **bool:
		if value, known := o.flag(key); known {
			*to = &value
		}
	default:
		text := o.scalar(key)
		switch as {
		case "word":
			text = canonicalWord(text)
		case "number":
			text = CanonicalNumber(text)
		}
		field.SetString(text)
	}
}

// textSize is how many bytes of text a record holds.
func textSize(record reflect.Value) (bytes int) {
	for i := range record.NumField() {
		switch field := record.Field(i); field.Kind() {
		case reflect.String, reflect.Slice:
			bytes += field.Len()
		case reflect.Struct:
			bytes += textSize(field)
		}
	}
	return bytes
}

// single returns the one record that an answer is about: bare, under data, or the only
// element of a list. Anything else is returned as it is.
func single(raw json.RawMessage) json.RawMessage {
	for range 3 { // {"data":[{…}]} has two layers
		if list := elements[json.RawMessage](raw, 1); len(list) == 1 {
			raw = list[0]
			continue
		}
		layers, err := asRecord(raw)
		switch {
		case err != nil:
			return raw
		case isContainer(layers["data"]):
			raw = layers["data"]
		case isContainer(layers["records"]):
			raw = layers["records"]
		default:
			return raw
		}
	}
	return raw
}

func isContainer(raw json.RawMessage) bool {
	return len(raw) > 0 && (raw[0] == '{' || raw[0] == '[')
}

// elements decodes the elements of a list of valid JSON one by one, one more than limit
// at most, so that an answer of millions of empty ones cannot fill memory. What is not a
// T is a zero one. It is nil for anything but a list.
func elements[T any](list json.RawMessage, limit int) (all []T) {
	parsed := gjson.ParseBytes(list)
	if !parsed.IsArray() {
		return nil
	}
	parsed.ForEach(func(_, value gjson.Result) bool {
		var element T
		if decodeElement(&element, []byte(value.Raw)) != nil {
			var none T
			element = none
		}
		all = append(all, element)
		return len(all) <= limit
	})
	return all
}

// decodeElement is json.Unmarshal without another check of JSON that is valid.
func decodeElement(to any, valid []byte) error {
	if own, ok := to.(json.Unmarshaler); ok {
		return own.UnmarshalJSON(valid)
	}
	return json.Unmarshal(valid, to)
}

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
	if text != strings.ToUpper(text) && text != strings.ToLower(text) {
		text = wordBreak.ReplaceAllString(text, "${1}${3}_${2}${4}")
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" -_.\t\n\r", r) })
	return strings.ToUpper(strings.Join(words, "_"))
}

// wordBreak is between the letters of two words that are written together.
var wordBreak = regexp.MustCompile(`(\p{Ll})(\p{Lu})|(\p{Lu})(\p{Lu}\p{Ll})`)
