package assigner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"greenlight/internal/account"
	"greenlight/internal/ledger"
	"greenlight/internal/logging"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

// knownAs says that the campaign is planned under another of its ids, so that
// the look belongs to that key.
type knownAs struct{ key string }

func (k *knownAs) Error() string { return "planned as campaign " + k.key }

// look makes one pass over a campaign. It returns nil when the ledger has what
// came of it, also when that is trouble with Telnyx; *stopped when all work
// rests; and another error when the ledger or the streams failed.
func (a *Assigner) look(ctx context.Context, e errand) error {
	done, rest := a.gate.pass()
	if rest == nil {
		defer done()
	}
	p, err := a.newPass(ctx, e)
	if err != nil {
		return err
	}
	if rest != nil {
		return cmp.Or(p.stopped(ctx, rest), error(rest))
	}
	if p.isUnknownReference() {
		return p.forget(ctx)
	}
	if e.urgent {
		a.reader.ForgetMiss(p.want) // a person knows better than our memory
	}
	campaign, err := p.readCampaign(ctx, e)
	switch {
	case telnyx.IsNotFound(err):
		return p.missing(ctx, "")
	case a.isForbiddenAlone(ctx, err):
		return p.missing(ctx, detailOf(err))
	case err != nil:
		return p.unread(ctx, err)
	}
	twin, named := otherEntry(p.set, p.key, campaign)
	switch {
	case named && !p.planned:
		a.learn(ledger.Campaign{ID: twin.ID(), TelnyxID: string(campaign.CampaignID), TCRID: string(campaign.TCRCampaignID)})
		return cmp.Or(p.forget(ctx), error(&knownAs{key: twin.ID()}))
	case named && twin.Rank() < p.want.Rank():
		return p.plannedTwice(ctx, campaign, twin)
	}
	return p.over(ctx, campaign)
}

// isForbiddenAlone reports whether a read was refused with 403 although the key may
// read the account: then it is this campaign that is not ours, as when a plan
// names one of another account, and the others need not rest for it.
func (a *Assigner) isForbiddenAlone(ctx context.Context, err error) bool {
	answer, ok := errors.AsType[*telnyx.APIError](err)
	aboutAccount := func(d telnyx.ErrorDetail) bool { return d.Code != "" && d.Code != telnyx.CodeAuthorizationFailed }
	if !ok || answer.Status != http.StatusForbidden || slices.ContainsFunc(answer.Errors, aboutAccount) {
		return false
	}
	_, _, err = a.telnyx.BrandsPage(ctx, 1)
	return err == nil
}

// readCampaign reads the campaign: a routine look takes it out of its brand's
// list, if that only says again what the ledger has.
func (p *pass) readCampaign(ctx context.Context, e errand) (telnyx.Campaign, error) {
	if e.routine && e.listing != nil {
		if c, unchanged := p.listed(ctx, e.listing); unchanged {
			return c, nil
		}
	}
	return p.a.reader.Campaign(ctx, p.want)
}

// listed returns the campaign as its brand's list has it, if nothing follows from
// that: it is not ready, and was not when it was looked at last. A list may be
// minutes old, so a change that it shows, or that it does not show yet, is read
// anew.
func (p *pass) listed(ctx context.Context, l *account.Listing) (c telnyx.Campaign, unchanged bool) {
	known := p.entry.Campaign
	id := cmp.Or(p.want.CampaignID, telnyx.CampaignID(known.TelnyxID))
	if id == "" || known.Shared || known.Phase == ledger.Ready {
		return c, false
	}
	c, listed := l.Campaign(ctx, known.BrandID, id)
	if !listed || !account.Selects(p.want, c) {
		return c, false
	}
	phase, _ := PhaseOf(c)
	wasRead := known.Phase != "" && known.Phase != ledger.Unread
	changed := wasRead && (phase != known.Phase || string(c.CampaignStatus) != known.Status)
	return c, !changed && phase != ledger.Ready && phase != ledger.Ended
}

// otherEntry returns the set's entry, other than the one with the given key, that
// names the campaign by one of its ids. Of several it is the one that counts.
func otherEntry(set *plan.Set, key string, c telnyx.Campaign) (plan.Campaign, bool) {
	ids := []string{string(c.CampaignID), string(c.TCRCampaignID)}
	if c.ReferenceID != "" {
		ids = append(ids, plan.Campaign{ReferenceID: c.ReferenceID}.ID())
	}
	for _, id := range ids {
		want, found := set.Find(id)
		if found && want.ID() != key && (want.ReferenceID == "" || want.BrandID == c.BrandID) {
			return want, true
		}
	}
	return plan.Campaign{}, false
}

// isUnknownReference reports a reference that left the plan before any campaign
// was filed with it. Telnyx cannot be asked by a reference alone.
func (p *pass) isUnknownReference() bool {
	reference := plan.Campaign{ReferenceID: " "}.ID()
	prefix := strings.TrimSuffix(reference, " ")
	return !p.planned && strings.HasPrefix(p.key, prefix) && p.a.directory.telnyxID(p.key) == ""
}

// namedTwice says of an entry that another one for the same campaign counts.
func namedTwice(twin plan.Campaign) string {
	return fmt.Sprintf("the plan names this campaign twice, here and as %s (%s): put the numbers in one place", twin.ID(), twin.Position)
}

// stop closes the gate and raises the one alarm.
func (a *Assigner) stop(reason ledger.Reason, cause error) error {
	rest, alarm := a.gate.close(reason, cause)
	if alarm {
		advice := reason.Advice()
		a.log.Error().Str(logging.KeyReason, string(reason)).Err(cause).Msg(advice.Why + " " + advice.Next + " " + advice.Action)
		a.tellOfStop(reason, cause)
	}
	return rest
}

// called is told of every call to Telnyx.
func (a *Assigner) called(call telnyx.Call) {
	a.metrics.call(call)
	if call.Err == nil && a.gate.worked(call.Method, call.Route) {
		a.log.Info().Msg("Telnyx takes the account's calls again, work goes on")
	}
}
