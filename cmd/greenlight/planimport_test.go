package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
)

// importWorld is an account to import, in a folder without plans.
func importWorld(t *testing.T, dialect telnyxsim.Dialect) *diffWorld {
	t.Helper()
	w := newDiffWorld(t, "")
	w.must(os.Remove(w.plans()))
	w.sim = telnyxsim.New(telnyxsim.Options{RequiredAPIKey: diffKey, Dialect: dialect})
	t.Cleanup(w.sim.Close)
	w.api = httptest.NewServer(w.sim)
	t.Cleanup(w.api.Close)
	return w
}

// imports runs greenlight plan import and returns the plan, which is empty if there is
// nothing to import.
func (w *diffWorld) imports(args ...string) string {
	w.t.Helper()
	stdout, _, err := w.command(w.t.Context(), append([]string{"plan", "import"}, args...)...)
	if err != nil && strings.Contains(err.Error(), "nothing to import") {
		return ""
	}
	w.must(err)
	w.must(os.WriteFile(w.plans(), []byte(stdout), 0o600))
	return stdout
}

// unchanged fails unless plan validate takes plans.yaml and plan diff shows no changes.
func (w *diffWorld) unchanged() {
	w.t.Helper()
	if stdout, code, err := w.command(w.t.Context(), "plan", "diff", w.plans()); err != nil || code != 0 || !strings.Contains(stdout, "\nNo changes.") {
		w.t.Fatalf("plan diff: exit code %d, %v:\n%s", code, err, stdout)
	}
	if _, err := plan.Load(w.plans()); err != nil {
		w.t.Fatal(err)
	}
	if writes := w.sim.Writes(); len(writes) > 0 {
		w.t.Errorf("it wrote: %+v", writes)
	}
}

// randomAccount fills the account with campaigns and numbers in every state, and returns
// the numbers that are attached to a campaign that carriers have approved, sorted.
func (w *diffWorld) randomAccount(r *rand.Rand) (attached []string) {
	campaignStates := []telnyx.CampaignStatus{telnyx.CampaignMNOProvisioned, telnyx.CampaignMNOProvisioned, telnyx.CampaignMNOProvisioned,
		telnyx.CampaignTCRPending, telnyx.CampaignMNOPending, telnyx.CampaignMNORejected, telnyx.CampaignTCRSuspended, telnyx.CampaignTCRExpired, "SOMETHING_NEW"}
	states := []telnyx.AssignmentStatus{telnyx.Assigned, telnyx.Assigned, telnyx.Assigned, telnyx.PendingAssignment, telnyx.FailedAssignment,
		telnyx.PendingUnassignment, telnyx.FailedUnassignment, "ON_ITS_WAY", "UNASSIGN_REQUESTED"}
	profiles := []string{diffProfile, diffProfile, diffProfile, otherProfile, ""}
	var brands []string
	for range 1 + r.IntN(3) {
		brands = append(brands, w.sim.AddBrand(telnyxsim.Brand{}).ID)
	}
	number := 0
	for range 1 + r.IntN(6) {
		c := w.sim.AddCampaign(telnyxsim.Campaign{
			BrandID: brands[r.IntN(len(brands))], Shared: r.IntN(4) == 0, CampaignStatus: campaignStates[r.IntN(len(campaignStates))],
			Mock: r.IntN(12) == 0, TMobileSuspended: r.IntN(12) == 0, MaxNumbers: 200, NumberPool: true,
			ReferenceID: []string{"", "", "spring", "123", "été\nname: x", strings.Repeat("long", 30)}[r.IntN(6)],
		})
		for range []int{0, r.IntN(8), 40 + r.IntN(30)}[r.IntN(3)] {
			number++
			n := telnyxsim.Number{PhoneNumber: fmt.Sprintf("+1212%07d", 5550000+number), MessagingProfileID: profiles[r.IntN(len(profiles))]}
			switch r.IntN(30) {
			case 0:
				n.PhoneNumber, n.Type = fmt.Sprintf("+1888%07d", 5550000+number), "tollfree"
			case 1:
				n.PhoneNumber, n.CountryCode = fmt.Sprintf("+1416%07d", 5550000+number), "CA"
			}
			w.sim.AddNumbers(n)
			state := states[r.IntN(len(states))]
			w.must(w.sim.AttachNumber(n.PhoneNumber, cmp.Or(c.ID, c.TCRID), state, "the #1 reason: \"x\"\n- y"))
			isUS := strings.HasPrefix(n.PhoneNumber, "+1212")
			if state == telnyx.Assigned && isUS && c.CampaignStatus == telnyx.CampaignMNOProvisioned && !c.Mock && !c.TMobileSuspended {
				attached = append(attached, n.PhoneNumber)
			}
		}
	}
	for range r.IntN(5) { // free
		number++
		w.sim.AddNumbers(telnyxsim.Number{PhoneNumber: fmt.Sprintf("+1212%07d", 5550000+number), MessagingProfileID: diffProfile})
	}
	slices.Sort(attached)
	return attached
}

