//go:build unix

package torture

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// The messaging profiles.
const (
	ownProfile = "4001776e-0000-4000-8000-000000000001"
	// poolProfile has a toll-free number; wholeProfile has none.
	poolProfile  = "4001776e-0000-4000-8000-000000000002"
	wholeProfile = "4001776e-0000-4000-8000-000000000003"
)

// wholeSize is how many numbers are on wholeProfile.
const wholeSize = 24

// The campaigns that no plan names: two that hold numbers, and one that is approved
// without a plan for it.
const (
	elsewhereID = "eeeeeeee-907b-43a9-8ada-ba1dc8335b07"
	oldID       = "0000000d-907b-43a9-8ada-ba1dc8335b07"
	surpriseID  = "5555555e-907b-43a9-8ada-ba1dc8335b07"
	brandID     = "97091164-e814-435c-9c1b-14ab2d18e987"
)

// world is the simulated account, the plan for it, and what the plan means.
type world struct {
	sim        *telnyxsim.Simulator
	webhookURL string
	dice       *dice
	tally      *tally
	size       int // numbers of a kind on a campaign

	expected   map[string]expectation
	bystanders map[string]string
	// leaving are the numbers that another campaign lets go of in the middle, and dropped
	// those that a person takes off their campaign by hand.
	leaving, dropped []string
	// snatched are the numbers that a person attaches to another campaign by hand:
	// strays at some moment, the others directly before a call of the method in takenBefore.
	snatched, strays []string
	takenBefore      map[string]string
	// wanderers are the numbers that plan edits are about, and between the two entries
	// that they move between.
	wanderers []string
	between   [2]*planned
	// residents are on the first of these before anything attaches them, so that no plan
	// edit removes them. Manual are the numbers that only commands are about.
	residents, manual []string
	campaigns         []*planned
	lines             int

	mu       sync.Mutex
	timeline map[string][]phaseAt
	// ends are when a person ended a number's assignment by hand.
	ends map[string][]time.Time
	// periods are when the plan named a wanderer, and where.
	periods map[string][]period
}

// planned is a campaign that the plan names.
type planned struct {
	name string
	// entry and id are its ids in the plan and at Telnyx.
	entry, id string
	// script is what happens to it, in order.
	script []step
	// head are the lines of its entry before the numbers, numbers those that it names.
	head, numbers []string
	pooled        bool
	// early says that its script ends early, so that there is time to remove numbers.
	early bool
}

// step is something that happens to a campaign.
type step struct {
	name string
	run  func(s *telnyxsim.Simulator, id string) error
}

// The steps of which a campaign's life is made.
var (
	submit        = step{"submitted", (*telnyxsim.Simulator).Submit}
	telnyxReview  = step{"accepted by Telnyx", (*telnyxsim.Simulator).TelnyxReview}
	mnoReview     = step{"accepted by a carrier", (*telnyxsim.Simulator).MNOReview}
	approve       = step{"approved", (*telnyxsim.Simulator).Approve}
	reject        = step{"rejected", func(s *telnyxsim.Simulator, id string) error { return s.Reject(id, "sample unclear") }}
	appeal        = step{"appealed", (*telnyxsim.Simulator).Appeal}
	suspend       = step{"suspended", (*telnyxsim.Simulator).Suspend}
	unsuspend     = step{"unsuspended", (*telnyxsim.Simulator).Unsuspend}
	suspendMobile = step{"suspended by T-Mobile", (*telnyxsim.Simulator).SuspendTMobile}
	unsuspendMob  = step{"unsuspended by T-Mobile", (*telnyxsim.Simulator).UnsuspendTMobile}
	sleepIn       = step{"dormant", (*telnyxsim.Simulator).MakeDormant}
	approveMutely = step{"approved without a notification", func(s *telnyxsim.Simulator, id string) error {
		return s.SetCampaignStatus(id, telnyx.CampaignMNOProvisioned)
	}}
	setBack = step{"set back without a notification", func(s *telnyxsim.Simulator, id string) error {
		return s.SetCampaignStatus(id, telnyx.CampaignMNOPending)
	}}
)

