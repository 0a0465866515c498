package telnyxsim

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"greenlight/internal/telnyx"
)

// Carrier is one of the groups of carriers that get a number's mapping to its
// campaign.
type Carrier string

// The carriers with a mapping status. Only customers report ATT's: it appears if
// [Simulator.FailMapping] names it.
const (
	TMobile    Carrier = "T-Mobile"
	NonTMobile Carrier = "non-T-Mobile"
	ATT        Carrier = "AT&T"
)

// record is the one record of a number, in these states:
//
//	POST ──▶ PENDING_ASSIGNMENT ──AssignDelay──▶ ASSIGNED ──MappingDelay──▶ mappings ADDED
//	                │                               │
//	                └──▶ FAILED_ASSIGNMENT          └─DELETE─▶ PENDING_UNASSIGNMENT ──UnassignDelay──▶ gone
//
// A change of campaign creates a new record, and the timers of the old record then do
// nothing.
type record struct {
	number   string
	campaign *campaign
	status   telnyx.AssignmentStatus
	mappings map[Carrier]telnyx.MappingStatus
	// failure is failureReasons; willFail is why the pending assignment will fail, or empty.
	failure, willFail string
	created, updated  time.Time
	seq               int
	// Until readableAt, reading the number shows replaced instead of the record; lists
	// do until listedAt. Nil: they show no record.
	replaced             *record
	readableAt, listedAt time.Time
}

// live reports whether the record holds the number. A failed assignment does not.
func (r *record) live() bool { return r != nil && r.status != telnyx.FailedAssignment }

// newRecord returns a record that is created now.
func newRecord(phoneNumber string, c *campaign, status telnyx.AssignmentStatus) *record {
	now := time.Now()
	return &record{number: phoneNumber, campaign: c, status: status, mappings: mappingsOf(status), created: now, updated: now}
}

// mappingsOf returns the carriers' mappings of a record in a status.
func mappingsOf(status telnyx.AssignmentStatus) map[Carrier]telnyx.MappingStatus {
	mapping := telnyx.MappingAdded
	switch status {
	case telnyx.PendingAssignment:
		mapping = telnyx.MappingPending
	case telnyx.FailedAssignment:
		mapping = telnyx.MappingFailed
	}
	return map[Carrier]telnyx.MappingStatus{TMobile: mapping, NonTMobile: mapping}
}

// begin puts a number on a campaign and starts its timers. Reads show the new record after
// a lag, and the previous one until then.
func (s *Simulator) begin(phoneNumber string, c *campaign, willFail string, late lag) *record {
	r := newRecord(phoneNumber, c, telnyx.PendingAssignment)
	r.willFail, r.seq = willFail, s.next()
	if reasons := s.refusals[phoneNumber]; willFail == "" && len(reasons) > 0 {
		r.willFail, s.refusals[phoneNumber] = reasons[0], reasons[1:]
	}
	if late != (lag{}) {
		r.replaced, r.readableAt, r.listedAt = s.records[phoneNumber], r.created.Add(late.read), r.created.Add(late.list)
	}
	s.records[phoneNumber] = r
	s.work.after(s.options.AssignDelay, func() { s.finishAssigning(r) })
	return r
}

// finishAssigning ends a pending assignment, with its event.
func (s *Simulator) finishAssigning(r *record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.current(r, telnyx.PendingAssignment) {
		return
	}
	r.updated = time.Now()
	if r.willFail != "" {
		r.status, r.failure = telnyx.FailedAssignment, r.willFail
		r.mappings = mappingsOf(r.status)
		s.emitAssignment(r, "ASSIGNMENT", "failed", r.willFail)
		return
	}
	r.status = telnyx.Assigned
	s.emitAssignment(r, "ASSIGNMENT", "success")
	s.mapLater(r)
}

// mapLater starts the carriers' mappings of an ASSIGNED number.
func (s *Simulator) mapLater(r *record) {
	refused := s.refusedMaps[r.number]
	delete(s.refusedMaps, r.number)
	if slices.Contains(refused, ATT) {
		r.mappings[ATT] = telnyx.MappingPending
	}
	for carrier := range r.mappings {
		delay, outcome := s.options.MappingDelay, telnyx.MappingAdded
		if carrier != TMobile {
			delay = addDelays(delay, s.options.MappingGap)
		}
		if slices.Contains(refused, carrier) {
			outcome = telnyx.MappingFailed
		}
		s.work.after(delay, func() { s.finishMapping(r, carrier, outcome) })
	}
}

// addDelays adds two delays, each of which may be [Never].
func addDelays(a, b time.Duration) time.Duration {
	if a < 0 || b < 0 {
		return Never
	}
	return a + b
}

// finishMapping ends one carrier's mapping, with its event.
func (s *Simulator) finishMapping(r *record, carrier Carrier, outcome telnyx.MappingStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.current(r, telnyx.Assigned) {
		return
	}
	r.mappings[carrier], r.updated = outcome, time.Now()
	s.emitMapping(r, string(outcome))
}

// beginRemoval starts removing a number from its campaign, which ends with the DELETION
// event.
func (s *Simulator) beginRemoval(r *record) {
	r.status, r.updated = telnyx.PendingUnassignment, time.Now()
	s.work.after(s.options.UnassignDelay, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.current(r, telnyx.PendingUnassignment) {
			return
		}
		delete(s.records, r.number)
		s.reattach[r.number] = time.Now().Add(s.options.ReattachDelay)
		s.emitAssignment(r, "DELETION", "success")
	})
}

// current reports whether r is still the record of its number and in a state.
func (s *Simulator) current(r *record, status telnyx.AssignmentStatus) bool {
	return s.records[r.number] == r && r.status == status
}

