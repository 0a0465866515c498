package telnyx

import (
	"context"
	"net/url"
	"slices"
	"time"
)

const (
	// statusFor is how long a status is used.
	statusFor = time.Minute
	// fewStatuses is for how many numbers of a large account the status is asked for
	// one by one.
	fewStatuses = 4
)

// otherStatuses are the published statuses of numbers that do not work yet, or any
// more, in the order in which they are asked for.
var otherStatuses = []string{
	"port-pending", "ported-out", "purchase-pending", "port-out-pending", "port-failed", "purchase-failed", "deleted", "emergency-only",
}

// statusKnowledge is what is known of the statuses of numbers.
type statusKnowledge struct {
	read   time.Time         // when the oldest of known was
	known  map[string]Number // the rows that were read; replaced, never changed
	all    bool              // known has all that can be learned for now
	whole  bool              // known has every number of the account
	failed time.Time         // when the list was last refused
	filter formState         // whether filter[status] works
}

func (k statusKnowledge) says() (says []string) {
	if !k.failed.IsZero() {
		says = append(says, "GET /phone_numbers cannot be read, so number statuses are unknown.")
	}
	if k.filter == formIgnored {
		says = append(says, "Telnyx does not understand filter[status] in the list of numbers.")
	}
	return says
}

// statusRead is a read of statuses that runs beside another one.
type statusRead struct {
	cancel context.CancelFunc
	done   chan struct{}
	result statusKnowledge
}

// beginStatuses begins to read the statuses of numbers, which are sorted. It must be
// cancelled or waited for.
func (c *Client) beginStatuses(ctx context.Context, wanted []string) *statusRead {
	ctx, cancel := context.WithCancel(ctx)
	r := &statusRead{done: make(chan struct{})}
	r.cancel = func() {
		cancel()
		<-r.done
	}
	go func() {
		defer close(r.done)
		r.result = c.statuses(ctx, wanted, false)
	}()
	return r
}

func (r *statusRead) wait() statusKnowledge {
	<-r.done
	return r.result
}

// statuses returns what Telnyx says of the statuses, or what was read within a minute,
// which has to be the whole list if whole is set. A status that cannot be read is left
// out; nothing depends on all of them.
func (c *Client) statuses(ctx context.Context, wanted []string, whole bool) statusKnowledge {
	s := c.state()
	free, err := s.status.take(ctx)
	if err != nil {
		return statusKnowledge{}
	}
	defer free()
	k := s.numberKnowledge().statuses
	if recent(k.failed, accountListFor) || recent(k.read, statusFor) && (k.whole || !whole && k.has(wanted)) {
		return k
	}
	rows, err := list(ctx, c, statusList(nil, pagesFor(len(wanted))))
	if err != nil {
		k = statusKnowledge{}
		if _, refused := asAnswer(err); refused {
			k.failed = time.Now()
			s.setStatuses(k)
		}
		return k
	}
	k = statusKnowledge{read: time.Now(), known: make(map[string]Number), all: true, whole: rows.Complete, filter: k.filter}
	k.add(rows.All)
	switch {
	case rows.Complete:
	case len(wanted) <= fewStatuses:
		k.all = false
		for _, number := range wanted {
			if rows, err := list(ctx, c, statusList(url.Values{"filter[phone_number]": {digits(number)}}, 1)); err == nil {
				k.add(rows.All)
			}
		}
	case k.filter != formIgnored:
		c.filterStatuses(ctx, len(wanted), &k)
	}
	s.setStatuses(k)
	return k
}

// filterStatuses asks a large account for the numbers that do not work, in a few
// calls that grow with how many are wanted. An empty answer says nothing here.
func (c *Client) filterStatuses(ctx context.Context, wanted int, k *statusKnowledge) {
	for _, status := range otherStatuses[:min(2+wanted/200, len(otherStatuses))] {
		rows, err := list(ctx, c, statusList(url.Values{"filter[status]": {status}}, pagesFor(wanted)))
		if err != nil {
			return
		}
		k.add(rows.All)
		if slices.ContainsFunc(rows.All, func(n Number) bool { return canonicalWord(n.Status) != canonicalWord(status) }) {
			k.filter = formIgnored
			return
		}
	}
}

// has reports whether nothing more can be learned of the numbers for now.
func (k statusKnowledge) has(wanted []string) bool {
	return k.all || !slices.ContainsFunc(wanted, func(n string) bool { return k.known[n].Status == "" })
}

// add takes in what rows say. A number that left and came back is active.
func (k statusKnowledge) add(rows []Number) {
	for _, n := range rows {
		if before, listed := k.known[n.PhoneNumber]; !listed || n.Status != "" && before.Status != NumberActive {
			k.known[n.PhoneNumber] = n
		}
	}
}

func (s *learned) setStatuses(k statusKnowledge) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.numbers.statuses = k
}

// tolerateParam makes Telnyx list numbers without their messaging profiles if it cannot
// read these. Without it, the list is answered with 503. Only GET /phone_numbers has it.
const tolerateParam = "handle_messaging_profile_error"

// statusList lists the account's numbers.
func statusList(filter url.Values, maxPages int) listing[Number] {
	l := numberList(numbersRoute, filter, maxPages)
	l.optional = []string{tolerateParam, "true"}
	return l
}
