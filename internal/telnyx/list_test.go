package telnyx

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestList_IsCompleteHoweverItIsPaged(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rows  int
		quirk *world
		calls int
	}{
		"one page":                 {7, &world{}, 2}, // and one to see that its total is of the list
		"two full pages":           {500, &world{}, 3},
		"two pages":                {499, &world{}, 2},
		"totals have a limit":      {700, &world{maxTotal: 500}, 3},
		"the last page is full":    {750, &world{maxTotal: 500}, 4},
		"empty":                    {0, &world{}, 1},
		"smaller pages":            {101, &world{maxRows: 20}, 6},
		"no totals":                {60, &world{maxRows: 20, totals: "none"}, 4},
		"no totals, short end":     {50, &world{maxRows: 20, totals: "none"}, 3},
		"no totals, last repeats":  {60, &world{maxRows: 20, totals: "none", pastEnd: "repeat"}, 4},
		"no totals, 404 at end":    {60, &world{maxRows: 20, totals: "none", pastEnd: "404"}, 4},
		"no totals, 400 at end":    {63, &world{maxRows: 21, totals: "none", pastEnd: "400"}, 4},
		"no totals, 422 at end":    {7, &world{totals: "none", pastEnd: "422"}, 2},
		"totals of the page":       {60, &world{maxRows: 20, totals: "page"}, 4},
		"totals of the page, 404":  {60, &world{maxRows: 20, totals: "page", pastEnd: "404"}, 4},
		"sizes over 100 refused":   {150, &world{refuseOver: 100}, 4},
		"sizes over 20 refused":    {60, &world{refuseOver: 20}, 8},
		"any size refused":         {60, &world{refuseOver: 20, maxRows: 20, totals: "page"}, 8},
		"sorting refused":          {7, &world{refuseSort: true}, 8},
		"only the guide's route":   {300, &world{camelOnly: true}, 3},
		"its route, sizes refused": {300, &world{camelOnly: true, refuseOver: 100}, 7},
	} {
		t.Run(name, func(t *testing.T) {
			w := tt.quirk
			w.assignments = attached(tt.rows, "a").assignments
			c := w.client()
			rows, err := c.Assignments(t.Context(), 0)
			if err != nil || !rows.Complete || rows.Why != "" {
				t.Fatalf("got %d rows, complete %v (%s), %v", len(rows.All), rows.Complete, rows.Why, err)
			}
			var got []string
			for _, row := range rows.All {
				got = append(got, row.PhoneNumber)
			}
			if diff := cmp.Diff(someNumbers(tt.rows), append([]string{}, got...)); diff != "" {
				t.Errorf("numbers (-want +got):\n%s", diff)
			}
			if len(w.calls) != tt.calls {
				t.Errorf("got %d calls, want %d: %q", len(w.calls), tt.calls, w.calls)
			}
		})
	}
}

func TestList_RemembersWhatItLearned(t *testing.T) {
	w := attached(299, "a")
	w.camelOnly, w.refuseOver, w.refuseSort = true, 100, true
	c := w.client()
	for range 2 {
		w.calls = nil
		if rows, err := c.ReadOnly().Assignments(t.Context(), 0); err != nil || !rows.Complete {
			t.Fatalf("got %+v, %v", rows, err)
		}
	}
	if got := len(w.calls); got != 3 {
		t.Errorf("the second list took %d calls, want 3: %q", got, w.calls)
	}
	want := []string{
		"Assignments are under /10dlc/phoneNumberCampaign.",
		"GET /10dlc/phoneNumberCampaign takes page, recordsPerPage=100; its totals count the whole list.",
	}
	if diff := cmp.Diff(want, c.Learned()); diff != "" {
		t.Errorf("learned (-want +got):\n%s", diff)
	}
	w.camelOnly = false
	if rows, err := c.Assignments(t.Context(), 0); err != nil || !rows.Complete || c.Learned()[0] != "Assignments are under /10dlc/phone_number_campaigns." {
		t.Errorf("after the route changed: %v, %v, %q", rows.Complete, err, c.Learned())
	}
}

