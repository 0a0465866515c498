package status

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

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
)

const (
	// viewPause is the pause before the next watch, after one ended or found no ledger.
	viewPause = time.Second
	// viewEvery is the shortest time between two reports of changed records.
	viewEvery = 250 * time.Millisecond
	// askEvery is how often [Follow] asks whether the server answers, if nothing changes.
	askEvery = 5 * time.Second
	// maxFaults bounds the faults of plan files that are shown.
	maxFaults = 50
)

// ViewConfig configures a [View]. Only JetStream is required.
type ViewConfig struct {
	// JetStream has ledger and streams.
	JetStream jetstream.JetStream
	// Checks are the readiness checks of the process.
	Checks []Check
	// PlanFaults returns why the current plan files are not in force, or nil. It is nil if
	// no plan files are watched.
	PlanFaults func() error
	// Timeout bounds reading the surroundings from NATS, by default 5 s.
	Timeout time.Duration
	// Log gets errors. The zero value logs nothing.
	Log zerolog.Logger
}

// View is a copy of the ledger in memory, kept up to date by one watch, with its
// [Surroundings]. Text, JSON, page and metrics all render it. [View.Run] must run. It is
// safe for concurrent use.
type View struct {
	config ViewConfig

	// refreshing is held while the surroundings are read. It guards refreshed, which is when
	// that was tried, and readAt, which is when it succeeded.
	refreshing        sync.Mutex
	refreshed, readAt time.Time

	mu       sync.Mutex
	contents Contents
	loaded   bool
	// version grows with every change; changed is closed at the next one.
	version uint64
	changed chan struct{}
}

// Contents are what a [View] has at one moment.
type Contents struct {
	Surroundings
	// Totals counts all numbers.
	Totals map[ledger.NumberKind]int

	campaigns map[string]*Entry
	// order is the campaigns in display order; nil if it must be sorted again.
	order   []*Entry
	queue   *Queue // see [Contents.Queue]
	history cachedHistory
}

// Entry is one campaign with its numbers.
type Entry struct {
	ledger.Campaign
	// Recorded is true if the campaign has a record. A number's record may come first.
	Recorded bool
	// Counts counts its numbers.
	Counts map[ledger.NumberKind]int

	numbers map[string]*ledger.Number
	order   []*ledger.Number // sorted; nil if it must be sorted again
	summary *summary         // nil if it must be read again
}

// Surroundings are the data that is not in the records of campaigns and numbers.
type Surroundings struct {
	events.Backlog
	// Hold is what an operator has put on hold.
	Hold ledger.Hold
	// Missing names the buckets of the ledger that are lost.
	Missing []string
	// NextResync is when every planned campaign is read next, if known.
	NextResync time.Time
	// Plans says which plans are in force. It is zero in a ledger written by an older
	// assigner.
	Plans ledger.Plans
	// Checks are the results of the readiness checks.
	Checks []Checked
	// PlanFaults are the faults of the current plan files that this process found, one line
	// each.
	PlanFaults []string
	// Unreachable says why NATS cannot be read, in a sentence; empty if it can. Everything
	// else is then as of ReadAt, which is zero otherwise.
	Unreachable string
	ReadAt      time.Time
}

// Checked is the result of a check. Says is what is wrong, empty if nothing is.
type Checked struct {
	Name, Says string
	Advisory   bool
}

// NewView returns an empty view.
func NewView(config ViewConfig) *View {
	config.Timeout = cmp.Or(config.Timeout, 5*time.Second)
	v := &View{config: config, changed: make(chan struct{})}
	v.contents.clear()
	return v
}

// Run keeps the view up to date until ctx ends, and then returns nil. A deleted ledger is
// followed again as soon as it exists.
func (v *View) Run(ctx context.Context) error {
	v.keepUp(ctx, func(err error) {
		v.config.Log.Warn().Err(err).Msg("the status lost its watch over the ledger and reads it again")
	})
	return nil
}

// keepUp follows the ledger until ctx ends. It calls lost with the error that ended a watch,
// but not again until the ledger could be read.
func (v *View) keepUp(ctx context.Context, lost func(error)) {
	isLost := false
	for ctx.Err() == nil {
		current, err := v.follow(ctx)
		if err != nil && ctx.Err() == nil && (current || !isLost) {
			lost(err)
		}
		isLost = err != nil
		select { // until there is a ledger, or it can be read again
		case <-ctx.Done():
		case <-time.After(viewPause):
		}
	}
}

