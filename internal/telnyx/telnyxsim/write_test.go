package telnyxsim_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

func TestWrites_TellWhatWasAskedAndDone(t *testing.T) {
	sim := still(t, telnyxsim.Dialect{})
	post(t, sim, numberA, campaignID)
	put(t, sim, numberA, otherID)
	remove(t, sim, numberA)
	remove(t, sim, numberB)
	call(t, sim, "PATCH", "/phone_numbers/"+numberB+"/messaging", `{"messaging_profile_id":"`+profileFor+`"}`)
	call(t, sim, "POST", "/10dlc/phone_number_campaigns", "no JSON")

	const (
		list = "/10dlc/phone_number_campaigns"
		one  = "/10dlc/phone_number_campaigns/{phoneNumber}"
	)
	provisioned := telnyx.CampaignMNOProvisioned
	want := []telnyxsim.Write{
		{Method: "POST", Path: list, PhoneNumber: numberA, CampaignID: campaignID, CampaignStatus: provisioned,
			Effective: true, AnswerStatus: 200},
		{Method: "PUT", Path: one, PhoneNumber: numberA, CampaignID: otherID, CampaignStatus: provisioned,
			PreviousCampaignID: campaignID, Effective: true, AnswerStatus: 200},
		{Method: "DELETE", Path: one, PhoneNumber: numberA, CampaignID: otherID, CampaignStatus: provisioned,
			PreviousCampaignID: otherID, Effective: true, AnswerStatus: 200},
		{Method: "DELETE", Path: one, PhoneNumber: numberB, AnswerStatus: 404},
		{Method: "PATCH", Path: "/phone_numbers/{id}/messaging", PhoneNumber: numberB, MessagingProfileID: profileFor,
			Effective: true, AnswerStatus: 200},
		{Method: "POST", Path: list, AnswerStatus: 400},
	}
	if diff := cmp.Diff(want, sim.Writes(), cmpopts.IgnoreFields(telnyxsim.Write{}, "At")); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	if got := sim.Calls(); got["DELETE "+one] != 2 || got["POST "+list] != 2 {
		t.Errorf("calls = %v, want two DELETE and two POST", got)
	}
}
