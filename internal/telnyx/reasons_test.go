package telnyx

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestReasonText_ReadsEveryFormSeen(t *testing.T) {
	tests := map[string]struct{ raw, want string }{
		"absent":             {"", ""},
		"null":               {"null", ""},
		"empty list":         {"[]", ""},
		"empty object":       {"{}", ""},
		"empty string":       {`""`, ""},
		"string":             {`"Long code is taken"`, "Long code is taken"},
		"strings":            {`["a","b","a",null]`, "a; b"},
		"published object":   {`[{"fields":["ein","name"],"description":"Invalid EIN"}]`, "Invalid EIN (ein, name)"},
		"detail":             {`{"detail":"no"}`, "no"},
		"unknown object":     {`[{"x":1}]`, `{"x":1}`},
		"number":             {"7", "7"},
		"control characters": {`"a\u001b[31mb\n\tc\u202e"`, "a [31mb c"},
		"no JSON":            {"oops", "oops"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := ReasonText(json.RawMessage(tt.raw)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestReasonText_IsBounded(t *testing.T) {
	tests := map[string]string{
		"long":       `"` + strings.Repeat("é", 1<<20) + `"`,
		"just long":  `"` + strings.Repeat("é", 501) + `"`,
		"many":       "[" + strings.Repeat(`"a",`, 1000) + `"b"]`,
		"deep":       strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
		"wide space": `"` + strings.Repeat(" ", 1<<16) + `a"`,
		"bad UTF-8":  "\"\xff\xfe" + strings.Repeat("\xff", 5000) + `"`,
	}
	for name, raw := range tests {
		t.Run(name, func(t *testing.T) {
			got := ReasonText(json.RawMessage(raw))
			if len(got) > 1000 || !utf8.ValidString(got) {
				t.Errorf("got %d bytes, valid UTF-8 %v", len(got), utf8.ValidString(got))
			}
		})
	}
}
