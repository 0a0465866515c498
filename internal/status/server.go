package status

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"

	"greenlight/internal/logging"
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
	// Log gets what goes wrong. The zero value logs nothing.
	Log zerolog.Logger
}

// Handler returns the private routes: /status, /status.json, /healthz, /readyz
// and /metrics. They show campaign ids and phone numbers, so they are behind
// [Config.Guard].
func Handler(c Config) http.Handler {
	e := echo.New()
	e.HideBanner = true
	e.HTTPErrorHandler = func(err error, ctx echo.Context) {
		if _, routing := errors.AsType[*echo.HTTPError](err); !routing {
			c.Log.Error().Err(err).Str(logging.KeyPath, ctx.Request().URL.Path).Msg("this is a mistake in Greenlight, please report it")
		}
		e.DefaultHTTPErrorHandler(err, ctx)
	}
	e.GET("/", func(ctx echo.Context) error { return ctx.Redirect(http.StatusFound, "/status") })
	e.GET("/healthz", func(ctx echo.Context) error { return ctx.JSON(http.StatusOK, map[string]string{"status": "ok"}) })
	e.GET("/readyz", c.ready)
	e.GET("/metrics", echo.WrapHandler(promhttp.HandlerFor(c.Metrics, promhttp.HandlerOpts{})))
	e.GET("/status.json", c.json)
	if c.Page != nil {
		e.Any("/status", echo.WrapHandler(c.Page))
		e.Any("/status/*", echo.WrapHandler(c.Page))
	}
	return c.Guard.protect(e)
}

// readiness is the body of /readyz.
type readiness struct {
	Status string            `json:"status"`
	Checks map[string]string `json:"checks"`
}

func (c Config) ready(ctx echo.Context) error {
	bounded, cancel := context.WithTimeout(ctx.Request().Context(), checkTimeout)
	defer cancel()
	texts, wrong := make([]string, len(c.Checks)), make([]bool, len(c.Checks))
	var checking sync.WaitGroup
	for i, check := range c.Checks {
		checking.Go(func() { texts[i], wrong[i] = check.look(bounded) })
	}
	checking.Wait()
	answer, code := readiness{Status: "ready", Checks: map[string]string{}}, http.StatusOK
	told := c.Guard.mayRead(ctx.Request())
	for i, check := range c.Checks {
		switch {
		case told:
			answer.Checks[check.Name] = texts[i]
		case wrong[i]:
			answer.Checks[check.Name] = "not ok"
		default:
			answer.Checks[check.Name] = "ok"
		}
		if wrong[i] && !check.Advisory {
			answer.Status, code = "not ready", http.StatusServiceUnavailable
		}
	}
	return ctx.JSONPretty(code, answer, "  ")
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

func (c Config) snapshot(ctx echo.Context) (Snapshot, error) {
	bounded, cancel := context.WithTimeout(ctx.Request().Context(), readTimeout)
	defer cancel()
	s, err := Read(bounded, c.JetStream, time.Now())
	if err != nil {
		return s, echo.NewHTTPError(http.StatusServiceUnavailable, "the ledger cannot be read: "+err.Error())
	}
	return s, nil
}

func (c Config) json(ctx echo.Context) error {
	s, err := c.snapshot(ctx)
	if err != nil {
		return err
	}
	// Without blanks, which are a third of it where there are many numbers; echo writes
	// them for who asks for ?pretty.
	return ctx.JSON(http.StatusOK, s)
}
