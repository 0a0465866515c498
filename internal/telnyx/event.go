package telnyx

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// ErrNotEvent is matched by the error for a body that is not a notification.
var ErrNotEvent = errors.New("not a Telnyx event")

// maxIDLength bounds an event's id, and one that goes into a path. Telnyx's are 36
// characters.
const maxIDLength = 200

// Event is one notification, out of either form that Telnyx describes: the
// envelope {"data":{…},"meta":{…}} of
// https://developers.telnyx.com/docs/messaging/10dlc/event-notifications, or the
// flat body of CampaignStatusUpdateEvent in
// https://github.com/team-telnyx/openapi, which is all payload.
//
// An event is a hint that something happened, late and out of order at times.
// Read the campaign before acting on it.
type Event struct {
	// ID is data.id, the same in every attempt to deliver the event. It is 1 to
	// 200 printable ASCII characters, not always a UUID. A body without such an
	// id gets "sha256-" and the SHA-256 of the body in hex.
	ID string
	// Type is data.event_type, for example [EventCampaignUpdate]; never empty. It may
	// be a type that is not listed here. A flat body is an EventCampaignUpdate.
	Type string
	// OccurredAt is data.occurred_at; zero for a flat body.
	OccurredAt Time
	// Payload is data.payload, or the whole of a flat body.
	Payload Payload
}

// Payload is what Greenlight reads of what an event says happened. Every text is as Telnyx
// wrote it, and empty when the event lacks it or has something other than a string there.
type Payload struct {
	// Type is the kind of the event, for example [TypeVerified].
	Type string
	// EventType is The Campaign Registry's own word, for example CAMPAIGN_EXPIRED.
	EventType string
	// Status is, for example, ACCEPTED or failed. Several types have none.
	Status string
	// Description is a sentence in English.
	Description string
	// CampaignID is Telnyx's id of the campaign, but the TCR id in a CAMPAIGN_NUDGE.
	CampaignID    string
	TCRCampaignID string
	BrandID       string
	// PhoneNumber is in E.164 form.
	PhoneNumber string
	// Reasons is raw because its type varies: a list of objects or of strings, or
	// a string. [ReasonText] makes a sentence of it.
	Reasons json.RawMessage
}

// ParseEvent decodes the body of a delivery, which must have been verified. It
// is strict about what makes an event (an object; in the envelope an event_type;
// in a flat body a campaignId) and lenient about the rest: a field of an
// unexpected type is left out. Every error matches [ErrNotEvent] and says why.
func ParseEvent(body []byte) (Event, error) {
	if err := notObject(body); err != nil {
		return Event{}, fmt.Errorf("%w: the body is not a JSON object: %w", ErrNotEvent, err)
	}
	// Telnyx waits while this is read, so nothing is decoded that an Event does not hold.
	top := gjson.ParseBytes(body)
	var data, campaignID gjson.Result
	top.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "data":
			data = value
		case "campaignId":
			campaignID = value
		}
		return true
	})
	switch {
	case data.Type != gjson.Null:
		return parseEnvelope(data, body)
	case text(campaignID) == "":
		return Event{}, fmt.Errorf("%w: it has neither data, like an event, nor campaignId, like a flat campaign update", ErrNotEvent)
	}
	return Event{ID: hashID(body), Type: EventCampaignUpdate, Payload: newPayload(top)}, nil
}

// notObject returns why a body is not a JSON object. Null passes: it has no members.
func notObject(body []byte) error {
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '{' && json.Valid(body) {
		return nil
	}
	var o object
	return json.Unmarshal(body, &o)
}

// text returns a JSON string, or an empty one for anything else.
func text(value gjson.Result) string {
	if value.Type != gjson.String {
		return ""
	}
	if utf8.ValidString(value.Str) {
		return value.Str
	}
	return string([]rune(value.Str)) // each bad byte becomes U+FFFD, as in encoding/json
}

// About returns what the event is about: the campaign's id, else its TCR id,
// else the brand's id, else an empty string. It is Telnyx's text, unchecked.
func (e Event) About() string {
	return cmp.Or(e.Payload.CampaignID, e.Payload.TCRCampaignID, e.Payload.BrandID)
}

func parseEnvelope(data gjson.Result, body []byte) (Event, error) {
	if !data.IsObject() {
		return Event{}, fmt.Errorf("%w: data is not a JSON object", ErrNotEvent)
	}
	var e Event
	data.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "id":
			e.ID = text(value)
		case "event_type":
			e.Type = text(value)
		case "occurred_at":
			_ = e.OccurredAt.UnmarshalJSON([]byte(value.Raw)) // it keeps what it cannot read
		case "payload":
			e.Payload = newPayload(value)
		}
		return true
	})
	if e.Type == "" {
		return Event{}, fmt.Errorf("%w: data.event_type is missing or not a string", ErrNotEvent)
	}
	if !usableID(e.ID) {
		e.ID = hashID(body)
	}
	return e, nil
}

// newPayload reads the known fields of a payload. One that is not an object has none.
func newPayload(payload gjson.Result) (p Payload) {
	if !payload.IsObject() {
		return p
	}
	payload.ForEach(func(key, value gjson.Result) bool {
		switch key.Str {
		case "type":
			p.Type = text(value)
		case "eventType":
			p.EventType = text(value)
		case "status":
			p.Status = text(value)
		case "description":
			p.Description = text(value)
		case "campaignId":
			p.CampaignID = text(value)
		case "tcrCampaignId":
			p.TCRCampaignID = text(value)
		case "brandId":
			p.BrandID = text(value)
		case "phoneNumber":
			p.PhoneNumber = text(value)
		case "reasons":
			p.Reasons = json.RawMessage(value.Raw)
		}
		return true
	})
	return p
}

// usableID reports whether an id can travel as a header and be shown as it is.
func usableID(id string) bool {
	if id == "" || len(id) > maxIDLength {
		return false
	}
	for _, c := range []byte(id) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// hashID names an event after its bytes. A second attempt to deliver the same
// event in an envelope has other bytes (meta.attempt), so this is the second
// choice.
func hashID(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha256-" + hex.EncodeToString(sum[:])
}
