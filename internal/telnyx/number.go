package telnyx

import (
	"context"
	"fmt"
	"maps"
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
	names := c.namesOf(n)
	answer, err := c.patchProfile(ctx, names[0], n.PhoneNumber, profileID)
	if isRefusal(err) && len(names) > 1 {
		if again, errAgain := c.patchProfile(ctx, names[1], n.PhoneNumber, profileID); !isRefusal(errAgain) {
			answer, err = again, errAgain
			c.state().setPatchByNumber(names[1] == n.PhoneNumber)
		}
	}
	if err == nil {
		c.state().setProfile(answer.PhoneNumber, profileID)
	} else if _, refused := asAnswer(err); !refused {
		c.state().forgetNumbers() // the account's list may have the old profile
	}
	return answer, annotate(err, "put number %s on messaging profile %s", n.PhoneNumber, profileID)
}

func (c *Client) patchProfile(ctx context.Context, name, phoneNumber, profileID string) (Number, error) {
	r := request{method: http.MethodPatch, route: oneNumberRoute, args: []string{name}}
	r.body = struct {
		MessagingProfileID string `json:"messaging_profile_id"`
	}{profileID}
	return callOne(ctx, c, r, isNumber(phoneNumber))
}

const oneNumberRoute = "/phone_numbers/{id}/messaging"

// NumberNow reads the messaging settings of one number of the account as they are now.
// Its Status is empty. As in [Client.SetMessagingProfile], the path may take the
// number's id or the number.
//
// OpenAPI: GET /phone_numbers/{id}/messaging
func (c *Client) NumberNow(ctx context.Context, n Number) (found Number, err error) {
	for i, name := range c.namesOf(n) {
		found, err = callOne(ctx, c, get(oneNumberRoute, name), isNumber(n.PhoneNumber))
		if !isRefusal(err) {
			if i > 0 && err == nil {
				c.state().setPatchByNumber(name == n.PhoneNumber)
			}
			break
		}
	}
	return found, annotate(err, "read the settings of number %s", n.PhoneNumber)
}

// namesOf are what the path of a number's settings may take, the likelier one first.
func (c *Client) namesOf(n Number) []string {
	names := []string{n.ID, n.PhoneNumber}
	if c.state().numberKnowledge().patchByNumber {
		slices.Reverse(names)
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
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

// setProfile puts a number on a profile in the lists that are kept.
func (s *learned) setProfile(phoneNumber, profileID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	is := func(n Number) bool { return n.PhoneNumber == phoneNumber }
	if slices.ContainsFunc(s.numbers.account.All, is) {
		rows := slices.Clone(s.numbers.account.All) // others may read the old one
		for i := range rows {
			if is(rows[i]) {
				rows[i].MessagingProfileID = profileID
			}
		}
		s.numbers.account.All = rows
	}
	if row, ok := s.numbers.statuses.known[phoneNumber]; ok {
		row.MessagingProfileID = profileID
		s.numbers.statuses.known = maps.Clone(s.numbers.statuses.known)
		s.numbers.statuses.known[phoneNumber] = row
	}
}

func (s *learned) setPatchByNumber(byNumber bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.numbers.patchByNumber = byNumber
}
