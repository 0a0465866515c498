package telnyxsim

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// page is one page of a list, counted from 1.
type page struct{ number, size int }

// tendlcPage reads page and recordsPerPage. What is missing or no page gets the
// default, and a page that is too large is cut to the maximum without a word.
func (s *Simulator) tendlcPage(query url.Values, size int) page {
	return page{
		number: positive(query.Get("page"), 1),
		size:   min(positive(query.Get("recordsPerPage"), size), s.options.MaxPageSize),
	}
}

// v2Page reads page[number] and page[size] of a v2 list, at most 250 rows.
func v2Page(query url.Values) page {
	return page{
		number: positive(query.Get("page[number]"), 1),
		size:   min(positive(query.Get("page[size]"), 20), 250),
	}
}

// bounds returns the half-open range of a list of n rows that the page covers.
func (p page) bounds(n int) (from, to int) {
	if p.number-1 > n/p.size {
		return n, n
	}
	from = min((p.number-1)*p.size, n)
	return from, min(from+p.size, n)
}

// of wraps a page of rows as 10DLC lists do.
func (p page) of(total int, records []any) any {
	return struct {
		Records      []any `json:"records"`
		Page         int   `json:"page"`
		TotalRecords int   `json:"totalRecords"`
	}{records, p.number, total}
}

// v2Of wraps a page of rows as v2 lists do.
func (p page) v2Of(total int, data []any) any {
	type meta struct {
		TotalPages   int `json:"total_pages"`
		TotalResults int `json:"total_results"`
		PageNumber   int `json:"page_number"`
		PageSize     int `json:"page_size"`
	}
	return struct {
		Data []any `json:"data"`
		Meta meta  `json:"meta"`
	}{data, meta{(total + p.size - 1) / p.size, total, p.number, p.size}}
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

// sortBy sorts a 10DLC list by a sort parameter such as "-createdAt", which is
// also the default. Equal rows stand in the order of their making, reversed with
// the rest.
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

// positive reads a number from 1, or returns the fallback.
func positive(text string, fallback int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return fallback
	}
	return n
}
