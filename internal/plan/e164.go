package plan

import (
	"fmt"
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
	// Why is the rule that it breaks, Mend what to do; clauses without a full stop.
	Why, Mend string
}

// Error returns one sentence: the text, the reason, and how to mend it.
func (e *NumberError) Error() string {
	return fmt.Sprintf("%s: %s; %s", e.what(), e.Why, e.Mend)
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
//
// The area codes of US territories (Guam, Puerto Rico and so on) are US ones.
// Area code 555 is in service nowhere; it is taken, with any exchange, because
// examples such as +15551234567 are written with it.
// Whether an area code is in service at all is left to the account's own list
// of numbers. The rules are those of the North American Numbering Plan,
// https://www.nanpa.com.
func ParseE164(text string) (E164, error) {
	compact := strings.Map(dropSeparator, text)
	n, why, mend := parseCompact(compact)
	if why == "" && compact != text {
		why, mend = "has spaces or other separators", "write it as "+string(n)
	}
	if why != "" {
		return "", &NumberError{Text: clip(text), Why: why, Mend: mend}
	}
	return n, nil
}

// parseCompact parses a text without separators. It returns the number, or why
// there is none and how to mend that.
func parseCompact(text string) (n E164, why, mend string) {
	if text == "" {
		return "", "is empty", "write a number such as +15551234567, or delete it"
	}
	digits, international := strings.CutPrefix(text, "+")
	if !allDigits(digits) {
		return "", "is not a phone number", "write it as +1 and ten digits"
	}
	if why, mend = checkLength(digits, international); why != "" {
		return "", why, mend
	}
	if why, mend = checkNANP(digits[1:4], digits[4:7]); why != "" {
		return "", why, mend
	}
	return E164("+" + digits), "", ""
}

// checkLength refuses everything but a one and ten digits.
func checkLength(digits string, international bool) (why, mend string) {
	size := len(digits)
	switch {
	case size == 5 || size == 6:
		return "is a short code", "take it out: only ten-digit US numbers go on a 10DLC campaign"
	case international && digits[0] != '1':
		return "has a country code other than 1", "take it out: only US numbers go on a 10DLC campaign"
	case digits[0] == '0':
		return "begins with 0, as no US number does", "write it as +1 and ten digits"
	case size == 10 && !international && digits[0] != '1':
		return "has no country code", fmt.Sprintf("write it as +1%s if it is a US number", digits)
	case size < 11:
		return fmt.Sprintf("is too short, with %s", count(size, "digit")), "write it as +1 and ten digits"
	case digits[0] != '1':
		return "has a country code other than 1", "take it out: only US numbers go on a 10DLC campaign"
	case size > 11:
		return fmt.Sprintf("is too long, with %d digits", size), "write it as +1 and ten digits"
	}
	return "", ""
}

// checkNANP refuses an area code and exchange that no US long code has.
func checkNANP(area, exchange string) (why, mend string) {
	const takeOut = "take it out: only ten-digit US numbers go on a 10DLC campaign"
	switch {
	case area[0] < '2':
		return fmt.Sprintf("has area code %s, and area codes begin with 2 to 9", area), "look the number up again"
	case exchange[0] < '2' && area != exampleArea:
		return fmt.Sprintf("has exchange %s, and exchanges begin with 2 to 9", exchange), "look the number up again"
	case tollFree[area]:
		return fmt.Sprintf("is toll-free (area code %s)", area), "take it out: toll-free numbers are verified in another way"
	case area == premiumRate:
		return "is a premium-rate number (area code 900)", takeOut
	}
	if place, ok := foreignAreaCodes[area]; ok {
		return fmt.Sprintf("is not a US number: area code %s is in %s", area, place), takeOut
	}
	return "", ""
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
