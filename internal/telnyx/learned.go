package telnyx

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// learned is what a process found out about how Telnyx understands requests. Its
// pages contradict each other, so nothing of it is assumed.
type learned struct {
	// Each lock is held while that fact is learned, so that it is learned once.
	route, filter, form, status lock

	mu     sync.Mutex
	routes map[string]*habits
	// assignments is the route of the list of assignments, empty while unknown.
	assignments string
	// filters says of each filter form of the list of assignments whether it works.
	filters map[string]formState
	numbers numberKnowledge
}

// formState is what is known of a query form.
type formState int

const (
	formUntried formState = iota
	formProven            // it found a row that is known to be there, and no others
	formIgnored           // it brought rows that were not asked for, or was refused
)

// stateMu guards the making of Client.learned, which a literal does not have.
var stateMu sync.Mutex

// state returns what was learned by the client and its copies.
func (c *Client) state() *learned {
	stateMu.Lock()
	defer stateMu.Unlock()
	if c.learned == nil {
		c.learned = &learned{
			route: make(lock, 1), filter: make(lock, 1), form: make(lock, 1), status: make(lock, 1),
			routes:  make(map[string]*habits),
			filters: make(map[string]formState),
		}
	}
	return c.learned
}

// lock is held by one call at a time.
type lock chan struct{}

// take waits until nobody else holds the lock. A call that has a reservation does
// not wait: others may wait for its slot.
func (l lock) take(ctx context.Context) (free func(), err error) {
	if reservationIn(ctx) != nil {
		return func() {}, nil
	}
	select {
	case l <- struct{}{}:
		return func() { <-l }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for another call to learn the query form: %w", ctx.Err())
	}
}

// habits returns what is known of the list under a route.
func (s *learned) habits(route string) *habits {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.routes[route]
	if h == nil {
		h = &habits{}
		s.routes[route] = h
	}
	return h
}

func (s *learned) assignmentsRoute() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.assignments
}

func (s *learned) setAssignmentsRoute(route string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.assignments = route
}

func (s *learned) filterState(name string) formState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.filters[name]
}

func (s *learned) setFilter(name string, state formState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.filters[name] = state
}

// What the totals of a list count.
const (
	totalsUnproven = iota
	totalsOfAll
	totalsOfPage
)

// paging is how pages of a list are asked for.
type paging struct {
	size int  // index into listing.sizes
	bare bool // without the optional parameter
}

// pagingNames are the parameters for the page and its size. Telnyx's pages do not agree
// on which lists take which; other asks for those of the other kind of list.
func pagingNames(v2, other bool) (number, size string) {
	switch {
	case v2 && other:
		return "page", "page_size"
	case v2 || other:
		return "page[number]", "page[size]"
	}
	return "page", "recordsPerPage"
}

// habits is how a list behaves.
type habits struct {
	mu      sync.Mutex
	current paging
	worked  bool
	counted int
	asked   bool // a page of one row was read to learn what totals count
	// named says that the names for page and size work, other that they are those of the
	// other kind of list.
	named, other bool
	// refusedName is the optional parameter that is left out, if current.bare.
	refusedName string
	// uneven is when a list, without and with a filter, was last seen not to add up, though
	// it did not change.
	uneven [2]time.Time
}

// unevenFor is how long a list that does not add up is read once only.
const unevenFor = 10 * time.Minute

func (h *habits) isUneven(filtered bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return recent(h.uneven[index(filtered)], unevenFor)
}

func (h *habits) setUneven(filtered bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.uneven[index(filtered)] = time.Now()
}

func index(filtered bool) int {
	if filtered {
		return 1
	}
	return 0
}

// useNames remembers which names for page and size brought a second page.
func (h *habits) useNames(other bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.named, h.other = true, other
}

func (h *habits) namesWork() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.named
}

func (h *habits) usesOtherNames() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.other
}

func (h *habits) paging() paging {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.current
}

func (h *habits) proven() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.worked
}

func (h *habits) works(p paging) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.worked {
		h.current, h.worked = p, true
	}
}

// doubt has the way of paging that worked found out again.
func (h *habits) doubt() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.worked = false
}

// refused moves to the next way of paging. It returns false when there is none
// left; then it begins anew, since the refusals were about something else. optional is
// the name of the optional parameter, and blamed says that the refusal names it.
func (h *habits) refused(p paging, sizes int, optional string, blamed bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refusedName = optional
	switch {
	case h.worked || h.current != p: // another call was quicker
		return true
	case blamed && !p.bare:
		h.current.bare = true
	case p.size+1 < sizes:
		h.current.size++
	case !p.bare:
		h.current = paging{bare: true}
	default:
		h.current = paging{}
		return false
	}
	return true
}

func (h *habits) totals() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.counted
}

// mayProveTotals reports, once, that it is not known what totals count.
func (h *habits) mayProveTotals() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	may := !h.asked && h.counted == totalsUnproven
	h.asked = true
	return may
}

func (h *habits) countsAll() { h.setCounted(totalsOfAll) }

func (h *habits) countsPage() { h.setCounted(totalsOfPage) }

func (h *habits) setCounted(counted int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counted = counted
}

// Learned says what was found out about how Telnyx understands requests, one
// sentence each, in a fixed order. It is empty before the first list was read.
func (c *Client) Learned() []string {
	s := c.state()
	s.mu.Lock()
	defer s.mu.Unlock()
	var says []string
	if s.assignments != "" {
		says = append(says, fmt.Sprintf("Assignments are under %s.", s.assignments))
	}
	for _, route := range slices.Sorted(maps.Keys(s.routes)) {
		says = append(says, s.routes[route].says(route)...)
	}
	for _, form := range slices.Sorted(maps.Keys(s.filters)) {
		switch s.filters[form] {
		case formProven:
			says = append(says, fmt.Sprintf("Assignments can be listed by %s.", form))
		case formIgnored:
			says = append(says, fmt.Sprintf("Telnyx does not understand %s in the list of assignments.", form))
		}
	}
	return append(says, s.numbers.says()...)
}

func (h *habits) says(route string) (says []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.current.size > 0 {
		says = append(says, fmt.Sprintf("GET %s refuses large pages; smaller ones are asked for.", route))
	}
	if h.current.bare && h.refusedName != "" {
		says = append(says, fmt.Sprintf("GET %s refuses the parameter %s; it is left out.", route, h.refusedName))
	}
	if h.other {
		number, size := pagingNames(!strings.HasPrefix(route, "/10dlc/"), true)
		says = append(says, fmt.Sprintf("GET %s takes %s and %s.", route, number, size))
	}
	switch h.counted {
	case totalsOfAll:
		says = append(says, fmt.Sprintf("The totals of GET %s count the whole list.", route))
	case totalsOfPage:
		says = append(says, fmt.Sprintf("The totals of GET %s count only their page.", route))
	}
	return says
}

// recent reports whether something happened less than d ago.
func recent(at time.Time, d time.Duration) bool { return !at.IsZero() && time.Since(at) < d }
