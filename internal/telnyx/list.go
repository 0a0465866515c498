package telnyx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of one list. An account of 100,000 numbers fits, at 1.5 kB
// a row on the wire, of which about 200 bytes are kept. Only tests change them.
var (
	maxListRows  = 150_000
	maxListText  = 32 << 20  // bytes of text that is kept
	maxListBytes = 160 << 20 // bytes of the answers
)

const (
	// maxListPages allows 100,000 rows at 20 a page.
	maxListPages = 5000
	// smallestPage is the smallest default page size that a server is assumed to have. A
	// shorter page that repeats is taken as the complete list.
	smallestPage = 10
	// smallList is up to how many pages a list is read in full where a query could return
	// less. A complete list needs no proof that Telnyx understands a query.
	smallList = 4
	// maxReadings bounds how often a list that does not add up is read. After
	// maxPagesAgain pages it is not read again.
	maxReadings   = 3
	maxPagesAgain = 500
	// inconsistentFor is how long a list that does not add up is read only once.
	inconsistentFor = 10 * time.Minute
)

// paging is how a list is requested page by page. Telnyx publishes several for some lists.
type paging struct {
	route string
	names pageNames
	rows  int    // the size to ask for; 0 asks for none
	extra string // another parameter with its value; empty for none
}

// pageNames are the parameters for the page and its size; empty ones are not sent.
// Telnyx's pages do not agree on which list takes which.
type pageNames [2]string

var (
	names10DLC = pageNames{"page", "recordsPerPage"}
	namesV2    = pageNames{"page[number]", "page[size]"}
	namesPlain = pageNames{"page", "page_size"}
)

// pagingsOf returns the pagings of a list in the order in which they are tried: under
// each route with the published parameter names and then with others, with the extra
// parameter and then without it, with each page size and then without one. The last one
// under a route has no parameters.
func pagingsOf(routes []string, names []pageNames, extra string, sizes ...int) (all []paging) {
	for _, route := range routes {
		for _, pair := range names {
			for _, extra := range []string{extra, ""} {
				for _, rows := range append(slices.Clip(sizes), 0) {
					all = append(all, paging{route, pair, rows, extra})
				}
			}
		}
		all = append(all, paging{route: route})
	}
	return all
}

// Rows is a list as it was read.
type Rows[T any] struct {
	All []T
	// Complete says that the list was read to its end, that its total, if Telnyx gives
	// one, did not change meanwhile, and that the distinct rows add up to it.
	// Only then does a missing row prove anything.
	Complete bool
	// Why says why the list is not complete, as part of a sentence.
	Why string
	// Began is when the reading began, before its first request. Rows that were created
	// later may be missing. It is zero if there is an error.
	Began time.Time
	// Pages is the number of pages of the complete list, estimated from its total, or the
	// number of pages that were read. It exceeds the given limit if the list does.
	Pages int

	empty bool // the list had no rows, even before some were dropped
}

// listing is a list to read.
type listing[T any] struct {
	pagings []paging   // in the order in which they are tried; the first route names the list
	arg     string     // replaces the route's placeholder
	query   url.Values // always sent; may be nil
	filter  url.Values // nil for all rows
	// key identifies a row. An empty key means that the row is not a record.
	key func(*T) string
	// maxPages ends the reading; zero means no limit but [maxListPages].
	maxPages int
	// stop may end the reading after the first page, with the reason; nil never does.
	stop func(page []T) string
}

// within returns the list with that limit on its pages.
func (l listing[T]) within(maxPages int) listing[T] {
	l.maxPages = maxPages
	return l
}

// request returns the request for a page, with a paging.
func (l listing[T]) request(w paging, number int) request {
	query := url.Values{}
	maps.Copy(query, l.query)
	maps.Copy(query, l.filter)
	if w.names[0] != "" {
		query.Set(w.names[0], strconv.Itoa(number))
	}
	if w.rows > 0 {
		query.Set(w.names[1], strconv.Itoa(w.rows))
	}
	if name, value, ok := strings.Cut(w.extra, "="); ok {
		query.Set(name, value)
	}
	return request{method: http.MethodGet, route: w.route, arg: l.arg, query: query}
}

