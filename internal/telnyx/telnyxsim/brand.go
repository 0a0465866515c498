package telnyxsim

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Brand is a brand of the account. [Simulator.AddBrand] sets empty fields to the
// default in their comment.
type Brand struct {
	// ID is Telnyx's id. Empty: a new UUID.
	ID string
	// TCRID is The Campaign Registry's id. Empty: a new one like "BSIM001".
	TCRID string
	// DisplayName and CompanyName are shown to people. Empty: "Example".
	DisplayName, CompanyName string
	// EntityType is PRIVATE_PROFIT by default, or for example SOLE_PROPRIETOR.
	EntityType string
	// Country is the ISO code, default "US"; State has no default.
	Country, State string
	// CreatedAt is now by default.
	CreatedAt time.Time
}

type brand struct {
	Brand
	seq int
}

// AddBrand adds a brand, or replaces the one with the same ID, and returns it
// with its defaults filled in.
func (s *Simulator) AddBrand(b Brand) Brand {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addBrand(b).Brand
}

func (s *Simulator) addBrand(b Brand) *brand {
	seq := s.next()
	b.ID = orDefault(b.ID, newID())
	b.TCRID = orDefault(b.TCRID, fmt.Sprintf("BSIM%03d", seq))
	b.DisplayName = orDefault(b.DisplayName, "Example")
	b.CompanyName = orDefault(b.CompanyName, b.DisplayName)
	b.EntityType = orDefault(b.EntityType, "PRIVATE_PROFIT")
	b.Country = orDefault(b.Country, "US")
	b.CreatedAt = orDefault(b.CreatedAt, time.Now())
	if known := s.brand(b.ID); known != nil {
		known.Brand = b
		return known
	}
	made := &brand{Brand: b, seq: seq}
	s.brands = append(s.brands, made)
	return made
}

func (s *Simulator) brand(id string) *brand {
	return find(s.brands, func(b *brand) bool { return b.ID == id })
}

// listBrands is GET /10dlc/brand.
func listBrands(s *Simulator, c *call) answer {
	query := c.r.URL.Query()
	found := filter(s.brands, func(b *brand) bool { return b.matches(query) })
	sortBy(found, query.Get("sort"), (*brand).sortKey, func(b *brand) int { return b.seq })
	return tendlcList(s, query, 10, found, s.brandRecord)
}

func (b *brand) matches(query url.Values) bool {
	for name, value := range map[string]string{
		"brandId": b.ID, "tcrBrandId": b.TCRID, "displayName": b.DisplayName,
		"entityType": b.EntityType, "country": b.Country, "state": b.State,
	} {
		if want := query.Get(name); want != "" && want != value {
			return false
		}
	}
	return true
}

func (b *brand) sortKey(field string) string {
	switch field {
	case "brandId":
		return b.ID
	case "tcrBrandId":
		return b.TCRID
	case "displayName":
		return strings.ToLower(b.DisplayName)
	default:
		return b.CreatedAt.UTC().Format(zoneless)
	}
}

// brandRecord renders a brand for GET /10dlc/brand. The misspelling of
// assignedCampaingsCount is Telnyx's.
func (s *Simulator) brandRecord(b *brand) any {
	campaigns := filter(s.campaigns, func(c *campaign) bool { return c.BrandID == b.ID })
	created := b.CreatedAt.UTC().Format(zoneless)
	return object{
		"brandId": b.ID, "tcrBrandId": b.TCRID, "entityType": b.EntityType, "identityStatus": "VERIFIED",
		"companyName": b.CompanyName, "displayName": b.DisplayName,
		"email": "brand@example.com", "website": "https://www.example.com",
		"status": "OK", "createdAt": created, "updatedAt": created, "assignedCampaingsCount": len(campaigns),
	}
}
