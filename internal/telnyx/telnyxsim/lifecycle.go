package telnyxsim

import (
	"context"
	"encoding/json"
	"time"

	"greenlight/internal/telnyx"
)

// The methods in this file change a campaign as Telnyx, The Campaign Registry
// and the carriers do, and send the events that Telnyx sends:
//
//	TCR_PENDING ──Submit──▶ TCR_ACCEPTED ──TelnyxReview──▶ MNO_PENDING ──MNOReview──▶ MNO_ACCEPTED
//	     │                       │                              └────────Approve──────────┤
//	     └FailRegistration       └Reject─▶ TELNYX_FAILED                 Reject─▶ MNO_REJECTED
//	           ▼                              └─Appeal─▶ TCR_ACCEPTED                 └─Appeal─▶ MNO_PENDING
//	       TCR_FAILED
//	                                           Approve─▶ MNO_PROVISIONED ──Suspend──▶ TCR_SUSPENDED
//	                                                          │   └──Expire──▶ TCR_EXPIRED
//
// The flow is that of
// https://developers.telnyx.com/docs/messaging/10dlc/event-notifications. The
// methods do not check the campaign's state: a test may approve a campaign that was never
// reviewed. Each takes a Telnyx or a TCR id and returns an error that wraps [ErrUnknown]
// if there is no such campaign.

// SetCampaignStatus sets campaignStatus and sends nothing, as when an event is
// lost or a change has no event.
func (s *Simulator) SetCampaignStatus(id string, status telnyx.CampaignStatus) error {
	return s.change(id, func(c *campaign) { c.CampaignStatus = status })
}

// Submit lets The Campaign Registry accept the campaign: TCR_ACCEPTED, with the
// TCR_EVENT CAMPAIGN_ADD.
func (s *Simulator) Submit(id string) error {
	return s.change(id, func(c *campaign) {
		c.CampaignStatus = telnyx.CampaignTCRAccepted
		s.emitTCR(c, "CAMPAIGN_ADD", "Campaign "+c.TCRID+" is added")
	})
}

// FailRegistration lets The Campaign Registry refuse the campaign: TCR_FAILED, with a
// failed REGISTRATION for the field sample1.
func (s *Simulator) FailRegistration(id, reason string) error {
	return s.change(id, func(c *campaign) {
		c.CampaignStatus = telnyx.CampaignTCRFailed
		c.FailureReasons = describe(reason)
		s.emit(c, EventCampaign, registrationFailed(c.assignmentID(), "sample1", reason))
	})
}

// TelnyxReview lets Telnyx forward the campaign to the carriers: MNO_PENDING,
// with TELNYX_REVIEW ACCEPTED.
func (s *Simulator) TelnyxReview(id string) error {
	return s.change(id, func(c *campaign) {
		c.CampaignStatus = telnyx.CampaignMNOPending
		s.emitReview(c, "TELNYX_REVIEW", "ACCEPTED", c.TCRID+" approved by Telnyx")
	})
}

// MNOReview lets a carrier accept the campaign: MNO_ACCEPTED, with MNO_REVIEW
// ACCEPTED. Numbers cannot be attached yet.
func (s *Simulator) MNOReview(id string) error {
	return s.change(id, func(c *campaign) {
		c.CampaignStatus = telnyx.CampaignMNOAccepted
		s.emitReview(c, "MNO_REVIEW", "ACCEPTED", c.TCRID+" approved by T-Mobile")
	})
}

// Approve lets the carriers provision the campaign: MNO_PROVISIONED, with VERIFIED. From
// then on numbers can be attached. failureReasons keeps its value, as customers report.
func (s *Simulator) Approve(id string) error {
	return s.change(id, func(c *campaign) {
		c.CampaignStatus = telnyx.CampaignMNOProvisioned
		c.TMobileRegistered = true
		s.emit(c, EventCampaign, verified{
			BrandID: c.BrandID, CampaignID: c.assignmentID(),
			CreatedDate: c.CreatedAt.UTC().Format(zoned), CSPID: cspID, Type: telnyx.TypeVerified, TMobileRegistered: true,
		})
	})
}

// Walk takes a campaign from filing to approval, with each event in order and a pause
// between them: [Simulator.Submit], [Simulator.TelnyxReview],
// [Simulator.MNOReview], [Simulator.Approve]. It returns after the last step, or
// early with the error of ctx or of the first step that failed.
// Deliveries are concurrent, so without a pause they may arrive out of order.
func (s *Simulator) Walk(ctx context.Context, id string, pause time.Duration) error {
	for i, step := range []func(string) error{s.Submit, s.TelnyxReview, s.MNOReview, s.Approve} {
		if i > 0 && !s.work.sleep(ctx, pause) {
			return context.Cause(s.endedBy(ctx))
		}
		if err := step(id); err != nil {
			return err
		}
	}
	return nil
}

// endedBy returns which of the two contexts ended a sleep.
func (s *Simulator) endedBy(ctx context.Context) context.Context {
	if ctx.Err() != nil {
		return ctx
	}
	return s.work.ctx
}

// Reject lets the current reviewer refuse the campaign: Telnyx while it is TCR_PENDING or
// TCR_ACCEPTED (TELNYX_FAILED, TELNYX_REVIEW REJECTED), the carriers after that
// (MNO_REJECTED, MNO_REVIEW REJECTED). The reason goes into the event and, as an array of
// objects, into failureReasons.
func (s *Simulator) Reject(id, reason string) error {
	return s.change(id, func(c *campaign) {
		c.FailureReasons = describe(reason)
		switch c.CampaignStatus {
		case telnyx.CampaignTCRPending, telnyx.CampaignTCRAccepted:
			c.CampaignStatus = telnyx.CampaignTelnyxFailed
			s.emitReview(c, "TELNYX_REVIEW", "REJECTED", c.TCRID+" rejected by Telnyx due to "+reason)
		default:
			c.CampaignStatus = telnyx.CampaignMNORejected
			s.emitReview(c, "MNO_REVIEW", "REJECTED", c.TCRID+" rejected by T-Mobile due to "+reason)
		}
	})
}

