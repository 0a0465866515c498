package telnyx

import (
	"bytes"
	"encoding/json"
	"iter"
	"strconv"
	"unicode/utf8"
)

// rawObject is a JSON object in its text, which is known to be valid JSON. Its members
// are found by walking over the text: encoding/json would copy each value at each
// level only to look at a few of them, and a struct would take "Data" for "data".
type rawObject []byte

// asObject returns the object that a valid JSON text is; ok is false if it is none.
func asObject(valid json.RawMessage) (o rawObject, ok bool) {
	trimmed := bytes.TrimLeft(valid, jsonSpace)
	return rawObject(trimmed), len(trimmed) > 0 && trimmed[0] == '{'
}

// members yields each key, unescaped, with its value, in the order of the text. A key
// may come twice; as in encoding/json, the last one counts. The values are parts of
// the object's own memory.
func (o rawObject) members() iter.Seq2[string, json.RawMessage] {
	return func(yield func(string, json.RawMessage) bool) {
		i := skipSpace(o, 1)
		for o[i] == '"' {
			end := skipString(o, i)
			// A conversion that is only compared with constants copies nothing.
			key := o[i+1 : end-1]
			if bytes.IndexByte(key, '\\') >= 0 {
				key = []byte(text(json.RawMessage(o[i:end])))
			}
			i = skipSpace(o, end)     // at the colon
			i = skipSpace(o, i+1)     // at the value
			end = skipValue(o, i)     // behind it
			next := skipSpace(o, end) // at the comma, or at the brace that ends the object
			if !yield(string(key), json.RawMessage(o[i:end:end])) || o[next] != ',' {
				return
			}
			i = skipSpace(o, next+1)
		}
	}
}

const jsonSpace = " \t\r\n"

func skipSpace(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t' {
		i++
	}
	return i
}

// skipString returns the place behind the string that begins at i.
func skipString(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// skipValue returns the place behind the value that begins at i.
func skipValue(b []byte, i int) int {
	for depth := 0; ; {
		switch b[i] {
		case '"':
			i = skipString(b, i)
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		case ' ', '\t', '\r', '\n', ',', ':':
			i++
			continue // only inside of something
		default: // a number, true, false or null
			for i < len(b) && bytes.IndexByte([]byte(",]} \t\r\n"), b[i]) < 0 {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
}

// text returns the string that a valid value is, or an empty one.
func text(value json.RawMessage) string {
	if len(value) < 2 || value[0] != '"' {
		return ""
	}
	if inner := value[1 : len(value)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	var s string
	if json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}

// integer returns the whole number that a valid value is, or zero.
func integer(value json.RawMessage) int {
	n, err := strconv.Atoi(string(value))
	if err != nil {
		return 0
	}
	return n
}

// isNull reports whether a raw value is absent or null.
func isNull(raw json.RawMessage) bool {
	return len(raw) == 0 || bytes.Equal(raw, []byte("null"))
}
