package telnyx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
)

// How lists are read.
const (
	// maxPages bounds a list that never ends. It is room for 20,000 rows even from
	// a server that gives no more than 20 a page.
	maxPages = 1000
	// maxPasses bounds how often a list that changes under our hands is read.
	maxPasses = 3
)

// The parameters that number the pages: in 10DLC, and in v2.
const (
	pageParam   = "page"
	pageParamV2 = "page[number]"
)

// page is one page of a list, out of either form: {"records":[…],"page":…,
// "totalRecords":…} of 10DLC, or {"data":[…],"meta":{…}} of v2.
type page[T any] struct {
	rows  []T
	total int // rows in all; zero if not told
	pages int // pages in all; zero if not told
}

// UnmarshalJSON decodes both forms. An answer with neither is no list, rather
// than an empty one.
func (p *page[T]) UnmarshalJSON(data []byte) error {
	var wire struct {
		Records      json.RawMessage `json:"records"`
		TotalRecords int             `json:"totalRecords"`
		Data         json.RawMessage `json:"data"`
		Meta         struct {
			TotalPages   int `json:"total_pages"`
			TotalResults int `json:"total_results"`
		} `json:"meta"`
	}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	rows := wire.Records
	if rows == nil {
		rows = wire.Data
	}
	if rows == nil {
		return errors.New("it has neither records nor data")
	}
	p.total, p.pages = max(wire.TotalRecords, wire.Meta.TotalResults), wire.Meta.TotalPages
	return json.Unmarshal(rows, &p.rows)
}

// readPage reads the page with that number, from 1.
func readPage[T any](ctx context.Context, c *Client, r request, param string, number int) (page[T], error) {
	query := url.Values{}
	maps.Copy(query, r.query)
	query.Set(param, strconv.Itoa(number))
	r.query = query
	return call(ctx, c, r, func(page[T]) error { return nil })
}

// list reads all pages of a list. key tells rows apart: a row that comes twice,
// because rows moved from page to page meanwhile, is returned once, as it was
// last.
//
// Nothing is taken on trust but the rows. The server may give smaller pages than
// it was asked for, count wrongly, or not count at all. If rows went missing in
// between (the count fell, or a page repeats before the count is reached),
// another may have slipped past, so the list is read again, at most three times.
func list[T any](ctx context.Context, c *Client, r request, param string, key func(T) string) ([]T, error) {
	for range maxPasses {
		l := lister[T]{key: key, places: map[string]int{}}
		for number := 1; number <= maxPages && !l.done; number++ {
			p, err := readPage[T](ctx, c, r, param, number)
			if err != nil {
				return nil, err
			}
			l.add(p, number)
		}
		if !l.done {
			return nil, unreadableList(r, fmt.Errorf("the list has more than %d pages", maxPages))
		}
		if !l.unsteady {
			return l.rows, nil
		}
	}
	return nil, unreadableList(r, errors.New("the list kept changing while it was read"))
}

// lister gathers the rows of one pass over a list's pages.
type lister[T any] struct {
	key    func(T) string
	rows   []T
	places map[string]int // of each key in rows
	total  int            // the highest count told

	done     bool // there is no further page
	unsteady bool // a row may have been missed
}

func (l *lister[T]) add(p page[T], number int) {
	fell := p.total > 0 && p.total < l.total
	l.total = max(l.total, p.total)
	before := len(l.rows)
	for _, row := range p.rows {
		l.put(row)
	}
	repeated := len(p.rows) > 0 && len(l.rows) == before
	complete := l.total > 0 && len(l.rows) >= l.total
	switch {
	case fell:
		l.done, l.unsteady = true, true
	case complete, len(p.rows) == 0, p.pages > 0 && number >= p.pages:
		l.done = true
	case repeated:
		// Some servers repeat the last page for ever. Without a count, that is the end.
		l.done, l.unsteady = true, l.total > 0
	}
}

func (l *lister[T]) put(row T) {
	key := l.key(row)
	if place, ok := l.places[key]; ok {
		l.rows[place] = row
		return
	}
	l.places[key] = len(l.rows)
	l.rows = append(l.rows, row)
}

func unreadableList(r request, err error) error {
	return &UnreadableError{Method: r.method, Route: r.route, Status: http.StatusOK, Err: err}
}
