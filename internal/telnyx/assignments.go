package telnyx

import (
	"cmp"
	"context"
	"net/url"
	"strings"
	"time"
)

// smallList is how many pages a list may have to be read as a whole where a filter
// could bring less: a whole list needs no proof that a filter is understood.
const smallList = 4

// Assignments lists the assignments of the whole account, by number. A number may
// have several records, of which one at most is not a failed one. If the list has
// more than maxPages pages, it is read only as far as needed to know that, and is
// not complete; zero means no limit.
//
// https://developers.telnyx.com/api-reference/phone-number-campaigns/list-phone-number-campaigns
func (c *Client) Assignments(ctx context.Context, maxPages int) (Rows[Assignment], error) {
	rows, err := c.listAssignments(ctx, nil, maxPages, nil)
	return rows, annotate(err, "list the assignments of the account")
}

// AssignmentsOn lists the assignments on one campaign, and no others. A small
// account's list is read as a whole. Otherwise the list is filtered, in the form
// that has been seen to work: Telnyx ignores a filter that it does not know and
// then returns everything. An empty list in a form that is not proven is not
// complete.
func (c *Client) AssignmentsOn(ctx context.Context, campaign Campaign) (Rows[Assignment], error) {
	rows, err := c.assignmentsOn(ctx, campaign)
	return rows, annotate(err, "list the assignments of campaign %s", campaign.AssignmentID())
}

func (c *Client) assignmentsOn(ctx context.Context, campaign Campaign) (Rows[Assignment], error) {
	forms := filterForms(campaign)
	if rows, ok, err := c.provenFilter(ctx, campaign, forms); ok || err != nil {
		return rows, err
	}
	isOn := func(a Assignment) bool { return a.On(campaign) }
	all, err := c.listAssignments(ctx, nil, smallList, nil)
	if err != nil || all.Complete {
		return all.keep(isOn), err
	}
	free, err := c.state().filter.take(ctx)
	if err != nil {
		return Rows[Assignment]{}, err
	}
	defer free()
	// Another call may have found out meanwhile.
	if rows, ok, err := c.provenFilter(ctx, campaign, forms); ok || err != nil {
		return rows, err
	}
	return c.learnFilter(ctx, campaign, forms, all)
}

// provenFilter lists by a filter form that is proven; ok is false if there is none
// or it failed.
func (c *Client) provenFilter(ctx context.Context, campaign Campaign, forms []filterForm) (rows Rows[Assignment], ok bool, err error) {
	for _, form := range forms {
		if c.state().filterState(form.key()) != formProven {
			continue
		}
		rows, state, err := c.filtered(ctx, campaign, form, 0)
		return rows, state != formIgnored, err
	}
	return Rows[Assignment]{}, false, nil
}

// learnFilter finds a filter form that works for the campaign. all is the
// beginning of the account's list, for a control: an empty answer counts in a form
// that finds the rows of a campaign that is known to have some.
func (c *Client) learnFilter(ctx context.Context, campaign Campaign, forms []filterForm, all Rows[Assignment]) (Rows[Assignment], error) {
	best := all.keep(func(a Assignment) bool { return a.On(campaign) })
	best.Why = "no filter by campaign is understood, and " + all.Why
	for _, form := range forms {
		if c.state().filterState(form.key()) == formIgnored {
			continue
		}
		rows, state, err := c.filtered(ctx, campaign, form, 0)
		if err != nil {
			return rows, err
		}
		switch {
		case state == formProven:
			return rows, nil
		case state == formUntried && rows.Complete:
			proven, err := c.control(ctx, form, all)
			if err != nil || proven {
				return rows, err
			}
			best = rows
			best.Complete, best.Why = false, "it is empty, and the filter is not proven to work"
		}
	}
	return best, nil
}

// control asks in the given form for a campaign that is known to have numbers, and
// remembers whether it found them.
func (c *Client) control(ctx context.Context, form filterForm, all Rows[Assignment]) (proven bool, err error) {
	for _, row := range all.All {
		known := Campaign{CampaignID: row.TelnyxCampaignID, TCRCampaignID: row.TCRCampaignID}
		if known.CampaignID == "" && !strings.EqualFold(row.CampaignID, string(row.TCRCampaignID)) {
			known.CampaignID = CampaignID(row.CampaignID)
		}
		known.Shared = known.CampaignID == ""
		for _, again := range filterForms(known) {
			if again.key() == form.key() {
				_, state, err := c.filtered(ctx, known, again, 1)
				return state == formProven, err
			}
		}
	}
	return false, nil
}

// filterForm is one way to ask for the assignments of a campaign.
type filterForm struct {
	name, value string
	tcr         bool // the value is a TCR id
}

// key names the form with its kind of id: a filter may work for one kind alone.
func (f filterForm) key() string {
	if f.tcr && f.name != "filter[tcr_campaign_id]" {
		return f.name + " with TCR ids"
	}
	return f.name
}

// filterForms returns the documented forms first: the OpenAPI description has the
// first two, Telnyx's guides the others.
func filterForms(campaign Campaign) []filterForm {
	id := cmp.Or(campaign.AssignmentID(), string(campaign.TCRCampaignID))
	isTCR := id != string(campaign.CampaignID)
	var forms []filterForm
	for _, form := range []filterForm{
		{"filter[telnyx_campaign_id]", string(campaign.CampaignID), false},
		{"filter[tcr_campaign_id]", string(campaign.TCRCampaignID), true},
		{"filter[campaign_id]", id, isTCR},
		{"filter[campaignId]", id, isTCR},
	} {
		if form.value != "" {
			forms = append(forms, form)
		}
	}
	return forms
}

