package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	gocmp "github.com/google/go-cmp/cmp"

	"greenlight/internal/app"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/preflight"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
)

var updateDiff = flag.Bool("update-diff", false, "rewrite the golden files of plan diff")

const (
	diffKey      = "KEY0123456789_plan_diff_secret"
	diffProfile  = "4001776e-5b1a-4d0c-9f2e-2d9a7b9c1e10"
	otherProfile = "4001776e-0000-4000-8000-000000000002"
	springID     = "751c6a5c-907b-43a9-8ada-ba1dc8335b07"
	oldID        = "11111111-907b-43a9-8ada-ba1dc8335b07"
	foreignID    = "22222222-907b-43a9-8ada-ba1dc8335b07"
)

// diffWorld is a simulated Telnyx, and the plan that is compared with it.
type diffWorld struct {
	t   *testing.T
	sim *telnyxsim.Simulator
	api *httptest.Server
	dir string

	natsURL string // none if empty
}

func newDiffWorld(t *testing.T, planText string) *diffWorld {
	t.Helper()
	w := &diffWorld{t: t, sim: telnyxsim.New(telnyxsim.Options{RequiredAPIKey: diffKey}), dir: t.TempDir()}
	t.Cleanup(w.sim.Close)
	w.api = httptest.NewServer(w.sim)
	t.Cleanup(w.api.Close)
	w.must(os.WriteFile(w.plans(), []byte(planText), 0o600))
	return w
}

// plans is the path of the plan file.
func (w *diffWorld) plans() string { return filepath.Join(w.dir, "plans.yaml") }

func (w *diffWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *diffWorld) campaign(id string, status telnyx.CampaignStatus) {
	w.sim.AddCampaign(telnyxsim.Campaign{ID: id, CampaignStatus: status})
}

// number adds a number on a profile and, if a campaign is given, on that.
func (w *diffWorld) number(number, profile, campaign string, status telnyx.AssignmentStatus) {
	w.t.Helper()
	w.sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, MessagingProfileID: profile})
	if campaign != "" {
		w.must(w.sim.AttachNumber(number, campaign, status))
	}
}

// command runs the program as main does, and returns what it prints and its exit
// code. Nothing of it may hold the key.
func (w *diffWorld) command(ctx context.Context, args ...string) (stdout string, code int, err error) {
	w.t.Helper()
	var out, errs bytes.Buffer
	args = append(args, "--telnyx-base-url", w.api.URL+"/v2", "--telnyx-api-key", diffKey, "--telnyx-rate", "1000")
	err = run(ctx, args, output{&out, &errs})
	if err != nil {
		code = 1
		if coded, ok := errors.AsType[*app.ExitCode](err); ok {
			code, err = coded.Code, coded.Err
		}
	}
	if strings.Contains(out.String()+errs.String()+fmt.Sprint(err), diffKey) {
		w.t.Error("the key shows")
	}
	return strings.ReplaceAll(out.String(), w.dir+string(filepath.Separator), ""), code, err
}

// diff runs greenlight plan diff, which must succeed and write nothing.
func (w *diffWorld) diff(args ...string) (stdout string, code int) {
	w.t.Helper()
	before := len(w.sim.Writes())
	stdout, code, err := w.command(w.t.Context(), append([]string{"plan", "diff", w.plans()}, args...)...)
	w.must(err)
	if writes := w.sim.Writes()[before:]; len(writes) > 0 {
		w.t.Errorf("it wrote: %+v", writes)
	}
	return stdout, code
}

// report returns what --json prints.
func (w *diffWorld) report() (report diffReport, code int) {
	w.t.Helper()
	stdout, code := w.diff("--json")
	decoder := json.NewDecoder(strings.NewReader(stdout))
	decoder.DisallowUnknownFields()
	w.must(decoder.Decode(&report))
	return report, code
}

