package telnyx

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
