package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/tidwall/gjson"
	"golang.org/x/sync/errgroup"

	"greenlight/internal/app"
	"greenlight/internal/events"
	"greenlight/internal/plan"
	"greenlight/internal/rehearsal"
	"greenlight/internal/status"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

type simulatorCommand struct {
	Addr       string        `default:"127.0.0.1:12111" placeholder:"HOST:PORT" help:"Address to listen on (${default}). Any API key is accepted, so keep it on this machine."`
	From       string        `default:"config/plans" placeholder:"PATH" help:"Plan folder or file with the account's campaigns and numbers (${default})."`
	WebhookURL string        `name:"webhook-url" default:"http://127.0.0.1:8080/webhooks/telnyx" placeholder:"URL" help:"Webhook for notifications (${default}, the default of greenlight up), or none."`
	KeyFile    string        `placeholder:"FILE" help:"File with the test key for signing; created if it does not exist. Default: a new key for each run."`
	Review     time.Duration `default:"5s" placeholder:"DURATION" help:"Pause before each of the four steps to approval (${default})."`
	Manual     bool          `help:"Approve no campaign automatically."`
	Assign     time.Duration `default:"3s" placeholder:"DURATION" help:"Time from a request to attach a number until it is ASSIGNED (${default})."`
	Mapping    time.Duration `default:"2s" placeholder:"DURATION" help:"Time from ASSIGNED to the carrier mappings (${default})."`
	Retry      time.Duration `default:"30s" placeholder:"DURATION" help:"Pause between the five attempts of a delivery (${default}, as at Telnyx)."`
	RateLimit  int           `default:"0" placeholder:"N" help:"Calls per second before 429, 0 for no limit (${default})."`
	Dialect    []string      `placeholder:"NAME,…" help:"Answer according to other readings of Telnyx's pages. Of two that conflict, the later one applies."`
	Dialects   bool          `help:"List the dialects and exit."`
	Quiet      bool          `help:"Do not log deliveries and changes."`
}

// Help is what kong prints under the command's own help.
func (c *simulatorCommand) Help() string {
	return "Serves the part of Telnyx's 10DLC API that Greenlight and Telnyx's SDKs use, under /v2 and from memory.\n" +
		"Its account has every campaign and number in the plans. Campaigns pass through review to approval. Signed\n" +
		"notifications are posted like Telnyx's: five attempts, two seconds each. The behavior has not been compared\n" +
		"with a live account. To change a campaign, use its plan's name or its id:\n\n" +
		"  curl -X POST http://127.0.0.1:12111/simulator/campaigns/spring-promo/approve\n\n" +
		"The steps:\n" + text.WrapSoft(strings.Join(rehearsal.Steps(), " "), helpWidth) + "\n\n" +
		"  curl http://127.0.0.1:12111/simulator        shows the state of every campaign\n\n" +
		"Telnyx's pages contradict each other and leave much open. --dialect selects readings other than the OpenAPI\n" +
		"description's. --dialects lists them: contradicted (pages differ), seen (by customers) and undocumented."
}

// Run serves until it is stopped.
func (c *simulatorCommand) Run(ctx context.Context, out output) error {
	if c.Dialects {
		t := status.NewTable()
		for _, d := range telnyxsim.Dialects() {
			t.AppendRow(table.Row{d.Name, d.Source, d.Summary})
		}
		_, err := fmt.Fprintln(out.Stdout, t.Render())
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	dialect, err := telnyxsim.ParseDialect(c.Dialect...)
	if err != nil {
		return fmt.Errorf("--dialect: %w", err)
	}
	set, err := plan.Load(c.From)
	if err != nil {
		return err
	}
	key, _, err := testKey(c.KeyFile)
	if err != nil {
		return err
	}
	listener, err := app.Listen(c.Addr)
	if err != nil {
		return fmt.Errorf("%w; use another address with --addr", err)
	}
	log := &lineLog{w: out.Stderr, now: time.Now}
	options := telnyxsim.Options{
		SigningKey: key, AssignDelay: c.Assign, MappingDelay: c.Mapping, RetryInterval: c.Retry,
		RateLimit: c.RateLimit, Dialect: dialect,
	}
	if !c.Quiet {
		options.DeliveryTransport = &deliveryLogger{next: &http.Transport{MaxIdleConnsPerHost: 16}, log: log}
	}
	sim := telnyxsim.New(options)
	defer sim.Close()
	seeding := rehearsal.Seeding{WebhookURL: c.WebhookURL}
	if c.WebhookURL == "none" {
		seeding.WebhookURL = ""
	}
	account := rehearsal.Seed(sim, set, seeding)
	c.introduce(out.Stdout, sim, set, account, listener.Addr().String())

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return app.Serve(ctx, listener, c.logWrites(rehearsal.NewControl(sim, set, account), log))
	})
	if !c.Manual {
		for _, id := range account.Campaigns {
			group.Go(func() error { return c.review(ctx, sim, id) })
		}
	}
	return group.Wait()
}