// A gateway may answer anything to a route that it does not have.
func TestList_TriesTheOtherRouteWhateverRefusesTheFirst(t *testing.T) {
	for _, status := range []int{400, 403, 404, 405, 410, 501} {
		synctest.Test(t, func(t *testing.T) {
			w := attached(30, "a")
			w.camelOnly = true
			c := w.client()
			c.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				if strings.Contains(r.URL.Path, snakeRoute) {
					return respond(status, ""), nil
				}
				return w.RoundTrip(r)
			})}
			rows, err := c.Assignments(t.Context(), 0)
			if found := err == nil && len(rows.All) == 30 && rows.Complete; found != (status < 500) {
				t.Errorf("%d: got %d rows, complete %v, %v", status, len(rows.All), rows.Complete, err)
			}
		})
	}
}

func TestList_IsReadAgainWhenItSlips(t *testing.T) {
	// Before the second page one row comes in front and the last one goes, so that the
	// total stays and a row comes twice.
	slip := func(w *world) {
		added := Assignment{PhoneNumber: fmt.Sprintf("+1999%07d", len(w.calls)), CampaignID: "a"}
		w.assignments = slices.Insert(w.assignments[:len(w.assignments)-1], 0, added)
	}
	for name, tt := range map[string]struct {
		before   func(w *world, call string)
		complete bool
		calls    int
	}{
		"once": {func(w *world, call string) {
			if len(w.calls) == 2 {
				slip(w)
			}
		}, true, 4 + 4},
		"its total changes once": {func(w *world, call string) {
			if len(w.calls) == 3 {
				w.assignments = w.assignments[1:]
			}
		}, true, 3 + 3},
		"always": {func(w *world, call string) {
			if strings.Contains(call, " page=2") {
				slip(w)
			}
		}, false, 12},
	} {
		t.Run(name, func(t *testing.T) {
			w := attached(60, "a")
			w.maxRows, w.before = 20, tt.before
			rows, err := w.client().Assignments(t.Context(), 0)
			if err != nil || rows.Complete != tt.complete || (rows.Why == "") != tt.complete {
				t.Errorf("got complete %v (%s), %v; want %v", rows.Complete, rows.Why, err, tt.complete)
			}
			if len(w.calls) != tt.calls {
				t.Errorf("got %d calls, want %d", len(w.calls), tt.calls)
			}
		})
	}
}

func TestList_IsNotCompleteIfPageNumbersAreIgnored(t *testing.T) {
	t.Parallel()
	for _, quirk := range []*world{{}, {totals: "none"}, {totals: "none", maxRows: 20}, {totals: "page"}, {totals: "page", maxRows: 100}} {
		quirk.assignments, quirk.onePage = attached(300, "a").assignments, true
		rows, err := quirk.client().Assignments(t.Context(), 0)
		if err != nil || rows.Complete || rows.Why == "" {
			t.Errorf("got %d of 300 rows, complete %v, %v", len(rows.All), rows.Complete, err)
		}
	}
}

// A short list takes one call once it is known that totals count the whole list.
func TestList_OfOnePageTakesOneCallOnceItsTotalIsProven(t *testing.T) {
	for name, tt := range map[string]struct {
		quirk *world
		calls []int
	}{
		"totals of the list": {&world{}, []int{2, 1, 1}},
		"totals of the page": {&world{totals: "page"}, []int{3, 2, 2}},
		"small pages":        {&world{totals: "page", maxRows: 30}, []int{3, 2, 2}},
		"no totals":          {&world{totals: "none"}, []int{2, 2, 2}},
	} {
		w := tt.quirk
		w.assignments = attached(30, "a").assignments
		if w.maxRows > 0 {
			w.assignments = attached(31, "a").assignments
		}
		c := w.client()
		for i, want := range tt.calls {
			w.calls = nil
			rows, err := c.Assignments(t.Context(), 0)
			if err != nil || !rows.Complete || len(rows.All) != len(w.assignments) || len(w.calls) != want {
				t.Errorf("%s, look %d: got %d rows, complete %v, %v with %d calls, want %d", name, i, len(rows.All), rows.Complete, err, len(w.calls), want)
			}
		}
	}
}

