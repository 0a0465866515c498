package telnyx

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// NumberType is the kind of a number as Telnyx spells it. Its pages spell each kind
// in several ways.
type NumberType string

// IsLongCode reports whether the number is an ordinary ten-digit number, the
// only kind that 10DLC is about, in any spelling.
func (t NumberType) IsLongCode() bool {
	switch plain(string(t)) {
	case "longcode", "10dlc", "local":
		return true
	}
	return false
}

// IsOther reports whether the number is known not to be a long code: toll-free or a
// short code, in any spelling.
func (t NumberType) IsOther() bool {
	word := plain(string(t))
	return strings.Contains(word, "tollfree") || strings.Contains(word, "shortcode")
}

// IsKnown reports whether the word says what kind of number it is. Leave it to
// Telnyx to judge a number with another word, or none.
func (t NumberType) IsKnown() bool { return t.IsLongCode() || t.IsOther() }

// NumberActive is the status of a number that works. Others are "port_pending",
// "purchase_pending", "ported_out" and "deleted", say.
const NumberActive = "active"

// Number is a number of the account: its messaging settings and its status.
type Number struct {
	// ID is the id by which the settings are changed. It is opaque.
	ID string `json:"id" or:"phone_number_id"`
	// PhoneNumber is in E.164 form; see [CanonicalNumber].
	PhoneNumber string `json:"phone_number" as:"number"`
	// MessagingProfileID is empty when the number is on no profile (null on the
	// wire). A number needs one before it can be attached.
	MessagingProfileID string     `json:"messaging_profile_id"`
	Type               NumberType `json:"type" or:"number_type phone_number_type"`
	CountryCode        string     `json:"country_code" or:"country_iso_alpha2"`
	// Status is in lower case with underscores, however Telnyx spells it. It is empty
	// when Telnyx does not say; see [NumberActive].
	Status string `json:"status" as:"word"`
}

// UnmarshalJSON decodes a row of the messaging settings or of the account's numbers.
func (n *Number) UnmarshalJSON(data []byte) error {
	*n = Number{}
	err := decodeRecord(data, n)
	n.Status = strings.ToLower(n.Status)
	return err
}

// SetMessagingProfile puts a number on a messaging profile, away from the one
// that it is on. An empty profileID, which would take the number off its profile, is
// refused.
//
// Telnyx's pages disagree whether the path takes the number's id or the number. The
// second is tried only when Telnyx refuses the first with 400, 404 or 422, which
// changes nothing, and is then tried first.
//
// https://developers.telnyx.com/api-reference/number-settings/update-the-messaging-profile-andor-messaging-product-of-a-phone-number
func (c *Client) SetMessagingProfile(ctx context.Context, n Number, profileID string) (Number, error) {
	if profileID == "" || n.ID == "" && n.PhoneNumber == "" {
		return Number{}, annotate(ErrInvalidArgument, "put number %s on messaging profile %s", n.PhoneNumber, profileID)
	}
	body := struct {
		MessagingProfileID string `json:"messaging_profile_id"`
	}{profileID}
	answer, err := c.callSettings(ctx, http.MethodPatch, n, body)
	if err == nil {
		c.state().setProfile(answer.PhoneNumber, profileID)
	} else if !isAnswer(err) {
		c.ForgetNumbers() // the account's list may have the old profile
	}
	return answer, annotate(err, "put number %s on messaging profile %s", n.PhoneNumber, profileID)
}

// NumberNow reads the messaging settings of one number of the account as they are now.
// Its Status is empty. As in [Client.SetMessagingProfile], the path may take the
// number's id or the number.
//
// OpenAPI: GET /phone_numbers/{id}/messaging
func (c *Client) NumberNow(ctx context.Context, n Number) (Number, error) {
	found, err := c.callSettings(ctx, http.MethodGet, n, nil)
	return found, annotate(err, "read the settings of number %s", n.PhoneNumber)
}

// callSettings makes a request about the settings of a number, under its id and, if that
// is refused, under the number, or the other way round if that is known to work.
func (c *Client) callSettings(ctx context.Context, method string, n Number, body any) (answer Number, err error) {
	const route, byNumber = "/phone_numbers/{id}/messaging", "the number instead of its id under /phone_numbers/{id}/messaging"
	names := []string{n.ID, n.PhoneNumber}
	if c.state().form(byNumber) == formProven {
		slices.Reverse(names)
	}
	for _, name := range names {
		if name == "" {
			continue
		}
		r := request{method: method, route: route, arg: name, body: body}
		found, failed := callOne(ctx, c, r, isNumber(n.PhoneNumber))
		if failed == nil && err != nil {
			state := formUntried
			if name == n.PhoneNumber {
				state = formProven
			}
			c.state().setForm(byNumber, state)
		}
		if !isRefusal(failed) {
			return found, failed
		}
		err = cmp.Or(err, failed)
	}
	return Number{}, cmp.Or(err, ErrInvalidArgument)
}

// isNumber refuses an answer that is about another number, or about none.
func isNumber(phoneNumber string) check[Number] {
	return func(answer Number) error {
		if answer.PhoneNumber == "" || phoneNumber != "" && answer.PhoneNumber != CanonicalNumber(phoneNumber) {
			return fmt.Errorf("it is about %q", oneLine(answer.PhoneNumber, maxIDText))
		}
		return nil
	}
}
