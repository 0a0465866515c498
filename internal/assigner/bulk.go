package assigner

import (
	"context"
	"fmt"
	"time"

	"greenlight/internal/ledger"
	"greenlight/internal/logging"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

const (
	// bulkLeast is from how many numbers on a whole messaging profile is given to
	// Telnyx in one call: below, number by number is nearly as quick and leaves no
	// doubt.
	bulkLeast = 20
	// bulkMost is how long a task is followed that does not end.
	bulkMost = time.Hour
)

// isWholePool reports whether what is due is a messaging profile as a whole, so
// that one call may do it. That call takes whatever is on the profile, and nothing
// says that it spares numbers of other campaigns. So it is made only when the plan
// names the profile and nothing else, and the profile, read once more, holds
// nothing but long codes that are on this campaign already or due for it. Any
// doubt means number by number, as does a second time under the same entry.
func (p *pass) isWholePool(ctx context.Context, due []order, changes plan.Changes) (bool, error) {
	entry, _ := p.set.Find(p.key)
	if !p.stillPlanned() || entry.NumberPool == "" || len(entry.Numbers) > 0 || len(entry.MoveFrom) > 0 ||
		len(due) < bulkLeast || p.bulk.Entry == p.entryHash {
		return false, nil
	}
	fits := make(map[string]bool, len(changes))
	for _, change := range changes {
		fits[string(change.Number)] = change.Action == plan.Done || change.Action == plan.Wait
	}
	for _, o := range due {
		fits[string(o.number)] = !o.move && o.settings.MessagingProfileID == entry.NumberPool
	}
	rows, err := p.a.telnyx.ProfileNumberSettings(ctx, entry.NumberPool)
	if err != nil {
		return false, &readFailure{err}
	}
	for _, row := range rows {
		if !fits[row.PhoneNumber] || !row.Type.IsLongCode() {
			return false, nil
		}
	}
	return len(rows) > 0, nil
}

// attachPool has Telnyx attach a whole messaging profile. That it is about to, and
// each number's claim, are written down first, so that after a crash it is not
// asked again.
func (p *pass) attachPool(ctx context.Context, c telnyx.Campaign, due []order) error {
	free, err := p.unclaimedElsewhere(ctx, due)
	if err != nil || len(free) < len(due) {
		return err
	}
	p.bulk = ledger.Bulk{Entry: p.entryHash}
	if err := p.finish(ctx, p.recordOf(c, 0)); err != nil {
		return err
	}
	for _, o := range due {
		if err := p.claim(ctx, o.number); err != nil {
			return err
		}
	}
	ctx = context.WithoutCancel(ctx)
	request, cancel := context.WithTimeout(ctx, p.a.config.Settle*2/3)
	defer cancel()
	task, err := p.a.telnyx.AssignProfile(request, p.want.NumberPool, c)
	if err != nil {
		return p.refusedPool(ctx, due, err)
	}
	p.a.worked(writing)
	p.a.metrics.attached("bulk")
	p.a.log.Info().Str(logging.KeyCampaign, p.key).Str(logging.KeyPlan, p.want.Name).Int("numbers", len(due)).Str("task", task.TaskID).
		Msg("Telnyx attaches the whole messaging profile")
	p.bulk.Task, p.bulk.Since = task.TaskID, p.a.now().UTC().Round(0)
	p.lookAgain(p.bulk.Since.Add(turnWait))
	for _, o := range due {
		if err := p.leaveToTask(ctx, o.number); err != nil {
			return err
		}
	}
	return nil
}

// refusedPool writes down what came of a call for a whole profile that did not end
// in 2xx. It is not made again; what it did not do is done number by number.
func (p *pass) refusedPool(ctx context.Context, due []order, cause error) error {
	t := troubleOf(cause)
	p.a.metrics.attached(string(t.reason))
	p.a.log.Warn().Str(logging.KeyCampaign, p.key).Str(logging.KeyPlan, p.want.Name).Err(cause).
		Msg("Telnyx did not take the whole messaging profile; its numbers are attached one by one")
	for _, o := range due {
		err := p.put(ctx, o.number, func(n *ledger.Number) {
			n.Reason, n.Detail = t.reason, t.detail
			n.NextAt = p.a.now().Add(max(turnWait, t.atLeast))
			if !telnyx.EffectUnknown(cause) {
				p.release(n, ledger.Planned)
				n.Attempts--
			}
		})
		if err != nil {
			return err
		}
	}
	if t.verdict == telnyx.StopEverything {
		return p.a.stop(writing, t.reason, cause)
	}
	return nil
}

// followTask reads how far the task of an earlier pass is, and forgets it when it
// has ended.
func (p *pass) followTask(ctx context.Context) error {
	if p.bulk.Task == "" {
		return nil
	}
	task, err := p.a.telnyx.ProfileTask(ctx, p.bulk.Task)
	unknown := telnyx.IsNotFound(err)
	if err != nil && !unknown {
		return &readFailure{err}
	}
	if !unknown && !task.Status.Ended() && p.now.Sub(p.bulk.Since) < bulkMost {
		p.lookAgain(p.now.Add(max(p.now.Sub(p.bulk.Since)/2, turnWait)))
		return nil
	}
	p.a.log.Info().Str(logging.KeyCampaign, p.key).Str("task", p.bulk.Task).Str("status", string(task.Status)).
		Msg("the work on the whole messaging profile has ended or is given up; each number is checked")
	p.bulk.Task, p.bulk.Since = "", time.Time{}
	return nil
}

// isWithTask reports whether a number is left to the task that Telnyx works on.
func (p *pass) isWithTask(number plan.E164) bool {
	return p.bulk.Task != "" && !p.known(number).ClaimedAt.IsZero()
}

// leaveToTask writes down that a number waits for the task.
func (p *pass) leaveToTask(ctx context.Context, number plan.E164) error {
	p.unsettled++
	return p.put(ctx, number, func(n *ledger.Number) {
		p.enter(n, ledger.Pending)
		n.Detail = fmt.Sprintf("Telnyx works on the whole messaging profile (task %s)", p.bulk.Task)
	})
}
