package endtoend_test

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/status"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/timeline"
	"greenlight/internal/webhook"
)

// retry is the rule for retrying a number.
type retry string

const (
	// resync: each reconcile decides again, and none is scheduled.
	resync retry = "at every resync"
	// timed: at the time in its record.
	timed retry = "at its own time"
	// rests: when the campaign's record says, since nothing is wrong with the number.
	rests retry = "with its campaign"
)

// scenario brings one number, planned on one provisioned campaign, to a reason.
type scenario struct {
	name  string
	state ledger.State
	again retry
	// least is the shortest time until the next try.
	least time.Duration
	// words must be in the detail that a person reads.
	words string

	options telnyxsim.Options
	// entry has more lines of the plan's entry.
	entry []string
	// prepare sets up the world before the assigner starts. Nil: the account owns the
	// number.
	prepare func(w *world)
	// drive advances time.
	drive func(w *world, c *clock)
	// fix removes the cause. Nil: Telnyx stops refusing.
	fix func(w *world)
	// lasts says that the client keeps what it has read for longer than the test runs, so
	// the test does not wait for the end.
	lasts bool
}

const (
	reasonNumber = "+15551234567"
	otherNumber  = "+15551234568"
	elsewhereID  = "22222222-907b-43a9-8ada-ba1dc8335b07"
	assignPath   = "/10dlc/phone_number_campaigns"
)

// refusal is an error answer from Telnyx.
func refusal(status int, code, title, detail string) telnyxsim.FaultKind {
	return telnyxsim.StatusFault(status, fmt.Sprintf(`{"errors":[{"code":%q,"title":%q,"detail":%q}]}`, code, title, detail))
}

// requestsFail owns the number and makes that many attach requests fail, -1 for all.
func requestsFail(times int, kind telnyxsim.FaultKind) func(w *world) {
	return func(w *world) {
		w.own(reasonNumber)
		w.sim.Inject(telnyxsim.Fault{Method: http.MethodPost, PathPrefix: assignPath, Times: times, Kind: kind})
	}
}

// unreadable owns the number and makes every read of the campaign fail.
func unreadable(kind telnyxsim.FaultKind) func(w *world) {
	return func(w *world) {
		w.own(reasonNumber)
		w.sim.Inject(telnyxsim.Fault{Method: http.MethodGet, PathPrefix: "/10dlc/campaign", Times: -1, Kind: kind})
	}
}

// owned adds the number with these settings.
func owned(n telnyxsim.Number) func(w *world) {
	n.PhoneNumber = reasonNumber
	return func(w *world) { w.sim.AddNumbers(n) }
}

// campaignThat owns the number and changes the campaign.
func campaignThat(change func(c *telnyxsim.Campaign)) func(w *world) {
	return func(w *world) {
		w.own(reasonNumber)
		c, _ := w.sim.Campaign(campaignID)
		change(&c)
		w.sim.AddCampaign(c)
	}
}

// takenMeanwhile owns the number, and puts it on another campaign while the first request
// is in flight, so that no earlier read shows it.
func takenMeanwhile(w *world) {
	w.own(reasonNumber)
	w.campaign(elsewhereID, telnyx.CampaignMNOProvisioned)
	var once sync.Once
	w.sim.Inject(telnyxsim.Fault{Method: http.MethodPost, PathPrefix: assignPath, Times: -1, Match: func(*http.Request) bool {
		once.Do(func() { _ = w.sim.AttachNumber(reasonNumber, elsewhereID, telnyx.Assigned) })
		return false
	}})
}

// crowded owns the number and fills the campaign with others.
func crowded(others int) func(w *world) {
	return func(w *world) {
		w.own(reasonNumber)
		for _, other := range many(others) {
			w.own(other)
			w.must(w.sim.AttachNumber(other, campaignID, telnyx.Assigned))
		}
	}
}

// freed removes a number from its campaign.
func freed(number string) func(w *world) {
	return func(w *world) { w.sim.DetachNumber(number) }
}

// attached makes Telnyx and the carriers finish.
func attached(w *world) { w.must(w.sim.AttachNumber(reasonNumber, campaignID, telnyx.Assigned)) }

