package telnyx

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// How number settings are listed. 250 is the most that Telnyx gives a page, and so
// many numbers make an address of about 4 KB, half of what servers usually take.
const (
	settingsPerPage   = 250
	numbersPerRequest = 250
)

// NumberType is the kind of a number in its messaging settings. The OpenAPI
// description spells each kind in two ways, with and without a hyphen.
type NumberType string

// IsLongCode reports whether the number is an ordinary ten-digit number, the
// only kind that 10DLC is about. Both spellings are taken.
func (t NumberType) IsLongCode() bool { return t == "longcode" || t == "long-code" }

// NumberSettings are the messaging settings of a number that the account owns.
type NumberSettings struct {
	// ID is the id by which the settings are changed. It is opaque.
	ID          string `json:"id"`
	PhoneNumber string `json:"phone_number"`
	// MessagingProfileID is empty when the number is on no profile (null on the
	// wire). A number needs one before it can be attached.
	MessagingProfileID string     `json:"messaging_profile_id"`
	Type               NumberType `json:"type"`
	CountryCode        string     `json:"country_code"`
}

// NumberSettings reads the messaging settings of the given numbers, in E.164
// form. A number that the account does not own is left out; the order is
// Telnyx's. No numbers, no call.
//
// The OpenAPI description lets the filter hold several numbers with commas. Should
// the server not take that, as it ignores filters elsewhere, every number would
// look as if it were not owned. So a batch that lacks some is doubted: one of
// them is asked for alone, and if it is there after all, the whole account is
// listed instead.
//
// OpenAPI: GET /phone_numbers/messaging
func (c *Client) NumberSettings(ctx context.Context, phoneNumbers []string) ([]NumberSettings, error) {
	numbers := slices.Compact(slices.Sorted(slices.Values(phoneNumbers)))
	var found []NumberSettings
	for batch := range slices.Chunk(numbers, numbersPerRequest) {
		if batch[0] == "" { // an empty filter would ask for the whole account
			return nil, annotate(ErrInvalidArgument, "read the messaging settings of an empty number")
		}
		rows, err := c.settingsOf(ctx, batch)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(rows, notAmong(numbers)) {
			// The filter was ignored, so these are all the numbers of the account.
			return slices.DeleteFunc(rows, notAmong(numbers)), nil
		}
		if doubtful, err := c.doubt(ctx, batch, rows); err != nil {
			return nil, err
		} else if doubtful {
			all, err := c.listSettings(ctx, nil)
			return slices.DeleteFunc(all, notAmong(numbers)), annotate(err, "list the account's messaging settings")
		}
		found = append(found, rows...)
	}
	return found, nil
}

// settingsOf asks for several numbers at once.
func (c *Client) settingsOf(ctx context.Context, numbers []string) ([]NumberSettings, error) {
	rows, err := c.listSettings(ctx, url.Values{"filter[phone_number]": {strings.Join(numbers, ",")}})
	return rows, annotate(err, "read the messaging settings of %s and %s more", numbers[0], strconv.Itoa(len(numbers)-1))
}

// doubt reports whether a number that the answer for several lacks is there when
// it is asked for alone.
func (c *Client) doubt(ctx context.Context, asked []string, rows []NumberSettings) (bool, error) {
	got := make(map[string]bool, len(rows))
	for _, row := range rows {
		got[row.PhoneNumber] = true
	}
	lacking := slices.IndexFunc(asked, func(number string) bool { return !got[number] })
	if len(asked) < 2 || lacking < 0 {
		return false, nil
	}
	alone, err := c.settingsOf(ctx, asked[lacking:lacking+1])
	return slices.ContainsFunc(alone, func(n NumberSettings) bool { return n.PhoneNumber == asked[lacking] }), err
}

// notAmong reports a row that is about none of the numbers, which are sorted.
func notAmong(numbers []string) func(NumberSettings) bool {
	return func(n NumberSettings) bool {
		_, ok := slices.BinarySearch(numbers, n.PhoneNumber)
		return !ok
	}
}

// ProfileNumberSettings lists the messaging settings of all numbers on a
// messaging profile, and of no others.
func (c *Client) ProfileNumberSettings(ctx context.Context, profileID string) ([]NumberSettings, error) {
	if profileID == "" {
		return nil, annotate(ErrInvalidArgument, "list numbers without a messaging profile id")
	}
	rows, err := c.listSettings(ctx, url.Values{"filter[messaging_profile_id]": {profileID}})
	if err != nil {
		return nil, annotate(err, "list the numbers of messaging profile %s", profileID)
	}
	return slices.DeleteFunc(rows, func(n NumberSettings) bool { return n.MessagingProfileID != profileID }), nil
}

// SetMessagingProfile puts a number on a messaging profile, away from the one
// that it is on. id is [NumberSettings.ID]. An empty profileID, which would take
// the number off its profile, is refused.
//
// https://developers.telnyx.com/api-reference/number-settings/update-the-messaging-profile-andor-messaging-product-of-a-phone-number
func (c *Client) SetMessagingProfile(ctx context.Context, id, profileID string) (NumberSettings, error) {
	if profileID == "" {
		return NumberSettings{}, annotate(ErrInvalidArgument, "put number %s on a messaging profile without an id", id)
	}
	r := request{method: http.MethodPatch, route: "/phone_numbers/{id}/messaging", args: []string{id}}
	r.body = struct {
		MessagingProfileID string `json:"messaging_profile_id"`
	}{profileID}
	settings, err := call(ctx, c, r, isNumberSettings)
	return settings, annotate(err, "put number %s on messaging profile %s", id, profileID)
}

// listSettings lists the settings that the filter lets through; nil asks for the
// whole account's.
func (c *Client) listSettings(ctx context.Context, filter url.Values) ([]NumberSettings, error) {
	r := get("/phone_numbers/messaging")
	r.query = url.Values{"page[size]": {strconv.Itoa(settingsPerPage)}}
	maps.Copy(r.query, filter)
	return list(ctx, c, r, pageParamV2, NumberSettings.key)
}

// isNumberSettings refuses an answer that names no number, such as {}.
func isNumberSettings(n NumberSettings) error {
	if n.PhoneNumber == "" {
		return errors.New("it has no phone_number")
	}
	return nil
}

func (n NumberSettings) key() string { return n.PhoneNumber }
