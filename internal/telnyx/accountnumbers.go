package telnyx

import "context"

// AccountNumbers lists all numbers of the account with their status, if the list has no
// more than maxPages pages; maxPages 0 is no limit. A longer list is not complete.
//
// OpenAPI: GET /phone_numbers/messaging, GET /phone_numbers
func (c *Client) AccountNumbers(ctx context.Context, maxPages int) (Rows[Number], error) {
	rows, err := list(ctx, c, settingsList(nil, maxPages))
	if err != nil || !rows.Complete {
		return rows, annotate(err, "list the numbers of the account")
	}
	wanted := make([]string, 0, len(rows.All))
	for _, n := range rows.All {
		wanted = append(wanted, n.PhoneNumber)
	}
	known := c.statuses(ctx, wanted)
	for i := range rows.All {
		if status := known[rows.All[i].PhoneNumber].Status; status != "" {
			rows.All[i].Status = status
		}
	}
	return rows, nil
}