// list reads a list until it is complete, at most three times. It stops after two equal
// readings. For some minutes after that, such lists are read only once.
//
// Only the rows are trusted. The server may send smaller pages than requested, and count
// wrongly, only its page, or not at all. It may repeat its last page forever, and answer
// 404, 400 or 422 to a page past the end.
func list[T any](ctx context.Context, c *Client, l listing[T]) (Rows[T], error) {
	var before *reading[T]
	for n, pages := 1, 0; ; n++ {
		p := newReading(c, l)
		switch err := p.read(ctx); {
		case isTooLong(err):
			return Rows[T]{All: p.rows, Why: "it is longer than Greenlight reads", Began: p.began, Pages: p.pages}, err
		case IsNotFound(err) && p.filtered() == 0 && len(p.tried) > 1 && !p.facts().seen:
			// No route has the list, and the first answered with Telnyx's own 404: there are no
			// rows. A route that does not exist answers differently, except at a wrong base URL,
			// where Telnyx has no API at all.
			if !c.state().answered.Load() {
				if err := c.CheckKey(ctx); IsNotFound(err) {
					return Rows[T]{}, fmt.Errorf("%w: %w", ErrNoAPI, err)
				} else if err != nil {
					return Rows[T]{}, err
				}
			}
			p.learn(func(f *facts) { f.works = true })
			return Rows[T]{Complete: true, Began: p.began}, nil
		case err != nil:
			return Rows[T]{}, err
		}
		if p.repeated && !p.facts().named {
			p = p.renamed(ctx)
		}
		rows, same := p.result(), before != nil && p.equals(before)
		if same && !rows.Complete {
			p.learn(func(f *facts) { f.inconsistent[p.filtered()] = time.Now() })
		}
		pages += p.pages
		if rows.Complete || p.stopped || n == maxReadings || pages > maxPagesAgain || recent(p.facts().inconsistent[p.filtered()], inconsistentFor) {
			return rows, nil
		}
		before = p
	}
}

// onePage reads the page with that number, counted from 1. The total is zero if unknown.
func onePage[T any](ctx context.Context, c *Client, l listing[T], number int) (rows []T, total int, err error) {
	answer, err := newReading(c, l).page(ctx, number)
	return answer.rows, max(answer.total, 0), err
}

// reading is one reading of a list.
type reading[T any] struct {
	listing[T]
	client     *Client
	paging     paging
	fixed      bool     // do not try another paging
	tried      []paging // pagings that do not work
	plainWorks bool     // Telnyx answers a request without parameters

	began      time.Time
	rows       []T
	places     map[string]struct{} // the keys of rows
	fullest    int                 // rows of the fullest page
	last       int                 // rows of the last page
	pages      int
	bytes      int
	kept       int
	unreadable int // rows that are not records
	total      int
	why        string // why the list is not complete
	stopped    bool   // on purpose
	repeated   bool   // the second page repeated the first
}

// unknown is the total of a list that does not report one.
const unknown = -1

func newReading[T any](c *Client, l listing[T]) *reading[T] {
	return &reading[T]{listing: l, client: c, began: time.Now(), places: make(map[string]struct{}), total: unknown}
}

// facts returns what is known about the list.
func (p *reading[T]) facts() facts { return p.client.state().list(p.pagings) }

// learn changes what is known about the list.
func (p *reading[T]) learn(change func(*facts)) { p.client.state().learn(p.pagings, change) }

// filtered is 1 for a list with a filter, else 0.
func (p *reading[T]) filtered() int { return min(len(p.filter), 1) }

// equals reports whether the reading returned the same rows and total as the one before.
func (p *reading[T]) equals(before *reading[T]) bool {
	return p.total == before.total && p.unreadable == before.unreadable && maps.Equal(p.places, before.places)
}

// renamed reads a list whose second page repeated the first. It uses the other names for
// page and size, and tries each size until one is answered. It returns the first reading
// that found more rows, and remembers its paging.
func (p *reading[T]) renamed(ctx context.Context) *reading[T] {
	answered := []pageNames{p.paging.names}
	for _, w := range p.pagings {
		if w.route != p.paging.route || w.extra != p.paging.extra || slices.Contains(answered, w.names) {
			continue
		}
		again := newReading(p.client, p.listing)
		again.paging, again.fixed = w, true
		err := again.read(ctx)
		if err == nil && len(again.rows) > len(p.rows) {
			p.learn(func(f *facts) { f.paging, f.named = w, true })
			return again
		}
		if err == nil || !isUnfit(err) {
			answered = append(answered, w.names)
		}
	}
	return p
}

