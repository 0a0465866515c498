package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/sync/errgroup"

	"greenlight/internal/app"
	"greenlight/internal/events"
	"greenlight/internal/plan"
	"greenlight/internal/rehearsal"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/words"
)

type simulatorCommand struct {
	Addr       string        `default:"127.0.0.1:12111" placeholder:"HOST:PORT" help:"Where to listen (${default}). Any API key is taken, so keep it on this machine."`
	From       string        `default:"config/plans" placeholder:"PATH" help:"Plan folder or file whose campaigns and numbers the account has (${default})."`
	WebhookURL string        `name:"webhook-url" default:"http://127.0.0.1:8080/webhooks/telnyx" placeholder:"URL" help:"Where notifications are posted (${default}, where greenlight up listens); none: nowhere."`
	KeyFile    string        `placeholder:"FILE" help:"File with the test key that signs; made if it is not there. Without it a new key signs."`
	Review     time.Duration `default:"5s" placeholder:"DURATION" help:"Pause before each of the four steps to approval (${default})."`
	ByHand     bool          `help:"Review nothing: campaigns move when told to."`
	Assign     time.Duration `default:"3s" placeholder:"DURATION" help:"From a request to attach a number to ASSIGNED (${default})."`
	Mapping    time.Duration `default:"2s" placeholder:"DURATION" help:"From ASSIGNED to the carriers' mappings (${default})."`
	Retry      time.Duration `default:"30s" placeholder:"DURATION" help:"Between the five attempts of a delivery (${default}, as Telnyx)."`
	RateLimit  int           `default:"0" placeholder:"N" help:"Calls a second before 429; 0: no limit (${default})."`
	Dialect    []string      `placeholder:"NAME,…" help:"Answer as other readings of Telnyx's pages have it; of two that differ in one point the later counts."`
	Dialects   bool          `help:"List the dialects and end."`
	Quiet      bool          `help:"Print no line for each delivery and each change."`
}

// Help is what kong prints under the command's own help.
func (c *simulatorCommand) Help() string {
	return "Serves Telnyx's API for 10DLC under /v2, as far as Greenlight and Telnyx's own SDKs use it, out of memory.\n" +
		"Its account has every campaign and number that the plans name. Campaigns go through review to approval, and\n" +
		"signed notifications are posted as Telnyx posts them: five attempts, two seconds each. Nothing here was\n" +
		"compared with a live account. Move a campaign by hand, by its plan's name or its id:\n\n" +
		"  curl -X POST http://127.0.0.1:12111/simulator/campaigns/spring-promo/approve\n\n" +
		"and likewise\n" + text.WrapSoft(strings.Join(rehearsal.Steps(), " "), helpWidth) + "\n\n" +
		"  curl http://127.0.0.1:12111/simulator        shows the state of every campaign\n\n" +
		"Telnyx's pages contradict each other and leave much open. --dialect takes other readings than the OpenAPI\n" +
		"description's, which --dialects lists: contradicted (pages differ), seen (by customers) and undocumented."
}

// Run serves until it is told to stop.
func (c *simulatorCommand) Run(ctx context.Context, out output) error {
	if c.Dialects {
		return listDialects(out.Stdout)
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
		return fmt.Errorf("%w; name another address with --addr", err)
	}
	log := &lines{w: out.Stderr, now: time.Now}
	options := telnyxsim.Options{
		SigningKey: key, AssignDelay: c.Assign, MappingDelay: c.Mapping, RetryInterval: c.Retry,
		RateLimit: c.RateLimit, Dialect: dialect,
	}
	if !c.Quiet {
		options.DeliveryTransport = &loudRoad{next: &http.Transport{MaxIdleConnsPerHost: 16}, log: log}
	}
	sim := telnyxsim.New(options)
	defer sim.Close()
	how := rehearsal.Seeding{WebhookURL: c.WebhookURL}
	if c.WebhookURL == "none" {
		how.WebhookURL = ""
	}
	account := rehearsal.Seed(sim, set, how)
	c.introduce(out.Stdout, sim, set, account, listener.Addr().String())

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return app.Serve(ctx, listener, c.loud(rehearsal.NewDesk(sim, set, account), log))
	})
	if !c.ByHand {
		for _, id := range account.Campaigns {
			group.Go(func() error { return c.review(ctx, sim, id) })
		}
	}
	return group.Wait()
}

// listDialects prints the dialects, a line each.
func listDialects(w io.Writer) error {
	lines := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, d := range telnyxsim.Dialects() {
		fmt.Fprintf(lines, "%s\t%s\t%s\n", d.Name, d.Source, d.Summary)
	}
	return lines.Flush()
}

