package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/app"
	"greenlight/internal/assigner"
	"greenlight/internal/events"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
	"greenlight/internal/testkit/commandtest"
)

// numbersWorld is a simulated Telnyx, with plan files in plans.yaml, and NATS if a test
// starts it.
type numbersWorld struct{ *diffWorld }

func newNumbersWorld(t *testing.T, plans string) numbersWorld {
	t.Helper()
	w := numbersWorld{newDiffWorld(t, plans)}
	w.campaign(springID, telnyx.CampaignMNOProvisioned)
	w.campaign(oldID, telnyx.CampaignMNOProvisioned)
	return w
}

// hasLedger starts NATS with the ledger of an assigner.
func (w numbersWorld) hasLedger() *ledger.Ledger {
	w.t.Helper()
	url, js := commandtest.StartNATS(w.t)
	w.natsURL = url
	book, err := ledger.Create(w.t.Context(), js, 1)
	w.must(err)
	return book
}

// inForce stores the record of a plan's campaign.
func (w numbersWorld) inForce(book *ledger.Ledger, c ledger.Campaign, numbers ...ledger.Number) {
	w.t.Helper()
	c.Planned, c.PlanPlace = true, "plans.yaml:3"
	_, err := book.PutCampaign(w.t.Context(), ledger.CampaignEntry{}, c)
	w.must(err)
	for _, n := range numbers {
		n.CampaignID, n.Plan = c.ID, c.Plan
		_, err := book.PutNumber(w.t.Context(), ledger.NumberEntry{}, n)
		w.must(err)
	}
}

// numbers runs greenlight numbers.
func (w numbersWorld) numbers(args ...string) (stdout, stderr string, code int) {
	w.t.Helper()
	return w.greenlight(append([]string{"numbers"}, args...)...)
}

// greenlight runs a command that calls Telnyx.
func (w numbersWorld) greenlight(args ...string) (stdout, stderr string, code int) {
	w.t.Helper()
	var out, errs bytes.Buffer
	err := run(w.t.Context(), append(args, w.settings(args...)...), output{&out, &errs})
	if err != nil {
		code = 1
		if coded, ok := errors.AsType[*app.ExitCode](err); ok {
			code, err = coded.Code, coded.Err
		}
	}
	if err != nil {
		fmt.Fprintln(&errs, err)
	}
	short := strings.NewReplacer(w.dir+string(filepath.Separator), "")
	return short.Replace(out.String()), short.Replace(errs.String()), code
}

// settings returns those flags that say where everything is which a command has.
func (w numbersWorld) settings(args ...string) (flags []string) {
	values := map[string]string{
		"telnyx-base-url": w.api.URL + "/v2", "telnyx-api-key": diffKey, "telnyx-rate": "1000",
		"plans": w.plans(), "data": filepath.Join(w.dir, "data"), "nats-url": w.natsURL,
	}
	for _, flag := range variableFlags(args) {
		if value := values[flag.Name]; value != "" {
			flags = append(flags, "--"+flag.Name, value)
		}
	}
	return flags
}

func (w numbersWorld) wants(stdout, stderr string, code int) func(gotOut, gotErr string, gotCode int) {
	return func(gotOut, gotErr string, gotCode int) {
		w.t.Helper()
		if gotCode != code || !strings.Contains(gotOut, stdout) || !strings.Contains(gotErr, stderr) {
			w.t.Errorf("got exit code %d, stdout %q, stderr %q; want %d, %q, %q", gotCode, gotOut, gotErr, code, stdout, stderr)
		}
	}
}

const twoEntries = `version: 1
campaigns:
  - name: spring
    campaign_id: ` + springID + `
    number_pool: ` + diffProfile + `
  - name: old
    campaign_id: ` + oldID + `
    numbers: [+12125550142]
`

func TestNumbersVerify_LeavesOutWhatIsLeaving(t *testing.T) {
	t.Parallel()
	w := newNumbersWorld(t, twoEntries)
	w.number("+12125550142", diffProfile, springID, telnyx.Assigned)
	w.inForce(w.hasLedger(), ledger.Campaign{ID: springID, Plan: "june", TelnyxID: springID},
		ledger.Number{Number: "+12125550142", PlanPlace: "june.yaml:5", State: ledger.Sendable},
		ledger.Number{Number: "+12125550143", PlanPlace: "june.yaml:5", State: ledger.Leaving},
		ledger.Number{Number: "+12125550144", Manual: true, State: ledger.Pending})
	w.wants("Complete: all 1 numbers", "Compared with the plan set in force.", 0)(w.numbers("verify", "june"))
	w.wants("", "no entry named jume (did you mean june?)", 1)(w.numbers("verify", "jume"))
}

