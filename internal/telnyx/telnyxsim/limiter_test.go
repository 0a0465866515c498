package telnyxsim_test

import (
	"testing"
	"testing/synctest"
	"time"

	"greenlight/internal/telnyx/telnyxsim"
)

func TestRateLimit_AnswersItsHeadersAndThen429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := account(t, telnyxsim.Options{RateLimit: 2})
		defer sim.Close()
		for i, want := range []struct {
			status    int
			remaining string
		}{{200, "1"}, {200, "0"}, {429, "0"}} {
			got := call(t, sim, "GET", "/10dlc/brand", "")
			if got.status != want.status {
				t.Errorf("request %d = %d, want %d", i+1, got.status, want.status)
			}
			for name, value := range map[string]string{
				"x-ratelimit-limit": "2", "x-ratelimit-remaining": want.remaining, "x-ratelimit-reset": "1",
			} {
				if got.header.Get(name) != value {
					t.Errorf("request %d: %s = %q, want %q", i+1, name, got.header.Get(name), value)
				}
			}
			if got.status == 429 && got.code(t) != "10011" {
				t.Errorf("code = %s, want 10011", got.code(t))
			}
		}
		if got := post(t, sim, numberA, campaignID); got.status != 429 || sim.Writes()[0].Effective {
			t.Errorf("POST = %d %+v, want 429 without effect", got.status, sim.Writes()[0])
		}
		time.Sleep(time.Second)
		if got := call(t, sim, "GET", "/10dlc/brand", ""); got.status != 200 {
			t.Errorf("a second later = %d, want 200", got.status)
		}
	})
}

func TestLatency_PassesBeforeEveryAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := account(t, telnyxsim.Options{Latency: 3 * time.Second})
		defer sim.Close()
		begin := time.Now()
		call(t, sim, "GET", "/10dlc/brand", "")
		if got := time.Since(begin); got != 3*time.Second {
			t.Errorf("answer after %s, want 3s", got)
		}
	})
}
