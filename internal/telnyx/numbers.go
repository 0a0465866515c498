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
	// numbersPerQuery is how many numbers one query asks for, besides two controls. 249
	// numbers make a URL of about 4 KB, half of what servers usually accept, and their
	// rows fit a page that is not full.
	numbersPerQuery = 247
	// accountListFor is how long the list of a large account is kept, since it takes
	// hundreds of calls.
	accountListFor = 10 * time.Minute
	// accountListAgain is how long that list is not read again after a failure.
	accountListAgain = 2 * time.Minute
	// singlesAtOnce is how many queries run in parallel. maxSingles is how many numbers
	// are queried one by one at most if the account's size is unknown.
	singlesAtOnce = 8
	maxSingles    = 50
)

// Numbers is what the account has of the requested numbers, by their E.164 form. A number
// in neither map is unknown: no trustworthy answer proves that it is on the account, or
// that it is not.
type Numbers struct {
	Found  map[string]Number
	Absent map[string]bool
	// Read is when the oldest reading that Absent relies on began, before its first
	// request. That can be minutes before the call, because a large account's list is kept.
	// Absent says nothing about a number that was ordered after Read, and two answers with
	// the same Read are one reading. It is zero if no numbers were requested.
	Read time.Time

	empty bool // Absent relies on a list without rows
}

// numberKnowledge is what is remembered about the account's numbers.
type numberKnowledge struct {
	controls []string // two numbers known to be on the account, if it has two
	pages    int      // of the account's list; zero if unknown

	account       map[string]Number // the account's unfiltered list, as far as it was read
	accountWhole  bool              // it is complete
	accountBegan  time.Time         // when its last reading began
	accountRead   time.Time         // when that reading ended
	accountFailed time.Time         // when a reading last failed

	statuses statuses
}

// Numbers reads the messaging settings of the given numbers, and their status if Telnyx
// gives it. It accepts thousands of numbers. Without any, it makes no call.
//
// A number is found if any row of either list names it. It is absent only if it is missing
// from a complete list of the account, or from the answer to a query that found two
// numbers known to be on the account (controls). A small account is listed in full. For a
// large one, the forms of filter[phone_number] are tried in turn, and the first that works
// is remembered. If none works, the account is listed in full, at most once in ten
// minutes. If that fails, its error is returned. For two minutes after that, numbers that
// only this list could prove absent are unknown.
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
// since these may have only the numbers that can send messages. If they are many, it asks
// for some. If the account has one of those, the others are unknown.
func (c *Client) confirmAbsent(ctx context.Context, known statuses, answer Numbers) {
	switch {
	case known.whole, len(answer.Absent) == 0:
		return
	case answer.empty:
		clear(answer.Absent) // without a row, nothing shows that the list is right
		return
	case known.refused:
		return // only the messaging settings can be read
	}
	absent := slices.Sorted(maps.Keys(answer.Absent))
	asked := absent[:min(len(absent), maxSingles)]
	rows, failed := c.numbersOneByOne(ctx, asked)
	for _, number := range failed {
		delete(answer.Absent, number)
	}
	if found := newNumbers(Rows[Number]{All: rows}, asked).Found; len(found) > 0 {
		for number, row := range found {
			answer.Found[number] = row
			delete(answer.Absent, number)
		}
		for _, number := range absent[len(asked):] {
			delete(answer.Absent, number)
		}
	}
}

// with adds what a row of GET /phone_numbers says besides the messaging settings.
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

// settings returns the messaging settings of the wanted numbers, which are sorted.
func (c *Client) settings(ctx context.Context, wanted []string) (Numbers, error) {
	s := c.state()
	if answer, ok := s.fromAccount(wanted); ok {
		return answer, nil
	}
	rows, err := numberSettings.read(ctx, c, wanted, pagesFor(len(wanted)))
	answer := newNumbers(rows, wanted)
	if err != nil || rows.Complete {
		return answer, err
	}
	free, err := s.alone(ctx, settingsPagings)
	if err != nil {
		return Numbers{}, err
	}
	defer free()
	if err := c.readAccount(ctx); err != nil {
		return Numbers{}, err
	}
	if listed, ok := s.fromAccount(wanted); ok {
		maps.Copy(listed.Found, answer.Found)
		return listed, nil
	}
	return answer, nil
}

