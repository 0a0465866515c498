package preflight

import (
	"net/http/httptest"
	"strings"
	"testing"

	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

func TestSurvey_CannotWrite(t *testing.T) {
	sim := telnyxsim.New(telnyxsim.Options{})
	defer sim.Close()
	server := httptest.NewServer(sim)
	defer server.Close()
	c := sim.AddCampaign(telnyxsim.Campaign{CampaignStatus: telnyx.CampaignMNOProvisioned})
	sim.AddNumbers(telnyxsim.Number{PhoneNumber: "+15551234567", ID: "1", MessagingProfileID: "p"})
	s := newSurvey(&telnyx.Client{APIKey: "key", BaseURL: server.URL + "/v2", HTTPClient: server.Client()}, 1)
	if _, err := s.client.Assignments(t.Context(), telnyx.AssignmentFilter{}); err != nil {
		t.Fatalf("it cannot read: %v", err)
	}
	for name, write := range map[string]func() error{
		"attach":  func() error { _, err := s.client.Assign(t.Context(), "+15551234567", c.ID); return err },
		"move":    func() error { _, err := s.client.Reassign(t.Context(), "+15551234567", c.ID); return err },
		"profile": func() error { _, err := s.client.SetMessagingProfile(t.Context(), "1", "q"); return err },
	} {
		if err := write(); err == nil || !strings.Contains(err.Error(), "was not sent: this command only reads") {
			t.Errorf("%s: got %v, want that it was not sent", name, err)
		}
	}
	if writes := sim.Writes(); len(writes) != 0 {
		t.Errorf("it wrote: %+v", writes)
	}
}
