package telnyx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
	ID string `json:"id"`
	// PhoneNumber is in E.164 form; see [CanonicalNumber].
	PhoneNumber string `json:"phone_number"`
	// MessagingProfileID is empty when the number is on no profile (null on the
	// wire). A number needs one before it can be attached.
	MessagingProfileID string     `json:"messaging_profile_id"`
	Type               NumberType `json:"type"`
	CountryCode        string     `json:"country_code"`
	// Status is in lower case with underscores, however Telnyx spells it. It is empty
	// when Telnyx does not say; see [NumberActive].
	Status string `json:"status"`
}

// UnmarshalJSON decodes a row of the messaging settings or of the account's numbers.
func (n *Number) UnmarshalJSON(data []byte) error {
	r, err := asRecord(data)
	if err != nil {
		return err
	}
	*n = Number{
		ID:                 r.text("id", "phonenumberid"),
		PhoneNumber:        CanonicalNumber(r.text("phonenumber")),
		MessagingProfileID: r.text("messagingprofileid"),
		Type:               NumberType(r.text("type", "numbertype", "phonenumbertype")),
		CountryCode:        r.text("countrycode", "countryisoalpha2"),
		Status:             strings.ToLower(r.word("status")),
	}
	return nil
}

// SetMessagingProfile puts a number on a messaging profile, away from the one that it
// is on. An empty profileID, which would take the number off its profile, is refused.
// Read the number with [Client.NumberNow] before: that also finds out by which id
// Telnyx takes it.
//
// https://developers.telnyx.com/api-reference/number-settings/update-the-messaging-profile-andor-messaging-product-of-a-phone-number
func (c *Client) SetMessagingProfile(ctx context.Context, n Number, profileID string) (Number, error) {
	if profileID == "" {
		return Number{}, annotate(ErrInvalidArgument, "put number %s on a messaging profile without an id", n.PhoneNumber)
	}
	r := request{method: http.MethodPatch, route: oneNumberRoute, args: []string{c.state().settingsID(n)}}
	r.body = struct {
		MessagingProfileID string `json:"messaging_profile_id"`
	}{profileID}
	number, err := callOne(ctx, c, r, isNumber)
	c.state().forgetNumbers() // The account's list may have the old profile.
	return number, annotate(err, "put number %s on messaging profile %s", n.PhoneNumber, profileID)
}

const oneNumberRoute = "/phone_numbers/{id}/messaging"

// NumberNow reads the messaging settings of one number of the account as they are now.
// Its Status is empty. The OpenAPI description calls the id in the path "the phone
// number to update", and customers send the numeric id, so the one that finds the number
// is remembered.
//
// OpenAPI: GET /phone_numbers/{id}/messaging
func (c *Client) NumberNow(ctx context.Context, n Number) (Number, error) {
	s := c.state()
	read := func() (Number, error) {
		found, err := callOne(ctx, c, get(oneNumberRoute, s.settingsID(n)), isNumber)
		if err == nil && found.PhoneNumber != n.PhoneNumber {
			err = &UnreadableError{Method: http.MethodGet, Route: oneNumberRoute, Status: http.StatusOK,
				Err: fmt.Errorf("it is about %q", oneLine(found.PhoneNumber, maxIDText))}
		}
		return found, err
	}
	found, err := read()
	if isRefusal(err) {
		s.otherSettingsID()
		found, err = read()
	}
	return found, annotate(err, "read the settings of number %s", n.PhoneNumber)
}

// settingsID is the id by which the settings of a number are read and changed.
func (s *learned) settingsID(n Number) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.settingsByNumber || n.ID == "" {
		return n.PhoneNumber
	}
	return n.ID
}

func (s *learned) otherSettingsID() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settingsByNumber = !s.settingsByNumber
}

// isNumber refuses an answer that names no number, such as {}.
func isNumber(n Number) error {
	if n.PhoneNumber == "" {
		return errors.New("it has no phone_number")
	}
	return nil
}
