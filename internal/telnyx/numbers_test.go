package telnyx

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

const absentNumber = "+15559999999"

func TestNumbers_FindsAndMissesInEveryReading(t *testing.T) {
	t.Parallel()
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
		"small, sizes over 100":        {&world{refuseOver: 100}, 300, "", 6},
		"comma lists":                  {&world{}, 2500, "lists of +E.164 numbers", 2},
		"comma lists, 404 past end":    {&world{pastEnd: "404"}, 2500, "lists of +E.164 numbers", 2},
		"comma lists, no totals":       {&world{totals: "none"}, 2500, "lists of +E.164 numbers", 7},
		"lists of digits":              {&world{filter: "digits"}, 2500, "lists of digits", 3},
		"one at a time":                {&world{filter: "one"}, 2500, "one +E.164 number", 9},
		"one at a time, else 404":      {&world{filter: "one", emptyIs404: true}, 2500, "one +E.164 number", 9},
		"one at a time, digits":        {&world{filter: "one digits"}, 2500, "the digits of one number", 10},
		"national digits":              {&world{filter: "national"}, 2500, "the national digits of one number", 11},
		"parts of numbers":             {&world{filter: "part"}, 2500, "the digits of one number", 10},
		"never":                        {&world{filter: "never"}, 2500, "", 6 + 11},
		"ignored":                      {&world{filter: "ignored"}, 2500, "", 6 + 11},
		"refused":                      {&world{filter: "refused"}, 2500, "", 6 + 11},
		"ignored, totals of the page":  {&world{filter: "ignored", totals: "page"}, 2500, "", 5 + 5 + 11},
		"ignored, no totals, repeated": {&world{filter: "ignored", totals: "none", pastEnd: "repeat"}, 2500, "", 5 + 5 + 11},
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
			learned := strings.Contains(strings.Join(c.Learned(), "\n"), "Telnyx understands filter[phone_number] with "+tt.form)
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
	t.Parallel()
	w := owning(2500)
	w.filter = "digits"
	c := w.client()
	for i, want := range []int{3, 1, 10} {
		w.calls = nil
		wanted := someNumbers(10)
		if i == 2 {
			wanted = someNumbers(2400) // in batches
		}
		got, err := c.Numbers(t.Context(), wanted)
		if calls := w.count(settingsRoute); err != nil || len(got.Found) != len(wanted) || calls != want {
			t.Errorf("call %d: found %d of %d with %d calls, %v; want %d calls", i, len(got.Found), len(wanted), calls, err, want)
		}
	}
}

func TestNumbers_OfAHugeAccountWithoutFiltersListItOnceInTenMinutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := owning(5000)
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
		// 20 pages and an empty one, a first page for each of the five, and one for each form.
		if got := w.count(settingsRoute); got > 21+5+5 {
			t.Errorf("got %d calls, want the account's list once", got)
		}
		w.calls = nil
		time.Sleep(9 * time.Minute)
		if _, err := c.Numbers(t.Context(), []string{"+15550000002"}); err != nil || w.count(settingsRoute) != 0 {
			t.Errorf("got %d calls after nine minutes, %v; want none", w.count(settingsRoute), err)
		}
		time.Sleep(time.Minute)
		if _, err := c.Numbers(t.Context(), []string{"+15550000002"}); err != nil || w.count(settingsRoute) < 20 {
			t.Errorf("got %d calls after ten minutes, %v; want the list again", w.count(settingsRoute), err)
		}
	})
}

// requestTimes is a transport that takes a second for each request and keeps when those
// to messaging settings were made.
type requestTimes struct {
	next http.RoundTripper
	mu   sync.Mutex
	at   []time.Time
}

func (r *requestTimes) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.URL.Path, settingsRoute) {
		r.mu.Lock()
		r.at = append(r.at, time.Now())
		r.mu.Unlock()
	}
	time.Sleep(time.Second)
	return r.next.RoundTrip(req)
}

