package telnyx

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// settingsServer is an account of numbers, each on profile "p". It honours
// filter[phone_number] unless it is told not to, or not for several numbers.
type settingsServer struct {
	owned         []string
	ignoreFilters bool
	oneAtATime    bool
	queries       []url.Values
}

func (s *settingsServer) lists(query url.Values, number string) bool {
	filter, filtered := query["filter[phone_number]"]
	if s.ignoreFilters || !filtered {
		return true
	}
	if s.oneAtATime {
		return filter[0] == number
	}
	return slices.Contains(strings.Split(filter[0], ","), number)
}

func (s *settingsServer) RoundTrip(r *http.Request) (*http.Response, error) {
	query := r.URL.Query()
	s.queries = append(s.queries, query)
	number, _ := strconv.Atoi(query.Get("page[number]"))
	size, _ := strconv.Atoi(query.Get("page[size]"))
	var rows []NumberSettings
	for _, n := range s.owned {
		if s.lists(query, n) {
			rows = append(rows, NumberSettings{ID: "id " + n, PhoneNumber: n, MessagingProfileID: "p", Type: "longcode"})
		}
	}
	pages := (len(rows) + size - 1) / size
	start := min((number-1)*size, len(rows))
	body, err := json.Marshal(map[string]any{
		"data": rows[start:min(start+size, len(rows))],
		"meta": map[string]int{"total_pages": pages, "total_results": len(rows), "page_number": number, "page_size": size},
	})
	return respond(200, string(body)), err
}

func numbersOf(rows []NumberSettings) []string {
	var numbers []string
	for _, row := range rows {
		numbers = append(numbers, row.PhoneNumber)
	}
	slices.Sort(numbers)
	return numbers
}

func TestClient_NumberSettingsAreAskedForInBatches(t *testing.T) {
	numbers := someNumbers(600)
	for name, tt := range map[string]struct {
		server settingsServer
		asked  int
	}{
		// Three batches, and one number of the last is not there: asked for alone.
		"filtered": {settingsServer{owned: someNumbers(900)}, 4},
		// Four pages of everything.
		"filter is ignored": {settingsServer{owned: someNumbers(900), ignoreFilters: true}, 4},
		// One batch, one number of it alone, and four pages of everything.
		"filter takes one number": {settingsServer{owned: someNumbers(900), oneAtATime: true}, 6},
	} {
		t.Run(name, func(t *testing.T) {
			c := &Client{HTTPClient: &http.Client{Transport: &tt.server}}
			got, err := c.NumberSettings(t.Context(), append([]string{"+19999999999", numbers[3]}, numbers...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(numbers, numbersOf(got)); diff != "" {
				t.Errorf("numbers (-want +got):\n%s", diff)
			}
			if len(tt.server.queries) != tt.asked {
				t.Errorf("asked %d times, want %d", len(tt.server.queries), tt.asked)
			}
			first := tt.server.queries[0]
			if got, want := first.Get("filter[phone_number]"), strings.Join(numbers[:250], ","); got != want {
				t.Errorf("asked for %s, want %s", got, want)
			}
			if first.Get("page[size]") != "250" || first.Get("page[number]") != "1" {
				t.Errorf("asked for page %v", first)
			}
		})
	}
}

func TestClient_NumberSettingsDoubtTheAnswerForTwoAlready(t *testing.T) {
	numbers := someNumbers(2)
	c := &Client{HTTPClient: &http.Client{Transport: &settingsServer{owned: numbers, oneAtATime: true}}}
	got, err := c.NumberSettings(t.Context(), numbers)
	if diff := cmp.Diff(numbers, numbersOf(got)); err != nil || diff != "" {
		t.Errorf("%v, numbers (-want +got):\n%s", err, diff)
	}
}

func TestClient_NumberSettingsThatCannotBeAskedForAloneAreAnError(t *testing.T) {
	c, s := newServer(t, ok(`{"data":[],"meta":{"total_pages":0,"total_results":0}}`), answer{status: 403})
	got, err := c.NumberSettings(t.Context(), someNumbers(2))
	if e, ok := errors.AsType[*APIError](err); !ok || e.Status != 403 || got != nil {
		t.Errorf("got %v and %v, want the 403 and no numbers", got, err)
	}
	if len(s.requests) != 2 {
		t.Errorf("asked %d times, want for both and for one", len(s.requests))
	}
}

func TestClient_NumberSettingsEscapeThePlus(t *testing.T) {
	var raw string
	c := &Client{HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		raw = r.URL.RawQuery
		return respond(200, `{"data":[],"meta":{}}`), nil
	})}}
	if _, err := c.NumberSettings(t.Context(), []string{number}); err != nil {
		t.Fatal(err)
	}
	if want := "filter%5Bphone_number%5D=%2B16715455939&page%5Bnumber%5D=1&page%5Bsize%5D=250"; raw != want {
		t.Errorf("query %s, want %s", raw, want)
	}
}

func TestClient_NumberSettingsOfNoNumbersNeedNoCall(t *testing.T) {
	s := &settingsServer{}
	c := &Client{HTTPClient: &http.Client{Transport: s}}
	if got, err := c.NumberSettings(t.Context(), nil); err != nil || len(got) != 0 || len(s.queries) != 0 {
		t.Errorf("got %v, %v after %d calls", got, err, len(s.queries))
	}
}

func TestClient_ProfileNumberSettingsAreThatProfilesOnly(t *testing.T) {
	c, s := newServer(t, ok(`{"data":[
		{"id":"1","phone_number":"+1","messaging_profile_id":"p","type":"long-code","country_code":"US","health":{}},
		{"id":"2","phone_number":"+2","messaging_profile_id":null,"type":"new-kind"},
		{"id":"3","phone_number":"+3","messaging_profile_id":"q"}],"meta":{"total_pages":1,"total_results":3}}`))
	got, err := c.ProfileNumberSettings(t.Context(), "p")
	if err != nil {
		t.Fatal(err)
	}
	want := []NumberSettings{{ID: "1", PhoneNumber: "+1", MessagingProfileID: "p", Type: "long-code", CountryCode: "US"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	assertSent(t, s, sent{
		Method: "GET", Path: "/v2/phone_numbers/messaging",
		Query: url.Values{"filter[messaging_profile_id]": {"p"}, "page[number]": {"1"}, "page[size]": {"250"}}.Encode(),
	})
}

func TestClient_SetMessagingProfileSendsTheProfileAlone(t *testing.T) {
	c, s := newServer(t, ok(`{"data":{"id":"12345","phone_number":"+16715455939","messaging_profile_id":"p","type":"longcode"}}`))
	got, err := c.SetMessagingProfile(t.Context(), "12345", "p")
	if err != nil {
		t.Fatal(err)
	}
	if want := (NumberSettings{ID: "12345", PhoneNumber: number, MessagingProfileID: "p", Type: "longcode"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	assertSent(t, s, sent{Method: "PATCH", Path: "/v2/phone_numbers/12345/messaging", Body: `{"messaging_profile_id":"p"}`})
}

func TestNumberType_IsLongCodeInBothSpellings(t *testing.T) {
	for kind, want := range map[NumberType]bool{
		"longcode": true, "long-code": true, "tollfree": false, "toll-free": false, "shortcode": false, "": false,
	} {
		if got := kind.IsLongCode(); got != want {
			t.Errorf("%q: got %v, want %v", kind, got, want)
		}
	}
}
