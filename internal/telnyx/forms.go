package telnyx

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"
)

// form is one way to ask a list for some of its rows.
type form[T any] struct {
	name string // for [Client.Learned]; what was learned of the form is kept under it
	listing[T]
}

// readForm lists in one form the rows that is holds for, and no others, and remembers
// what that shows of the form: it is proven by such rows alone, and ignored if it brings
// others or is refused.
func readForm[T any](ctx context.Context, c *Client, f form[T], is func(T) bool) (Rows[T], formState, error) {
	began, before := time.Now(), c.state().form(f.name)
	isOther := func(row T) bool { return !is(row) }
	f.stop = func(page []T) string {
		if slices.ContainsFunc(page, isOther) {
			return "the filter is ignored"
		}
		return ""
	}
	rows, err := list(ctx, c, f.listing)
	switch {
	case before == formProven && IsNotFound(err):
		return Rows[T]{Complete: true, Began: began}, formProven, nil
	case isRefusal(err) && !Is404(err):
		c.state().setForm(f.name, formIgnored)
		return Rows[T]{}, formIgnored, nil
	case Is404(err), isUnfit(err) && before != formProven:
		return Rows[T]{}, formIgnored, nil // the route may be gone, or it is an outage
	case err != nil:
		return rows, before, err
	}
	ignored := slices.ContainsFunc(rows.All, isOther)
	rows = rows.keep(is)
	switch {
	case ignored:
		c.state().setForm(f.name, formIgnored)
	case len(rows.All) > 0:
		c.state().setForm(f.name, formProven)
	}
	return rows, c.state().form(f.name), nil
}

// selection is how to list the rows of a list that belong to an owner: the numbers on a
// messaging profile or the assignments to a campaign.
type selection[T, Owner any] struct {
	whole listing[T]
	// forms are the ways to ask for what an owner has, the published ones first.
	forms func(Owner) []form[T]
	// is says whether a row is the owner's, and owner whose a row is.
	is    func(T, Owner) bool
	owner func(T) Owner
}

// read lists what an owner has: in the form that is proven; else from the whole list, if
// that is short; else in the first form that brings rows of the owner alone. An empty
// answer counts if the form finds the rows of another owner that is known to have some.
func (s selection[T, Owner]) read(ctx context.Context, c *Client, owner Owner) (Rows[T], error) {
	is := func(row T) bool { return s.is(row, owner) }
	if rows, ok, err := s.proven(ctx, c, owner); ok || err != nil {
		return rows, err
	}
	whole, err := list(ctx, c, s.whole.within(smallList))
	if err != nil || whole.Complete {
		return whole.keep(is), err
	}
	free, err := c.state().alone(ctx, s.whole.ways)
	if err != nil {
		return Rows[T]{}, err
	}
	defer free()
	// Another call may have found out meanwhile.
	if rows, ok, err := s.proven(ctx, c, owner); ok || err != nil {
		return rows, err
	}
	best := whole.keep(is)
	best.Why = "no filter is understood, and " + whole.Why
	for _, f := range s.forms(owner) {
		if c.state().form(f.name) == formIgnored {
			continue
		}
		rows, state, err := readForm(ctx, c, f, is)
		if err != nil || state == formProven {
			return rows, err
		}
		if state == formIgnored || !rows.Complete {
			continue
		}
		if proven, err := s.control(ctx, c, f.name, whole.All); err != nil || proven {
			return rows, err
		}
		best.Why = fmt.Sprintf("%s finds nothing and is not proven to work, and %s", f.name, whole.Why)
	}
	return best, nil
}

// proven lists in a form that is proven; ok is false if there is none or it failed.
func (s selection[T, Owner]) proven(ctx context.Context, c *Client, owner Owner) (rows Rows[T], ok bool, err error) {
	for _, f := range s.forms(owner) {
		if c.state().form(f.name) == formProven {
			rows, state, err := readForm(ctx, c, f, func(row T) bool { return s.is(row, owner) })
			return rows, state != formIgnored, err
		}
	}
	return Rows[T]{}, false, nil
}

// control asks in a form for what the owner of a row is known to have, and reports
// whether that was found.
func (s selection[T, Owner]) control(ctx context.Context, c *Client, name string, rows []T) (proven bool, err error) {
	for _, row := range rows {
		owner := s.owner(row)
		for _, f := range s.forms(owner) {
			if f.name == name {
				f.listing = f.within(1)
				_, state, err := readForm(ctx, c, f, func(row T) bool { return s.is(row, owner) })
				return state == formProven, err
			}
		}
	}
	return false, nil
}

// filter is a query with one filter.
func filter(name, value string) url.Values { return url.Values{name: {value}} }