// approved makes the campaign approved and ready.
func approved(w *world) {
	w.sim.AddCampaign(telnyxsim.Campaign{ID: campaignID, CampaignStatus: telnyx.CampaignMNOProvisioned, WebhookURL: w.hook.URL + webhook.Path})
}

// failing makes that many requests fail at the carriers. It waits until each failure is
// read and the next request is sent.
func failing(times int) (prepare func(w *world), drive func(w *world, c *clock)) {
	prepare = func(w *world) {
		w.own(reasonNumber)
		for range times {
			w.sim.FailAssignment(reasonNumber, "Number is not in the carrier's inventory")
		}
	}
	drive = func(w *world, c *clock) {
		for i := range times {
			if i > 0 {
				c.advance(2 * time.Hour)
				w.reconcile(campaignID)
			}
			w.posted(reasonNumber, i+1)
			w.failedAtTelnyx(reasonNumber)
			c.advance(30 * time.Minute) // the request can no longer be in flight
			w.reconcile(campaignID)
		}
	}
	return prepare, drive
}

// tries advances the clock for that many more tries.
func tries(more int) func(w *world, c *clock) {
	return func(w *world, c *clock) {
		for i := range more {
			w.posted(reasonNumber, i+1)
			w.reconcile(campaignID)
			c.advance(2 * time.Hour)
			w.reconcile(campaignID)
		}
	}
}

// readAgain advances the clock to the next try after a first request.
func readAgain(w *world, c *clock) {
	w.posted(reasonNumber, 1)
	w.reconcile(campaignID)
	c.advance(time.Minute)
	w.reconcile(campaignID)
}

var (
	failingOnce, foundOnce       = failing(1)
	failingAlways, foundEachTime = failing(5)
)

