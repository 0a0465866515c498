package rehearsal

import (
	"net/http"
	"strings"

	"greenlight/internal/telnyx/telnyxsim"
)

// maxPerKind bounds the faults of each kind. More would only make a rehearsal longer.
const maxPerKind = 20

// Faults is how many calls fail, by kind.
type Faults struct {
	// Limited are answered 429, Failed 500, Gateway 502 with an HTML page.
	Limited, Failed, Gateway int
	// Unanswered take effect but get no answer. Cut have no effect and no answer.
	Unanswered, Cut int
}

// maxLimited bounds the answers 429: each halves Greenlight's rate for ten seconds.
const maxLimited = 3

// FaultsFor returns the faults of a bad day for a number of phone numbers.
func FaultsFor(numbers int) Faults {
	oneIn := func(n int) int { return min(max(numbers/n, 1), maxPerKind) }
	return Faults{
		Limited: min(oneIn(50), maxLimited), Failed: oneIn(25), Gateway: oneIn(50), Unanswered: oneIn(20), Cut: oneIn(50),
	}
}

// Inject makes calls to a simulated Telnyx fail from now on: every third of each kind,
// until there have been as many as given.
func Inject(sim *telnyxsim.Simulator, f Faults) {
	every := func(*http.Request) bool { return true }
	for _, kind := range []struct {
		match func(*http.Request) bool
		times int
		kind  telnyxsim.FaultKind
	}{
		// Without rate limit headers, which Greenlight would obey for long.
		{every, f.Limited, telnyxsim.StatusFault(http.StatusTooManyRequests, `{"errors":[{"code":"10011","title":"Too many requests"}]}`)},
		{every, f.Failed, telnyxsim.StatusFault(http.StatusInternalServerError, `{"errors":[{"code":"10007","title":"Unexpected error"}]}`)},
		{Attaches, f.Unanswered, telnyxsim.EffectThenLost()},
		{Attaches, f.Cut, telnyxsim.Reset()},
		{every, f.Gateway, telnyxsim.HTML502()},
	} {
		if kind.times > 0 {
			sim.Inject(telnyxsim.Fault{Match: oneInThree(kind.match), Times: kind.times, Kind: kind.kind})
		}
	}
}

// oneInThree matches the first matching request and then every third. The simulator calls
// it for one request at a time.
func oneInThree(match func(*http.Request) bool) func(*http.Request) bool {
	seen := 0
	return func(r *http.Request) bool {
		if !match(r) {
			return false
		}
		seen++
		return seen%3 == 1
	}
}

// Attaches reports whether a request would put a number, or those of a messaging profile,
// on a campaign.
func Attaches(r *http.Request) bool {
	return (r.Method == http.MethodPost || r.Method == http.MethodPut) && strings.HasPrefix(r.URL.Path, "/v2/10dlc/phone")
}
