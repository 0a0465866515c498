package status

import (
	"fmt"
	"strings"
	"testing"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
)

func TestContents_PutsUnplannedCampaignsLast(t *testing.T) {
	t.Parallel()
	var x Contents
	x.clear()
	first := ledger.Campaign{ID: "C1", Plan: "autumn", Planned: true}
	x.putCampaign(first)
	x.putCampaign(ledger.Campaign{ID: "C2", Plan: "spring", Planned: true})
	if got := x.Campaigns()[0].ID; got != "C1" {
		t.Fatalf("the first is %s", got)
	}
	first.Planned = false
	x.putCampaign(first)
	if got := x.Campaigns()[0].ID; got != "C2" {
		t.Errorf("the first is %s, which no plan names", got)
	}
}

func TestFaultLines_AreBounded(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("version: 1\ncampaigns:\n")
	for i := range maxFaults + 2 {
		fmt.Fprintf(&text, "- {name: n%d, campaign_id: C%d, numbers: [x]}\n", i, i)
	}
	_, err := plan.LoadBytes("plan.yaml", []byte(text.String()))
	lines := faultLines(err)
	if len(lines) != maxFaults+1 || !strings.HasPrefix(lines[0], "plan.yaml:3:") || lines[maxFaults] != "and 2 more faults; greenlight plan validate lists all" {
		t.Errorf("got %d lines:\n%s", len(lines), strings.Join(lines, "\n"))
	}
}
