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
	// maxPasses bounds how often a list that does not add up is read. After
	// maxPagesAgain pages it is not begun again.
	maxPasses     = 3
	maxPagesAgain = 500
)

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

	perPage int // rows of the fullest page
}

// keep drops the rows that f does not hold for.
func (r Rows[T]) keep(f func(T) bool) Rows[T] {
	kept := r.All[:0:0]
	for _, row := range r.All {
		if f(row) {
			kept = append(kept, row)
		}
	}
	r.All = kept
	return r
}

// listing is a list to read.
type listing[T any] struct {
	request  request  // without the parameters of paging and sorting
	optional []string // a parameter and its value, dropped if refused; may be nil
	sizes    []int    // page sizes to ask for, the preferred one first; 0 asks for none
	v2       bool     // page[number] and page[size]; else page and recordsPerPage
	// key tells rows apart. An empty key means that the row is not a record.
	key func(*T) string
	// text is how many bytes of text a row holds.
	text func(*T) int
	// maxPages ends the reading; zero means no limit but [maxListPages].
	maxPages int
	// stop may end the reading after the first page, with the reason; nil never does.
	stop func(page []T) string
}

// list reads a list until it is complete, at most three times. It stops when it has
// read the same twice. For some minutes then, lists like that are read once only.
//
// Only the rows are trusted. The server may give smaller pages than it was asked for,
// count wrongly, count only its page, or not count at all; it may repeat its last page
// for ever, and answer 404, 400 or 422 to a page past the end.
func list[T any](ctx context.Context, c *Client, l listing[T]) (Rows[T], error) {
	var (
		rows   Rows[T]
		before *pass[T]
		pages  int
	)
	for range maxPasses {
		p := newPass(c, l)
		if err := p.read(ctx); isTooLong(err) {
			return Rows[T]{All: p.rows, Why: "it is longer than what is read of a list", Began: p.began, Pages: p.pages, perPage: p.fullest}, err
		} else if err != nil {
			return Rows[T]{}, err
		}
		if p.repeated && !p.habits.namesWork() {
			p = p.renamed(ctx)
		}
		pages += p.pages
		switch rows = p.result(); {
		case rows.Complete, p.stopped, pages > maxPagesAgain, p.habits.isUneven(p.isFiltered()):
			return rows, nil
		case before != nil && p.reads(before):
			p.habits.setUneven(p.isFiltered())
			return rows, nil
		}
		before = p
	}
	return rows, nil
}

// reads reports whether a reading brought the same as the one before.
func (p *pass[T]) reads(before *pass[T]) bool {
	return p.total == before.total && p.odd == before.odd && maps.Equal(p.places, before.places)
}

func newPass[T any](c *Client, l listing[T]) *pass[T] {
	h := c.state().habits(l.request.route)
	return &pass[T]{
		listing: l, client: c, habits: h, began: time.Now(), places: make(map[string]struct{}),
		total: unknown, other: h.usesOtherNames(),
	}
}

// renamed reads a list whose second page was the first again with the other names for
// page and size. It returns the reading that found more, and remembers the names if that
// is the new one.
func (p *pass[T]) renamed(ctx context.Context) *pass[T] {
	again := newPass(p.client, p.listing)
	again.other = !p.other
	if again.read(ctx) != nil || len(again.rows) <= len(p.rows) {
		return p
	}
	p.habits.useNames(again.other)
	return again
}

// wholeList reads a list that is of use only as a whole.
func wholeList[T any](ctx context.Context, c *Client, l listing[T]) ([]T, error) {
	rows, err := list(ctx, c, l)
	if err == nil && !rows.Complete {
		err = &UnreadableError{Method: l.request.method, Route: l.request.route, Status: http.StatusOK, whole: true,
			Err: fmt.Errorf("the list is not complete: %s", rows.Why)}
	}
	if err != nil {
		return nil, err
	}
	return rows.All, nil
}

// onePage reads the page with that number, from 1, and the total, zero if unknown.
func onePage[T any](ctx context.Context, c *Client, l listing[T], number int) (rows []T, total int, err error) {
	answer, err := newPass(c, l).page(ctx, number)
	return answer.rows, max(answer.total, 0), err
}

// unknown is the total of a list that does not report one.
const unknown = -1