func TestPlanImport_OfAnyAccountLeavesNothingToChange(t *testing.T) {
	t.Parallel()
	for seed := range uint64(testkit.Fewer(50)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := importWorld(t, telnyxsim.Dialect{})
			attached := w.randomAccount(rand.New(rand.NewPCG(seed, 1)))
			text := w.imports()
			if text == "" && len(attached) == 0 {
				return
			}
			w.unchanged()
			set, err := plan.Load(w.plans())
			w.must(err)
			planned := map[string]bool{}
			for _, c := range set.Campaigns {
				for _, n := range c.Numbers {
					planned[string(n)] = true
				}
			}
			for _, n := range attached {
				if !planned[n] {
					t.Errorf("%s is attached and not in the plan:\n%s", n, text)
				}
			}
			for _, a := range w.sim.Assignments() {
				if !strings.Contains(text, a.PhoneNumber) {
					t.Errorf("%s (%s) is not mentioned", a.PhoneNumber, a.Status)
				}
			}
			if again := w.imports("--all"); again != text {
				t.Errorf("another import differs:\n%s", again)
			}
		})
	}
}

// wantImport is what the plan of one account says.
const wantImport = `# Imported from Telnyx: the numbers on each campaign. Comments name what was left out, and why.
version: 1
campaigns:
  # MARKETING, MNO_PROVISIONED, TCR id CSPRING1, brand BRAND
  - name: Spring-2026
    campaign_id: 751c6a5c-907b-43a9-8ada-ba1dc8335b07
    numbers:
      - "+12125550100"
      - "+12125550101" # PENDING_ASSIGNMENT; messaging profile OTHER
      - "+12125550102" # FAILED_UNASSIGNMENT; no messaging profile
      - "+12125550107"
      # +12125550103: FAILED_ASSIGNMENT: The number is in use
      # +12125550104: PENDING_UNASSIGNMENT: it is being removed from campaign 751c6a5c-907b-43a9-8ada-ba1dc8335b07
      # +12125550105: ASSIGNED: carriers: T-Mobile FAILED, others ADDED
      # +14165550106: is not a US number: area code 416 is in Canada

  # MARKETING, TCR_EXPIRED, TCR id COLD001, brand BRAND
  # Left out: No number is attached to it. The campaign has expired.
  # - name: Spring-2026-2
  #   campaign_id: 11111111-907b-43a9-8ada-ba1dc8335b07
  #   numbers:

  # CUSTOMER_CARE, MNO_PROVISIONED, shared with this account
  - name: customer_care-CPART02
    tcr_campaign_id: CPART02
    messaging_profile_id: PROFILE
    numbers:
      - "+12125550302"

  # MARKETING, MNO_REJECTED, shared with this account
  # Left out: The campaign was rejected. Details: sample1 is no sample
  # - name: marketing-CPART01
  #   tcr_campaign_id: CPART01
  #   messaging_profile_id: PROFILE
  #   numbers:
  #     - "+12125550301"
`

