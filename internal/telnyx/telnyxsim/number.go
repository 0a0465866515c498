package telnyxsim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"greenlight/internal/telnyx"
)

// Number is a phone number of the account. [Simulator.AddNumbers] sets
// empty fields to the default in their comment.
type Number struct {
	// PhoneNumber is in E.164 form. It has no default.
	PhoneNumber string
	// ID is the numeric id. Empty: a new one.
	ID string
	// MessagingProfileID is a UUID; an unknown profile is added. Empty: the number has
	// no profile and cannot be attached.
	MessagingProfileID string
	// Type is longcode by default. Others are tollfree and shortcode; each may
	// be spelled with a hyphen.
	Type telnyx.NumberType
	// Status is active by default. Others are port-pending, purchase-pending,
	// ported-out and deleted, with hyphens or underscores. Only active numbers can be
	// attached; that Telnyx refuses the others is a guess.
	Status string
	// CountryCode is "US" by default.
	CountryCode string
	// Tags are the number's labels.
	Tags []string
	// CreatedAt is now by default.
	CreatedAt time.Time
}

type number struct {
	Number
	updated time.Time
	product string
	// Until listedAt, lists show the previous messaging profile.
	profileBefore string
	listedAt      time.Time
}

func (n *number) isActive() bool { return n.Status == "active" }

// AddNumbers adds numbers, or replaces those with the same PhoneNumber.
func (s *Simulator) AddNumbers(numbers ...Number) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range numbers {
		s.addNumber(n)
	}
}

// AddMessagingProfiles adds messaging profiles by their UUIDs.
func (s *Simulator) AddMessagingProfiles(ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		s.profiles[id] = true
	}
}

func (s *Simulator) addNumber(n Number) {
	n.ID = orDefault(n.ID, numericID(s.next()))
	n.Type = orDefault(n.Type, "longcode")
	n.Status = strings.ReplaceAll(orDefault(n.Status, "active"), "_", "-")
	n.CountryCode = orDefault(n.CountryCode, "US")
	n.CreatedAt = orDefault(n.CreatedAt, time.Now())
	n.Tags = slices.Clone(n.Tags)
	if n.MessagingProfileID != "" {
		s.profiles[n.MessagingProfileID] = true
	}
	made := &number{Number: n, updated: n.CreatedAt, product: "A2P"}
	if i := slices.IndexFunc(s.numbers, func(m *number) bool { return m.PhoneNumber == n.PhoneNumber }); i >= 0 {
		s.numbers[i] = made
		return
	}
	s.numbers = append(s.numbers, made)
}

// numericID returns an id like those of Telnyx's numbers.
func numericID(seq int) string {
	return strconv.FormatInt(1293384261075731500+int64(seq), 10)
}

// findNumber finds a number by its E.164 form.
func (s *Simulator) findNumber(phoneNumber string) *number {
	return find(s.numbers, func(n *number) bool { return n.PhoneNumber == phoneNumber })
}

// settings renders a number's messaging settings.
func (s *Simulator) settings(n *number) any {
	d := s.options.Dialect
	return object{
		"record_type": "messaging_settings", "id": n.ID, "phone_number": d.spell(n.PhoneNumber),
		"messaging_profile_id": n.profile(), "country_code": n.CountryCode, "type": d.typeWord(n.Type, string(n.Type), string(n.Type)),
		"created_at": n.CreatedAt.UTC().Format(time.RFC3339Nano), "updated_at": n.updated.UTC().Format(time.RFC3339Nano),
		"eligible_messaging_products": []string{"A2P"}, "traffic_type": "A2P", "messaging_product": n.product,
		"tags":   append([]string{}, n.Tags...),
		"health": object{"message_count": 0, "inbound_outbound_ratio": 0, "success_ratio": 0, "spam_ratio": 0},
		"features": object{"mms": nil, "sms": object{
			"domestic_two_way": true, "international_inbound": false, "international_outbound": false,
		}},
	}
}

// profile is the number's messaging profile, null in answers if there is none.
func (n *number) profile() *string {
	if n.MessagingProfileID == "" {
		return nil
	}
	return new(n.MessagingProfileID)
}

// listed is the number as lists show it.
func (n *number) listed() *number {
	if !time.Now().Before(n.listedAt) {
		return n
	}
	shown := *n
	shown.MessagingProfileID = n.profileBefore
	return &shown
}

// listedNumbers returns the numbers that match, as lists show them.
func (s *Simulator) listedNumbers(matches func(*number) bool) []*number {
	var listed []*number
	for _, n := range s.numbers {
		listed = append(listed, n.listed())
	}
	return filter(listed, matches)
}

// listSettings is GET /phone_numbers/messaging.
func listSettings(s *Simulator, c *call) answer {
	query, d := c.r.URL.Query(), s.options.Dialect
	if refused := d.refuseFilter(query.Get("filter[phone_number]")); refused != nil {
		return *refused
	}
	empty, refused := s.unknownFilters(query, d.settingsFilters()...)
	if refused != nil {
		return *refused
	}
	found := s.listedNumbers(func(n *number) bool { return !empty && n.matchesSettings(d, query) })
	sortNumbers(found, query.Get("sort[phone_number]"))
	return v2List(s, query, found, s.settings)
}

// listProfileNumbers is GET /messaging_profiles/{id}/phone_numbers.
func listProfileNumbers(s *Simulator, c *call) answer {
	id := c.r.PathValue("id")
	if !s.profiles[id] {
		return notFound("Messaging profile not found")
	}
	found := s.listedNumbers(func(n *number) bool { return n.MessagingProfileID == id })
	return v2List(s, c.r.URL.Query(), found, s.settings)
}