// The sentences are those of Telnyx and of the aggregator behind it.
var scenarios = map[ledger.Reason][]scenario{
	ledger.NotOwned: {
		{name: "not on the account", state: ledger.Failed, again: timed, prepare: func(*world) {}, fix: owned(telnyxsim.Number{MessagingProfileID: profileID})},
	},
	ledger.Unverified: {
		{name: "its record cannot be read", state: ledger.Planned, again: timed, words: "cannot be read", prepare: func(w *world) {
			w.own(reasonNumber)
			w.sim.Inject(telnyxsim.Fault{Method: http.MethodGet, PathPrefix: assignPath, Times: -1,
				Kind: telnyxsim.StatusFault(http.StatusOK, `{"records":[],"page":1,"totalRecords":7}`)})
		}},
	},
	ledger.NotActive: {
		{name: "being ported", state: ledger.Planned, again: timed, words: "port", prepare: owned(telnyxsim.Number{MessagingProfileID: profileID, Status: "port-pending"}), lasts: true},
		{name: "ported out", state: ledger.Planned, again: timed, words: "ported", prepare: owned(telnyxsim.Number{MessagingProfileID: profileID, Status: "ported-out"}), lasts: true},
	},
	ledger.Queued: {
		{name: "on hold", state: ledger.Planned, again: resync, prepare: func(w *world) {
			w.own(reasonNumber)
			w.must(w.book.Hold(w.t.Context(), nil, ledger.HeldBy{By: "ann@ops", At: time.Now()}))
		}, fix: func(w *world) {
			_, err := w.book.Resume(w.t.Context(), nil)
			w.must(err)
		}},
	},
	ledger.CampaignExpired: {
		{name: "expired", state: ledger.Planned, again: resync, prepare: campaignThat(func(c *telnyxsim.Campaign) { c.Status = telnyx.StatusExpired }), fix: approved},
	},
	ledger.CampaignMissing: {
		{name: "not on the account", state: ledger.Planned, again: resync, prepare: unreadable(refusal(404, "10005", "Resource not found", ""))},
	},
	ledger.NotLongCode: {
		{name: "toll-free", state: ledger.Failed, again: resync, prepare: owned(telnyxsim.Number{MessagingProfileID: profileID, Type: "tollfree"}), fix: owned(telnyxsim.Number{MessagingProfileID: profileID})},
		{name: "Canadian", state: ledger.Failed, again: resync, prepare: owned(telnyxsim.Number{MessagingProfileID: profileID, CountryCode: "CA"}), fix: owned(telnyxsim.Number{MessagingProfileID: profileID})},
	},
	ledger.NoMessagingProfile: {
		{name: "on no profile", state: ledger.Failed, again: resync, prepare: owned(telnyxsim.Number{}), fix: owned(telnyxsim.Number{MessagingProfileID: profileID})},
	},
	ledger.OtherProfile: {
		{name: "on another profile", state: ledger.Failed, again: resync, words: "another-profile",
			entry: []string{"messaging_profile_id: " + profileID}, prepare: owned(telnyxsim.Number{MessagingProfileID: "another-profile"}), fix: owned(telnyxsim.Number{MessagingProfileID: profileID})},
	},
	ledger.OtherCampaign: {
		{name: "by its record", state: ledger.Conflict, again: resync, words: elsewhereID, prepare: func(w *world) {
			w.own(reasonNumber)
			w.campaign(elsewhereID, telnyx.CampaignMNOProvisioned)
			w.must(w.sim.AttachNumber(reasonNumber, elsewhereID, telnyx.Assigned))
		}, fix: freed(reasonNumber)},
		{name: "by an answer 200 with errors, and then by its record", state: ledger.Conflict, again: resync, words: elsewhereID, prepare: takenMeanwhile, drive: readAgain, fix: freed(reasonNumber)},
		{name: "by a refusal, and then by its record", state: ledger.Conflict, again: resync, words: elsewhereID,
			options: telnyxsim.Options{Dialect: telnyxsim.Dialect{RefuseConflicts: true}}, prepare: takenMeanwhile, drive: readAgain, fix: freed(reasonNumber)},
		{name: "by the sentence alone, of a number without a record", state: ledger.Conflict, again: timed, words: "already associated with another campaign",
			prepare: requestsFail(-1, refusal(400, "10015", "Invalid parameter", "Longcode cannot be added/deleted as it is already associated with another campaign.")), drive: tries(2)},
	},
	ledger.CampaignInReview: {
		{name: "in review", state: ledger.Planned, again: resync,
			prepare: campaignThat(func(c *telnyxsim.Campaign) { c.CampaignStatus = telnyx.CampaignMNOAccepted }), fix: approved},
	},
	ledger.CampaignRejected: {
		{name: "rejected", state: ledger.Planned, again: resync, words: "no opt-out", prepare: func(w *world) {
			w.own(reasonNumber)
			w.must(w.sim.Reject(campaignID, "no opt-out"))
		}, fix: approved},
	},
	ledger.CampaignSuspended: {
		{name: "suspended by T-Mobile", state: ledger.Planned, again: resync, words: "T-Mobile",
			prepare: campaignThat(func(c *telnyxsim.Campaign) { c.TMobileSuspended = true }), fix: approved},
	},
	ledger.CampaignUnknown: {
		{name: "a mock", state: ledger.Planned, again: resync, words: "mock", prepare: campaignThat(func(c *telnyxsim.Campaign) { c.Mock = true }), fix: approved},
	},
	ledger.CampaignFull: {
		{name: "by the plan's max_numbers", state: ledger.Planned, again: resync, words: "the limit is 3", entry: []string{"max_numbers: 3"}, prepare: crowded(3), fix: freed(many(1)[0])},
		{name: "by Telnyx's words", state: ledger.Planned, again: timed, words: "Limit exceeded",
			options: telnyxsim.Options{MaxNumbersPerCampaign: 3}, prepare: crowded(3), fix: freed(many(1)[0])},
		{name: "of a sole proprietor", state: ledger.Planned, again: resync, words: "the limit is 1", prepare: func(w *world) {
			campaignThat(func(c *telnyxsim.Campaign) { c.Usecase = "SOLE_PROPRIETOR" })(w)
			crowded(1)(w)
		}, fix: freed(many(1)[0])},
	},
	ledger.DormantRetry: {
		{name: "refused", state: ledger.Planned, again: timed, words: "dormant", options: telnyxsim.Options{Dialect: telnyxsim.Dialect{RefuseDormant: true}},
			prepare: campaignThat(func(c *telnyxsim.Campaign) { c.Dormant = true })},
		{name: "failed", state: ledger.Planned, again: timed, words: "dormant",
			prepare: campaignThat(func(c *telnyxsim.Campaign) { c.Dormant = true }), drive: foundOnce},
	},
	ledger.BeingProcessed: {
		{name: "by its code", state: ledger.Planned, again: timed, words: "10036", prepare: requestsFail(1, refusal(422, "10036", "Resource is being processed", ""))},
		{name: "since the campaign is not deployed", state: ledger.Planned, again: timed, words: "not Deployed",
			prepare: requestsFail(1, refusal(400, "10015", "Invalid parameter", "Longcode cannot be added/deleted as Campaign is not Deployed."))},
		{name: "on its way off another campaign", state: ledger.Planned, again: timed, words: elsewhereID, prepare: func(w *world) {
			w.own(reasonNumber)
			w.campaign(elsewhereID, telnyx.CampaignMNOProvisioned)
			w.must(w.sim.AttachNumber(reasonNumber, elsewhereID, telnyx.PendingUnassignment))
		}, fix: freed(reasonNumber)},
	},
	ledger.CarrierFailed: {
		{name: "once", state: ledger.Planned, again: timed, words: "carrier's inventory", prepare: failingOnce, drive: foundOnce},
		{name: "time and again", state: ledger.Failed, again: timed, least: 20 * time.Minute, words: "carrier's inventory", prepare: failingAlways, drive: foundEachTime},
		{name: "T-Mobile's mapping", state: ledger.Attached, again: timed, words: "T-Mobile FAILED", prepare: func(w *world) {
			w.own(reasonNumber)
			w.sim.FailMapping(reasonNumber, telnyxsim.TMobile)
		}, fix: attached},
		{name: "AT&T's mapping", state: ledger.Attached, again: timed, words: "AT&T FAILED", prepare: func(w *world) {
			w.own(reasonNumber)
			w.sim.FailMapping(reasonNumber, telnyxsim.ATT)
		}, fix: attached},
	},
	ledger.RateLimited: {
		{name: "by a 429", state: ledger.Planned, again: timed, least: 10 * time.Second, words: "429", prepare: requestsFail(1, telnyxsim.RateLimited(0))},
		{name: "by the aggregator's quota", state: ledger.Planned, again: timed, words: "Daily quota",
			prepare: requestsFail(1, refusal(400, "10015", "Invalid parameter", "Daily quota exceeded"))},
	},
	ledger.Unauthorized: {
		{name: "on a write", state: ledger.Planned, again: rests, words: "Authentication failed", prepare: requestsFail(-1, refusal(401, "10009", "Authentication failed", ""))},
		{name: "on a read", state: ledger.Planned, again: rests, words: "Authentication failed", prepare: unreadable(refusal(401, "10009", "Authentication failed", ""))},
	},
	ledger.AccountBlocked: {
		{name: "on a write", state: ledger.Planned, again: timed, words: "Account inactive", prepare: requestsFail(-1, refusal(403, "20012", "Account inactive", ""))},
		{name: "on a read", state: ledger.Planned, again: rests, words: "Feature not permitted", prepare: unreadable(refusal(403, "10038", "Feature not permitted", ""))},
	},
	ledger.TelnyxUnavailable: {
		{name: "on a write", state: ledger.Attaching, again: timed, words: "502", prepare: requestsFail(-1, telnyxsim.HTML502())},
		{name: "on a read", state: ledger.Planned, again: rests, words: "502", prepare: unreadable(telnyxsim.HTML502())},
	},
	ledger.Rejected: {
		{name: "at first", state: ledger.Planned, again: timed, least: 10 * time.Second, words: "no such luck", prepare: requestsFail(1, refusal(400, "10015", "Bad Request", "no such luck"))},
		{name: "three times", state: ledger.Failed, again: timed, least: time.Minute, words: "no such luck", prepare: requestsFail(-1, refusal(400, "10015", "Bad Request", "no such luck")), drive: tries(2)},
		{name: "with 403, which concerns this number alone", state: ledger.Failed, again: timed, words: "Authorization failed", prepare: requestsFail(-1, refusal(403, "10010", "Authorization failed", "")), drive: tries(2)},
	},
	ledger.UnknownError: {
		{name: "at first", state: ledger.Planned, again: timed, words: "tea", prepare: requestsFail(1, refusal(418, "99999", "I am a pot", "of tea"))},
		{name: "three times", state: ledger.Failed, again: timed, words: "tea", prepare: requestsFail(-1, refusal(418, "99999", "I am a pot", "of tea")), drive: tries(2)},
		{name: "on a read", state: ledger.Planned, again: rests, words: "tea", prepare: unreadable(refusal(418, "99999", "I am a pot", "of tea"))},
	},
	ledger.Stuck: {
		{name: "refused for hours", state: ledger.Planned, again: timed, least: 50 * time.Minute, words: "10036",
			prepare: requestsFail(-1, refusal(422, "10036", "Resource is being processed", "")), drive: tries(12)},
		{name: "pending for days", state: ledger.Pending, again: timed, least: 50 * time.Minute, words: "not finished",
			options: telnyxsim.Options{AssignDelay: telnyxsim.Never}, drive: func(w *world, c *clock) {
				w.numberReaches(campaignID, reasonNumber, ledger.Pending)
				c.advance(73 * time.Hour)
				w.reconcile(campaignID)
			}, fix: attached},
	},
	ledger.PruneLimit: {
		{name: "a number leaves a plan of one", state: ledger.Leaving, again: resync, words: "the plan dropped",
			entry: []string{"prune: true"},
			prepare: func(w *world) {
				w.own(reasonNumber)
				w.own(otherNumber)
			},
			drive: func(w *world, c *clock) {
				w.reaches(campaignID, ledger.Sendable)
				w.replan(planOf("reasons", "campaign_id: "+campaignID, "prune: true", fmt.Sprintf("numbers: [%q]", otherNumber)))
				w.reconcile(campaignID)
				c.advance(w.config.Resync + time.Second)
				w.recheck(campaignID)
			},
			fix: func(w *world) {
				w.replan(planOf("reasons", "campaign_id: "+campaignID, "prune: true", fmt.Sprintf("numbers: [%q, %q]", reasonNumber, otherNumber)))
			}},
	},
}

