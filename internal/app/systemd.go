package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"greenlight/internal/status"
)

const (
	// startPoll is how often readiness is checked until systemd has been notified of it.
	startPoll = 200 * time.Millisecond
	// statusPoll is how often it is checked afterwards, without a watchdog.
	statusPoll = 10 * time.Second
	// readyTimeout bounds one check of readiness.
	readyTimeout = 5 * time.Second
)

// notify reports readiness to systemd until ctx ends, as sd_notify(3) describes: READY=1
// once the process takes deliveries, STATUS= in a sentence whenever that changes, WATCHDOG=1
// each time that all checks have answered, and STOPPING=1 at the end. So systemd restarts a
// process in which a check hangs. It does not restart one that is unready: a full disk, an
// expired certificate or a restore would only become a loop of restarts. A process without a
// webhook is ready when all its roles are. Without NOTIFY_SOCKET nothing happens.
func (p *Process) notify(ctx context.Context) {
	if sent, err := daemon.SdNotify(false, "STATUS=Starting."); !sent {
		if err != nil {
			p.log.Warn().Err(err).Msg("systemd cannot be notified, so it will stop this process")
		}
		return
	}
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		p.log.Warn().Err(err).Msg("systemd's watchdog cannot be used")
	}
	poll, timeout, started, said := startPoll, readyTimeout, false, ""
	for {
		ready, says := p.readiness(ctx, timeout)
		if ctx.Err() != nil {
			break
		}
		var states []string
		if says != said {
			states, said = append(states, "STATUS="+says), says
		}
		if ready && !started {
			states, started = append(states, daemon.SdNotifyReady), true
			if poll = statusPoll; watchdog > 0 {
				poll, timeout = min(watchdog/3, statusPoll), min(watchdog/3, readyTimeout)
			}
		}
		if started && watchdog > 0 {
			states = append(states, daemon.SdNotifyWatchdog)
		}
		p.send(states...)
		select {
		case <-ctx.Done():
		case <-time.After(poll):
		}
	}
	p.send(daemon.SdNotifyStopping, "STATUS=Stopping.")
}

func (p *Process) send(states ...string) {
	if len(states) == 0 {
		return
	}
	if _, err := daemon.SdNotify(false, strings.Join(states, "\n")); err != nil {
		p.log.Warn().Err(err).Msg("systemd could not be notified")
	}
}

// readiness returns whether the process does its job, as /readyz without a role reports it,
// and a sentence about that.
func (p *Process) readiness(ctx context.Context, timeout time.Duration) (ready bool, says string) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	webhook := slices.ContainsFunc(p.checks, func(c status.Check) bool { return c.Role == status.RoleWebhook })
	says = "Ready."
	for _, check := range p.checks {
		if check.Advisory {
			continue
		}
		err := check.Err(ctx)
		switch {
		case err == nil:
		case webhook && check.Role == status.RoleAssigner:
			says = "Accepts deliveries, but the assigner is not ready: " + err.Error()
		default:
			return false, oneLine("Not ready: " + check.Name + ": " + err.Error())
		}
	}
	return true, oneLine(says)
}

// oneLine puts the lines of an error on one, since a line break would end the state.
func oneLine(text string) string { return strings.ReplaceAll(text, "\n", "; ") }
