package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// importWorld is an account to import, in a folder without plans.
func importWorld(t *testing.T, dialect telnyxsim.Dialect) *diffWorld {
	t.Helper()
	w := newDiffWorld(t, "")
	w.must(os.Remove("plans.yaml"))
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
	w.must(os.WriteFile("plans.yaml", []byte(stdout), 0o600))
	return stdout
}

// unchanged fails unless plan validate takes plans.yaml and plan diff shows no changes.
func (w *diffWorld) unchanged() {
	w.t.Helper()
	if stdout, code, err := w.command(w.t.Context(), "plan", "diff", "plans.yaml"); err != nil || code != 0 || !strings.Contains(stdout, "\nNo changes.") {
		w.t.Fatalf("plan diff: exit code %d, %v:\n%s", code, err, stdout)
	}
	if _, err := plan.Load("plans.yaml"); err != nil {
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
	for seed := range uint64(50) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := importWorld(t, telnyxsim.Dialect{})
			attached := w.randomAccount(rand.New(rand.NewPCG(seed, 1)))
			text := w.imports()
			if text == "" && len(attached) == 0 {
				return
			}
			w.unchanged()
			set, err := plan.Load("plans.yaml")
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

func TestPlanImport_UnderstandsDialects(t *testing.T) {
	for _, name := range []string{
		"filter-digits", "filter-one", "filter-ignored", "filter-nothing", "filter-500", "numbers-nothing", "unknown-filters-refused",
		"pages-of-100", "pages-of-50-or-400", "pages-of-20", "sort-refused", "totals-missing", "totals-of-page", "totals-small", "totals-text",
		"past-end-repeats", "past-end-404", "page-brackets", "page-plain", "assignment-lower", "assignment-missing", "mappings-missing",
		"campaign-title", "type-title", "type-unknown", "numbers-spaced", "ids-upper", "records-snake", "records-status", "campaigns-snake",
		"lists-data", "lists-bare", "paths-guide",
	} {
		t.Run(name, func(t *testing.T) {
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
	w := importWorld(t, telnyxsim.Dialect{})
	w.campaign(springID, telnyx.CampaignMNOProvisioned)
	w.number("+12125550100", diffProfile, springID, telnyx.Assigned)
	rows := 0
	w.api.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/10dlc/phone_number_campaigns" {
			w.sim.ServeHTTP(rw, r)
			return
		}
		rows++ // its total changes with each answer
		fmt.Fprintf(rw, `{"records":[{"phoneNumber":"+12125550100","campaignId":%q,"assignmentStatus":"ASSIGNED"}],"page":1,"totalRecords":%d}`, springID, 100+rows)
	})
	stdout, code, err := w.command(t.Context(), "plan", "import", "-o", "new.yaml")
	if code != 1 || err == nil || !strings.Contains(err.Error(), "is not complete") || stdout != "" {
		t.Errorf("exit code %d, %v\n%s", code, err, stdout)
	}
	if exists("new.yaml") {
		t.Error("it wrote a file")
	}
}
