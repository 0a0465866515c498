package telnyxsim

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// phoneNumberRecord is a number as /phone_numbers has it. Settings of voice, billing
// and emergency calls are left out.
type phoneNumberRecord struct {
	RecordType         string   `json:"record_type"`
	ID                 string   `json:"id"`
	PhoneNumber        string   `json:"phone_number"`
	CountryCode        string   `json:"country_iso_alpha2"`
	Status             string   `json:"status,omitempty"`
	Tags               []string `json:"tags"`
	ExternalPIN        *string  `json:"external_pin"`
	CustomerReference  *string  `json:"customer_reference"`
	MessagingProfileID *string  `json:"messaging_profile_id"`
	Type               string   `json:"phone_number_type"`
	PurchasedAt        string   `json:"purchased_at"`
	CreatedAt          string   `json:"created_at"`
	DeletionLock       bool     `json:"deletion_lock_enabled"`
}

func (s *Simulator) phoneNumber(n *number) any {
	d, created := s.options.Dialect, n.CreatedAt.UTC().Format(time.RFC3339Nano)
	return phoneNumberRecord{
		RecordType: "phone_number", ID: n.ID, PhoneNumber: d.spell(n.PhoneNumber), CountryCode: n.CountryCode,
		Status: d.StatusWords.spell(n.Status), Tags: append([]string{}, n.Tags...), MessagingProfileID: n.profile(),
		Type: d.phoneNumberType(n), PurchasedAt: created, CreatedAt: created,
	}
}

// phoneNumberType is the type in the words of /phone_numbers, which differ from those
// of the messaging settings.
func (d Dialect) phoneNumberType(n *number) string {
	switch {
	case n.Type.IsLongCode():
		return orDefault(d.LongCodeWord, "local")
	case plainType(string(n.Type)) == "tollfree":
		return orDefault(d.TollFreeWord, "toll_free")
	}
	return string(n.Type)
}

// listNumbers is GET /phone_numbers. Of its filters it has those for the number, the
// status and a tag.
func listNumbers(s *Simulator, c *call) answer {
	query, d := c.r.URL.Query(), s.options.Dialect
	if d.ProfileErrors && query.Get("handle_messaging_profile_error") != "true" {
		return refuse(http.StatusServiceUnavailable, codeUnavailable, "Service unavailable", "Messaging profiles could not be read", "")
	}
	if want := query.Get("filter[phone_number]"); d.PhoneNumbersFilter == NumbersRefused && nonDigits.MatchString(want) {
		return refuse(http.StatusBadRequest, codeBadParameter, "Invalid parameter", "Only digits are allowed", "/filter[phone_number]")
	}
	empty, refused := s.unknownFilters(query, "filter[phone_number]", "filter[status]", "filter[tag]")
	if refused != nil {
		return *refused
	}
	var found []*number
	for _, n := range s.numbers {
		if n = n.listed(); !empty && n.isWanted(d, query) {
			found = append(found, n)
		}
	}
	return v2List(s, query, found, s.phoneNumber)
}

// isWanted applies the filters of /phone_numbers.
func (n *number) isWanted(d Dialect, query url.Values) bool {
	if want := query.Get("filter[status]"); want != "" && strings.ReplaceAll(want, "_", "-") != n.Status {
		return false
	}
	if want := query.Get("filter[tag]"); want != "" && !slices.Contains(n.Tags, want) {
		return false
	}
	want := query.Get("filter[phone_number]")
	return want == "" || d.PhoneNumbersFilter.selects(want, n.PhoneNumber)
}

var nonDigits = regexp.MustCompile(`[^0-9]`)

// selects reports whether filter[phone_number] of /phone_numbers selects a number.
func (f PhoneNumbersFilter) selects(filter, number string) bool {
	switch f {
	case NumbersIgnored:
		return true
	case NumbersFindNone:
		return false
	case NumbersExact:
		return filter == number
	case NumbersEither:
		filter = strings.TrimPrefix(strings.TrimSpace(filter), "+")
	}
	return len(filter) >= 3 && !nonDigits.MatchString(filter) && strings.Contains(number, filter)
}

// getNumber is GET /phone_numbers/{id}, whose id is the numeric one.
func getNumber(s *Simulator, c *call) answer {
	for _, n := range s.numbers {
		if n.ID == c.params["id"] {
			return ok(dataOf(s.phoneNumber(n)))
		}
	}
	return notFound("Phone number not found")
}