func TestPlanImport_CommentsNameWhatIsLeftOutAndWhy(t *testing.T) {
	t.Parallel()
	w := importWorld(t, telnyxsim.Dialect{})
	const brand = "97091164-e814-435c-9c1b-14ab2d18e987"
	for _, c := range []telnyxsim.Campaign{
		{ID: oldID, TCRID: "COLD001", BrandID: brand, CampaignStatus: telnyx.CampaignTCRExpired, ReferenceID: "Spring 2026"},
		{ID: springID, TCRID: "CSPRING1", BrandID: brand, CampaignStatus: telnyx.CampaignMNOProvisioned, ReferenceID: "Spring 2026"},
		{TCRID: "CPART01", Shared: true, CampaignStatus: telnyx.CampaignMNORejected, FailureReasons: []byte(`"sample1\nis no sample"`)},
		{TCRID: "CPART02", Shared: true, CampaignStatus: telnyx.CampaignMNOProvisioned, Usecase: "CUSTOMER_CARE"},
	} {
		w.sim.AddCampaign(c)
	}
	w.number("+12125550105", diffProfile, "", "")
	w.sim.FailMapping("+12125550105", telnyxsim.TMobile)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.api.URL+"/v2/10dlc/phone_number_campaigns",
		strings.NewReader(`{"phoneNumber":"+12125550105","campaignId":"`+springID+`"}`))
	w.must(err)
	request.Header.Set("Authorization", "Bearer "+diffKey)
	response, err := http.DefaultClient.Do(request)
	w.must(err)
	w.must(response.Body.Close())
	mapped := func() bool {
		records := w.sim.Assignments()
		return len(records) == 1 && records[0].TMobile == telnyx.MappingFailed && records[0].NonTMobile == telnyx.MappingAdded
	}
	for deadline := time.Now().Add(scriptPatience); !mapped(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("got %+v", w.sim.Assignments())
		}
	}
	w.number("+12125550100", diffProfile, springID, telnyx.Assigned)
	w.number("+12125550101", otherProfile, springID, telnyx.PendingAssignment)
	w.number("+12125550102", "", springID, telnyx.FailedUnassignment)
	w.number("+12125550103", diffProfile, "", "")
	w.must(w.sim.AttachNumber("+12125550103", springID, telnyx.FailedAssignment, "The number is in use"))
	w.number("+12125550104", diffProfile, springID, telnyx.PendingUnassignment)
	w.number("+14165550106", diffProfile, springID, telnyx.Assigned)
	w.number("+12125550107", diffProfile, springID, telnyx.Assigned)
	w.number("+12125550301", diffProfile, "CPART01", telnyx.Assigned)
	w.number("+12125550302", diffProfile, "CPART02", telnyx.Assigned)
	got := strings.NewReplacer(brand, "BRAND", diffProfile, "PROFILE", otherProfile, "OTHER").Replace(w.imports())
	if diff := gocmp.Diff(wantImport, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if stdout, code, err := w.command(t.Context(), "plan", "diff", w.plans()); err != nil || code != 0 || !strings.Contains(stdout, "\nNo changes.") {
		t.Errorf("plan diff: exit code %d, %v:\n%s", code, err, stdout)
	}
}

// A list that moved while it was read may have a number on two campaigns.
func TestImported_LeavesOutANumberOnTwoCampaigns(t *testing.T) {
	on := telnyx.Assignment{PhoneNumber: "+12125550100", CampaignID: springID, AssignmentStatus: telnyx.Assigned}
	other := telnyx.Assignment{PhoneNumber: "+12125550100", CampaignID: oldID, AssignmentStatus: telnyx.Assigned}
	e := newImported(telnyx.Campaign{CampaignID: springID, CampaignStatus: telnyx.CampaignMNOProvisioned})
	e.takeAttached([]telnyx.Assignment{on}, map[string][]telnyx.Assignment{on.PhoneNumber: {on, other}})
	want := []string{"+12125550100: ASSIGNED: Telnyx has it on campaign " + oldID + " (ASSIGNED)"}
	if diff := gocmp.Diff(want, e.omitted); diff != "" || len(e.Numbers) > 0 {
		t.Errorf("planned %v (-want +got):\n%s", e.Numbers, diff)
	}
}