// The pool of an entry in force is the ledger's, whatever the plan files say. A number that
// another entry lists is not of the pool.
func TestNumbersVerify_ReadsThePoolInForce(t *testing.T) {
	t.Parallel()
	w := newNumbersWorld(t, twoEntries)
	w.number("+12125550142", diffProfile, oldID, telnyx.Assigned)
	w.number("+12125550143", diffProfile, springID, telnyx.Assigned)
	w.number("+12125550144", diffProfile, "", "")
	set, err := plan.Load(w.plans())
	w.must(err)
	spring, _ := set.Find(springID)
	book := w.hasLedger()
	w.inForce(book, ledger.Campaign{ID: oldID, Plan: "old"}, ledger.Number{Number: "+12125550142", State: ledger.Sendable, PlanPlace: "plans.yaml:8"})
	w.inForce(book, ledger.Campaign{ID: springID, Plan: "spring", NumberPool: diffProfile, EntryHash: spring.Hash()},
		ledger.Number{Number: "+12125550143", State: ledger.Sendable, PlanPlace: "plans.yaml:3"})
	const gap = "missing  +12125550144\n1 missing, 0 extra, 0 waiting, of 2.\n"
	w.wants(gap, "", 2)(w.numbers("verify", "spring"))

	w.must(os.WriteFile(w.plans(), []byte(strings.Replace(twoEntries, diffProfile, otherProfile, 1)), 0o600))
	w.wants(gap, "Compared with the plan set in force.", 2)(w.numbers("verify", "spring"))
	w.must(os.Remove(w.plans()))
	w.wants("Complete: all 1 numbers", "", 0)(w.numbers("verify", "old"))
}

func TestNumbersVerify_WithoutNATSReadsTheFiles(t *testing.T) {
	t.Parallel()
	w := newNumbersWorld(t, twoEntries+`  - name: review
    reference_id: promo-7
    brand_id: b1
    numbers: [+12125550145]
`)
	w.number("+12125550142", diffProfile, oldID, telnyx.Assigned)
	w.number("+12125550143", diffProfile, springID, telnyx.Assigned)
	w.number("+12125550145", diffProfile, "", "")
	w.sim.AddCampaign(telnyxsim.Campaign{ID: foreignID, BrandID: "b1", ReferenceID: "promo-7", CampaignStatus: telnyx.CampaignMNOProvisioned})
	const source = "Compared with the plan files at plans.yaml, because no running Greenlight answered."
	w.wants("Complete: all 1 numbers", source, 0)(w.numbers("verify", "spring"))
	w.wants("missing  +12125550145\n", source, 2)(w.numbers("verify", "review"))
	w.natsURL = "nats://127.0.0.1:1"
	w.wants("Complete", "Note: the plan set in force cannot be read: NATS_URL (--nats-url) cannot be used", 0)(w.numbers("verify", "spring"))
	w.wants("Complete", source, 0)(w.numbers("verify", "spring"))
}

// A ledger that cannot be read is not one that is not there.
func TestNumbers_SayThatTheLedgerCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newNumbersWorld(t, twoEntries)
	w.number("+12125550142", diffProfile, oldID, telnyx.Assigned)
	url, js := commandtest.StartNATS(t)
	w.natsURL = url
	_, stderr, code := w.numbers("list")
	if code != 0 || stderr != "" {
		t.Errorf("where no assigner ever ran: exit code %d, stderr %q, want nothing", code, stderr)
	}
	_, err := ledger.Create(t.Context(), js, 1)
	w.must(err)
	bucket, err := js.KeyValue(t.Context(), "CAMPAIGNS")
	w.must(err)
	_, err = bucket.Put(t.Context(), springID, []byte(`{"v":99}`))
	w.must(err)
	w.wants("+12125550142", "was written by a newer Greenlight", 0)(w.numbers("list"))
	w.wants("", "the plan set in force cannot be read", 1)(w.numbers("verify", "old"))
	w.wants("", "the plan set in force cannot be read", 1)(w.greenlight("campaigns", "point", "--url", "https://hooks.example.com/webhooks/telnyx", "--yes"))
	if _, stderr, _ := w.numbers("list"); strings.Count(stderr, "\n") != 1 {
		t.Errorf("said more than once: %q", stderr)
	}
}