// follow reads the ledger and follows its changes. current says that it was read to the end.
// Before the first assigner there is no ledger, which is not an error.
func (v *View) follow(ctx context.Context) (current bool, err error) {
	opening, cancel := context.WithTimeout(ctx, v.config.Timeout)
	defer cancel()
	book, err := ledger.Open(opening, v.config.JetStream)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		if _, _, loaded := v.Version(); !loaded {
			v.change(func(*Contents) { v.loaded = true })
		}
		return false, nil
	}
	if err != nil {
		return false, err
	}
	// A restarted server has forgotten the watch, which would notice that only later.
	ctx, end := context.WithCancel(ctx)
	defer end()
	reconnected := v.config.JetStream.Conn().StatusChanged(nats.CONNECTED)
	defer v.config.JetStream.Conn().RemoveStatusListener(reconnected)
	go func() {
		select {
		case <-reconnected:
			end()
		case <-ctx.Done():
		}
	}()
	// The old contents are shown until everything has been read again.
	next := &Contents{}
	next.clear()
	put := func(change func(*Contents)) {
		if !current {
			change(next)
			return
		}
		v.change(change)
	}
	err = book.Follow(ctx, ledger.Follower{
		Campaign:        func(c ledger.Campaign) { put(func(x *Contents) { x.putCampaign(c) }) },
		Number:          func(n ledger.Number) { put(func(x *Contents) { x.putNumber(n) }) },
		CampaignDropped: func(id string) { put(func(x *Contents) { x.dropCampaign(id) }) },
		NumberDropped:   func(id, number string) { put(func(x *Contents) { x.dropNumber(id, number) }) },
		Unreadable:      func(err error) { v.config.Log.Error().Err(err).Msg("the status omits a record that cannot be read") },
		Every:           viewEvery,
		Current: func() {
			v.change(func(x *Contents) {
				if !current {
					next.Surroundings = x.Surroundings
					*x = *next
				}
				v.loaded, current = true, true
			})
		},
	})
	return current, err
}

// change changes the contents and wakes those who wait for changes.
func (v *View) change(by func(*Contents)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	by(&v.contents)
	v.version++
	close(v.changed)
	v.changed = make(chan struct{})
}

// Version returns the version of the view, and a channel that is closed at the next
// change. Loaded is true once the whole ledger has been read.
func (v *View) Version() (version uint64, changed <-chan struct{}, loaded bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.version, v.changed, v.loaded
}

// AwaitLoaded waits until the whole ledger has been read. It returns false if ctx ends
// first.
func (v *View) AwaitLoaded(ctx context.Context) bool {
	for {
		_, changed, loaded := v.Version()
		if loaded {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-changed:
		}
	}
}

// Read calls f with the contents, which must not be kept or changed.
func (v *View) Read(f func(*Contents)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f(&v.contents)
}

// Refresh reads the surroundings, unless they are younger than maxAge. It has its own time
// limit, so that a server without an answer differs from a client that has disconnected.
func (v *View) Refresh(ctx context.Context, maxAge time.Duration) {
	v.refreshing.Lock()
	defer v.refreshing.Unlock()
	if !v.refreshed.IsZero() && time.Since(v.refreshed) < maxAge {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, v.config.Timeout)
	defer cancel()
	now := v.surroundings(bounded)
	if ctx.Err() != nil {
		return // the client has disconnected
	}
	v.refreshed = time.Now()
	same := false
	v.Read(func(x *Contents) {
		if now.Unreachable != "" {
			now = x.Surroundings.stale(now, v.readAt)
		} else {
			v.readAt = v.refreshed
		}
		same = now.equal(x.Surroundings)
	})
	if !same {
		v.change(func(x *Contents) { x.Surroundings, x.queue = now, nil }) // a hold changes the queue
	}
}

func (v *View) surroundings(ctx context.Context) Surroundings {
	now := Surroundings{Checks: make([]Checked, len(v.config.Checks))}
	var asking sync.WaitGroup
	for i, check := range v.config.Checks {
		asking.Go(func() {
			now.Checks[i] = Checked{Name: check.Name, Advisory: check.Advisory}
			if err := check.Err(ctx); err != nil {
				now.Checks[i].Says = err.Error()
			}
		})
	}
	if err := now.ask(ctx, v.config.JetStream); err != nil {
		now.Unreachable = v.natsCause(err)
	}
	asking.Wait()
	if v.config.PlanFaults != nil {
		now.PlanFaults = faultLines(v.config.PlanFaults())
	}
	return now
}

// natsCause says in a sentence why NATS could not be read.
func (v *View) natsCause(err error) string {
	switch {
	case !v.config.JetStream.Conn().IsConnected():
		return "Greenlight is not connected to the NATS server and keeps trying to connect."
	case errors.Is(err, events.ErrRestoring):
		return "The ledger cannot be read: " + err.Error() + "."
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return fmt.Sprintf("The NATS server did not answer within %v.", v.config.Timeout)
	default:
		return fmt.Sprintf("The NATS server cannot be read: %v.", err)
	}
}

