package page

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"greenlight/internal/ledger"
	"greenlight/internal/status"
)

// pageSize is how many rows a page has.
const pageSize = 50

// maxQuery bounds the search text, in characters.
const maxQuery = 100

// Values of the filter show, besides states and reasons.
const (
	showUnfinished = "unfinished"
	showPerson     = "person"
	showUnplanned  = "unplanned"
)

// query is the filter of a list. Unknown values are ignored.
type query struct {
	// Text is searched in names, ids and numbers.
	Text string
	// Phase selects the campaigns in one phase.
	Phase ledger.Phase
	// Show selects numbers, or campaigns with such numbers: unfinished, person, unplanned, a
	// state or a reason.
	Show string
	// Page counts from 1.
	Page int
}

func parseQuery(values url.Values) query {
	q := query{Text: strings.TrimSpace(strings.ToValidUTF8(values.Get("q"), "")), Page: 1}
	if runes := []rune(q.Text); len(runes) > maxQuery {
		q.Text = string(runes[:maxQuery])
	}
	if phase := ledger.Phase(values.Get("phase")); slices.Contains(ledger.Phases(), phase) {
		q.Phase = phase
	}
	if show := values.Get("show"); show == showUnfinished || show == showPerson || show == showUnplanned ||
		slices.Contains(ledger.States(), ledger.State(show)) || slices.Contains(ledger.Reasons(), ledger.Reason(show)) {
		q.Show = show
	}
	if n, err := strconv.Atoi(values.Get("page")); err == nil && n > 1 {
		q.Page = n
	}
	return q
}

// encode returns the query for an address, with another page.
func (q query) encode(page int) string {
	values := url.Values{}
	for key, value := range map[string]string{"q": q.Text, "phase": string(q.Phase), "show": q.Show} {
		if value != "" {
			values.Set(key, value)
		}
	}
	if page > 1 {
		values.Set("page", strconv.Itoa(page))
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

// asks reports whether the query selects anything.
func (q query) asks() bool { return q.Text != "" || q.Phase != "" || q.Show != "" }

// shows reports whether numbers of this kind are selected.
func (q query) shows(kind ledger.NumberKind) bool {
	switch q.Show {
	case "":
		return true
	case showUnfinished:
		return kind.State != ledger.Sendable
	case showPerson:
		return kind.NeedsPerson
	default:
		return q.Show == string(kind.State) || q.Show == string(kind.Reason)
	}
}

// keeps reports whether the campaign is selected.
func (q query) keeps(c *status.Entry) bool {
	if q.Phase != "" && c.Phase != q.Phase {
		return false
	}
	if q.Show != "" && !q.showsAny(c) {
		return false
	}
	return q.Text == "" || q.finds(c)
}

func (q query) showsAny(c *status.Entry) bool {
	for kind := range c.Counts {
		if q.shows(kind) {
			return true
		}
	}
	return q.Show == showPerson && c.NeedsPerson() || q.Show == showUnplanned && c.Recorded && !c.Planned || q.Show == string(c.Reason)
}

func (q query) finds(c *status.Entry) bool {
	needle := strings.ToLower(q.Text)
	for _, text := range []string{c.Plan, c.ID, c.TCRID, c.TelnyxID, c.BrandID, c.Status} {
		if strings.Contains(strings.ToLower(text), needle) {
			return true
		}
	}
	digits := digitsOf(q.Text)
	if len(digits) < 4 {
		return false // too short: nearly every campaign has such a number
	}
	return slices.ContainsFunc(c.Numbers(), func(n *ledger.Number) bool { return strings.Contains(n.Number, digits) })
}

// keepsNumber reports whether a number is selected.
func (q query) keepsNumber(n *ledger.Number) bool {
	if !q.shows(n.Kind()) {
		return false
	}
	if q.Text == "" {
		return true
	}
	if digits := digitsOf(q.Text); digits != "" && strings.Contains(n.Number, digits) {
		return true
	}
	return strings.Contains(strings.ToLower(n.Detail), strings.ToLower(q.Text))
}

// digitsOf returns the digits of a phone number or a part of one, in any notation. It
// returns "" for any other text.
func digitsOf(text string) string {
	var digits strings.Builder
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9':
			digits.WriteRune(r)
		case r != '+' && !unicode.IsPunct(r) && !unicode.IsSpace(r):
			return ""
		}
	}
	return digits.String()
}

// paged is one page of a list.
type paged[T any] struct {
	Items []T
	Pager pager
}

// pager says which page of a list is shown.
type pager struct {
	// Page counts from 1, to Pages. From and To count rows from 1; To is 0 when there
	// are none.
	Page, Pages, From, To, Total int
	// Previous and Next are addresses; empty where there is none.
	Previous, Next string
	// What the rows are, for example "campaign".
	What string
}

// cut returns the requested page of a list, or the last one if there are fewer.
func cut[T any](all []T, path string, q query, what string) paged[T] {
	pages := max((len(all)+pageSize-1)/pageSize, 1)
	at := min(q.Page, pages)
	from, to := (at-1)*pageSize, min(at*pageSize, len(all))
	p := pager{Page: at, Pages: pages, From: from + 1, To: to, Total: len(all), What: what}
	if at > 1 {
		p.Previous = path + q.encode(at-1)
	}
	if at < pages {
		p.Next = path + q.encode(at+1)
	}
	return paged[T]{Items: all[from:to], Pager: p}
}

// option is an option in one of the filter's lists.
type option struct {
	Value, Label string
	Selected     bool
}

func (q query) phaseOptions() []option {
	list := []option{{"", "All phases", q.Phase == ""}}
	for _, phase := range ledger.Phases() {
		list = append(list, option{string(phase), spaced(string(phase)), q.Phase == phase})
	}
	return list
}

func (q query) showOptions(what string) []option {
	list := []option{
		{"", "All " + what, q.Show == ""},
		{showUnfinished, "Not done", q.Show == showUnfinished},
		{showPerson, "Needs a person", q.Show == showPerson},
	}
	for _, state := range ledger.States() {
		list = append(list, option{string(state), "State: " + string(state), q.Show == string(state)})
	}
	for _, reason := range ledger.Reasons() {
		list = append(list, option{string(reason), "Reason: " + spaced(string(reason)), q.Show == string(reason)})
	}
	return list
}

// filter is the form above a list.
type filter struct {
	Action, Text, Hint string
	Phases, Shows      []option
	Asks               bool
}