func (p *reading[T]) read(ctx context.Context) error {
	for number := 1; ; number++ {
		answer, err := p.page(ctx, number)
		if number > 1 && (isRefusal(err) || isNoList(err) && p.total == len(p.rows)) {
			if !Is404(err) && p.last >= p.fullest && p.isFull(p.last) && p.total != len(p.rows) {
				p.why = "the page after a full one is refused" // paging may be limited
			}
			return nil // past the end, if the rows add up
		}
		if err != nil {
			return err
		}
		done, err := p.add(answer)
		if err != nil || done || number == 1 && p.provesTotal(ctx) {
			return err
		}
		if number == maxListPages {
			return p.tooLong("%d pages", maxListPages)
		}
		if why := p.stops(answer.rows); why != "" {
			p.why, p.stopped = why, true
			return nil
		}
	}
}

// stops returns why reading stops, empty if it continues.
func (p *reading[T]) stops(rows []T) (why string) {
	switch {
	// One page above the limit is allowed, since it may be the empty one at the end.
	case p.maxPages > 0 && (p.needed() > p.maxPages || p.pages > p.maxPages):
		return fmt.Sprintf("it has more than %d pages", p.maxPages)
	case p.stop != nil && p.pages == 1:
		return p.stop(rows)
	}
	return ""
}

// page reads one page. For the first one it finds a paging that Telnyx accepts, and
// remembers it.
func (p *reading[T]) page(ctx context.Context, number int) (page[T], error) {
	if p.pages > 0 || p.fixed {
		return readPage[T](ctx, p.client, p.request(p.paging, number))
	}
	var first error
	for {
		p.paging = p.facts().paging
		answer, err := readPage[T](ctx, p.client, p.request(p.paging, number))
		if err == nil {
			p.learn(func(f *facts) {
				f.seen = f.seen || len(answer.rows) > 0
				if !f.works {
					f.paging, f.works = p.paging, true
				}
			})
			return answer, nil
		}
		if first == nil || Is404(first) && !Is404(err) {
			first = err // the most specific, unless only its route is missing
		}
		p.tried = append(p.tried, p.paging)
		next, ok := p.next(ctx, err)
		p.learn(func(f *facts) {
			switch {
			case !ok && p.filtered() == 0 && len(p.tried) > 1:
				f.paging, f.works = p.pagings[0], false
			case ok && f.paging == p.paging: // else another call was quicker
				f.paging, f.works = next, false
			}
		})
		if !ok {
			return page[T]{}, first
		}
	}
}

// next returns the paging to try after an answer against the current one. The first row that
// matches applies:
//
//	the answer is about                             the next paging
//	----------------------------------------------- ----------------------------------
//	the key, or a temporary problem                 none
//	a filter, and the paging works without it       none
//	a filter, and it is not known to work           the one that reads the list unfiltered
//	not the parameters: it is a 404, or a request   the first under another route; none
//	  without parameters fails too                    if the server failed
//	the extra parameter, by its name                the same without it
//	anything else                                   the next in order under the same route
//
// A paging that has worked is dropped only after a refusal, because Telnyx may have changed.
func (p *reading[T]) next(ctx context.Context, err error) (next paging, ok bool) {
	works := p.facts().works
	switch {
	case !isUnfit(err), works && (p.filtered() > 0 || !isRefusal(err)):
		return paging{}, false
	case p.filtered() > 0:
		whole := newReading(p.client, p.listing)
		whole.filter = nil
		_, err := whole.page(ctx, 1)
		return whole.paging, err == nil && whole.paging != p.paging
	case !p.plainWorks && !Is404(err):
		_, plainErr := readPage[T](ctx, p.client, p.request(paging{route: p.paging.route}, 1))
		p.plainWorks = plainErr == nil
	}
	if !p.plainWorks && isAnswer(err) {
		return p.untried(func(tried, w paging) bool { return tried.route == w.route })
	} else if !p.plainWorks {
		return paging{}, false
	}
	plainer := p.paging
	plainer.extra = ""
	if name, _, _ := strings.Cut(p.paging.extra, "="); blames(err, name) && !slices.Contains(p.tried, plainer) {
		return plainer, true
	}
	return p.untried(func(tried, w paging) bool { return tried == w || w.route != p.paging.route })
}

// untried returns the first paging that none of the tried ones rules out.
func (p *reading[T]) untried(rulesOut func(tried, w paging) bool) (next paging, ok bool) {
	for _, w := range p.pagings {
		if !slices.ContainsFunc(p.tried, func(tried paging) bool { return rulesOut(tried, w) }) {
			return w, true
		}
	}
	return paging{}, false
}

