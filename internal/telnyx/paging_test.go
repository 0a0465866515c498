package telnyx_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
)

// served is a transport without a network.
type served struct{ http.Handler }

func (s served) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	arrived := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), nil)
	arrived.Header = r.Header
	s.ServeHTTP(w, arrived)
	return w.Result(), nil
}

// Whatever names a list takes for the page and its size, whatever sizes it refuses and
// however it counts and ends: it is read whole. Any two such readings may come together; a
// usual run tries a third of the pairs.
func TestList_IsWholeInEveryTwoReadingsOfPages(t *testing.T) {
	t.Parallel()
	const profile, campaign = "4001776e-0000-4000-8000-000000000001", "4b30019a-e14d-522f-fc8e-00000000000a"
	readings := []string{
		"pages-of-20", "pages-of-20-or-400", "pages-of-100-or-422", "sort-refused", "totals-missing", "totals-of-page", "totals-small",
		"past-end-repeats", "past-end-404", "past-end-400", "page-brackets", "page-plain", "paths-guide",
	}
	for i, first := range readings {
		for j, second := range readings[i:] {
			if !testkit.Full && j%3 != 0 {
				continue
			}
			names := slices.Compact([]string{first, second})
			t.Run(fmt.Sprint(names), func(t *testing.T) {
				dialect, err := telnyxsim.ParseDialect(names...)
				if err != nil {
					t.Fatal(err)
				}
				sim := telnyxsim.New(telnyxsim.Options{Dialect: dialect})
				t.Cleanup(sim.Close)
				sim.AddCampaign(telnyxsim.Campaign{ID: campaign})
				for i := range 45 { // three pages of 20
					number := fmt.Sprintf("+1212555%04d", i)
					sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, MessagingProfileID: profile})
					if err := sim.AttachNumber(number, campaign, telnyx.Assigned); err != nil {
						t.Fatal(err)
					}
				}
				client := &telnyx.Client{APIKey: "KEY", BaseURL: "http://telnyx.example/v2", HTTPClient: &http.Client{Transport: served{sim}}}
				numbers, err := client.ProfileNumbers(t.Context(), profile)
				if err != nil || len(numbers.All) != 45 || !numbers.Complete {
					t.Errorf("got %d numbers of 45, complete %t (%s), %v", len(numbers.All), numbers.Complete, numbers.Why, err)
				}
				records, err := client.Assignments(t.Context(), 0)
				if err != nil || len(records.All) != 45 || !records.Complete {
					t.Errorf("got %d records of 45, complete %t (%s), %v", len(records.All), records.Complete, records.Why, err)
				}
			})
		}
	}
}