// Telnyx may refuse a page because it pages only so far.
func TestList_IsNotCompleteIfThePageAfterAFullOneIsRefused(t *testing.T) {
	for _, quirk := range []*world{
		{totals: "none", pastEnd: "422"}, {totals: "none", maxRows: 20, pastEnd: "400"},
	} {
		quirk.assignments, quirk.maxPages = attached(600, "a").assignments, 1
		rows, err := quirk.client().Assignments(t.Context(), 0)
		if err != nil || rows.Complete || rows.Why == "" {
			t.Errorf("got %d of 600 rows, complete %v, %v", len(rows.All), rows.Complete, err)
		}
	}
}

// A list that never adds up is read twice, and for some minutes once.
func TestList_ThatNeverAddsUpIsNotReadAgainAndAgain(t *testing.T) {
	for name, body := range map[string]string{
		"total": `{"records":[{"phoneNumber":"+15551234567"}],"totalRecords":2}`,
		"row":   `{"records":[{"phoneNumber":"+15551234567"},"x"],"totalRecords":2}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			c := (&world{}).client()
			c.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				calls++
				if r.URL.Query().Get("page") != "1" {
					return respond(200, `{"records":[],"totalRecords":2}`), nil
				}
				return respond(200, body), nil
			})}
			for _, want := range []int{2, 1, 1} {
				calls = 0
				rows, err := c.Assignments(t.Context(), 0)
				if err != nil || rows.Complete || len(rows.All) != 1 || calls > 2*want {
					t.Errorf("%s: got %+v, %v with %d calls, want at most %d readings", name, rows, err, calls, want)
				}
			}
			time.Sleep(inconsistentFor)
			calls = 0
			if _, err := c.Assignments(t.Context(), 0); err != nil || calls < 2 {
				t.Errorf("%s: got %v with %d calls after a while, want two readings", name, err, calls)
			}
		})
	}
}

func TestList_IsNotCompleteIfARowIsNotReadable(t *testing.T) {
	c, _ := newServer(t, ok(`{"records":[{"phoneNumber":"+15551234567"},{"phoneNumber":null},"x"],"totalRecords":3}`))
	rows, err := c.Assignments(t.Context(), 0)
	if err != nil || rows.Complete || len(rows.All) != 1 || rows.Why != "some of its rows are unreadable" {
		t.Errorf("got %+v, %v", rows, err)
	}
}

func TestList_StopsAtThePagesThatItMayRead(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		quirk    *world
		rows     int
		complete bool
		pages    int
		maxCalls int
	}{
		"more":             {&world{}, 20_000, false, 80, 1},
		"as many":          {&world{}, 1000, true, 4, 5},
		"more, no total":   {&world{totals: "none"}, 20_000, false, 5, 5},
		"fewer, no total":  {&world{totals: "none"}, 900, true, 4, 4},
		"total of page":    {&world{totals: "page"}, 20_000, false, 5, 5},
		"as many, no more": {&world{totals: "page", pastEnd: "404"}, 1000, true, 4, 5},
	} {
		t.Run(name, func(t *testing.T) {
			w := tt.quirk
			w.assignments = attached(tt.rows, "a").assignments
			rows, err := w.client().Assignments(t.Context(), 4)
			if err != nil || rows.Complete != tt.complete || rows.Pages != tt.pages || len(w.calls) > tt.maxCalls {
				t.Errorf("got complete %v (%s), %d pages after %d calls, %v; want %v, %d pages", rows.Complete, rows.Why, rows.Pages, len(w.calls), err, tt.complete, tt.pages)
			}
		})
	}
}

func TestList_EndsAtItsFirstError(t *testing.T) {
	c, s := newServer(t, ok(`{"records":[{"phoneNumber":"+1"}],"totalRecords":2}`), answer{status: 403})
	rows, err := c.Assignments(t.Context(), 0)
	if e, ok := errors.AsType[*APIError](err); !ok || e.Status != 403 || len(rows.All) != 0 {
		t.Errorf("got %v and %v, want no rows and the 403", rows, err)
	}
	if len(s.requests) != 2 {
		t.Errorf("asked %d times, want 2", len(s.requests))
	}
}

func TestPage_ReadsEveryContainer(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		want []string // nil: an error
	}{
		"10DLC":          {`{"records":[{"brandId":"a"},{"brandId":"b"}],"page":1,"totalRecords":2}`, []string{"a", "b"}},
		"v2":             {`{"data":[{"brandId":"a"}],"meta":{"total_pages":1,"total_results":1}}`, []string{"a"}},
		"10DLC wrapped":  {`{"data":{"records":[{"brandId":"a"}],"totalRecords":1}}`, []string{"a"}},
		"null fields":    {`{"records":[{"brandId":"a","displayName":null,"failureReasons":null}],"page":null,"totalRecords":null,"meta":null}`, []string{"a"}},
		"null list":      {`{"records":null,"totalRecords":0}`, []string{}},
		"snake case":     {`{"records":[{"brandId":"a"}],"total_records":"1"}`, []string{"a"}},
		"another name":   {`{"brands":[{"brandId":"a"}],"total":1}`, []string{"a"}},
		"bare list":      {`[{"brandId":"a"}]`, []string{"a"}},
		"empty list":     {`[]`, []string{}},
		"count a word":   {`{"records":[{"brandId":"a"}],"totalRecords":"one"}`, []string{"a"}},
		"neither":        {`{}`, nil},
		"errors":         {`{"errors":[]}`, nil},
		"with errors":    {`{"records":[],"errors":[{"code":"10007"}]}`, nil},
		"null":           {`null`, nil},
		"records a word": {`{"records":"none"}`, nil},
		"two lists":      {`{"brands":[],"others":[]}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := newServer(t, ok(tt.body))
			brands, err := c.Brands(t.Context())
			if tt.want == nil {
				if _, ok := errors.AsType[*UnreadableError](err); !ok {
					t.Fatalf("got %v and %v, want an UnreadableError", brands, err)
				}
				return
			}
			got := []string{}
			for _, b := range brands {
				got = append(got, b.BrandID)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
				t.Errorf("brands (-want +got):\n%s%v", diff, err)
			}
		})
	}
}