// agrees fails unless plan preflight gives the number the same reason, if that needs a
// person or may.
func (w *diffWorld) agrees(n diffNumber) {
	w.t.Helper()
	stdout, code, err := w.command(w.t.Context(), "plan", "preflight", w.plans(), "--json")
	w.must(err)
	var answer struct{ Plans []preflight.Report }
	w.must(json.Unmarshal([]byte(stdout), &answer))
	var want, got []preflight.Code
	if n.NeedsPerson || n.Reason == ledger.Unverified || n.Reason == ledger.NotActive {
		want = append(want, preflight.Code(n.Reason))
	}
	for _, f := range answer.Plans[0].Findings {
		old := n.Reason == "" && (f.Code == ledger.CarrierFailed || f.Code == preflight.RemovalFailed) // its record says
		if f.Number == n.Number && !old {
			got = append(got, f.Code)
		}
	}
	if !slices.Equal(got, want) || code != 2 { // the campaigns have no webhookURL
		w.t.Errorf("preflight: got %v and exit code %d, want %v and 2", got, code, want)
	}
}

// mixed is an account in which everything occurs that plan diff shows, and the
// plan for it.
func mixed(t *testing.T) *diffWorld {
	var listed strings.Builder
	for i := 1; i <= 13; i++ {
		fmt.Fprintf(&listed, "      - \"+155512300%02d\"\n", i)
	}
	w := newDiffWorld(t, `version: 1
campaigns:
  - name: spring-promo
    campaign_id: `+springID+`
    messaging_profile_id: `+diffProfile+`
    move_from: [`+oldID+`]
    numbers:
`+listed.String()+`
  - {name: autumn, campaign_id: autumn, numbers: ["+15551231001", "+15551231002"]}
  - {name: bare, campaign_id: bare, numbers: ["+15551232001"]}
  - {name: full, campaign_id: full, numbers: ["+15551233001", "+15551233002", "+15551233003"], max_numbers: 3}
  - {name: gone, campaign_id: 33333333-907b-43a9-8ada-ba1dc8335b07, numbers: ["+15551234001"]}
  - {name: many, campaign_id: many, numbers: ["+15551235001", "+15551235002", "+15551235003", "+15551235004", "+15551235005", "+15551235006", "+15551235007"]}
  - {name: pool, tcr_campaign_id: CPOOL01, number_pool: `+otherProfile+`}
  - {name: rejected, campaign_id: rejected, numbers: ["+15551237001"]}
  - {name: suspended, campaign_id: suspended, numbers: ["+15551238001"]}
`)
	for _, id := range []string{springID, oldID, foreignID, "bare", "full", "many"} {
		w.campaign(id, telnyx.CampaignMNOProvisioned)
	}
	w.campaign("autumn", telnyx.CampaignMNOPending)
	w.sim.AddCampaign(telnyxsim.Campaign{
		ID: "rejected", CampaignStatus: telnyx.CampaignMNORejected,
		FailureReasons: json.RawMessage("\"Ask @team | <img src=x> `rm` \\u001b[2J [here](http://x.test)\""),
	})
	w.sim.AddCampaign(telnyxsim.Campaign{ID: "suspended", CampaignStatus: telnyx.CampaignMNOProvisioned, TMobileSuspended: true})
	w.sim.AddCampaign(telnyxsim.Campaign{TCRID: "CPOOL01", Shared: true, CampaignStatus: telnyx.CampaignMNOProvisioned})

	w.number("+15551230001", diffProfile, "", "")
	w.number("+15551230002", "", "", "") // profile first
	w.number("+15551230003", diffProfile, oldID, telnyx.Assigned)
	w.number("+15551230004", "", oldID, telnyx.FailedUnassignment) // profile first, then moved
	w.number("+15551230005", diffProfile, springID, telnyx.Assigned)
	w.number("+15551230006", diffProfile, springID, telnyx.FailedUnassignment)
	w.number("+15551230007", diffProfile, springID, telnyx.PendingAssignment)
	w.number("+15551230008", diffProfile, foreignID, telnyx.PendingUnassignment)
	w.number("+15551230009", diffProfile, oldID, telnyx.PendingAssignment)
	w.number("+15551230010", diffProfile, foreignID, telnyx.Assigned)
	w.number("+15551230011", otherProfile, "", "")
	// +15551230012 is not on the account
	w.number("+15551230013", diffProfile, springID, telnyx.FailedAssignment)
	w.number("+15551230099", diffProfile, springID, telnyx.Assigned) // extra
	w.number("+15551232001", "", "", "")                             // on no profile, and none is planned
	w.number("+15551233001", diffProfile, "", "")
	w.number("+15551233002", diffProfile, "", "")
	w.number("+15551233003", diffProfile, "full", telnyx.Assigned)
	w.number("+15551233099", diffProfile, "full", telnyx.PendingAssignment) // takes room as well
	for i := 1; i <= 7; i++ {
		w.number(fmt.Sprintf("+1555123500%d", i), diffProfile, "many", telnyx.Assigned)
	}
	w.number("+15551236001", otherProfile, "", "") // of the pool, with +15551230011, which spring-promo names
	w.sim.AddNumbers(telnyxsim.Number{PhoneNumber: "+18005550142", MessagingProfileID: otherProfile, Type: "tollfree"})
	return w
}

