package telnyxsim

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"greenlight/internal/telnyx"
)

// Number is a phone number of the account. In [Simulator.AddNumbers] empty
// fields get the value that their comment states.
type Number struct {
	// PhoneNumber is in E.164 form. It has no default.
	PhoneNumber string
	// ID is the numeric id by which messaging settings are known. Empty: a new
	// one.
	ID string
	// MessagingProfileID is a UUID; a profile that is not there yet is added.
	// Empty: the number is on no profile, and cannot be attached.
	MessagingProfileID string
	// Type is longcode by default. Others are tollfree and shortcode; each may
	// be spelled with a hyphen.
	Type telnyx.NumberType
	// CountryCode is "US" by default.
	CountryCode string
	// Tags are the number's labels.
	Tags []string
	// CreatedAt is the time of seeding by default.
	CreatedAt time.Time
}

type number struct {
	Number
	updated time.Time
	product string
}

// AddNumbers adds numbers, or replaces those with the same PhoneNumber.
func (s *Simulator) AddNumbers(numbers ...Number) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range numbers {
		s.addNumber(n)
	}
}

// AddMessagingProfiles adds messaging profiles, which are known by their UUIDs
// alone.
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

// numericID returns an id in the style of Telnyx's numbers.
func numericID(seq int) string {
	return strconv.FormatInt(1293384261075731500+int64(seq), 10)
}

// findNumber finds a number by its E.164 form.
func (s *Simulator) findNumber(phoneNumber string) *number {
	for _, n := range s.numbers {
		if n.PhoneNumber == phoneNumber {
			return n
		}
	}
	return nil
}

// numberRecord is a number's messaging settings.
type numberRecord struct {
	RecordType         string            `json:"record_type"`
	ID                 string            `json:"id"`
	PhoneNumber        string            `json:"phone_number"`
	MessagingProfileID *string           `json:"messaging_profile_id"`
	CreatedAt          string            `json:"created_at"`
	UpdatedAt          string            `json:"updated_at"`
	CountryCode        string            `json:"country_code"`
	Type               telnyx.NumberType `json:"type"`
	Health             numberHealth      `json:"health"`
	EligibleProducts   []string          `json:"eligible_messaging_products"`
	TrafficType        string            `json:"traffic_type"`
	Product            string            `json:"messaging_product"`
	Features           numberFeatures    `json:"features"`
	Tags               []string          `json:"tags"`
}

type numberHealth struct {
	MessageCount         int     `json:"message_count"`
	InboundOutboundRatio float64 `json:"inbound_outbound_ratio"`
	SuccessRatio         float64 `json:"success_ratio"`
	SpamRatio            float64 `json:"spam_ratio"`
}

type numberFeatures struct {
	SMS *featureSet `json:"sms"`
	MMS *featureSet `json:"mms"`
}

type featureSet struct {
	DomesticTwoWay        bool `json:"domestic_two_way"`
	InternationalInbound  bool `json:"international_inbound"`
	InternationalOutbound bool `json:"international_outbound"`
}

func (n *number) record() numberRecord {
	r := numberRecord{
		RecordType: "messaging_settings", ID: n.ID, PhoneNumber: n.PhoneNumber,
		CreatedAt:   n.CreatedAt.UTC().Format(time.RFC3339Nano),
		UpdatedAt:   n.updated.UTC().Format(time.RFC3339Nano),
		CountryCode: n.CountryCode, Type: n.Type, EligibleProducts: []string{"A2P"}, TrafficType: "A2P",
		Product: n.product, Features: numberFeatures{SMS: &featureSet{DomesticTwoWay: true}},
		Tags: append([]string{}, n.Tags...),
	}
	if n.MessagingProfileID != "" {
		profile := n.MessagingProfileID
		r.MessagingProfileID = &profile
	}
	return r
}

// listNumbers is GET /phone_numbers/messaging. Filters that it does not know
// are ignored.
func listNumbers(s *Simulator, c *call) answer {
	query := c.r.URL.Query()
	var found []*number
	for _, n := range s.numbers {
		if n.matches(query) {
			found = append(found, n)
		}
	}
	sortNumbers(found, query.Get("sort[phone_number]"))
	return numberPage(found, query)
}

// listProfileNumbers is GET /messaging_profiles/{id}/phone_numbers.
func listProfileNumbers(s *Simulator, c *call) answer {
	id := c.params["id"]
	if !s.profiles[id] {
		return notFound("Messaging profile not found")
	}
	var found []*number
	for _, n := range s.numbers {
		if n.MessagingProfileID == id {
			found = append(found, n)
		}
	}
	return numberPage(found, c.r.URL.Query())
}

func numberPage(found []*number, query url.Values) answer {
	p := v2Page(query)
	return ok(p.v2Of(len(found), rows(found, p, func(n *number) any { return n.record() })))
}

// matches applies the published filters. filter[phone_number] is exact and may
// be a list.
func (n *number) matches(query url.Values) bool {
	if want := query.Get("filter[messaging_profile_id]"); want != "" && want != n.MessagingProfileID {
		return false
	}
	if want := query.Get("filter[type]"); want != "" && plainType(want) != plainType(string(n.Type)) {
		return false
	}
	if want := query.Get("filter[phone_number]"); want != "" && !slices.Contains(strings.Split(want, ","), n.PhoneNumber) {
		return false
	}
	return strings.Contains(n.PhoneNumber, query.Get("filter[phone_number][contains]"))
}

// plainType takes the hyphen out of a type, which Telnyx spells in two ways.
func plainType(kind string) string { return strings.ReplaceAll(kind, "-", "") }

// sortNumbers sorts by phone number, asc or desc; else the order of seeding
// stays.
func sortNumbers(list []*number, direction string) {
	order := func(a, b *number) int { return strings.Compare(a.PhoneNumber, b.PhoneNumber) }
	switch direction {
	case "asc":
		slices.SortFunc(list, order)
	case "desc":
		slices.SortFunc(list, func(a, b *number) int { return order(b, a) })
	}
}

// getNumber is GET /phone_numbers/{id}/messaging.
func getNumber(s *Simulator, c *call) answer {
	n := s.numberByID(c.params["id"])
	if n == nil {
		return notFound("Phone number not found")
	}
	return ok(dataOf(n.record()))
}

// patchNumber is PATCH /phone_numbers/{id}/messaging. In its body a missing or
// null field leaves the setting as it is, and an empty messaging_profile_id
// takes the number off its profile.
func patchNumber(s *Simulator, c *call) answer {
	n := s.numberByID(c.params["id"])
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
	before := n.record()
	n.set(body.MessagingProfileID, body.Product, body.Tags)
	c.write.Effective = string(encode(before, "")) != string(encode(n.record(), ""))
	if c.write.Effective {
		n.updated = time.Now()
	}
	return ok(dataOf(n.record()))
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

// numberByID finds a number by its numeric id or its E.164 form. The OpenAPI
// description calls the path's id "the phone number to update", reports from
// the field use the numeric one; which of them Telnyx takes is not settled.
func (s *Simulator) numberByID(id string) *number {
	for _, n := range s.numbers {
		if n.ID == id || n.PhoneNumber == id {
			return n
		}
	}
	return nil
}

// dataOf wraps one object as v2 answers do.
func dataOf(value any) any {
	return struct {
		Data any `json:"data"`
	}{value}
}
