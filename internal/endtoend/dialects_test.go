package endtoend_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"greenlight/internal/assigner"
	"greenlight/internal/ledger"
	"greenlight/internal/preflight"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
	"greenlight/internal/webhook"
)

// The campaigns and messaging profiles of the world that runs in every dialect. The first
// four are planned; some numbers are on the other two.
const (
	springID    = "4b30019a-e14d-522f-fc8e-00000000000a"
	pooledID    = "4b30019a-e14d-522f-fc8e-00000000000b"
	profiledID  = "4b30019a-e14d-522f-fc8e-00000000000c"
	sharedTCR   = "CSHARE1"
	formerID    = "4b30019a-e14d-522f-fc8e-00000000000d"
	strangerID  = "4b30019a-e14d-522f-fc8e-00000000000e"
	poolProfile = "4001776e-0000-4000-8000-000000000002"
	newProfile  = "4001776e-0000-4000-8000-000000000003"
)

// The planned numbers.
const (
	freeNumber     = "+12125550101"
	failedNumber   = "+12125550102" // an assignment to another campaign failed once
	movingNumber   = "+12125550103"
	takenNumber    = "+12125550104"
	strangeNumber  = "+12125550105" // not on the account
	profileless    = "+12125550106"
	freeTollFree   = "+12125550107" // by its type; plans refuse the area codes
	profiledNumber = "+12125550108" // its entry sets the messaging profile
	partnerNumber  = "+12125550109" // on the shared campaign
	pooledNumberA  = "+12125550110"
	pooledNumberB  = "+12125550111"
	portingNumber  = "+12125550112" // Telnyx refuses it in every dialect
)

// expectation is the expected end of a planned number: attached to its campaign, or not
// changed for a reason.
type expectation struct {
	campaign string
	reason   ledger.Reason
	// others are reasons that are equally true.
	others []ledger.Reason
	// from is the campaign that the number leaves.
	from string
	// tried says that only a request reveals the reason, so preflight and diff may not
	// have it.
	tried bool
}

var expectations = map[string]expectation{
	freeNumber:     {campaign: springID},
	failedNumber:   {campaign: springID},
	movingNumber:   {campaign: springID, from: formerID},
	takenNumber:    {campaign: springID, reason: ledger.OtherCampaign},
	strangeNumber:  {campaign: springID, reason: ledger.NotOwned},
	profileless:    {campaign: springID, reason: ledger.NoMessagingProfile},
	freeTollFree:   {campaign: springID, reason: ledger.NotLongCode},
	profiledNumber: {campaign: profiledID},
	partnerNumber:  {campaign: sharedTCR},
	pooledNumberA:  {campaign: pooledID},
	pooledNumberB:  {campaign: pooledID},
	portingNumber: {
		campaign: springID, reason: ledger.NotActive, tried: true,
		others: []ledger.Reason{ledger.Rejected, ledger.UnknownError, ledger.Unverified},
	},
}

const dialectPlan = `version: 1
campaigns:
  - name: spring
    campaign_id: ` + springID + `
    move_from: [` + formerID + `]
    numbers: ["` + freeNumber + `", "` + failedNumber + `", "` + movingNumber + `", "` + takenNumber + `", "` +
	strangeNumber + `", "` + profileless + `", "` + freeTollFree + `", "` + portingNumber + `"]
  - name: pooled
    campaign_id: ` + pooledID + `
    number_pool: ` + poolProfile + `
  - name: profiled
    campaign_id: ` + profiledID + `
    messaging_profile_id: ` + newProfile + `
    numbers: ["` + profiledNumber + `"]
  - name: shared
    tcr_campaign_id: ` + sharedTCR + `
    numbers: ["` + partnerNumber + `"]
`

// allowance lists what cannot be known in a dialect.
type allowance struct {
	why string
	// reasons may be reported for a number instead of attaching it.
	reasons map[string][]ledger.Reason
	// states are those of numbers that are attached; sendable if empty.
	states []ledger.State
	// tried are the numbers whose reason only a request reveals.
	tried []string
}

