package telnyxsim_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// served puts a simulator behind a real server.
func served(t *testing.T) (*telnyxsim.Simulator, string) {
	t.Helper()
	sim := account(t, telnyxsim.Options{AssignDelay: telnyxsim.Never, DeliveryTransport: &inbox{}})
	server := httptest.NewUnstartedServer(sim)
	server.Config.SetKeepAlivesEnabled(false)
	server.Start()
	t.Cleanup(server.Close)
	return sim, server.URL + "/v2"
}

// over sends a POST of numberA over the network.
func over(ctx context.Context, base string) (reply, error) {
	r, err := http.NewRequestWithContext(ctx, "POST", base+"/10dlc/phone_number_campaigns",
		strings.NewReader(pair(numberA, campaignID)))
	if err != nil {
		return reply{}, err
	}
	r.Header.Set("Authorization", "Bearer KEY")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, string(body)}, err
}

func TestFault_SpoilsAsItsKindSays(t *testing.T) {
	for _, tc := range []struct {
		name    string
		kind    telnyxsim.FaultKind
		status  int // 0: no answer, or one that broke off
		body    string
		applied bool
	}{
		{"none", telnyxsim.FaultKind{}, 200, "PENDING_ASSIGNMENT", true},
		{"status", telnyxsim.StatusFault(503, `{"errors":[]}`), 503, `{"errors":[]}`, false},
		{"HTML", telnyxsim.HTML502(), 502, "<center>", false},
		{"rate limited", telnyxsim.RateLimited(1500 * time.Millisecond), 429, "10011", false},
		{"empty body", telnyxsim.EmptyBody(), 200, "", true},
		{"unreadable", telnyxsim.UnreadableJSON(), 200, "phoneNumber", true},
		{"truncated", telnyxsim.TruncatedBody(), 0, "", true},
		{"reset", telnyxsim.Reset(), 0, "", false},
		{"hang", telnyxsim.Hang(), 0, "", false},
		{"effect, then lost", telnyxsim.EffectThenLost(), 0, "", true},
		{"effect, then hang", telnyxsim.EffectThenHang(), 0, "", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sim, base := served(t)
			applied := make(chan struct{}, 1)
			sim.Inject(telnyxsim.Fault{
				Method: "POST", PathPrefix: "/10dlc/phone_number", Kind: tc.kind,
				OnApplied: func() { applied <- struct{}{} },
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if strings.HasSuffix(tc.name, "hang") {
				go whenWritten(ctx, sim, cancel) // the client gives up
			}
			got, err := over(ctx, base)
			if tc.status == 0 && err == nil {
				t.Errorf("answer = %+v, want none", got)
			}
			if tc.status != 0 && (err != nil || got.status != tc.status || !strings.Contains(got.body, tc.body)) {
				t.Errorf("answer = %+v, %v, want %d with %q", got, err, tc.status, tc.body)
			}
			if applied := len(sim.Assignments()) == 1; applied != tc.applied {
				t.Errorf("applied %t, want %t", applied, tc.applied)
			}
			if tc.applied {
				<-applied
			} else if len(applied) > 0 {
				t.Error("OnApplied was called, but the operation did not run")
			}
			w := sim.Writes()
			if len(w) != 1 || w[0].Effective != tc.applied || w[0].PhoneNumber != numberA || w[0].CampaignID != campaignID {
				t.Errorf("writes = %+v, want one of the pair, effective %t", w, tc.applied)
			}
			if again, err := over(t.Context(), base); err != nil || again.status != 200 {
				t.Errorf("next request = %+v, %v, want the fault used up", again, err)
			}
		})
	}
}

// whenWritten calls f once the simulator has seen a write, or ctx is over.
func whenWritten(ctx context.Context, sim *telnyxsim.Simulator, f func()) {
	for ctx.Err() == nil && len(sim.Writes()) == 0 {
		time.Sleep(time.Millisecond)
	}
	f()
}

func TestFault_AnswerStatusOfAWriteIsWhatTheClientHeard(t *testing.T) {
	sim, base := served(t)
	sim.Inject(telnyxsim.Fault{Kind: telnyxsim.EffectThenLost()})
	sim.Inject(telnyxsim.Fault{Kind: telnyxsim.HTML502()})
	_, _ = over(t.Context(), base)
	_, _ = over(t.Context(), base)
	if w := sim.Writes(); len(w) != 2 || w[0].AnswerStatus != 0 || w[1].AnswerStatus != 502 {
		t.Errorf("writes = %+v, want statuses 0 and 502", w)
	}
}

func TestFault_RateLimitedSaysWhen(t *testing.T) {
	sim, base := served(t)
	sim.Inject(telnyxsim.Fault{Kind: telnyxsim.RateLimited(1500 * time.Millisecond)})
	got, err := over(t.Context(), base)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Retry-After", "X-Ratelimit-Reset"} {
		if got.header.Get(name) != "2" {
			t.Errorf("%s = %q, want 2", name, got.header.Get(name))
		}
	}
}

func TestFault_TruncatedBodyBreaksOff(t *testing.T) {
	sim, base := served(t)
	sim.Inject(telnyxsim.Fault{Kind: telnyxsim.TruncatedBody()})
	got, err := over(t.Context(), base)
	if !errors.Is(err, io.ErrUnexpectedEOF) || got.status != 200 || got.body == "" || json.Valid([]byte(got.body)) {
		t.Errorf("answer = %+v, %v, want 200, half a body and an unexpected EOF", got, err)
	}
}

func TestFault_IsForAsManyMatchesAsItSays(t *testing.T) {
	sim := account(t, telnyxsim.Options{})
	sim.Inject(telnyxsim.Fault{
		Times: 2, Kind: telnyxsim.StatusFault(500, "{}"),
		Match: func(r *http.Request) bool {
			body, err := io.ReadAll(r.Body)
			return err == nil && strings.Contains(string(body), numberB)
		},
	})
	statuses := []int{}
	for _, phoneNumber := range []string{numberA, numberB, numberB, numberB} {
		statuses = append(statuses, post(t, sim, phoneNumber, campaignID).status)
	}
	if got, want := statuses, [4]int{200, 500, 500, 200}; [4]int(got) != want {
		t.Errorf("statuses = %v, want %v", got, want)
	}
	sim.Inject(telnyxsim.Fault{Times: -1, Kind: telnyxsim.HTML502()})
	for range 3 {
		if got := call(t, sim, "GET", "/10dlc/brand", "").status; got != 502 {
			t.Errorf("status = %d, want 502", got)
		}
	}
	sim.ClearFaults()
	if got := call(t, sim, "GET", "/10dlc/brand", "").status; got != 200 {
		t.Errorf("status after ClearFaults = %d, want 200", got)
	}
}

func TestFault_CloseLetsGoOfWhatHangs(t *testing.T) {
	sim, base := served(t)
	applied := make(chan struct{})
	sim.Inject(telnyxsim.Fault{Kind: telnyxsim.EffectThenHang(), OnApplied: func() { close(applied) }})
	failed := make(chan error)
	go func() {
		_, err := over(context.Background(), base)
		failed <- err
	}()
	<-applied
	if got := sim.Assignments(); len(got) != 1 || got[0].Status != telnyx.PendingAssignment {
		t.Errorf("assignments = %+v, want the POST to have taken effect", got)
	}
	sim.Close()
	if err := <-failed; err == nil {
		t.Error("the hanging request was answered, want it cut")
	}
}