func TestList_SaysWhenItBegan(t *testing.T) {
	campaign := Campaign{CampaignID: "a"}
	for name, read := range map[string]func(*testing.T, *Client) (time.Time, bool, error){
		"assignments": func(t *testing.T, c *Client) (time.Time, bool, error) {
			rows, err := c.Assignments(t.Context(), 0)
			return rows.Began, rows.Complete, err
		},
		"of a campaign": func(t *testing.T, c *Client) (time.Time, bool, error) {
			rows, err := c.AssignmentsOn(t.Context(), campaign)
			return rows.Began, rows.Complete, err
		},
		"account": func(t *testing.T, c *Client) (time.Time, bool, error) {
			rows, err := c.AccountNumbers(t.Context(), 0)
			return rows.Began, rows.Complete, err
		},
		"profile": func(t *testing.T, c *Client) (time.Time, bool, error) {
			rows, err := c.ProfileNumbers(t.Context(), "p")
			return rows.Began, rows.Complete, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := owning(300)
				w.assignments = attached(300, "a").assignments
				c := w.client()
				c.HTTPClient = &http.Client{Transport: &requestTimes{next: w}}
				want := time.Now()
				if got, complete, err := read(t, c); err != nil || !complete || !got.Equal(want) || !time.Now().After(want) {
					t.Errorf("began at %v, complete %v, %v; want %v", got, complete, err, want)
				}
			})
		})
	}
}

func TestList_OfNothingSaysWhenItBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := (&world{}).client()
		c.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			if strings.HasSuffix(r.URL.Path, "/phone_numbers/messaging") {
				return respond(200, `{"data":[],"meta":{"total_results":0}}`), nil
			}
			return respond(404, `{"errors":[{"code":"10005","title":"Resource not found"}]}`), nil
		})}
		want := time.Now()
		rows, err := c.Assignments(t.Context(), 0)
		if err != nil || !rows.Complete || !rows.Began.Equal(want) {
			t.Errorf("began at %v, complete %v, %v; want %v", rows.Began, rows.Complete, err, want)
		}
	})
}

// At a base URL without /v2, Telnyx answers 404 to everything.
func TestList_IsNotEmptyIfNothingElseIsThereEither(t *testing.T) {
	t.Parallel()
	c := (&world{}).client()
	c.HTTPClient = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		return respond(404, `{"errors":[{"code":"10005","title":"Resource not found"}]}`), nil
	})}
	if rows, err := c.Assignments(t.Context(), 0); rows.Complete || !errors.Is(err, ErrNoAPI) {
		t.Errorf("complete %v, %v; want that the API is not there", rows.Complete, err)
	}
}