var allowances = map[string]allowance{
	"assignment-missing": {
		why: "a record without a status may be a failed one, one of a number in use, or one on its way",
		reasons: map[string][]ledger.Reason{
			failedNumber: {ledger.OtherCampaign, ledger.Unverified}, movingNumber: {ledger.OtherCampaign, ledger.Unverified},
		},
		states: []ledger.State{ledger.Pending, ledger.Attached, ledger.Sendable},
	},
	"mappings-missing": {
		why:    "without mappings nothing says that carriers have the number",
		states: []ledger.State{ledger.Attached, ledger.Sendable},
	},
	"refusals-409": {
		why:     "a conflict with code 10021 says that the number is in use for a while",
		reasons: map[string][]ledger.Reason{portingNumber: {ledger.BeingProcessed}},
	},
	"moves-refused": {
		why: "the only call that moves a number is refused, and taking it off first could lose it",
		reasons: map[string][]ledger.Reason{
			movingNumber: {ledger.OtherCampaign, ledger.Rejected, ledger.Unverified},
		},
		tried: []string{movingNumber},
	},
}

// allDialects are those of the simulator, and the zero value under the name none.
func allDialects() []telnyxsim.NamedDialect {
	return append(telnyxsim.Dialects(), telnyxsim.NamedDialect{Name: "none"})
}

// representative are the dialects of the usual run: one of each kind, and those in which
// reads lag behind writes.
var representative = []string{
	"none", "pages-of-20", "lists-lag", "reads-lag", "moves-lag", "moves-refused", "refusals-409", "assignment-missing", "free-forbidden",
}

// dialects returns those with the names.
func dialects(names []string) []telnyxsim.NamedDialect {
	return slices.DeleteFunc(allDialects(), func(d telnyxsim.NamedDialect) bool { return !slices.Contains(names, d.Name) })
}

func TestDialects_EachNumberEndsInItsExpectedState(t *testing.T) {
	t.Parallel()
	selected := dialects(representative)
	if testkit.Full {
		selected = allDialects()
	} else if !whole() {
		selected = dialects(representative[:5])
	}
	for _, d := range selected {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			if faults := newDialectWorld(t, d).run(); len(faults) > 0 {
				t.Error(strings.Join(faults, "\n"))
			}
		})
	}
}

// largeAccount is how many more numbers a large account has. It is not listed in full for
// a few numbers.
const largeAccount = 1500

// largeDialects differ in a large account, where filters and single records matter. The
// usual run has the first.
var largeDialects = []string{
	"filter-one", "none", "filter-digits", "filter-nothing", "unknown-filters-empty", "campaign-filters-empty", "totals-missing",
	"pages-of-100-or-400", "pages-over-100-fail", "filter-500", "filter-414", "free-object", "not-found-html", "forbidden-html", "paths-guide", "lists-lag",
}

func TestDialects_EachNumberEndsInItsExpectedStateInALargeAccount(t *testing.T) {
	t.Parallel()
	if !whole() {
		t.Skip("what a large account changes is shown without the race detector")
	}
	names := largeDialects
	if !testkit.Full {
		names = names[:1]
	}
	for _, d := range dialects(names) {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			w := newDialectWorld(t, d)
			if d.Name == "filter-nothing" || d.Name == "filter-500" {
				w.allowed = allowance{
					why:     "only the account's list shows that a number is not there, and it is read every ten minutes at most",
					reasons: map[string][]ledger.Reason{strangeNumber: {ledger.Unverified}},
				}
			}
			for i := range largeAccount {
				number := fmt.Sprintf("+1213%07d", 5550000+i)
				w.sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, MessagingProfileID: profileID})
				w.must(w.sim.AttachNumber(number, strangerID, telnyx.Assigned))
			}
			if faults := w.run(); len(faults) > 0 {
				t.Error(strings.Join(faults, "\n"))
			}
		})
	}
}

// dialectWorld is the small world in one dialect.
type dialectWorld struct {
	*world
	dialect telnyxsim.NamedDialect
	allowed allowance
	// forecast are the reasons that preflight and diff gave, by their name and number.
	forecast map[string]map[string]ledger.Reason
}

