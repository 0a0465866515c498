package telnyx

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// The routes of numbers.
const (
	settingsRoute = "/phone_numbers/messaging"
	numbersRoute  = "/phone_numbers"
	profileRoute  = "/messaging_profiles/{id}/phone_numbers"
)

// numberSizes are the page sizes to ask for; 250 is the most that /phone_numbers
// gives, and no maximum is published for messaging settings.
var numberSizes = []int{250, 100, 50, 20, 0}

const (
	// numbersPerQuery is how many numbers one query asks for, with two controls. 249
	// make an address of about 4 KB, half of what servers usually take, and their rows
	// are one page that is not full.
	numbersPerQuery = 247
	// accountListFor is how long the list of a large account is used: it takes
	// hundreds of calls.
	accountListFor = 10 * time.Minute
	// accountListAgain is how long that list is not begun again after it failed.
	accountListAgain = 2 * time.Minute
	// singlesAtOnce is how many numbers are asked for one by one at the same time, and
	// mostSingles for how many where the account's size is unknown.
	singlesAtOnce = 8
	mostSingles   = 50
)

// Numbers is what the account has of the numbers that were asked for, by their
// E.164 form. A number in neither map is unknown: no answer that can be trusted has
// it or lacks it.
type Numbers struct {
	Found  map[string]Number
	Absent map[string]bool
	// Read is when the oldest reading began that Absent rests on, before its first request
	// was made. That can be minutes before the call, because a large account's list is kept.
	// Absent counts only for requests that were made before Read: a number may have been
	// ordered since, and two answers with the same Read are one reading. It is zero if no
	// numbers were asked for.
	Read time.Time

	empty bool // Absent rests on a list without any row
}

// numberKnowledge is what was learned about queries for numbers.
type numberKnowledge struct {
	form     int      // index into numberForms, plus one; zero if none is proven
	controls []string // two numbers known to be on the account
	pages    int      // of the account's list, zero if unknown
	perPage  int
	seen     time.Time // when the three above were

	account       Rows[Number] // the whole account's list, by number
	accountRead   time.Time    // when the reading of it ended
	accountFailed time.Time    // when a reading of it last failed

	statuses statusKnowledge
	// profileFilter says whether filter[messaging_profile_id] works.
	profileFilter, profilePath formState
	// patchByNumber says that PATCH takes the number in its path, not its id.
	patchByNumber bool
}

// numberForm is one way to ask for numbers.
type numberForm struct {
	name    string
	several bool
	write   func(number string) string
	proven  bool
}

// numberForms are in the order in which they are tried. The OpenAPI description
// has the first; Telnyx's guides and field reports have others.
var numberForms = []numberForm{
	{name: "lists of +E.164 numbers", several: true, write: func(n string) string { return n }},
	{name: "lists of digits", several: true, write: digits},
	{name: "one +E.164 number", write: func(n string) string { return n }},
	{name: "the digits of one number", write: digits},
	{name: "the national digits of one number", write: func(n string) string { return strings.TrimPrefix(digits(n), "1") }},
}

func digits(number string) string { return strings.TrimPrefix(number, "+") }

// Numbers reads what the account has of the given numbers: messaging settings, and
// the status if Telnyx says it. Thousands may be asked for at once. No numbers, no
// call.
//
// A number is found by any row that names it, in either list. It is absent only from a complete
// list of the account, or from the answer to a query whose form found two numbers
// that are known to be there (controls). A small account is listed as a whole. For
// a large one, the forms of filter[phone_number] are tried in turn, and the one that
// works is remembered. If none works, the whole account is listed, at most once in
// ten minutes. If that fails, its error is returned, and for two minutes what only this
// list could settle is unknown.
//
// OpenAPI: GET /phone_numbers/messaging, GET /phone_numbers
func (c *Client) Numbers(ctx context.Context, numbers []string) (Numbers, error) {
	wanted := make([]string, 0, len(numbers))
	for _, number := range numbers {
		if number = CanonicalNumber(number); number == "" {
			return Numbers{}, annotate(ErrInvalidArgument, "read the settings of an empty number")
		}
		wanted = append(wanted, number)
	}
	slices.Sort(wanted)
	if wanted = slices.Compact(wanted); len(wanted) == 0 {
		return Numbers{}, nil
	}
	statuses := c.beginStatuses(ctx, wanted)
	defer statuses.cancel()
	answer, err := c.settings(ctx, wanted)
	if err != nil {
		return Numbers{}, annotate(err, "read the settings of %s and %s more", wanted[0], fmt.Sprint(len(wanted)-1))
	}
	known := statuses.wait()
	for _, number := range wanted {
		n, found := answer.Found[number]
		row, listed := known.known[number]
		if found || listed { // either list proves that the number is on the account
			answer.Found[number] = n.with(row)
			delete(answer.Absent, number)
		}
	}
	c.confirmAbsent(ctx, known, answer)
	return answer, nil
}