func TestList_ThatIsReadAgainBeganWithItsLastReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lost time.Time
		w := attached(60, "a")
		w.maxRows, w.before = 20, func(w *world, _ string) {
			if len(w.calls) == 3 {
				w.assignments, lost = w.assignments[1:], time.Now()
			}
		}
		c := w.client()
		c.HTTPClient = &http.Client{Transport: &requestTimes{next: w}}
		rows, err := c.Assignments(t.Context(), 0)
		if err != nil || !rows.Complete || rows.Began.Before(lost) {
			t.Errorf("began at %v, complete %v, %v; want it after the first reading, at %v", rows.Began, rows.Complete, err, lost)
		}
	})
}

// TestList_OfAHostileTelnyxDoesNotFillMemory has a sixteenth of the bounds, of the rows and of
// the memory, because the race detector makes the whole take a minute.
func TestList_OfAHostileTelnyxDoesNotFillMemory(t *testing.T) {
	const part = 16
	rows, text, bytes := maxListRows, maxListText, maxListBytes
	t.Cleanup(func() { maxListRows, maxListText, maxListBytes = rows, text, bytes })
	maxListRows, maxListText, maxListBytes = rows/part, text/part, bytes/part
	var heap atomic.Uint64
	measure := func() {
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		heap.Store(max(heap.Load(), now.HeapAlloc))
	}
	page := func(row func(i int) string, rows, number int) string {
		all := make([]string, rows)
		for i := range all {
			all[i] = row(number*rows + i)
		}
		return `{"records":[` + strings.Join(all, ",") + `]}`
	}
	long := strings.Repeat("x", 10_000)
	for name, tt := range map[string]struct {
		row  func(i int) string
		rows int
		want string
	}{
		"many rows":       {func(i int) string { return fmt.Sprintf(`{"phoneNumber":"n%d"}`, i) }, 5000 / part, "9375 rows"},
		"rows of nothing": {func(int) string { return `{}` }, 2_000_000 / part, "9375 rows"},
		"long texts": {func(i int) string {
			return fmt.Sprintf(`{"phoneNumber":"n%d","errors":"%s"}`, i, long)
		}, 500 / part, "2 MiB of text"},
		"long junk": {func(i int) string {
			return fmt.Sprintf(`{"phoneNumber":"n%d","junk":"%s"}`, i, long)
		}, 700 / part, "10 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			runtime.GC()
			heap.Store(0)
			number := 0
			c := &Client{random: func() float64 { return -0.5 }, HTTPClient: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
				number++
				measure()
				return respond(200, page(tt.row, tt.rows, number)), nil
			})}}
			c.OnCall = after(func(Call) { measure() })
			_, err := c.Assignments(t.Context(), 0)
			if _, ok := errors.AsType[*UnreadableError](err); !ok || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error that names %s", err, tt.want)
			}
			if got := heap.Load() >> 20; got > 250/part+5 { // with what the test itself has
				t.Errorf("the heap grew to %d MiB", got)
			}
			t.Logf("heap %d MiB, %d pages", heap.Load()>>20, number)
		})
	}
}

func TestAssignments_KeepEveryRecordOfANumber(t *testing.T) {
	c, _ := newServer(t, ok(`{"totalRecords":4,"records":[
		{"phoneNumber":"+1","campaignId":"a","assignmentStatus":"FAILED_ASSIGNMENT"},
		{"phoneNumber":"+1","campaignId":"b","assignmentStatus":"ASSIGNED"},
		{"phoneNumber":"+1","campaignId":"a","assignmentStatus":"ASSIGNED"},
		{"phoneNumber":"+2","campaignId":"a","assignmentStatus":"ASSIGNED"}]}`))
	rows, err := c.Assignments(t.Context(), 0)
	var got []string
	for _, row := range rows.All {
		got = append(got, row.PhoneNumber+row.CampaignID)
	}
	if want := []string{"+1a", "+1b", "+1a", "+2a"}; err != nil || !rows.Complete || !slices.Equal(got, want) {
		t.Errorf("got %v, complete %v, %v; want %v", got, rows.Complete, err, want)
	}
}
