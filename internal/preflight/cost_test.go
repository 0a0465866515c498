package preflight_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"greenlight/internal/plan"
	"greenlight/internal/preflight"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// addCampaigns adds n campaigns in review, named c00, c01 and so on.
func (a *account) addCampaigns(n int) {
	for i := range n {
		a.AddCampaign(telnyxsim.Campaign{ID: campaignID(i), WebhookURL: ourURL, CampaignStatus: telnyx.CampaignMNOPending, NumberPool: true})
	}
}

func campaignID(i int) string { return fmt.Sprintf("c%02d", i) }

// ownNumbers adds numbers 1 to n to the account, all on one profile.
func (a *account) ownNumbers(n int) {
	numbers := make([]telnyxsim.Number, n)
	for i := range numbers {
		numbers[i] = telnyxsim.Number{PhoneNumber: number(i + 1), MessagingProfileID: profileA}
	}
	a.AddNumbers(numbers...)
}

// attachAll attaches a range of numbers.
func (a *account) attachAll(t *testing.T, from, to int, campaign string) {
	t.Helper()
	for i := from; i <= to; i++ {
		a.attach(t, i, campaign, telnyx.Assigned)
	}
}

// planOf plans numbers 1 to total, evenly over n campaigns.
func planOf(n, total int) string {
	var b strings.Builder
	b.WriteString("version: 1\ncampaigns:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - name: %s\n    campaign_id: %[1]s\n    max_numbers: 1000\n    numbers:\n", campaignID(i))
		for j := i * total / n; j < (i+1)*total/n; j++ {
			fmt.Fprintf(&b, "      - %s\n", number(j+1))
		}
	}
	return b.String()
}

// costs checks that a check of the plan takes at most so many calls, and has so many
// findings.
func (a *account) costs(t *testing.T, text string, most, numbers, findings int) {
	t.Helper()
	set, before := load(t, text), a.calls()
	reports, err := preflight.Check(t.Context(), a.client, 8, "", set)
	must(t, err)
	if got := a.calls() - before; got > most {
		t.Errorf("got %d calls, want at most %d; all calls: %v", got, most, a.Calls())
	}
	planned := 0
	for _, c := range reports[0].Campaigns {
		planned += c.Planned
	}
	if planned != numbers || len(reports[0].Findings) != findings {
		t.Errorf("got %d numbers and %d findings, want %d and %d", planned, len(reports[0].Findings), numbers, findings)
	}
}

// The formula, with pages of 250, for 1,000 numbers on the account: one call for each
// campaign, 1 or ⌈records/250⌉ for records, 4 for settings and 4 for the status, which the
// settings do not have. A list whose last page is full takes one more. The settings of
// attached numbers are not needed.
func TestCheck_Takes12CallsFor1000Numbers(t *testing.T) {
	t.Parallel()
	const pool = "version: 1\ncampaigns:\n  - name: c00\n    campaign_id: c00\n    max_numbers: 1000\n    number_pool: " + profileA + "\n"
	for name, test := range map[string]struct {
		attach         func(*testing.T, *account)
		plan           string
		most, findings int
	}{
		"none attached yet":             {nil, planOf(1, 1000), 1 + 1 + 5 + 5, 0},
		"all on this campaign":          {func(t *testing.T, a *account) { a.attachAll(t, 1, 1000, "c00") }, planOf(1, 1000), 1 + 5, 0},
		"all on another campaign":       {func(t *testing.T, a *account) { a.attachAll(t, 1, 1000, "c01") }, planOf(1, 1000), 1 + 5, 1000},
		"20 campaigns, none attached":   {nil, planOf(20, 1000), 20 + 1 + 5 + 5, 0},
		"20 campaigns, all attached":    {func(t *testing.T, a *account) { spread(t, a) }, planOf(20, 1000), 20 + 5, 0},
		"a pool, none attached yet":     {nil, pool, 1 + 1 + 5 + 5, 0},
		"a pool, all on this campaign":  {func(t *testing.T, a *account) { a.attachAll(t, 1, 1000, "c00") }, pool, 1 + 5 + 5 + 5, 0},
		"a plan of the account's first": {func(t *testing.T, a *account) { a.attachAll(t, 1, 250, "c01") }, planOf(1, 2), 1 + 1 + 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, telnyxsim.Options{})
			a.addCampaigns(20)
			a.ownNumbers(1000)
			if test.attach != nil {
				test.attach(t, a)
			}
			numbers := 1000
			if strings.Count(test.plan, "+1555") == 2 {
				numbers = 2
			}
			a.costs(t, test.plan, test.most, numbers, test.findings)
		})
	}
}