func TestByCampaign_SaysWhatIsElsewhere(t *testing.T) {
	campaigns := []telnyx.Campaign{{CampaignID: "a", TCRCampaignID: "C00001"}, {TCRCampaignID: "C00002", Shared: true}}
	records := []telnyx.Assignment{
		{PhoneNumber: "1", CampaignID: "A"}, {PhoneNumber: "2", TCRCampaignID: "C00001"}, {PhoneNumber: "3", CampaignID: "C00002", TCRCampaignID: "C00002"},
		{PhoneNumber: "4", CampaignID: "b"}, {PhoneNumber: "5"},
	}
	on, strays := byCampaign(campaigns, records)
	if diff := gocmp.Diff([][]telnyx.Assignment{records[:2], records[2:3]}, on); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want := []string{
		"Left out: 1 record on no campaign that it names.",
		"Left out: 1 record on campaign b, which Telnyx does not list for this account.",
	}
	if diff := gocmp.Diff(want, strays); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPlanImport_FileIsInAFolderIfThePathLooksLikeOne(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("odd.yaml", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("plain", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for output, want := range map[string]string{
		"-": "", "x.yaml": "x.yaml", "plans": "plans/import.yaml", "plans/": "plans/import.yaml", "odd.yaml": "odd.yaml/import.yaml", "plain": "plain",
	} {
		c := planImportCommand{Output: output}
		if got := filepath.ToSlash(c.file()); got != want {
			t.Errorf("-o %s: got %q, want %q", output, got, want)
		}
	}
}

func TestPlanImport_UnderstandsDialects(t *testing.T) {
	t.Parallel()
	dialects := []string{
		"filter-digits", "filter-one", "filter-ignored", "filter-nothing", "filter-500", "numbers-nothing", "unknown-filters-refused",
		"pages-of-100", "pages-of-50-or-400", "pages-of-20", "sort-refused", "totals-missing", "totals-of-page", "totals-small", "totals-text",
		"past-end-repeats", "past-end-404", "page-brackets", "page-plain", "assignment-lower", "assignment-missing", "mappings-missing",
		"campaign-title", "type-title", "type-unknown", "numbers-spaced", "ids-upper", "records-snake", "records-status", "campaigns-snake",
		"lists-data", "lists-bare", "paths-guide",
	}
	for _, name := range dialects[:testkit.Fewer(len(dialects))] {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dialect, err := telnyxsim.ParseDialect(name)
			if err != nil {
				t.Fatal(err)
			}
			w := importWorld(t, dialect)
			for _, id := range []string{springID, oldID} {
				w.campaign(id, telnyx.CampaignMNOProvisioned)
			}
			for i := range 60 {
				w.number(fmt.Sprintf("+1212555%04d", i), diffProfile, springID, telnyx.Assigned)
			}
			w.number("+12125551000", otherProfile, oldID, telnyx.Assigned)
			if text := w.imports(); strings.Count(text, "    - \"+1") != 61 || !strings.Contains(text, "max_numbers: 60") {
				t.Errorf("got:\n%s", text)
			}
			w.unchanged()
		})
	}
}

func TestPlanImport_RefusesAListThatIsNotComplete(t *testing.T) {
	t.Parallel()
	w := importWorld(t, telnyxsim.Dialect{})
	w.campaign(springID, telnyx.CampaignMNOProvisioned)
	w.number("+12125550100", diffProfile, springID, telnyx.Assigned)
	rows, file := 0, filepath.Join(t.TempDir(), "new.yaml")
	w.api.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/10dlc/phone_number_campaigns" {
			w.sim.ServeHTTP(rw, r)
			return
		}
		rows++ // its total changes with each answer
		fmt.Fprintf(rw, `{"records":[{"phoneNumber":"+12125550100","campaignId":%q,"assignmentStatus":"ASSIGNED"}],"page":1,"totalRecords":%d}`, springID, 100+rows)
	})
	stdout, code, err := w.command(t.Context(), "plan", "import", "-o", file)
	if code != 1 || err == nil || !strings.Contains(err.Error(), "is incomplete") || stdout != "" {
		t.Errorf("exit code %d, %v\n%s", code, err, stdout)
	}
	if exists(file) {
		t.Error("it wrote a file")
	}
}
