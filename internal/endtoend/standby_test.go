package endtoend_test

import (
	"fmt"
	"testing"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

func TestStandby_TakesOverAndWritesNothingTwice(t *testing.T) {
	w := newWorld(t, telnyxsim.Options{Latency: 20 * time.Millisecond})
	var planned string
	for i := range 45 {
		planned += fmt.Sprintf(" +1212555%04d", i)
	}
	w.config.Concurrency = 1
	w.stage(campaignID + ":" + planned)
	w.campaign(campaignID, telnyx.CampaignMNOProvisioned)
	stopFirst := w.start()
	w.start()
	w.eventually("some numbers are attached", func() (bool, string) { return len(w.posts()) >= 5, fmt.Sprint(len(w.posts())) })
	stopFirst()
	if done := len(w.posts()); done == 45 {
		t.Fatal("the first assigner did it all, so this shows nothing")
	}
	w.reaches(campaignID, ledger.Sendable)
	w.onePost(campaignID)
}