func TestNumbers_SayWhenTheReadingOfTheAbsentBegan(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		quirk *world
		owned int
		first int  // index of the first request that absence rests on
		kept  bool // the second answer rests on the same requests
	}{
		"small account":             {&world{}, 300, 0, false},
		"lists, proven":             {&world{}, 2500, 1, false},
		"one at a time, proven":     {&world{filter: "one"}, 2500, 3, false}, // the refused forms come first
		"no form, the whole list":   {&world{filter: "never"}, 2500, 6, true},
		"ignored, total of a page":  {&world{filter: "ignored", totals: "page"}, 2500, 10, true},
		"small, read a second time": {&world{before: loseARowOnce}, 300, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := tt.quirk
				w.numbers = owning(tt.owned).numbers
				c := w.client()
				times := &requestTimes{next: w}
				c.HTTPClient = &http.Client{Transport: times}
				first, err := c.Numbers(t.Context(), []string{absentNumber})
				if err != nil || !first.Absent[absentNumber] {
					t.Fatalf("got %+v, %v; want the number absent", first, err)
				}
				if first.Read.After(times.at[tt.first]) || tt.first > 0 && !first.Read.After(times.at[tt.first-1]) {
					t.Errorf("read at %v, want between requests %d and %d of %v", first.Read, tt.first-1, tt.first, times.at)
				}
				time.Sleep(5 * time.Second)
				asked := time.Now()
				second, err := c.Numbers(t.Context(), []string{absentNumber})
				if err != nil || !second.Absent[absentNumber] {
					t.Fatalf("got %+v, %v; want the number absent", second, err)
				}
				if tt.kept != second.Read.Equal(first.Read) || tt.kept != second.Read.Before(asked) {
					t.Errorf("read at %v and asked at %v, read before at %v; want kept %v", second.Read, asked, first.Read, tt.kept)
				}
			})
		})
	}
}

// loseARowOnce makes the total of the list change while it is read.
func loseARowOnce(w *world, call string) {
	if len(w.calls) > 2 && len(w.numbers) == 300 {
		w.numbers = w.numbers[:299]
	}
}

func TestNumbers_OrderedAfterTheListWereNotReadYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := owning(2500)
		w.filter = "never"
		c := w.client()
		if _, err := c.Numbers(t.Context(), []string{"+15550000001"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.numbers = append(w.numbers, Number{ID: "new", PhoneNumber: absentNumber})
		ordered := time.Now()
		got, err := c.Numbers(t.Context(), []string{absentNumber})
		if err != nil || !got.Absent[absentNumber] || !got.Read.Before(ordered) {
			t.Errorf("ordered at %v: got %+v, %v; want it absent from a list of before", ordered, got, err)
		}
		time.Sleep(accountListFor)
		got, err = c.Numbers(t.Context(), []string{absentNumber})
		if err != nil || got.Found[absentNumber].ID != "new" || got.Read.Before(ordered) {
			t.Errorf("after ten minutes: got %+v, %v; want it found", got, err)
		}
	})
}

func TestNumbers_AreUnknownForTwoMinutesAfterTheListFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := owning(2500)
		w.filter = "never"
		fails, begun := true, 0
		c := w.client()
		c.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			query := r.URL.Query()
			if strings.HasSuffix(r.URL.Path, settingsRoute) && !hasFilter(query) {
				switch query.Get("page[number]") {
				case "2": // the first page alone shows that the account is not small
					begun++
				case "8":
					if fails {
						return respond(403, `{"errors":[{"code":"10010"}]}`), nil
					}
				}
			}
			return w.RoundTrip(r)
		})}
		wanted := []string{"+15550000001", "+15550002499", absentNumber}
		if got, err := c.Numbers(t.Context(), wanted); err == nil {
			t.Errorf("got %+v, want the refusal of page 8", got)
		}
		for range 3 {
			got, err := c.Numbers(t.Context(), wanted)
			if err != nil || len(got.Absent) != 0 || len(got.Found) != 1 || begun != 1 {
				t.Errorf("got %+v, %v, list begun %d times; want the first page's number found, the others unknown, no new list", got, err, begun)
			}
			time.Sleep(39 * time.Second)
		}
		fails = false
		time.Sleep(3 * time.Second)
		got, err := c.Numbers(t.Context(), wanted)
		if err != nil || len(got.Found) != 2 || !got.Absent[absentNumber] || begun != 2 {
			t.Errorf("after two minutes: found %d, absent %v, %v, list begun %d times; want the list read again", len(got.Found), got.Absent, err, begun)
		}
	})
}

