package telnyxsim

import (
	"encoding/json"
	"net/http"
	"strings"
	"unicode"

	"greenlight/internal/telnyx"
)

// assignment renders a record for an answer about one number.
func (s *Simulator) assignment(w wireRecord) any {
	row := s.assignmentRow(w)
	if s.options.Dialect.WrapRecords {
		return dataOf(row)
	}
	return row
}

// assignmentRow renders a record for a list.
func (s *Simulator) assignmentRow(w wireRecord) any {
	d := s.options.Dialect
	w.PhoneNumber = d.spell(w.PhoneNumber)
	if d.UpperCaseIDs {
		w.CampaignID, w.TelnyxCampaignID = strings.ToUpper(w.CampaignID), strings.ToUpper(w.TelnyxCampaignID)
	}
	w.AssignmentStatus = telnyx.AssignmentStatus(d.AssignmentWords.spell(string(w.AssignmentStatus)))
	for _, status := range []*telnyx.MappingStatus{&w.TMobile, &w.NonTMobile, &w.ATT} {
		*status = telnyx.MappingStatus(d.MappingWords.spell(string(*status)))
	}
	if d.FailureField == FailureInErrors && w.Errors == nil {
		w.Errors, w.FailureReasons = w.FailureReasons, nil
	}
	w.Errors, w.FailureReasons = d.FailureShape.of(w.Errors), d.FailureShape.of(w.FailureReasons)
	if !d.StatusKey && !d.SnakeRecords {
		return w
	}
	fields := fieldsOf(w)
	if word, has := fields["assignmentStatus"]; has && d.StatusKey {
		fields["status"] = word
		delete(fields, "assignmentStatus")
	}
	if d.SnakeRecords {
		fields = snakeKeys(fields)
	}
	return fields
}

// campaignWord is campaignStatus as an answer spells it.
func (s *Simulator) campaignWord(status telnyx.CampaignStatus) telnyx.CampaignStatus {
	return telnyx.CampaignStatus(s.options.Dialect.CampaignWords.spell(string(status)))
}

// campaignAnswer answers with one campaign.
func (s *Simulator) campaignAnswer(record any) answer {
	record = s.campaignRow(record)
	if s.options.Dialect.WrapCampaigns {
		record = dataOf(record)
	}
	return ok(record)
}

// campaignRow renders a campaign for a list.
func (s *Simulator) campaignRow(record any) any {
	if s.options.Dialect.SnakeCampaigns {
		return snakeKeys(fieldsOf(record))
	}
	return record
}

// noRecord answers a read of the record of a number that has none.
func (s *Simulator) noRecord() answer {
	const detail = "Phone number campaign not found"
	switch s.options.Dialect.FreeRecord {
	case FreeObject:
		return ok(struct{}{})
	case FreeNull:
		return ok(nil)
	case FreeForbidden:
		return refuse(http.StatusForbidden, codeForbidden, "Permission denied", "You do not have access to this resource", "")
	case FreeBad:
		return refuse(http.StatusBadRequest, codeNotFound, "Resource not found", detail, "")
	}
	return notFound(detail)
}

// spell writes a phone number, which is in E.164 form.
func (d Dialect) spell(number string) string {
	switch d.NumberSpelling {
	case NumbersWithoutPlus:
		return strings.TrimPrefix(number, "+")
	case NumbersSpaced:
		return grouped(number, " ")
	case NumbersDashed:
		return grouped(number, "-")
	}
	return number
}

// grouped puts a separator into a number of the North American plan.
func grouped(number, separator string) string {
	if len(number) != len("+15551230001") {
		return number
	}
	return strings.Join([]string{number[:2], number[2:5], number[5:8], number[8:]}, separator)
}

// typeWord is the type of a number as answers spell it.
func (d Dialect) typeWord(kind telnyx.NumberType) telnyx.NumberType {
	switch {
	case kind.IsLongCode():
		return orDefault(telnyx.NumberType(d.LongCodeWord), kind)
	case plainType(string(kind)) == "tollfree":
		return orDefault(telnyx.NumberType(d.TollFreeWord), kind)
	}
	return kind
}

// spell writes a status word; an empty one is left out of its answer.
func (w Words) spell(word string) string {
	switch w {
	case Lower:
		return strings.ToLower(word)
	case Title:
		return titled(word)
	case Snake:
		return strings.ReplaceAll(strings.ToLower(word), "-", "_")
	case Missing:
		return ""
	}
	return word
}

// titled turns PENDING_ASSIGNMENT into Pending Assignment.
func titled(word string) string {
	parts := strings.Split(strings.ToLower(word), "_")
	for i, part := range parts {
		if part != "" {
			parts[i] = strings.ToUpper(part[:1]) + part[1:]
		}
	}
	return strings.Join(parts, " ")
}

// of puts a failure's text, a JSON string, into the shape. What is no string stays.
func (f FailureShape) of(text json.RawMessage) json.RawMessage {
	var plain string
	if f == "" || json.Unmarshal(text, &plain) != nil || plain == "" {
		return text
	}
	described := map[string]string{"description": plain}
	switch f {
	case FailureTexts:
		return encode([]string{plain}, "")
	case FailureObjects:
		return encode([]any{described}, "")
	default:
		return encode(described, "")
	}
}

// fieldsOf is a value of the simulator's own as a JSON object.
func fieldsOf(value any) map[string]any {
	var fields map[string]any
	if err := json.Unmarshal(encode(value, ""), &fields); err != nil {
		panic("telnyxsim: " + err.Error())
	}
	return fields
}

// snakeKeys writes the keys of an object as phone_number instead of phoneNumber.
func snakeKeys(fields map[string]any) map[string]any {
	written := make(map[string]any, len(fields))
	for key, value := range fields {
		written[snakeKey(key)] = value
	}
	return written
}

// snakeKey puts an underscore before each capital that follows a small letter.
func snakeKey(key string) string {
	var b strings.Builder
	var before rune
	for _, r := range key {
		if unicode.IsUpper(r) && unicode.IsLower(before) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
		before = r
	}
	return b.String()
}
