package telnyx

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestClient_BrandsAreListed(t *testing.T) {
	c, s := newServer(t, ok(`{"records":[{"brandId":"b1","tcrBrandId":"BBRAND1","displayName":"Acme","companyName":"Acme Inc.",`+
		`"entityType":"SOLE_PROPRIETOR","identityStatus":"VERIFIED","status":"OK","failureReasons":"none"},{"brandId":"b2"}],"page":1,"totalRecords":2}`))
	got, err := c.Brands(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Brand{
		{
			BrandID: "b1", TCRBrandID: "BBRAND1", DisplayName: "Acme", CompanyName: "Acme Inc.", EntityType: "SOLE_PROPRIETOR",
			IdentityStatus: "VERIFIED", Status: "OK", FailureReasons: json.RawMessage(`"none"`),
		},
		{BrandID: "b2"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("brands (-want +got):\n%s", diff)
	}
	assertSent(t, s,
		sent{Method: "GET", Path: "/v2/10dlc/brand", Query: listQuery},
		sent{Method: "GET", Path: "/v2/10dlc/brand", Query: oneRow},
		sent{Method: "GET", Path: "/v2/10dlc/brand", Query: secondPage}) // its total may be of the page alone
}
