package telnyx

import "testing"

func TestSetMessagingProfile_FindsOutHowNumbersAreNamed(t *testing.T) {
	record := ok(`{"data":{"id":"12345","phone_number":"+16715455939","messaging_profile_id":"p","type":"longcode"}}`)
	refused := answer{status: 404, body: `{"errors":[{"code":"10005","title":"Resource not found"}]}`}
	want := Number{ID: "12345", PhoneNumber: number, MessagingProfileID: "p", Type: "longcode"}
	const byID, byNumber = "/v2/phone_numbers/12345/messaging", "/v2/phone_numbers/+16715455939/messaging"
	for name, tt := range map[string]struct {
		answers []answer
		paths   []string // of two calls
	}{
		"by id":     {[]answer{record}, []string{byID, byID}},
		"by number": {[]answer{refused, record}, []string{byID, byNumber, byNumber}},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := newServer(t, tt.answers...)
			for range 2 {
				got, err := c.SetMessagingProfile(t.Context(), Number{ID: "12345", PhoneNumber: number}, "p")
				if err != nil || got != want {
					t.Errorf("got %+v, %v; want %+v", got, err, want)
				}
			}
			requests := make([]sent, len(tt.paths))
			for i, path := range tt.paths {
				requests[i] = sent{Method: "PATCH", Path: path, Body: `{"messaging_profile_id":"p"}`}
			}
			assertSent(t, s, requests...)
		})
	}
	c, s := newServer(t, refused)
	if _, err := c.SetMessagingProfile(t.Context(), Number{ID: "12345", PhoneNumber: number}, "p"); !IsNotFound(err) || len(s.requests) != 2 {
		t.Errorf("asked %d times, got %v; want both names, then not found", len(s.requests), err)
	}
	c, s = newServer(t, answer{status: 500})
	if _, err := c.SetMessagingProfile(t.Context(), Number{ID: "12345", PhoneNumber: number}, "p"); !EffectUnknown(err) || len(s.requests) != 1 {
		t.Errorf("sent %d times, got %v; want one whose effect is unknown", len(s.requests), err)
	}
}

func TestNumberType_IsLongCodeInAnySpelling(t *testing.T) {
	for kind, want := range map[NumberType][2]bool{ // long code, known to be another
		"longcode": {true, false}, "long-code": {true, false}, "Long Code": {true, false}, "LONG_CODE": {true, false}, "local": {true, false},
		"tollfree": {false, true}, "toll-free": {false, true}, "toll_free": {false, true}, "Toll Free": {false, true}, "shortcode": {false, true},
		"": {}, "hosted": {},
	} {
		if got := [2]bool{kind.IsLongCode(), kind.IsOther()}; got != want || kind.IsKnown() != (want[0] || want[1]) {
			t.Errorf("%q: got %v, known %v, want %v", kind, got, kind.IsKnown(), want)
		}
	}
}

func TestCanonicalNumber_ReadsEverySpelling(t *testing.T) {
	for text, want := range map[string]string{
		"+16715455939": number, "16715455939": number, "6715455939": number, "(671) 545-5939": number, "+1 671…": "+1 671…",
		"+1 (671) 545-5939": number, " 16715455939": number, "tel:+1-671-545-5939": "+16715455939", "1.671.545.5939": number,
		"+44 20 7946 0958": "+442079460958", "12345": "12345", "": "", " x ": "x", "+1": "+1",
	} {
		if got := CanonicalNumber(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
