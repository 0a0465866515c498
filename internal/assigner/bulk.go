package assigner

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

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
	// bulkUnknown is how long a task may last whose id was lost with the answer, in
	// terms of Config.Settle: five minutes by default.
	bulkUnknown = 10
	// claimsAtOnce is how many numbers are claimed at once.
	claimsAtOnce = 32
)

// isWholePool reports whether what is due is a messaging profile as a whole, so
// that one call may do it. That call takes whatever is on the profile, and nothing
// says that it spares numbers of other campaigns. So it is made only when the plan
// names the profile and nothing else, and the profile, read once more, holds
// nothing but long codes that are on this campaign already or due for it. Any
// doubt means number by number, as does a second time under the same entry.
func (p *pass) isWholePool(ctx context.Context, due []order, changes plan.Changes) (bool, error) {
	entry, _ := p.set.Find(p.key)
	if !p.isPlanned() || entry.NumberPool == "" || len(entry.Numbers) > 0 || len(entry.MoveFrom) > 0 ||
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
	p.readAt = p.a.now()
	return len(rows) > 0, nil
}

// attachPool has Telnyx attach a whole messaging profile. That it is about to, and
// each number's claim, are written down first, so that after a crash it is not
// asked again and no other campaign takes a number that the task may work on.
func (p *pass) attachPool(ctx context.Context, due []order) error {
	free, err := p.unclaimedElsewhere(ctx, due)
	if err != nil || len(free) < len(due) {
		return err
	}
	ctx, leave, err := p.a.telnyx.Turns.Enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	// The campaign once more: it took a while to read thousands of numbers.
	c, err := p.a.reader.Campaign(ctx, p.want)
	if err != nil {
		return &readFailure{err}
	}
	if phase, _ := PhaseOf(c); phase != ledger.Ready {
		p.lookAgain(p.a.now())
		return nil
	}
	if ctx, err = p.a.telnyx.Pacer.Reserve(ctx); err != nil {
		return err
	}
	if !p.isWanted() || p.isOld() {
		p.lookAgain(p.a.now()) // the next pass goes by what is now
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	// The request must end before the first claim may be taken for abandoned.
	request, cancel := context.WithTimeout(ctx, p.a.config.Settle*2/3)
	defer cancel()
	p.bulk = ledger.Bulk{Entry: p.entryHash, Since: p.a.now().UTC().Round(0)}
	if err := p.finish(ctx, p.recordOf(c, 0)); err != nil {
		return err
	}
	if err := p.claimAll(ctx, due, c.AssignmentID()); err != nil {
		return err
	}
	if !p.isWanted() {
		p.lookAgain(p.a.now())
		return p.unclaimAll(ctx, due, trouble{reason: ledger.BeingProcessed, detail: "the plan or the campaign has just changed"}, ledger.Unsent)
	}
	task, err := p.a.telnyx.AssignProfile(request, p.want.NumberPool, c)
	if err != nil {
		return p.refusedPool(ctx, due, err)
	}
	p.a.metrics.attached(bulkAccepted)
	p.a.log.Info().Str(logging.KeyCampaign, p.key).Str(logging.KeyPlan, p.want.Name).Int(logging.KeyNumbers, len(due)).Str(logging.KeyTask, task.TaskID).
		Msg("Telnyx attaches the whole messaging profile")
	p.bulk.Task = task.TaskID
	p.lookAgain(p.a.now().Add(turnWait))
	return p.finish(ctx, p.recordOf(c, 0))
}

// claimAll claims every number, several at a time, for as long as a task may last.
func (p *pass) claimAll(ctx context.Context, due []order, campaignID string) error {
	busyUntil := p.bulk.Since.Add(bulkMost)
	request := ledger.Request{Sent: sentPool, Campaign: campaignID}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(claimsAtOnce)
	for _, o := range due {
		group.Go(func() error { return p.claim(ctx, o.number, request, busyUntil) })
	}
	return group.Wait()
}

// refusedPool writes down what came of a call for a whole profile that did not end
// in 2xx. It is not made again; what it did not do is done number by number.
func (p *pass) refusedPool(ctx context.Context, due []order, cause error) error {
	t := troubleOf(cause)
	p.a.metrics.attached(string(t.reason))
	p.a.log.Warn().Str(logging.KeyCampaign, p.key).Str(logging.KeyPlan, p.want.Name).Err(cause).
		Msg("Telnyx did not take the whole messaging profile; its numbers are attached one by one")
	if err := p.unclaimAll(ctx, due, t, answerTo(cause)); err != nil {
		return err
	}
	if t.verdict == telnyx.StopEverything {
		return p.a.stop(t.reason, cause)
	}
	return nil
}

// unclaimAll ends the claims of a call that was not made or had no effect. If that
// is not certain the claims stay: nobody can ask for a task whose id was lost.
func (p *pass) unclaimAll(ctx context.Context, due []order, t trouble, outcome ledger.Outcome) error {
	if outcome == ledger.Unanswered {
		p.lookAgain(p.a.now().Add(turnWait))
		return nil
	}
	p.bulk.Since = time.Time{}
	for _, o := range due {
		err := p.put(ctx, o.number, func(n *ledger.Number) {
			n.Reason, n.Detail = t.reason, t.detail
			n.NextAt = p.a.now().Add(max(turnWait, t.atLeast))
			p.release(n, ledger.Planned)
			p.answered(n, outcome)
			n.Attempts--
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// followTask reads how far the task of an earlier pass is, and forgets it when it
// has ended, or has lasted too long to be waited for. A task whose id was lost with
// the answer cannot be asked for.
func (p *pass) followTask(ctx context.Context) error {
	if p.bulk.Since.IsZero() {
		return nil
	}
	elapsed := p.now.Sub(p.bulk.Since)
	most, status := bulkMost, telnyx.TaskStatus("")
	if p.bulk.Task == "" {
		most = bulkUnknown * p.a.config.Settle
	} else {
		task, err := p.a.telnyx.ProfileTask(ctx, p.bulk.Task)
		switch {
		case telnyx.Judge(err) == telnyx.StopEverything:
			return &readFailure{err}
		case telnyx.IsNotFound(err):
			most = 0
		}
		status = task.Status
	}
	if !status.Ended() && elapsed < most {
		p.lookAgain(p.now.Add(max(elapsed/2, turnWait)))
		return nil
	}
	p.a.log.Info().Str(logging.KeyCampaign, p.key).Str(logging.KeyTask, p.bulk.Task).Str(logging.KeyStatus, string(status)).
		Msg("the work on the whole messaging profile has ended or is given up; each number is checked")
	p.bulk.Task, p.bulk.Since = "", time.Time{}
	return nil
}

// isWithTask reports whether a number is left to the task that Telnyx works on.
func (p *pass) isWithTask(number plan.E164) bool {
	return !p.bulk.Since.IsZero() && !p.known(number).BusyUntil.IsZero()
}

// leaveToTask writes down that a number waits for the task.
func (p *pass) leaveToTask(ctx context.Context, number plan.E164) error {
	p.unsettled++
	return p.put(ctx, number, func(n *ledger.Number) {
		p.enter(n, ledger.Pending)
		if p.bulk.Task == "" {
			p.answered(n, ledger.Unanswered)
		} else {
			p.answered(n, ledger.Accepted)
		}
		n.Detail = "Telnyx works on the whole messaging profile"
	})
}