// blames reports whether a refusal names a parameter.
func blames(err error, parameter string) bool {
	name, _, _ := strings.Cut(parameter, "[")
	return name != "" && strings.Contains(strings.ToLower(err.Error()), name)
}

// add adds the rows of a page, and reports whether the list ends with it.
func (p *reading[T]) add(answer page[T]) (done bool, err error) {
	p.pages++
	p.bytes += answer.bytes
	before := len(p.rows)
	for i := range answer.rows {
		row := &answer.rows[i]
		key := p.key(row)
		if key == "" {
			p.unreadable++
			continue
		}
		if _, ok := p.places[key]; ok {
			continue
		}
		p.places[key] = struct{}{}
		p.rows = append(p.rows, *row)
		p.kept += textSize(reflect.ValueOf(*row)) + len(key)
	}
	switch {
	case len(p.rows)+p.unreadable > maxListRows:
		return false, p.tooLong("%d rows", maxListRows)
	case p.bytes > maxListBytes:
		return false, p.tooLong("%d MiB", maxListBytes>>20)
	case p.kept > maxListText:
		return false, p.tooLong("%d MiB of text", maxListText>>20)
	}
	fresh := len(p.rows) - before
	if p.pages == 2 && fresh > 0 {
		p.learn(func(f *facts) { f.named = true })
	}
	p.repeated = p.repeated || p.pages == 2 && fresh == 0 && len(answer.rows) >= smallestPage
	counts := p.count(answer, fresh)
	short := len(answer.rows) < p.fullest
	p.last, p.fullest = len(answer.rows), max(p.fullest, len(answer.rows))
	if p.pages == 2 && fresh == 0 && !counts && p.isFull(len(answer.rows)) {
		p.why = "its second page repeats a full first one" // page numbers may be ignored
	}
	if counts && len(p.rows) > p.total {
		p.total = unknown // Telnyx counts up to a limit
	}
	switch {
	case len(answer.rows) == 0, fresh == 0:
		return true, nil
	case p.total != unknown && counts:
		// The total may be capped, so a full page need not be the last one.
		return len(p.rows) >= p.total && (short || !p.isFull(len(answer.rows))), nil
	}
	return p.total == unknown && short, nil
}

// provesTotal reports whether the total of a first page that seems to be the complete list
// counts more than the page. A page of one row with the same total proves it. This is
// tested once, and saves the second page of every short list after that.
func (p *reading[T]) provesTotal(ctx context.Context) bool {
	known := p.facts()
	if p.total < 2 || p.total != len(p.rows) || p.unreadable > 0 || p.isFull(p.last) || p.paging.rows == 0 || known.tested || known.totals != totalsUnproven {
		return false
	}
	p.learn(func(f *facts) { f.tested = true })
	one := p.paging
	one.rows = 1
	answer, err := readPage[T](ctx, p.client, p.request(one, 1))
	if err != nil || len(answer.rows) != 1 || answer.total != p.total {
		return false
	}
	p.learn(func(f *facts) { f.totals = totalsOfList })
	return true
}

// count records the total that a page gives, and reports whether totals are known to
// count the complete list and not just their page.
func (p *reading[T]) count(answer page[T], fresh int) (counts bool) {
	given := answer.total
	if given < len(answer.rows) {
		given = unknown // it counts something else
	}
	if given > len(answer.rows) && len(answer.rows) > 0 {
		p.learn(func(f *facts) { f.totals = totalsOfList })
	}
	counts = p.facts().totals == totalsOfList
	if p.pages > 1 && fresh > 0 && !counts && p.total != unknown && len(p.rows) > p.total {
		p.learn(func(f *facts) { f.totals = totalsOfPage })
		p.total = unknown
	}
	if given == unknown || p.facts().totals == totalsOfPage {
		return counts
	}
	if counts && p.total != unknown && given != p.total {
		p.why = fmt.Sprintf("its total changed from %d to %d while it was read", p.total, given)
	}
	if counts || p.total == unknown && p.pages == 1 {
		p.total = given
	}
	return counts
}

// isFull reports whether a page has as many rows as requested, or a number that servers
// commonly use as default or maximum.
func (p *reading[T]) isFull(rows int) bool {
	return rows > 0 && rows == p.paging.rows || slices.Contains([]int{20, 25, 50, 100, 200, 250, 500}, rows)
}