// pagesFor returns up to how many pages an account is listed in full.
func pagesFor(wanted int) int {
	return (wanted+settingsPagings[0].rows-1)/settingsPagings[0].rows + smallList - 1
}

// newNumbers returns what a list has of the wanted numbers, which are sorted.
func newNumbers(rows Rows[Number], wanted []string) Numbers {
	n := Numbers{Found: make(map[string]Number), Absent: make(map[string]bool), Read: rows.Began, empty: rows.empty}
	for _, row := range rows.All {
		if _, ok := slices.BinarySearch(wanted, row.PhoneNumber); ok {
			n.Found[row.PhoneNumber] = row
		}
	}
	for _, number := range wanted {
		if _, found := n.Found[number]; !found && rows.Complete {
			n.Absent[number] = true
		}
	}
	return n
}

// numberSettings finds the settings of numbers with filter[phone_number]. The OpenAPI
// description has the first form; Telnyx's guides and field reports have others.
var numberSettings = &selection[Number, []string]{
	whole: settingsList,
	is: func(n Number, wanted []string) bool {
		_, ok := slices.BinarySearch(wanted, n.PhoneNumber)
		return ok
	},
	forms: []form[Number, []string]{
		numberForm{"lists of +E.164 numbers", numbersPerQuery, func(n string) string { return n }}.form(),
		numberForm{"lists of digits", numbersPerQuery, digits}.form(),
		numberForm{"one +E.164 number", 1, func(n string) string { return n }}.form(),
		numberForm{"the digits of one number", 1, digits}.form(),
		numberForm{"the national digits of one number", 1, func(n string) string { return strings.TrimPrefix(digits(n), "1") }}.form(),
	},
}

func digits(number string) string { return strings.TrimPrefix(number, "+") }

// numberForm is one way to write numbers in filter[phone_number].
type numberForm struct {
	name  string
	limit int // numbers in a query
	write func(number string) string
}

func (f numberForm) form() form[Number, []string] {
	f.name = "filter[phone_number] with " + f.name
	return form[Number, []string]{f.name, f.read}
}

// queries returns the numbers of each query: batches between two controls, so that a
// truncated answer lacks one. A form for single numbers gets a control and then each
// number, if that costs less than the account's list. The first query shows whether Telnyx
// understands the form.
func (f numberForm) queries(k numberKnowledge, wanted []string) (all [][]string) {
	switch {
	case len(k.controls) == 0, f.limit == 1 && len(wanted) >= cmp.Or(k.pages, maxSingles):
		return nil
	case f.limit == 1:
		return slices.Collect(slices.Chunk(slices.Concat(k.controls[:1], wanted), 1))
	}
	for batch := range slices.Chunk(wanted, f.limit) {
		others := slices.DeleteFunc(slices.Clone(batch), func(n string) bool { return slices.Contains(k.controls, n) })
		all = append(all, slices.Concat(k.controls[:1], others, k.controls[1:]))
	}
	return all
}