// spread attaches 1,000 numbers to the 20 campaigns that plan them.
func spread(t *testing.T, a *account) {
	t.Helper()
	for i := range 20 {
		a.attachAll(t, 50*i+1, 50*i+50, campaignID(i))
	}
}

// The formula if the campaigns' lists are shorter than the account's: two calls for each
// campaign, the first page of the account's list, and one call for each number that is on
// none of the lists, or the account's list if that is shorter. Then the settings in queries
// of 248, and three or more calls for the status.
//
// The first check also learns which filters Telnyx understands: an empty list proves
// nothing unless the same filter finds a number that is known to exist.
func TestCheck_TakesFewCallsInALargeAccount(t *testing.T) {
	t.Parallel()
	a := newAccount(t, telnyxsim.Options{})
	a.addCampaigns(1)
	a.AddCampaign(telnyxsim.Campaign{ID: otherID})
	a.ownNumbers(5000)
	a.attachAll(t, 1001, 4000, otherID)
	const learning = 2 + 1
	a.costs(t, planOf(1, 10), 2+1+10+1+3+learning, 10, 0)
	a.costs(t, planOf(1, 500), 2+1+12+3+5, 500, 0)
	a.attachAll(t, 1, 1, "c00")
	a.costs(t, planOf(1, 10), 2+1+9+1+3, 10, 0)
	a.attachAll(t, 2, 10, "c00")
	a.costs(t, planOf(1, 10), 2+1, 10, 0)
}

// Several sets cost the same as one set with all their campaigns and numbers.
func TestCheck_ReadsEverythingOnceForAllSets(t *testing.T) {
	t.Parallel()
	a := newAccount(t, telnyxsim.Options{})
	a.addCampaigns(20)
	a.ownNumbers(1000)
	spread(t, a)
	sets := []*plan.Set{load(t, planOf(20, 1000)), load(t, planOf(20, 1000)), load(t, planOf(10, 1000))}
	reports, err := preflight.Check(t.Context(), a.client, 8, "", sets...)
	must(t, err)
	if got, want := a.calls(), 20+5; got > want {
		t.Errorf("got %d calls, want at most %d; all calls: %v", got, want, a.Calls())
	}
	// The third set plans half of the numbers for other campaigns.
	for i, want := range []int{0, 0, 950} {
		if got := len(reports[i].Findings); got != want {
			t.Errorf("set %d: got %d findings, want %d", i, got, want)
		}
	}
}

func TestCheck_FindsTheSameWhicheverWayItReads(t *testing.T) {
	t.Parallel()
	want := ""
	for _, size := range []int{500, 10, 2, 1} { // the largest page that Telnyx returns
		a := newAccount(t, telnyxsim.Options{Dialect: telnyxsim.Dialect{MaxPageSize: size}})
		a.addCampaigns(2)
		a.AddCampaign(telnyxsim.Campaign{ID: otherID})
		a.ownNumbers(30)
		for i := range 20 {
			a.attach(t, i+1, []string{"c00", otherID, "c01"}[i%3], telnyx.Assigned)
		}
		a.attach(t, 5, "c00", telnyx.FailedAssignment)
		reports, err := preflight.Check(t.Context(), a.client, 3, "", load(t, planOf(2, 8)))
		must(t, err)
		var b strings.Builder
		must(t, reports[0].WriteText(&b))
		if want == "" {
			want = b.String()
		}
		if len(reports[0].Findings) == 0 || b.String() != want {
			t.Errorf("pages of %d: got\n%s\nwant\n%s", size, b.String(), want)
		}
	}
}

// uncounted removes the totals from lists.
type uncounted struct{ next http.RoundTripper }

var count = regexp.MustCompile(`,"totalRecords":\d+`)

func (u uncounted) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := u.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	body = count.ReplaceAll(body, nil)
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return res, err
}

func TestCheck_ReadsListsWithoutTotalsToTheirEnd(t *testing.T) {
	a := newAccount(t, telnyxsim.Options{Dialect: telnyxsim.Dialect{MaxPageSize: 2}})
	a.addCampaigns(2)
	a.ownNumbers(8)
	a.client.HTTPClient.Transport = uncounted{a.client.HTTPClient.Transport}
	// The campaign, no page of attachments but the empty one, and the 8 numbers in both lists.
	a.costs(t, planOf(1, 8), 1+1+4+4, 8, 0)
	a.attachAll(t, 5, 8, "c01")
	a.attachAll(t, 1, 4, "c00")
	a.costs(t, planOf(1, 8), 1+4+1, 8, 4)
}
