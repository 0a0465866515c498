package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"greenlight/config"
	"greenlight/internal/app"
	"greenlight/internal/assigner"
	"greenlight/internal/httpserve"
	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
	"greenlight/internal/webhook"
)

// The demo's times. Telnyx takes days for a review and minutes to hours for a
// number; the order of events is the same.
const (
	demoReviewStep   = 700 * time.Millisecond
	demoAssignDelay  = 800 * time.Millisecond
	demoMappingDelay = 700 * time.Millisecond
	demoMappingGap   = 300 * time.Millisecond
	demoDeadline     = time.Minute
	// demoRate is faster than Telnyx's own hint, since nobody is disturbed.
	demoRate = 20
	// demoProfile is the messaging profile of the demo's numbers.
	demoProfile = "4001776e-0000-4000-8000-000000000001"
)

type demoCommand struct {
	Keep  bool   `help:"Leave everything running at the end, to look at the status page."`
	Plans string `placeholder:"PATH" help:"Rehearse this plan folder or file."`
	Chaos bool   `help:"Rehearse a bad day: lost and late deliveries, errors, a crash, NATS away."`
}

// Help is what kong prints under the command's own help.
func (c *demoCommand) Help() string {
	return `Starts NATS, the webhook, the assigner and a simulated Telnyx in a temporary folder, on free ports of
this machine. It stages config/plan.example.yaml; the simulated carriers approve its campaign, and Telnyx
posts the signed notification that makes Greenlight attach the numbers. Nothing leaves this machine.

With --plans it rehearses your own plans: every campaign and number in them exists in the simulated account,
and a checker goes through the simulator's own log. With --chaos the day is a bad one. It ends with 0 only if
every number is as the plan wants, or needs a person for a reason that the rehearsal put there, and nothing
was stolen, lost or written twice.`
}

// Run shows the whole way once. It returns nil when every number is sendable.
func (c *demoCommand) Run(ctx context.Context, out output) (err error) {
	if c.Plans != "" || c.Chaos {
		return c.rehearse(ctx, out)
	}
	set, err := plan.LoadBytes("config/plan.example.yaml", config.ExamplePlan)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "greenlight-demo-")
	if err != nil {
		return err
	}
	d := demo{set: set, dir: dir, keep: c.Keep, out: out.Stdout}
	if err := d.run(ctx); err != nil {
		return fmt.Errorf("%w\nThe log of the demo is kept: %s", err, d.logPath())
	}
	return os.RemoveAll(dir)
}

// demo is one run of the demo.
type demo struct {
	set  *plan.Set
	dir  string
	keep bool
	out  io.Writer
}

func (d demo) logPath() string { return filepath.Join(d.dir, logName) }

func (d demo) run(ctx context.Context) error {
	log, logFile, err := logTo(d.logPath())
	if err != nil {
		return err
	}
	defer logFile.Close()
	listeners, err := listenAll(3)
	if err != nil {
		return err
	}
	api, public, private := listeners[0], listeners[1], listeners[2]
	sim := telnyxsim.New(telnyxsim.Options{
		AssignDelay: demoAssignDelay, MappingDelay: demoMappingDelay, MappingGap: demoMappingGap,
		RetryInterval: 2 * time.Second,
	})
	defer sim.Close()
	d.seed(sim, public.Addr())
	verifier, err := verifierFor(sim)
	if err != nil {
		return err
	}
	site := site{
		dir:     filepath.Join(d.dir, "data"),
		webhook: webhook.Config{Verifier: verifier},
		assigner: assigner.Config{
			Telnyx: &telnyx.Client{
				APIKey:  "demo-key",
				BaseURL: fmt.Sprintf("http://%s/v2", api.Addr()),
				Limiter: telnyx.NewLimiter(telnyx.LimiterConfig{Ceiling: demoRate, Concurrency: 8}),
			},
			Plans: func() *plan.Set { return d.set },
		},
		log: log,
	}
	d.introduce(private.Addr())

	// The demo is over when the show is; then everything else is stopped.
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return httpserve.Serve(ctx, api, sim) })
	group.Go(func() error {
		return site.run(ctx, public, private, func(nc *nats.Conn) {
			group.Go(func() error {
				defer stop()
				return d.show(ctx, nc, sim)
			})
		})
	})
	return group.Wait()
}

