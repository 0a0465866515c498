package rehearsal

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"greenlight/internal/plan"
	"greenlight/internal/telnyx/telnyxsim"
)

// DeskPath is where the [Desk] is, beside the API under /v2.
const DeskPath = "/simulator"

// Desk lets a person move campaigns of a simulated Telnyx by hand:
//
//	GET  /simulator                              where every campaign stands
//	POST /simulator/campaigns/{name}/{step}      a step, see [Steps]
//
// A campaign goes by its plan's name or by any of its ids. A refusal's reason may be
// given as the query's reason.
type Desk struct {
	sim   *telnyxsim.Simulator
	mux   *http.ServeMux
	plans []string          // the plans' names, sorted
	names map[string]string // these, and the ids in plans, to the id at Telnyx
}

// steps are what can happen to a campaign, each with the event that Telnyx sends.
var steps = map[string]func(s *telnyxsim.Simulator, id, reason string) error{
	"submit":            step((*telnyxsim.Simulator).Submit),
	"telnyx-review":     step((*telnyxsim.Simulator).TelnyxReview),
	"mno-review":        step((*telnyxsim.Simulator).MNOReview),
	"approve":           step((*telnyxsim.Simulator).Approve),
	"fail-registration": (*telnyxsim.Simulator).FailRegistration,
	"reject":            (*telnyxsim.Simulator).Reject,
	"appeal":            step((*telnyxsim.Simulator).Appeal),
	"suspend":           step((*telnyxsim.Simulator).Suspend),
	"unsuspend":         step((*telnyxsim.Simulator).Unsuspend),
	"suspend-tmobile":   step((*telnyxsim.Simulator).SuspendTMobile),
	"unsuspend-tmobile": step((*telnyxsim.Simulator).UnsuspendTMobile),
	"expire":            step((*telnyxsim.Simulator).Expire),
	"dormant":           step((*telnyxsim.Simulator).MakeDormant),
}

func step(do func(*telnyxsim.Simulator, string) error) func(*telnyxsim.Simulator, string, string) error {
	return func(s *telnyxsim.Simulator, id, _ string) error { return do(s, id) }
}

// Steps returns the names of what can happen to a campaign, sorted.
func Steps() []string { return slices.Sorted(maps.Keys(steps)) }

// NewDesk returns the desk of a simulator that was filled by [Seed] with a set.
func NewDesk(sim *telnyxsim.Simulator, set *plan.Set, account *Account) *Desk {
	d := &Desk{sim: sim, names: map[string]string{}, mux: http.NewServeMux()}
	for i, c := range set.Campaigns {
		d.plans = append(d.plans, c.Name)
		d.names[c.ID()], d.names[c.Name] = account.Campaigns[i], account.Campaigns[i]
	}
	d.mux.HandleFunc("GET "+DeskPath, d.list)
	d.mux.HandleFunc("POST "+DeskPath+"/campaigns/{name}/{step}", d.move)
	return d
}

// ServeHTTP serves the desk, and the API under every other path.
func (d *Desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == DeskPath || strings.HasPrefix(r.URL.Path, DeskPath+"/") {
		d.mux.ServeHTTP(w, r)
		return
	}
	d.sim.ServeHTTP(w, r)
}

// standing is where a campaign stands.
type standing struct {
	Name           string `json:"name"`
	CampaignID     string `json:"campaign_id"`
	CampaignStatus string `json:"campaign_status"`
}

func (d *Desk) standing(name string) (standing, bool) {
	id, known := d.names[name]
	if !known {
		id = name
	}
	c, found := d.sim.Campaign(id)
	return standing{name, id, string(c.CampaignStatus)}, found
}

func (d *Desk) list(w http.ResponseWriter, _ *http.Request) {
	told := []standing{}
	for _, name := range d.plans {
		at, _ := d.standing(name)
		told = append(told, at)
	}
	answer(w, http.StatusOK, map[string]any{"campaigns": told, "steps": Steps()})
}

func (d *Desk) move(w http.ResponseWriter, r *http.Request) {
	do, known := steps[r.PathValue("step")]
	if !known {
		refuse(w, http.StatusNotFound, "there is no such step; there are "+strings.Join(Steps(), ", "))
		return
	}
	at, found := d.standing(r.PathValue("name"))
	if !found {
		refuse(w, http.StatusNotFound, fmt.Sprintf("no campaign is called %.100q; GET %s lists them", r.PathValue("name"), DeskPath))
		return
	}
	reason := r.URL.Query().Get("reason")
	if reason == "" {
		reason = "the samples are unclear"
	}
	if err := do(d.sim, at.CampaignID, reason); err != nil {
		status := http.StatusInternalServerError
		if errors.Is(err, telnyxsim.ErrUnknown) {
			status = http.StatusNotFound
		}
		refuse(w, status, err.Error())
		return
	}
	at, _ = d.standing(r.PathValue("name"))
	answer(w, http.StatusOK, at)
}

func refuse(w http.ResponseWriter, status int, why string) {
	answer(w, status, map[string]string{"error": why})
}

func answer(w http.ResponseWriter, status int, told any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(told) // a client that is gone has no use for it
}
