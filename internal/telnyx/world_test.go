package telnyx

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// world is a Telnyx account whose API can be read in as many ways as a test wants.
// The zero value is empty and has the reading of the OpenAPI description.
type world struct {
	numbers     []Number
	assignments []Assignment

	maxRows    int    // rows a page, whatever is asked for; zero: as asked
	refuseOver int    // page sizes above are refused with 400
	emptyIs404 bool   // a filtered list without rows is a 404
	totals     string // "": of the list; "none"; "page": of the page
	pastEnd    string // "": an empty page; "repeat": the last one; else a status
	onePage    bool   // page numbers are ignored
	maxPages   int    // later pages are past the end; zero: no limit
	maxTotal   int    // totals count no further; zero: no limit
	refuseSort bool
	camelOnly  bool // only the guide's route of assignments
	noStatuses bool // GET /phone_numbers is not there
	// filter is how filter[phone_number] is understood: "" for comma lists of E.164,
	// "digits", "one", "one digits", "national", "part", "never" (an empty list),
	// "ignored" or "refused".
	filter string
	// campaignFilter is the filter of assignments that is known; "" the published ones,
	// "none": filters are ignored.
	campaignFilter string
	profileFilter  string                      // "", "ignored", "empty" or "path" (only the profile's own list)
	before         func(w *world, call string) // may change the account

	mu     sync.Mutex
	calls  []string
	places []int // 0, 1, 2 …
}

func (w *world) client() *Client {
	return &Client{HTTPClient: &http.Client{Transport: w}, BaseURL: "http://telnyx.example/v2", random: func() float64 { return -0.5 }}
}

// count returns how many calls had all of the words in them.
func (w *world) count(words ...string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, call := range w.calls {
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(call, word) }) {
			n++
		}
	}
	return n
}

func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	path, query := strings.TrimPrefix(r.URL.Path, "/v2"), r.URL.Query()
	call := strings.TrimSpace(r.Method + " " + path + " " + query.Encode())
	w.calls = append(w.calls, call)
	if w.before != nil {
		w.before(w, call)
	}
	route := snakeRoute
	if w.camelOnly {
		route = camelRoute
	}
	switch {
	case path == route:
		return w.page(r, w.assignmentRows(query), "records", func(i int) any { return w.assignments[i] })
	case strings.HasPrefix(path, route+"/"):
		for _, a := range w.assignments {
			if a.PhoneNumber == strings.TrimPrefix(path, route+"/") {
				body, err := json.Marshal(a)
				return respond(200, string(body)), err
			}
		}
		return respond(404, `{"errors":[{"code":"10005","title":"Resource not found"}]}`), nil
	case path == settingsRoute, path == numbersRoute && !w.noStatuses:
		rows, refused := w.numberRows(query, path == numbersRoute)
		if refused {
			return respond(400, `{"errors":[{"code":"10015","title":"Bad Request"}]}`), nil
		}
		return w.page(r, rows, "data", func(i int) any {
			n := w.numbers[i]
			if path == settingsRoute {
				n.Status = ""
			}
			return n
		})
	case strings.HasPrefix(path, "/messaging_profiles/"):
		var rows []int
		for i, n := range w.numbers {
			if w.profileFilter == "path" && n.MessagingProfileID == strings.Split(path, "/")[2] {
				rows = append(rows, i)
			}
		}
		return w.page(r, rows, "data", func(i int) any { return w.numbers[i] })
	}
	return respond(404, `{"detail":"Not Found"}`), nil
}

// all returns the places of n rows.
func (w *world) all(n int) []int {
	for i := len(w.places); i < n; i++ {
		w.places = append(w.places, i)
	}
	return w.places[:n]
}

func hasFilter(query url.Values) bool {
	for key := range query {
		if strings.HasPrefix(key, "filter") {
			return true
		}
	}
	return false
}

func (w *world) assignmentRows(query url.Values) (rows []int) {
	if !hasFilter(query) || w.campaignFilter == "none" {
		return w.all(len(w.assignments))
	}
	for i, a := range w.assignments {
		lets := true
		for _, form := range []struct{ name, value string }{
			{"filter[telnyx_campaign_id]", string(a.TelnyxCampaignID)}, {"filter[tcr_campaign_id]", string(a.TCRCampaignID)},
			{"filter[campaignId]", a.CampaignID},
		} {
			published := w.campaignFilter == "" && form.name != "filter[campaignId]"
			if want, asked := query[form.name]; asked && (published || w.campaignFilter == form.name) {
				lets = lets && want[0] == form.value
			}
		}
		if lets {
			rows = append(rows, i)
		}
	}
	return rows
}