func TestPlanDiff_ShowsEverythingInEachFormat(t *testing.T) {
	t.Parallel()
	w := mixed(t)
	for name, args := range map[string][]string{
		"mixed.txt":     nil,
		"mixed_all.txt": {"--all"},
		"mixed.md":      {"--format", "markdown"},
		"mixed.json":    {"--json"},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, code := w.diff(args...)
			if code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
			testkit.Golden(t, filepath.Join("testdata", "plan_diff", name), stdout, *updateDiff, "-update-diff")
			if strings.HasSuffix(name, ".txt") {
				fitsTerminal(t, stdout)
			}
		})
	}
}

// fitsTerminal fails for lines that are too long for 80 columns or would do
// something to a terminal.
func fitsTerminal(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if utf8.RuneCountInString(line) > 80 || strings.TrimRight(line, " ") != line ||
			strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("not for a terminal: %q", line)
		}
	}
}

// onePlan is a plan with one campaign. Rest are further keys of its entry.
func onePlan(rest string) string {
	return "version: 1\ncampaigns:\n  - {name: spring, campaign_id: " + springID + ", " + rest + "}\n"
}

func TestPlanDiff_SignOfANumber(t *testing.T) {
	t.Parallel()
	const number = "+15551230001"
	named := `numbers: ["` + number + `"]`
	for name, test := range map[string]struct {
		plan    string // rest of the entry; named by default
		profile string
		on      string // campaign; none by default
		status  telnyx.AssignmentStatus
		foreign bool // the number is not on the account
		kind    telnyx.NumberType

		sign, what string
		code       int
	}{
		"free":                         {profile: diffProfile, sign: "+", what: "attach", code: 2},
		"failed before":                {profile: diffProfile, on: springID, status: telnyx.FailedAssignment, sign: "+", what: "attach; its last assignment failed", code: 2},
		"profile first":                {plan: named + ", messaging_profile_id: " + diffProfile, sign: "+", what: "attach; will be put on messaging profile <" + diffProfile + "> first", code: 2},
		"to be moved":                  {plan: named + ", move_from: [" + oldID + "]", profile: diffProfile, on: oldID, status: telnyx.Assigned, sign: ">", what: "move from campaign <" + oldID + ">", code: 2},
		"attached":                     {profile: diffProfile, on: springID, status: telnyx.Assigned, sign: "=", what: "attached"},
		"not taken off":                {profile: diffProfile, on: springID, status: telnyx.FailedUnassignment, sign: "=", what: "attached; Telnyx failed to remove it"},
		"pending":                      {profile: diffProfile, on: springID, status: telnyx.PendingAssignment, sign: "~", what: "pending: Telnyx and the carriers are attaching it"},
		"in an unknown state":          {profile: diffProfile, on: springID, status: "ON_ITS_WAY", sign: "~", what: "waits: its status is <ON_ITS_WAY>"},
		"being taken off":              {profile: diffProfile, on: oldID, status: telnyx.PendingUnassignment, sign: "~", what: "being_processed: <it is being removed from campaign " + oldID + ">"},
		"to be moved later":            {plan: named + ", move_from: [" + oldID + "]", profile: diffProfile, on: oldID, status: telnyx.PendingAssignment, sign: "~", what: "being_processed: <it is being attached to campaign " + oldID + ", and will be moved after that>"},
		"on another campaign":          {profile: diffProfile, on: oldID, status: telnyx.Assigned, sign: "!", what: "other_campaign: <Telnyx has it on campaign " + oldID + " (ASSIGNED)>", code: 3},
		"not ours":                     {foreign: true, sign: "!", what: "not_owned", code: 3},
		"no long code":                 {profile: diffProfile, kind: "shortcode", sign: "!", what: "not_long_code: <Telnyx lists it as \"shortcode\">", code: 3},
		"on no profile":                {sign: "!", what: "no_messaging_profile", code: 3},
		"on another profile":           {plan: named + ", messaging_profile_id: " + diffProfile, profile: otherProfile, sign: "!", what: "other_profile: <it is on messaging profile " + otherProfile + ">", code: 3},
		"to be moved, with no profile": {plan: named + ", move_from: [" + oldID + "]", on: oldID, status: telnyx.Assigned, sign: "!", what: "no_messaging_profile", code: 3},
		"in the pool":                  {plan: "number_pool: " + diffProfile, profile: diffProfile, sign: "+", what: "attach", code: 2},
		"extra":                        {plan: "number_pool: " + otherProfile, profile: diffProfile, on: springID, status: telnyx.Assigned, sign: "?", what: "on the campaign (<ASSIGNED>) but not in its plan; left there"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newDiffWorld(t, onePlan(cmp.Or(test.plan, named)))
			w.campaign(springID, telnyx.CampaignMNOProvisioned)
			w.campaign(oldID, telnyx.CampaignMNOProvisioned)
			if !test.foreign {
				w.sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, MessagingProfileID: test.profile, Type: test.kind})
			}
			if test.on != "" {
				w.must(w.sim.AttachNumber(number, test.on, test.status))
			}
			report, code := w.report()
			if code != test.code || report.Changes != (code == 2) || report.NeedsPerson != (code == 3) || len(report.Campaigns) != 1 || len(report.Campaigns[0].Numbers) != 1 {
				t.Fatalf("exit code %d, want %d; %+v", code, test.code, report)
			}
			n := report.Campaigns[0].Numbers[0]
			what := n.describe(func(words string) string { return "<" + words + ">" })
			if n.Number != number || n.Sign != test.sign || what != test.what || n.Change != (code == 2) {
				t.Errorf("got %s %s %s, want %s %s", n.Sign, n.Number, what, test.sign, test.what)
			}
			w.agrees(n)
			stdout, again := w.diff()
			if again != code || !strings.Contains(stdout, "\n  "+n.Sign+" "+number+"  ") {
				t.Errorf("exit code %d, text:\n%s", again, stdout)
			}
		})
	}
}

