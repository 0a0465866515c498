package telnyx

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted replaces a secret in every output.
const redacted = "[redacted]"

// APIKey is a Telnyx API key (v2). It prints as "[redacted]" through package
// fmt with every verb, through the JSON, text and XML encoders, and through slog
// and zerolog. The zero value means no key and prints as an empty string, so that
// a printed configuration still shows whether a key was given.
//
// Some ways around it remain, where the methods of the type are not called: the verbs %p and
// %w, which go vet refuses for it; an unexported field of a struct that is
// printed; a key of a map that is encoded as JSON. Keep it in an exported field,
// as [Client] does, and do not convert it to a string.
type APIKey string

// reveal returns the key itself, for the Authorization header and nothing else.
func (k APIKey) reveal() string { return string(k) }

// String returns "[redacted]", or an empty string if there is no key.
func (k APIKey) String() string {
	if k == "" {
		return ""
	}
	return redacted
}

// GoString returns the same as String.
func (k APIKey) GoString() string { return k.String() }

// Format writes the same as String for every verb, so that none of them (%x,
// say) reaches the bytes of the key.
func (k APIKey) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, k.String()) }

// MarshalText returns the same as String. It never fails.
func (k APIKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// MarshalJSON returns the same as String, as a JSON string. It never fails.
func (k APIKey) MarshalJSON() ([]byte, error) { return []byte(`"` + k.String() + `"`), nil }

// LogValue returns the same as String.
func (k APIKey) LogValue() slog.Value { return slog.StringValue(k.String()) }