// read queries the wanted numbers. The form is proven if the controls are found.
func (f numberForm) read(ctx context.Context, c *Client, wanted []string, known Rows[Number]) (Rows[Number], formState, error) {
	s, began := c.state(), time.Now()
	queries := f.queries(s.setControls(known), wanted)
	if len(queries) == 0 {
		return Rows[Number]{}, formUntried, nil
	}
	var (
		mu   sync.Mutex
		rows = Rows[Number]{Complete: true, Began: began}
	)
	run := func(ctx context.Context, asked []string, mustFind bool) error {
		found, err := f.query(ctx, c, asked)
		mu.Lock()
		defer mu.Unlock()
		rows.All = append(rows.All, found...)
		if err == nil && mustFind && !(names(found, asked[0]) && names(found, asked[len(asked)-1])) {
			return errMisread
		}
		return err
	}
	err := run(ctx, queries[0], true)
	if err == nil {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(singlesAtOnce)
		for _, asked := range queries[1:] {
			group.Go(func() error { return run(ctx, asked, f.limit > 1) })
		}
		err = group.Wait()
	}
	state := formProven
	switch {
	case errors.Is(err, errMisread) && s.form(f.name) == formProven:
		state, err = formUntried, nil // the controls may have left the account
	case errors.Is(err, errMisread):
		state, err = formIgnored, nil
	case err != nil:
		return Rows[Number]{}, formUntried, err
	}
	s.setForm(f.name, state)
	return rows, state, nil
}

// errMisread is the error for an answer that proves nothing.
var errMisread = errors.New("the query was misunderstood")

// query asks for some numbers in one request.
func (f numberForm) query(ctx context.Context, c *Client, asked []string) ([]Number, error) {
	written := make([]string, len(asked))
	for i, number := range asked {
		written[i] = f.write(number)
	}
	l := settingsList.filteredBy("filter[phone_number]", strings.Join(written, ","))
	l.stop = stopAt(func(n Number) bool { return !slices.Contains(asked, n.PhoneNumber) })
	rows, err := list(ctx, c, l)
	switch {
	case len(asked) == 1 && IsNotFound(err):
		return nil, nil // the 404 is about that number
	case isRefusal(err), isUnfit(err) && c.state().form(f.name) != formProven, err == nil && !rows.Complete:
		return nil, errMisread
	}
	return rows.All, err
}

func names(rows []Number, number string) bool {
	return slices.ContainsFunc(rows, func(n Number) bool { return n.PhoneNumber == number })
}

// setControls remembers two numbers of the account and the length of its list, if known
// has them.
func (s *learned) setControls(known Rows[Number]) numberKnowledge {
	counted := s.list(settingsPagings).totals == totalsOfList
	return s.know(func(k *numberKnowledge) {
		last := len(known.All) - 1
		if last < 1 {
			return
		}
		k.controls, k.pages = []string{known.All[0].PhoneNumber, known.All[last].PhoneNumber}, 0
		if counted {
			k.pages = known.Pages
		}
	})
}

// readAccount reads the account's unfiltered list and keeps it, unless that was done
// recently. After a recent failure of any kind it makes no call: each attempt may take
// hundreds of calls, and would fail at the same page.
func (c *Client) readAccount(ctx context.Context) error {
	s := c.state()
	if k := s.know(func(*numberKnowledge) {}); recent(k.accountRead, accountListFor) || recent(k.accountFailed, accountListAgain) {
		return nil
	}
	rows, err := list(ctx, c, settingsList)
	if err != nil && !isTooLong(err) { // part of a very long list is better than nothing
		s.know(func(k *numberKnowledge) { k.accountFailed = time.Now() })
		return err
	}
	account := make(map[string]Number, len(rows.All))
	for _, row := range rows.All {
		account[row.PhoneNumber] = row
	}
	s.know(func(k *numberKnowledge) {
		k.account, k.accountWhole, k.accountBegan = account, rows.Complete, rows.Began
		k.accountRead, k.accountFailed = time.Now(), time.Time{}
	})
	return nil
}

// fromAccount answers from the account's list, if it was read recently.
func (s *learned) fromAccount(wanted []string) (answer Numbers, ok bool) {
	s.know(func(k *numberKnowledge) {
		if ok = recent(k.accountRead, accountListFor); !ok {
			return
		}
		rows := Rows[Number]{Complete: k.accountWhole, Began: k.accountBegan, empty: len(k.account) == 0}
		for _, number := range wanted {
			if row, listed := k.account[number]; listed {
				rows.All = append(rows.All, row)
			}
		}
		answer = newNumbers(rows, wanted)
	})
	return answer, ok
}