func TestPlanDiff_RoomIsWhatExtrasLeave(t *testing.T) {
	t.Parallel()
	w := newDiffWorld(t, onePlan(`max_numbers: 2, numbers: ["+15551230001", "+15551230002"]`))
	w.campaign(springID, telnyx.CampaignMNOProvisioned)
	w.number("+15551230001", diffProfile, "", "")
	w.number("+15551230002", diffProfile, "", "")
	w.number("+15551230099", diffProfile, springID, telnyx.Assigned)
	report, code := w.report()
	want := diffTotals{Attach: 1, Unattachable: 1, Extras: 1}
	if code != 2 || report.Totals != want || report.Campaigns[0].Numbers[1].Reason != ledger.CampaignFull {
		t.Errorf("exit code %d, %+v", code, report)
	}
	w.agrees(report.Campaigns[0].Numbers[1])
	if stdout, _ := w.diff(); !strings.Contains(stdout, "! +15551230002  campaign_full: the limit is 2\n") {
		t.Errorf("got:\n%s", stdout)
	}
}

func TestPlanDiff_NothingIsDoneUntilTheCampaignIsApproved(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		campaign telnyxsim.Campaign
		phase    ledger.Phase
		says     string
		code     int
	}{
		"in review": {telnyxsim.Campaign{ID: springID, CampaignStatus: telnyx.CampaignMNOPending}, ledger.PhaseInReview, "in_review (MNO_PENDING) The campaign is in review", 0},
		"rejected":  {telnyxsim.Campaign{ID: springID, CampaignStatus: telnyx.CampaignMNORejected, FailureReasons: json.RawMessage(`"no opt-in."`)}, ledger.PhaseRejected, "Details: no opt-in. Until", 3},
		"suspended": {telnyxsim.Campaign{ID: springID, CampaignStatus: telnyx.CampaignTCRSuspended}, ledger.PhaseSuspended, "Details: The Campaign Registry has suspended it. Until", 0},
		"mock":      {telnyxsim.Campaign{ID: springID, CampaignStatus: telnyx.CampaignMNOProvisioned, Mock: true}, ledger.PhaseUnknown, "Details: it is a mock campaign", 3},
		"expired":   {telnyxsim.Campaign{ID: springID, CampaignStatus: telnyx.CampaignTCRExpired}, ledger.PhaseExpired, "The campaign has expired.", 3},
		"missing":   {telnyxsim.Campaign{ID: oldID}, ledger.PhaseMissing, "Telnyx does not have this campaign", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newDiffWorld(t, onePlan(`numbers: ["+15551230001"]`))
			w.sim.AddCampaign(test.campaign)
			w.number("+15551230001", diffProfile, "", "")
			report, code := w.report()
			if c := report.Campaigns[0]; code != test.code || c.Phase != test.phase || len(c.Numbers) != 0 || report.Totals != (diffTotals{NotApproved: 1}) {
				t.Errorf("exit code %d, %+v", code, report)
			}
			stdout, code := w.diff()
			flat := strings.Join(strings.Fields(stdout), " ")
			if code != test.code || !strings.Contains(flat, test.says) || !strings.Contains(flat, "nothing is done.") ||
				!strings.HasSuffix(stdout, "\nNo changes. 1 campaign not approved.\n") {
				t.Errorf("exit code %d, text:\n%s", code, stdout)
			}
			fitsTerminal(t, stdout)
		})
	}
}

