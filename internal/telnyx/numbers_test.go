package telnyx

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const absentNumber = "+15559999999"

func TestNumbers_FindsAndMissesInEveryReading(t *testing.T) {
	for name, tt := range map[string]struct {
		quirk *world
		owned int
		form  string // what was learned; empty: nothing
		calls int    // to messaging settings, for five numbers
	}{
		"small account":                {&world{}, 300, "", 2},
		"small, filter never works":    {&world{filter: "never"}, 300, "", 2},
		"small, totals of the page":    {&world{totals: "page"}, 300, "", 2},
		"small, no totals":             {&world{totals: "none"}, 300, "", 2},
		"small, one page":              {&world{}, 10, "", 2},
		"small, sizes over 100":        {&world{refuseOver: 100}, 300, "", 5},
		"comma lists":                  {&world{}, 5000, "lists of +E.164 numbers", 2},
		"comma lists, 404 past end":    {&world{pastEnd: "404"}, 5000, "lists of +E.164 numbers", 2},
		"comma lists, no totals":       {&world{totals: "none"}, 5000, "lists of +E.164 numbers", 7},
		"lists of digits":              {&world{filter: "digits"}, 5000, "lists of digits", 3},
		"one at a time":                {&world{filter: "one"}, 5000, "one +E.164 number", 9},
		"one at a time, else 404":      {&world{filter: "one", emptyIs404: true}, 5000, "one +E.164 number", 9},
		"one at a time, digits":        {&world{filter: "one digits"}, 5000, "one number's digits", 10},
		"national digits":              {&world{filter: "national"}, 5000, "one number's national digits", 11},
		"parts of numbers":             {&world{filter: "part"}, 5000, "one number's digits", 10},
		"never":                        {&world{filter: "never"}, 5000, "", 6 + 21},
		"ignored":                      {&world{filter: "ignored"}, 5000, "", 6 + 21},
		"refused":                      {&world{filter: "refused"}, 5000, "", 6 + 21},
		"ignored, totals of the page":  {&world{filter: "ignored", totals: "page"}, 5000, "", 5 + 5 + 21},
		"ignored, no totals, repeated": {&world{filter: "ignored", totals: "none", pastEnd: "repeat"}, 5000, "", 5 + 5 + 21},
	} {
		t.Run(name, func(t *testing.T) {
			w := tt.quirk
			w.numbers = owning(tt.owned).numbers
			c := w.client()
			wanted := []string{someNumbers(tt.owned)[7], absentNumber, "(555) 000-0008", "+15550000009", "+14440000000"}
			got, err := c.Numbers(t.Context(), wanted)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"+15550000007", "+15550000008", "+15550000009"}, slices.Sorted(maps.Keys(got.Found))); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(map[string]bool{absentNumber: true, "+14440000000": true}, got.Absent); diff != "" {
				t.Errorf("absent (-want +got):\n%s", diff)
			}
			want := Number{ID: "id+15550000007", PhoneNumber: "+15550000007", MessagingProfileID: "p", Type: "longcode", Status: "active"}
			if tt.owned > 1000 {
				want.Status = got.Found["+15550000007"].Status // not every status is asked for
			}
			if got := got.Found["+15550000007"]; got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			learned := strings.Contains(strings.Join(c.Learned(), "\n"), "filter[phone_number] understands "+tt.form)
			if learned != (tt.form != "") {
				t.Errorf("learned %q, want form %q", c.Learned(), tt.form)
			}
			if calls := w.count(settingsRoute); calls != tt.calls {
				t.Errorf("got %d calls, want %d: %q", calls, tt.calls, w.calls)
			}
		})
	}
}

func TestNumbers_CostFourCallsOnASmallAccount(t *testing.T) {
	for _, n := range []int{1, 250} {
		w := owning(250)
		if _, err := w.client().Numbers(t.Context(), someNumbers(n)); err != nil || len(w.calls) > 4 {
			t.Errorf("%d numbers: %d calls, %v; want at most 4: %q", n, len(w.calls), err, w.calls)
		}
	}
}