// ForgetNumbers drops the kept list of the account, so that the next [Client.Numbers]
// does not answer from it. It is safe for concurrent use.
func (c *Client) ForgetNumbers() {
	c.state().know(func(k *numberKnowledge) { k.account, k.accountRead = nil, time.Time{} })
}

// know changes what is known about numbers and returns it. The account's list may be used
// only inside change.
func (s *learned) know(change func(*numberKnowledge)) numberKnowledge {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.numbers)
	return s.numbers
}

// setProfile sets a number's profile in the kept list.
func (s *learned) setProfile(phoneNumber, profileID string) {
	s.know(func(k *numberKnowledge) {
		if row, listed := k.account[phoneNumber]; listed {
			row.MessagingProfileID = profileID
			k.account[phoneNumber] = row
		}
		k.statuses = statuses{}
	})
}

func (k numberKnowledge) says() (says []string) {
	if !k.accountRead.IsZero() {
		says = append(says, fmt.Sprintf("No form of filter[phone_number] works, so the whole account was listed at %s UTC.", k.accountRead.UTC().Format(time.TimeOnly)))
	}
	if !k.accountFailed.IsZero() {
		says = append(says, fmt.Sprintf("The list of the whole account could not be read at %s.", k.accountFailed.UTC().Format(time.TimeOnly)))
	}
	if k.statuses.refused {
		says = append(says, "GET /phone_numbers cannot be read, so number statuses are unknown.")
	}
	return says
}

// ProfileNumbers lists exactly the numbers on a messaging profile. A small account is
// listed in full. Otherwise the list is filtered, or read from the profile. If the result
// is empty and the query is not proven to work, the list is not complete.
func (c *Client) ProfileNumbers(ctx context.Context, profileID string) (Rows[Number], error) {
	if profileID == "" {
		return Rows[Number]{}, annotate(ErrInvalidArgument, "list numbers without a messaging profile id")
	}
	rows, err := profileNumbers.read(ctx, c, profileID, smallList)
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

// profileNumbers queries the numbers on a messaging profile with a filter, and then under
// the profile's route.
var profileNumbers = func() *selection[Number, string] {
	s := &selection[Number, string]{
		whole: settingsList,
		is:    func(n Number, profileID string) bool { return strings.EqualFold(n.MessagingProfileID, profileID) },
	}
	profileOf := func(n Number) string { return n.MessagingProfileID }
	s.add("filter[messaging_profile_id] for messaging settings", profileOf, func(profileID string) (listing[Number], bool) {
		return settingsList.filteredBy("filter[messaging_profile_id]", profileID), profileID != ""
	})
	s.add("GET "+profileRoute, profileOf, func(profileID string) (listing[Number], bool) {
		l := numberList(profilePagings)
		l.arg = profileID
		return l, profileID != ""
	})
	return s
}()

// How numbers are listed. The largest page of /phone_numbers has 250 rows. For messaging
// settings no maximum is published.
var (
	settingsPagings = numberPagings(settingsRoute, "sort[phone_number]=asc")
	profilePagings  = numberPagings(profileRoute, "")
	// Without the extra parameter, which no other list has, Telnyx answers 503 if it cannot
	// read the messaging profiles.
	accountPagings = numberPagings(numbersRoute, tolerateParam+"=true")
)

const tolerateParam = "handle_messaging_profile_error"

func numberPagings(route, extra string) []paging {
	return pagingsOf([]string{route}, []pageNames{namesV2, namesPlain, names10DLC}, extra, 250, 100, 50, 20)
}

var (
	settingsList = numberList(settingsPagings)
	accountList  = numberList(accountPagings)
)

func numberList(pagings []paging) listing[Number] {
	return listing[Number]{
		pagings: pagings,
		key: func(n *Number) string {
			if n.PhoneNumber == "" {
				return ""
			}
			return n.PhoneNumber + " " + n.ID // a number may have left and come back
		},
	}
}
