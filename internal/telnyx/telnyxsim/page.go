package telnyxsim

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// page is one page of a list, counted from 1.
type page struct{ number, size int }

// paging is how a list is paged: the names of its two parameters, the default page size
// and the largest.
type paging struct {
	number, size string
	rows, limit  int
}

// tendlcPaging is the paging of 10DLC lists, at most 500 rows.
func (s *Simulator) tendlcPaging(rows int) paging {
	p := paging{"page", "recordsPerPage", rows, 500}
	if s.options.Dialect.PageParameters == PageBrackets {
		p.number, p.size = "page[number]", "page[size]"
	}
	return p
}

// v2Paging is the paging of v2 lists, at most 250 rows.
func (s *Simulator) v2Paging() paging {
	p := paging{"page[number]", "page[size]", 20, 250}
	if s.options.Dialect.PageParameters == PagePlain {
		p.number, p.size = "page", "page_size"
	}
	return p
}

// readPage reads which page of a list with total rows the query wants. A missing or
// invalid value gets the default.
func (s *Simulator) readPage(query url.Values, how paging, total int) (page, *answer) {
	dialect := s.options.Dialect
	if dialect.RefuseSort && isSorted(query) {
		return page{}, new(badParameter("Sorting is not supported", "/sort"))
	}
	limit := min(how.limit, orDefault(dialect.MaxPageSize, how.limit))
	wanted := positive(query.Get(how.size), min(how.rows, limit))
	if wanted > limit && dialect.RefusedPageSize != 0 {
		return page{}, new(refuse(dialect.RefusedPageSize, codeBadParameter, "Invalid parameter",
			"The page size must be at most "+strconv.Itoa(limit), "/"+how.size))
	}
	p := page{positive(query.Get(how.number), 1), min(wanted, limit)}
	last := max(1, (total+p.size-1)/p.size)
	if p.number <= last {
		return p, nil
	}
	switch dialect.PastEnd {
	case PastEndRepeats:
		p.number = last
	case PastEnd404:
		return p, new(notFound("Page not found"))
	case PastEnd400:
		return p, new(badParameter("The page does not exist", "/"+how.number))
	}
	return p, nil
}

func isSorted(query url.Values) bool {
	for name := range query {
		if name == "sort" || strings.HasPrefix(name, "sort[") {
			return true
		}
	}
	return false
}

// bounds returns the half-open range of a list of n rows that the page covers.
func (p page) bounds(n int) (from, to int) {
	if p.number-1 > n/p.size {
		return n, n
	}
	from = min((p.number-1)*p.size, n)
	return from, min(from+p.size, n)
}

// tendlcList answers with a page of a 10DLC list. size is the default page size.
func tendlcList[T any](s *Simulator, query url.Values, size int, found []T, render func(T) any) answer {
	p, refused := s.readPage(query, s.tendlcPaging(size), len(found))
	if refused != nil {
		return *refused
	}
	data := rows(found, p, render)
	switch s.options.Dialect.Lists {
	case ListBare:
		return ok(data)
	case ListData:
		return ok(s.v2Body(p, len(found), data))
	}
	list := object{"records": data, "page": p.number}
	s.setTotal(list, "totalRecords", len(found), len(data))
	if s.options.Dialect.SnakeRecords {
		return ok(snakeKeys(list))
	}
	return ok(list)
}

// v2List answers with a page of a v2 list.
func v2List[T any](s *Simulator, query url.Values, found []T, render func(T) any) answer {
	p, refused := s.readPage(query, s.v2Paging(), len(found))
	if refused != nil {
		return *refused
	}
	return ok(s.v2Body(p, len(found), rows(found, p, render)))
}

// v2Body wraps a page of rows as v2 lists do.
func (s *Simulator) v2Body(p page, total int, data []any) object {
	pages := (total + p.size - 1) / p.size
	meta := object{"page_number": p.number, "page_size": p.size}
	s.setTotal(meta, "total_pages", pages, min(pages, 1))
	s.setTotal(meta, "total_results", total, len(data))
	return object{"data": data, "meta": meta}
}

// setTotal sets a count of a list, of which onPage are on the page, as the dialect
// reports it.
func (s *Simulator) setTotal(fields object, name string, all, onPage int) {
	switch s.options.Dialect.Totals {
	case TotalsMissing:
	case TotalsOfPage:
		fields[name] = onPage
	case TotalsSmall:
		fields[name] = min(all, 1)
	case TotalsText:
		fields[name] = strconv.Itoa(all)
	default:
		fields[name] = all
	}
}

// rows renders the part of a list that a page covers; never nil, so that an
// empty page is [] on the wire.
func rows[T any](list []T, p page, render func(T) any) []any {
	from, to := p.bounds(len(list))
	rendered := make([]any, 0, to-from)
	for _, item := range list[from:to] {
		rendered = append(rendered, render(item))
	}
	return rendered
}

// unknownFilters is how the dialect treats filters that a list does not know: an empty
// list, a refusal, or as if they were absent.
func (s *Simulator) unknownFilters(query url.Values, known ...string) (empty bool, refused *answer) {
	for name := range query {
		if !strings.HasPrefix(name, "filter[") || slices.Contains(known, name) {
			continue
		}
		switch s.options.Dialect.UnknownFilters {
		case UnknownEmpty:
			empty = true
		case UnknownRefused:
			return false, new(refuse(http.StatusBadRequest, codeBadParameter, "Invalid parameter", "Unknown filter", "/"+name))
		}
	}
	return empty, nil
}

// sortBy sorts a 10DLC list by a sort parameter like "-createdAt", which is also the
// default. Equal rows are in creation order, reversed with the rest.
func sortBy[T any](list []T, parameter string, key func(T, string) string, seq func(T) int) {
	parameter = orDefault(parameter, "-createdAt")
	field, descending := strings.CutPrefix(parameter, "-")
	slices.SortFunc(list, func(a, b T) int {
		order := strings.Compare(key(a, field), key(b, field))
		if order == 0 {
			order = seq(a) - seq(b)
		}
		if descending {
			return -order
		}
		return order
	})
}

// positive reads a number of at least 1, or returns the fallback.
func positive(text string, fallback int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return fallback
	}
	return n
}