func newDialectWorld(t *testing.T, d telnyxsim.NamedDialect) *dialectWorld {
	t.Helper()
	w := &dialectWorld{newWorld(t, telnyxsim.Options{Dialect: d.Dialect}), d, allowances[d.Name], map[string]map[string]ledger.Reason{}}
	w.config.Resync, w.config.Settle = time.Second, time.Second
	w.plan(dialectPlan)
	for _, id := range []string{springID, pooledID, profiledID, formerID, strangerID} {
		w.addCampaign(telnyxsim.Campaign{ID: id})
	}
	w.addCampaign(telnyxsim.Campaign{TCRID: sharedTCR, Shared: true})
	w.sim.AddMessagingProfiles(newProfile)
	w.own(freeNumber, failedNumber, movingNumber, takenNumber, partnerNumber)
	w.sim.AddNumbers(
		telnyxsim.Number{PhoneNumber: portingNumber, MessagingProfileID: profileID, Status: "port-pending"},
		telnyxsim.Number{PhoneNumber: profileless}, telnyxsim.Number{PhoneNumber: profiledNumber},
		telnyxsim.Number{PhoneNumber: freeTollFree, MessagingProfileID: profileID, Type: "tollfree"},
		telnyxsim.Number{PhoneNumber: pooledNumberA, MessagingProfileID: poolProfile},
		telnyxsim.Number{PhoneNumber: pooledNumberB, MessagingProfileID: poolProfile},
	)
	w.must(w.sim.AttachNumber(failedNumber, strangerID, telnyx.FailedAssignment, "not in the carrier's inventory"))
	w.must(w.sim.AttachNumber(movingNumber, formerID, telnyx.Assigned))
	w.must(w.sim.AttachNumber(takenNumber, strangerID, telnyx.Assigned))
	for _, number := range many(25) { // lists have more than one page of 20
		w.own(number)
		w.must(w.sim.AttachNumber(number, strangerID, telnyx.Assigned))
	}
	return w
}

func (w *dialectWorld) addCampaign(c telnyxsim.Campaign) {
	c.CampaignStatus, c.WebhookURL = telnyx.CampaignMNOProvisioned, w.hook.URL+webhook.Path
	w.sim.AddCampaign(c)
}

// run runs preflight, diff and the assigner, and returns the faults of the result.
func (w *dialectWorld) run() []string {
	faults := slices.Concat(w.preflightFaults(), w.diffFaults())
	stop := w.start()
	var wrong []string
	poll(func() bool { wrong = w.ledgerFaults(); return len(wrong) == 0 })
	stop()
	return slices.Concat(faults, wrong, w.contradictions(), w.writeFaults())
}

// client is a client that has learned nothing yet.
func (w *dialectWorld) client() *telnyx.Client {
	return &telnyx.Client{APIKey: apiKey, BaseURL: w.api.URL + "/v2"}
}

// accepts reports whether a reason, empty for none, may be given for a number.
func (w *dialectWorld) accepts(number string, reason ledger.Reason) bool {
	d := expectations[number]
	return reason == d.reason || slices.Contains(d.others, reason) || slices.Contains(w.allowed.reasons[number], reason)
}

// isTried reports whether only a request reveals the reason of a number.
func (w *dialectWorld) isTried(number string) bool {
	return expectations[number].tried || slices.Contains(w.allowed.tried, number)
}

// preflightFaults compares what preflight finds with what the numbers are.
func (w *dialectWorld) preflightFaults() (faults []string) {
	reports, err := preflight.Check(w.t.Context(), w.client(), 4, "", w.plans())
	if err != nil {
		return []string{"preflight: " + err.Error()}
	}
	found := map[string]ledger.Reason{}
	for _, f := range reports[0].Findings {
		if f.Number == "" && f.Code != preflight.WebhookURL { // the test's own address is not public
			faults = append(faults, fmt.Sprintf("preflight: campaign %s is %s", f.CampaignID, f.Code))
		}
		found[string(f.Number)] = ledger.Reason(f.Code)
	}
	return append(faults, w.reasonFaults("preflight", found)...)
}

// diffFaults compares the forecast of plan diff.
func (w *dialectWorld) diffFaults() (faults []string) {
	forecasts, err := assigner.ForecastPlans(w.t.Context(), assigner.NewObserver(w.client(), 4), w.plans())
	if err != nil {
		return []string{"diff: " + err.Error()}
	}
	found := map[string]ledger.Reason{}
	for _, f := range forecasts[0] {
		if f.Phase != ledger.PhaseApproved {
			faults = append(faults, fmt.Sprintf("diff: campaign %s is %s", f.Plan.ID(), f.Phase))
		}
		for _, n := range f.Numbers {
			if n.Write == assigner.WriteNone {
				found[string(n.Change.Number)] = n.Decision.Record.Reason
			}
		}
	}
	return append(faults, w.reasonFaults("diff", found)...)
}

// reasonFaults names each number for which a wrong reason was found.
func (w *dialectWorld) reasonFaults(who string, found map[string]ledger.Reason) (faults []string) {
	w.forecast[who] = found
	for _, number := range slices.Sorted(maps.Keys(expectations)) {
		if got := found[number]; !w.accepts(number, got) && (got != "" || !w.isTried(number)) {
			faults = append(faults, fmt.Sprintf("%s: %s is %q, want %q", who, number, got, expectations[number].reason))
		}
	}
	return faults
}