func (d demo) introduce(status net.Addr) {
	fmt.Fprintf(d.out, "NATS, webhook and assigner run in this process, beside a simulated Telnyx.\n")
	fmt.Fprintf(d.out, "Plan:        config/plan.example.yaml, %d numbers\n", d.planned())
	fmt.Fprintf(d.out, "Status page: http://%s/status\n\n", status)
}

func (d demo) planned() int {
	total := 0
	for _, c := range d.set.Campaigns {
		total += len(c.Numbers)
	}
	return total
}

// seed gives the simulated Telnyx the plan's campaigns and numbers, with
// notifications to our own webhook.
func (d demo) seed(sim *telnyxsim.Simulator, webhookAddr net.Addr) {
	brand := sim.AddBrand(telnyxsim.Brand{})
	for _, c := range d.set.Campaigns {
		sim.AddCampaign(telnyxsim.Campaign{
			ID: string(c.CampaignID), TCRID: string(c.TCRCampaignID), BrandID: brand.ID,
			CampaignStatus: telnyx.CampaignTCRPending,
			WebhookURL:     fmt.Sprintf("http://%s%s", webhookAddr, webhook.Path),
		})
		for _, number := range c.Numbers {
			sim.AddNumbers(telnyxsim.Number{PhoneNumber: string(number), MessagingProfileID: demoProfile})
		}
	}
}

// show waits until every number is staged, has the carriers approve, and draws
// what happens until every number is sendable.
func (d demo) show(ctx context.Context, nc *nats.Conn, sim *telnyxsim.Simulator) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	book, err := ledger.Open(ctx, js)
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeoutCause(ctx, demoDeadline, errDemoSlow)
	defer cancel()
	board := newBoard(d.out, d.planned())
	err = board.follow(bounded, book, func() error { return d.approve(bounded, sim, board) })
	if err != nil {
		return err
	}
	board.finish()
	if d.keep {
		fmt.Fprintln(d.out, "Still running; stop it with Ctrl-C.")
		<-ctx.Done()
		return nil
	}
	fmt.Fprintln(d.out, "Run it with --keep to look at the status page.")
	return nil
}

var errDemoSlow = fmt.Errorf("not every number was sendable within %s", demoDeadline)

// approve takes each campaign through registration and review.
func (d demo) approve(ctx context.Context, sim *telnyxsim.Simulator, board *board) error {
	board.say("The numbers are staged. Telnyx and the carriers review the campaign…")
	for _, c := range d.set.Campaigns {
		if err := sim.Walk(ctx, c.ID(), demoReviewStep); err != nil {
			return fmt.Errorf("approve campaign %s: %w", c.ID(), err)
		}
	}
	board.say("Approved! Telnyx posts a signed VERIFIED notification to the webhook.")
	return nil
}

// logName is the log of a demo or a rehearsal, in its folder.
const logName = "greenlight.log"

// logTo makes a log file, which the caller closes.
func logTo(path string) (zerolog.Logger, io.Closer, error) {
	file, err := os.Create(path)
	if err != nil {
		return zerolog.Nop(), nil, err
	}
	log, err := app.NewLogger(file, "info", app.FormatJSON)
	return log, file, err // the level and the format are fit, so there is no error
}

func verifierFor(sim *telnyxsim.Simulator) (*telnyx.Verifier, error) {
	key, err := telnyx.ParsePublicKey(sim.PublicKey())
	if err != nil {
		return nil, err
	}
	return telnyx.NewVerifier([]telnyx.PublicKey{key}, time.Now)
}

// listenAll opens n free ports of this machine.
func listenAll(n int) ([]net.Listener, error) {
	var listeners []net.Listener
	for range n {
		listener, err := httpserve.Listen("127.0.0.1:0")
		if err != nil {
			for _, open := range listeners {
				err = errors.Join(err, open.Close())
			}
			return nil, err
		}
		listeners = append(listeners, listener)
	}
	return listeners, nil
}