// newWorld fills a simulated account and makes the plan for it.
func newWorld(sim *telnyxsim.Simulator, webhookURL string, size int, dice *dice, tally *tally) *world {
	w := &world{
		sim: sim, webhookURL: webhookURL, dice: dice, tally: tally, size: size,
		expected: map[string]expectation{}, bystanders: map[string]string{}, timeline: map[string][]phaseAt{},
		ends: map[string][]time.Time{}, periods: map[string][]period{}, takenBefore: map[string]string{},
	}
	sim.AddBrand(telnyxsim.Brand{ID: brandID})
	sim.AddMessagingProfiles(ownProfile, poolProfile, wholeProfile)
	for _, id := range []string{elsewhereID, oldID} {
		sim.AddCampaign(telnyxsim.Campaign{ID: id, CampaignStatus: telnyx.CampaignMNOProvisioned, WebhookURL: webhookURL})
	}
	sim.AddCampaign(telnyxsim.Campaign{ID: surpriseID, CampaignStatus: telnyx.CampaignMNOPending, WebhookURL: webhookURL})

	plain := w.plan("plain", telnyxsim.Campaign{}, []step{submit, telnyxReview, mnoReview, approve})
	w.free(plain, 2*size)
	w.unowned(plain)
	w.tollFree(plain)

	refused := w.plan("refused-by-telnyx", telnyxsim.Campaign{}, []step{submit, reject, appeal, telnyxReview, approve})
	w.free(refused, size)
	w.taken(refused, size)

	appealed := w.plan("refused-by-carriers", telnyxsim.Campaign{}, []step{submit, telnyxReview, reject, appeal, mnoReview, approve}, "move_from: ["+oldID+"]")
	w.moving(appealed, size)
	w.free(appealed, size)
	w.taken(appealed, 1)
	w.snatch(appealed, oldID, size)

	suspended := w.plan("suspended", telnyxsim.Campaign{}, []step{submit, telnyxReview, approve, suspend, unsuspend})
	w.free(suspended, size)
	w.leave(suspended, size)
	w.snatch(suspended, "", size)

	dormant := w.plan("dormant", telnyxsim.Campaign{}, []step{submit, telnyxReview, sleepIn, approve})
	w.free(dormant, size)
	w.drop(dormant, size)

	pool := w.plan("pool", telnyxsim.Campaign{}, []step{submit, telnyxReview, suspendMobile, approve, unsuspendMob}, "number_pool: "+poolProfile)
	w.pooled(pool, poolProfile, size)
	w.sim.AddNumbers(telnyxsim.Number{PhoneNumber: "+18005551234", MessagingProfileID: poolProfile, Type: "tollfree"})
	w.bystanders["+18005551234"] = ""

	whole := w.plan("whole-profile", telnyxsim.Campaign{}, []step{submit, telnyxReview, approve}, "number_pool: "+wholeProfile)
	w.pooled(whole, wholeProfile, wholeSize)

	shared := w.plan("shared", telnyxsim.Campaign{Shared: true, TCRID: "CSHARE1"}, []step{telnyxReview, mnoReview, approve})
	w.free(shared, size)
	w.extra(shared)

	bare := w.plan("bare", telnyxsim.Campaign{TCRID: "CBARE01"}, []step{telnyxReview, approveMutely}, "messaging_profile_id: "+ownProfile)
	w.bare(bare, size)
	w.failing(bare, size)

	filed := w.plan("filed", telnyxsim.Campaign{ReferenceID: "spring-2026", BrandID: brandID}, []step{submit, telnyxReview, approve, setBack, approve})
	w.free(filed, size)
	w.extra(filed)

	left := w.plan("left", telnyxsim.Campaign{}, []step{submit, telnyxReview, approve}, "move_from: ["+campaignID(len(w.campaigns)+2)+"]", "prune: true")
	w.free(left, 1)
	w.wander(left, size)
	w.reside(left, size)
	right := w.plan("right", telnyxsim.Campaign{}, []step{submit, telnyxReview, approve}, "move_from: ["+left.id+"]", "prune: true")
	w.free(right, 1)
	w.byCommand(left, right, size)
	w.between = [2]*planned{left, right}
	left.early, right.early = true, true

	w.stand("+12123990001", "")          // on the account and on no campaign
	w.stand("+12123990002", elsewhereID) // and one on a campaign
	return w
}

