package page

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"greenlight/internal/ledger"
	"greenlight/internal/status"
	"greenlight/internal/timeline"
)

// numberHead is shown above a number's timeline.
type numberHead struct {
	E164      string
	Campaigns []numberOn
	Timeline  timeline.Timeline
}

// numberOn is the state of a number on one campaign.
type numberOn struct {
	numberRow
	CampaignName, CampaignPath string
	Phase                      ledger.Phase
}

// timelineRow is an entry with the id of its element.
type timelineRow struct {
	timeline.Entry
	ID string
}

func (p *Page) number(ctx context.Context, digits string, m *memo) (*view, error) {
	if digits == "" || digitsOf(digits) != digits {
		return nil, errNotFound
	}
	var head numberHead
	var key string
	var warnings alerts
	p.config.View.Read(func(x *status.Contents) { head, key, warnings = headOf(x, "+"+digits) })
	if m.key != key {
		bounded, cancel := context.WithTimeout(ctx, readTimeout)
		defer cancel()
		read, err := timeline.OfNumber(bounded, p.config.JetStream, head.E164)
		switch {
		case errors.Is(err, timeline.ErrUnknownNumber) && len(head.Campaigns) == 0:
			return nil, errNotFound
		case err != nil && !errors.Is(err, timeline.ErrUnknownNumber):
			return nil, fmt.Errorf("read the timeline of %s: %w", head.E164, err)
		}
		m.key, m.timeline = key, read
	}
	head.Timeline = m.timeline
	return numberView(head, warnings)
}

// headOf returns the state of a number on each campaign, a key that changes with it and with
// what it means, and the alerts.
func headOf(x *status.Contents, e164 string) (head numberHead, key string, warnings alerts) {
	head.E164, key = e164, e164
	for _, c := range x.Campaigns() {
		if n := c.Number(e164); n != nil {
			row := numberRowOf(x, c, n)
			head.Campaigns = append(head.Campaigns, numberOn{
				numberRow: row, CampaignName: cmp.Or(c.Plan, c.ID), CampaignPath: campaignPath(c.ID), Phase: c.Phase,
			})
			key += fmt.Sprintf("%+v %s %s %+v;", *n, c.Phase, row.NextAt, row.Advice)
		}
	}
	return head, key, alertsOf(x)
}

func numberView(head numberHead, warnings alerts) (*view, error) {
	heading := head.E164 + ": in no plan"
	if len(head.Campaigns) > 0 {
		heading = head.E164 + ": " + string(head.Campaigns[0].State)
	}
	v, err := newView("number", heading, heading, map[string]any{"number-head": head, "alerts": warnings})
	if err != nil {
		return nil, err
	}
	rows := make([]timelineRow, len(head.Timeline.Entries))
	for i, entry := range head.Timeline.Entries {
		rows[i] = timelineRow{Entry: entry, ID: fmt.Sprint("t-", i)}
	}
	return v, addRows(v, "timeline-row", rows, func(r timelineRow) string { return r.ID })
}