// Every reason occurs in a test, and shows Telnyx's words, what happens next and what a
// person can do.
func TestEveryReason_OccursAndSaysWhatHappensNext(t *testing.T) {
	t.Parallel()
	for _, reason := range ledger.Reasons() {
		if len(scenarios[reason]) == 0 {
			t.Errorf("no scenario leads to reason %s", reason)
		}
		for i, s := range scenarios[reason] {
			if i > 0 && !whole() {
				break
			}
			t.Run(string(reason)+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				s.run(t, reason)
			})
		}
	}
}

func (s scenario) run(t *testing.T, reason ledger.Reason) {
	w := newWorld(t, s.options)
	clock := w.movableClock()
	w.plan(planOf("reasons", "campaign_id: "+campaignID, append(s.entry, fmt.Sprintf("numbers: [%q]", reasonNumber))...))
	w.sim.AddCampaign(telnyxsim.Campaign{ID: campaignID, CampaignStatus: telnyx.CampaignMNOProvisioned, WebhookURL: w.hook.URL + webhook.Path})
	if s.prepare == nil {
		s.prepare = owned(telnyxsim.Number{MessagingProfileID: profileID})
	}
	s.prepare(w)
	w.start()
	if s.drive != nil {
		s.drive(w, clock)
	}
	n := w.numberIs(campaignID, reasonNumber, s.state, reason)
	detail := n.Detail
	if s.again == rests {
		w.eventually("the campaign says why and until when", func() (bool, string) {
			record := w.campaignRecord(campaignID)
			detail = record.Detail
			return record.Reason == reason && record.NextAt.After(clock.now()), fmt.Sprintf("%+v", record)
		})
	}
	if !strings.Contains(detail, s.words) {
		t.Errorf("got detail %q, want %q in it", detail, s.words)
	}
	if s.again == timed {
		if wait := n.NextAt.Sub(clock.now()); wait < s.least || wait <= 0 || wait > time.Hour {
			t.Errorf("the next try is in %s, want it in %s to an hour", wait, s.least)
		}
	} else if !n.NextAt.IsZero() {
		t.Errorf("the next try is at %s, want none: it is tried again %s", n.NextAt, s.again)
	}
	s.adviceOn(t, n)
	s.isExplained(w, reason, detail)
	s.keepsItsRule(w, clock, n)
	if letters := w.deadLetters(); len(letters) != 0 {
		t.Errorf("%d dead letters, want none", len(letters))
	}
	if !s.lasts {
		s.endsWell(w, clock)
	}
}