// confirmAbsent asks GET /phone_numbers for numbers that the messaging settings lack,
// since these may have only the numbers that can send messages. Of many numbers some are
// asked for. If the account has one of them, the others are unknown.
func (c *Client) confirmAbsent(ctx context.Context, known statusKnowledge, answer Numbers) {
	if known.whole || len(answer.Absent) == 0 {
		return
	}
	if answer.empty {
		clear(answer.Absent) // no row shows that the list can be believed
		return
	}
	if !known.failed.IsZero() {
		return // the settings are all that can be read
	}
	absent := slices.Sorted(maps.Keys(answer.Absent))
	asked := absent[:min(len(absent), mostSingles)]
	var (
		mu     sync.Mutex
		group  sync.WaitGroup
		places = make(chan struct{}, singlesAtOnce)
		found  bool
	)
	for _, number := range asked {
		group.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			rows, err := list(ctx, c, statusList(url.Values{"filter[phone_number]": {digits(number)}}, 1))
			mu.Lock()
			defer mu.Unlock()
			if err != nil && !isUnfit(err) {
				delete(answer.Absent, number)
			}
			if i := slices.IndexFunc(rows.All, func(n Number) bool { return n.PhoneNumber == number }); i >= 0 {
				answer.Found[number] = rows.All[i]
				delete(answer.Absent, number)
				found = true
			}
		})
	}
	group.Wait()
	if found {
		for _, number := range absent[len(asked):] {
			delete(answer.Absent, number)
		}
	}
}

// with adds what a row of the account's numbers says beside the messaging settings.
func (n Number) with(row Number) Number {
	if n.PhoneNumber == "" {
		return row
	}
	n.ID = cmp.Or(n.ID, row.ID)
	n.Type = cmp.Or(n.Type, row.Type)
	n.CountryCode = cmp.Or(n.CountryCode, row.CountryCode)
	n.Status = cmp.Or(row.Status, n.Status)
	return n
}

// settings finds the messaging settings of numbers.
func (c *Client) settings(ctx context.Context, wanted []string) (Numbers, error) {
	s := c.state()
	if answer, ok := s.fromAccount(wanted); ok {
		return answer, nil
	}
	if answer, ok, err := c.provenForm(ctx, wanted); ok || err != nil {
		return answer, err
	}
	rows, err := list(ctx, c, settingsList(nil, pagesFor(len(wanted))))
	if err != nil {
		return Numbers{}, err
	}
	answer := newNumbers()
	answer.take(rows, wanted)
	if rows.Complete {
		return answer, nil
	}
	free, err := s.form.take(ctx)
	if err != nil {
		return Numbers{}, err
	}
	defer free()
	if answer, ok := s.fromAccount(wanted); ok { // read by another call meanwhile
		return answer, nil
	}
	s.setControls(rows)
	answer.Read = time.Now()
	if ok, err := c.tryForms(ctx, wanted, answer); ok || err != nil {
		return answer, err
	}
	all, err := c.readAccount(ctx)
	if err != nil {
		return Numbers{}, err
	}
	answer.take(all, wanted)
	return answer, nil
}

// pagesFor is how many pages an account may have to be listed as a whole.
func pagesFor(wanted int) int { return (wanted+numberSizes[0]-1)/numberSizes[0] + smallList - 1 }

// newNumbers is an answer that is read from now on.
func newNumbers() Numbers {
	return Numbers{Found: make(map[string]Number), Absent: make(map[string]bool), Read: time.Now()}
}