// needed returns the number of pages by the list's total, zero if unknown.
func (p *reading[T]) needed() int {
	if p.total == unknown || p.fullest == 0 || p.facts().totals != totalsOfList {
		return 0
	}
	return (p.total + p.fullest - 1) / p.fullest
}

func (p *reading[T]) result() Rows[T] {
	pages := p.pages
	if pages > 1 && p.last == 0 {
		pages-- // the empty one after the last
	}
	r := Rows[T]{All: p.rows, Pages: max(pages, p.needed()), Why: p.why, Began: p.began, empty: len(p.rows) == 0}
	switch {
	case p.why != "":
	case p.unreadable > 0:
		r.Why = "some of its rows are unreadable"
	case p.total != unknown && p.total != len(p.rows):
		r.Why = fmt.Sprintf("it has %d distinct rows, but Telnyx reports %d", len(p.rows), p.total)
	default:
		r.Complete = true
	}
	return r
}

func (p *reading[T]) tooLong(format string, bound int) error {
	return unreadableList(p.paging.route, fmt.Errorf("%w "+format, errTooLong, bound))
}

// unreadableList is the error for a list whose answer cannot be used.
func unreadableList(route string, err error) error {
	return &UnreadableError{Method: http.MethodGet, Route: route, Status: http.StatusOK, Err: err, whole: true}
}

// errTooLong is in the error for a list that exceeds the limits of one list. The rows up
// to there are returned with it.
var errTooLong = errors.New("the list is longer than")

func isTooLong(err error) bool { return errors.Is(err, errTooLong) }

// readPage reads one page of a list.
func readPage[T any](ctx context.Context, c *Client, r request) (page[T], error) {
	return call(ctx, c, r, func(page[T]) error { return nil })
}

// isNoList reports an answer that arrived completely and has no list.
func isNoList(err error) bool {
	e, ok := errors.AsType[*UnreadableError](err)
	return ok && e.whole
}

// page is one page of a list. Its container is {"records":[…],"totalRecords":…} for 10DLC,
// {"data":[…],"meta":{…}} for v2, a list, or an object with one list.
type page[T any] struct {
	rows  []T
	total int // unknown if not given
	bytes int
}

// UnmarshalJSON decodes all of these. An answer without a list is an error and not an
// empty list.
func (p *page[T]) UnmarshalJSON(data []byte) error {
	rows, total, err := listIn(data)
	if err != nil {
		return err
	}
	p.total, p.bytes = total, len(data)
	if p.rows = elements[T](rows, maxListRows); len(p.rows) > maxListRows {
		return fmt.Errorf("it has more than %d rows", maxListRows)
	}
	return nil
}

// listIn finds the list in an answer of valid JSON, and its total.
func listIn(data json.RawMessage) (rows json.RawMessage, total int, err error) {
	if trimmed := bytes.TrimSpace(data); len(trimmed) > 0 && trimmed[0] == '[' {
		return trimmed, unknown, nil
	}
	top, err := asRecord(data)
	if err != nil {
		return nil, 0, err
	}
	if len(elements[json.RawMessage](top["errors"], 0)) > 0 {
		return nil, 0, errors.New("it has errors")
	}
	total = totalIn(top)
	for _, key := range []string{"meta", "pagination", "page"} {
		inner, _ := asRecord(top[key])
		total = max(total, totalIn(inner))
	}
	for _, key := range []string{"records", "data", "results", "items"} {
		switch raw, given := top[key]; {
		case given && isNull(raw):
			return nil, total, nil
		case isContainer(raw):
			rows, inner, err := listIn(raw)
			return rows, max(total, inner), err
		}
	}
	for key, raw := range top {
		if !isContainer(raw) || raw[0] != '[' || slices.Contains([]string{"errors", "detail", "warnings", "messages"}, key) {
			continue
		}
		if rows != nil {
			return nil, 0, errors.New("it has more than one list")
		}
		rows = raw
	}
	if rows == nil {
		return nil, 0, errors.New("it has no list")
	}
	return rows, total, nil
}

// totalIn returns the total that an object gives.
func totalIn(fields object) int {
	for _, key := range []string{"totalrecords", "totalresults", "totalcount", "totalitems", "total"} {
		if n, err := strconv.Atoi(fields.scalar(key)); err == nil && n >= 0 {
			return n
		}
	}
	return unknown
}