func (w *world) numberRows(query url.Values, withStatus bool) (rows []int, refused bool) {
	asked := query.Get("filter[phone_number]")
	if asked != "" && w.filter == "refused" {
		return nil, true
	}
	if !hasFilter(query) || asked != "" && w.filter == "ignored" {
		return w.all(len(w.numbers)), false
	}
	for i, n := range w.numbers {
		if !withStatus {
			if profile := query.Get("filter[messaging_profile_id]"); profile != "" {
				if w.profileFilter == "empty" || w.profileFilter == "path" || w.profileFilter == "" && profile != n.MessagingProfileID {
					continue
				}
			}
		}
		if status := query.Get("filter[status]"); status != "" && canonicalWord(status) != canonicalWord(n.Status) {
			continue
		}
		if asked == "" || w.understands(asked, n.PhoneNumber) {
			rows = append(rows, i)
		}
	}
	return rows, false
}

func (w *world) understands(asked, number string) bool {
	switch w.filter {
	case "":
		return slices.Contains(strings.Split(asked, ","), number)
	case "digits":
		return slices.Contains(strings.Split(asked, ","), digits(number))
	case "one":
		return asked == number
	case "one digits":
		return asked == digits(number)
	case "national":
		return "1"+asked == digits(number)
	case "part":
		return strings.Contains(digits(number), asked)
	case "ignored":
		return true
	}
	return false
}

func (w *world) page(r *http.Request, rows []int, container string, row func(i int) any) (*http.Response, error) {
	query := r.URL.Query()
	number, size := 1, 20
	for _, name := range []string{"page", "page[number]"} {
		if n, err := strconv.Atoi(query.Get(name)); err == nil {
			number = n
		}
	}
	for _, name := range []string{"recordsPerPage", "page[size]"} {
		if n, err := strconv.Atoi(query.Get(name)); err == nil {
			size = n
		}
	}
	for name := range query {
		if strings.HasPrefix(name, "sort") && w.refuseSort {
			return respond(400, `{"errors":[{"code":"10015","title":"Unknown parameter"}]}`), nil
		}
	}
	if w.refuseOver > 0 && size > w.refuseOver {
		return respond(422, `{"detail":[{"loc":["query","size"],"msg":"too large","type":"value_error"}]}`), nil
	}
	if w.emptyIs404 && len(rows) == 0 && hasFilter(query) {
		return respond(404, `{"errors":[{"code":"10005","title":"Resource not found"}]}`), nil
	}
	if w.maxRows > 0 {
		size = min(size, w.maxRows)
	}
	if w.onePage {
		number = 1
	}
	last := max((len(rows)+size-1)/size, 1)
	if w.maxPages > 0 {
		last = min(last, w.maxPages)
	}
	if number > last {
		switch w.pastEnd {
		case "":
		case "repeat":
			number = last
		default:
			status, err := strconv.Atoi(w.pastEnd)
			return respond(status, `{"errors":[{"code":"10015","title":"No such page"}]}`), err
		}
	}
	start := min((number-1)*size, len(rows))
	part := []any{}
	for _, i := range rows[start:min(start+size, len(rows))] {
		part = append(part, row(i))
	}
	total := len(rows)
	if w.totals == "page" {
		total = len(part)
	}
	if w.maxTotal > 0 {
		total = min(total, w.maxTotal)
	}
	answer := map[string]any{container: part}
	switch {
	case w.totals == "none":
	case container == "records":
		answer["totalRecords"] = total
	default:
		answer["meta"] = map[string]int{"total_results": total}
	}
	body, err := json.Marshal(answer)
	return respond(200, string(body)), err
}

// someNumbers returns numbers in their order.
func someNumbers(n int) []string {
	numbers := make([]string, n)
	for i := range numbers {
		numbers[i] = fmt.Sprintf("+1555%07d", i)
	}
	return numbers
}

// owning returns an account of n numbers on profile "p".
func owning(n int) *world {
	w := &world{}
	for _, number := range someNumbers(n) {
		w.numbers = append(w.numbers, Number{ID: "id" + number, PhoneNumber: number, MessagingProfileID: "p", Type: "longcode", Status: "active"})
	}
	return w
}

// attached returns an account with n numbers on each of the campaigns.
func attached(n int, campaigns ...string) *world {
	w := &world{}
	for i, number := range someNumbers(n * len(campaigns)) {
		id := campaigns[i%len(campaigns)]
		w.assignments = append(w.assignments, Assignment{
			PhoneNumber: number, CampaignID: id, TelnyxCampaignID: CampaignID(id), TCRCampaignID: TCRCampaignID("C" + id), AssignmentStatus: Assigned,
		})
	}
	return w
}
