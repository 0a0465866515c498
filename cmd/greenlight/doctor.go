package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"greenlight/internal/app"
	"greenlight/internal/doctor"
	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
	"greenlight/internal/ledger"
	"greenlight/internal/notice"
	"greenlight/internal/telnyx"
)

// doctorTimeout bounds all checks together.
const doctorTimeout = 45 * time.Second

type doctorCommand struct {
	JSON          bool   `help:"Print JSON."`
	Plans         string `name:"plans" env:"PLANS" default:"config/plans" placeholder:"PATH" help:"Plan file, or folder of plan files (${default})."`
	Monitor       string `name:"nats-monitor" env:"NATS_MONITOR" placeholder:"URL" help:"Monitoring address of the NATS server, for example http://localhost:8222. It shows whether the server syncs always. For a cluster, one for each server, separated by commas."`
	PublicKey     string `name:"telnyx-public-key" env:"TELNYX_PUBLIC_KEY" placeholder:"KEY[,KEY]" help:"Public key that verifies Telnyx's notifications." group:"Telnyx"`
	PublicKeyFile string `name:"telnyx-public-key-file" env:"TELNYX_PUBLIC_KEY_FILE" placeholder:"FILE" help:"File with the public key." group:"Telnyx"`
	publicURL     `group:"Telnyx"`
	app.Telnyx    `group:"Telnyx"`
	where
	app.Replication `group:"Server"`
}

// Help is what kong prints under the command's own help.
func (c *doctorCommand) Help() string {
	return `Checks NATS, Telnyx, keys and plans, and says what a 200 means here. Use the settings of webhook and assigner. Without
NATS_URL, it checks the server of a greenlight up that runs on the same data folder.

The doctor changes nothing. It tests permissions with requests that the server must refuse, measures speed in a
temporary stream, and reads the beginning of some lists at Telnyx. The report says what a start of this version would
change in streams and buckets, and how Telnyx understands requests.

Each finding has a level: ok, unknown if it could not be checked from here, warn, or fail. Exits with
  0  if all checks are ok
  1  if NATS cannot be reached (the other checks still run), or a flag is wrong
  2  if something is unknown or warns
  3  if something fails`
}

// Run runs all checks and prints the report.
func (c *doctorCommand) Run(ctx context.Context, out output) error {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	report := doctor.NewReport(time.Now())
	reached := c.checkNATS(ctx, report)
	report.Add(doctor.Plans(c.Plans))
	c.checkKeys(report)
	c.checkTelnyx(ctx, report)
	var err error
	if c.JSON {
		err = writeJSON(out.Stdout, report)
	} else {
		err = report.WriteText(out.Stdout)
	}
	if err != nil {
		return err
	}
	if code := doctorCode(reached, report.Worst); code != 0 {
		return &app.ExitCode{Code: code} // the findings are the message
	}
	return nil
}

// doctorCode is the exit code. Reached is true if there was a NATS server to check.
func doctorCode(reached bool, worst doctor.Level) int {
	switch {
	case !reached:
		return 1
	case worst == doctor.Fail:
		return 3
	case worst != doctor.OK:
		return 2
	}
	return 0
}

// checkNATS reports whether there was a server to check.
func (c *doctorCommand) checkNATS(ctx context.Context, report *doctor.Report) bool {
	var faults app.Faults
	replicas := c.Copies(&faults)
	for _, fault := range faults {
		report.Add(notReached(fault))
	}
	faults = nil
	nc := c.ConnectOrFind(&faults, c.Data, "greenlight doctor")
	if nc == nil {
		for _, fault := range faults {
			report.Add(notReached(fault))
		}
		return len(faults) == 1 && errors.Is(faults[0], events.ErrServerTooOld)
	}
	defer nc.Close()
	settings := append(slices.Concat(events.Settings(), ledger.Settings()), notice.Settings())
	for i := range settings {
		settings[i].Replicas = replicas
	}
	server := doctor.NATS{Conn: nc, Settings: settings, Monitors: strings.FieldsFunc(c.Monitor, func(r rune) bool { return r == ',' || r == ' ' })}
	server.Embedded, server.Syncs = embedded.Recognize(nc)
	if server.Embedded {
		server.Health = embedded.AskHealth
	}
	if server.Embedded && c.URL == "" && c.URLFile == "" {
		server.Dir = c.Data.Dir
	}
	server.Check(ctx, report)
	return true
}