// endsWell removes the cause and checks that the next reconcile attaches the number.
func (s scenario) endsWell(w *world, c *clock) {
	w.t.Helper()
	w.sim.ClearFaults()
	if s.fix != nil {
		s.fix(w)
	}
	c.advance(2 * time.Hour)
	w.recheck(campaignID)
	w.numberIs(campaignID, reasonNumber, ledger.Sendable, "")
}

// adviceOn checks that a person gets enough information.
func (s scenario) adviceOn(t *testing.T, n ledger.Number) {
	t.Helper()
	advice := n.Reason.Advice()
	if advice.Why == "" || advice.Next == "" {
		t.Errorf("reason %s: got %+v, want why and what follows", n.Reason, advice)
	}
	if n.NeedsPerson && n.Reason != ledger.CampaignSuspended && advice.Action == "" {
		t.Errorf("reason %s: it waits for a person, but does not say what to do", n.Reason)
	}
}

// isExplained checks that why shows the reason, what happens next, what to do, and the
// history: when it was planned, Telnyx's words, and the request, if there was one.
func (s scenario) isExplained(w *world, reason ledger.Reason, detail string) {
	w.t.Helper()
	var snapshot, part status.Snapshot
	// A reconcile writes its campaign after the numbers.
	w.eventually("status finds the number", func() (found bool, got string) {
		var err error
		snapshot, err = status.Read(w.t.Context(), w.js, w.config.Now())
		w.must(err)
		part, found = snapshot.About(reasonNumber)
		return found, fmt.Sprintf("%+v", snapshot)
	})
	story, err := timeline.OfNumber(w.t.Context(), w.js, reasonNumber)
	w.must(err)
	shown := part.Campaigns[0].Numbers[0]
	if story.Sentence == "" || story.Next == "" || story.Sentence != shown.Why || story.Next != shown.Next || story.Action != shown.Action {
		w.t.Errorf("why says %q, %q, %q; status %q, %q, %q", story.Sentence, story.Next, story.Action, shown.Why, shown.Next, shown.Action)
	}
	// A hold is shown by status, not by the number.
	if reason != ledger.Queued && story.NeedsPerson != (part.Progress() == status.NeedsPerson) || story.NeedsPerson && story.Action == "" {
		w.t.Errorf("needs a person: %t, progress %s, to do %q", story.NeedsPerson, part.Progress(), story.Action)
	}
	kinds := map[timeline.Kind]int{}
	quoted := false
	for _, entry := range story.Entries {
		kinds[entry.Kind]++
		quoted = quoted || entry.Detail != "" && strings.HasPrefix(strings.ReplaceAll(detail, `"`, ""), strings.ReplaceAll(strings.TrimSuffix(entry.Detail, "…"), `"`, ""))
	}
	requests := len(w.sim.Writes())
	plans := 1
	if reason == ledger.PruneLimit {
		plans = 2 // the second no longer names the number
	}
	if kinds[timeline.Plan] != plans || kinds[timeline.State] == 0 || !quoted && detail != "" || (kinds[timeline.Request] > 0) != (requests > 0) || kinds[timeline.Request] != kinds[timeline.Answer] {
		w.t.Errorf("%d requests, detail %q, and the timeline %+v", requests, detail, story.Entries)
	}
}

// keepsItsRule reconciles again, immediately and after hours, and checks the retry rule: no
// request is sent too early, or at all.
func (s scenario) keepsItsRule(w *world, c *clock, n ledger.Number) {
	w.t.Helper()
	if s.again == rests {
		return // its message waits, so the assigner is not idle
	}
	before := len(w.sim.Writes())
	w.reconcile(campaignID)
	if s.again != timed {
		c.advance(3 * time.Hour)
		w.reconcile(campaignID)
	}
	if sent := len(w.sim.Writes()) - before; sent != 0 {
		w.t.Errorf("%d requests before it is time, which is %s", sent, cmp.Or(string(s.again), "never"))
	}
	if now := w.number(campaignID, reasonNumber); now.State != n.State || now.Reason != n.Reason || triesOf(now) != triesOf(n) {
		w.t.Errorf("got %+v after another reconcile, want it unchanged: %+v", now, n)
	}
}
