package page_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/ledger"
	"greenlight/internal/status"
	"greenlight/internal/status/page"
)

// stage is how far a campaign of the fleet is.
type stage int

const (
	stageDone stage = iota
	stageAttaching
	stageQueued
	stageReview
	stageRejected
	stageProblems
)

// fleetNames are the campaigns of the fleet, which have 490 numbers together.
var fleetNames = []struct {
	name    string
	numbers int
}{
	{"appointment-reminders", 49}, {"autumn-sale", 49}, {"delivery-alerts", 49}, {"loyalty-club", 37}, {"order-updates", 49}, {"spring-promo", 49},
	{"summer-news", 49}, {"support-replies", 49}, {"survey-invites", 30}, {"two-factor-codes", 40}, {"winter-reminders", 40},
}

// stages of the fleet: all well, at work, and with things for a person to do.
var (
	fleetWell    = []stage{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	fleetWorking = []stage{stageDone, stageReview, stageDone, stageReview, stageAttaching, stageAttaching, stageDone, stageQueued, stageDone, stageDone, stageReview}
	fleetPerson  = []stage{stageDone, stageRejected, stageDone, stageReview, stageAttaching, stageProblems, stageDone, stageQueued, stageDone, stageDone, stageReview}
)

// fleet is a ledger of eleven campaigns and 490 numbers with the history of a day.
func fleet(t testing.TB, stages []stage, config page.Config) world {
	t.Helper()
	js := startJetStream(t)
	book, err := ledger.Create(t.Context(), js, 1)
	must(t, err)
	now := time.Now()
	put := recordWriter(t, js)
	for i, c := range fleetNames {
		putCampaign(put, i, c.name, c.numbers, stages[i], now)
	}
	written(t, js)
	must(t, book.PutPlans(t.Context(), ledger.Plans{Hash: "3f9a41c07be2", Entries: "e"}))
	w := start(t, js, config, status.ViewConfig{Checks: []status.Check{{Name: "nats"}, {Name: "webhook"}, {Name: "telnyx"}, {Name: "plans"}}})
	w.work(t)
	return w
}

func putCampaign(put func(key string, record any), i int, name string, numbers int, at stage, now time.Time) {
	id := fmt.Sprintf("%08x-907b-43a9-8ada-ba1dc8335b07", 0x751c6a5c+i*0x0f1e2d3)
	c := ledger.Campaign{
		Version: 2, ID: id, TelnyxID: id, TCRID: fmt.Sprintf("C6X6M%02d", i), Planned: true, Plan: name, PlanPlace: "config/plans/" + name + ".yaml:3",
		Phase: ledger.PhaseApproved, Status: "MNO_PROVISIONED",
	}
	// The campaigns were approved at different times of the day.
	approved := now.Add(-time.Duration(30+i*97) * time.Minute)
	named := now.Add(-23*time.Hour - time.Duration(i)*7*time.Minute)
	switch at {
	case stageReview:
		c.Phase, c.Status, c.Since = ledger.PhaseInReview, "MNO_PENDING", named
	case stageRejected:
		c.Phase, c.Status, c.Since = ledger.PhaseRejected, "MNO_REJECTED", now.Add(-3*time.Hour)
		c.Detail = "Brand's website could not be reached (code 803)"
	case stageAttaching:
		approved = now.Add(-25 * time.Minute)
	case stageQueued:
		approved = now.Add(-2 * time.Minute)
	}
	if c.Phase == ledger.PhaseApproved {
		c.Since, c.ApprovedAt, c.NoticedAt = approved, approved.Add(-time.Second), approved
		c.NextAt = now.Add(20 * time.Second)
		if at == stageDone || at == stageProblems {
			c.AttachedAt = approved.Add(3 * time.Minute)
		}
	}
	put("CAMPAIGNS."+id, c)
	for j := range numbers {
		n := ledger.Number{Version: 2, Number: fmt.Sprintf("+1212555%02d%02d", i, j), CampaignID: id, Plan: name, Firsts: ledger.Firsts{Named: named}, Since: named, State: ledger.Planned}
		requested := approved.Add(time.Duration(j) * 2 * time.Second)
		attach := func() {
			n.Request = ledger.Request{At: requested, Outcome: ledger.Accepted}
			n.State, n.Status, n.TMobile, n.NonTMobile = ledger.Attached, "ASSIGNED", "PENDING", "PENDING"
			n.Firsts.Requested, n.Firsts.Attached, n.Since = requested, requested.Add(time.Second), requested.Add(time.Second)
		}
		send := func() {
			attach()
			n.State, n.TMobile, n.NonTMobile = ledger.Sendable, "ADDED", "ADDED"
			n.Firsts.Sendable = requested.Add(time.Duration(5+j/3) * time.Minute)
			n.Since = n.Firsts.Sendable
		}
		switch {
		case at == stageReview:
			n.Reason = ledger.CampaignInReview
		case at == stageRejected:
			n.Reason, n.NeedsPerson = ledger.CampaignRejected, true
		case at == stageProblems && j == 7:
			n.State, n.Reason, n.NeedsPerson, n.Since = ledger.Conflict, ledger.OtherCampaign, true, approved
			n.OtherCampaignID, n.Detail = "4b300164-8c7a-4ad5-9b9c-6f3a35b9c1d2", "ASSIGNED on another campaign"
		case at == stageProblems && (j == 12 || j == 13):
			n.State, n.Reason, n.NeedsPerson, n.Since = ledger.Failed, ledger.NotOwned, true, approved
		case at == stageDone, at == stageProblems, at == stageAttaching && j < 28:
			send()
		case at == stageAttaching && j < 38:
			attach()
			n.NonTMobile = "ADDED"
		case at == stageAttaching && j < 44:
			attach()
			n.State, n.Status, n.TMobile, n.NonTMobile, n.Firsts.Attached = ledger.Pending, "PENDING_ASSIGNMENT", "", "", time.Time{}
		case at == stageQueued && j < 9:
			requested = now.Add(time.Duration(2*j-50) * time.Second)
			attach()
			n.State, n.Status, n.TMobile, n.NonTMobile, n.Firsts.Attached = ledger.Pending, "PENDING_ASSIGNMENT", "", "", time.Time{}
		default:
			n.Reason, n.NextAt = ledger.Queued, now.Add(time.Duration(j)*2*time.Second)
		}
		put("NUMBERS."+id+"."+n.Number[1:], n)
	}
}

// recordWriter writes records directly and concurrently, which is faster than the ledger.
// [written] waits for them.
func recordWriter(t testing.TB, js jetstream.JetStream) func(key string, record any) {
	t.Helper()
	return func(key string, record any) {
		data, err := json.Marshal(record)
		must(t, err)
		_, err = js.PublishAsync("$KV."+key, data)
		must(t, err)
	}
}

func written(t testing.TB, js jetstream.JetStream) {
	t.Helper()
	select {
	case <-js.PublishAsyncComplete():
	case <-time.After(time.Minute):
		t.Fatal("the records were not written in a minute")
	}
}
