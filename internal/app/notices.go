package app

import (
	"context"

	"greenlight/internal/notice"
)

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
