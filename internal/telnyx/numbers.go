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
	controls []string // two numbers known to be on the account, if it has as many
	pages    int      // of the account's list; zero if unknown

	account       map[string]Number // the whole account's list, as far as it was read
	accountWhole  bool              // it lacks no number
	accountBegan  time.Time         // when the reading of it began
	accountRead   time.Time         // when that ended
	accountFailed time.Time         // when a reading of it last failed

	statuses statuses
}

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

// settings finds the messaging settings of numbers, which are sorted.
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
	free, err := s.alone(ctx, settingsWays)
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

// pagesFor is how many pages an account may have to be listed as a whole.
func pagesFor(wanted int) int {
	return (wanted+settingsWays[0].rows-1)/settingsWays[0].rows + smallList - 1
}

// newNumbers is what a list has of the numbers that are wanted, which are sorted.
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
	most  int // numbers in a query
	write func(number string) string
}

func (f numberForm) form() form[Number, []string] {
	f.name = "filter[phone_number] with " + f.name
	return form[Number, []string]{f.name, f.read}
}

// queries are the numbers to ask for at once: batches between two controls, so that an
// answer that was cut short lacks one, or a control and then each number, if that costs
// less than the account's list. The first query alone shows whether the form is
// understood.
func (f numberForm) queries(k numberKnowledge, wanted []string) (all [][]string) {
	switch {
	case len(k.controls) == 0, f.most == 1 && len(wanted) >= cmp.Or(k.pages, mostSingles):
		return nil
	case f.most == 1:
		return slices.Collect(slices.Chunk(slices.Concat(k.controls[:1], wanted), 1))
	}
	for batch := range slices.Chunk(wanted, f.most) {
		others := slices.DeleteFunc(slices.Clone(batch), func(n string) bool { return slices.Contains(k.controls, n) })
		all = append(all, slices.Concat(k.controls[:1], others, k.controls[1:]))
	}
	return all
}

// read asks for numbers. The form is proven if the controls are found.
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
			group.Go(func() error { return run(ctx, asked, f.most > 1) })
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

// errMisread is why the answer to a query proves nothing.
var errMisread = errors.New("the query is not understood")

// query asks for some numbers at once.
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
		return nil, nil // about that number
	case isRefusal(err), isUnfit(err) && c.state().form(f.name) != formProven, err == nil && !rows.Complete:
		return nil, errMisread
	}
	return rows.All, err
}

func names(rows []Number, number string) bool {
	return slices.ContainsFunc(rows, func(n Number) bool { return n.PhoneNumber == number })
}

// setControls remembers two numbers of the account, and how long its list is, if known
// has them.
func (s *learned) setControls(known Rows[Number]) numberKnowledge {
	counted := s.list(settingsWays).totals == totalsOfList
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

// readAccount lists the whole account and keeps the list, unless that was done lately. If
// it failed lately, for whatever reason, it makes no call: each attempt may be hundreds of
// calls, and would fail at the same page.
func (c *Client) readAccount(ctx context.Context) error {
	s := c.state()
	if k := s.know(func(*numberKnowledge) {}); recent(k.accountRead, accountListFor) || recent(k.accountFailed, accountListAgain) {
		return nil
	}
	rows, err := list(ctx, c, settingsList)
	if err != nil && !isTooLong(err) { // some of a very long list is better than none
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

// fromAccount answers from the account's list, if it was read lately.
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

// ForgetNumbers makes the next [Client.Numbers] read the account's list again where it
// would answer from the list that it has kept. Safe for concurrent use.
func (c *Client) ForgetNumbers() {
	c.state().know(func(k *numberKnowledge) { k.account, k.accountRead = nil, time.Time{} })
}

// know changes what is known of numbers and returns it, of which the account's list is
// used only in change.
func (s *learned) know(change func(*numberKnowledge)) numberKnowledge {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.numbers)
	return s.numbers
}

// setProfile puts a number on a profile in the list that is kept.
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

// profileNumbers asks for the numbers on a messaging profile with a filter, and then under
// the profile's own route.
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
		l := numberList(profileWays)
		l.arg = profileID
		return l, profileID != ""
	})
	return s
}()

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
	}
}