func TestPlanDiff_SaysThatThereIsNothingToDo(t *testing.T) {
	t.Parallel()
	w := newDiffWorld(t, `version: 1
campaigns:
  - {name: empty, campaign_id: `+springID+`, number_pool: `+diffProfile+`}
  - {name: done, campaign_id: `+oldID+`, numbers: ["+15551230001"]}
`)
	w.campaign(springID, telnyx.CampaignMNOProvisioned)
	w.campaign(oldID, telnyx.CampaignMNOProvisioned)
	w.number("+15551230001", otherProfile, oldID, telnyx.Assigned)
	const want = "done  " + oldID + "  approved\n  = +15551230001  attached\n\nempty  " + springID + "  approved\n  It has no numbers.\n\n" +
		"No changes. 1 already attached.\n"
	if stdout, code := w.diff(); code != 0 || stdout != want {
		t.Errorf("exit code %d, got:\n%s", code, stdout)
	}
}

func TestPlanDiff_TwoEntriesForOneCampaignDoItOnce(t *testing.T) {
	t.Parallel()
	w := newDiffWorld(t, `version: 1
campaigns:
  - {name: first, campaign_id: `+springID+`, numbers: ["+15551230001"]}
  - {name: second, tcr_campaign_id: CSPRING, numbers: ["+15551230002"]}
`)
	w.sim.AddCampaign(telnyxsim.Campaign{ID: springID, TCRID: "CSPRING", CampaignStatus: telnyx.CampaignMNOProvisioned})
	w.number("+15551230001", diffProfile, "", "")
	w.number("+15551230002", diffProfile, "", "")
	report, code := w.report()
	if code != 2 || report.Totals != (diffTotals{Attach: 1, NotApproved: 1}) || report.Campaigns[1].Phase != ledger.PhaseUnknown {
		t.Errorf("exit code %d, %+v", code, report)
	}
}

