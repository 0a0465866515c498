package assigner

import (
	"context"

	"greenlight/internal/ledger"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

// readAgain reads what an order rests on once more, by itself, where doing it
// wrongly would take something away: a PUT takes a number from whatever campaign
// it is on without a word, a PATCH from whatever profile. What was read at the
// beginning of the pass may be minutes old by now.
func (p *pass) readAgain(ctx context.Context, c telnyx.Campaign, o *order) (ready bool, err error) {
	if o.move {
		if ready, err = p.stillToMove(ctx, c, o.number); err != nil || !ready {
			return false, err
		}
	}
	if o.settings.MessagingProfileID != "" {
		return true, nil
	}
	settings, err := p.a.reader.Settings(ctx, []string{string(o.number)})
	if err != nil {
		return false, &readFailure{err}
	}
	o.settings = settings[string(o.number)]
	reason := obstacle(p.want, settings, string(o.number))
	if reason == "" {
		return true, nil
	}
	return false, p.hinder(ctx, o.number, reason, settings)
}

// stillToMove reports whether plan.Diff says that the number is to be moved, by
// its record as it is now. If not, another look is ordered.
func (p *pass) stillToMove(ctx context.Context, c telnyx.Campaign, number plan.E164) (bool, error) {
	var records []telnyx.Assignment
	record, err := p.a.telnyx.Assignment(ctx, string(number))
	switch {
	case err == nil:
		records = append(records, record)
	case !telnyx.IsNotFound(err):
		return false, &readFailure{err}
	}
	alone := p.want
	alone.Numbers, alone.Places = []plan.E164{number}, nil
	for _, change := range plan.Diff(alone, c, records) {
		if change.Number == number && change.Action == plan.Move {
			return true, nil
		}
	}
	return false, p.put(ctx, number, func(n *ledger.Number) {
		p.observeBusy(n, "Telnyx's answers differ about which campaign it is on")
	})
}
