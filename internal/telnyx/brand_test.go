package telnyx

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestClient_BrandsAreListed(t *testing.T) {
	c, s := newServer(t, ok(`{"records":[{"brandId":"b1","tcrBrandId":"BBRAND1","displayName":"Acme","companyName":"Acme Inc.",`+
		`"entityType":"SOLE_PROPRIETOR","identityStatus":"VERIFIED","status":"OK","failureReasons":"none"},{"brand_id":"b2"}],"page":1,"totalRecords":2}`))
	got, err := c.Brands(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Brand{{BrandID: "b1"}, {BrandID: "b2"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("brands (-want +got):\n%s", diff)
	}
	assertSent(t, s,
		sent{Method: "GET", Path: "/v2/10dlc/brand", Query: listQuery},
		sent{Method: "GET", Path: "/v2/10dlc/brand", Query: oneRow},
		sent{Method: "GET", Path: "/v2/10dlc/brand", Query: secondPage}) // its total may be of the page alone
}