// add takes in the rows about numbers that are wanted, which are sorted.
func (n Numbers) add(rows []Number, wanted []string) {
	for _, row := range rows {
		if _, ok := slices.BinarySearch(wanted, row.PhoneNumber); ok {
			n.Found[row.PhoneNumber] = row
			delete(n.Absent, row.PhoneNumber)
		}
	}
}

// lacks marks the requested numbers that were not found as absent.
func (n Numbers) lacks(asked []string) {
	for _, number := range asked {
		if _, ok := n.Found[number]; !ok {
			n.Absent[number] = true
		}
	}
}

// take takes in a list of the account. If it is complete, Absent rests on it alone.
func (n *Numbers) take(rows Rows[Number], wanted []string) {
	n.add(rows.All, wanted)
	if rows.Complete {
		n.lacks(wanted)
		n.Read, n.empty = rows.Began, len(rows.All) == 0
	}
}

// provenForm asks in the form that is known to work, if there is one.
func (c *Client) provenForm(ctx context.Context, wanted []string) (answer Numbers, ok bool, err error) {
	k := c.state().numberKnowledge()
	if k.form == 0 || len(k.controls) < 2 || !recent(k.seen, accountListFor) {
		return Numbers{}, false, nil
	}
	answer = newNumbers()
	form := numberForms[k.form-1]
	form.proven = true
	ok, err = c.ask(ctx, form, k, wanted, answer)
	return answer, ok, err
}

// tryForms asks in one form after the other until one finds its controls, the one
// that worked last before the others.
func (c *Client) tryForms(ctx context.Context, wanted []string, answer Numbers) (ok bool, err error) {
	k := c.state().numberKnowledge()
	if len(k.controls) < 2 {
		return false, nil
	}
	for i := range len(numberForms) + 1 {
		form := i
		if i == 0 {
			form = k.form
		}
		if form == 0 || i > 0 && form == k.form {
			continue
		}
		ok, err := c.ask(ctx, numberForms[form-1], k, wanted, answer)
		if ok {
			c.state().setForm(form)
		}
		if ok || err != nil {
			return ok, err
		}
	}
	c.state().setForm(0)
	return false, nil
}

// ask asks for numbers in one form. ok says that it found its controls, so that
// what it did not find is absent.
func (c *Client) ask(ctx context.Context, form numberForm, k numberKnowledge, wanted []string, answer Numbers) (ok bool, err error) {
	if !form.several {
		return c.askOneByOne(ctx, form, k, wanted, answer)
	}
	for batch := range slices.Chunk(wanted, numbersPerQuery) {
		// With a control at either end, an answer that was cut short lacks one.
		query := append([]string{k.controls[0]}, leaveOut(batch, k.controls)...)
		query = append(query, k.controls[1])
		rows, ok, err := c.query(ctx, form, k, query)
		answer.add(rows, wanted)
		if !ok || err != nil || !names(rows, k.controls[0]) || !names(rows, k.controls[1]) {
			return false, err
		}
		answer.lacks(batch)
	}
	return true, nil
}

// askOneByOne asks for a control and then for each number, if that costs less than
// the account's list.
func (c *Client) askOneByOne(ctx context.Context, form numberForm, k numberKnowledge, wanted []string, answer Numbers) (ok bool, err error) {
	if len(wanted) >= cmp.Or(k.pages, mostSingles) {
		return false, nil
	}
	rows, ok, err := c.query(ctx, form, k, k.controls[:1])
	if !ok || err != nil || !names(rows, k.controls[0]) {
		return false, err
	}
	var (
		mu         sync.Mutex
		group      sync.WaitGroup
		places     = make(chan struct{}, singlesAtOnce)
		understood = true
	)
	for _, number := range wanted {
		group.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			rows, ok, one := c.query(ctx, form, k, []string{number})
			mu.Lock()
			defer mu.Unlock()
			answer.add(rows, wanted)
			switch {
			case one != nil:
				err = one
			case !ok:
				understood = false
			default:
				answer.lacks([]string{number})
			}
		})
	}
	group.Wait()
	return understood && err == nil, err
}