// filtered lists in one form, and remembers what that shows of the form: it is
// proven by rows of the campaign and no others, and ignored if it brings others or
// is refused.
func (c *Client) filtered(ctx context.Context, campaign Campaign, form filterForm, maxPages int) (Rows[Assignment], formState, error) {
	began := time.Now()
	rows, err := c.listAssignments(ctx, url.Values{form.name: {form.value}}, maxPages, func(page []Assignment) string {
		for _, row := range page {
			if !row.On(campaign) {
				return "the filter is ignored"
			}
		}
		return ""
	})
	if IsNotFound(err) && c.state().filterState(form.key()) == formProven {
		return Rows[Assignment]{Complete: true, Began: began}, formProven, nil
	}
	if isRefusal(err) || isUnfit(err) && c.state().filterState(form.key()) != formProven {
		if isRefusal(err) && !Is404(err) { // the route may be gone, or it is an outage
			c.state().setFilter(form.key(), formIgnored)
		}
		return Rows[Assignment]{}, formIgnored, nil
	}
	if err != nil {
		return rows, formUntried, err
	}
	before := len(rows.All)
	rows = rows.keep(func(a Assignment) bool { return a.On(campaign) })
	switch {
	case len(rows.All) < before:
		c.state().setFilter(form.key(), formIgnored)
	case len(rows.All) > 0:
		c.state().setFilter(form.key(), formProven)
	}
	return rows, c.state().filterState(form.key()), nil
}

// provenRoute returns the route of assignments once a list has shown that it exists.
func (c *Client) provenRoute(ctx context.Context) (string, error) {
	if route := c.state().assignmentsRoute(); route != "" {
		return route, nil
	}
	free, err := c.state().route.take(ctx)
	if err != nil {
		return "", err
	}
	defer free()
	if route := c.state().assignmentsRoute(); route != "" {
		return route, nil
	}
	l := assignmentList(snakeRoute, nil)
	l.stop = func([]Assignment) string { return "one page is enough" }
	if _, err := c.findRoute(ctx, l); err != nil {
		return "", doubtRoute(err, false)
	}
	return c.state().assignmentsRoute(), nil
}

// listAssignments lists what a filter lets through; nil asks for the whole account's.
func (c *Client) listAssignments(ctx context.Context, filter url.Values, maxPages int, stop func([]Assignment) string) (Rows[Assignment], error) {
	l := assignmentList(cmp.Or(c.state().assignmentsRoute(), snakeRoute), filter)
	l.maxPages, l.stop = maxPages, stop
	return c.findRoute(ctx, l)
}

// findRoute reads the list under its route, and if that does not exist, under the
// other spelling. The one that answers is remembered.
func (c *Client) findRoute(ctx context.Context, l listing[Assignment]) (Rows[Assignment], error) {
	began := time.Now()
	rows, err := list(ctx, c, l)
	if err == nil {
		c.state().setAssignmentsRoute(l.request.route)
		return rows, nil
	}
	if !Is404(err) || len(l.request.query) > 0 && c.state().assignmentsRoute() != "" {
		return rows, err // with a filter, its value may be what is not found
	}
	other := l
	other.request.route = snakeRoute
	if l.request.route == snakeRoute {
		other.request.route = camelRoute
	}
	rows, otherErr := list(ctx, c, other)
	if otherErr == nil {
		c.state().setAssignmentsRoute(other.request.route)
		return rows, nil
	}
	if HasCode(err, CodeNotFound) && c.state().assignmentsRoute() == "" && len(l.request.query) == 0 {
		// Neither spelling has a list, and this one says so in Telnyx's words: an account
		// without assignments. A request under it would be refused if it did not exist.
		c.state().setAssignmentsRoute(l.request.route)
		return Rows[Assignment]{Complete: true, Began: began}, nil
	}
	c.state().setAssignmentsRoute("")
	return Rows[Assignment]{}, doubtRoute(err, false)
}

// assignmentList asks for the list by number: its default order is the newest
// first, so that rows would move while numbers are being attached.
func assignmentList(route string, filter url.Values) listing[Assignment] {
	r := get(route)
	r.query = filter
	return listing[Assignment]{
		request: r, sizes: assignmentSizes, optional: []string{"sort", "phoneNumber"},
		key: func(a *Assignment) string {
			if a.PhoneNumber == "" {
				return ""
			}
			// Failed records of a number stay, beside the one that counts.
			return a.PhoneNumber + " " + cmp.Or(a.CampaignID, string(a.TelnyxCampaignID), string(a.TCRCampaignID)) +
				" " + cmp.Or(a.CreatedAt.Text, string(a.AssignmentStatus))
		},
		text: func(a *Assignment) int {
			return len(a.PhoneNumber) + len(a.CampaignID) + len(a.TelnyxCampaignID) + len(a.TCRCampaignID) +
				len(a.BrandID) + len(a.TCRBrandID) + len(a.AssignmentStatus) + len(a.TMobile) + len(a.NonTMobile) +
				len(a.ATT) + len(a.FailureReasons) + len(a.Errors) + len(a.CreatedAt.Text) + len(a.UpdatedAt.Text)
		},
	}
}
