package plan

import (
	"errors"
	"fmt"
	"strconv"

	yaml3 "github.com/oasdiff/yaml3"
)

// checkSource reports a campaign that names no numbers in any way.
func (r *reader) checkSource(node *yaml3.Node, seen given) {
	if seen["numbers"] == nil && seen["numbers_file"] == nil && seen["number_pool"] == nil {
		r.fault(node, "campaign", "has no numbers", "add a list numbers, a numbers_file or a number_pool")
	}
}

// checkSize reports more numbers than the campaign takes.
func (r *reader) checkSize(e *entry, seen given) {
	if e.MaxNumbers < 1 || e.listed <= e.MaxNumbers {
		return
	}
	why := fmt.Sprintf("%s are listed, and the campaign takes %d", count(e.listed, "number"), e.MaxNumbers)
	mend := fmt.Sprintf("take some out, or write max_numbers: %d if the carriers allow it", e.listed)
	at, what := seen["numbers"], "numbers"
	if at == nil {
		at, what = seen["numbers_file"], "numbers_file"
	}
	r.fault(at, what, why, mend)
}

func readNumbers(r *reader, e *entry, node *yaml3.Node) {
	items := r.readItems(node, "numbers", "no number is listed", "add the numbers, or delete the campaign from the plan")
	e.listed += len(items)
	for _, item := range items {
		if n, ok := r.readNumber(item); ok {
			e.numbers = append(e.numbers, placed{n, r.position(item)})
		}
	}
}

// readNumber reads one number by the text of the scalar, never by what YAML
// makes of it: the text of +15551234567 is whole, and 0123, 0x1F, 1_5 and 1.5e10
// are seen for what was written.
func (r *reader) readNumber(node *yaml3.Node) (E164, bool) {
	if isReported(node) {
		return "", false
	}
	if node.Kind != yaml3.ScalarNode {
		r.fault(node, "number", "is "+describe(node)+", and a phone number is wanted", "write one number on each line, with a dash before it")
		return "", false
	}
	text := node.Value
	if isNull(node) {
		text = "" // also when it is written ~ or null
	}
	n, err := ParseE164(text)
	if refused, ok := errors.AsType[*NumberError](err); ok {
		r.fault(node, refused.what(), refused.Why, refused.Fix)
		return "", false
	}
	return n, true
}

// readMaxNumbers reads how many numbers the campaign takes. On a fault it leaves
// no bound, so that the fault is not told twice.
func readMaxNumbers(r *reader, e *entry, node *yaml3.Node) {
	e.MaxNumbers = 0
	if isReported(node) {
		return
	}
	n, err := strconv.Atoi(node.Value)
	if err != nil || node.Tag != "!!int" || !countPattern.MatchString(node.Value) {
		r.fault(node, "max_numbers", "is not a whole number from 1 up", "write one without quotes, such as max_numbers: 49")
		return
	}
	e.MaxNumbers = n
}

// Messages for invalid messaging profile ids.
const mendProfile = "copy the messaging profile's id from Telnyx, such as 4001776e-5b1a-4d0c-9f2e-2d9a7b9c1e10"

func readMessagingProfileID(r *reader, e *entry, node *yaml3.Node) {
	if text, ok := r.readID(node, "messaging_profile_id", profileIDPattern, whyNoID, mendProfile); ok {
		e.MessagingProfileID = text
	}
}

func readNumberPool(r *reader, e *entry, node *yaml3.Node) {
	if text, ok := r.readID(node, "number_pool", profileIDPattern, whyNoID, mendProfile); ok {
		e.NumberPool, e.pool = text, r.position(node)
	}
}
