package telnyx_test

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// Telnyx's pages do not agree on the names of the parameters for the page. A list that
// is longer than a page is read as a whole by whichever are taken.
func TestLists_FindOutTheNamesOfThePage(t *testing.T) {
	const profile, campaign = "4001776e-0000-4000-8000-000000000001", "4b30019a-e14d-522f-fc8e-00000000000a"
	for _, names := range [][]string{{}, {"page-plain"}, {"page-brackets"}, {"page-plain", "totals-missing"}, {"page-brackets", "totals-missing"}, {"past-end-repeats"}} {
		t.Run(fmt.Sprint(names), func(t *testing.T) {
			dialect, err := telnyxsim.ParseDialect(names...)
			if err != nil {
				t.Fatal(err)
			}
			sim := telnyxsim.New(telnyxsim.Options{Dialect: dialect})
			api := httptest.NewServer(sim)
			t.Cleanup(func() { sim.Close(); api.Close() })
			sim.AddCampaign(telnyxsim.Campaign{ID: campaign})
			for i := range 45 {
				number := fmt.Sprintf("+1212555%04d", i)
				sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, MessagingProfileID: profile})
				if err := sim.AttachNumber(number, campaign, telnyx.Assigned); err != nil {
					t.Fatal(err)
				}
			}
			client := &telnyx.Client{APIKey: "KEY", BaseURL: api.URL + "/v2"}
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
