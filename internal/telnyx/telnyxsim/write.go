package telnyxsim

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"

	"greenlight/internal/telnyx"
)

// Write is one request for a change, refused or not.
type Write struct {
	// At is when it took effect or was refused.
	At time.Time
	// Method and Path are those of the route, for example
	// "/10dlc/phone_number_campaigns/{phoneNumber}".
	Method, Path string
	// PhoneNumber is the number in the request.
	PhoneNumber string
	// CampaignID is the campaign as the request spelled it. For a DELETE it is the
	// campaign that the number was on.
	CampaignID string
	// MessagingProfileID is the profile in a PATCH.
	MessagingProfileID string
	// CampaignStatus is the campaign's at that moment. It is empty if the request named
	// no existing campaign, or was refused first: by a fault, the rate limit or a wrong
	// key.
	CampaignStatus telnyx.CampaignStatus
	// PreviousCampaignID is the campaign that the number was on before, by its
	// Telnyx id or, shared, its TCR id. Empty if it was on none; failed
	// assignments do not count.
	PreviousCampaignID string
	// Effective says that the request changed something.
	Effective bool
	// AnswerStatus is the status of the answer, 0 if a fault kept it from the client.
	AnswerStatus int
}

// Writes returns every request for a change so far, in the order in which they
// took effect or were refused.
func (s *Simulator) Writes() []Write {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.writes)
}

// Calls returns how often each operation was called, whatever it answered. Keys are
// method and path as in the OpenAPI description, for example
// "GET /10dlc/campaign/{campaignId}". An unknown request counts under its own path.
func (s *Simulator) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

func (s *Simulator) count(c *call) {
	name := c.r.Method + " " + c.r.URL.Path
	if c.route != nil {
		name = c.route.name()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[name]++
}

// startWrite prepares the log entry of a request for a change.
func (c *call) startWrite() {
	if c.route == nil || c.route.method == http.MethodGet {
		return
	}
	c.write = &Write{Method: c.route.method, Path: c.route.path, PhoneNumber: c.r.PathValue("phoneNumber")}
	var body struct {
		PhoneNumber        string `json:"phoneNumber"`
		CampaignID         string `json:"campaignId"`
		MessagingProfileID string `json:"messaging_profile_id"`
	}
	_ = json.Unmarshal(c.body, &body) // the operation refuses an unreadable body
	c.write.PhoneNumber = orDefault(c.write.PhoneNumber, body.PhoneNumber)
	c.write.CampaignID, c.write.MessagingProfileID = body.CampaignID, body.MessagingProfileID
}

// notePrevious records the campaign that a number was on before the write.
func (w *Write) notePrevious(r *record) {
	if r.live() {
		w.PreviousCampaignID = r.campaign.assignmentID()
	}
}

// noteCampaign records the campaign that a DELETE removes a number from.
func (c *call) noteCampaign(r *record) {
	c.write.notePrevious(r)
	if r != nil {
		c.write.CampaignID, c.write.CampaignStatus = r.campaign.assignmentID(), r.campaign.CampaignStatus
	}
}

// record adds the call to the log of writes if it is a write. The caller holds s.mu.
func (s *Simulator) record(c *call, status int) {
	if c.write == nil {
		return
	}
	if c.unanswered {
		status = 0
	}
	c.write.AnswerStatus, c.write.At = status, time.Now()
	s.writes = append(s.writes, *c.write)
}

// noteRefusal records a call that did not reach its operation.
func (s *Simulator) noteRefusal(c *call, reply answer) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record(c, reply.status)
	return reply
}