func TestNumbers_StandaloneIsRefusedBesideALedger(t *testing.T) {
	t.Parallel()
	w := newNumbersWorld(t, twoEntries)
	w.number("+12125550142", diffProfile, "", "")
	w.hasLedger()
	w.wants("", "omit --standalone: Greenlight is running here", 1)(w.numbers("assign", "+12125550142", "--campaign", oldID, "--standalone"))
	w.wants("", "omit --standalone: Greenlight is running here", 1)(w.numbers("remove", "+12125550142", "--standalone", "--yes"))
	if writes := w.sim.Writes(); len(writes) > 0 {
		t.Errorf("wrote %v", writes)
	}
}

func TestNumbers_StandaloneFindsPlanNamesInTheFiles(t *testing.T) {
	t.Parallel()
	w := newNumbersWorld(t, twoEntries)
	w.number("+12125550142", diffProfile, oldID, telnyx.Assigned)
	w.wants("+12125550142  attached", "", 0)(w.numbers("assign", "+12125550142", "--campaign", "old", "--standalone"))
	w.wants("", "campaign summer is not on this Telnyx account", 1)(w.numbers("remove", "+12125550142", "--campaign", "summer", "--standalone", "--yes"))
	w.wants("+12125550142  accepted", "", 0)(w.numbers("remove", "+12125550142", "--campaign", "old", "--standalone", "--yes"))
	w.must(os.Remove(w.plans()))
	w.wants("", "The name of a plan entry needs NATS", 1)(w.numbers("assign", "+12125550142", "--campaign", "old", "--standalone"))
}

// A campaign takes as many numbers as the plan's max_numbers says, by the ledger or the files.
func TestNumbersAssign_RefusesMoreThanThePlanAllows(t *testing.T) {
	t.Parallel()
	w := newNumbersWorld(t, strings.Replace(twoEntries, "[+12125550142]", "[+12125550142]\n    max_numbers: 1", 1))
	w.number("+12125550142", diffProfile, oldID, telnyx.Assigned)
	w.number("+12125550143", diffProfile, "", "")
	const refusal = "+12125550143  refused  The campaign has as many numbers as it is allowed: the limit is 1."
	w.wants(refusal, "", 3)(w.numbers("assign", "+12125550142", "+12125550143", "--campaign", "old", "--standalone"))
	w.must(os.WriteFile(w.plans(), []byte("version: 2"), 0o600))
	w.wants("", "nothing was sent: the campaign's max_numbers is unknown", 1)(w.numbers("assign", "+12125550143", "--campaign", oldID, "--standalone"))
	w.inForce(w.hasLedger(), ledger.Campaign{ID: oldID, Plan: "old", TelnyxID: oldID, MaxNumbers: 1},
		ledger.Number{Number: "+12125550142", State: ledger.Sendable, PlanPlace: "plans.yaml:8"})
	w.wants(refusal, "", 3)(w.numbers("assign", "+12125550143", "--campaign", oldID))
	if writes := w.sim.Writes(); len(writes) > 0 {
		t.Errorf("wrote %v", writes)
	}
}

// The files' max_numbers counts by whichever id a person names the campaign, and by whichever
// the plan selects it.
func TestNumbersAssign_StandaloneFindsTheLimitByEveryID(t *testing.T) {
	const tcr, reference = "CLIMIT1", "promo-7"
	for selector, entry := range map[string]string{
		"campaign_id":     "campaign_id: " + foreignID,
		"tcr_campaign_id": "tcr_campaign_id: " + tcr,
		"reference_id":    "reference_id: " + reference + "\n    brand_id: b1",
	} {
		t.Run(selector, func(t *testing.T) {
			w := newNumbersWorld(t, twoEntries+"  - name: limited\n    "+entry+"\n    max_numbers: 1\n    numbers: [+12125550145]\n")
			w.sim.AddCampaign(telnyxsim.Campaign{ID: foreignID, TCRID: tcr, BrandID: "b1", ReferenceID: reference, CampaignStatus: telnyx.CampaignMNOProvisioned})
			w.number("+12125550145", diffProfile, foreignID, telnyx.Assigned)
			w.number("+12125550146", diffProfile, "", "")
			names := []string{"limited", foreignID, tcr}
			if selector == "reference_id" {
				names = append(names, "ref_"+reference)
			}
			for _, name := range names {
				w.wants("+12125550146  refused  The campaign has as many numbers as it is allowed: the limit is 1.", "", 3)(
					w.numbers("assign", "+12125550146", "--campaign", name, "--standalone"))
			}
			if writes := w.sim.Writes(); len(writes) > 0 {
				t.Errorf("wrote %v", writes)
			}
		})
	}
}