// shown returns the record that reading one number shows: its record, the previous one
// during a lag, or nil.
func (s *Simulator) shown(phoneNumber string) *record {
	r := s.records[phoneNumber]
	for r != nil && time.Now().Before(r.readableAt) {
		r = r.replaced
	}
	return r
}

// listed returns the record that lists show for a number.
func (s *Simulator) listed(phoneNumber string) *record {
	r := s.records[phoneNumber]
	for r != nil && time.Now().Before(r.listedAt) {
		r = r.replaced
	}
	return r
}

// lag is how long reads of one number, and lists, do not show a new record.
type lag struct{ read, list time.Duration }

// newLag is the lag of a record that a POST creates.
func (s *Simulator) newLag() lag {
	d := s.options.Dialect
	return lag{d.ReadLag, max(d.ReadLag, d.ListLag)}
}

// moveLag is the lag of a record that replaces old, which may be nil.
func (s *Simulator) moveLag(old *record) lag {
	if !old.live() {
		return s.newLag()
	}
	stale := s.options.Dialect.StaleReadDelay
	return lag{max(stale, s.newLag().read), max(stale, s.newLag().list)}
}

// countLive counts the numbers on a campaign.
func (s *Simulator) countLive(c *campaign) int {
	count := 0
	for _, r := range s.records {
		if r.live() && r.campaign == c {
			count++
		}
	}
	return count
}

// AttachNumber puts a number into a state on a campaign immediately and without an event,
// replacing its record. An ASSIGNED number has its mappings
// ADDED. The reason, if any, becomes failureReasons. It returns an error that
// wraps [ErrUnknown] if the number or the campaign was not added.
func (s *Simulator) AttachNumber(phoneNumber, campaignID string, status telnyx.AssignmentStatus, reason ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.findNumber(phoneNumber) == nil {
		return fmt.Errorf("number %s: %w", phoneNumber, ErrUnknown)
	}
	c, err := s.campaignNamed(campaignID)
	if err != nil {
		return err
	}
	s.place(phoneNumber, c, status, reason)
	return nil
}

func (s *Simulator) place(phoneNumber string, c *campaign, status telnyx.AssignmentStatus, reason []string) {
	r := newRecord(phoneNumber, c, status)
	r.seq = s.next()
	if len(reason) > 0 {
		r.failure = reason[0]
	}
	s.records[phoneNumber] = r
	delete(s.reattach, phoneNumber)
}

// DetachNumber removes a number's record immediately and without an event.
func (s *Simulator) DetachNumber(phoneNumber string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, phoneNumber)
	delete(s.reattach, phoneNumber)
}

// FailAssignment makes the next assignment of a number fail with a reason:
// FAILED_ASSIGNMENT with its event instead of ASSIGNED. Further calls make further
// assignments fail, in order.
func (s *Simulator) FailAssignment(phoneNumber, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusals[phoneNumber] = append(s.refusals[phoneNumber], reason)
}

// FailMapping makes a carrier refuse the mapping of the number's next assignment: FAILED
// instead of ADDED. The number stays ASSIGNED.
func (s *Simulator) FailMapping(phoneNumber string, carrier Carrier) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusedMaps[phoneNumber] = append(s.refusedMaps[phoneNumber], carrier)
}

// Assignment is the true record of a number, which reads of the API may show later.
type Assignment struct {
	PhoneNumber string
	// CampaignID is Telnyx's id, or the TCR id when the campaign is shared.
	CampaignID string
	TCRID      string
	Status     telnyx.AssignmentStatus
	// The carriers' mappings; ATT is usually empty, as at Telnyx.
	TMobile, NonTMobile, ATT telnyx.MappingStatus
	FailureReason            string
	CreatedAt, UpdatedAt     time.Time
}

// Assignments returns every record, sorted by phone number.
func (s *Simulator) Assignments() []Assignment {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Assignment, 0, len(s.records))
	for _, phoneNumber := range slices.Sorted(maps.Keys(s.records)) {
		r := s.records[phoneNumber]
		list = append(list, Assignment{
			PhoneNumber: r.number, CampaignID: r.campaign.assignmentID(), TCRID: r.campaign.TCRID, Status: r.status,
			TMobile: r.mappings[TMobile], NonTMobile: r.mappings[NonTMobile], ATT: r.mappings[ATT],
			FailureReason: r.failure, CreatedAt: r.created, UpdatedAt: r.updated,
		})
	}
	return list
}

// wire renders a record as a phone number campaign. For shared campaigns campaignId is
// the TCR id, and brandId and telnyxCampaignId are empty.
func (r *record) wire() object {
	row := object{
		"phoneNumber": r.number, "brandId": r.campaign.BrandID, "tcrBrandId": r.campaign.TCRBrandID,
		"campaignId": r.campaign.assignmentID(), "tcrCampaignId": r.campaign.TCRID, "telnyxCampaignId": r.campaign.ID,
		"assignmentStatus": string(r.status),
		"createdAt":        r.created.UTC().Format(zoneless), "updatedAt": r.updated.UTC().Format(zoneless),
	}
	for carrier, status := range r.mappings {
		row[mappingKeys[carrier]] = string(status)
	}
	if r.failure != "" {
		row["failureReasons"] = r.failure
	}
	return row
}

// mappingKeys are the fields of the carriers' mappings.
var mappingKeys = map[Carrier]string{
	TMobile: "tmobileNumberMappingStatus", NonTMobile: "nonTmobileNumberMappingStatus", ATT: "attNumberMappingStatus",
}
