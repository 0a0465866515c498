package telnyx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// The routes of lists of numbers.
const (
	settingsRoute = "/phone_numbers/messaging"
	numbersRoute  = "/phone_numbers"
	profileRoute  = "/messaging_profiles/{id}/phone_numbers"
)

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
	// singlesAtOnce is how many queries run at the same time, and mostSingles for how
	// many numbers there is a query each where the account's size is unknown.
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

// numberKnowledge is what is kept of the account's numbers.
type numberKnowledge struct {
	controls [2]string // two numbers known to be on the account; empty if there are none
	pages    int       // of the account's list; zero if unknown

	account       Rows[Number] // the whole account's list, by number
	accountRead   time.Time    // when the reading of it ended
	accountFailed time.Time    // when a reading of it last failed

	statuses statuses
}

// numberForm is one way to ask for numbers with filter[phone_number].
type numberForm struct {
	name  string
	most  int // numbers in a query
	write func(number string) string
}

// numberForms are in the order in which they are tried. The OpenAPI description has the
// first; Telnyx's guides and field reports have others.
var numberForms = []numberForm{
	{"filter[phone_number] with lists of +E.164 numbers", numbersPerQuery, func(n string) string { return n }},
	{"filter[phone_number] with lists of digits", numbersPerQuery, digits},
	{"filter[phone_number] with one +E.164 number", 1, func(n string) string { return n }},
	{"filter[phone_number] with the digits of one number", 1, digits},
	{"filter[phone_number] with the national digits of one number", 1, func(n string) string { return strings.TrimPrefix(digits(n), "1") }},
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
	var (
		answer Numbers
		known  statuses
	)
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error {
		known = c.statuses(groupCtx, wanted, false)
		return nil
	})
	group.Go(func() (err error) {
		answer, err = c.settings(groupCtx, wanted)
		return err
	})
	if err := group.Wait(); err != nil {
		return Numbers{}, annotate(err, "read the settings of %s and %s more", wanted[0], fmt.Sprint(len(wanted)-1))
	}
	for _, number := range wanted {
		n, found := answer.Found[number]
		row, listed := known.rows[number]
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
func (c *Client) confirmAbsent(ctx context.Context, known statuses, answer Numbers) {
	switch {
	case known.whole, len(answer.Absent) == 0:
		return
	case answer.empty:
		clear(answer.Absent) // no row shows that the list can be believed
		return
	case known.refused:
		return // the settings are all that can be read
	}
	absent := slices.Sorted(maps.Keys(answer.Absent))
	asked := absent[:min(len(absent), mostSingles)]
	rows, failed := c.numbersOneByOne(ctx, asked)
	for _, number := range failed {
		delete(answer.Absent, number)
	}
	before := len(answer.Found)
	answer.add(rows, asked)
	if len(answer.Found) > before {
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
	answer := newNumbers()
	if ok, err := c.askInForms(ctx, wanted, answer, formProven); ok || err != nil {
		return answer, err
	}
	rows, err := list(ctx, c, settingsList.within(pagesFor(len(wanted))))
	if err != nil {
		return Numbers{}, err
	}
	answer = newNumbers()
	answer.take(rows, wanted)
	if rows.Complete {
		return answer, nil
	}
	free, err := s.alone(ctx, settingsWays)
	if err != nil {
		return Numbers{}, err
	}
	defer free()
	if answer, ok := s.fromAccount(wanted); ok { // read by another call meanwhile
		return answer, nil
	}
	s.setControls(rows)
	answer.Read = time.Now()
	if ok, err := c.askInForms(ctx, wanted, answer, formProven, formUntried); ok || err != nil {
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
func pagesFor(wanted int) int {
	return (wanted+settingsWays[0].rows-1)/settingsWays[0].rows + smallList - 1
}

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

// take takes in a list of the account. If it is complete, Absent rests on it alone.
func (n *Numbers) take(rows Rows[Number], wanted []string) {
	n.add(rows.All, wanted)
	if !rows.Complete {
		return
	}
	n.Read, n.empty = rows.Began, len(rows.All) == 0
	for _, number := range wanted {
		if _, found := n.Found[number]; !found {
			n.Absent[number] = true
		}
	}
}

// askInForms asks for numbers in the forms that are in the first state, then in the next,
// until one finds its controls. ok says that one did, so that what it did not find is
// absent.
func (c *Client) askInForms(ctx context.Context, wanted []string, answer Numbers, states ...formState) (ok bool, err error) {
	s := c.state()
	for _, state := range states {
		for _, form := range numberForms {
			if s.form(form.name) != state {
				continue
			}
			err := c.ask(ctx, form, wanted, answer)
			if err == nil {
				s.setForm(form.name, formProven)
				return true, nil
			}
			if !errors.Is(err, errMisread) {
				return false, err
			}
			s.setForm(form.name, formUntried)
		}
	}
	return false, nil
}

// errMisread is why the answer to a query proves nothing.
var errMisread = errors.New("the query is not understood")

// numberQuery asks for some numbers, of which those that must be found are known to be on
// the account.
type numberQuery struct{ asked, must []string }

// queries are what to ask in a form: batches between two controls, so that an answer that
// was cut short lacks one, or a control and then each number, if that costs less than the
// account's list.
func (f numberForm) queries(known numberKnowledge, wanted []string) (all []numberQuery) {
	first, last := known.controls[:1], known.controls[1:]
	if f.most == 1 {
		if len(wanted) >= cmp.Or(known.pages, mostSingles) {
			return nil
		}
		all = append(all, numberQuery{first, first})
		first, last = nil, nil
	}
	for batch := range slices.Chunk(wanted, f.most) {
		others := slices.DeleteFunc(slices.Clone(batch), func(n string) bool { return first != nil && slices.Contains(known.controls[:], n) })
		all = append(all, numberQuery{slices.Concat(first, others, last), slices.Concat(first, last)})
	}
	return all
}

// ask asks for numbers in a form. The first query alone shows whether it is understood.
func (c *Client) ask(ctx context.Context, form numberForm, wanted []string, answer Numbers) error {
	known := c.state().know(func(*numberKnowledge) {})
	if known.controls[1] == "" {
		return errMisread
	}
	queries := form.queries(known, wanted)
	if queries == nil {
		return errMisread
	}
	var mu sync.Mutex
	run := func(ctx context.Context, q numberQuery) error {
		rows, err := c.query(ctx, form, q)
		mu.Lock()
		defer mu.Unlock()
		answer.add(rows, wanted)
		if err != nil {
			return err
		}
		for _, number := range q.asked {
			if !names(rows, number) {
				answer.Absent[number] = true
			}
		}
		return nil
	}
	if err := run(ctx, queries[0]); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(singlesAtOnce)
	for _, q := range queries[1:] {
		group.Go(func() error { return run(ctx, q) })
	}
	return group.Wait()
}

// query makes one query in a form.
func (c *Client) query(ctx context.Context, form numberForm, q numberQuery) ([]Number, error) {
	written := make([]string, len(q.asked))
	for i, number := range q.asked {
		written[i] = form.write(number)
	}
	l := settingsList
	l.filter = filter("filter[phone_number]", strings.Join(written, ","))
	l.stop = func(page []Number) string {
		if slices.ContainsFunc(page, func(n Number) bool { return !slices.Contains(q.asked, n.PhoneNumber) }) {
			return "the filter is ignored"
		}
		return ""
	}
	rows, err := list(ctx, c, l)
	switch {
	case len(q.asked) == 1 && IsNotFound(err):
		return nil, q.proves(nil) // about that number
	case isRefusal(err), isUnfit(err) && c.state().form(form.name) != formProven, err == nil && !rows.Complete:
		return rows.All, errMisread
	case err != nil:
		return nil, err
	}
	return rows.All, q.proves(rows.All)
}

// proves returns an error if a number that must be there is not among the rows.
func (q numberQuery) proves(rows []Number) error {
	for _, number := range q.must {
		if !names(rows, number) {
			return errMisread
		}
	}
	return nil
}

func names(rows []Number, number string) bool {
	return slices.ContainsFunc(rows, func(n Number) bool { return n.PhoneNumber == number })
}

// readAccount lists the whole account and keeps the list. If that failed lately, for
// whatever reason, it makes no call and returns no rows: each attempt may be hundreds of
// calls, and would fail at the same page.
func (c *Client) readAccount(ctx context.Context) (Rows[Number], error) {
	s := c.state()
	if recent(s.know(func(*numberKnowledge) {}).accountFailed, accountListAgain) {
		return Rows[Number]{}, nil
	}
	rows, err := list(ctx, c, settingsList)
	failed := err != nil && !isTooLong(err) // some of a very long list is better than none
	s.know(func(k *numberKnowledge) {
		if failed {
			k.accountFailed = time.Now()
			return
		}
		k.account, k.accountRead, k.accountFailed = rows, time.Now(), time.Time{}
	})
	if failed {
		return Rows[Number]{}, err
	}
	return rows, nil
}

// fromAccount answers from the account's list, if it was read lately.
func (s *learned) fromAccount(wanted []string) (answer Numbers, ok bool) {
	known := s.know(func(*numberKnowledge) {})
	if !recent(known.accountRead, accountListFor) {
		return Numbers{}, false
	}
	answer = newNumbers()
	answer.take(known.account, wanted)
	return answer, true
}

// ForgetNumbers makes the next [Client.Numbers] read the account's list again where it
// would answer from the list that it has kept. Safe for concurrent use.
func (c *Client) ForgetNumbers() {
	c.state().know(func(k *numberKnowledge) { k.account, k.accountRead = Rows[Number]{}, time.Time{} })
}

// know changes what is known of numbers and returns it. The lists in it are not changed
// any more.
func (s *learned) know(change func(*numberKnowledge)) numberKnowledge {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.numbers)
	return s.numbers
}

// setControls remembers two numbers of the account, and how long its list is.
func (s *learned) setControls(rows Rows[Number]) {
	counted := s.list(settingsWays).totals == totalsOfList
	s.know(func(k *numberKnowledge) {
		k.controls, k.pages = [2]string{}, 0
		if counted {
			k.pages = rows.Pages
		}
		if n := len(rows.All); n >= 2 {
			k.controls = [2]string{rows.All[0].PhoneNumber, rows.All[n-1].PhoneNumber}
		}
	})
}

// setProfile puts a number on a profile in the lists that are kept.
func (s *learned) setProfile(phoneNumber, profileID string) {
	s.know(func(k *numberKnowledge) {
		is := func(n Number) bool { return n.PhoneNumber == phoneNumber }
		if slices.ContainsFunc(k.account.All, is) {
			k.account.All = slices.Clone(k.account.All) // others may read the old one
			for i := range k.account.All {
				if is(k.account.All[i]) {
					k.account.All[i].MessagingProfileID = profileID
				}
			}
		}
		if row, ok := k.statuses.rows[phoneNumber]; ok {
			row.MessagingProfileID = profileID
			k.statuses.rows = maps.Clone(k.statuses.rows)
			k.statuses.rows[phoneNumber] = row
		}
	})
}

func (k numberKnowledge) says() (says []string) {
	if !k.accountRead.IsZero() {
		says = append(says, fmt.Sprintf("No form of filter[phone_number] works; the whole account was listed at %s UTC.", k.accountRead.UTC().Format(time.TimeOnly)))
	}
	if !k.accountFailed.IsZero() {
		says = append(says, fmt.Sprintf("The list of the whole account could not be read at %s.", k.accountFailed.UTC().Format(time.TimeOnly)))
	}
	if k.statuses.refused {
		says = append(says, "GET /phone_numbers cannot be read, so number statuses are unknown.")
	}
	return says
}

// ProfileNumbers lists the numbers on a messaging profile, and no others. A small
// account is listed as a whole. Otherwise the list is filtered, or read from the
// profile; if that is empty and is not proven to work, it is not complete.
func (c *Client) ProfileNumbers(ctx context.Context, profileID string) (Rows[Number], error) {
	if profileID == "" {
		return Rows[Number]{}, annotate(ErrInvalidArgument, "list numbers without a messaging profile id")
	}
	rows, err := profileSelection.read(ctx, c, profileID)
	if err != nil || len(rows.All) == 0 {
		return rows, annotate(err, "list the numbers of messaging profile %s", profileID)
	}
	wanted := make([]string, len(rows.All))
	for i, n := range rows.All {
		wanted[i] = n.PhoneNumber
	}
	known := c.statuses(ctx, wanted, false)
	for i, n := range rows.All {
		rows.All[i] = n.with(known.rows[n.PhoneNumber])
	}
	return rows, nil
}

var profileSelection = selection[Number, string]{
	whole: settingsList,
	forms: profileForms,
	is:    func(n Number, profileID string) bool { return strings.EqualFold(n.MessagingProfileID, profileID) },
	owner: func(n Number) string { return n.MessagingProfileID },
}

// profileForms are the ways to ask for the numbers on a messaging profile.
func profileForms(profileID string) []form[Number] {
	if profileID == "" {
		return nil
	}
	filtered, byPath := settingsList, settingsList
	filtered.filter = filter("filter[messaging_profile_id]", profileID)
	byPath.ways, byPath.args = profileWays, []string{profileID}
	return []form[Number]{
		{"filter[messaging_profile_id] for messaging settings", filtered},
		{"GET " + profileRoute, byPath},
	}
}

// The ways to list numbers. 250 is the most that /phone_numbers gives, and no maximum is
// published for messaging settings.
var (
	settingsWays = numberWays(settingsRoute, "sort[phone_number]=asc")
	profileWays  = numberWays(profileRoute, "")
	// Without the extra parameter, which no other list has, the list is answered with 503
	// if Telnyx cannot read the messaging profiles.
	accountWays = numberWays(numbersRoute, tolerateParam+"=true")
)

const tolerateParam = "handle_messaging_profile_error"

func numberWays(route, extra string) []way {
	return waysOf([]string{route}, []pageNames{namesV2, namesPlain, names10DLC}, extra, 250, 100, 50, 20)
}

var (
	settingsList = numberList(settingsWays)
	accountList  = numberList(accountWays)
)

func numberList(ways []way) listing[Number] {
	return listing[Number]{
		ways: ways,
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