// The forecast is compared with what an assigner does: a real one, with the same
// settings, until it is idle.
func TestPlanDiff_ShowsWhatTheAssignerThenDoes(t *testing.T) {
	t.Parallel()
	w := mixed(t)
	report, _ := w.report()
	var want []string
	for _, c := range report.Campaigns {
		for _, n := range c.Numbers {
			if n.Change && n.SetProfile != "" {
				want = append(want, fmt.Sprintf("PATCH %s %s", n.Number, n.SetProfile))
			}
			if n.Change {
				method := map[plan.Action]string{plan.Attach: "POST", plan.Move: "PUT"}[n.Action]
				want = append(want, fmt.Sprintf("%s %s %s", method, n.Number, c.ID))
			}
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, _, err := w.command(ctx, "up", "--plans", w.plans(), "--data", t.TempDir(), "--telnyx-public-key", w.sim.PublicKey(),
			"--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--log-level", "error")
		ended <- err
	}()
	var rest diffTotals
	for deadline := time.Now().Add(scriptPatience); ; time.Sleep(50 * time.Millisecond) {
		report, _ := w.reportBeside()
		if rest = report.Totals; !report.Changes || time.Now().After(deadline) {
			break
		}
	}
	stop()
	w.must(<-ended)
	if rest.Attach+rest.Move > 0 {
		t.Errorf("the assigner left %+v", rest)
	}
	var got []string
	for _, write := range w.sim.Writes() {
		got = append(got, fmt.Sprintf("%s %s %s", write.Method, write.PhoneNumber, write.CampaignID+write.MessagingProfileID))
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("the assigner did otherwise (-shown +done):\n%s", diff)
	}
}

// reportBeside is report while an assigner writes.
func (w *diffWorld) reportBeside() (report diffReport, code int) {
	w.t.Helper()
	stdout, code, err := w.command(w.t.Context(), "plan", "diff", w.plans(), "--json")
	w.must(err)
	w.must(json.Unmarshal([]byte(stdout), &report))
	return report, code
}

func TestPlanDiff_SaysInASentenceWhyTelnyxCannotBeAsked(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"key":     {401, `{"errors":[{"code":"10009","title":"Authentication failed","detail":"` + diffKey + `"}]}`, "Telnyx refuses the API key. Check TELNYX_API_KEY: Mission Control, Account, Keys & Credentials. Details: "},
		"account": {403, `{"errors":[{"code":"20013","title":"Account blocked"}]}`, "Telnyx refuses requests of this account, because of its funds, a limit or a block. Check the"},
		"rate":    {429, `{"errors":[{"code":"10011","title":"Too many requests"}]}`, "Telnyx asked for fewer requests. Run this again in a minute"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newDiffWorld(t, onePlan(`numbers: ["+15551230001"]`))
			kind := telnyxsim.StatusFault(test.status, test.body)
			if test.status == 429 {
				kind = telnyxsim.RateLimited(time.Minute) // longer than a read sits out
			}
			w.sim.Inject(telnyxsim.Fault{Times: 10, Kind: kind})
			stdout, code, err := w.command(t.Context(), "plan", "diff", w.plans())
			if stdout != "" || code != 1 || err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("exit code %d, error %v, printed %q", code, err, stdout)
			}
		})
	}
}

// A campaign that this key may not read is taken for a missing one, once a second answer
// agrees and the key is accepted elsewhere. Telnyx's words are shown.
func TestPlanDiff_ShowsWhyACampaignIsMissing(t *testing.T) {
	t.Parallel()
	w := newDiffWorld(t, onePlan(`numbers: ["+15551230001"]`))
	w.sim.Inject(telnyxsim.Fault{Times: -1, PathPrefix: "/10dlc/campaign/", Kind: telnyxsim.StatusFault(403, `{"errors":[{"code":"10010","title":"Authorization failed"}]}`)})
	stdout, code, err := w.command(t.Context(), "plan", "diff", w.plans())
	flat := strings.Join(strings.Fields(stdout), " ")
	if code != 3 || err != nil || !strings.Contains(flat, " missing ") || !strings.Contains(flat, "403 Forbidden: 10010 Authorization failed") {
		t.Errorf("exit code %d, error %v, printed %q", code, err, stdout)
	}
}

// One that cannot be read for another reason is an error, and the others are shown.
func TestPlanDiff_ShowsTheRestWhenOneCampaignCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newDiffWorld(t, onePlan(`numbers: ["+15551230001"]`)+"  - {name: other, campaign_id: "+oldID+", numbers: [\"+15551230002\"]}\n")
	w.campaign(springID, telnyx.CampaignMNOProvisioned)
	w.campaign(oldID, telnyx.CampaignMNOProvisioned)
	w.number("+15551230002", diffProfile, "", "")
	w.sim.Inject(telnyxsim.Fault{Times: -1, PathPrefix: "/10dlc/campaign/" + springID, Kind: telnyxsim.StatusFault(409, `{"errors":[{"code":"10036","title":"Locked"}]}`)})
	stdout, code, err := w.command(t.Context(), "plan", "diff", w.plans())
	if code != 1 || err == nil || !strings.HasPrefix(err.Error(), "plan spring could not be compared: read campaign "+springID) ||
		!strings.Contains(stdout, "  unread\n") || !strings.Contains(stdout, "+ +15551230002  attach\n") {
		t.Errorf("exit code %d, error %v, printed %q", code, err, stdout)
	}
}

