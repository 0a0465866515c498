package rehearsal

import (
	"net/http"
	"strings"
	"time"

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

// FaultsFor returns what a bad day does to the calls about so many numbers.
func FaultsFor(numbers int) Faults {
	some := func(one int) int { return min(max(numbers/one, 1), most) }
	return Faults{Limited: some(50), Failed: some(25), Gateway: some(50), Unanswered: some(20), Cut: some(50)}
}

// Spoil makes the next calls to a simulated Telnyx go wrong.
func Spoil(sim *telnyxsim.Simulator, f Faults) {
	sim.Inject(telnyxsim.Fault{Kind: telnyxsim.RateLimited(time.Second), Times: f.Limited})
	sim.Inject(telnyxsim.Fault{
		Kind:  telnyxsim.StatusFault(http.StatusInternalServerError, `{"errors":[{"code":"10007","title":"Unexpected error"}]}`),
		Times: f.Failed,
	})
	sim.Inject(telnyxsim.Fault{Match: Attaches, Kind: telnyxsim.EffectThenLost(), Times: f.Unanswered})
	sim.Inject(telnyxsim.Fault{Match: Attaches, Kind: telnyxsim.Reset(), Times: f.Cut})
	sim.Inject(telnyxsim.Fault{Kind: telnyxsim.HTML502(), Times: f.Gateway})
}

// Attaches reports whether a request asks for a number, or for all of a messaging
// profile, to be put on a campaign.
func Attaches(r *http.Request) bool {
	return (r.Method == http.MethodPost || r.Method == http.MethodPut) && strings.HasPrefix(r.URL.Path, "/v2/10dlc/phone")
}
