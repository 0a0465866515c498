package telnyx

import (
	"errors"
	"testing"
)

func TestComplaintIn_KnowsTheSentencesAndTheirVariants(t *testing.T) {
	for text, want := range map[string]Complaint{
		"Longcode cannot be added/deleted as it is already associated with another campaign.": ComplaintOtherCampaign,
		"Longcode cannot be added to campaign. Limit exceeded":                                ComplaintFull,
		"The longcode limit of the campaign is exceeded":                                      ComplaintFull,
		"Long code limit reached":                                                             ComplaintFull,
		"Phone number limit reached for this campaign":                                        ComplaintFull,
		"Campaign limit exceeded":                                                             ComplaintFull,
		"Limit exceeded":                                                                      ComplaintFull,
		"No; Limit exceeded":                                                                  ComplaintFull,
		"Character limit exceeded":                                                            "",
		"Concurrent request limit exceeded":                                                   "",
		"Sole Proprietor campaigns can only have one phone number assigned":                   ComplaintFull,
		"Longcode cannot be added/deleted as Campaign is not Deployed.":                       ComplaintNotDeployed,
		"Daily quota exceeded":                                                                ComplaintQuota,
		"Rate limit exceeded":                                                                 ComplaintQuota,
		"Campaign is dormant and is being reactivated. Please try again later.":               ComplaintDormant,
		"The number must be in E.164 format":                                                  "",
		"":                                                                                    "",
	} {
		if got := ComplaintIn(text); got != want {
			t.Errorf("ComplaintIn(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestComplaintOf_IsAboutRefusalsAlone(t *testing.T) {
	full := []ErrorDetail{{Code: "10015", Detail: "Limit exceeded"}}
	for name, tt := range map[string]struct {
		err  error
		want Complaint
	}{
		"a refusal":        {&APIError{Status: 400, Errors: full}, ComplaintFull},
		"with a title":     {&APIError{Status: 400, Errors: []ErrorDetail{{Title: "Bad Request", Detail: "Limit exceeded"}}}, ComplaintFull},
		"a rate limit":     {&APIError{Status: 429, Errors: full}, ""},
		"a server error":   {&APIError{Status: 502, Errors: full}, ""},
		"a refused key":    {&APIError{Status: 401, Errors: full}, ""},
		"an account limit": {&APIError{Status: 400, Errors: []ErrorDetail{{Code: "10039", Title: "Limit exceeded"}}}, ""},
		"no answer":        {&ConnectionError{Err: errors.New("limit exceeded")}, ""},
		"nil":              {nil, ""},
	} {
		if got := ComplaintOf(tt.err); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}