// A number whose record cannot be read is unverified, and the others are as usual. Such
// records are read one by one in accounts whose list is too long.
func TestPlanDiff_ANumberWhoseRecordCannotBeReadIsUnverified(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kind  telnyxsim.FaultKind
		other string // a second number
		code  int
	}{
		// Alone it would be settled by the account's list. The second number shows how
		// Telnyx says that there is no record.
		"404 of something else":            {telnyxsim.StatusFault(404, `{"detail":"Not Found"}`), "+15551230002", 2},
		"500 for ever":                     {telnyxsim.StatusFault(500, `{}`), "", 3},
		"500 for ever, and one can attach": {telnyxsim.StatusFault(500, `{}`), "+15551230002", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			numbers := `numbers: ["+15551230001"]`
			if test.other != "" {
				numbers = `numbers: ["+15551230001", "` + test.other + `"]`
			}
			w := newDiffWorld(t, onePlan(numbers))
			w.campaign(springID, telnyx.CampaignMNOProvisioned)
			w.campaign(oldID, telnyx.CampaignMNOProvisioned)
			w.number("+15551230001", diffProfile, "", "")
			w.number("+15551230002", diffProfile, "", "")
			for i := range 1300 {
				w.number(fmt.Sprintf("+1555124%04d", i), diffProfile, oldID, telnyx.Assigned)
			}
			w.sim.Inject(telnyxsim.Fault{Times: -1, Kind: test.kind, Match: func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "+15551230001") }})
			report, code := w.report()
			n := report.Campaigns[0].Numbers[0]
			if code != test.code || !report.NeedsPerson || n.Sign != "~" || n.Reason != ledger.Unverified || n.Detail == "" || n.Change {
				t.Errorf("exit code %d, want %d; %+v", code, test.code, n)
			}
			w.agrees(n)
			if want := (diffTotals{Waiting: 1, Attach: len(report.Campaigns[0].Numbers) - 1}); report.Totals != want {
				t.Errorf("got %+v, want %+v", report.Totals, want)
			}
			stdout, _ := w.diff()
			if !strings.Contains(stdout, "~ +15551230001  unverified: Telnyx's record of the number") {
				t.Errorf("got:\n%s", stdout)
			}
			fitsTerminal(t, stdout)
		})
	}
}

// A number that is not active yet waits; one that never will be needs a person. A carrier
// that does not take an attached number needs one as well.
func TestPlanDiff_ShowsWhoWaits(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]struct {
		sign string
		code int
	}{"port_pending": {"~", 0}, "ported_out": {"!", 3}} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			w := newDiffWorld(t, onePlan(`numbers: ["+15551230001"]`))
			w.campaign(springID, telnyx.CampaignMNOProvisioned)
			w.number("+15551230001", diffProfile, "", "")
			w.sim.Inject(telnyxsim.Fault{Times: -1, Match: func(r *http.Request) bool { return r.URL.Path == "/v2/phone_numbers" },
				Kind: telnyxsim.StatusFault(200, `{"data":[{"phone_number":"+15551230001","status":"`+status+`"}]}`)})
			report, code := w.report()
			n := report.Campaigns[0].Numbers[0]
			if code != want.code || n.Sign != want.sign || n.Reason != ledger.NotActive || n.Detail != "Telnyx lists it as "+status {
				t.Errorf("exit code %d, want %d; %+v", code, want.code, n)
			}
			w.agrees(n)
		})
	}
	t.Run("carrier", func(t *testing.T) {
		t.Parallel()
		w := newDiffWorld(t, onePlan(`numbers: ["+15551230001"]`))
		w.campaign(springID, telnyx.CampaignMNOProvisioned)
		w.number("+15551230001", diffProfile, "", "")
		w.sim.FailMapping("+15551230001", telnyxsim.TMobile)
		client := &telnyx.Client{APIKey: diffKey, BaseURL: w.api.URL + "/v2"}
		_, err := client.Assign(t.Context(), "+15551230001", springID)
		w.must(err)
		testkit.Within(t, scriptPatience, func() error {
			if got := w.sim.Assignments()[0]; got.TMobile != telnyx.MappingFailed || got.NonTMobile != telnyx.MappingAdded {
				return fmt.Errorf("the record is %+v", got)
			}
			return nil
		})
		report, _ := w.report()
		w.agrees(report.Campaigns[0].Numbers[0])
		stdout, code := w.diff()
		const want = "! +15551230001  attached; carrier_failed: carriers: T-Mobile FAILED, others ADDED\n"
		if flat := strings.ReplaceAll(stdout, "\n                  ", " "); code != 3 || !strings.Contains(flat, want) {
			t.Errorf("exit code %d, got:\n%s", code, stdout)
		}
	})
}

