package telnyxsim

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// phoneNumber renders a number for /phone_numbers. Settings of voice, billing and
// emergency calls are left out.
func (s *Simulator) phoneNumber(n *number) any {
	d, created := s.options.Dialect, n.CreatedAt.UTC().Format(time.RFC3339Nano)
	fields := object{
		"record_type": "phone_number", "id": n.ID, "phone_number": d.spell(n.PhoneNumber), "country_iso_alpha2": n.CountryCode,
		"status": n.Status, "tags": append([]string{}, n.Tags...), "external_pin": nil, "customer_reference": nil,
		"messaging_profile_id": n.profile(), "phone_number_type": d.typeWord(n.Type, "local", "toll_free"),
		"purchased_at": created, "created_at": created, "deletion_lock_enabled": false,
	}
	d.StatusWords.rewrite(fields, "status")
	return fields
}

// listNumbers is GET /phone_numbers, with the filters for number, status and tag.
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
	found := s.listedNumbers(func(n *number) bool { return !empty && n.matchesList(d, query) })
	return v2List(s, query, found, s.phoneNumber)
}

// matchesList applies the filters of /phone_numbers.
func (n *number) matchesList(d Dialect, query url.Values) bool {
	if want := query.Get("filter[status]"); want != "" && strings.ReplaceAll(want, "_", "-") != n.Status {
		return false
	}
	if want := query.Get("filter[tag]"); want != "" && !slices.Contains(n.Tags, want) {
		return false
	}
	want := query.Get("filter[phone_number]")
	return want == "" || d.selectsListed(want, n.PhoneNumber)
}

var nonDigits = regexp.MustCompile(`[^0-9]`)

// selectsListed reports whether filter[phone_number] of /phone_numbers selects a number.
func (d Dialect) selectsListed(filter, number string) bool {
	switch d.PhoneNumbersFilter {
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
	n := find(s.numbers, func(n *number) bool { return n.ID == c.r.PathValue("id") })
	if n == nil {
		return notFound("Phone number not found")
	}
	return ok(dataOf(s.phoneNumber(n)))
}
