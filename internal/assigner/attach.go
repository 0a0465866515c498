package assigner

import (
	"cmp"
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

const (
	// The waits after an attach that did not work out.
	retryBase = 15 * time.Second
	retryMost = time.Hour
	// turnWait is how soon a number is looked at again whose turn did not come, or
	// whose answer was lost.
	turnWait = 5 * time.Second
	// stuckAfter is how many tries in a row make a number stuck: with the waits
	// above that is several hours.
	stuckAfter = 12
	// triesWhenUnclear is how often a refusal that nobody documents is tried.
	triesWhenUnclear = 4
	// triesAtCarriers is how often a request is repeated that Telnyx took and
	// the carriers failed. The first failure is usual on a dormant campaign.
	triesAtCarriers = 5
	// dueSoon is how much earlier than its time a number is tried with others, so
	// that waits that jitter has spread do not cause a pass each.
	dueSoon = 3 * time.Second
	// moveSettle is how long a number that was moved may go on being shown on its
	// old campaign before the move is ordered again. Nobody publishes a figure.
	moveSettle = time.Hour
	// readingLasts is for how long numbers are attached on one reading of the
	// campaign.
	readingLasts = time.Minute
	// The waits before a pending number is looked at again: half the time that it
	// has been pending, within these bounds.
	recheckLeast = 30 * time.Second
	recheckMost  = time.Hour
)

// attach sends one request for each number, several at a time. It goes by a reading
// of the campaign that is at most a minute old, since the campaign may have been
// suspended meanwhile and the event that said so lost; and it ends early when the
// plan or the campaign is said to have changed.
func (p *pass) attach(ctx context.Context, c telnyx.Campaign, orders []order) error {
	orders, err := p.unclaimedElsewhere(ctx, orders)
	if err != nil {
		return err
	}
	p.readAt = p.now
	for len(orders) > 0 {
		if !p.isWanted() {
			p.lookAgain(p.a.now()) // the next pass goes by what is now
			return nil
		}
		if p.isOld() {
			p.readAt = p.a.now()
			if c, err = p.a.reader.Campaign(ctx, p.want); err != nil {
				return &readFailure{err}
			}
			if phase, _ := PhaseOf(c); phase != ledger.Ready {
				p.lookAgain(p.a.now())
				return nil
			}
		}
		left, err := p.attachWhileFresh(ctx, c, orders)
		if err != nil {
			return err
		}
		if len(left) == len(orders) {
			p.readAt = time.Time{} // reading the campaign again waits for as long as they have to
		}
		orders = left
	}
	return nil
}

// isOld reports whether what was read must be read again before another request.
func (p *pass) isOld() bool { return p.a.now().Sub(p.readAt) > readingLasts }

// isWanted reports whether this pass still goes by what is in force. A pass over
// many numbers takes minutes.
func (p *pass) isWanted() bool { return p.isPlanned() && !p.a.queue.interrupted(p.key) }

// attachWhileFresh sends requests until the reading of the campaign is old, and
// returns the orders that are left then.
func (p *pass) attachWhileFresh(ctx context.Context, c telnyx.Campaign, orders []order) (left []order, err error) {
	fresh, cancel := context.WithTimeout(ctx, readingLasts-p.a.now().Sub(p.readAt))
	defer cancel()
	group, working := errgroup.WithContext(fresh)
	group.SetLimit(p.a.config.Concurrency)
	var mu sync.Mutex
	for _, o := range orders {
		group.Go(func() error {
			return p.a.guard(p.key, func() error {
				done, err := p.attachOne(working, c, o)
				if !done && err == nil {
					mu.Lock()
					defer mu.Unlock()
					left = append(left, o)
				}
				return err
			})
		})
	}
	err = cmp.Or(group.Wait(), ctx.Err()) // before left is read, to which they add
	return left, err
}

// attachOne sends one request, or writes down why not. It is not done when ctx
// ended or the pass is no more wanted before anything was written.
//
// First it waits for everything there is to wait for: its turn, the reads that it
// rests on, the pace. Then it looks whether all that it goes by still holds, claims
// the number, and sends the request at once. From the claim on it carries through
// even if the process is being stopped, so that the outcome is known.
func (p *pass) attachOne(ctx context.Context, c telnyx.Campaign, o order) (done bool, err error) {
	if !p.isWanted() || ctx.Err() != nil {
		return false, nil
	}
	if refusal := p.refusedAll(); refusal != nil {
		return true, p.put(context.WithoutCancel(ctx), o.number, refusal)
	}
	ctx, leave, err := p.a.telnyx.Turns.Enter(ctx)
	if err != nil {
		return false, nil
	}
	defer leave()
	ready, err := p.readAgain(ctx, c, &o)
	switch {
	case ctx.Err() != nil:
		return false, nil
	case err != nil || !ready:
		return true, err
	}
	if ctx, err = p.a.telnyx.Pacer.Reserve(ctx); err != nil || !p.isWanted() || p.isOld() {
		return false, nil
	}
	ctx = context.WithoutCancel(ctx)
	// The request must end before its claim may be taken for abandoned.
	request, cancel := context.WithTimeout(ctx, p.a.config.Settle*2/3)
	defer cancel()
	if err := p.claim(ctx, o.number, p.requestFor(c, o), time.Time{}); err != nil {
		return true, err
	}
	answer, err := p.send(request, c, o)
	if err != nil {
		return true, p.refused(ctx, c, o.number, err)
	}
	p.a.metrics.attached(accepted)
	return true, p.accepted(ctx, c, o, answer)
}

// unclaimedElsewhere takes out the numbers that a request for another campaign may
// be under way for, as when the plan has just moved them here.
func (p *pass) unclaimedElsewhere(ctx context.Context, orders []order) ([]order, error) {
	texts := make([]string, len(orders))
	for i, o := range orders {
		texts[i] = string(o.number)
	}
	entries, err := p.a.ledger.RecordsOf(ctx, texts)
	if err != nil {
		return nil, err
	}
	claimed := map[string]ledger.Number{}
	for _, entry := range entries {
		n := entry.Number
		if n.CampaignID != p.key && p.a.now().Before(p.a.settledAt(n)) {
			claimed[n.Number] = n
		}
	}
	var free []order
	for _, o := range orders {
		other, busy := claimed[string(o.number)]
		if !busy {
			free = append(free, o)
			continue
		}
		err := p.put(ctx, o.number, func(n *ledger.Number) {
			p.observeBusy(n, "a request for campaign "+other.CampaignID+" may still be under way")
			// A task may end long before the time that it has.
			if until := p.a.settledAt(other); until.Before(n.NextAt) {
				n.NextAt = until
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return free, nil
}

// isPlanned reports whether the entry of this pass is the one in force: a
// number that was taken out of the plan meanwhile must not be attached.
func (p *pass) isPlanned() bool {
	set := p.a.config.Plans()
	if set == p.set {
		return true
	}
	want, planned := set.Find(p.key)
	return planned && want.Hash() == p.entryHash && want.NumberPool == ""
}

// claim writes down that a request for the number is about to be sent. It is
// written over the revision that this pass has read, so that of two assigners
// that both want the number one gets an error and sends nothing. BusyUntil is set
// for a task that may work on the number for longer than a request takes.
func (p *pass) claim(ctx context.Context, number plan.E164, request ledger.Request, busyUntil time.Time) error {
	err := p.put(ctx, number, func(n *ledger.Number) {
		p.enter(n, ledger.Attaching)
		n.ClaimedAt, n.BusyUntil = p.a.now().UTC(), busyUntil
		n.Attempts++
		n.Request, n.Request.At = request, n.ClaimedAt.Round(0)
		n.Firsts.Requests++
		n.Status, n.TMobile, n.NonTMobile = "", "", ""
	})
	p.a.claims.see(p.known(number), p.a.now())
	return err
}

// requestFor tells what send is about to send.
func (p *pass) requestFor(c telnyx.Campaign, o order) ledger.Request {
	request := ledger.Request{Sent: sentPost, Campaign: c.AssignmentID()}
	if o.move {
		request.Sent = sentPut
	}
	if o.settings.MessagingProfileID == "" {
		request.Profile = p.want.MessagingProfileID
	}
	return request
}

// What the ledger says was sent.
const (
	sentPost = http.MethodPost + " /10dlc/phone_number_campaigns"
	sentPut  = http.MethodPut + " /10dlc/phone_number_campaigns/{phoneNumber}"
	sentPool = http.MethodPost + " /10dlc/phoneNumberAssignmentByProfile"
)

// send sends the request: a POST, or a PUT for a number that is to be moved. A
// number without a messaging profile is put on the plan's first, since Telnyx
// attaches no other.
func (p *pass) send(ctx context.Context, c telnyx.Campaign, o order) (telnyx.Assignment, error) {
	if o.settings.MessagingProfileID == "" {
		if _, err := p.a.telnyx.SetMessagingProfile(ctx, o.settings.ID, p.want.MessagingProfileID); err != nil {
			return telnyx.Assignment{}, err
		}
	}
	if o.move {
		return p.a.telnyx.Reassign(ctx, string(o.number), c.AssignmentID())
	}
	return p.a.telnyx.Assign(ctx, string(o.number), c.AssignmentID())
}