// plan adds a campaign to the account and to the plan. Rest are further lines of
// its entry, but for the numbers, which are added with the kinds below.
func (w *world) plan(name string, c telnyxsim.Campaign, script []step, rest ...string) *planned {
	c.CampaignStatus, c.WebhookURL = telnyx.CampaignTCRPending, w.webhookURL
	if !c.Shared {
		c.ID = campaignID(len(w.campaigns) + 1)
	}
	tcrID := c.TCRID
	c = w.sim.AddCampaign(c)
	p := &planned{name: name, id: c.ID, entry: c.ID, script: script}
	selector := "campaign_id: " + c.ID
	switch {
	case c.ReferenceID != "":
		p.entry, selector = "ref_"+c.ReferenceID, "reference_id: "+c.ReferenceID+"\n    brand_id: "+brandID
	case tcrID != "":
		p.entry, selector = tcrID, "tcr_campaign_id: "+tcrID
	}
	if c.Shared {
		p.id = c.TCRID
	}
	p.head = append([]string{"  - name: " + name, "    " + selector}, rest...)
	for i, line := range rest {
		p.head[i+2] = "    " + line
		p.pooled = p.pooled || strings.HasPrefix(line, "number_pool")
	}
	w.campaigns = append(w.campaigns, p)
	w.lines = 0
	return p
}

// campaignID is the id of the campaign that is planned as the given one.
func campaignID(place int) string { return fmt.Sprintf("%08d-907b-43a9-8ada-ba1dc8335b07", place) }

// text is the plan as it is now.
func (w *world) text() string {
	var yaml strings.Builder
	yaml.WriteString("version: 1\ncampaigns:\n")
	for _, p := range w.campaigns {
		yaml.WriteString(strings.Join(p.head, "\n") + "\n")
		if !p.pooled {
			yaml.WriteString("    numbers:\n")
		}
		for _, number := range p.numbers {
			fmt.Fprintf(&yaml, "      - %s\n", number)
		}
	}
	return yaml.String()
}

// name puts another number into the plan's latest entry.
func (w *world) name() string {
	number, latest := w.next(), w.campaigns[len(w.campaigns)-1]
	latest.numbers = append(latest.numbers, number)
	return number
}

func (w *world) next() string {
	w.lines++
	return fmt.Sprintf("+1212%03d%04d", 300+len(w.campaigns), w.lines)
}

// own adds numbers to the account.
func (w *world) own(number, profile string) {
	w.sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, ID: idPrefix + strings.TrimPrefix(number, "+"), MessagingProfileID: profile})
}

// idPrefix makes a number of the account its id, so that the id shows the
// number.
const idPrefix = "77"

func (w *world) attach(number, campaign string, status telnyx.AssignmentStatus) {
	if err := w.sim.AttachNumber(number, campaign, status); err != nil {
		panic(err) // the world names what it has not made
	}
}

func (p *planned) attached() expectation {
	return expectation{Entry: p.entry, Campaign: p.id, State: ledger.Sendable}
}

// free numbers are on no campaign. Some have a failed assignment behind them.
func (w *world) free(p *planned, n int) {
	for i := range n {
		number := w.name()
		w.own(number, ownProfile)
		w.expected[number] = p.attached()
		if i%4 == 3 {
			w.attach(number, elsewhereID, telnyx.FailedAssignment)
		}
	}
}