func (c *simulatorCommand) check() error {
	if _, ok := webURL(c.WebhookURL); !ok && c.WebhookURL != "none" {
		return fmt.Errorf("--webhook-url: %q is not a URL; use a form like http://127.0.0.1:8080/webhooks/telnyx, or none", c.WebhookURL)
	}
	return nil
}

// review takes a campaign from submission to approval.
func (c *simulatorCommand) review(ctx context.Context, sim *telnyxsim.Simulator, id string) error {
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(c.Review):
	}
	if err := sim.Walk(ctx, id, c.Review); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// introduce prints what the account holds and how to use it with Greenlight.
func (c *simulatorCommand) introduce(w io.Writer, sim *telnyxsim.Simulator, set *plan.Set, account *rehearsal.Account, addr string) {
	fmt.Fprintf(w, "A simulated Telnyx with the plans at %s: %s, %s.\n\n", status.Harmless(c.From),
		status.Count(len(set.Campaigns), "campaign"), status.Count(account.Numbers, "number"))
	fmt.Fprintf(w, "To use it, run Greenlight in another terminal:\n\n")
	data := filepath.Join(os.TempDir(), fmt.Sprint("greenlight-simulated-", os.Getpid()))
	for _, line := range []string{
		fmt.Sprintf("TELNYX_BASE_URL=http://%s/v2", addr),
		"TELNYX_API_KEY=simulated", // any key is accepted
		"TELNYX_PUBLIC_KEY=" + sim.PublicKey(),
		"PLANS=" + shellWord(c.From),
	} {
		fmt.Fprintf(w, "  export %s\n", line)
	}
	fmt.Fprintf(w, "  greenlight up --data %s\n\n", shellWord(data))
	fmt.Fprintf(w, "To watch it, run in a third one:\n\n  greenlight status --watch --data %s\n\n", shellWord(data))
	if c.WebhookURL == "none" {
		fmt.Fprintf(w, "No notifications are posted.\n")
	} else {
		fmt.Fprintf(w, "Notifications go to %s\n", status.Harmless(c.WebhookURL))
	}
	if c.Manual {
		fmt.Fprintf(w, "No campaign is approved automatically. To approve one:\n\n")
	} else {
		fmt.Fprintf(w, "Campaigns are approved in %s. To approve one at any time:\n\n", status.Span(4*c.Review))
	}
	name := "NAME"
	if len(set.Campaigns) > 0 {
		name = url.PathEscape(set.Campaigns[0].Name)
	}
	fmt.Fprintf(w, "  curl -X POST http://%s%s/campaigns/%s/approve\n\nStop it with Ctrl-C.\n", addr, rehearsal.ControlPath, name)
}

// shellWord quotes a word for a shell if it needs it.
func shellWord(word string) string {
	for _, r := range word {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./", r) {
			return "'" + strings.ReplaceAll(status.Harmless(word), "'", `'\''`) + "'"
		}
	}
	return word
}

// logWrites logs each request other than GET.
func (c *simulatorCommand) logWrites(next http.Handler, log *lineLog) http.Handler {
	if c.Quiet {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			next.ServeHTTP(w, r)
			return
		}
		recorder := &statusRecorder{ResponseWriter: w}
		next.ServeHTTP(recorder, r)
		log.printf("call", "%s %s: %d", r.Method, r.URL.Path, recorder.status)
	})
}

// statusRecorder records the status of an answer.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (w *statusRecorder) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap returns the underlying writer, for [http.ResponseController].
func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// deliveryLogger logs each attempt to deliver a notification.
type deliveryLogger struct {
	next http.RoundTripper
	log  *lineLog
}

// RoundTrip makes one attempt.
func (l *deliveryLogger) RoundTrip(request *http.Request) (*http.Response, error) {
	what := "?"
	if request.GetBody != nil {
		if body, err := request.GetBody(); err == nil {
			posted, _ := io.ReadAll(body) // reads from memory
			parsed, _ := telnyx.ParseEvent(posted)
			kind, result, about := describeEvent(events.PastEvent{Type: parsed.Type, About: parsed.Payload.CampaignID, Body: posted})
			what = fmt.Sprintf("%s %s, attempt %d", strings.TrimSpace(kind+" "+result), about, gjson.GetBytes(posted, "meta.attempt").Int())
		}
	}
	response, err := l.next.RoundTrip(request)
	if err != nil {
		l.log.printf("event", "%s: no answer", what)
		return nil, err
	}
	l.log.printf("event", "%s: %d", what, response.StatusCode)
	return response, nil
}

// maxLine bounds a log line, in characters.
const maxLine = 300

// lineLog writes lines with the time. It is safe for concurrent use.
type lineLog struct {
	mu  sync.Mutex
	w   io.Writer
	now func() time.Time
}

func (l *lineLog) printf(kind, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.w, "%s  %-5s  %s\n", l.now().Format("15:04:05"), kind, status.Plain(fmt.Sprintf(format, args...), maxLine))
}
