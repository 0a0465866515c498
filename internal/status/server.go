package status

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// readTimeout bounds reading everything: a hundred thousand numbers take four seconds
// on a machine that is busy.
const readTimeout = 15 * time.Second

// checkTimeout bounds each check of readiness, which are made at the same time: who
// asks mostly gives up after a second, and takes no answer for a bad one.
const checkTimeout = 900 * time.Millisecond

// Check is one thing that this process needs for its job.
type Check struct {
	// Name is a word or two, such as "webhook".
	Name string
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

	// JetStream has ledger and streams. Required.
	JetStream jetstream.JetStream
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
	// Failing names those of the checks that found something wrong, by name: what is
	// well says more than "ok" of itself, so its words do not tell it.
	Failing []string `json:"failing,omitempty"`
}

func (c Config) ready(w http.ResponseWriter, r *http.Request) {
	bounded, cancel := context.WithTimeout(r.Context(), checkTimeout)
	defer cancel()
	texts, wrong := make([]string, len(c.Checks)), make([]bool, len(c.Checks))
	var checking sync.WaitGroup
	for i, check := range c.Checks {
		checking.Go(func() { texts[i], wrong[i] = check.look(bounded) })
	}
	checking.Wait()
	says, code := readiness{Status: "ready", Checks: map[string]string{}}, http.StatusOK
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
		if wrong[i] && !check.Advisory {
			says.Status, code = "not ready", http.StatusServiceUnavailable
		}
	}
	slices.Sort(says.Failing)
	answer(w, code, says, "  ")
}

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

// json answers with all that [Read] knows.
func (c Config) json(w http.ResponseWriter, r *http.Request) {
	bounded, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	s, err := Read(bounded, c.JetStream, time.Now())
	if err != nil {
		answer(w, http.StatusServiceUnavailable, map[string]string{"message": "the ledger cannot be read: " + err.Error()}, "")
		return
	}
	// Without blanks, which are a third of it where there are many numbers; who wants
	// them asks for ?pretty.
	indent := ""
	if r.URL.Query().Has("pretty") {
		indent = "  "
	}
	answer(w, http.StatusOK, s, indent)
}
