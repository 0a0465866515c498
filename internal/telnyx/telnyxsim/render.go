package telnyxsim

import (
	"net/http"
	"strings"
	"unicode"

	"greenlight/internal/telnyx"
)

// assignment renders a record for an answer about one number.
func (s *Simulator) assignment(record object) object {
	row := s.assignmentRow(record)
	if s.options.Dialect.WrapRecords {
		return dataOf(row)
	}
	return row
}

// assignmentRow renders a record for a list.
func (s *Simulator) assignmentRow(row object) object {
	d := s.options.Dialect
	row["phoneNumber"] = d.spell(row["phoneNumber"].(string))
	if d.UpperCaseIDs {
		for _, key := range []string{"campaignId", "telnyxCampaignId"} {
			row[key] = strings.ToUpper(row[key].(string))
		}
	}
	d.AssignmentWords.rewrite(row, "assignmentStatus")
	for _, key := range mappingKeys {
		d.MappingWords.rewrite(row, key)
	}
	d.moveFailure(row)
	if word, has := row["assignmentStatus"]; has && d.StatusKey {
		row["status"] = word
		delete(row, "assignmentStatus")
	}
	if d.SnakeRecords {
		return snakeKeys(row)
	}
	return row
}

// moveFailure puts the failure of an assignment into the dialect's field and shape.
func (d Dialect) moveFailure(row object) {
	_, has := row["errors"]
	if failure, failed := row["failureReasons"]; failed && !has && d.FailureInErrors {
		row["errors"] = failure
		delete(row, "failureReasons")
	}
	for _, key := range []string{"errors", "failureReasons"} {
		if text, is := row[key].(string); is {
			row[key] = d.failure(text)
		}
	}
}

// campaignAnswer answers with one campaign.
func (s *Simulator) campaignAnswer(record object) answer {
	record = s.campaignRow(record)
	if s.options.Dialect.WrapCampaigns {
		record = dataOf(record)
	}
	return ok(record)
}

// campaignRow renders a campaign for a list.
func (s *Simulator) campaignRow(record object) object {
	s.options.Dialect.CampaignWords.rewrite(record, "campaignStatus")
	if s.options.Dialect.SnakeCampaigns {
		return snakeKeys(record)
	}
	return record
}

// noRecord is the answer to reading the record of a number that has none.
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

// typeWord is the type of a number as answers spell it. longCode and tollFree are the
// spellings without a dialect, which differ between the lists of numbers.
func (d Dialect) typeWord(kind telnyx.NumberType, longCode, tollFree string) string {
	switch {
	case kind.IsLongCode():
		return orDefault(d.LongCodeWord, longCode)
	case plainType(string(kind)) == "tollfree":
		return orDefault(d.TollFreeWord, tollFree)
	}
	return string(kind)
}

// rewrite spells a status word of an answer. An empty word is left out.
func (w Words) rewrite(row object, key string) {
	word, _ := row[key].(string)
	if row[key] = w.spell(word); row[key] == "" {
		delete(row, key)
	}
}

// spell writes a status word.
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

// failure puts the text of a failure into the dialect's shape.
func (d Dialect) failure(text string) any {
	described := object{"description": text}
	switch d.FailureShape {
	case FailureTexts:
		return []string{text}
	case FailureObjects:
		return []object{described}
	case FailureObject:
		return described
	}
	return text
}

// snakeKeys writes the keys of an object as phone_number instead of phoneNumber.
func snakeKeys(fields object) object {
	written := make(object, len(fields))
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
