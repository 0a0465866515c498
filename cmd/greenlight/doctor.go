package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"greenlight/internal/app"
	"greenlight/internal/doctor"
	"greenlight/internal/events"
	"greenlight/internal/events/embedded"
)

// doctorTimeout bounds all that doctor asks of others.
const doctorTimeout = 45 * time.Second

type doctorCommand struct {
	JSON          bool   `help:"Print JSON."`
	Plans         string `name:"plans" env:"PLANS" default:"config/plans" placeholder:"PATH" help:"Plan file, or folder of plan files (${default})."`
	Monitor       string `name:"nats-monitor" env:"NATS_MONITOR" placeholder:"URL" help:"Monitoring address of the NATS server, such as http://localhost:8222, that tells whether it syncs always; one for each server of a cluster, with commas."`
	PublicKey     string `name:"telnyx-public-key" env:"TELNYX_PUBLIC_KEY" placeholder:"KEY[,KEY]" help:"Public key that Telnyx's notifications are verified with." group:"Telnyx"`
	PublicKeyFile string `name:"telnyx-public-key-file" env:"TELNYX_PUBLIC_KEY_FILE" placeholder:"FILE" help:"File that holds the public key." group:"Telnyx"`
	app.Telnyx    `group:"Telnyx"`
	where
}

// Help is what kong prints under the command's own help.
func (c *doctorCommand) Help() string {
	return `Looks at NATS (at NATS_URL or, without it, of a greenlight up on the same data folder), Telnyx, keys and plans,
and says what a 200 means here. Give it the settings of webhook and assigner. It changes nothing: rights are found out
by requests that the server must refuse, speed is measured in a stream of its own that is deleted again, and of
Telnyx the beginning of some lists is read. How Telnyx understands requests, as far as that showed, is in the report.

Each finding has a level: ok; unknown, if it could not be found out from here; warn; fail. Ends with:
  0  nothing to mend
  1  could not look at NATS (the rest is told all the same), or a flag cannot be read
  2  something is unknown or warns
  3  something fails`
}

// Run looks and tells.
func (c *doctorCommand) Run(ctx context.Context, out output) error {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	report := doctor.NewReport(time.Now())
	looked := c.lookAtNATS(ctx, report)
	report.Add(doctor.Plans(c.Plans))
	c.lookAtKeys(report)
	c.lookAtTelnyx(ctx, report)
	if err := c.write(out.Stdout, report); err != nil {
		return err
	}
	if code := doctorCode(looked, report.Worst); code != 0 {
		return &app.ExitCode{Code: code} // the findings are the message
	}
	return nil
}

// doctorCode is what doctor ends with; looked says that there was a NATS server to
// look at.
func doctorCode(looked bool, worst doctor.Level) int {
	switch {
	case !looked:
		return 1
	case worst == doctor.Fail:
		return 3
	case worst != doctor.OK:
		return 2
	}
	return 0
}

// lookAtNATS reports whether there was a server to look at.
func (c *doctorCommand) lookAtNATS(ctx context.Context, report *doctor.Report) bool {
	var faults app.Faults
	nc := c.ConnectOrFind(&faults, c.Data, "greenlight doctor")
	if nc == nil {
		for _, fault := range faults {
			report.Add(notThere(fault))
		}
		return len(faults) == 1 && errors.Is(faults[0], events.ErrServerTooOld)
	}
	defer nc.Close()
	place := doctor.NATS{Conn: nc, Monitors: strings.FieldsFunc(c.Monitor, func(r rune) bool { return r == ',' || r == ' ' })}
	place.Embedded, place.Syncs = embedded.Recognize(nc)
	if place.Embedded {
		place.Health = embedded.AskHealth
	}
	if place.Embedded && c.URL == "" && c.URLFile == "" {
		place.Dir = c.Data.Dir
	}
	place.Look(ctx, report)
	return true
}

func notThere(err error) doctor.Finding {
	if errors.Is(err, events.ErrServerTooOld) {
		cause, _ := errors.AsType[*app.Fault](err)
		return doctor.Finding{
			Check: doctor.CheckVersion, Level: doctor.Fail, Says: sentence("The NATS server cannot be used: " + cause.Err.Error()),
			Mend: "Upgrade the server (https://github.com/nats-io/nats-server/releases).",
		}
	}
	f := ofSetting(doctor.CheckNATS, err)
	f.Says = "NATS could not be looked at. " + f.Says
	return f
}

func (c *doctorCommand) lookAtKeys(report *doctor.Report) {
	if c.PublicKey == "" && c.PublicKeyFile == "" {
		report.Add(doctor.Finding{
			Check: doctor.CheckPublicKey, Level: doctor.Unknown,
			Says: "TELNYX_PUBLIC_KEY is not set here, so it was not looked at.", Mend: "Set it as the webhook has it, and run this again.",
		})
		return
	}
	var faults app.Faults
	keys := app.Webhook{PublicKey: c.PublicKey, PublicKeyFile: c.PublicKeyFile}.Keys(&faults)
	for _, fault := range faults {
		report.Add(ofSetting(doctor.CheckPublicKey, fault))
	}
	if len(faults) == 0 {
		report.Add(doctor.PublicKeys(keys))
	}
}

func (c *doctorCommand) lookAtTelnyx(ctx context.Context, report *doctor.Report) {
	if c.APIKey == "" && c.APIKeyFile == "" {
		report.Add(doctor.Finding{
			Check: doctor.CheckTelnyx, Level: doctor.Unknown,
			Says: "TELNYX_API_KEY is not set here, so Telnyx was not asked.", Mend: "Set it as the assigner has it, and run this again.",
		})
		return
	}
	var faults app.Faults
	client, _ := c.ReadOnlyClient(&faults)
	for _, fault := range faults {
		report.Add(ofSetting(doctor.CheckTelnyx, fault))
	}
	if len(faults) > 0 {
		return
	}
	findings := doctor.Telnyx(ctx, client)
	report.Add(findings...)
	if findings[0].Level == doctor.OK {
		report.Learned = append(report.Learned, doctor.Learn(ctx, client)...)
	}
}

// ofSetting is the finding about a setting that cannot be used.
func ofSetting(check doctor.Check, err error) doctor.Finding {
	f := doctor.Finding{Check: check, Level: doctor.Fail, Says: sentence(err.Error())}
	if fault, ok := errors.AsType[*app.Fault](err); ok {
		f.Says, f.Mend = fault.Says(), fault.Mend
	}
	return f
}

func sentence(text string) string { return strings.TrimRight(text, ". ") + "." }

func (c *doctorCommand) write(w io.Writer, report *doctor.Report) error {
	if !c.JSON {
		return report.WriteText(w)
	}
	return writeJSON(w, report)
}
