package plan

import (
	"fmt"
	"regexp"
	"strings"
)

// E164 is a US ten-digit number in canonical form: a plus, a one and ten digits,
// such as "+15551234567". [ParseE164] is the one way to make it of text. The
// empty E164 is no number.
type E164 string

// Digits returns the number without its plus, such as "15551234567". It suits
// places where a plus has a meaning of its own, as in keys and queries.
func (n E164) Digits() string { return strings.TrimPrefix(string(n), "+") }

// NumberError says why [ParseE164] refuses a text.
type NumberError struct {
	// Text is what was refused, shortened when it is long.
	Text string
	// Why is the rule that it breaks, Fix what to do; clauses without a full stop.
	Why, Fix string
}

// Error returns one sentence: the text, the reason, and how to mend it.
func (e *NumberError) Error() string {
	return fmt.Sprintf("%s: %s; %s", e.what(), e.Why, e.Fix)
}

// what names the number for a message.
func (e *NumberError) what() string {
	if e.Text == "" {
		return "number"
	}
	return fmt.Sprintf("number %q", e.Text)
}

// ParseE164 returns the canonical form of a US number written as "+1" and ten
// digits, or as "1" and ten digits, which is what remains of the first when YAML
// reads it as an integer. Everything else is refused with a [*NumberError],
// because a number that has to be guessed may be somebody else's:
//
//	empty; letters and other signs           not a number
//	5 or 6 digits                            a short code
//	ten digits                               no country code (told with it put in front)
//	other lengths                            too short, too long
//	a country code other than 1              not a US number
//	area code or exchange not 2 to 9 first   no such number
//	800, 822, 833, 844, 855, 866, 877, 888   toll-free, which 10DLC is not about
//	900                                      premium rate
//	area codes of Canada and the Caribbean   not a US number
//	spaces, dashes, dots, parentheses        told as it should be written
//	1.5551234567E+10, 15551234567.0          what spreadsheets make of numbers
//
// The area codes of US territories (Guam, Puerto Rico and so on) are US ones.
// Area code 555 is in service nowhere; it is taken, with any exchange, because
// examples such as +15551234567 are written with it.
// Whether an area code is in service at all is left to the account's own list
// of numbers. The rules are those of the North American Numbering Plan,
// https://www.nanpa.com.
func ParseE164(text string) (E164, error) {
	if refused := checkSpreadsheet(text); refused != nil {
		return "", refused
	}
	compact := strings.Map(dropSeparator, text)
	n, refused := parseCompact(compact)
	if refused == nil && compact != text {
		refused = &NumberError{Why: "has spaces or other separators", Fix: "write it as " + string(n)}
	}
	if refused != nil {
		refused.Text = clip(text)
		return "", refused
	}
	return n, nil
}

// How to mend what is wrong with many a number.
const (
	rewrite = "write it as +1 and ten digits"
	lookUp  = "look the number up again"
	notUS   = "take it out: only ten-digit US numbers go on a 10DLC campaign"
)

// What spreadsheets and data tools write for a number that they take for a
// quantity.
var (
	scientific = regexp.MustCompile(`^\+?[0-9]+([.,][0-9]*)?[eE]\+?[0-9]+$`)
	decimal    = regexp.MustCompile(`^(\+?[0-9]{10,})\.0+$`)
)

// checkSpreadsheet refuses a number that went through a spreadsheet as a
// quantity. Of the short form of it, digits may be lost for good.
func checkSpreadsheet(text string) *NumberError {
	if !strings.ContainsAny(text, "eE.") {
		return nil // nearly always, and much cheaper
	}
	if scientific.MatchString(text) {
		return &NumberError{Text: clip(text), Why: "is a spreadsheet's short form and may have lost digits",
			Fix: "format the cells as text, or as a number without decimals, and export them again"}
	}
	if whole := decimal.FindStringSubmatch(text); whole != nil {
		if n, refused := parseCompact(whole[1]); refused == nil {
			return &NumberError{Text: clip(text), Why: "has decimals, as spreadsheets write quantities", Fix: "write it as " + string(n)}
		}
	}
	return nil
}

// parseCompact parses a text without separators.
func parseCompact(text string) (E164, *NumberError) {
	if text == "" {
		return "", &NumberError{Why: "is empty", Fix: "write a number such as +15551234567, or delete it"}
	}
	digits, international := strings.CutPrefix(text, "+")
	if !allDigits(digits) {
		return "", &NumberError{Why: "is not a phone number", Fix: rewrite}
	}
	if refused := checkLength(digits, international); refused != nil {
		return "", refused
	}
	national := digits[len(digits)-10:]
	if refused := checkNANP(national[:3], national[3:6]); refused != nil {
		return "", refused
	}
	if len(digits) == 10 {
		return "", &NumberError{Why: "has no country code", Fix: "write it as +1" + digits + " if it is a US number"}
	}
	if international {
		return E164(text), nil // spares an allocation for each of many numbers
	}
	return E164("+" + digits), nil
}

// checkLength refuses everything but ten digits with or without a one before
// them.
func checkLength(digits string, international bool) *NumberError {
	size, first := len(digits), digits[0]
	switch {
	case size == 5 || size == 6:
		return &NumberError{Why: "is a short code", Fix: notUS}
	case international && first != '1', size > 10 && first > '1':
		return &NumberError{Why: "has a country code other than 1", Fix: notUS}
	case first == '0':
		return &NumberError{Why: "begins with 0, as no US number does", Fix: rewrite}
	case size < 10, size == 10 && first == '1':
		return &NumberError{Why: "is too short, with " + count(size, "digit"), Fix: rewrite}
	case size > 11:
		return &NumberError{Why: "is too long, with " + count(size, "digit"), Fix: rewrite}
	}
	return nil
}

// checkNANP refuses an area code and exchange that no US long code has.
func checkNANP(area, exchange string) *NumberError {
	switch {
	case area[0] < '2':
		return &NumberError{Why: "has area code " + area + ", and area codes begin with 2 to 9", Fix: lookUp}
	case exchange[0] < '2' && area != exampleArea:
		return &NumberError{Why: "has exchange " + exchange + ", and exchanges begin with 2 to 9", Fix: lookUp}
	case tollFree[area]:
		return &NumberError{Why: "is toll-free (area code " + area + ")", Fix: "take it out: toll-free numbers are verified in another way"}
	case area == premiumRate:
		return &NumberError{Why: "is a premium-rate number (area code 900)", Fix: notUS}
	}
	if place, ok := foreignAreaCodes[area]; ok {
		return &NumberError{Why: "is not a US number: area code " + area + " is in " + place, Fix: notUS}
	}
	return nil
}

// dropSeparator is a [strings.Map] function that removes what people put between
// the digits of a number.
func dropSeparator(r rune) rune {
	switch r {
	case ' ', '\t', '\n', '\r', '\u00a0', '\u2009', '\u202f', // spaces, wide and narrow
		'-', '\u2010', '\u2011', '\u2012', '\u2013', '\u2212', // hyphens, dashes, the minus sign
		'.', '(', ')', '/':
		return -1
	}
	return r
}

func allDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}

// ParseTyped is [ParseE164] of what a person types on a command line: with separators,
// as +1 (555) 123-4567. In a plan they are refused, since one number would be written in
// many ways there.
func ParseTyped(text string) (E164, error) { return ParseE164(strings.Map(dropSeparator, text)) }
