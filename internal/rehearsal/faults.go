package rehearsal

import (
	"net/http"
	"strings"

	"greenlight/internal/telnyx/telnyxsim"
)

// most bounds how many calls of a kind go wrong, however many there are: after that
// many the day would only be longer, not worse.
const most = 20

// Faults says how many calls of each kind [Spoil] makes go wrong.
type Faults struct {
	// Limited are answered 429, Failed 500, Gateway 502 with a page of HTML.
	Limited, Failed, Gateway int
	// Unanswered take effect and get no answer; Cut do neither.
	Unanswered, Cut int
}

// mostLimited bounds those that are answered 429: each halves Greenlight's pace, which
// takes ten seconds to come back.
const mostLimited = 3

// FaultsFor returns what a bad day does to the calls about so many numbers.
func FaultsFor(numbers int) Faults {
	some := func(one int) int { return min(max(numbers/one, 1), most) }
	return Faults{
		Limited: min(some(50), mostLimited), Failed: some(25), Gateway: some(50), Unanswered: some(20), Cut: some(50),
	}
}

// Spoil makes calls to a simulated Telnyx go wrong from now on: of each kind one in a
// few, until as many have gone wrong as there should.
func Spoil(sim *telnyxsim.Simulator, f Faults) {
	every := func(*http.Request) bool { return true }
	for _, kind := range []struct {
		fits  func(*http.Request) bool
		times int
		kind  telnyxsim.FaultKind
	}{
		// Without headers that tell a limit: Greenlight would keep to that for long.
		{every, f.Limited, telnyxsim.StatusFault(http.StatusTooManyRequests, `{"errors":[{"code":"10011","title":"Too many requests"}]}`)},
		{every, f.Failed, telnyxsim.StatusFault(http.StatusInternalServerError, `{"errors":[{"code":"10007","title":"Unexpected error"}]}`)},
		{Attaches, f.Unanswered, telnyxsim.EffectThenLost()},
		{Attaches, f.Cut, telnyxsim.Reset()},
		{every, f.Gateway, telnyxsim.HTML502()},
	} {
		if kind.times > 0 {
			sim.Inject(telnyxsim.Fault{Match: oneInThree(kind.fits), Times: kind.times, Kind: kind.kind})
		}
	}
}

// oneInThree picks the first of the requests that fit, and then every third. The
// simulator calls it for one request at a time.
func oneInThree(fits func(*http.Request) bool) func(*http.Request) bool {
	seen := 0
	return func(r *http.Request) bool {
		if !fits(r) {
			return false
		}
		seen++
		return seen%3 == 1
	}
}

// Attaches reports whether a request asks for a number, or for all of a messaging
// profile, to be put on a campaign.
func Attaches(r *http.Request) bool {
	return (r.Method == http.MethodPost || r.Method == http.MethodPut) && strings.HasPrefix(r.URL.Path, "/v2/10dlc/phone")
}
