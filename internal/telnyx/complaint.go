package telnyx

import (
	"errors"
	"net/http"
	"strings"
)

// Complaint is what an answer says in words about a number or its campaign, where
// Telnyx has no code for it. Most are sentences of the aggregator behind Telnyx,
// Syniverse, which Telnyx passes on in errors, in failureReasons and in the field
// errors of records that come with status 200:
// https://sdcdocumentation.syniverse.com/index.php/10-dlc/getting-started/ess-notifications-and-http-error-codes
type Complaint string

// The complaints. The empty one means that the words are none of these.
const (
	// ComplaintFull: the campaign carries as many numbers as it may.
	ComplaintFull Complaint = "campaign_full"
	// ComplaintOtherCampaign: the number is on another campaign, maybe of another
	// provider, where Telnyx has no record of it.
	ComplaintOtherCampaign Complaint = "other_campaign"
	// ComplaintNotDeployed: the carriers do not have the campaign yet.
	ComplaintNotDeployed Complaint = "not_deployed"
	// ComplaintQuota: the aggregator takes no more requests today.
	ComplaintQuota Complaint = "daily_quota"
	// ComplaintDormant: the campaign is dormant for lack of traffic; the request wakes
	// it but fails
	// (https://support.telnyx.com/en/articles/10723378-10dlc-campaign-suspended).
	ComplaintDormant Complaint = "dormant"
)

// phrases are what the sentences have in common with their variants, in lower
// case. The first that a text holds decides.
var phrases = []struct {
	phrase    string
	complaint Complaint
}{
	{"dormant", ComplaintDormant},
	{"daily quota", ComplaintQuota},
	{"rate limit", ComplaintQuota},
	{"another campaign", ComplaintOtherCampaign},
	{"different campaign", ComplaintOtherCampaign},
	{"not deployed", ComplaintNotDeployed},
	{"longcode limit", ComplaintFull},
	{"long code limit", ComplaintFull},
	{"number limit", ComplaintFull},
	{"numbers limit", ComplaintFull},
	{"campaign limit", ComplaintFull},
	{". limit exceeded", ComplaintFull}, // a sentence, unlike "Character limit exceeded"
	{"can only have one phone number", ComplaintFull},
}

// ComplaintIn recognizes a complaint in what Telnyx said. It only names a
// refusal that was made anyway, so an unknown phrase does no harm.
func ComplaintIn(text string) Complaint {
	text = ". " + strings.ToLower(strings.ReplaceAll(strings.TrimSpace(text), "; ", ". "))
	for _, p := range phrases {
		if strings.Contains(text, p.phrase) {
			return p.complaint
		}
	}
	return ""
}

// ComplaintOf recognizes the complaint in a refusal: an [APIError] that is not about
// the key, the account or a temporary failure.
func ComplaintOf(err error) Complaint {
	e, ok := errors.AsType[*APIError](err)
	if !ok || e.Status == http.StatusUnauthorized || e.hasClass(ClassUnauthorized, ClassAccount) || isPassing(e.Status) {
		return ""
	}
	for _, detail := range e.Errors {
		if complaint := ComplaintIn(detail.Title + ". " + strings.TrimSpace(detail.Detail)); complaint != "" {
			return complaint
		}
	}
	return ""
}
