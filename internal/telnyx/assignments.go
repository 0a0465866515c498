package telnyx

import (
	"cmp"
	"context"
	"errors"
	"strings"
)

// The two spellings of the route. Telnyx's OpenAPI description, its SDKs and its
// answer to https://github.com/team-telnyx/telnyx-php/issues/97 have the first, its
// guide to assigning numbers has the second. Which of them answers is found out.
const (
	snakeRoute = "/10dlc/phone_number_campaigns"
	camelRoute = "/10dlc/phoneNumberCampaign"
)

// assignmentPagings ask for the list by number: its default order is the newest first, so
// that rows would move while numbers are being attached. Telnyx publishes no maximum for
// its pages.
var assignmentPagings = pagingsOf([]string{snakeRoute, camelRoute}, []pageNames{names10DLC, namesV2, namesPlain}, "sort=phoneNumber", 250, 100, 50, 20)

// Assignments lists the assignments of the whole account, by number. A number may
// have several records, of which one at most is not a failed one. If the list has
// more than maxPages pages, it is read only as far as needed to know that, and is
// not complete; zero means no limit.
//
// https://developers.telnyx.com/api-reference/phone-number-campaigns/list-phone-number-campaigns
func (c *Client) Assignments(ctx context.Context, maxPages int) (Rows[Assignment], error) {
	rows, err := list(ctx, c, assignmentList.within(maxPages))
	return rows, annotate(err, "list the assignments of the account")
}

// AssignmentsOn lists the assignments on one campaign, and no others. A small
// account's list is read as a whole. Otherwise the list is filtered, in the form
// that has been seen to work: Telnyx ignores a filter that it does not know and
// then returns everything. An empty list in a form that is not proven is not
// complete.
func (c *Client) AssignmentsOn(ctx context.Context, campaign Campaign) (Rows[Assignment], error) {
	rows, err := campaignAssignments.read(ctx, c, campaign, smallList)
	return rows, annotate(err, "list the assignments of campaign %s", campaign.AssignmentID())
}

// campaignAssignments asks with the filters of the OpenAPI description first and then with
// those of Telnyx's guides. A filter may work for one kind of id alone.
var campaignAssignments = func() *selection[Assignment, Campaign] {
	s := &selection[Assignment, Campaign]{whole: assignmentList, is: Assignment.On}
	add := func(filter, kind string, id func(Campaign) string) {
		s.add(filter+" for assignments"+kind, campaignOf, func(c Campaign) (listing[Assignment], bool) {
			return assignmentList.filteredBy(filter, id(c)), id(c) != ""
		})
	}
	telnyxID := func(c Campaign) string { return string(c.CampaignID) }
	tcrID := func(c Campaign) string { return string(c.TCRCampaignID) }
	add("filter[telnyx_campaign_id]", "", telnyxID)
	add("filter[tcr_campaign_id]", "", tcrID)
	for _, filter := range []string{"filter[campaign_id]", "filter[campaignId]"} {
		add(filter, "", telnyxID)
		add(filter, " with TCR ids", func(c Campaign) string {
			if c.CampaignID != "" {
				return ""
			}
			return tcrID(c)
		})
	}
	return s
}()

// campaignOf is the campaign that a record is on, as far as the record says.
func campaignOf(a Assignment) Campaign {
	c := Campaign{CampaignID: a.TelnyxCampaignID, TCRCampaignID: a.TCRCampaignID}
	if c.CampaignID == "" && !strings.EqualFold(a.CampaignID, string(a.TCRCampaignID)) {
		c.CampaignID = CampaignID(a.CampaignID)
	}
	c.Shared = c.CampaignID == ""
	return c
}

// assignmentRoute returns the route of assignments, and whether a list has shown that it
// exists.
func (c *Client) assignmentRoute() (route string, exists bool) {
	known := c.state().list(assignmentPagings)
	return known.paging.route, known.works
}

// provenRoute returns the route of assignments once a list has shown that it exists.
func (c *Client) provenRoute(ctx context.Context) (string, error) {
	if route, exists := c.assignmentRoute(); exists {
		return route, nil
	}
	free, err := c.state().alone(ctx, assignmentPagings)
	if err != nil {
		return "", err
	}
	defer free()
	if route, exists := c.assignmentRoute(); exists {
		return route, nil
	}
	l := assignmentList
	l.stop = func([]Assignment) string { return "one page is enough" }
	if _, err := list(ctx, c, l); err != nil {
		return "", doubtRoute(err, false)
	}
	route, _ := c.assignmentRoute()
	return route, nil
}

// doubtRoute marks a refusal under a route that may not exist.
func doubtRoute(err error, exists bool) error {
	if e, ok := errors.AsType[*APIError](err); ok && !exists {
		doubted := *e
		doubted.routeUnknown = true
		return &doubted
	}
	return err
}

var assignmentList = listing[Assignment]{
	pagings: assignmentPagings,
	key: func(a *Assignment) string {
		if a.PhoneNumber == "" {
			return ""
		}
		// Failed records of a number stay, beside the one that counts.
		return a.PhoneNumber + " " + cmp.Or(a.CampaignID, string(a.TelnyxCampaignID), string(a.TCRCampaignID)) +
			" " + cmp.Or(a.CreatedAt.Text, string(a.AssignmentStatus))
	},
}