// notReached is the finding for a NATS server that cannot be used.
func notReached(err error) doctor.Finding {
	if errors.Is(err, events.ErrServerTooOld) {
		fault, _ := errors.AsType[*app.Fault](err)
		return doctor.Finding{
			Check: doctor.CheckVersion, Level: doctor.Fail, Message: sentence("The NATS server cannot be used: " + fault.Err.Error()),
			Fix: "Upgrade the server (https://github.com/nats-io/nats-server/releases).",
		}
	}
	f := badSetting(doctor.CheckNATS, err)
	f.Message = "NATS could not be checked. " + f.Message
	return f
}

func (c *doctorCommand) checkKeys(report *doctor.Report) {
	if c.PublicKey == "" && c.PublicKeyFile == "" {
		report.Add(doctor.Finding{
			Check: doctor.CheckPublicKey, Level: doctor.Unknown,
			Message: "TELNYX_PUBLIC_KEY is not set here, so it was not checked.", Fix: "Set it to the webhook's value, and run this again.",
		})
		return
	}
	var faults app.Faults
	keys := app.Webhook{PublicKey: c.PublicKey, PublicKeyFile: c.PublicKeyFile}.Keys(&faults)
	for _, fault := range faults {
		report.Add(badSetting(doctor.CheckPublicKey, fault))
	}
	if len(faults) == 0 {
		report.Add(doctor.PublicKeys(keys))
	}
}

func (c *doctorCommand) checkTelnyx(ctx context.Context, report *doctor.Report) {
	if c.APIKey == "" && c.APIKeyFile == "" {
		report.Add(doctor.Finding{
			Check: doctor.CheckTelnyx, Level: doctor.Unknown,
			Message: "TELNYX_API_KEY is not set here, so Telnyx was not checked.", Fix: "Set it to the assigner's value, and run this again.",
		})
		return
	}
	var faults app.Faults
	client, _ := c.ReadOnlyClient(&faults)
	for _, fault := range faults {
		report.Add(badSetting(doctor.CheckTelnyx, fault))
	}
	if len(faults) > 0 {
		return
	}
	findings := doctor.Telnyx(ctx, client)
	report.Add(findings...)
	if findings[0].Level == doctor.OK {
		c.checkWebhooks(ctx, report, client)
		report.Learned = append(report.Learned, doctor.Learn(ctx, client)...)
	}
}

const (
	// doctorCampaigns bounds the campaigns that are read, doctorAtOnce how many at once,
	// doctorPages the pages of Telnyx's log, and doctorReads the time for both.
	doctorCampaigns = 20
	doctorPages     = 4
	doctorAtOnce    = 4
	doctorReads     = 15 * time.Second
	// doctorBack is how far back the log is read.
	doctorBack = 24 * time.Hour
)

// checkWebhooks checks where Telnyx posts events, and whether they arrived.
func (c *doctorCommand) checkWebhooks(ctx context.Context, report *doctor.Report, client *telnyx.Client) {
	ctx, cancel := context.WithTimeout(ctx, doctorReads)
	defer cancel()
	// Plans with errors are reported elsewhere, and so are campaigns that Telnyx lacks.
	chosen, _ := c.plansInForce(ctx).choose(c.Plans, nil)
	unread := max(len(chosen)-doctorCampaigns, 0)
	if chosen, err := readChosen(ctx, client, doctorAtOnce, chosen[:len(chosen)-unread]); err == nil {
		var planned []doctor.Planned
		for _, read := range chosen {
			if read.err == nil {
				planned = append(planned, doctor.Planned{Plan: read.name, WebhookURL: read.campaign.WebhookURL, Wrong: webhookProblem(read.campaign, c.PublicURL)})
			}
		}
		if len(planned) > 0 {
			report.Add(doctor.WebhookURLs(planned, unread))
		}
	}
	since := time.Now().Add(-doctorBack)
	log, err := client.Deliveries(ctx, since, false, doctorPages)
	if err != nil {
		report.Add(doctor.Finding{Check: doctor.CheckDeliveries, Level: doctor.Unknown, Message: sentence("Telnyx's log of deliveries could not be read: " + err.Error())})
		return
	}
	report.Add(doctor.Deliveries(log.All, since))
}

// badSetting is the finding for a setting that cannot be used.
func badSetting(check doctor.Check, err error) doctor.Finding {
	f := doctor.Finding{Check: check, Level: doctor.Fail, Message: sentence(err.Error())}
	if fault, ok := errors.AsType[*app.Fault](err); ok {
		f.Message, f.Fix = fault.Says(), fault.Fix
	}
	return f
}

func sentence(text string) string { return strings.TrimRight(text, ". ") + "." }
