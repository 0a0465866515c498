package telnyxsim_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"greenlight/internal/telnyx/telnyxsim"
)

func TestSimulator_PublicKeyIsRawAndBase64(t *testing.T) {
	sim := account(t, telnyxsim.Options{})
	key, err := base64.StdEncoding.DecodeString(sim.PublicKey())
	if err != nil || len(key) != 32 || len(sim.PublicKey()) != 44 {
		t.Errorf("PublicKey = %q (%d bytes, %v), want base64 of 32 bytes", sim.PublicKey(), len(key), err)
	}
}

func TestSimulator_DemandsAKey(t *testing.T) {
	for _, tc := range []struct {
		name, required, authorization string
		want                          int
	}{
		{"any key", "", "Bearer whatever", 200},
		{"no header", "", "", 401},
		{"no key", "", "Bearer ", 401},
		{"no scheme", "", "KEY", 401},
		{"the right key", "KEY", "Bearer KEY", 200},
		{"a wrong key", "KEY", "Bearer OTHER", 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sim := account(t, telnyxsim.Options{RequiredAPIKey: tc.required})
			r := httptest.NewRequest("GET", "/v2/10dlc/brand", http.NoBody)
			r.Header.Set("Authorization", tc.authorization)
			w := httptest.NewRecorder()
			sim.ServeHTTP(w, r)
			got := reply{w.Code, w.Header(), w.Body.String()}
			if got.status != tc.want {
				t.Fatalf("status = %d, want %d", got.status, tc.want)
			}
			if tc.want == 401 && got.code(t) != "10009" {
				t.Errorf("code = %q, want 10009", got.code(t))
			}
		})
	}
}

func TestSimulator_DoesNotKnowOtherPaths(t *testing.T) {
	sim := account(t, telnyxsim.Options{})
	for _, path := range []string{
		"/10dlc/phoneNumberCampaign",
		"/10dlc/phoneNumberCampaign/" + numberA,
		"/10dlc/campaignBuilder/" + campaignID,
		"/10dlc/phone_number_campaigns/",
		"/",
	} {
		got := call(t, sim, "GET", path, "")
		if got.status != 404 || got.code(t) != "10005" {
			t.Errorf("GET %s = %d %s, want 404 with code 10005", path, got.status, got.body)
		}
	}
}

func TestSimulator_CloseCanBeRepeatedAndLeavesTheStateReadable(t *testing.T) {
	sim := account(t, telnyxsim.Options{})
	sim.Close()
	sim.Close()
	if got := call(t, sim, "GET", "/10dlc/campaign/"+campaignID, ""); got.status != 200 {
		t.Errorf("GET after Close = %d, want 200", got.status)
	}
	if err := sim.Approve(campaignID); err != nil {
		t.Error(err)
	}
}

func TestSimulator_IsSafeForConcurrentUse(t *testing.T) {
	sim := account(t, telnyxsim.Options{DeliveryTransport: &inbox{}})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			post(t, sim, numberA, campaignID)
			put(t, sim, numberA, otherID)
			remove(t, sim, numberA)
			call(t, sim, "GET", "/10dlc/phone_number_campaigns", "")
			_ = sim.Suspend(campaignID)
			_ = sim.Approve(campaignID)
			sim.Inject(telnyxsim.Fault{Kind: telnyxsim.HTML502()})
			_, _, _, _ = sim.Writes(), sim.Calls(), sim.Deliveries(), sim.Assignments()
		})
	}
	all.Wait()
	if got := sim.Calls()["POST /10dlc/phone_number_campaigns"]; got != 8 {
		t.Errorf("POST calls = %d, want 8", got)
	}
}
