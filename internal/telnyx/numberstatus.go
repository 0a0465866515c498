package telnyx

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// statusFor is how long a status is kept.
const statusFor = time.Minute

// otherStatuses are the published statuses of numbers that do not work yet, or any
// more, in the order in which they are asked for.
var otherStatuses = []string{
	"port-pending", "ported-out", "purchase-pending", "port-out-pending", "port-failed", "purchase-failed", "deleted", "emergency-only",
}

// statuses is what GET /phone_numbers says, or said lately, of the account's numbers.
type statuses struct {
	read    time.Time
	rows    map[string]Number // replaced, never changed
	whole   bool              // rows have every number of the account
	refused bool              // the list cannot be read
}

// serve reports whether nothing more can be learned for now, of the whole account if
// whole is set.
func (k statuses) serve(whole bool) bool {
	switch {
	case k.refused:
		return recent(k.read, accountListFor)
	case !recent(k.read, statusFor):
		return false
	}
	return k.whole || !whole
}

// add takes in what rows say. A number that left and came back is active.
func (k statuses) add(rows []Number) {
	for _, n := range rows {
		if before, listed := k.rows[n.PhoneNumber]; !listed || n.Status != "" && before.Status != NumberActive {
			k.rows[n.PhoneNumber] = n
		}
	}
}

// statuses returns what Telnyx says of numbers in the list of the account, or of all
// numbers if whole is set. What cannot be read is left out; nothing depends on all of it.
func (c *Client) statuses(ctx context.Context, wanted []string, whole bool) statuses {
	s := c.state()
	free, err := s.alone(ctx, accountPagings)
	if err != nil {
		return statuses{}
	}
	defer free()
	if k := s.know(func(*numberKnowledge) {}).statuses; k.serve(whole) {
		return k
	}
	rows, err := list(ctx, c, accountList.within(pagesFor(len(wanted))))
	k := statuses{read: time.Now(), rows: make(map[string]Number), whole: rows.Complete, refused: isAnswer(err)}
	k.add(rows.All)
	switch {
	case err != nil && !k.refused:
		return statuses{}
	case k.whole, k.refused:
	default:
		c.filterStatuses(ctx, len(wanted), k)
	}
	s.know(func(known *numberKnowledge) { known.statuses = k })
	return k
}

var numbersByStatus = &selection[Number, string]{
	is: func(n Number, status string) bool { return canonicalWord(n.Status) == canonicalWord(status) },
}

// filterStatuses asks a large account for the numbers that do not work, in a few
// calls that grow with how many are wanted. An empty answer says nothing here.
func (c *Client) filterStatuses(ctx context.Context, wanted int, k statuses) {
	const name = "filter[status] for numbers"
	for _, status := range otherStatuses[:min(2+wanted/200, len(otherStatuses))] {
		if c.state().form(name) == formIgnored {
			return
		}
		l := accountList.filteredBy("filter[status]", status).within(pagesFor(wanted))
		rows, _, err := numbersByStatus.readForm(ctx, c, name, l, status)
		if err != nil {
			return
		}
		k.add(rows.All)
	}
}

// numbersOneByOne asks GET /phone_numbers for each of the numbers, and returns the rows
// that came and the numbers for which there was no answer.
func (c *Client) numbersOneByOne(ctx context.Context, numbers []string) (rows []Number, failed []string) {
	var (
		mu    sync.Mutex
		group errgroup.Group
	)
	group.SetLimit(singlesAtOnce)
	for _, number := range numbers {
		group.Go(func() error {
			answer, err := list(ctx, c, accountList.filteredBy("filter[phone_number]", digits(number)).within(1))
			mu.Lock()
			defer mu.Unlock()
			rows = append(rows, answer.All...)
			if err != nil && !isUnfit(err) {
				failed = append(failed, number)
			}
			return nil
		})
	}
	_ = group.Wait() // no error is returned
	return rows, failed
}

// AccountNumbers lists all numbers of the account with their status, those that only one
// of the two lists has too. If the list of messaging settings has more than maxPages
// pages, the answer is not complete; maxPages 0 means no limit.
//
// OpenAPI: GET /phone_numbers/messaging, GET /phone_numbers
func (c *Client) AccountNumbers(ctx context.Context, maxPages int) (Rows[Number], error) {
	rows, err := list(ctx, c, settingsList.within(maxPages))
	if err != nil || !rows.Complete {
		return rows, annotate(err, "list the numbers of the account")
	}
	wanted := make([]string, len(rows.All))
	listed := make(map[string]bool, len(rows.All))
	for i, n := range rows.All {
		wanted[i], listed[n.PhoneNumber] = n.PhoneNumber, true
	}
	known := c.statuses(ctx, wanted, true)
	for i, n := range rows.All {
		rows.All[i] = n.with(known.rows[n.PhoneNumber])
	}
	for number, n := range known.rows {
		if !listed[number] {
			rows.All = append(rows.All, n)
		}
	}
	if !known.whole && (!known.refused || len(wanted) == 0) {
		rows.Complete, rows.Why = false, "GET /phone_numbers could not be read as a whole"
	}
	return rows, nil
}
