package plan

import (
	"fmt"
	"regexp"
	"strings"
)

// E164 is a US ten-digit number in canonical form: a plus, a one and ten digits, for
// example "+15551234567". Use [ParseE164] to make one from text. The empty E164 is not
// a number.
type E164 string

// Digits returns the number without its plus, for example "15551234567", for keys and
// queries where a plus has another meaning.
func (n E164) Digits() string { return strings.TrimPrefix(string(n), "+") }

// NumberError says why [ParseE164] refuses a text.
type NumberError struct {
	// Text is the refused text, shortened if it is long.
	Text string
	// Why is the rule that it breaks, Fix what to do; clauses without a full stop.
	Why, Fix string
}

// Error returns the text, the reason and the fix on one line.
func (e *NumberError) Error() string {
	return fmt.Sprintf("%s: %s; %s", e.what(), e.Why, e.Fix)
}

// what names the number in a message.
func (e *NumberError) what() string {
	if e.Text == "" {
		return "number"
	}
	return fmt.Sprintf("number %q", e.Text)
}

// ParseE164 returns the canonical form of a US number written as "+1" and ten digits,
// or as "1" and ten digits, which is what YAML makes of the first. Everything else is
// refused with a [*NumberError], because a number that has to be guessed may belong to
// someone else:
//
//	empty; letters and other characters      not a number
//	5 or 6 digits                            a short code
//	ten digits                               no country code (the fix adds it)
//	other lengths                            too short, too long
//	a country code other than 1              not a US number
//	area code or exchange not 2 to 9 first   not a valid number
//	800, 822, 833, 844, 855, 866, 877, 888   toll-free, not part of 10DLC
//	900                                      premium rate
//	area codes of Canada and the Caribbean   not a US number
//	spaces, dashes, dots, parentheses        the fix shows the right form
//	1.5551234567E+10, 15551234567.0          what spreadsheets make of numbers
//
// The area codes of US territories (Guam, Puerto Rico and so on) are US ones. Area code
// 555 is not in service; it is accepted with any exchange, because examples use it.
// Whether an area code is in service is left to the account's own list of numbers. The
// rules are those of the North American Numbering Plan, https://www.nanpa.com.
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

// ParseTyped is [ParseE164] for a number typed on a command line. It may have separators
// and lack the country code: +1 (555) 123-4567 or 555-123-4567. Plans refuse both, so that
// a number is written in one way.
func ParseTyped(text string) (E164, error) {
	compact := strings.Map(dropSeparator, text)
	if tenDigits.MatchString(compact) {
		compact = "+1" + compact
	}
	return ParseE164(compact)
}

var tenDigits = regexp.MustCompile(`^[2-9][0-9]{9}$`)

// Fixes that several faults share.
const (
	fixFormat = "write it as +1 and ten digits"
	fixTypo   = "check the number for typos"
	fixNotUS  = "remove it: a 10DLC campaign takes ten-digit US numbers only"
)

// What spreadsheets and data tools write for a number that they treat as a quantity.
var (
	scientific = regexp.MustCompile(`^\+?[0-9]+([.,][0-9]*)?[eE]\+?[0-9]+$`)
	decimal    = regexp.MustCompile(`^(\+?[0-9]{10,})\.0+$`)
)

// checkSpreadsheet refuses a number that a spreadsheet stored as a quantity. In
// scientific notation digits may be lost.
func checkSpreadsheet(text string) *NumberError {
	if !strings.ContainsAny(text, "eE.") {
		return nil // nearly always, and much cheaper
	}
	if scientific.MatchString(text) {
		return &NumberError{Text: clip(text), Why: "is in scientific notation and may have lost digits", Fix: "format the cells as text and export them again"}
	}
	if whole := decimal.FindStringSubmatch(text); whole != nil {
		if n, refused := parseCompact(whole[1]); refused == nil {
			return &NumberError{Text: clip(text), Why: "has decimals, probably from a spreadsheet", Fix: "write it as " + string(n)}
		}
	}
	return nil
}

// parseCompact parses a text without separators.
func parseCompact(text string) (E164, *NumberError) {
	if text == "" {
		return "", &NumberError{Why: "is empty", Fix: "write a number like +15551234567, or delete it"}
	}
	digits, international := strings.CutPrefix(text, "+")
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return "", &NumberError{Why: "is not a phone number", Fix: fixFormat}
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
		return E164(text), nil // saves an allocation per number
	}
	return E164("+" + digits), nil
}

// checkLength refuses everything except ten digits with or without a leading one.
func checkLength(digits string, international bool) *NumberError {
	size, first := len(digits), digits[0]
	switch {
	case size == 5 || size == 6:
		return &NumberError{Why: "is a short code", Fix: fixNotUS}
	case international && first != '1', size > 10 && first > '1':
		return &NumberError{Why: "has a country code other than 1", Fix: fixNotUS}
	case first == '0':
		return &NumberError{Why: "starts with 0, but US numbers do not", Fix: fixFormat}
	case size < 10, size == 10 && first == '1':
		return &NumberError{Why: "is too short (" + count(size, "digit") + ")", Fix: fixFormat}
	case size > 11:
		return &NumberError{Why: "is too long (" + count(size, "digit") + ")", Fix: fixFormat}
	}
	return nil
}

// checkNANP refuses an area code and exchange that no US long code has.
func checkNANP(area, exchange string) *NumberError {
	switch {
	case area[0] < '2':
		return &NumberError{Why: "has area code " + area + ", but area codes start with 2 to 9", Fix: fixTypo}
	case exchange[0] < '2' && area != exampleArea:
		return &NumberError{Why: "has exchange " + exchange + ", but exchanges start with 2 to 9", Fix: fixTypo}
	case tollFree[area] != "":
		return &NumberError{Why: "is toll-free (area code " + area + ")", Fix: "remove it: toll-free numbers are verified separately"}
	case area == premiumRate:
		return &NumberError{Why: "is a premium-rate number (area code 900)", Fix: fixNotUS}
	case foreignAreaCodes[area] != "":
		return &NumberError{Why: "is not a US number: area code " + area + " is in " + foreignAreaCodes[area], Fix: fixNotUS}
	}
	return nil
}

// dropSeparator is a [strings.Map] function that removes the separators that people
// write in phone numbers.
func dropSeparator(r rune) rune {
	switch r {
	case ' ', '\t', '\n', '\r', '\u00a0', '\u2009', '\u202f', // spaces, wide and narrow
		'-', '\u2010', '\u2011', '\u2012', '\u2013', '\u2212', // hyphens, dashes, the minus sign
		'.', '(', ')', '/':
		return -1
	}
	return r
}