func TestNumbers_AnAnswerThatWasCutShortProvesNoAbsence(t *testing.T) {
	for name, cut := range map[string]func(list []string) []string{
		"the first three": func(list []string) []string { return list[:3] },
		"the last three":  func(list []string) []string { return list[len(list)-3:] },
	} {
		t.Run(name, func(t *testing.T) {
			w := owning(2500)
			w.noStatuses = true // or the second list would find them
			c := w.client()
			c.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				query := r.URL.Query()
				if list := strings.Split(query.Get("filter[phone_number]"), ","); len(list) > 3 {
					query.Set("filter[phone_number]", strings.Join(cut(list), ","))
					r.URL.RawQuery = query.Encode()
				}
				return w.RoundTrip(r)
			})}
			got, err := c.Numbers(t.Context(), append(someNumbers(10), absentNumber))
			if err != nil || len(got.Found) != 10 || !got.Absent[absentNumber] || len(got.Absent) != 1 {
				t.Errorf("found %d, absent %v, %v", len(got.Found), got.Absent, err)
			}
		})
	}
}

func TestNumbers_AreUnknownFromAListThatNeverHoldsStill(t *testing.T) {
	w := owning(300)
	w.filter, w.maxRows = "never", 100
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
		"large, few numbers":  {2500, &world{filter: "one digits"}, 3, "port_pending", 3},
		"large, many numbers": {2500, &world{}, 20, "port_pending", 3},
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
			if calls := w.count("GET "+numbersRoute) - w.count(settingsRoute); tt.owned < 2500 && calls != tt.calls {
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

// The messaging settings alone prove absence if they are all that can be read.
func TestNumbers_AreAbsentWithoutTheSecondList(t *testing.T) {
	for _, owned := range []int{30, 3000} {
		w := owning(owned)
		w.noStatuses = true
		got, err := w.client().Numbers(t.Context(), []string{absentNumber})
		if err != nil || !got.Absent[absentNumber] {
			t.Errorf("of %d: got %+v, %v; want the number absent", owned, got, err)
		}
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
		owned    int
		quirk    *world
		profile  string
		want     int
		complete bool
		maxCalls int // to lists of messaging settings
	}{
		"small":                    {300, &world{}, "q", 2, true, 2},
		"small, empty":             {300, &world{}, "none", 0, true, 2},
		"large":                    {2500, &world{}, "q", 2, true, 2},
		"large, filter unknown":    {2500, &world{profileFilter: "empty"}, "none", 0, false, 3},
		"large, none of it":        {2500, &world{}, "none", 0, true, 3},
		"large, ignored":           {2500, &world{profileFilter: "ignored"}, "q", 1, false, 2},
		"large, by path":           {2500, &world{profileFilter: "path"}, "q", 2, true, 3},
		"large, empty, not proven": {2500, &world{profileFilter: "empty"}, "q", 1, false, 3},
	} {
		t.Run(name, func(t *testing.T) {
			w := tt.quirk
			w.numbers = owning(tt.owned).numbers
			w.numbers[1].MessagingProfileID, w.numbers[tt.owned-1].MessagingProfileID = "q", "q"
			got, err := w.client().ProfileNumbers(t.Context(), tt.profile)
			if err != nil || len(got.All) != tt.want || got.Complete != tt.complete || (got.Why == "") != tt.complete {
				t.Errorf("got %d rows, complete %v (%s), %v; want %d, %v", len(got.All), got.Complete, got.Why, err, tt.want, tt.complete)
			}
			if calls := w.count(settingsRoute); calls > tt.maxCalls {
				t.Errorf("got %d calls, want at most %d: %q", calls, tt.maxCalls, w.calls)
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

// A form or a page size that never worked may be refused with any status.
func TestNumbers_AreReadWhateverRefusesAFormOrAPageSize(t *testing.T) {
	t.Parallel()
	for _, status := range []int{403, 414, 500, 501} {
		refusing := func(w *world, refused func(url.Values) bool) *Client {
			c := w.client()
			c.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				if refused(r.URL.Query()) {
					return respond(status, ""), nil
				}
				return w.RoundTrip(r)
			})}
			return c
		}
		for name, c := range map[string]*Client{
			"comma lists": refusing(owning(3000), func(q url.Values) bool { return strings.Contains(q.Get("filter[phone_number]"), ",") }),
			"page sizes": refusing(owning(300), func(q url.Values) bool {
				size, _ := strconv.Atoi(q.Get("page[size]"))
				return size > 100
			}),
		} {
			synctest.Test(t, func(t *testing.T) {
				for range 2 {
					got, err := c.Numbers(t.Context(), someNumbers(280)[270:])
					if err != nil || len(got.Found) != 10 {
						t.Errorf("%s refused with %d: found %d of 10, %v", name, status, len(got.Found), err)
					}
				}
			})
		}
	}
}

func TestNumbers_AreReadAgainAfterTheirPageSizeIsRefused(t *testing.T) {
	w := owning(300)
	c := w.client()
	for _, w.refuseOver = range []int{0, 100, 0} {
		if got, err := c.Numbers(t.Context(), someNumbers(3)); err != nil || len(got.Found) != 3 {
			t.Errorf("pages of at most %d: found %d of 3, %v", w.refuseOver, len(got.Found), err)
		}
	}
}

// An account that is longer than the limits of a list is not read again and again.
func TestNumbers_OfAnAccountBeyondTheLimitsAreFoundAsFarAsItIsRead(t *testing.T) {
	rows := maxListRows
	t.Cleanup(func() { maxListRows = rows })
	maxListRows = 2000
	synctest.Test(t, func(t *testing.T) {
		w := owning(3000)
		w.filter = "refused"
		c := w.client()
		for i, want := range []int{0, 0, 10} {
			got, err := c.Numbers(t.Context(), []string{"+15550001500", absentNumber})
			if err != nil || len(got.Found) != 1 || len(got.Absent) != 0 {
				t.Errorf("look %d: got %+v, %v; want one found and the other unknown", i, got, err)
			}
			if calls := w.count(settingsRoute); i > 0 && (calls != 0) != (want != 0) {
				t.Errorf("look %d: got %d calls", i, calls)
			}
			w.calls = nil
			if i == 1 {
				time.Sleep(accountListFor)
			}
		}
	})
}

// A number's new profile does not cost the account's list.
func TestNumbers_KeepTheAccountsListWhenAProfileIsSet(t *testing.T) {
	w := owning(3000)
	w.filter = "refused"
	c := w.client()
	c.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodPatch {
			return respond(200, `{"data":{"id":"x","phone_number":"+15550002000","messaging_profile_id":"q"}}`), nil
		}
		return w.RoundTrip(r)
	})}
	const number = "+15550002000"
	for i, want := range []string{"p", "q"} {
		w.calls = nil
		got, err := c.Numbers(t.Context(), []string{number})
		if err != nil || got.Found[number].MessagingProfileID != want {
			t.Fatalf("got %+v, %v; want profile %s", got.Found[number], err, want)
		}
		if calls := w.count(settingsRoute); i > 0 && calls > 0 {
			t.Errorf("the list was read again, with %d calls", calls)
		}
		if _, err := c.SetMessagingProfile(t.Context(), got.Found[number], "q"); err != nil {
			t.Fatal(err)
		}
	}
}

// Messaging settings may have only the numbers that are on a profile.
func TestNumbers_ThatMessagingSettingsLackAreOnTheAccount(t *testing.T) {
	t.Parallel()
	partial := func(owned int, refused bool) *Client {
		w := owning(owned)
		w.filter = "part"
		settings := &world{filter: "part"}
		for i, n := range w.numbers {
			if i%10 != 7 && !refused {
				settings.numbers = append(settings.numbers, n)
			}
		}
		c := w.client()
		c.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			switch {
			case strings.HasSuffix(r.URL.Path, settingsRoute):
				return settings.RoundTrip(r)
			case refused:
				return respond(403, ""), nil
			}
			return w.RoundTrip(r)
		})}
		return c
	}
	var wanted []string
	for i := range 20 {
		wanted = append(wanted, fmt.Sprintf("+1555%07d", 10*i+7))
	}
	for _, owned := range []int{300, 3000} {
		got, err := partial(owned, false).Numbers(t.Context(), append(wanted, absentNumber))
		if err != nil || len(got.Found) != 20 || !got.Absent[absentNumber] || len(got.Absent) != 1 {
			t.Errorf("of %d: found %d, absent %v, %v; want 20 found", owned, len(got.Found), got.Absent, err)
		}
		rows, err := partial(owned, false).AccountNumbers(t.Context(), 0)
		if err != nil || len(rows.All) != owned || !rows.Complete {
			t.Errorf("of %d: listed %d, complete %v (%s), %v", owned, len(rows.All), rows.Complete, rows.Why, err)
		}
	}
	got, err := partial(300, true).Numbers(t.Context(), wanted)
	if err != nil || len(got.Found) != 0 || len(got.Absent) != 0 {
		t.Errorf("of two lists that show nothing: got %+v, %v; want all unknown", got, err)
	}
	if rows, err := partial(300, true).AccountNumbers(t.Context(), 0); err != nil || rows.Complete {
		t.Errorf("of two lists that show nothing: got %+v, %v; want an incomplete list", rows, err)
	}
}