// failing numbers are failed by carriers the first time.
func (w *world) failing(p *planned, n int) {
	for range n {
		number := w.name()
		w.own(number, ownProfile)
		w.expected[number] = p.attached()
		w.sim.FailAssignment(number, "carriers had no time")
	}
}

// bare numbers are on no messaging profile.
func (w *world) bare(p *planned, n int) {
	for range n {
		number := w.name()
		w.own(number, "")
		f := p.attached()
		f.Profile = ownProfile
		w.expected[number] = f
	}
}

// taken numbers are in use on a campaign that move_from does not name.
func (w *world) taken(p *planned, n int) {
	for range n {
		number := w.name()
		w.own(number, ownProfile)
		w.attach(number, elsewhereID, telnyx.Assigned)
		w.expected[number] = expectation{Entry: p.entry, Campaign: p.id, State: ledger.Conflict, Reason: ledger.OtherCampaign, Home: elsewhereID}
	}
}

// moving numbers are on the campaign that move_from names.
func (w *world) moving(p *planned, n int) {
	for range n {
		number := w.name()
		w.own(number, ownProfile)
		w.attach(number, oldID, telnyx.Assigned)
		f := p.attached()
		f.MayLeave = []string{oldID}
		w.expected[number] = f
	}
}

// leave has numbers that another campaign is letting go of.
func (w *world) leave(p *planned, n int) {
	for range n {
		number := w.name()
		w.own(number, ownProfile)
		w.attach(number, elsewhereID, telnyx.PendingUnassignment)
		w.expected[number] = p.attached()
		w.leaving = append(w.leaving, number)
	}
}

// drop has numbers that a person takes off the campaign by hand.
func (w *world) drop(p *planned, n int) {
	for range n {
		number := w.name()
		w.own(number, ownProfile)
		w.expected[number] = p.attached()
		w.dropped = append(w.dropped, number)
	}
}

// snatch has numbers that a person attaches to another campaign by hand, which no
// move_from names. From is the campaign that they are on before, if any.
func (w *world) snatch(p *planned, from string, n int) {
	for i := range n {
		number := w.name()
		w.own(number, ownProfile)
		f := expectation{Entry: p.entry, Campaign: p.id, State: ledger.Conflict, Reason: ledger.OtherCampaign, Home: elsewhereID, Tried: true}
		switch {
		case from != "":
			w.attach(number, from, telnyx.Assigned)
			f.MayLeave = []string{from}
			w.takenBefore[number] = http.MethodGet
		case i%2 == 0:
			w.strays = append(w.strays, number)
		default:
			w.takenBefore[number] = http.MethodPost
		}
		w.expected[number] = f
		w.snatched = append(w.snatched, number)
	}
}

// wander has numbers that plan edits take out, put back and move.
func (w *world) wander(p *planned, n int) {
	for range n {
		number := w.name()
		w.edited(p, number)
		w.wanderers = append(w.wanderers, number)
	}
}

// edited adds a number that plan edits are about, named from the beginning.
func (w *world) edited(p *planned, number string) {
	w.own(number, ownProfile)
	f := p.attached()
	f.Removable = true
	w.expected[number] = f
	w.periods[number] = []period{{campaign: p.id}}
}

// reside has numbers on the campaign from before, which plan edits take out and put back.
func (w *world) reside(p *planned, n int) {
	for range n {
		number := w.name()
		w.edited(p, number)
		w.attach(number, p.id, telnyx.Assigned)
		w.residents = append(w.residents, number)
	}
}

// byCommand has numbers that no plan names, and that commands assign to two campaigns.
func (w *world) byCommand(left, right *planned, n int) {
	both := []string{left.id, right.id}
	for range n {
		number := w.next()
		w.own(number, ownProfile)
		w.expected[number] = expectation{Unplanned: true, Removable: true, AlsoPlanned: both, MayLeave: both}
		w.periods[number] = []period{}
		w.manual = append(w.manual, number)
	}
}

