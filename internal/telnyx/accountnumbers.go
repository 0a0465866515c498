package telnyx

import "context"

// AccountNumbers lists all numbers of the account with their status, those that only one
// of the two lists has too. If the list of messaging settings has more than maxPages
// pages, the answer is not complete; maxPages 0 is no limit.
//
// OpenAPI: GET /phone_numbers/messaging, GET /phone_numbers
func (c *Client) AccountNumbers(ctx context.Context, maxPages int) (Rows[Number], error) {
	rows, err := list(ctx, c, settingsList(nil, maxPages))
	if err != nil || !rows.Complete {
		return rows, annotate(err, "list the numbers of the account")
	}
	wanted := make([]string, 0, len(rows.All))
	listed := make(map[string]bool, len(rows.All))
	for _, n := range rows.All {
		wanted = append(wanted, n.PhoneNumber)
		listed[n.PhoneNumber] = true
	}
	statuses := c.statuses(ctx, wanted, true)
	for i := range rows.All {
		if status := statuses.known[rows.All[i].PhoneNumber].Status; status != "" {
			rows.All[i].Status = status
		}
	}
	for number, n := range statuses.known {
		if !listed[number] {
			rows.All = append(rows.All, n)
		}
	}
	if refused := !statuses.failed.IsZero(); !statuses.whole && (!refused || len(wanted) == 0) {
		rows.Complete, rows.Why = false, "GET /phone_numbers could not be read as a whole"
	}
	return rows, nil
}
