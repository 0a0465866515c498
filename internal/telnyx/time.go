package telnyx

import (
	"encoding/json"
	"time"
)

// Time is a time as Telnyx writes it in 10DLC records: RFC 3339, or the same
// without a zone ("2021-03-08T17:57:48.801186"), which is taken for UTC. Text
// that is not a time decodes to the zero Time with Text kept, never to an error:
// no decision depends on these fields.
type Time struct {
	time.Time
	// Text is what Telnyx wrote.
	Text string
}

// UnmarshalJSON decodes the forms that the type's comment lists.
func (t *Time) UnmarshalJSON(data []byte) error {
	*t = Time{}
	if isNull(data) {
		return nil
	}
	if json.Unmarshal(data, &t.Text) != nil {
		t.Text = string(data) // a number or an object, to be shown
		return nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if parsed, err := time.Parse(layout, t.Text); err == nil {
			t.Time = parsed.UTC()
			break
		}
	}
	return nil
}

// MarshalJSON writes the text back as Telnyx wrote it. A Time that was made here
// and has no text is written in RFC 3339, the zero Time as an empty string.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.Text == "" && !t.IsZero() {
		return json.Marshal(t.Format(time.RFC3339Nano))
	}
	return json.Marshal(t.Text)
}
