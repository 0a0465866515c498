package status

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// jsonAge is how old what the records do not say may be in /status.json, so that many who
// ask at once share one answer of NATS.
const jsonAge = time.Second

// readTimeout bounds how long a request waits, after the process has started, until the
// whole ledger is read.
const readTimeout = 15 * time.Second

// checkTimeout bounds the readiness checks, which run concurrently. Most probes give up
// after a second and count that as a failure.
const checkTimeout = 900 * time.Millisecond

// Role is a job of a process; greenlight up has both.
type Role string

// The roles. A webhook that can store events is ready, whatever state the assigner is in.
const (
	RoleWebhook  Role = "webhook"
	RoleAssigner Role = "assigner"
)

// Check is a readiness check.
type Check struct {
	// Name is a word or two, for example "webhook".
	Name string
	// Role is the role that needs it. Empty means every role.
	Role Role
	// Ready returns nil, or an error that says what is wrong. A nil Ready always succeeds.
	Ready func(context.Context) error
	// Says returns the text of a check that succeeds. Nil means "ok".
	Says func(context.Context) string
	// Advisory means that a failure is shown, but does not make the process not ready.
	Advisory bool
}

// Config configures the private listener.
type Config struct {
	// Page serves /status and everything under it. Nil means no page.
	Page http.Handler
	// Guard decides about access. The zero value allows requests to a loopback host.
	Guard Guard

	// View has ledger and streams. Required.
	View *View
	// Checks decide about readiness.
	Checks []Check
	// Metrics are served under /metrics. Required.
	Metrics prometheus.Gatherer
}

// Handler returns the private routes: /status, /status.json, /healthz, /readyz and
// /metrics. They show campaign ids and phone numbers, so [Config.Guard] protects them.
func Handler(c Config) http.Handler {
	routes := http.NewServeMux()
	routes.Handle("GET /{$}", http.RedirectHandler("/status", http.StatusFound))
	routes.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"status": "ok"}, "")
	})
	routes.HandleFunc("GET /readyz", c.ready)
	routes.Handle("GET /metrics", promhttp.HandlerFor(c.Metrics, promhttp.HandlerOpts{}))
	routes.HandleFunc("GET /status.json", c.json)
	if c.Page != nil {
		routes.Handle("/status", c.Page)
		routes.Handle("/status/", c.Page)
	}
	return c.Guard.protect(routes)
}

// answer writes a value as JSON. An error means that the client has disconnected.
func answer(w http.ResponseWriter, code int, value any, indent string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", indent)
	_ = encoder.Encode(value)
}

// readiness is the body of /readyz.
type readiness struct {
	Status string            `json:"status"`
	Checks map[string]string `json:"checks"`
	// Roles says whether each role of the process is ready. CheckRoles has the role that
	// needs a check; checks that every role needs are not in it.
	Roles      map[Role]string `json:"roles,omitempty"`
	CheckRoles map[string]Role `json:"check_roles,omitempty"`
	// Failing lists the names of the checks that fail, since the text of one that
	// succeeds may be longer than "ok".
	Failing []string `json:"failing,omitempty"`
}

// roles returns the roles of the process.
func (c Config) roles() map[Role]bool {
	roles := make(map[Role]bool)
	for _, check := range c.Checks {
		if check.Role != "" {
			roles[check.Role] = true
		}
	}
	return roles
}

const (
	ready    = "ready"
	notReady = "not ready"
)

// ready answers whether the process can do the job of the role in the query. By default
// that is the webhook's, if the process has it: a load balancer asks whether deliveries
// can be stored, and a refused API key must not stop them.
func (c Config) ready(w http.ResponseWriter, r *http.Request) {
	roles := c.roles()
	asked := Role(r.URL.Query().Get("role"))
	if asked != "" && !roles[asked] {
		answer(w, http.StatusNotFound, map[string]string{"message": "this process does not have that role; omit the role parameter"}, "")
		return
	}
	if asked == "" && roles[RoleWebhook] {
		asked = RoleWebhook
	}
	bounded, cancel := context.WithTimeout(r.Context(), checkTimeout)
	defer cancel()
	texts, failed := make([]string, len(c.Checks)), make([]bool, len(c.Checks))
	var checking sync.WaitGroup
	for i, check := range c.Checks {
		checking.Go(func() { texts[i], failed[i] = check.run(bounded) })
	}
	checking.Wait()
	result, code := readiness{Status: ready, Checks: map[string]string{}, Roles: map[Role]string{}, CheckRoles: map[string]Role{}}, http.StatusOK
	for role := range roles {
		result.Roles[role] = ready
	}
	mayRead := c.Guard.mayRead(r)
	for i, check := range c.Checks {
		switch {
		case mayRead:
			result.Checks[check.Name] = texts[i]
		case failed[i]:
			result.Checks[check.Name] = "not ok"
		default:
			result.Checks[check.Name] = "ok"
		}
		if failed[i] {
			result.Failing = append(result.Failing, check.Name)
		}
		if check.Role != "" {
			result.CheckRoles[check.Name] = check.Role
		}
		if !failed[i] || check.Advisory {
			continue
		}
		for role := range roles {
			if check.appliesTo(role) {
				result.Roles[role] = notReady
			}
		}
		if check.appliesTo(asked) {
			result.Status, code = notReady, http.StatusServiceUnavailable
		}
	}
	slices.Sort(result.Failing)
	answer(w, code, result, "  ")
}

// appliesTo reports whether a role needs the check. Without a role every check applies.
func (c Check) appliesTo(role Role) bool { return role == "" || c.Role == "" || c.Role == role }

// Err returns an error that says what is wrong, or nil.
func (c Check) Err(ctx context.Context) error {
	if c.Ready == nil {
		return nil
	}
	return c.Ready(ctx)
}

// run returns the text of a check, and whether it failed.
func (c Check) run(ctx context.Context) (text string, failed bool) {
	if err := c.Err(ctx); err != nil {
		return err.Error(), true
	}
	if c.Says != nil {
		return c.Says(ctx), false
	}
	return "ok", false
}

// json serves the whole view.
func (c Config) json(w http.ResponseWriter, r *http.Request) {
	bounded, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	c.View.Refresh(bounded, jsonAge)
	unreachable := ""
	c.View.Read(func(x *Contents) { unreachable = x.Unreachable })
	if unreachable == "" && !c.View.AwaitLoaded(bounded) {
		unreachable = "NATS has not answered yet"
	}
	if unreachable != "" {
		answer(w, http.StatusServiceUnavailable, map[string]string{"message": "the ledger cannot be read: " + unreachable}, "")
		return
	}
	// Not indented by default: with many numbers, blanks would be a third of it.
	indent := ""
	if r.URL.Query().Has("pretty") {
		indent = "  "
	}
	answer(w, http.StatusOK, c.View.Snapshot(time.Now()), indent)
}