// stale returns the surroundings with what is known without NATS taken from now.
func (s Surroundings) stale(now Surroundings, readAt time.Time) Surroundings {
	s.Checks, s.PlanFaults, s.Unreachable, s.ReadAt = now.Checks, now.PlanFaults, now.Unreachable, readAt
	return s
}

// ask reads the data from NATS.
func (s *Surroundings) ask(ctx context.Context, js jetstream.JetStream) (err error) {
	if s.Backlog, err = events.ReadBacklog(ctx, js); err != nil {
		return err
	}
	s.Hold, err = ledger.ReadHold(ctx, js)
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return err
	}
	if s.NextResync, err = events.NextResync(ctx, js); err != nil {
		return err
	}
	if s.Ran {
		if s.Missing, err = ledger.MissingBuckets(ctx, js); err != nil {
			return err
		}
	}
	book, err := ledger.Open(ctx, js)
	err = events.WhyMissing(ctx, js, err)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	s.Plans, _, err = book.Plans(ctx)
	return err
}

func (s Surroundings) equal(o Surroundings) bool {
	return s.Backlog == o.Backlog && s.Hold.Equal(o.Hold) && slices.Equal(s.Missing, o.Missing) && s.NextResync.Equal(o.NextResync) && s.Plans == o.Plans &&
		slices.Equal(s.Checks, o.Checks) && slices.Equal(s.PlanFaults, o.PlanFaults) && s.Unreachable == o.Unreachable
}

// PlanFaultLines are the faults of the current plan files: those that this process found, or
// else those that the assigner recorded.
func (s Surroundings) PlanFaultLines() []string {
	if len(s.PlanFaults) > 0 || s.Plans.Fault == "" {
		return s.PlanFaults
	}
	return strings.Split(s.Plans.Fault, "\n")
}

// faultLines returns the faults of plan files, one line each, up to maxFaults.
func faultLines(err error) []string {
	if err == nil {
		return nil
	}
	faults, ok := errors.AsType[plan.Faults](err)
	if !ok {
		return []string{err.Error()}
	}
	var lines []string
	for _, fault := range faults[:min(len(faults), maxFaults)] {
		lines = append(lines, fault.Error())
	}
	if more := len(faults) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("and %s; greenlight plan validate lists all", Count(more, "more fault")))
	}
	return lines
}

// load reads everything once, for a view that does not run.
func (v *View) load(ctx context.Context) error {
	book, err := ledger.Open(ctx, v.config.JetStream)
	switch {
	case errors.Is(err, jetstream.ErrBucketNotFound):
	case err != nil:
		return err
	default:
		entries, err := book.Campaigns(ctx)
		if err != nil {
			return err
		}
		numbers, err := book.AllNumbers(ctx)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			v.contents.putCampaign(entry.Campaign)
		}
		for _, n := range numbers {
			v.contents.putNumber(n)
		}
	}
	return v.contents.Surroundings.ask(ctx, v.config.JetStream)
}

// Read returns a snapshot, which is empty before the first assigner. If the ledger is missing
// because it is being restored, the error matches [events.ErrRestoring]. It reads every
// number, which takes seconds for hundreds of thousands.
func Read(ctx context.Context, js jetstream.JetStream, now time.Time) (Snapshot, error) {
	v := NewView(ViewConfig{JetStream: js})
	err := v.load(ctx)
	return v.Snapshot(now), err
}

// Follow calls changed with a snapshot, and again whenever a record, the plans in force or
// a hold has changed. It returns the first error of changed, or the cause if ctx ends. The
// server pushes changes; Follow only polls whether the server answers. If the server is lost after the first
// snapshot, Follow calls lost with a sentence, once, and waits for it.
func Follow(ctx context.Context, js jetstream.JetStream, now func() time.Time, changed func(Snapshot) error, lost func(why string)) error {
	v := NewView(ViewConfig{JetStream: js})
	ctx, stop := context.WithCancelCause(ctx)
	var working sync.WaitGroup
	working.Go(func() {
		v.keepUp(ctx, func(err error) {
			if _, _, loaded := v.Version(); !loaded {
				stop(err)
			}
		})
	})
	defer working.Wait()
	defer stop(nil)
	if !v.AwaitLoaded(ctx) {
		return context.Cause(ctx)
	}
	connection := js.Conn().StatusChanged()
	defer js.Conn().RemoveStatusListener(connection)
	seen := uint64(0) // the version that changed got; a loaded view has a later one
	for first, isLost := true, false; ; first = false {
		v.Refresh(ctx, 0)
		version, next, _ := v.Version()
		unreachable := ""
		v.Read(func(x *Contents) { unreachable = x.Unreachable })
		switch {
		case unreachable != "" && first:
			return errors.Join(errors.New(unreachable), context.Cause(ctx))
		case unreachable != "" && !isLost && ctx.Err() == nil:
			lost(unreachable)
		case unreachable == "" && version != seen:
			seen = version
			if err := changed(v.Snapshot(now())); err != nil {
				return err
			}
		}
		isLost = unreachable != ""
		pause := askEvery
		if isLost {
			pause = viewPause
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		case <-connection:
		case <-next:
		}
		// Changes come in bursts, so those of the next moment are shown together.
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(viewEvery):
		}
	}
}