// ledgerFaults compares the ledger and the records at Telnyx with what is expected of
// each number.
func (w *dialectWorld) ledgerFaults() (faults []string) {
	records := w.records()
	on := map[string]string{}
	for _, a := range w.sim.Assignments() {
		if a.Status == telnyx.Assigned {
			on[a.PhoneNumber] = a.CampaignID
		}
	}
	states := w.allowed.states
	if len(states) == 0 {
		states = []ledger.State{ledger.Sendable}
	}
	for _, number := range slices.Sorted(maps.Keys(expectations)) {
		want, got := expectations[number], records[number]
		attached := want.reason == "" && on[number] == want.campaign && slices.Contains(states, got.State)
		excused := got.Reason != "" && w.accepts(number, got.Reason)
		if !attached && !excused {
			faults = append(faults, fmt.Sprintf("ledger: %s is %s (%s), on %q at Telnyx; want reason %q. %s",
				number, got.State, got.Reason, on[number], want.reason, got.Detail))
		}
	}
	return faults
}

// records are the ledger's, by number.
func (w *dialectWorld) records() map[string]ledger.Number {
	records := map[string]ledger.Number{}
	for _, campaign := range w.plans().Campaigns {
		maps.Copy(records, w.numbersOf(campaign.ID()))
	}
	return records
}

// contradictions names each number about which preflight or diff and the ledger give
// different reasons.
func (w *dialectWorld) contradictions() (faults []string) {
	for number, n := range w.records() {
		for who, found := range w.forecast {
			waits := n.Reason == ledger.Unverified && slices.Contains(w.allowed.reasons[number], n.Reason)
			if found[number] != n.Reason && !waits && !w.isTried(number) {
				faults = append(faults, fmt.Sprintf("%s has %q for %s, and the ledger %q", who, found[number], number, n.Reason))
			}
		}
	}
	return faults
}

// writeFaults checks that every number got the effective writes that it needs, and
// that nothing else changed.
func (w *dialectWorld) writeFaults() (faults []string) {
	attached, patched := map[string]int{}, map[string]int{}
	for _, write := range w.sim.Writes() {
		want, planned := expectations[write.PhoneNumber]
		switch {
		case !write.Effective:
		case write.Method == "PATCH" && write.PhoneNumber == profiledNumber && write.MessagingProfileID == newProfile:
			patched[write.PhoneNumber]++
		case write.Method == "PATCH", write.Method == "DELETE", !planned, want.reason != "", write.CampaignID != want.campaign,
			write.PreviousCampaignID != want.from:
			faults = append(faults, fmt.Sprintf("wrong write: %+v", write))
		default:
			attached[write.PhoneNumber]++
		}
	}
	for number, count := range attached {
		if count > 1 {
			faults = append(faults, fmt.Sprintf("%s was attached %d times", number, count))
		}
	}
	if patched[profiledNumber] > 1 {
		faults = append(faults, "the messaging profile was set twice")
	}
	for _, a := range w.sim.Assignments() {
		if _, planned := expectations[a.PhoneNumber]; (!planned || a.PhoneNumber == takenNumber) && a.CampaignID != strangerID {
			faults = append(faults, a.PhoneNumber+" left its campaign")
		}
	}
	return faults
}

// The checks find numbers that were taken, and numbers that were not attached.
func TestDialects_ChecksFindFaults(t *testing.T) {
	t.Parallel()
	w := newDialectWorld(t, telnyxsim.NamedDialect{Name: "none"})
	bystander := many(1)[0]
	for _, number := range []string{takenNumber, bystander} {
		_, err := w.client().Reassign(t.Context(), number, springID)
		w.must(err)
	}
	got := strings.Join(w.writeFaults(), "\n")
	for _, want := range []string{"wrong write: ", takenNumber + " left", bystander + " left"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %q, want %q in it", got, want)
		}
	}
	if got := w.ledgerFaults(); len(got) != len(expectations) {
		t.Errorf("got %d faults before anything was done, want one for each of %d numbers: %q", len(got), len(expectations), got)
	}
}

// The dialects that the lists of this package name exist.
func TestDialects_ListsNameExistingDialects(t *testing.T) {
	known := map[string]bool{}
	for _, d := range allDialects() {
		known[d.Name] = true
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(allowances)), largeDialects, representative) {
		if !known[name] {
			t.Errorf("dialect %q does not exist", name)
		}
	}
}
