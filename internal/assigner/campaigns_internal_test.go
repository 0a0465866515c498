package assigner

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"greenlight/internal/telnyx"
)

// Brands are read no further once as many campaigns are known as are kept.
func TestFiled_EndsWithTheCampaignsThatAreKept(t *testing.T) {
	const perPage, brands = 500, 30
	pages := map[string]int{}
	client := &telnyx.Client{HTTPClient: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		var records []string
		total, brand := brands, r.URL.Query().Get("brandId")
		if brand == "" {
			for i := range brands {
				records = append(records, fmt.Sprintf(`{"brandId":"brand-%d"}`, i))
			}
		} else {
			pages[brand]++
			total = 2 * maxFiled
			for i := range perPage {
				records = append(records, fmt.Sprintf(`{"campaignId":"%s-%s-%d"}`, brand, r.URL.Query().Get("page"), i))
			}
		}
		body := fmt.Sprintf(`{"records":[%s],"totalRecords":%d}`, strings.Join(records, ","), total)
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	})}}
	filed, err := newCampaigns(client, time.Now).filed(t.Context(), 100_000)
	if err != nil || len(filed.All) != maxFiled {
		t.Errorf("got %d campaigns and %v, want %d", len(filed.All), err, maxFiled)
	}
	if got := pages["brand-0"]; got != maxFiled/perPage || len(pages) != 1 {
		t.Errorf("read %d pages of the first brand and of %d brands, want %d of the first alone", got, len(pages), maxFiled/perPage)
	}
}
