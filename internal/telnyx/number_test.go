package telnyx

import "testing"

func TestClient_SetMessagingProfileSendsTheProfileAlone(t *testing.T) {
	c, s := newServer(t, ok(`{"data":{"id":"12345","phone_number":"+16715455939","messaging_profile_id":"p","type":"longcode"}}`))
	got, err := c.SetMessagingProfile(t.Context(), Number{ID: "12345", PhoneNumber: number}, "p")
	if err != nil {
		t.Fatal(err)
	}
	if want := (Number{ID: "12345", PhoneNumber: number, MessagingProfileID: "p", Type: "longcode"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	assertSent(t, s, sent{Method: "PATCH", Path: "/v2/phone_numbers/12345/messaging", Body: `{"messaging_profile_id":"p"}`})
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