// pass is one reading of a list.
type pass[T any] struct {
	listing[T]
	client *Client
	habits *habits

	began   time.Time
	paging  paging
	rows    []T
	places  map[string]struct{}
	fullest int // rows of the fullest page
	last    int // rows of the last page
	pages   int
	bytes   int
	kept    int
	odd     int // rows that are not records
	total   int
	flaw    string // why it has to be read again
	why     string
	stopped bool // on purpose
	// other says that the page is asked for by the names of the other kind of list:
	// Telnyx's pages do not agree on them. repeated says that the second page was the
	// first again.
	other, repeated bool
	relearned       bool // the page size that worked was refused
}

func (p *pass[T]) read(ctx context.Context) error {
	for number := 1; ; number++ {
		answer, err := p.page(ctx, number)
		if number > 1 && (isRefusal(err) || isNoList(err) && p.total == len(p.rows)) {
			if !Is404(err) && p.last >= p.fullest && p.isFull(p.last) && p.total != len(p.rows) {
				p.flaw = "the page after a full one is refused" // perhaps there are limits to paging
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
		if p.stop != nil && number == 1 {
			p.why = p.stop(answer.rows)
		}
		// One page more than allowed may be read: it may be the empty one at the end.
		if p.maxPages > 0 && (p.needed() > p.maxPages || number > p.maxPages) {
			p.why = fmt.Sprintf("it has more than %d pages", p.maxPages)
		}
		if p.why != "" {
			p.stopped = true
			return nil
		}
	}
}

// page reads one page. With the first one it finds out what page size and sorting
// Telnyx takes.
func (p *pass[T]) page(ctx context.Context, number int) (page[T], error) {
	for plainWorks := false; ; {
		if p.pages == 0 {
			p.paging = p.habits.paging()
		}
		answer, err := readPage[T](ctx, p.client, p.withPaging(number))
		if err == nil {
			p.habits.works(p.paging)
		}
		if err == nil || p.pages > 0 || !isUnfit(err) || Is404(err) {
			return answer, err
		}
		if p.habits.proven() {
			if p.isFiltered() || !isRefusal(err) || p.relearned {
				return answer, err
			}
			p.relearned = true // Telnyx may have changed what it takes
			p.habits.doubt()
		}
		if p.isFiltered() {
			// Is it the filter, or the page size? The list without a filter shows it.
			plain := newPass(p.client, p.withoutFilter())
			if _, err := plain.page(ctx, 1); err != nil {
				return page[T]{}, err
			}
			continue
		}
		if !isRefusal(err) && !plainWorks {
			// Is it the page size, or an outage? The list without any parameter shows it.
			if _, plainErr := readPage[T](ctx, p.client, p.request); plainErr != nil {
				return answer, err
			}
			plainWorks = true
		}
		if !p.habits.refused(p.paging, len(p.sizes), p.optionalName(), p.blames(err)) {
			return answer, err
		}
	}
}

func (p *pass[T]) withPaging(number int) request {
	r, query := p.request, url.Values{}
	maps.Copy(query, r.query)
	numberParam, sizeParam := pagingNames(p.v2, p.other)
	query.Set(numberParam, strconv.Itoa(number))
	if size := p.size(); size > 0 {
		query.Set(sizeParam, strconv.Itoa(size))
	}
	if p.optional != nil && !p.paging.bare {
		query.Set(p.optional[0], p.optional[1])
	}
	r.query = query
	return r
}

func (p *pass[T]) isFiltered() bool {
	for key := range p.request.query {
		if strings.HasPrefix(key, "filter") {
			return true
		}
	}
	return false
}

func (p *pass[T]) withoutFilter() listing[T] {
	l := p.listing
	l.request.query = maps.Clone(l.request.query)
	maps.DeleteFunc(l.request.query, func(key string, _ []string) bool { return strings.HasPrefix(key, "filter") })
	return l
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
		p.kept += p.text(row) + len(key)
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
	if p.pages == 2 && len(answer.rows) > 0 {
		p.repeated = fresh == 0 && len(answer.rows) >= smallestPage
		if fresh > 0 {
			p.habits.useNames(p.other)
		}
	}
	counts := p.count(answer, fresh)
	short := len(answer.rows) < p.fullest
	p.last, p.fullest = len(answer.rows), max(p.fullest, len(answer.rows))
	if p.pages == 2 && fresh == 0 && !counts && p.isFull(len(answer.rows)) {
		p.flaw = "its second page repeats a full first one" // perhaps page numbers are ignored
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
	if p.total < 2 || p.total != len(p.rows) || p.odd > 0 || p.isFull(p.last) || p.size() == 0 || !p.habits.mayProveTotals() {
		return false
	}
	r := p.withPaging(1)
	_, size := pagingNames(p.v2, p.other)
	r.query.Set(size, "1")
	answer, err := readPage[T](ctx, p.client, r)
	if err != nil || len(answer.rows) != 1 || answer.total != p.total {
		return false
	}
	p.habits.countsAll()
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
		p.habits.countsAll()
	}
	counts = p.habits.totals() == totalsOfAll
	if p.pages > 1 && fresh > 0 && !counts && p.total != unknown && len(p.rows) > p.total {
		p.habits.countsPage()
		p.total = unknown
	}
	if given == unknown || p.habits.totals() == totalsOfPage {
		return counts
	}
	if counts && p.total != unknown && given != p.total {
		p.flaw = fmt.Sprintf("its total changed from %d to %d while it was read", p.total, given)
	}
	if counts || p.total == unknown && p.pages == 1 {
		p.total = given
	}
	return counts
}

// isFull reports whether a page has as many rows as were asked for, or as servers
// usually give by default or at most.
func (p *pass[T]) isFull(rows int) bool {
	return rows > 0 && rows == p.size() || slices.Contains([]int{20, 25, 50, 100, 200, 250, 500}, rows)
}

// size returns the page size to ask for.
func (p *pass[T]) size() int { return p.sizes[min(p.paging.size, len(p.sizes)-1)] }

// needed returns how many pages the list has by its total, or zero.
func (p *pass[T]) needed() int {
	if p.total == unknown || p.fullest == 0 || p.habits.totals() != totalsOfAll {
		return 0
	}
	return (p.total + p.fullest - 1) / p.fullest
}

func (p *pass[T]) result() Rows[T] {
	pages := p.pages
	if pages > 1 && p.last == 0 {
		pages-- // the empty one after the last
	}
	r := Rows[T]{All: p.rows, Pages: max(pages, p.needed()), Why: p.why, Began: p.began, perPage: p.fullest}
	switch {
	case p.stopped:
	case p.flaw != "":
		r.Why = p.flaw
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
	r := p.request
	return &UnreadableError{
		Method: r.method, Route: r.route, Status: http.StatusOK, whole: true,
		Err: fmt.Errorf("%w "+format, errTooLong, bound),
	}
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

func (p *pass[T]) optionalName() string {
	if p.optional == nil {
		return ""
	}
	return p.optional[0]
}

// blames reports whether a refusal names the optional parameter.
func (p *pass[T]) blames(err error) bool {
	e, ok := errors.AsType[*APIError](err)
	if !ok || p.optional == nil {
		return false
	}
	name, _, _ := strings.Cut(p.optional[0], "[")
	return strings.Contains(strings.ToLower(e.Error()), name)
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
func listIn(data []byte) (rows json.RawMessage, total int, err error) {
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
		if inner, err := asRecord(top[key]); err == nil && total == unknown {
			total = totalIn(inner)
		}
	}
	for _, key := range []string{"records", "data", "results", "items"} {
		if raw, ok := top[key]; ok && (isNull(raw) || raw[0] == '[') {
			return raw, total, nil
		}
		if raw := top[key]; len(raw) > 0 && raw[0] == '{' {
			rows, innerTotal, err := listIn(raw)
			return rows, max(total, innerTotal), err
		}
	}
	for key, raw := range top {
		if len(raw) > 0 && raw[0] == '[' && !slices.Contains([]string{"errors", "detail", "warnings", "messages"}, key) {
			if rows != nil {
				return nil, 0, errors.New("it has more than one list")
			}
			rows = raw
		}
	}
	if rows == nil {
		return nil, 0, errors.New("it has no list")
	}
	return rows, total, nil
}

func totalIn(fields object) int {
	for _, key := range []string{"totalrecords", "totalresults", "totalcount", "totalitems", "total"} {
		if n, err := strconv.Atoi(fields.scalar(key)); err == nil && n >= 0 {
			return n
		}
	}
	return unknown
}
