package assigner

import (
	"cmp"
	"context"
	"fmt"
	"regexp"

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
func (a *Assigner) look(ctx context.Context, key, cause string, urgent bool) error {
	p, err := a.newPass(ctx, key, cause, urgent)
	if err != nil {
		return err
	}
	if rest := a.gate.check(); rest != nil {
		return cmp.Or(p.stopped(ctx, rest), error(rest))
	}
	campaign, err := a.readCampaign(ctx, key)
	switch {
	case telnyx.IsNotFound(err):
		return p.missing(ctx)
	case err != nil:
		return p.unread(ctx, fmt.Errorf("read campaign %s: %w", key, err))
	}
	a.worked(reading)
	twin, named := p.otherEntry(campaign)
	switch {
	case named && !p.planned:
		a.directory.learn(ledger.Campaign{ID: twin.ID(), TelnyxID: string(campaign.CampaignID), TCRID: string(campaign.TCRCampaignID)})
		return cmp.Or(p.forget(ctx), error(&knownAs{key: twin.ID()}))
	case named && p.want.CampaignID == "":
		return p.plannedTwice(ctx, campaign, twin)
	}
	return p.over(ctx, campaign)
}

// otherEntry returns the plan's entry, other than the one looked at, that names
// the campaign by another of its ids.
func (p *pass) otherEntry(c telnyx.Campaign) (plan.Campaign, bool) {
	for _, id := range []string{string(c.CampaignID), string(c.TCRCampaignID)} {
		if want, found := p.set.Find(id); found && want.ID() != p.key {
			return want, true
		}
	}
	return plan.Campaign{}, false
}

// tcrID is the form of a TCR campaign id
// (https://github.com/team-telnyx/openapi, partner campaigns).
var tcrID = regexp.MustCompile(`^C[A-Z0-9]{5,8}$`)

// readCampaign reads the campaign with the given key. A TCR id may be that of a
// campaign shared with us, or of one of our own; Telnyx reads its own campaigns
// by its own ids only, so those have to be found in the lists once.
func (a *Assigner) readCampaign(ctx context.Context, key string) (telnyx.Campaign, error) {
	if id := a.directory.telnyxID(key); id != "" {
		return a.telnyx.Campaign(ctx, telnyx.CampaignID(id))
	}
	if !tcrID.MatchString(key) {
		return a.telnyx.Campaign(ctx, telnyx.CampaignID(key))
	}
	shared, err := a.telnyx.PartnerCampaign(ctx, telnyx.TCRCampaignID(key))
	if !telnyx.IsNotFound(err) {
		return shared, err
	}
	own, found, searchErr := a.findOwn(ctx, telnyx.TCRCampaignID(key))
	if searchErr != nil {
		return telnyx.Campaign{}, searchErr
	}
	if !found {
		return telnyx.Campaign{}, err
	}
	return a.telnyx.Campaign(ctx, own)
}

// findOwn looks a campaign of the account up by its TCR id.
func (a *Assigner) findOwn(ctx context.Context, id telnyx.TCRCampaignID) (telnyx.CampaignID, bool, error) {
	brands, err := a.telnyx.Brands(ctx)
	if err != nil {
		return "", false, err
	}
	for _, brand := range brands {
		campaigns, err := a.telnyx.Campaigns(ctx, brand.BrandID)
		if err != nil {
			return "", false, err
		}
		for _, c := range campaigns {
			if c.TCRCampaignID == id {
				return c.CampaignID, true, nil
			}
		}
	}
	return "", false, nil
}

// stop closes the gate and raises the one alarm.
func (a *Assigner) stop(kind callKind, reason ledger.Reason, cause error) error {
	rest, first := a.gate.close(kind, reason, cause.Error())
	if first {
		advice := reason.Advice()
		a.log.Error().Str(logging.KeyReason, string(reason)).Err(cause).Msg(advice.Why + " " + advice.Next + " " + advice.Action)
	}
	return rest
}

// worked notes that Telnyx took a call.
func (a *Assigner) worked(kind callKind) {
	if a.gate.open(kind) {
		a.log.Info().Msg("Telnyx takes the account's calls again, work goes on")
	}
}