func TestNumbers_RemembersTheFormThatWorks(t *testing.T) {
	w := owning(5000)
	w.filter = "digits"
	c := w.client()
	for i, want := range []int{3, 1, 11} {
		w.calls = nil
		wanted := someNumbers(10)
		if i == 2 {
			wanted = someNumbers(2700) // in batches
		}
		got, err := c.Numbers(t.Context(), wanted)
		if calls := w.count(settingsRoute); err != nil || len(got.Found) != len(wanted) || calls != want {
			t.Errorf("call %d: found %d of %d with %d calls, %v; want %d calls", i, len(got.Found), len(wanted), calls, err, want)
		}
	}
}

func TestNumbers_OfAHugeAccountWithoutFiltersListItOnceInTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := owning(100_000)
		w.filter = "ignored"
		c := w.client()
		var group sync.WaitGroup
		for range 5 {
			group.Go(func() {
				if got, err := c.Numbers(t.Context(), []string{"+15550000001", absentNumber}); err != nil || len(got.Found) != 1 || len(got.Absent) != 1 {
					t.Errorf("got %+v, %v", got, err)
				}
			})
		}
		group.Wait()
		// 400 pages and an empty one, a first page for each of the five, and one for each form.
		if got := w.count(settingsRoute); got > 401+5+5 {
			t.Errorf("got %d calls, want the account's list once", got)
		}
		w.calls = nil
		time.Sleep(9 * time.Minute)
		if _, err := c.Numbers(t.Context(), []string{"+15550000002"}); err != nil || w.count(settingsRoute) != 0 {
			t.Errorf("got %d calls after nine minutes, %v; want none", w.count(settingsRoute), err)
		}
		time.Sleep(time.Minute)
		if _, err := c.Numbers(t.Context(), []string{"+15550000002"}); err != nil || w.count(settingsRoute) < 400 {
			t.Errorf("got %d calls after ten minutes, %v; want the list again", w.count(settingsRoute), err)
		}
	})
}

func TestNumbers_AnAnswerThatWasCutShortProvesNoAbsence(t *testing.T) {
	w := owning(5000)
	// The server takes the first three of a comma list.
	c := w.client()
	c.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		query := r.URL.Query()
		if list := strings.Split(query.Get("filter[phone_number]"), ","); len(list) > 3 {
			query.Set("filter[phone_number]", strings.Join(list[:3], ","))
			r.URL.RawQuery = query.Encode()
		}
		return w.RoundTrip(r)
	})}
	got, err := c.Numbers(t.Context(), append(someNumbers(10), absentNumber))
	if err != nil || len(got.Found) != 10 || !got.Absent[absentNumber] || len(got.Absent) != 1 {
		t.Errorf("found %d, absent %v, %v", len(got.Found), got.Absent, err)
	}
}

func TestNumbers_AreUnknownFromAListThatNeverHoldsStill(t *testing.T) {
	w := owning(300)
	w.filter, w.mostRows = "never", 100
	w.before = func(w *world, call string) {
		if strings.HasPrefix(call, "GET "+settingsRoute) {
			w.numbers = append(w.numbers, Number{PhoneNumber: fmt.Sprintf("+1666%07d", len(w.calls))})
		}
	}
	got, err := w.client().Numbers(t.Context(), []string{"+15550000001", absentNumber})
	if err != nil || len(got.Found) != 1 || len(got.Absent) != 0 {
		t.Errorf("got %+v, %v; want one found and the other unknown", got, err)
	}
}

