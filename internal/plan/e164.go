package plan

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// E164 is a US ten-digit number in canonical form: a plus, a one and ten digits, for
// example "+15551234567". Use [ParseE164] to make one from text. The empty E164 is not
// a number.
type E164 string

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
//	'+15551234567, ="+15551234567"           the fix shows the right form
//	1.5551234567E+10, 15551234567.0          what spreadsheets make of numbers
//
// The area codes of US territories (Guam, Puerto Rico and so on) are US ones. Area code
// 555 is not in service; it is accepted with any exchange, because examples use it.
// Whether an area code is in service is left to the account's own list of numbers. The
// rules are those of the North American Numbering Plan, https://www.nanpa.com.
func ParseE164(text string) (E164, error) {
	n, loose, refused := parse(text)
	if refused = cmp.Or(refused, loose); refused != nil {
		return "", refused
	}
	return n, nil
}

// ParseTyped is [ParseE164] for a number that a person wrote, on a command line or in a
// list of numbers. It also accepts what ParseE164 refuses for its form alone: ten digits
// without a country code, separators, a spreadsheet's quotes ('+1 and ="+1") and ".0".
func ParseTyped(text string) (E164, error) {
	n, _, refused := parse(text)
	if refused != nil {
		return "", refused
	}
	return n, nil
}

// parse reads a number in any spelling. If it is not in the form that ParseE164 wants,
// loose says why.
func parse(text string) (n E164, loose, refused *NumberError) {
	trimmed := strings.TrimSpace(text)
	plain := unquote(trimmed)
	compact, why := strings.Map(dropSeparator, plain), ""
	switch {
	case plain != trimmed:
		why = "is quoted as in a spreadsheet"
	case compact != text:
		why = "has spaces or other separators"
	}
	if strings.ContainsAny(plain, "eE.") { // seldom, and regular expressions are slow
		if scientific.MatchString(plain) {
			return "", nil, &NumberError{clip(text), "is in scientific notation and may have lost digits", "format the cells as text and export them again"}
		}
		if serialDate.MatchString(plain) {
			return "", nil, &NumberError{clip(text), "is a date, as a spreadsheet stores it", "check that the column holds phone numbers"}
		}
		if whole := decimal.FindStringSubmatch(plain); whole != nil {
			compact, why = whole[1], "has decimals, probably from a spreadsheet"
		}
	}
	n, refused = parseCompact(compact)
	switch {
	case refused != nil:
		refused.Text = clip(text)
	case len(compact) == len("2125550142"):
		loose = &NumberError{clip(text), "has no country code", "write it as " + string(n) + " if it is a US number"}
	case why != "":
		loose = &NumberError{clip(text), why, "write it as " + string(n)}
	}
	return n, loose, refused
}

// Fixes that several faults share.
const (
	fixFormat = "write it as +1 and ten digits"
	fixTypo   = "check the number for typos"
	fixNotUS  = "remove it: 10DLC campaigns accept only ten-digit US numbers"
)

// What spreadsheets and data tools write for a number that they treat as a quantity. In
// scientific notation digits may be lost.
var (
	scientific = regexp.MustCompile(`^\+?[0-9]+([.,][0-9]*)?[eE]\+?[0-9]+$`)
	decimal    = regexp.MustCompile(`^(\+?[0-9]{10,})\.0+$`)
	serialDate = regexp.MustCompile(`^[0-9]{5}\.[0-9]+$`) // days since 1900
)

// unquote removes what keeps a spreadsheet from taking a number for a quantity: an
// apostrophe before it, or ="" around it.
func unquote(text string) string {
	if inner, ok := strings.CutPrefix(text, "'"); ok {
		return inner
	}
	if inner, ok := strings.CutPrefix(text, `="`); ok && strings.HasSuffix(inner, `"`) {
		return strings.TrimSuffix(inner, `"`)
	}
	return text
}

// parseCompact parses a text without separators. Ten digits get the country code 1.
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
	if international {
		return E164(text), nil // saves an allocation per number
	}
	return E164("+1" + national), nil
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

// dropSeparator is a [strings.Map] function that removes what people write between the
// digits of a phone number, and what programs hide there: spaces of any width, dashes,
// dots, parentheses, slashes, and invisible characters.
func dropSeparator(r rune) rune {
	switch {
	case r >= '0' && r <= '9', r == '+':
		return r // nearly always
	case strings.ContainsRune("-.()/\u00b7\u2212", r), unicode.IsSpace(r), unicode.In(r, unicode.Pd, unicode.Cf):
		return -1
	}
	return r
}
