package process

import (
	"context"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/logging"
	"greenlight/internal/monitoring"
	"greenlight/internal/notice"
)

// recount is how long to wait before the ledger is counted anew after its watch broke.
const recount = 5 * time.Second

// addTally keeps counts of what the ledger holds for as long as the process runs.
func (p *Process) addTally(ctx context.Context) error {
	book, err := ledger.Open(ctx, p.js)
	if err != nil {
		return err
	}
	log := p.log.With().Str(logging.KeyPart, "status").Logger()
	var tally ledger.Tally
	p.registry.MustRegister(monitoring.NewBook(&tally))
	p.add("tally", func(ctx context.Context) error {
		for {
			err := tally.Follow(ctx, book)
			if err != nil {
				log.Warn().Err(err).Msg("the ledger is counted anew, since it could not be followed")
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(recount):
			}
		}
	})
	return nil
}

// AddNotices adds what takes notices to a receiver; nil if there is none. Add it after
// the assigner, which makes their stream and stops before it.
func (p *Process) AddNotices(ctx context.Context, receiver notice.Receiver) error {
	if receiver == nil {
		return nil
	}
	sender, err := notice.NewSender(ctx, p.js, receiver, p.log, p.registry)
	if err != nil {
		return err
	}
	p.add("notices", sender.Run)
	return nil
}

// monitor registers the metrics about everything else than the parts' own work.
func (p *Process) monitor() {
	p.registry.MustRegister(monitoring.NewStreams(p.js), monitoring.NewReadiness(p.checks))
}
