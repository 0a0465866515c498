package assigner

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/telnyx"
)

// trouble is what an error from Telnyx means here: what to do, by telnyx.Judge,
// and how the ledger calls it.
type trouble struct {
	verdict telnyx.Verdict
	reason  ledger.Reason
	detail  string
	// atLeast is how long Telnyx itself asks to wait.
	atLeast time.Duration
}

func troubleOf(err error) trouble {
	t := trouble{verdict: telnyx.Judge(err), detail: detailOf(err)}
	t.reason = reasonOf(t.verdict, err)
	if answer, ok := errors.AsType[*telnyx.APIError](err); ok {
		t.atLeast = min(answer.RetryAfter, retryMost)
	}
	return t
}

func reasonOf(verdict telnyx.Verdict, err error) ledger.Reason {
	switch verdict {
	case telnyx.StopEverything:
		return stopReason(err)
	case telnyx.ForGood:
		return ledger.Rejected
	case telnyx.Unclear:
		return ledger.UnknownError
	default:
		return laterReason(err)
	}
}

// stopReason tells a refused key from a refused account.
func stopReason(err error) ledger.Reason {
	if telnyx.KeyRefused(err) {
		return ledger.Unauthorized
	}
	return ledger.AccountBlocked
}

func laterReason(err error) ledger.Reason {
	answer, ok := errors.AsType[*telnyx.APIError](err)
	complaint := complainedOf(telnyx.ComplaintOf(err))
	switch {
	case complaint != "":
		return complaint
	case !telnyx.WasSent(err):
		return ledger.RateLimited // the pace left no room for it
	case !ok:
		return ledger.TelnyxUnavailable
	case answer.Status == http.StatusTooManyRequests || telnyx.HasCode(err, telnyx.CodeTooManyRequests):
		return ledger.RateLimited
	case telnyx.HasCode(err, telnyx.CodeBeingProcessed), telnyx.HasCode(err, telnyx.CodeLocked),
		telnyx.HasCode(err, telnyx.CodeInUse), telnyx.HasCode(err, telnyx.CodeAssociatedMissing):
		return ledger.BeingProcessed
	default:
		return ledger.TelnyxUnavailable
	}
}

// complainedOf returns the reason that Telnyx gave in words, empty if it gave
// none that passes.
func complainedOf(c telnyx.Complaint) ledger.Reason {
	switch c {
	case telnyx.ComplaintFull:
		return ledger.CampaignFull
	case telnyx.ComplaintOtherCampaign:
		return ledger.OtherCampaign
	case telnyx.ComplaintDormant:
		return ledger.DormantRetry
	case telnyx.ComplaintNotDeployed:
		return ledger.BeingProcessed
	case telnyx.ComplaintQuota:
		return ledger.RateLimited
	default:
		return ""
	}
}

// detailOf bounds what the ledger keeps of an error's words.
func detailOf(err error) string {
	const most = 500
	text := err.Error()
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}