// Appeal sends a rejected campaign back to the review that refused it:
// TELNYX_FAILED to TCR_ACCEPTED, everything else to MNO_PENDING. Which event an
// appeal sends is not documented; TCR_EVENT CAMPAIGN_RESUBMISSION is a guess.
func (s *Simulator) Appeal(id string) error {
	return s.change(id, s.resubmit)
}

// resubmit sends a rejected campaign back to review. The caller holds s.mu.
func (s *Simulator) resubmit(c *campaign) {
	next := telnyx.CampaignMNOPending
	if c.CampaignStatus == telnyx.CampaignTelnyxFailed {
		next = telnyx.CampaignTCRAccepted
	}
	c.CampaignStatus = next
	s.emitTCR(c, "CAMPAIGN_RESUBMISSION", "Campaign "+c.TCRID+" is resubmitted")
}

// Suspend makes the campaign TCR_SUSPENDED, with the TCR_EVENT
// MNO_CAMPAIGN_OPERATION_SUSPENDED.
func (s *Simulator) Suspend(id string) error {
	return s.change(id, func(c *campaign) {
		c.CampaignStatus = telnyx.CampaignTCRSuspended
		s.emitTCR(c, "MNO_CAMPAIGN_OPERATION_SUSPENDED", "Campaign "+c.TCRID+" is suspended")
	})
}

// Unsuspend undoes [Simulator.Suspend]: MNO_PROVISIONED again, with the
// TCR_EVENT MNO_CAMPAIGN_OPERATION_UNSUSPENDED.
func (s *Simulator) Unsuspend(id string) error {
	return s.change(id, func(c *campaign) {
		c.CampaignStatus = telnyx.CampaignMNOProvisioned
		s.emitTCR(c, "MNO_CAMPAIGN_OPERATION_UNSUSPENDED", "Campaign "+c.TCRID+" is unsuspended")
	})
}

// SuspendTMobile sets isTMobileSuspended and leaves campaignStatus alone, with
// the same event as [Simulator.Suspend].
func (s *Simulator) SuspendTMobile(id string) error {
	return s.change(id, func(c *campaign) {
		c.TMobileSuspended = true
		s.emitTCR(c, "MNO_CAMPAIGN_OPERATION_SUSPENDED", "Campaign "+c.TCRID+" is suspended by T-Mobile")
	})
}

// UnsuspendTMobile undoes [Simulator.SuspendTMobile].
func (s *Simulator) UnsuspendTMobile(id string) error {
	return s.change(id, func(c *campaign) {
		c.TMobileSuspended = false
		s.emitTCR(c, "MNO_CAMPAIGN_OPERATION_UNSUSPENDED", "Campaign "+c.TCRID+" is unsuspended by T-Mobile")
	})
}

// Expire ends the campaign: status EXPIRED and campaignStatus TCR_EXPIRED, with
// the TCR_EVENT CAMPAIGN_EXPIRED. Reading it still works.
func (s *Simulator) Expire(id string) error {
	return s.change(id, func(c *campaign) {
		c.Status, c.CampaignStatus = telnyx.StatusExpired, telnyx.CampaignTCRExpired
		s.emitTCR(c, "CAMPAIGN_EXPIRED", "Campaign "+c.TCRID+" is expired")
	})
}

// MakeDormant makes an idle campaign dormant, with TELNYX_EVENT DORMANT. The first
// assignment reactivates it and fails; later ones work
// (https://support.telnyx.com/en/articles/10723378-10dlc-campaign-suspended).
// campaignStatus does not change. That article mentions a TCR status
// "Suspended": to simulate it, call SetCampaignStatus with TCR_SUSPENDED afterwards, which
// reactivation changes to MNO_PROVISIONED. Other statuses are kept, so that an expired
// campaign stays expired.
func (s *Simulator) MakeDormant(id string) error {
	return s.change(id, func(c *campaign) {
		c.Dormant = true
		s.emitReview(c, "TELNYX_EVENT", "DORMANT", "Campaign has been marked as dormant")
	})
}

// change runs f on a campaign while s.mu is held.
func (s *Simulator) change(id string, f func(*campaign)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.campaignNamed(id)
	if err != nil {
		return err
	}
	f(c)
	return nil
}

// reactivate reactivates a dormant campaign after ReactivateDelay. The caller holds
// s.mu.
func (s *Simulator) reactivate(c *campaign) {
	if c.reactivating {
		return
	}
	active := func() {
		c.Dormant, c.reactivating = false, false
		if c.CampaignStatus == telnyx.CampaignTCRSuspended {
			c.CampaignStatus = telnyx.CampaignMNOProvisioned
		}
	}
	if s.options.ReactivateDelay == 0 {
		active()
		return
	}
	c.reactivating = true
	s.work.after(s.options.ReactivateDelay, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		active()
	})
}

// describe returns failureReasons as customers report it: an array of objects.
func describe(reason string) json.RawMessage {
	return encode([]map[string]string{{"description": reason}}, "")
}

// EndSoon switches the campaign's renewal off, ten days before its end. No event is
// documented for that.
func (s *Simulator) EndSoon(id string) error {
	return s.change(id, func(c *campaign) { c.NoRenewal, c.RenewalAt = true, time.Now().AddDate(0, 0, 10) })
}