func TestPlanDiff_SaysThatItWasStopped(t *testing.T) {
	t.Parallel()
	w := newDiffWorld(t, onePlan(`numbers: ["+15551230001"]`))
	ctx, stop := context.WithCancel(t.Context())
	stopHere := func(*http.Request) bool { stop(); return true }
	w.sim.Inject(telnyxsim.Fault{Kind: telnyxsim.Hang(), Match: stopHere})
	_, code, err := w.command(ctx, "plan", "diff", w.plans())
	if code != 1 || err == nil || !strings.HasPrefix(err.Error(), "interrupted before everything was done") {
		t.Errorf("exit code %d, error %v", code, err)
	}
}

func TestDiffReport_FitsWhateverItIsGiven(t *testing.T) {
	evil := "\x1b[2J\r\a\u202e| `x` @team " + strings.Repeat("é", 200)
	long := strings.Repeat("x", 64)
	var c diffCampaign
	for _, action := range []plan.Action{plan.Attach, plan.Move, plan.Done, plan.Wait, plan.WaitToAttach, plan.WaitToMove, plan.Conflict, plan.Extra, plan.Remove} {
		for _, reason := range []ledger.Reason{"", ledger.CampaignFull, ledger.NoMessagingProfile} {
			c.Numbers = append(c.Numbers, diffNumber{
				Number: plan.E164(evil), Sign: action.Sign(), Action: action, Reason: reason, Detail: evil,
				CampaignID: evil, Status: telnyx.AssignmentStatus(evil), SetProfile: evil,
			})
		}
	}
	c.Plan, c.ID, c.Phase = long, long, ledger.PhaseApproved
	r := diffReport{Path: evil, Campaigns: []diffCampaign{c}}
	for _, phase := range ledger.Phases() {
		r.Campaigns = append(r.Campaigns, diffCampaign{Plan: long, ID: long, Phase: phase, Status: evil, Detail: evil})
	}
	var text, markdown strings.Builder
	if err := errors.Join(r.writeText(&text, true, false), r.writeMarkdown(&markdown, true)); err != nil {
		t.Fatal(err)
	}
	fitsTerminal(t, text.String())
	for line := range strings.Lines(markdown.String()) {
		line = strings.TrimSuffix(line, "\n")
		if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.Count(line, "`")%2 != 0 {
			t.Errorf("not for a comment: %q", line)
		}
		if cells := strings.Count(line, "|") - strings.Count(line, `\|`); strings.HasPrefix(line, "|") && cells != 4 {
			t.Errorf("%d bars: %q", cells, line)
		}
		for i, outside := range strings.Split(line, "`") {
			if i%2 == 0 && strings.ContainsAny(outside, "@é<") {
				t.Errorf("foreign markup: %q", line)
			}
		}
	}
}

func TestDiffReport_ColoursSignsForATerminalAlone(t *testing.T) {
	var r diffReport
	c := diffCampaign{Plan: "spring", ID: "a", Phase: ledger.PhaseApproved}
	for _, action := range []plan.Action{plan.Attach, plan.Move, plan.Done, plan.Wait, plan.Conflict, plan.Extra} {
		c.Numbers = append(c.Numbers, diffNumber{Number: "+15551230001", Sign: action.Sign(), Action: action})
	}
	r.Campaigns = []diffCampaign{c}
	var plain, coloured strings.Builder
	if err := errors.Join(r.writeText(&plain, false, false), r.writeText(&coloured, false, true)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(coloured.String(), "\n  \x1b[32m+ +15551230001\x1b[0m  attach\n") {
		t.Errorf("got %q", coloured.String())
	}
	bare := strings.NewReplacer("\x1b[32m", "", "\x1b[36m", "", "\x1b[33m", "", "\x1b[31m", "", "\x1b[35m", "", "\x1b[2m", "", "\x1b[0m", "").Replace(coloured.String())
	if bare != plain.String() || strings.Count(coloured.String(), "\x1b[0m") != 6 {
		t.Errorf("colour changes the text:\n%s\n%s", bare, plain.String())
	}
}