// pooled numbers are planned by their messaging profile.
func (w *world) pooled(p *planned, profile string, n int) {
	for range n {
		number := w.next()
		w.own(number, profile)
		w.expected[number] = p.attached()
	}
}

// unowned is a number that the account does not have.
func (w *world) unowned(p *planned) {
	w.expected[w.name()] = expectation{Entry: p.entry, Campaign: p.id, State: ledger.Failed, Reason: ledger.NotOwned}
}

// tollFree is a number that cannot be on any campaign.
func (w *world) tollFree(p *planned) {
	number := w.name()
	w.sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, MessagingProfileID: ownProfile, Type: "tollfree"})
	w.expected[number] = expectation{Entry: p.entry, Campaign: p.id, State: ledger.Failed, Reason: ledger.NotLongCode}
}

// extra is a number that is on a planned campaign and that no plan names.
func (w *world) extra(p *planned) { w.stand(w.next(), p.id) }

// stand adds a number that no plan names.
func (w *world) stand(number, campaign string) {
	w.own(number, ownProfile)
	if campaign != "" {
		w.attach(number, campaign, telnyx.Assigned)
	}
	w.bystanders[number] = campaign
}

// live makes everything happen that happens to campaigns and numbers,
// spread over a time, and returns when it has.
func (w *world) live(span time.Duration) {
	var group sync.WaitGroup
	happen := func(at time.Duration, what func()) {
		group.Go(func() { time.Sleep(at); what() })
	}
	for _, p := range w.campaigns {
		// Moments first, so that the dice fall in the same order every time.
		moments := make([]time.Duration, len(p.script))
		spread := span
		if p.early {
			spread = span / 5
		}
		for i := range moments {
			moments[i] = w.dice.between(0, spread)
		}
		slices.Sort(moments)
		group.Go(func() {
			started := time.Now()
			for i, s := range p.script {
				time.Sleep(moments[i] - time.Since(started))
				w.happens(p.id, s)
			}
		})
	}
	happen(w.dice.between(0, span), func() { w.happens(surpriseID, approve) })
	for _, number := range w.leaving {
		happen(w.dice.between(0, span), func() { w.sim.DetachNumber(number) })
	}
	for _, number := range w.dropped {
		happen(w.dice.between(span/2, span), func() { w.detach(number) })
	}
	for _, number := range w.strays {
		happen(w.dice.between(0, span), func() { w.take(number) })
	}
	group.Wait()
}

// detach takes a number off its campaign by hand.
func (w *world) detach(number string) {
	w.byHand(number, func() { w.sim.DetachNumber(number) })
	w.tally.add("numbers", "taken off by hand")
}

// take attaches a number to another campaign by hand.
func (w *world) take(number string) {
	w.byHand(number, func() { w.attach(number, elsewhereID, telnyx.Assigned) })
	w.tally.add("numbers", "taken elsewhere by hand")
}

// byHand does something to a number that ends its assignment.
func (w *world) byHand(number string, do func()) {
	before := time.Now()
	do()
	w.mu.Lock()
	defer w.mu.Unlock()
	// It happened between the two times.
	w.ends[number] = append(w.ends[number], before, time.Now())
}

// happens does one step and notes whether the campaign is ready from then on. What
// makes it ready counts from just before, what ends that from just after.
func (w *world) happens(id string, s step) {
	before := time.Now()
	if err := s.run(w.sim, id); err != nil {
		panic(err) // the world names what it has not made
	}
	w.tally.add("campaigns", s.name)
	c, _ := w.sim.Campaign(id)
	w.mu.Lock()
	defer w.mu.Unlock()
	now := phaseAt{at: time.Now(), ready: c.CampaignStatus == telnyx.CampaignMNOProvisioned && !c.TMobileSuspended}
	if now.ready {
		now.at = before
	}
	w.timeline[id] = append(w.timeline[id], now)
}

// timelines is a copy of the timeline, and of when people ended assignments.
func (w *world) timelines() (timeline map[string][]phaseAt, ends map[string][]time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.timeline), maps.Clone(w.ends)
}
