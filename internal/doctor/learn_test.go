package doctor_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"greenlight/internal/doctor"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

func TestLearn_SaysHowTelnyxUnderstandsRequests(t *testing.T) {
	sim := telnyxsim.New(telnyxsim.Options{})
	defer sim.Close()
	sim.AddNumbers(telnyxsim.Number{PhoneNumber: "+15551234567", MessagingProfileID: "4001776e-0000-4000-8000-000000000001"})
	var mu sync.Mutex
	var methods []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		methods = append(methods, r.Method)
		mu.Unlock()
		sim.ServeHTTP(w, r)
	}))
	defer server.Close()
	client := &telnyx.Client{APIKey: "KEY0123456789_s3cret", BaseURL: server.URL + "/v2", HTTPClient: server.Client()}
	got := doctor.Learn(t.Context(), client)
	if !slices.Contains(got, "Assignments are under /10dlc/phone_number_campaigns.") {
		t.Errorf("got %q, want the path of assignments", got)
	}
	if len(methods) > 10 || slices.ContainsFunc(methods, func(m string) bool { return m != http.MethodGet }) {
		t.Errorf("got requests %q, want a few reads", methods)
	}
	r := doctor.NewReport(time.Now())
	r.Learned = got
	var b strings.Builder
	must(t, r.WriteText(&b))
	if !strings.Contains(b.String(), "\nHow Telnyx understands requests\n  Assignments are under /10dlc/phone_number_campaigns.\n") {
		t.Errorf("got %s, want what was learned", b.String())
	}
}