// What cannot be judged does not stop the rest, unless there is nothing else.
func TestNumbers_AreJudgedOneByOne(t *testing.T) {
	t.Parallel()
	w := newNumbersWorld(t, twoEntries)
	w.number("+12125550142", diffProfile, oldID, telnyx.Assigned)
	w.number("+12125550143", diffProfile, springID, telnyx.Assigned)
	w.sim.Inject(telnyxsim.Fault{Method: http.MethodGet, PathPrefix: "/10dlc/campaign/" + springID, Times: -1, Kind: telnyxsim.Reset()})
	stdout, stderr, code := w.numbers("remove", "+12125550142", "+12125550143", "212", "--standalone", "--yes")
	for _, want := range []string{"212  refused  Number \"212\": ", "\n+12125550142  accepted\n", "+12125550143  refused  "} {
		if code != 3 || !strings.Contains(stdout, want) {
			t.Errorf("exit code %d, stderr %q, want 3 and %q in:\n%s", code, stderr, want, stdout)
		}
	}
	w.wants("+12125550143  refused  ", "no answer", 1)(w.numbers("remove", "+12125550143", "--standalone", "--yes"))
	w.wants("212  refused", "", 3)(w.numbers("assign", "+12125550143", "212", "--standalone", "--campaign", oldID))
	w.wants("", `number "212"`, 1)(w.numbers("assign", "212", "--standalone", "--campaign", oldID))
}

func TestNumbersRemove_AsksOnlyAboutWhatItWouldSend(t *testing.T) {
	number := plan.E164("+12125550142")
	for _, test := range []struct {
		shown assigner.ManualResult
		want  bool
	}{
		{assigner.ManualResult{Number: number, Would: true, Before: &telnyx.Assignment{CampaignID: "a"}}, true},
		{assigner.ManualResult{Number: number, Would: true}, true},
		{assigner.ManualResult{Number: number}, false},
		{assigner.ManualResult{Number: number, Refused: "Its record cannot be read."}, false},
		{assigner.ManualResult{Number: number, Sent: true}, false},
		{assigner.ManualResult{Number: number, Done: true}, false},
	} {
		c := numbersRemoveCommand{Yes: true}
		if got, err := c.ask(io.Discard, []assigner.ManualResult{test.shown}); got != test.want || err != nil {
			t.Errorf("%+v: got %t, %v, want %t", test.shown, got, err, test.want)
		}
	}
}

// writerFunc is called for each write.
type writerFunc func(text string)

func (f writerFunc) Write(text []byte) (int, error) {
	f(string(text))
	return len(text), nil
}

// A number that was refused when the others were shown is not removed with them, although
// it could be read by then.
func TestNumbersRemove_SendsOnlyForWhatWasShown(t *testing.T) {
	t.Parallel()
	w := newNumbersWorld(t, twoEntries)
	w.number("+12125550142", diffProfile, oldID, telnyx.Assigned)
	w.number("+12125550143", diffProfile, oldID, telnyx.Assigned)
	w.sim.Inject(telnyxsim.Fault{Method: http.MethodGet, PathPrefix: "/10dlc/phone_number_campaigns/+12125550143", Times: -1, Kind: telnyxsim.Reset()})
	var lines []string
	stdout := writerFunc(func(text string) {
		lines = append(lines, text)
		w.sim.ClearFaults()
	})
	args := []string{"numbers", "remove", "+12125550142", "+12125550143", "--campaign", oldID, "--standalone", "--yes"}
	err := run(t.Context(), append(args, w.settings(args...)...), output{stdout, io.Discard})
	if coded, ok := errors.AsType[*app.ExitCode](err); !ok || coded.Code != 3 {
		t.Errorf("got %v, want exit code 3", err)
	}
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "+12125550143  refused") || lines[1] != "+12125550142  accepted\n" {
		t.Errorf("got %q, want the second number refused and the first accepted", lines)
	}
	for _, write := range w.sim.Writes() {
		if write.PhoneNumber != "+12125550142" {
			t.Errorf("%s for %s, want none for the second number", write.Method, write.PhoneNumber)
		}
	}
}

