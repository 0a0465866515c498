package telnyx

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// learned is what a process found out about how Telnyx understands requests. Telnyx's
// pages contradict each other, so nothing is assumed.
type learned struct {
	// answered says that Telnyx has answered a request with 2xx, so that the API is there.
	answered atomic.Bool

	mu      sync.Mutex
	lists   map[string]*facts // by the first route of the list
	forms   map[string]formFact
	numbers numberKnowledge
}

// facts is what is known of one list.
type facts struct {
	// learning is held while something is learned, so that it is learned once.
	learning *semaphore.Weighted
	// paging is how to ask, and works says that it brought a page. named says that its
	// names for the page and its size brought a second one.
	paging       paging
	works, named bool
	// seen says that the list has had rows: that it is empty is not believed after that.
	seen   bool
	totals totals
	// tested says that a page of one row was read to learn what totals count.
	tested bool
	// inconsistent is when the list, without (0) and with a filter (1), was last seen not to
	// add up, though it did not change.
	inconsistent [2]time.Time
}

// totals is what the totals of a list count.
type totals int

const (
	totalsUnproven totals = iota
	totalsOfList
	totalsOfPage
)

// formState is what is known of a form of a query.
type formState int

const (
	formUntried formState = iota
	formProven            // it found what is known to be there, and nothing else
	formIgnored           // it brought what was not asked for, or was refused
)

// formFact is the state of a form and when that was learned.
type formFact struct {
	state formState
	at    time.Time
}

// formIgnoredFor is how long a form that Telnyx did not understand is not tried again:
// it may have been the value that was refused, or an outage.
const formIgnoredFor = 10 * time.Minute

// stateMu guards the making of Client.learned, which a literal does not have.
var stateMu sync.Mutex

// state returns what was learned by the client and its copies.
func (c *Client) state() *learned {
	stateMu.Lock()
	defer stateMu.Unlock()
	if c.learned == nil {
		c.learned = &learned{lists: make(map[string]*facts), forms: make(map[string]formFact)}
	}
	return c.learned
}

// list returns what is known of a list, which is the first of the pagings if nothing is.
func (s *learned) list(pagings []paging) facts { return s.learn(pagings, func(*facts) {}) }

// learn changes what is known of a list, and returns it.
func (s *learned) learn(pagings []paging, change func(*facts)) facts {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.lists[pagings[0].route]
	if known == nil {
		known = &facts{paging: pagings[0], learning: semaphore.NewWeighted(1)}
		s.lists[pagings[0].route] = known
	}
	change(known)
	return *known
}

// alone waits until no other call learns about the list. A call that has a reservation
// does not wait: others may wait for its slot.
func (s *learned) alone(ctx context.Context, pagings []paging) (free func(), err error) {
	if reservationIn(ctx) != nil {
		return func() {}, nil
	}
	learning := s.list(pagings).learning
	if err := learning.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("wait for another call to learn the query form: %w", err)
	}
	return func() { learning.Release(1) }, nil
}

// form returns what is known of a form.
func (s *learned) form(name string) formState {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.forms[name]
	if known.state == formIgnored && !recent(known.at, formIgnoredFor) {
		return formUntried
	}
	return known.state
}

func (s *learned) setForm(name string, state formState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forms[name] = formFact{state, time.Now()}
}

// Learned says what was found out about how Telnyx understands requests, one
// sentence each, in a fixed order. It is empty before the first list was read.
func (c *Client) Learned() []string {
	s := c.state()
	s.mu.Lock()
	defer s.mu.Unlock()
	var says []string
	if assignments := s.lists[snakeRoute]; assignments != nil && assignments.works {
		says = append(says, fmt.Sprintf("Assignments are under %s.", assignments.paging.route))
	}
	for _, route := range slices.Sorted(maps.Keys(s.lists)) {
		if s.lists[route].works {
			says = append(says, s.lists[route].says())
		}
	}
	for _, form := range slices.Sorted(maps.Keys(s.forms)) {
		switch s.forms[form].state {
		case formProven:
			says = append(says, fmt.Sprintf("Telnyx understands %s.", form))
		case formIgnored:
			says = append(says, fmt.Sprintf("Telnyx does not understand %s.", form))
		}
	}
	return append(says, s.numbers.says()...)
}

// says is like "GET /10dlc/brand takes page, recordsPerPage=500 and sort=createdAt; its
// totals count the whole list."
func (f *facts) says() string {
	w, count := f.paging, []string{"what its totals count is not known", "its totals count the whole list", "its totals count only their page"}
	takes := []string{w.names[0], fmt.Sprintf("%s=%d", w.names[1], w.rows), w.extra}
	if w.rows == 0 {
		takes[1] = ""
	}
	takes = slices.DeleteFunc(takes, func(parameter string) bool { return parameter == "" })
	return fmt.Sprintf("GET %s takes %s; %s.", w.route, strings.Join(takes, ", "), count[f.totals])
}

// recent reports whether something happened less than d ago.
func recent(at time.Time, d time.Duration) bool { return !at.IsZero() && time.Since(at) < d }
