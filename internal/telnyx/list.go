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
	// maxListPages is room for 100,000 rows from a server that gives 20 a page.
	maxListPages = 5000
	// smallestPage is the fewest rows that a server is thought to give a page by
	// default: a shorter page that repeats is taken as the whole list.
	smallestPage = 10
	// smallList is how many pages a list may have to be read as a whole where a query
	// could bring less: a whole list needs no proof that a query is understood.
	smallList = 4
	// maxPasses bounds how often a list that does not add up is read. After
	// maxPagesAgain pages it is not begun again.
	maxPasses     = 3
	maxPagesAgain = 500
	// unevenFor is how long a list that does not add up is read once only.
	unevenFor = 10 * time.Minute
)

// way is one way to ask for a list.
type way struct {
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

// waysOf returns the ways to ask for a list in the order in which they are tried: under
// each route with the names that are published for the list and then with others, with
// the extra parameter and then without, with each page size and then without one. The
// last is without any parameter.
func waysOf(routes []string, names []pageNames, extra string, sizes ...int) (all []way) {
	for _, route := range routes {
		for _, pair := range names {
			for _, extra := range []string{extra, ""} {
				for _, rows := range append(slices.Clip(sizes), 0) {
					all = append(all, way{route, pair, rows, extra})
				}
			}
		}
		all = append(all, way{route: route})
	}
	return all
}

// Rows is a list as it was read.
type Rows[T any] struct {
	All []T
	// Complete says that the list was read until it ended, that its total, if Telnyx
	// gives one, did not change meanwhile, and that the distinct rows add up to it.
	// Only then does a missing row prove anything.
	Complete bool
	// Why says what a list that is not complete lacks, as part of a sentence.
	Why string
	// Began is when the reading began that has these rows, before its first request was
	// made: a row that came later may be missing. It is zero beside an error.
	Began time.Time
	// Pages is how many pages the whole list has, estimated from its total, or how many
	// were read. It is above the limit that was given if the list was longer than that.
	Pages int

	empty bool // the list has no row at all, also before some were dropped
}

// listing is a list to read.
type listing[T any] struct {
	ways   []way      // in the order in which they are tried; the first route names the list
	arg    string     // fills the braces of the route
	query  url.Values // is always sent; may be nil
	filter url.Values // nil for all rows
	// key tells rows apart. An empty key means that the row is not a record.
	key func(*T) string
	// maxPages ends the reading; zero means no limit but [maxListPages].
	maxPages int
	// stop may end the reading after the first page, with the reason; nil never does.
	stop func(page []T) string
}

// within returns the list to be read if it has no more pages than that.
func (l listing[T]) within(maxPages int) listing[T] {
	l.maxPages = maxPages
	return l
}

// request asks for a page in some way.
func (l listing[T]) request(w way, number int) request {
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

// list reads a list until it is complete, at most three times. It stops when it has
// read the same twice. For some minutes then, lists like that are read once only.
//
// Only the rows are trusted. The server may give smaller pages than it was asked for,
// count wrongly, count only its page, or not count at all; it may repeat its last page
// for ever, and answer 404, 400 or 422 to a page past the end.
func list[T any](ctx context.Context, c *Client, l listing[T]) (Rows[T], error) {
	var before *pass[T]
	for n, pages := 1, 0; ; n++ {
		p := newPass(c, l)
		switch err := p.read(ctx); {
		case isTooLong(err):
			return Rows[T]{All: p.rows, Why: "it is longer than what is read of a list", Began: p.began, Pages: p.pages}, err
		case IsNotFound(err) && p.filtered() == 0 && len(p.tried) > 1 && !p.facts().seen:
			// No route has a list, and the first says so in Telnyx's words: there are no rows. A
			// request under a route that does not exist would be refused.
			p.learn(func(f *facts) { f.works = true })
			return Rows[T]{Complete: true, Began: p.began}, nil
		case err != nil:
			return Rows[T]{}, err
		}
		if p.repeated && !p.facts().named {
			p = p.renamed(ctx)
		}
		rows, same := p.result(), before != nil && p.reads(before)
		if same && !rows.Complete {
			p.learn(func(f *facts) { f.uneven[p.filtered()] = time.Now() })
		}
		pages += p.pages
		if rows.Complete || p.stopped || n == maxPasses || pages > maxPagesAgain || recent(p.facts().uneven[p.filtered()], unevenFor) {
			return rows, nil
		}
		before = p
	}
}

// onePage reads the page with that number, from 1, and the total, zero if unknown.
func onePage[T any](ctx context.Context, c *Client, l listing[T], number int) (rows []T, total int, err error) {
	answer, err := newPass(c, l).page(ctx, number)
	return answer.rows, max(answer.total, 0), err
}

// pass is one reading of a list.
type pass[T any] struct {
	listing[T]
	client *Client
	way    way
	fixed  bool  // no other way is tried
	tried  []way // which do not work
	bare   bool  // the list is answered without parameters

	began    time.Time
	rows     []T
	places   map[string]struct{} // the keys of rows
	fullest  int                 // rows of the fullest page
	last     int                 // rows of the last page
	pages    int
	bytes    int
	kept     int
	odd      int // rows that are not records
	total    int
	why      string // it is not complete
	stopped  bool   // on purpose
	repeated bool   // the second page was the first again
}

// unknown is the total of a list that does not report one.
const unknown = -1

func newPass[T any](c *Client, l listing[T]) *pass[T] {
	return &pass[T]{listing: l, client: c, began: time.Now(), places: make(map[string]struct{}), total: unknown}
}

// facts returns what is known of the list.
func (p *pass[T]) facts() facts { return p.client.state().list(p.ways) }

// learn changes what is known of the list.
func (p *pass[T]) learn(change func(*facts)) { p.client.state().learn(p.ways, change) }

// filtered is 1 for a list with a filter, else 0.
func (p *pass[T]) filtered() int { return min(len(p.filter), 1) }

// reads reports whether a reading brought the same as the one before.
func (p *pass[T]) reads(before *pass[T]) bool {
	return p.total == before.total && p.odd == before.odd && maps.Equal(p.places, before.places)
}

// renamed reads a list whose second page was the first again with the other names for
// page and size, in each size until one is answered. It returns the first reading that
// found more and remembers its way.
func (p *pass[T]) renamed(ctx context.Context) *pass[T] {
	answered := []pageNames{p.way.names}
	for _, w := range p.ways {
		if w.route != p.way.route || w.extra != p.way.extra || slices.Contains(answered, w.names) {
			continue
		}
		again := newPass(p.client, p.listing)
		again.way, again.fixed = w, true
		err := again.read(ctx)
		if err == nil && len(again.rows) > len(p.rows) {
			p.learn(func(f *facts) { f.way, f.named = w, true })
			return again
		}
		if err == nil || !isUnfit(err) {
			answered = append(answered, w.names)
		}
	}
	return p
}

func (p *pass[T]) read(ctx context.Context) error {
	for number := 1; ; number++ {
		answer, err := p.page(ctx, number)
		if number > 1 && (isRefusal(err) || isNoList(err) && p.total == len(p.rows)) {
			if !Is404(err) && p.last >= p.fullest && p.isFull(p.last) && p.total != len(p.rows) {
				p.why = "the page after a full one is refused" // perhaps there are limits to paging
			}
			return nil // past the end, if the rest adds up
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

// stops returns why the list is read no further.
func (p *pass[T]) stops(rows []T) (why string) {
	switch {
	// One page more than allowed may be read: it may be the empty one at the end.
	case p.maxPages > 0 && (p.needed() > p.maxPages || p.pages > p.maxPages):
		return fmt.Sprintf("it has more than %d pages", p.maxPages)
	case p.stop != nil && p.pages == 1:
		return p.stop(rows)
	}
	return ""
}

// page reads one page. With the first one it finds out in which way Telnyx takes the
// request, and remembers it.
func (p *pass[T]) page(ctx context.Context, number int) (page[T], error) {
	if p.pages > 0 || p.fixed {
		return readPage[T](ctx, p.client, p.request(p.way, number))
	}
	var first error
	for {
		p.way = p.facts().way
		answer, err := readPage[T](ctx, p.client, p.request(p.way, number))
		if err == nil {
			p.learn(func(f *facts) {
				f.seen = f.seen || len(answer.rows) > 0
				if !f.works {
					f.way, f.works = p.way, true
				}
			})
			return answer, nil
		}
		if first == nil || Is404(first) && !Is404(err) {
			first = err // it says most, unless only its route is missing
		}
		p.tried = append(p.tried, p.way)
		next, ok := p.next(ctx, err)
		p.learn(func(f *facts) {
			switch {
			case !ok && p.filtered() == 0 && len(p.tried) > 1:
				f.way, f.works = p.ways[0], false
			case ok && f.way == p.way: // else another call was quicker
				f.way, f.works = next, false
			}
		})
		if !ok {
			return page[T]{}, first
		}
	}
}

// next returns the way to ask in after an answer that speaks against the one that was
// used. The first row that fits counts:
//
//	the answer is about                             the next way
//	----------------------------------------------- ----------------------------------
//	the moment or the key                           none
//	a filter, in a way that works without           none
//	a filter, in a way that is not known to work    the one in which the whole list is read
//	something else than the parameters, as 404 or   the first one under another route, but
//	  the list without any parameter shows            none if the server failed
//	the extra parameter, by its name                without it
//	anything else                                   the next in order under the same route
//
// A way that has worked is doubted only after a refusal: Telnyx may have changed.
func (p *pass[T]) next(ctx context.Context, err error) (next way, ok bool) {
	works := p.facts().works
	switch {
	case !isUnfit(err), works && (p.filtered() > 0 || !isRefusal(err)):
		return way{}, false
	case p.filtered() > 0:
		whole := newPass(p.client, p.listing)
		whole.filter = nil
		_, err := whole.page(ctx, 1)
		return whole.way, err == nil && whole.way != p.way
	case !p.bare && !Is404(err):
		_, plainErr := readPage[T](ctx, p.client, p.request(way{route: p.way.route}, 1))
		p.bare = plainErr == nil
	}
	if !p.bare && isAnswer(err) {
		return p.untried(func(tried, w way) bool { return tried.route == w.route })
	} else if !p.bare {
		return way{}, false
	}
	plainer := p.way
	plainer.extra = ""
	if name, _, _ := strings.Cut(p.way.extra, "="); blames(err, name) && !slices.Contains(p.tried, plainer) {
		return plainer, true
	}
	return p.untried(func(tried, w way) bool { return tried == w || w.route != p.way.route })
}

// untried returns the first way that none of the tried ones speaks against.
func (p *pass[T]) untried(against func(tried, w way) bool) (next way, ok bool) {
	for _, w := range p.ways {
		if !slices.ContainsFunc(p.tried, func(tried way) bool { return against(tried, w) }) {
			return w, true
		}
	}
	return way{}, false
}

// blames reports whether a refusal names a parameter.
func blames(err error, parameter string) bool {
	name, _, _ := strings.Cut(parameter, "[")
	return name != "" && strings.Contains(strings.ToLower(err.Error()), name)
}

// add takes in the rows of a page, and reports whether the list ends with it.
func (p *pass[T]) add(answer page[T]) (done bool, err error) {
	p.pages++
	p.bytes += answer.bytes
	before := len(p.rows)
	for i := range answer.rows {
		row := &answer.rows[i]
		key := p.key(row)
		if key == "" {
			p.odd++
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
	case len(p.rows)+p.odd > maxListRows:
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
		p.why = "its second page repeats a full first one" // perhaps page numbers are ignored
	}
	if counts && len(p.rows) > p.total {
		p.total = unknown // Telnyx counts up to a limit
	}
	switch {
	case len(answer.rows) == 0, fresh == 0:
		return true, nil
	case p.total != unknown && counts:
		// The total may have a limit, so a full page is not known to be the last one.
		return len(p.rows) >= p.total && (short || !p.isFull(len(answer.rows))), nil
	}
	return p.total == unknown && short, nil
}

// provesTotal reports whether the total of a first page that seems to be the whole list
// does not count just the page, as a page of one row with the same total shows. It is
// found out once, and saves the second page of each short list from then on.
func (p *pass[T]) provesTotal(ctx context.Context) bool {
	known := p.facts()
	if p.total < 2 || p.total != len(p.rows) || p.odd > 0 || p.isFull(p.last) || p.way.rows == 0 || known.tested || known.totals != totalsUnproven {
		return false
	}
	p.learn(func(f *facts) { f.tested = true })
	one := p.way
	one.rows = 1
	answer, err := readPage[T](ctx, p.client, p.request(one, 1))
	if err != nil || len(answer.rows) != 1 || answer.total != p.total {
		return false
	}
	p.learn(func(f *facts) { f.totals = totalsOfList })
	return true
}

// count takes in the total that a page gives, and reports whether totals are known
// to count the whole list, not just their page.
func (p *pass[T]) count(answer page[T], fresh int) (counts bool) {
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

// isFull reports whether a page has as many rows as were asked for, or as servers
// usually give by default or at most.
func (p *pass[T]) isFull(rows int) bool {
	return rows > 0 && rows == p.way.rows || slices.Contains([]int{20, 25, 50, 100, 200, 250, 500}, rows)
}

// needed returns how many pages the list has by its total, or zero.
func (p *pass[T]) needed() int {
	if p.total == unknown || p.fullest == 0 || p.facts().totals != totalsOfList {
		return 0
	}
	return (p.total + p.fullest - 1) / p.fullest
}

func (p *pass[T]) result() Rows[T] {
	pages := p.pages
	if pages > 1 && p.last == 0 {
		pages-- // the empty one after the last
	}
	r := Rows[T]{All: p.rows, Pages: max(pages, p.needed()), Why: p.why, Began: p.began, empty: len(p.rows) == 0}
	switch {
	case p.why != "":
	case p.odd > 0:
		r.Why = "some of its rows are not readable"
	case p.total != unknown && p.total != len(p.rows):
		r.Why = fmt.Sprintf("it has %d distinct rows, but Telnyx reports %d", len(p.rows), p.total)
	default:
		r.Complete = true
	}
	return r
}

func (p *pass[T]) tooLong(format string, bound int) error {
	return unreadableList(p.way.route, fmt.Errorf("%w "+format, errTooLong, bound))
}

// unreadableList is the error for a list that was answered and is of no use.
func unreadableList(route string, err error) error {
	return &UnreadableError{Method: http.MethodGet, Route: route, Status: http.StatusOK, Err: err, whole: true}
}

// errTooLong is in the error for a list that is longer than the limits of one list. The
// rows up to there come with that error.
var errTooLong = errors.New("the list is longer than")

func isTooLong(err error) bool { return errors.Is(err, errTooLong) }

// readPage reads one page of a list.
func readPage[T any](ctx context.Context, c *Client, r request) (page[T], error) {
	return call(ctx, c, r, func(page[T]) error { return nil })
}

// isNoList reports an answer that is whole and has no list.
func isNoList(err error) bool {
	e, ok := errors.AsType[*UnreadableError](err)
	return ok && e.whole
}

// page is one page of a list in whatever container: {"records":[…],"totalRecords":…}
// of 10DLC, {"data":[…],"meta":{…}} of v2, a bare list, or an object with one list.
type page[T any] struct {
	rows  []T
	total int // unknown if not given
	bytes int
}

// UnmarshalJSON decodes all of these. An answer without a list is an error, not an
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
