package telnyx

import (
	"context"
	"fmt"
	"strconv"
)

// Brand is what Greenlight reads of a brand in the account's list of brands.
type Brand struct {
	// BrandID is Telnyx's id, by which [Client.Campaigns] lists.
	BrandID string `json:"brandId"`
}

// UnmarshalJSON decodes a record with keys in camel case or snake case.
func (b *Brand) UnmarshalJSON(data []byte) error {
	*b = Brand{}
	return decodeRecord(data, b)
}

const brandsRoute = "/10dlc/brand"

// Brands lists all brands of the account, the oldest first.
//
// OpenAPI: GET /10dlc/brand
func (c *Client) Brands(ctx context.Context) ([]Brand, error) {
	rows, err := list(ctx, c, brandList)
	if err == nil && !rows.Complete {
		err = unreadableList(brandsRoute, fmt.Errorf("the list is incomplete: %s", rows.Why))
	}
	if err != nil {
		return nil, annotate(err, "list brands")
	}
	return rows.All, nil
}

// BrandsPage reads one page, from 1, of at most 500 brands, the oldest first, and
// returns how many there are on all pages by Telnyx's count, zero if it gives none.
func (c *Client) BrandsPage(ctx context.Context, number int) (rows []Brand, total int, err error) {
	if number < 1 {
		return nil, 0, annotate(ErrInvalidArgument, "list brands, page %s", strconv.Itoa(number))
	}
	rows, total, err = onePage(ctx, c, brandList, number)
	return rows, total, annotate(err, "list brands, page %s", strconv.Itoa(number))
}

var brandList = listing[Brand]{
	pagings: campaignPagings(brandsRoute),
	key:     func(b *Brand) string { return b.BrandID },
}
