package telnyx

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// numbersServer is a list of numbers that pages as badly as a test wants.
type numbersServer struct {
	numbers []string
	size    int                                // rows a page, whatever is asked for
	total   func(s *numbersServer) int         // nil: the true count
	before  func(s *numbersServer, number int) // changes the list before a page
	page    func(number int) int               // the page given for the one asked; nil: that one
	asked   int
}

func (s *numbersServer) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked++
	number, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil {
		return respond(400, ""), nil
	}
	if s.before != nil {
		s.before(s, number)
	}
	if s.page != nil {
		number = s.page(number)
	}
	start := min((number-1)*s.size, len(s.numbers))
	rows := []Assignment{}
	for _, n := range s.numbers[start:min(start+s.size, len(s.numbers))] {
		rows = append(rows, Assignment{PhoneNumber: n, CampaignID: "a"})
	}
	answer := map[string]any{"records": rows, "page": number, "totalRecords": len(s.numbers)}
	if s.total != nil {
		answer["totalRecords"] = s.total(s)
	}
	body, err := json.Marshal(answer)
	return respond(200, string(body)), err
}

func someNumbers(n int) []string {
	var numbers []string
	for i := range n {
		numbers = append(numbers, fmt.Sprintf("+1555%07d", i))
	}
	return numbers
}

func TestList_ReadsEveryRowOnce(t *testing.T) {
	tests := map[string]struct {
		server numbersServer
		asked  int // requests at most
	}{
		"one page":            {numbersServer{numbers: someNumbers(7), size: 250}, 1},
		"exactly two pages":   {numbersServer{numbers: someNumbers(500), size: 250}, 2},
		"smaller pages":       {numbersServer{numbers: someNumbers(101), size: 20}, 6},
		"empty":               {numbersServer{size: 250}, 1},
		"no count":            {numbersServer{numbers: someNumbers(60), size: 20, total: told(0)}, 4},
		"count too high":      {numbersServer{numbers: someNumbers(60), size: 20, total: told(70)}, 4},
		"no count, last page": {numbersServer{numbers: someNumbers(60), size: 20, total: told(0), page: atMost(3)}, 4},
		"row added in front": {numbersServer{numbers: someNumbers(60), size: 20, before: func(s *numbersServer, number int) {
			if number == 2 && len(s.numbers) == 60 {
				s.numbers = slices.Insert(s.numbers, 0, "+10000000000")
			}
		}}, 5},
		"row removed in front": {numbersServer{numbers: append([]string{"+10000000000"}, someNumbers(60)...), size: 20, before: func(s *numbersServer, number int) {
			if number == 2 && len(s.numbers) == 61 {
				s.numbers = s.numbers[1:]
			}
		}}, 6},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var want []string
			for _, n := range tt.server.numbers {
				if n != "+10000000000" {
					want = append(want, n)
				}
			}
			c := &Client{HTTPClient: &http.Client{Transport: &tt.server}}
			rows, err := c.Assignments(t.Context(), AssignmentFilter{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, row := range rows {
				got = append(got, row.PhoneNumber)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("numbers (-want +got):\n%s", diff)
			}
			if tt.server.asked > tt.asked {
				t.Errorf("asked %d times, want at most %d", tt.server.asked, tt.asked)
			}
		})
	}
}

func TestList_IsWholeOrAnError(t *testing.T) {
	tests := map[string]struct {
		server numbersServer
		want   string
	}{
		"page is ignored": {numbersServer{numbers: someNumbers(60), size: 20, page: atMost(1)}, "kept changing"},
		"never still": {numbersServer{numbers: someNumbers(600), size: 20, before: func(s *numbersServer, _ int) {
			s.numbers = s.numbers[1:]
		}}, "kept changing"},
		"endless": {numbersServer{numbers: someNumbers(1200), size: 1, total: told(0)}, "more than 1000 pages"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := &Client{HTTPClient: &http.Client{Transport: &tt.server}}
			rows, err := c.Assignments(t.Context(), AssignmentFilter{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %d rows and error %v, want %q", len(rows), err, tt.want)
			}
			if rows != nil || Judge(err) != Later {
				t.Errorf("got %d rows, judged %s", len(rows), Judge(err))
			}
		})
	}
}

func TestList_EndsAtItsFirstError(t *testing.T) {
	c, s := newServer(t, ok(`{"records":[{"phoneNumber":"+1"}],"totalRecords":2}`), answer{status: 403})
	rows, err := c.Assignments(t.Context(), AssignmentFilter{})
	if e, ok := errors.AsType[*APIError](err); !ok || e.Status != 403 || rows != nil {
		t.Errorf("got %v and %v, want no rows and the 403", rows, err)
	}
	if len(s.requests) != 2 {
		t.Errorf("asked %d times, want 2", len(s.requests))
	}
}

func TestList_EndsWithTheLastPageThatIsTold(t *testing.T) {
	page := func(number string) answer {
		return ok(`{"data":[{"phone_number":"` + number + `","messaging_profile_id":"p"}],"meta":{"total_pages":2}}`)
	}
	c, s := newServer(t, page("+1"), page("+2"), page("+3"))
	rows, err := c.ProfileNumberSettings(t.Context(), "p")
	if err != nil || len(rows) != 2 || len(s.requests) != 2 {
		t.Errorf("asked %d times, got %v, %v; want the two pages", len(s.requests), rows, err)
	}
}

func TestPage_ReadsEveryForm(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		want []string // nil: an error
	}{
		"10DLC":          {`{"records":[{"brandId":"a"},{"brandId":"b"}],"page":1,"totalRecords":2}`, []string{"a", "b"}},
		"v2":             {`{"data":[{"brandId":"a"}],"meta":{"total_pages":1,"total_results":1}}`, []string{"a"}},
		"10DLC wrapped":  {`{"data":{"records":[{"brandId":"a"}],"totalRecords":1}}`, []string{"a"}},
		"null fields":    {`{"records":[{"brandId":"a","displayName":null,"failureReasons":null}],"page":null,"totalRecords":null,"meta":null}`, []string{"a"}},
		"null list":      {`{"records":null,"totalRecords":0}`, []string{}},
		"neither":        {`{}`, nil},
		"errors":         {`{"errors":[]}`, nil},
		"records a word": {`{"records":"none"}`, nil},
		"count a word":   {`{"records":[{"brandId":"a"}],"totalRecords":"one"}`, nil},
		"bare list":      {`[]`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := newServer(t, ok(tt.body), ok(tt.body), ok(`{"records":[]}`))
			if tt.want == nil {
				c, _ = newServer(t, ok(tt.body))
			}
			brands, err := c.Brands(t.Context())
			if tt.want == nil {
				if _, ok := errors.AsType[*UnreadableError](err); !ok {
					t.Fatalf("got %v and %v, want an UnreadableError", brands, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := []string{}
			for _, b := range brands {
				got = append(got, b.BrandID)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("brands (-want +got):\n%s", diff)
			}
		})
	}
}

// told is a count that is wrong.
func told(n int) func(*numbersServer) int { return func(*numbersServer) int { return n } }

// atMost gives the last page for every page after it.
func atMost(last int) func(int) int { return func(n int) int { return min(n, last) } }
