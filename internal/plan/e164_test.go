package plan

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

func TestParseE164_Accepts(t *testing.T) {
	for text, want := range map[string]E164{
		"+15551234567": "+15551234567",
		"15551234567":  "+15551234567", // YAML drops the plus of an integer
		"+12125550142": "+12125550142",
		"+16715455939": "+16715455939", // Guam
		"+17875550123": "+17875550123", // Puerto Rico
		"+13405550123": "+13405550123", // US Virgin Islands
		"+16845550123": "+16845550123", // American Samoa
		"+16705550123": "+16705550123", // Northern Marianas
	} {
		got, err := ParseE164(text)
		if err != nil || got != want {
			t.Errorf("ParseE164(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestParseE164_Refuses(t *testing.T) {
	for _, test := range []struct{ name, text, why, fix string }{
		{"empty", "", "is empty", "write a number like +15551234567, or delete it"},
		{"blank", " \t", "is empty", "write a number like +15551234567, or delete it"},
		{"word", "main line", "is not a phone number", "write it as +1 and ten digits"},
		{"plus alone", "+", "is not a phone number", "write it as +1 and ten digits"},
		{"two pluses", "++15551234567", "is not a phone number", "write it as +1 and ten digits"},
		{"extension", "+15551234567x9", "is not a phone number", "write it as +1 and ten digits"},
		{"other digits", "+1٥٥٥١٢٣٤٥٦٧", "is not a phone number", "write it as +1 and ten digits"},
		{"hexadecimal", "0x39F3FD887", "is not a phone number", "write it as +1 and ten digits"},
		{"short code of five", "12345", "is a short code", fixNotUS},
		{"short code of six", "878787", "is a short code", fixNotUS},
		{"nine digits", "555123456", "is too short (9 digits)", "write it as +1 and ten digits"},
		{"one digit", "1", "is too short (1 digit)", "write it as +1 and ten digits"},
		{"plus, one, nine digits", "+1555123456", "is too short (10 digits)", "write it as +1 and ten digits"},
		{"one, eleven digits", "155512345678", "is too long (12 digits)", "write it as +1 and ten digits"},
		{"ten digits", "2125550142", "has no country code", "write it as +12125550142 if it is a US number"},
		{"ten digits with separators", "(212) 555-0142", "has no country code", "write it as +12125550142 if it is a US number"},
		{"ten digits, toll-free", "800-555-0142", "is toll-free (area code 800)", "remove it: toll-free numbers are verified separately"},
		{"zero first", "0015551234567", "starts with 0, but US numbers do not", "write it as +1 and ten digits"},
		{"British", "+442071838750", "has a country code other than 1", fixNotUS},
		{"British without plus", "442071838750", "has a country code other than 1", fixNotUS},
		{"plus without the one", "+5551234567", "has a country code other than 1", fixNotUS},
		{"Canadian", "+14165550142", "is not a US number: area code 416 is in Canada", fixNotUS},
		{"Jamaican", "+18765550142", "is not a US number: area code 876 is in Jamaica", fixNotUS},
		{"Bahamian", "+12425550142", "is not a US number: area code 242 is in the Bahamas", fixNotUS},
		{"premium", "+19005550142", "is a premium-rate number (area code 900)", fixNotUS},
		{"area code", "+11235550142", "has area code 123, but area codes start with 2 to 9", fixTypo},
		{"exchange", "+12121550142", "has exchange 155, but exchanges start with 2 to 9", fixTypo},
		{"spaces", "+1 555 123 4567", "has spaces or other separators", "write it as +15551234567"},
		{"space around", " +15551234567", "has spaces or other separators", "write it as +15551234567"},
		{"dashes", "1-555-123-4567", "has spaces or other separators", "write it as +15551234567"},
		{"dots", "+1.555.123.4567", "has spaces or other separators", "write it as +15551234567"},
		{"parentheses", "+1(555)1234567", "has spaces or other separators", "write it as +15551234567"},
		{"typographic", "+1\u00a0555\u2011123\u20134567", "has spaces or other separators", "write it as +15551234567"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseE164(test.text)
			refused, ok := errors.AsType[*NumberError](err)
			if !ok || got != "" {
				t.Fatalf("ParseE164(%q) = %q, %v, want a NumberError", test.text, got, err)
			}
			if refused.Why != test.why || refused.Fix != test.fix {
				t.Errorf("got %q; %q, want %q; %q", refused.Why, refused.Fix, test.why, test.fix)
			}
		})
	}
}

func TestParseE164_RefusesEveryTollFreeCode(t *testing.T) {
	for area := range strings.FieldsSeq("800 833 844 855 866 877 888 822") {
		if n, err := ParseE164("+1" + area + "5550142"); err == nil || !strings.Contains(err.Error(), "toll-free") {
			t.Errorf("area code %s: got %q, %v, want toll-free", area, n, err)
		}
	}
}

func TestNumberError_ShortensTheText(t *testing.T) {
	_, err := ParseE164(strings.Repeat("é", 1<<20))
	want := `number "` + strings.Repeat("é", 39) + `…": is not a phone number; write it as +1 and ten digits`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestForeignAreaCodes_AreNANPCodesOutsideTheUS(t *testing.T) {
	for code, place := range foreignAreaCodes {
		if !regexp.MustCompile(`^[2-9][0-9]{2}$`).MatchString(code) || tollFree[code] != "" {
			t.Errorf("%s is not an area code of %s", code, place)
		}
	}
	for code := range strings.FieldsSeq("340 670 671 684 787 939 212 310 415 555 702 808 907") {
		if place, ok := foreignAreaCodes[code]; ok {
			t.Errorf("%s is in the US but in the table for %s", code, place)
		}
	}
}

// FuzzParseE164: an accepted number is canonical, parses to itself and can be restored
// from its digits; a refused one returns no number and a reason.
func FuzzParseE164(f *testing.F) {
	for _, seed := range []string{"", "+15551234567", "15551234567", "+1 (212) 555-0142", "0123", "1e10", "+442071838750", "+18005550142", "\xff"} {
		f.Add(seed)
	}
	canonical := regexp.MustCompile(`^\+1[2-9][0-9]{9}$`)
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseE164(text)
		if err != nil {
			refused, ok := errors.AsType[*NumberError](err)
			if n != "" || !ok || refused.Why == "" || refused.Fix == "" {
				t.Fatalf("ParseE164(%q) = %q, %v", text, n, err)
			}
			return
		}
		digits := strings.TrimPrefix(string(n), "+")
		if !canonical.MatchString(string(n)) || strings.TrimPrefix(text, "+") != digits {
			t.Fatalf("ParseE164(%q) = %q, which is not canonical", text, n)
		}
		for _, form := range []string{string(n), digits} {
			if again, err := ParseE164(form); err != nil || again != n {
				t.Fatalf("ParseE164(%q) = %q, %v, want %q again", form, again, err, n)
			}
		}
	})
}