// query makes one query in a form. ok says that its answer is complete.
func (c *Client) query(ctx context.Context, form numberForm, k numberKnowledge, numbers []string) (rows []Number, ok bool, err error) {
	written := make([]string, len(numbers))
	for i, number := range numbers {
		written[i] = form.write(number)
	}
	asked := slices.Sorted(slices.Values(numbers))
	l := settingsList(url.Values{"filter[phone_number]": {strings.Join(written, ",")}}, len(numbers)/max(k.perPage, 1)+2)
	l.stop = func(page []Number) string {
		others := 0
		for _, row := range page {
			if _, ok := slices.BinarySearch(asked, row.PhoneNumber); !ok {
				others++
			}
		}
		if 2*others > len(page) {
			return "the filter is ignored"
		}
		return "" // it may match parts of numbers, too
	}
	answer, err := list(ctx, c, l)
	if isRefusal(err) || !form.proven && isUnfit(err) {
		return nil, len(numbers) == 1 && IsNotFound(err), nil // about that number
	}
	return answer.All, answer.Complete, err
}

func leaveOut(numbers, others []string) []string {
	return slices.DeleteFunc(slices.Clone(numbers), func(n string) bool { return slices.Contains(others, n) })
}

func names(rows []Number, number string) bool {
	return slices.ContainsFunc(rows, func(n Number) bool { return n.PhoneNumber == number })
}

// readAccount lists the whole account and keeps the list. If that failed lately, for
// whatever reason, it makes no call and returns no rows: each attempt may be hundreds of
// calls, and would fail at the same page.
func (c *Client) readAccount(ctx context.Context) (Rows[Number], error) {
	s := c.state()
	if recent(s.numberKnowledge().accountFailed, accountListAgain) {
		return Rows[Number]{}, nil
	}
	rows, err := list(ctx, c, settingsList(nil, 0))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && !isTooLong(err) { // some of a very long list is better than none
		s.numbers.accountFailed = time.Now()
		return Rows[Number]{}, err
	}
	s.numbers.account, s.numbers.accountRead, s.numbers.accountFailed = rows, time.Now(), time.Time{}
	return rows, nil
}

// fromAccount answers from the account's list, if it was read lately.
func (s *learned) fromAccount(wanted []string) (answer Numbers, ok bool) {
	k := s.numberKnowledge()
	if !recent(k.accountRead, accountListFor) {
		return Numbers{}, false
	}
	answer = newNumbers()
	answer.take(k.account, wanted)
	return answer, true
}

// ForgetNumbers makes the next [Client.Numbers] read the account's list again where it
// would answer from the list that it has kept. Safe for concurrent use.
func (c *Client) ForgetNumbers() { c.state().forgetNumbers() }

func (s *learned) forgetNumbers() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.numbers.account, s.numbers.accountRead = Rows[Number]{}, time.Time{}
}

// numberKnowledge returns a copy, whose lists are not changed any more.
func (s *learned) numberKnowledge() numberKnowledge {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.numbers
}

func (s *learned) setForm(form int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.numbers.form = form
}

// setControls remembers two numbers of the account, and how long its list is.
func (s *learned) setControls(rows Rows[Number]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.numbers.controls, s.numbers.pages, s.numbers.perPage, s.numbers.seen = nil, 0, rows.perPage, time.Now()
	if s.routes[settingsRoute].totals() == totalsOfAll {
		s.numbers.pages = rows.Pages
	}
	if len(rows.All) >= 2 {
		s.numbers.controls = []string{rows.All[0].PhoneNumber, rows.All[len(rows.All)-1].PhoneNumber}
	}
}

func (k numberKnowledge) says() (says []string) {
	if k.form > 0 {
		says = append(says, fmt.Sprintf("filter[phone_number] works with %s.", numberForms[k.form-1].name))
	}
	if !k.accountRead.IsZero() {
		says = append(says, fmt.Sprintf("No form of filter[phone_number] works; the whole account was listed at %s UTC.", k.accountRead.UTC().Format(time.TimeOnly)))
	}
	if k.profileFilter == formIgnored {
		says = append(says, "Telnyx does not understand filter[messaging_profile_id] in the list of messaging settings.")
	}
	if k.patchByNumber {
		says = append(says, "PATCH /phone_numbers/{id}/messaging takes the number, not its id.")
	}
	if !k.accountFailed.IsZero() {
		says = append(says, fmt.Sprintf("The list of the whole account could not be read at %s.", k.accountFailed.UTC().Format(time.TimeOnly)))
	}
	return append(says, k.statuses.says()...)
}

