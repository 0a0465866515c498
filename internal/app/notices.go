package app

import (
	"context"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/notice"
	"greenlight/internal/telemetry"
)

// recount is how long to wait before the ledger is counted anew after its watch broke.
const recount = 5 * time.Second

// addTally keeps counts of what the ledger holds, once the assigner has made it, for
// as long as the process runs.
func (p *Process) addTally() {
	log := p.log.With().Str(telemetry.KeyPart, "status").Logger()
	var tally ledger.Tally
	p.registry.MustRegister(NewBook(&tally))
	p.add("tally", func(ctx context.Context) error {
		for p.joined.wait(ctx) {
			if err := p.follow(ctx, &tally); err != nil {
				log.Warn().Err(err).Msg("the ledger is counted anew, since it could not be followed")
			}
			select {
			case <-ctx.Done():
			case <-time.After(recount):
			}
		}
		return nil
	})
}

func (p *Process) follow(ctx context.Context, tally *ledger.Tally) error {
	book, err := ledger.Open(ctx, p.js)
	if err != nil {
		return err
	}
	return tally.Follow(ctx, book)
}

// AddNotices adds what takes notices to a receiver; nil if there is none. Add it after
// the assigner, which makes their stream and stops before it.
func (p *Process) AddNotices(ctx context.Context, receiver notice.Receiver) error {
	if receiver == nil {
		return nil
	}
	var sender *notice.Sender
	begin := newAttempt("take notices", makeTimeout, func(ctx context.Context) (err error) {
		sender, err = notice.NewSender(ctx, p.js, receiver, p.log, p.registry)
		return err
	})
	if p.joined.isDone() {
		if err := begin.once(ctx); err != nil && !p.awaits {
			return err
		}
	}
	p.objects.notifies = begin
	p.add("notices", func(ctx context.Context) error {
		if !p.joined.wait(ctx) || !begin.until(ctx, p.log) {
			return nil
		}
		return sender.Run(ctx)
	})
	return nil
}

// monitor registers the metrics about everything else than the parts' own work.
func (p *Process) monitor() {
	p.registry.MustRegister(NewStreams(p.js), NewReadiness(p.checks))
}
