package telnyx

import (
	"context"
	"net/url"
	"slices"
	"time"
)

// selection is how to list the rows of a list that belong to an owner: the assignments to
// a campaign, the numbers on a messaging profile, or the rows of some numbers.
type selection[T, Owner any] struct {
	whole listing[T]
	is    func(T, Owner) bool // says whether a row is the owner's
	forms []form[T, Owner]    // the published ones first
}

// form is one way to ask a list for the rows of an owner.
type form[T, Owner any] struct {
	name string // for [Client.Learned]; what was learned of the form is kept under it
	// read lists the owner's rows, and no others, and says what that shows of the form.
	// known is the beginning of the whole list, or empty. The rows count if the form is
	// proven.
	read func(ctx context.Context, c *Client, owner Owner, known Rows[T]) (Rows[T], formState, error)
}

// read lists what an owner has: in a form that is proven; else from the whole list, if
// that has no more than some pages; else in the first form that proves to be understood.
// Otherwise it is not complete.
func (s *selection[T, Owner]) read(ctx context.Context, c *Client, owner Owner, pages int) (Rows[T], error) {
	rows, state, err := s.tryForms(ctx, c, owner, Rows[T]{}, formProven)
	if err != nil || state == formProven {
		return rows, err
	}
	whole, err := list(ctx, c, s.whole.within(pages))
	if err != nil || whole.Complete {
		return s.keep(whole, owner), err
	}
	free, err := c.state().alone(ctx, s.whole.pagings)
	if err != nil {
		return Rows[T]{}, err
	}
	defer free()
	// Another call may have proven a form meanwhile.
	rows, state, err = s.tryForms(ctx, c, owner, whole, formProven, formUntried)
	if err != nil || state == formProven {
		return rows, err
	}
	whole = s.keep(whole, owner)
	whole.Why = "no query form is proven to work, and " + whole.Why
	return whole, nil
}

// tryForms asks in the forms that are in the first state and then in the next, until one
// is proven.
func (s *selection[T, Owner]) tryForms(ctx context.Context, c *Client, owner Owner, known Rows[T], states ...formState) (rows Rows[T], state formState, err error) {
	for _, wanted := range states {
		for _, f := range s.forms {
			if c.state().form(f.name) != wanted {
				continue
			}
			rows, state, err = f.read(ctx, c, owner, known)
			if err != nil || state == formProven {
				return rows, state, err
			}
		}
	}
	return rows, formUntried, nil
}

// keep drops the rows of other owners.
func (s *selection[T, Owner]) keep(rows Rows[T], owner Owner) Rows[T] {
	rows.All = slices.DeleteFunc(slices.Clone(rows.All), func(row T) bool { return !s.is(row, owner) })
	return rows
}

// add adds a form that is one list: what ask returns for an owner, if it applies. An
// empty list counts if the form finds the rows of another owner, of whom known has a row.
func (s *selection[T, Owner]) add(name string, ownerOf func(T) Owner, ask func(Owner) (l listing[T], applies bool)) {
	read := func(ctx context.Context, c *Client, owner Owner, known Rows[T]) (Rows[T], formState, error) {
		l, applies := ask(owner)
		if !applies {
			return Rows[T]{}, formUntried, nil
		}
		rows, state, err := s.readForm(ctx, c, name, l, owner)
		if err != nil || state != formUntried || !rows.Complete {
			return rows, state, err
		}
		for _, row := range known.All {
			if l, applies := ask(ownerOf(row)); applies {
				_, state, err = s.readForm(ctx, c, name, l.within(1), ownerOf(row))
				break
			}
		}
		return rows, state, err
	}
	s.forms = append(s.forms, form[T, Owner]{name, read})
}

// readForm lists the rows of an owner in a form, and no others. The form is proven by
// such rows alone, and ignored if it brings others or is refused.
func (s *selection[T, Owner]) readForm(ctx context.Context, c *Client, name string, l listing[T], owner Owner) (Rows[T], formState, error) {
	began, before := time.Now(), c.state().form(name)
	isOther := func(row T) bool { return !s.is(row, owner) }
	l.stop = stopAt(isOther)
	rows, err := list(ctx, c, l)
	state := before
	switch {
	case before == formProven && IsNotFound(err):
		return Rows[T]{Complete: true, Began: began}, formProven, nil
	case Is404(err), isUnfit(err) && !isRefusal(err) && before != formProven:
		return Rows[T]{}, formIgnored, nil // the route may be gone, or it is an outage
	case err != nil && !isRefusal(err):
		return rows, before, err
	case err != nil, slices.ContainsFunc(rows.All, isOther):
		state = formIgnored
	case len(rows.All) > 0:
		state = formProven
	}
	if state != before {
		c.state().setForm(name, state)
	}
	return s.keep(rows, owner), state, nil
}

// stopAt ends the reading of a list at a row that was not asked for.
func stopAt[T any](isOther func(T) bool) func([]T) string {
	return func(page []T) string {
		if slices.ContainsFunc(page, isOther) {
			return "the filter is ignored"
		}
		return ""
	}
}

// filteredBy returns the list with one filter.
func (l listing[T]) filteredBy(name, value string) listing[T] {
	l.filter = url.Values{name: {value}}
	return l
}
