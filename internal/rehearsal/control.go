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

// ControlPath is the path of [Control], beside the API under /v2.
const ControlPath = "/simulator"

// Control lets a person change campaigns of a simulated Telnyx:
//
//	GET  /simulator                              the status of every campaign
//	POST /simulator/campaigns/{name}/{step}      makes a step, see [Steps]
//
// A campaign is named by its plan's name or any of its ids. The query parameter reason
// sets the reason of a rejection.
type Control struct {
	sim   *telnyxsim.Simulator
	mux   *http.ServeMux
	plans []string          // names in plans, sorted
	names map[string]string // names and ids in plans to the id at Telnyx
}

// steps are the changes of a campaign. Telnyx sends an event for each but the last.
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
	"end-soon":          step((*telnyxsim.Simulator).EndSoon),
}

func step(do func(*telnyxsim.Simulator, string) error) func(*telnyxsim.Simulator, string, string) error {
	return func(s *telnyxsim.Simulator, id, _ string) error { return do(s, id) }
}

// Steps returns the names of the steps, sorted.
func Steps() []string { return slices.Sorted(maps.Keys(steps)) }

// NewControl returns the control of a simulator that [Seed] has filled with a set.
func NewControl(sim *telnyxsim.Simulator, set *plan.Set, account *Account) *Control {
	c := &Control{sim: sim, names: map[string]string{}, mux: http.NewServeMux()}
	for i, planned := range set.Campaigns {
		c.plans = append(c.plans, planned.Name)
		c.names[planned.ID()], c.names[planned.Name] = account.Campaigns[i], account.Campaigns[i]
	}
	c.mux.HandleFunc("GET "+ControlPath, c.list)
	c.mux.HandleFunc("POST "+ControlPath+"/campaigns/{name}/{step}", c.move)
	return c
}

// ServeHTTP serves the control, and the API under every other path.
func (c *Control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == ControlPath || strings.HasPrefix(r.URL.Path, ControlPath+"/") {
		c.mux.ServeHTTP(w, r)
		return
	}
	c.sim.ServeHTTP(w, r)
}

// campaignStatus is the JSON form of a campaign's status.
type campaignStatus struct {
	Name           string `json:"name"`
	CampaignID     string `json:"campaign_id"`
	CampaignStatus string `json:"campaign_status"`
}

func (c *Control) status(name string) (campaignStatus, bool) {
	id, known := c.names[name]
	if !known {
		id = name
	}
	campaign, found := c.sim.Campaign(id)
	return campaignStatus{name, id, string(campaign.CampaignStatus)}, found
}

func (c *Control) list(w http.ResponseWriter, _ *http.Request) {
	campaigns := []campaignStatus{}
	for _, name := range c.plans {
		status, _ := c.status(name)
		campaigns = append(campaigns, status)
	}
	answer(w, http.StatusOK, map[string]any{"campaigns": campaigns, "steps": Steps()})
}

func (c *Control) move(w http.ResponseWriter, r *http.Request) {
	do, known := steps[r.PathValue("step")]
	if !known {
		refuse(w, http.StatusNotFound, fmt.Sprintf("unknown step %.100q; the steps are %s", r.PathValue("step"), strings.Join(Steps(), ", ")))
		return
	}
	campaign, found := c.status(r.PathValue("name"))
	if !found {
		refuse(w, http.StatusNotFound, fmt.Sprintf("unknown campaign %.100q; GET %s lists the campaigns", r.PathValue("name"), ControlPath))
		return
	}
	reason := r.URL.Query().Get("reason")
	if reason == "" {
		reason = "the samples are unclear"
	}
	if err := do(c.sim, campaign.CampaignID, reason); err != nil {
		status := http.StatusInternalServerError
		if errors.Is(err, telnyxsim.ErrUnknown) {
			status = http.StatusNotFound
		}
		refuse(w, status, err.Error())
		return
	}
	campaign, _ = c.status(r.PathValue("name"))
	answer(w, http.StatusOK, campaign)
}

func refuse(w http.ResponseWriter, status int, why string) {
	answer(w, status, map[string]string{"error": why})
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(value) // an error means that the client has disconnected
}