// A hold of one campaign does not stop the removal from another.
func TestNumbersRemove_LeavesOutWhatIsOnHold(t *testing.T) {
	t.Parallel()
	w := newNumbersWorld(t, twoEntries)
	w.number("+12125550142", diffProfile, oldID, telnyx.Assigned)
	w.number("+12125550143", diffProfile, springID, telnyx.Assigned)
	book := w.hasLedger()
	w.must(book.Hold(t.Context(), []string{oldID}, ledger.HeldBy{By: "ops@example", At: time.Now(), Reason: "audit"}))
	stdout, stderr, code := w.numbers("remove", "+12125550142", "+12125550143", "--yes", "--json")
	for _, want := range []string{`"message": "Nothing was sent: on hold by ops@example`, `"result": "accepted"`} {
		if code != 3 || !strings.Contains(stdout, want) {
			t.Errorf("exit code %d, stderr %q, want 3 and %s in:\n%s", code, stderr, want, stdout)
		}
	}
	w.wants("+12125550142  refused", "Run greenlight resume first", 1)(w.numbers("remove", "+12125550142", "--yes"))
}

// After consent only what was shown is sent for, and while waiting only what is not done.
func TestReduce_KeepsTheNumbersOfAKind(t *testing.T) {
	entries := []plan.Campaign{{CampaignID: "a", Numbers: []plan.E164{"+12125550142", "+12125550143"}}, {CampaignID: "b", Numbers: []plan.E164{"+12125550144"}}}
	results := []assigner.ManualResult{{Number: "+12125550142", Done: true}, {Number: "+12125550143", Would: true}, {Number: "+12125550144", Refused: "No."}}
	got := reduce(entries, results, func(result assigner.ManualResult) bool { return result.Would })
	want := []plan.Campaign{{CampaignID: "a", Numbers: []plan.E164{"+12125550143"}}}
	if diff := cmp.Diff(want, got); diff != "" || len(entries[0].Numbers) != 2 {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestInForce_TakesThePlanOfANumberFromThePlansRecord(t *testing.T) {
	spring := ledger.Number{CampaignID: "a", Plan: "spring", Number: "+12125550142", State: ledger.Conflict}
	for name, other := range map[string]ledger.Number{
		"no plan":     {CampaignID: "b", Number: "+12125550142", State: ledger.Pending},
		"by a person": {CampaignID: "b", Number: "+12125550142", State: ledger.Pending, Manual: true, Plan: "earlier"},
		"leaving":     {CampaignID: "b", Number: "+12125550142", State: ledger.Leaving, Plan: "earlier"},
	} {
		known := inForce{numbers: []ledger.Number{spring, other}}
		if got := known.planOf()["+12125550142"]; got != "spring" {
			t.Errorf("%s: the plan is %q, want spring", name, got)
		}
	}
}

// A third of the numbers may go, as many as were not removed before. The rest needs a person.
func TestMarkRemovals_HoldsBackWhatNeedsAPerson(t *testing.T) {
	entry := plan.Campaign{Name: "spring", CampaignID: "a", Prune: true, Numbers: []plan.E164{"+12125550140"}}
	for name, test := range map[string]struct {
		record ledger.Campaign
		limit  int
		want   string
	}{
		"a third":                  {ledger.Campaign{ID: "a"}, 0, "=-!!!"},
		"of what it was before":    {ledger.Campaign{ID: "a", PruneBase: 9}, 0, "=---!"},
		"less what was removed":    {ledger.Campaign{ID: "a", PruneBase: 9, Pruned: 2}, 0, "=-!!!"},
		"nothing is left":          {ledger.Campaign{ID: "a", PruneBase: 9, Pruned: 3}, 0, "=!!!!"},
		"as many as a person says": {ledger.Campaign{ID: "a", PruneBase: 9}, 4, "=----"},
	} {
		known := inForce{campaigns: []ledger.CampaignEntry{{Campaign: test.record}}}
		f := assigner.Forecast{Plan: entry, Expanded: entry, Phase: ledger.PhaseApproved, Numbers: []assigner.NumberForecast{{Change: plan.Change{Number: "+12125550140", Action: plan.Done}}}}
		for _, n := range []plan.E164{"+12125550142", "+12125550143", "+12125550144", "+12125550145"} {
			known.numbers = append(known.numbers, ledger.Number{CampaignID: "a", Plan: "spring", Number: string(n), State: ledger.Leaving, AttachedBy: "spring"})
			f.Numbers = append(f.Numbers, assigner.NumberForecast{Change: plan.Change{Number: n, Action: plan.Extra}})
		}
		forecasts := []assigner.Forecast{f}
		known.markRemovals(forecasts, test.limit)
		report := newDiffReport("plans", "", forecasts)
		got := ""
		for _, n := range report.Campaigns[0].Numbers {
			got += n.Sign
			if held := n.Sign == "!"; held != (n.Reason == ledger.PruneLimit) || held != n.NeedsPerson || n.Change != (n.Sign == "-") {
				t.Errorf("%s: %+v", name, n)
			}
		}
		if got != test.want || report.Changes != strings.Contains(test.want, "-") || report.NeedsPerson != strings.Contains(test.want, "!") {
			t.Errorf("%s: got %s, changes %t, needs a person %t, want %s", name, got, report.Changes, report.NeedsPerson, test.want)
		}
	}
}

// What another entry is to move, or names by the campaign's other id, is not removed.
func TestMarkRemovals_LeavesWhatAnotherEntryNeeds(t *testing.T) {
	const number = "+12125550142"
	spring := plan.Campaign{Name: "spring", CampaignID: "a", Prune: true}
	forecast := assigner.Forecast{Plan: spring, Expanded: spring, Campaign: telnyx.Campaign{CampaignID: "a", TCRCampaignID: "t"},
		Numbers: []assigner.NumberForecast{{Change: plan.Change{Number: number, Action: plan.Extra}}}}
	known := inForce{numbers: []ledger.Number{{CampaignID: "a", Plan: "spring", AttachedBy: "spring", Number: number, State: ledger.Leaving}}}
	for name, test := range map[string]struct {
		next     plan.Campaign
		complete bool
		want     plan.Action
	}{
		"may move it":             {plan.Campaign{CampaignID: "b", MoveFrom: []string{"A"}, Numbers: []plan.E164{number}}, true, plan.Extra},
		"of the same campaign":    {plan.Campaign{TCRCampaignID: "t", Numbers: []plan.E164{number}}, true, plan.Extra},
		"may move its pool":       {plan.Campaign{CampaignID: "b", MoveFrom: []string{"a"}, NumberPool: "p"}, false, plan.Extra},
		"may move another number": {plan.Campaign{CampaignID: "b", MoveFrom: []string{"a"}}, true, plan.Remove},
		"may not move it":         {plan.Campaign{CampaignID: "b", Numbers: []plan.E164{number}}, true, plan.Remove},
	} {
		forecasts := []assigner.Forecast{forecast, {Plan: test.next, Expanded: test.next, PoolComplete: test.complete}}
		forecasts[0].Numbers = slices.Clone(forecast.Numbers)
		known.markRemovals(forecasts, 1)
		if got := forecasts[0].Numbers[0].Action; got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

func TestOutcomes_HaveAProgressBarOnATerminal(t *testing.T) {
	t.Setenv("NO_UNICODE", "1")
	var lines, terminal bytes.Buffer
	all := newOutcomes(output{&lines, &terminal}, false, "attached", "accepted")
	if all.counter != nil {
		t.Error("a buffer is taken for a terminal")
	}
	all.counter, all.total, all.waits = &terminal, 2, true
	all.add(assigner.ManualResult{Number: "+12125550142", Sent: true})
	all.add(assigner.ManualResult{Number: "+12125550143", Done: true})
	all.add(assigner.ManualResult{Number: "+12125550142", Done: true})
	if err := all.finish(nil); err != nil {
		t.Error(err)
	}
	var counts []string
	for _, part := range strings.Split(terminal.String(), "\r") {
		if strings.HasSuffix(part, "of 2") {
			counts = append(counts, part)
		}
	}
	half := barWidth / 2
	done, rest := strings.Repeat("#", half), strings.Repeat(".", half)
	if want := []string{rest + rest + " 0 of 2", done + rest + " 1 of 2", done + done + " 2 of 2"}; !slices.Equal(counts, want) || !strings.HasSuffix(terminal.String(), "\r\x1b[K") {
		t.Errorf("got %q, want %q, erased at the end", terminal.String(), want)
	}
	if want := "+12125550142  accepted\n+12125550143  attached\n+12125550142  attached\n"; lines.String() != want {
		t.Errorf("got %q, want %q", lines.String(), want)
	}
}

// A number that Telnyx accepted is not refused because a later reading fails.
func TestOutcomes_KeepWhatIsKnownWhenALaterReadingFails(t *testing.T) {
	var lines bytes.Buffer
	all := newOutcomes(output{&lines, io.Discard}, false, "attached", "accepted")
	numbers, broken := []plan.E164{"+12125550142"}, errors.New("no answer")
	all.add(assigner.ManualResult{Number: numbers[0], Sent: true})
	if got := all.judge(numbers, nil, broken); got != broken {
		t.Errorf("got %v, want the error", got)
	}
	if want := "+12125550142  accepted\n"; lines.String() != want {
		t.Errorf("got %q, want %q", lines.String(), want)
	}
}

func TestExplain_SaysWhatToDoIfOthersKeepChangingIt(t *testing.T) {
	got := explain(fmt.Errorf("write record: %w", ledger.ErrChanged), "a")
	if want := "other processes keep changing its record; run the command again"; !errors.Is(got, ledger.ErrChanged) || !strings.HasPrefix(got.Error(), want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Every command that asks Telnyx says what its refusal means and what to do.
func TestCommands_SayWhatToDoAboutTelnyxsRefusal(t *testing.T) {
	t.Parallel()
	w := newNumbersWorld(t, twoEntries)
	w.number("+12125550142", diffProfile, "", "")
	for _, command := range []string{
		"numbers list", "numbers list --campaign old", "numbers verify old", "campaigns list", "campaigns show old", "deliveries", "deliveries --campaign old",
		"campaigns point --standalone --yes --url " + newHook, "numbers assign +12125550142 --campaign old --standalone", "numbers remove +12125550142 --standalone --yes",
		"plan import", "plan diff " + w.plans(), "plan preflight " + w.plans(), "init",
	} {
		w.sim.Inject(telnyxsim.Fault{Times: -1, Kind: telnyxsim.StatusFault(401, `{"errors":[{"code":"10009","title":"Authentication failed"}]}`)})
		_, stderr, code := w.greenlight(strings.Fields(command)...)
		if want := "Telnyx refuses the API key. Check TELNYX_API_KEY: Mission Control, Account, Keys & Credentials. Details: "; code != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%s: got %d, %q, want %q", command, code, stderr, want)
		}
		w.sim.ClearFaults()
		for _, prefix := range []string{"/10dlc", "/webhook_deliveries"} { // without these permissions
			w.sim.Inject(telnyxsim.Fault{Times: -1, Kind: telnyxsim.StatusFault(403, `{"errors":[{"code":"10010","title":"Authorization failed"}]}`), PathPrefix: prefix})
		}
		_, stderr, code = w.greenlight(strings.Fields(command)...)
		if advice := "check the permissions of the key's user for 10DLC and numbers. Details: "; code != 1 || !strings.Contains(stderr, advice) || !strings.Contains(stderr, "10010") {
			t.Errorf("%s without permission: got %d, %q, want code 10010 and %q", command, code, stderr, advice)
		}
		w.sim.ClearFaults()
	}
}

// The commands about numbers and campaigns work whichever of Telnyx's pages is right. Each
// group has readings that do not exclude each other.
func TestNumbersAndCampaigns_UnderstandDialects(t *testing.T) {
	t.Parallel()
	groups := []string{
		"filter-digits pages-of-100 assignment-lower campaign-title type-title numbers-spaced paths-guide",
		"filter-ignored pages-of-20 totals-missing past-end-repeats ids-upper records-snake campaigns-snake",
		"filter-nothing sort-refused totals-of-page past-end-404 page-brackets mappings-missing lists-data",
		"unknown-filters-refused totals-small page-plain records-status type-unknown lists-bare",
	}
	for _, names := range groups[:testkit.Fewer(len(groups))] {
		t.Run(names, func(t *testing.T) {
			t.Parallel()
			dialect, err := telnyxsim.ParseDialect(strings.Fields(names)...)
			if err != nil {
				t.Fatal(err)
			}
			w := numbersWorld{importWorld(t, dialect)}
			w.campaign(springID, telnyx.CampaignMNOProvisioned)
			w.sim.AddCampaign(telnyxsim.Campaign{Shared: true, TCRID: "CSHARED", CampaignStatus: telnyx.CampaignMNOProvisioned})
			for _, number := range []string{"+12125550142", "+12125550143", "+12125550144"} {
				w.number(number, diffProfile, "", "")
			}
			w.until("+12125550142  attached\n+12125550143  attached\n", "numbers", "assign", "212.555.0143", "(212) 555-0142", "--campaign", springID, "--standalone")
			w.wants("+12125550142  refused  It is in use on campaign", "", 3)(w.numbers("assign", "+12125550142", "--campaign", "CSHARED", "--standalone"))
			w.wants("missing  +12125550144\n", "", 2)(w.numbers("verify", "--campaign", springID, "--profile", diffProfile))
			w.wants("CSHARED", "", 0)(w.greenlight("campaigns", "list"))
			w.wants(springID, "", 0)(w.greenlight("campaigns", "show", springID))
			for _, result := range []string{"  set  ", "  already set"} {
				w.wants("CSHARED"+result, "", 0)(w.greenlight("campaigns", "point", springID, "CSHARED", "--url", newHook, "--yes", "--standalone"))
			}
			w.until("+12125550142  removed", "numbers", "remove", "2125550142", "--standalone", "--yes")
			w.wants("+12125550143", "", 0)(w.numbers("list", "--campaign", springID))
		})
	}
}

// until repeats a command until it prints this.
func (w numbersWorld) until(want string, args ...string) {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		stdout, stderr, _ := w.greenlight(args...)
		if strings.Contains(stdout, want) {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%v: got stdout %q, stderr %q, want %q", args, stdout, stderr, want)
		}
	}
}

// While a restore is under way or interrupted, buckets may be missing and the hold unknown.
func TestCommands_SayThatARestoreIsIncomplete(t *testing.T) {
	t.Parallel()
	w := newNumbersWorld(t, twoEntries)
	w.number("+12125550142", diffProfile, "", "")
	url, js := commandtest.StartNATS(t)
	w.natsURL = url
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: events.RestoreStream})
	w.must(err)
	point := "campaigns point --yes --url " + newHook
	writing := []string{"numbers assign +12125550142 --campaign " + oldID, "numbers remove +12125550142 --yes", point}
	for _, command := range writing {
		writing = append(writing, command+" --standalone")
	}
	check := func(commands ...string) {
		t.Helper()
		for _, command := range commands {
			stdout, stderr, code := w.greenlight(strings.Fields(command)...)
			said := strings.Join(strings.Fields(stdout+" "+stderr), " ")
			if code == 0 || !strings.Contains(strings.ToLower(said), "a restore is in progress or was interrupted") || !strings.Contains(said, "again") ||
				strings.Contains(said, "--standalone") || strings.Contains(said, "has run") {
				t.Errorf("%s: got %d, %q, want that a restore is incomplete and must be run again", command, code, said)
			}
		}
	}
	check(writing...)
	check(point+" --dry-run", "status", "status --wait --timeout 5s", "why +12125550142", "hold", "resume", "trigger old", "doctor",
		"deadletters list", "deadletters show 1", "notices list", "events tail", "events replay --since 1h")

	// With the ledger restored, the hold may still be missing. The marker is deleted meanwhile,
	// because no bucket is created while it exists.
	w.must(js.DeleteStream(t.Context(), events.RestoreStream))
	_, err = ledger.Create(t.Context(), js, 1)
	w.must(err)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: events.RestoreStream})
	w.must(err)
	check(writing...)
	check("doctor")
	if writes := w.sim.Writes(); len(writes) > 0 {
		t.Errorf("wrote %v", writes)
	}
}
