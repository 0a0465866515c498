package preflight_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/preflight"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/testkit"
)

// mixed is a report with every kind of content.
func mixed(t *testing.T) preflight.Report {
	t.Helper()
	a := springAccount(t)
	a.AddCampaign(telnyxsim.Campaign{ID: "c-rejected", TCRID: "CREJECT", CampaignStatus: telnyx.CampaignMNORejected, FailureReasons: []byte(`"The call to action does not say\nwhat is sent."`)})
	a.addNumbers(4, 12, "")
	a.attach(t, 1, otherID, telnyx.Assigned)
	a.attach(t, 2, otherID, telnyx.Assigned)
	a.attach(t, 9, springID, telnyx.Assigned)
	a.attach(t, 12, otherID, telnyx.PendingUnassignment)
	return a.check(t, planFor("campaign_id: "+springID, 1, 8, "    messaging_profile_id: "+profileA, "    move_from: ["+otherTCR+"]")+`
  - name: autumn-sale-of-the-whole-catalogue
    tcr_campaign_id: CREJECT
    numbers: [`+number(10)+", "+number(11)+", "+number(12)+", "+number(20)+", "+number(21)+`]
  - name: winter
    reference_id: winter-2026
    brand_id: `+brandID+`
    number_pool: `+profileB+"\n")
}

func writeText(t *testing.T, r preflight.Report) string {
	t.Helper()
	var b bytes.Buffer
	must(t, r.WriteText(&b))
	return b.String()
}

func TestWriteText_ShowsEverything(t *testing.T) {
	t.Parallel()
	text := writeText(t, mixed(t))
	testkit.Golden(t, "testdata/mixed.txt", text, *update, "-update")
	testkit.Readable(t, text)
}

func TestWriteText_SaysThatNoProblemWasFound(t *testing.T) {
	text := writeText(t, springAccount(t).check(t, springPlan()))
	testkit.Golden(t, "testdata/clean.txt", text, *update, "-update")
	testkit.Readable(t, text)
	if got := writeText(t, preflight.Report{Clean: true}); got != "No problems found in 0 campaigns and 0 numbers.\n" {
		t.Errorf("got %q", got)
	}
}

func TestReport_IsJSON(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]preflight.Report{"mixed.json": mixed(t), "clean.json": springAccount(t).check(t, springPlan())} {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		must(t, encoder.Encode(r))
		testkit.Golden(t, filepath.Join("testdata", name), text.String(), *update, "-update")
	}
}

func TestWriteText_FitsWhateverItIsGiven(t *testing.T) {
	long := strings.Repeat("x", 64)
	nasty := "\x1b[2J\r\a\u202e" + strings.Repeat(long+" ", 5)
	r := preflight.Report{
		Campaigns: []preflight.Campaign{{Plan: long, ID: "ref_" + long, WebhookURL: "https://" + nasty, Phase: "waiting", Planned: 99999, Others: 99999, MaxNumbers: 99999}},
		Findings: []preflight.Finding{{
			Code: ledger.CampaignSuspended, Position: plan.Position{File: "plans/spring.yaml", Line: 1234, Column: 56}, What: "campaign " + long, Why: nasty, Fix: "Fix it.",
		}},
		Notes: []preflight.Note{{Code: preflight.WillMoveLater, Plan: long, Number: "+15551234567", Subject: nasty}},
	}
	testkit.Readable(t, writeText(t, r))
}

func TestWriteText_NeverCutsAPlace(t *testing.T) {
	at := plan.Position{File: strings.Repeat("folder/", 9) + "spring.yaml", Line: 12, Column: 9}
	r := preflight.Report{Findings: []preflight.Finding{{Position: at, What: "number", Why: strings.Repeat("word ", 50)}}}
	if text := writeText(t, r); !strings.Contains(text, "\n "+at.String()+" ") {
		t.Errorf("%s is not in one piece:\n%s", at, text)
	}
}

func TestWriteText_SaysTheSameOnce(t *testing.T) {
	t.Parallel()
	a := newAccount(t, telnyxsim.Options{})
	a.AddCampaign(springCampaign())
	text := writeText(t, a.check(t, springPlan()))
	if got := strings.Count(text, "Order or port"); got != 1 {
		t.Errorf("the advice is there %d times, want once:\n%s", got, text)
	}
	if got := strings.Count(text, number(1)+" above."); got != 2 {
		t.Errorf("it is referenced %d times, want 2:\n%s", got, text)
	}
}

func TestWriteText_ReturnsTheWritersError(t *testing.T) {
	r, w := io.Pipe()
	broken := errors.New("broken")
	r.CloseWithError(broken)
	if err := (preflight.Report{}).WriteText(w); !errors.Is(err, broken) {
		t.Errorf("got %v, want the pipe's error", err)
	}
}