// ProfileNumbers lists the numbers on a messaging profile, and no others. A small
// account is listed as a whole. Otherwise the list is filtered, or read from the
// profile; if that is empty and has never been seen to work, it is not complete.
func (c *Client) ProfileNumbers(ctx context.Context, profileID string) (Rows[Number], error) {
	if profileID == "" {
		return Rows[Number]{}, annotate(ErrInvalidArgument, "list numbers without a messaging profile id")
	}
	rows, err := c.profileNumbers(ctx, profileID)
	if err != nil || len(rows.All) == 0 {
		return rows, annotate(err, "list the numbers of messaging profile %s", profileID)
	}
	wanted := make([]string, len(rows.All))
	for i, n := range rows.All {
		wanted[i] = n.PhoneNumber
	}
	slices.Sort(wanted)
	statuses := c.beginStatuses(ctx, wanted)
	defer statuses.cancel()
	known := statuses.wait()
	for i := range rows.All {
		rows.All[i] = rows.All[i].with(known.known[rows.All[i].PhoneNumber])
	}
	return rows, nil
}

func (c *Client) profileNumbers(ctx context.Context, profileID string) (Rows[Number], error) {
	s := c.state()
	isOn := func(n Number) bool { return strings.EqualFold(n.MessagingProfileID, profileID) }
	all, err := list(ctx, c, settingsList(nil, smallList))
	if err != nil || all.Complete {
		return all.keep(isOn), err
	}
	best := all.keep(isOn)
	best.Why = "neither the filter nor the path of messaging profiles is understood, and " + all.Why
	byPath := settingsList(nil, 0)
	byPath.request, byPath.optional = get(profileRoute, profileID), nil
	byFilter := settingsList(url.Values{"filter[messaging_profile_id]": {profileID}}, 0)
	for _, way := range []struct {
		list  listing[Number]
		state *formState
	}{{byFilter, &s.numbers.profileFilter}, {byPath, &s.numbers.profilePath}} {
		if s.formState(way.state) == formIgnored {
			continue
		}
		way.list.stop = func(page []Number) string {
			if slices.ContainsFunc(page, func(n Number) bool { return !isOn(n) }) {
				return "it has numbers of other profiles"
			}
			return ""
		}
		rows, err := list(ctx, c, way.list)
		if err != nil && !isRefusal(err) {
			return rows, err
		}
		before := len(rows.All)
		rows = rows.keep(isOn)
		switch {
		case err != nil:
			continue // perhaps only this profile is unknown
		case len(rows.All) < before:
			s.setFormState(way.state, formIgnored)
			continue
		case len(rows.All) > 0:
			s.setFormState(way.state, formProven)
			return rows, nil
		case s.formState(way.state) == formProven:
			return rows, nil
		}
		if len(best.All) == 0 {
			best.Why = "it is empty, and the query is not proven to work"
		}
	}
	return best, nil
}

func (s *learned) formState(state *formState) formState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *state
}

func (s *learned) setFormState(state *formState, value formState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*state = value
}

// settingsList lists messaging settings, by number.
func settingsList(filter url.Values, maxPages int) listing[Number] {
	l := numberList(settingsRoute, filter, maxPages)
	l.optional = []string{"sort[phone_number]", "asc"}
	return l
}

func numberList(route string, filter url.Values, maxPages int) listing[Number] {
	r := get(route)
	r.query = filter
	return listing[Number]{
		request: r, sizes: numberSizes, v2: true, maxPages: maxPages,
		key: func(n *Number) string {
			if n.PhoneNumber == "" {
				return ""
			}
			return n.PhoneNumber + " " + n.ID // a number may have left and come back
		},
		text: func(n *Number) int {
			return len(n.ID) + len(n.PhoneNumber) + len(n.MessagingProfileID) + len(n.Type) + len(n.CountryCode) + len(n.Status)
		},
	}
}
