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

// readTimeout bounds how long a reader waits until all of the ledger was read, after the
// process has started.
const readTimeout = 15 * time.Second

// checkTimeout bounds each check of readiness, which are made at the same time: who
// asks mostly gives up after a second, and takes no answer for a bad one.
const checkTimeout = 900 * time.Millisecond

// Role is a job that a process has; greenlight up has both.
type Role string

// The roles. A webhook that can store events is ready, whatever state the assigner is in.
const (
	RoleWebhook  Role = "webhook"
	RoleAssigner Role = "assigner"
)

// Check is one thing that this process needs for its job.
type Check struct {
	// Name is a word or two, such as "webhook".
	Name string
	// Role is the role that needs it. Empty means every role.
	Role Role
	// Ready returns nil, or a sentence that says what is wrong. Nil finds nothing wrong.
	Ready func(context.Context) error
	// Says returns what is shown when nothing is wrong. Nil shows "ok".
	Says func(context.Context) string
	// Advisory says that the process does its job all the same: the sentence is
	// shown, and the process stays ready.
	Advisory bool
}

// Config is what the private listener shows, and to whom.
type Config struct {
	// Page answers /status and everything under it. Nil has none.
	Page http.Handler
	// Guard decides who may read. The zero value lets in who calls this machine by a
	// name of its own.
	Guard Guard

	// View has ledger and streams. Required.
	View *View
	// Checks decide on readiness.
	Checks []Check
	// Metrics are served under /metrics. Required.
	Metrics prometheus.Gatherer
}

// Handler returns the private routes: /status, /status.json, /healthz, /readyz
// and /metrics. They show campaign ids and phone numbers, so they are behind
// [Config.Guard].
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

// answer writes the value as JSON. What can go wrong is that the reader has hung up.
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
	// Roles says of each role of the process whether it is ready, and CheckRoles whose job
	// needs a check; those that are not there are needed by every role.
	Roles      map[Role]string `json:"roles,omitempty"`
	CheckRoles map[string]Role `json:"check_roles,omitempty"`
	// Failing names those of the checks that found something wrong, by name: what is
	// well says more than "ok" of itself, so its words do not tell it.
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

// ready answers whether the process can do the job of the role in the query. Without one
// that is the webhook's in a process that has it: a load balancer asks whether deliveries
// can be stored, and a refused API key must not take the front door away.
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
	texts, wrong := make([]string, len(c.Checks)), make([]bool, len(c.Checks))
	var checking sync.WaitGroup
	for i, check := range c.Checks {
		checking.Go(func() { texts[i], wrong[i] = check.look(bounded) })
	}
	checking.Wait()
	says, code := readiness{Status: ready, Checks: map[string]string{}, Roles: map[Role]string{}, CheckRoles: map[string]Role{}}, http.StatusOK
	for role := range roles {
		says.Roles[role] = ready
	}
	told := c.Guard.mayRead(r)
	for i, check := range c.Checks {
		switch {
		case told:
			says.Checks[check.Name] = texts[i]
		case wrong[i]:
			says.Checks[check.Name] = "not ok"
		default:
			says.Checks[check.Name] = "ok"
		}
		if wrong[i] {
			says.Failing = append(says.Failing, check.Name)
		}
		if check.Role != "" {
			says.CheckRoles[check.Name] = check.Role
		}
		if !wrong[i] || check.Advisory {
			continue
		}
		for role := range roles {
			if check.concerns(role) {
				says.Roles[role] = notReady
			}
		}
		if check.concerns(asked) {
			says.Status, code = notReady, http.StatusServiceUnavailable
		}
	}
	slices.Sort(says.Failing)
	answer(w, code, says, "  ")
}

// concerns reports whether the role's job needs the check. Every check applies when no
// role is given.
func (c Check) concerns(role Role) bool { return role == "" || c.Role == "" || c.Role == role }

// Err returns a sentence that says what is wrong, or nil.
func (c Check) Err(ctx context.Context) error {
	if c.Ready == nil {
		return nil
	}
	return c.Ready(ctx)
}

// look returns what is shown of a check, and whether something is wrong.
func (c Check) look(ctx context.Context) (text string, wrong bool) {
	if err := c.Err(ctx); err != nil {
		return err.Error(), true
	}
	if c.Says != nil {
		return c.Says(ctx), false
	}
	return "ok", false
}

// json answers with all that the view knows.
func (c Config) json(w http.ResponseWriter, r *http.Request) {
	bounded, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	c.View.Refresh(bounded, 0)
	unreachable := ""
	c.View.Read(func(x *Contents) { unreachable = x.Unreachable })
	if unreachable == "" && !c.View.AwaitLoaded(bounded) {
		unreachable = "NATS has not answered yet"
	}
	if unreachable != "" {
		answer(w, http.StatusServiceUnavailable, map[string]string{"message": "the ledger cannot be read: " + unreachable}, "")
		return
	}
	// Without blanks, which are a third of it where there are many numbers; who wants
	// them asks for ?pretty.
	indent := ""
	if r.URL.Query().Has("pretty") {
		indent = "  "
	}
	answer(w, http.StatusOK, c.View.Snapshot(time.Now()), indent)
}