func TestNumbers_HaveTheStatusThatTelnyxSays(t *testing.T) {
	for name, tt := range map[string]struct {
		owned  int
		quirk  *world
		wanted int
		want   string
		calls  int // to /phone_numbers
	}{
		"small account":       {300, &world{}, 5, "port_pending", 2},
		"no such list":        {300, &world{noStatuses: true}, 5, "", 1},
		"large, few numbers":  {5000, &world{filter: "one digits"}, 3, "port_pending", 4},
		"large, many numbers": {5000, &world{}, 20, "port_pending", 3},
	} {
		t.Run(name, func(t *testing.T) {
			w := tt.quirk
			w.numbers = owning(tt.owned).numbers
			w.numbers[1].Status = "Port-Pending"
			c := w.client()
			got, err := c.Numbers(t.Context(), someNumbers(tt.wanted))
			if err != nil || got.Found["+15550000001"].Status != tt.want {
				t.Errorf("got %+v, %v; want status %q", got.Found["+15550000001"], err, tt.want)
			}
			if calls := w.count("GET "+numbersRoute) - w.count(settingsRoute); calls != tt.calls {
				t.Errorf("got %d calls, want %d: %q", calls, tt.calls, w.calls)
			}
			if _, err := c.Numbers(t.Context(), someNumbers(1)); err != nil {
				t.Error(err)
			}
			if calls := w.count("GET "+numbersRoute) - w.count(settingsRoute); tt.owned < 5000 && calls != tt.calls {
				t.Errorf("asked again within a minute: %d calls", calls)
			}
		})
	}
}

func TestNumbers_AreFoundInEitherList(t *testing.T) {
	w := owning(10)
	c := w.client()
	c.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, settingsRoute) {
			return respond(200, `{"data":[],"meta":{"total_results":0}}`), nil
		}
		return w.RoundTrip(r)
	})}
	got, err := c.Numbers(t.Context(), []string{"+15550000001", absentNumber})
	if err != nil || got.Found["+15550000001"].MessagingProfileID != "p" || !got.Absent[absentNumber] || len(got.Absent) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestNumbers_OfNoNumbersNeedNoCall(t *testing.T) {
	w := owning(1)
	if got, err := w.client().Numbers(t.Context(), nil); err != nil || len(got.Found) != 0 || len(w.calls) != 0 {
		t.Errorf("got %v, %v after %d calls", got, err, len(w.calls))
	}
}

func TestProfileNumbers_AreThatProfilesOnly(t *testing.T) {
	for name, tt := range map[string]struct {
		owned     int
		quirk     *world
		profile   string
		want      int
		complete  bool
		mostCalls int // to lists of messaging settings
	}{
		"small":                    {300, &world{}, "q", 2, true, 2},
		"small, empty":             {300, &world{}, "none", 0, true, 2},
		"large":                    {5000, &world{}, "q", 2, true, 2},
		"large, none of it":        {5000, &world{profileFilter: "empty"}, "none", 0, false, 2},
		"large, ignored":           {5000, &world{profileFilter: "ignored"}, "q", 1, false, 2},
		"large, by path":           {5000, &world{profileFilter: "path"}, "q", 2, true, 2},
		"large, empty, not proven": {5000, &world{profileFilter: "empty"}, "q", 1, false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := tt.quirk
			w.numbers = owning(tt.owned).numbers
			w.numbers[1].MessagingProfileID, w.numbers[tt.owned-1].MessagingProfileID = "q", "q"
			got, err := w.client().ProfileNumbers(t.Context(), tt.profile)
			if err != nil || len(got.All) != tt.want || got.Complete != tt.complete || (got.Why == "") != tt.complete {
				t.Errorf("got %d rows, complete %v (%s), %v; want %d, %v", len(got.All), got.Complete, got.Why, err, tt.want, tt.complete)
			}
			if calls := w.count(settingsRoute); calls > tt.mostCalls {
				t.Errorf("got %d calls, want at most %d: %q", calls, tt.mostCalls, w.calls)
			}
		})
	}
}

// An outage changes nothing for good: the messaging settings are never asked for with a
// parameter that only GET /phone_numbers has.
func TestNumbers_AreReadAsBeforeAfterAnOutage(t *testing.T) {
	w, down := owning(30), false
	c := w.client()
	c.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		switch strict := strings.HasSuffix(r.URL.Path, settingsRoute) && r.URL.Query().Has(tolerateParam); {
		case down:
			return respond(503, ""), nil
		case strict:
			return respond(400, `{"errors":[{"code":"10015","title":"Unknown parameter"}]}`), nil
		}
		return w.RoundTrip(r)
	})}
	for _, down = range []bool{false, true, false} {
		got, err := c.Numbers(t.Context(), someNumbers(3))
		if (err != nil) != down || !down && len(got.Found) != 3 {
			t.Errorf("down %v: found %d, %v", down, len(got.Found), err)
		}
	}
}