// settingsFilters returns the names of the filters that the list knows.
func (d Dialect) settingsFilters() []string {
	known := []string{"filter[type]", "filter[phone_number]", "filter[phone_number][contains]"}
	if d.ProfileFilter != ProfileFilterUnknown {
		known = append(known, "filter[messaging_profile_id]")
	}
	return known
}

// matchesSettings applies the filters of messaging settings.
func (n *number) matchesSettings(d Dialect, query url.Values) bool {
	if want := query.Get("filter[messaging_profile_id]"); want != "" && d.ProfileFilter != ProfileFilterUnknown {
		if d.ProfileFilter == ProfileFilterEmpty || want != n.MessagingProfileID {
			return false
		}
	}
	if want := query.Get("filter[type]"); want != "" && plainType(want) != plainType(string(n.Type)) {
		return false
	}
	if want := query.Get("filter[phone_number]"); want != "" && !d.selects(want, n.PhoneNumber) {
		return false
	}
	return strings.Contains(n.PhoneNumber, query.Get("filter[phone_number][contains]"))
}

// refuseFilter returns the refusal of filter[phone_number] of the settings, or nil.
func (d Dialect) refuseFilter(filter string) *answer {
	status := map[Variant]int{
		Filter400: http.StatusBadRequest, Filter422: http.StatusUnprocessableEntity, Filter500: http.StatusInternalServerError,
		FilterNoLists: http.StatusRequestURITooLong,
	}[d.NumberFilter]
	if status == 0 || filter == "" || d.NumberFilter == FilterNoLists && !strings.Contains(filter, ",") {
		return nil
	}
	return new(refuse(status, codeBadParameter, "Invalid parameter", "The filter is not supported", "/filter[phone_number]"))
}

// selects reports whether filter[phone_number] of the settings selects a number.
func (d Dialect) selects(filter, number string) bool {
	wanted := strings.Split(filter, ",")
	switch d.NumberFilter {
	case FilterIgnored:
		return true
	case FilterNothing:
		return false
	case FilterFirst:
		wanted = wanted[:1]
	case FilterOne:
		wanted = []string{filter}
	case FilterContains:
		return strings.Contains(number, filter)
	}
	digits := strings.TrimPrefix(number, "+")
	switch d.FilterSpelling {
	case SpellDigits:
		return slices.Contains(wanted, digits)
	case SpellEither:
		return slices.Contains(wanted, digits) || slices.Contains(wanted, number)
	}
	return slices.Contains(wanted, number)
}

// plainType removes the hyphen of a type, which Telnyx spells in two ways.
func plainType(kind string) string { return strings.ReplaceAll(kind, "-", "") }

// sortNumbers sorts by phone number, asc or desc; otherwise the order does not change.
func sortNumbers(list []*number, direction string) {
	order := func(a, b *number) int { return strings.Compare(a.PhoneNumber, b.PhoneNumber) }
	switch direction {
	case "asc":
		slices.SortFunc(list, order)
	case "desc":
		slices.SortFunc(list, func(a, b *number) int { return order(b, a) })
	}
}

// getSettings is GET /phone_numbers/{id}/messaging.
func getSettings(s *Simulator, c *call) answer {
	n := s.numberByID(c.r.PathValue("id"))
	if n == nil {
		return notFound("Phone number not found")
	}
	return ok(dataOf(s.settings(n)))
}

// patchSettings is PATCH /phone_numbers/{id}/messaging. A missing or null field does not
// change the setting, and an empty messaging_profile_id removes the number from its
// profile.
func patchSettings(s *Simulator, c *call) answer {
	n := s.numberByID(c.r.PathValue("id"))
	if n == nil {
		return notFound("Phone number not found")
	}
	c.write.PhoneNumber = n.PhoneNumber
	var body struct {
		MessagingProfileID *string  `json:"messaging_profile_id"`
		Product            *string  `json:"messaging_product"`
		Tags               []string `json:"tags"`
	}
	if err := json.Unmarshal(c.body, &body); err != nil {
		return unreadableBody()
	}
	if profile := body.MessagingProfileID; profile != nil && *profile != "" && !s.profiles[*profile] {
		return notFoundAt("Messaging profile not found", "/messaging_profile_id")
	}
	before := string(encode(s.settings(n), ""))
	profileBefore := n.listed().MessagingProfileID
	n.set(body.MessagingProfileID, body.Product, body.Tags)
	if c.write.Effective = before != string(encode(s.settings(n), "")); c.write.Effective {
		n.updated = time.Now()
		n.profileBefore, n.listedAt = profileBefore, n.updated.Add(s.newLag().list)
	}
	return ok(dataOf(s.settings(n)))
}

func (n *number) set(profile, product *string, tags []string) {
	if profile != nil {
		n.MessagingProfileID = *profile
	}
	if product != nil {
		n.product = *product
	}
	if tags != nil {
		n.Tags = tags
	}
}

// numberByID finds a number by an id that /phone_numbers/{id}/messaging accepts: its
// numeric id, its E.164 form or both.
func (s *Simulator) numberByID(id string) *number {
	takes := s.options.Dialect.SettingsID
	return find(s.numbers, func(n *number) bool {
		return n.ID == id && takes != SettingsIDE164 || n.PhoneNumber == id && takes != SettingsIDNumeric
	})
}

// dataOf wraps one object as v2 answers do.
func dataOf(value any) object { return object{"data": value} }