// Snapshot returns the current contents.
func (v *View) Snapshot(now time.Time) (s Snapshot) {
	v.Read(func(x *Contents) { s = x.snapshot(now) })
	return s
}

// Campaigns returns the campaigns by plan and id, those that no plan names last.
func (x *Contents) Campaigns() []*Entry {
	if x.order == nil {
		x.order = slices.SortedFunc(maps.Values(x.campaigns), func(a, b *Entry) int {
			return cmp.Or(trueFirst(a.Planned, b.Planned), strings.Compare(a.Plan, b.Plan), strings.Compare(a.ID, b.ID))
		})
	}
	return x.order
}

// Campaign returns the campaign with the id of its record, nil if there is none.
func (x *Contents) Campaign(id string) *Entry { return x.campaigns[id] }

// Numbers returns the campaign's numbers, sorted.
func (e *Entry) Numbers() []*ledger.Number {
	if e.order == nil {
		e.order = slices.SortedFunc(maps.Values(e.numbers), func(a, b *ledger.Number) int { return strings.Compare(a.Number, b.Number) })
	}
	return e.order
}

// Number returns the record of a number on the campaign, nil if there is none.
func (e *Entry) Number(e164 string) *ledger.Number { return e.numbers[e164] }

func (x *Contents) clear() {
	x.campaigns, x.order, x.Totals = make(map[string]*Entry), nil, make(map[ledger.NumberKind]int)
}

// at returns the campaign with the id, and creates it if necessary.
func (x *Contents) at(id string) *Entry {
	e := x.campaigns[id]
	if e == nil {
		e = &Entry{Campaign: ledger.Campaign{ID: id}, Counts: make(map[ledger.NumberKind]int), numbers: make(map[string]*ledger.Number)}
		x.campaigns[id], x.order = e, nil
	}
	return e
}

func (x *Contents) putCampaign(c ledger.Campaign) {
	e := x.at(c.ID)
	if e.Plan != c.Plan || e.Planned != c.Planned {
		x.order = nil
	}
	e.Campaign, e.Recorded = c, true
	x.changed(e)
}

func (x *Contents) dropCampaign(id string) {
	if e := x.campaigns[id]; e != nil {
		e.Campaign, e.Recorded, x.order = ledger.Campaign{ID: id}, false, nil
		x.changed(e)
		x.forgetEmpty(e)
	}
}

func (x *Contents) putNumber(n ledger.Number) {
	if n.Manual {
		return // no plan names it
	}
	e := x.at(n.CampaignID)
	at := e.numbers[n.Number]
	if at == nil {
		at = new(ledger.Number)
		e.numbers[n.Number], e.order = at, nil
	} else {
		x.count(e, *at, -1)
	}
	*at = n
	x.count(e, n, 1)
	x.changed(e)
}

func (x *Contents) dropNumber(campaignID, number string) {
	e := x.campaigns[campaignID]
	if e == nil {
		return
	}
	if at := e.numbers[number]; at != nil {
		x.count(e, *at, -1)
		delete(e.numbers, number)
		e.order = nil
		x.changed(e)
	}
	x.forgetEmpty(e)
}

// changed forgets what was derived from the records of a campaign.
func (x *Contents) changed(e *Entry) {
	x.history.changed, e.summary = true, nil
	if x.queue != nil {
		x.queue.changed = true
	}
}

// count adds by to the counts of a number's kind.
func (x *Contents) count(e *Entry, n ledger.Number, by int) {
	for _, counts := range []map[ledger.NumberKind]int{e.Counts, x.Totals} {
		if counts[n.Kind()] += by; counts[n.Kind()] == 0 {
			delete(counts, n.Kind())
		}
	}
}

// forgetEmpty removes a campaign that has neither a record nor numbers.
func (x *Contents) forgetEmpty(e *Entry) {
	if !e.Recorded && len(e.numbers) == 0 {
		delete(x.campaigns, e.ID)
		x.order = nil
	}
}