func (c *simulatorCommand) check() error {
	var errs []error
	if c.WebhookURL != "none" {
		to, err := url.Parse(c.WebhookURL)
		if err != nil || to.Host == "" || to.Scheme != "http" && to.Scheme != "https" {
			errs = append(errs, fmt.Errorf("--webhook-url: %q is not a URL; write it like http://127.0.0.1:8080/webhooks/telnyx, or none", c.WebhookURL))
		}
	}
	if min(c.Review, c.Assign, c.Mapping, c.Retry) < 0 || c.RateLimit < 0 {
		errs = append(errs, errors.New("durations and --rate-limit cannot be negative"))
	}
	return errors.Join(errs...)
}

// review takes a campaign from its filing to approval.
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

// introduce tells what there is and how to point Greenlight at it.
func (c *simulatorCommand) introduce(w io.Writer, sim *telnyxsim.Simulator, set *plan.Set, account *rehearsal.Account, addr string) {
	fmt.Fprintf(w, "A simulated Telnyx with what %s names: %s, %s.\n\n", printable(c.From),
		words.Count(len(set.Campaigns), "campaign"), words.Count(account.Numbers, "number"))
	fmt.Fprintf(w, "Point Greenlight at it, in another terminal:\n\n")
	for _, line := range []string{
		fmt.Sprintf("TELNYX_BASE_URL=http://%s/v2", addr),
		"TELNYX_API_KEY=simulated", // any is taken
		"TELNYX_PUBLIC_KEY=" + sim.PublicKey(),
		"PLANS=" + shellWord(c.From),
	} {
		fmt.Fprintf(w, "  export %s\n", line)
	}
	fmt.Fprintf(w, "  greenlight up --data \"$(mktemp -d)\"\n\n")
	switch {
	case c.WebhookURL == "none":
		fmt.Fprintf(w, "Notifications are posted nowhere.\n")
	default:
		fmt.Fprintf(w, "Notifications go to %s\n", printable(c.WebhookURL))
	}
	if c.ByHand {
		fmt.Fprintf(w, "Nothing is reviewed until you say so:\n\n")
	} else {
		fmt.Fprintf(w, "Campaigns are approved in %s. By hand, at any time:\n\n", 4*c.Review)
	}
	fmt.Fprintf(w, "  curl -X POST http://%s%s/campaigns/%s/approve\n\nStop it with Ctrl-C.\n", addr, rehearsal.DeskPath, firstName(set))
}

// firstName is the plan's name of a campaign, to show how it is done.
func firstName(set *plan.Set) string {
	if len(set.Campaigns) == 0 {
		return "NAME"
	}
	return url.PathEscape(set.Campaigns[0].Name)
}

// shellWord quotes a word for a shell if it needs it.
func shellWord(word string) string {
	for _, r := range word {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./", r) {
			return "'" + strings.ReplaceAll(printable(word), "'", `'\''`) + "'"
		}
	}
	return word
}

// loud prints a line for each request for a change.
func (c *simulatorCommand) loud(next http.Handler, log *lines) http.Handler {
	if c.Quiet {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			next.ServeHTTP(w, r)
			return
		}
		heard := &heardWriter{ResponseWriter: w}
		next.ServeHTTP(heard, r)
		log.printf("call   %s %s: %d", r.Method, r.URL.Path, heard.status)
	})
}

// heardWriter remembers the status of an answer.
type heardWriter struct {
	http.ResponseWriter
	status int
}

func (w *heardWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap gives [http.ResponseController] the writer below.
func (w *heardWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// loudRoad prints a line for each attempt to deliver.
type loudRoad struct {
	next http.RoundTripper
	log  *lines
}

// RoundTrip carries an attempt.
func (l *loudRoad) RoundTrip(request *http.Request) (*http.Response, error) {
	what := "?"
	if request.GetBody != nil {
		if body, err := request.GetBody(); err == nil {
			posted, _ := io.ReadAll(body) // it is in memory
			told, _ := telnyx.ParseEvent(posted)
			words := wordsOf(events.PastEvent{Type: told.Type, About: told.Payload.CampaignID, Body: posted})
			what = fmt.Sprintf("%s %s, attempt %d", words.what(), words.about, told.Attempt)
		}
	}
	response, err := l.next.RoundTrip(request)
	if err != nil {
		l.log.printf("event  %s: no answer", what)
		return nil, err
	}
	l.log.printf("event  %s: %d", what, response.StatusCode)
	return response, nil
}

// maxLine bounds a line about something that another program sent.
const maxLine = 300

// lines writes lines with the time, one at a time.
type lines struct {
	mu  sync.Mutex
	w   io.Writer
	now func() time.Time
}

func (l *lines) printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.w, "%s  %s\n", l.now().Format("15:04:05"), bounded(fmt.Sprintf(format, args...), maxLine))
}
