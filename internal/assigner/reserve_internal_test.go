package assigner

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
)

// transport answers requests without a network.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// At a low rate each wait for the limiter takes longer than a reading of the campaign
// lasts. The write goes out nevertheless, with a reading that is not old.
func TestReserve_EndsWithAFreshReadingAtALowRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := func(r *http.Request) (*http.Response, error) {
			body := io.NopCloser(strings.NewReader(`{"campaignId":"a","campaignStatus":"MNO_PROVISIONED"}`))
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: body, Request: r}, nil
		}
		limiter := telnyx.NewLimiter(telnyx.LimiterConfig{Ceiling: 0.25})
		client := &telnyx.Client{HTTPClient: &http.Client{Transport: transport(answer)}, Limiter: limiter}
		a := &Assigner{client: client, observer: newObserver(client, 1, time.Now), queue: newQueue(), now: time.Now,
			config: Config{Plans: func() *plan.Set { return nil }}}
		r := &reconcile{a: a, want: plan.Campaign{CampaignID: "a"}}
		stop := make(chan struct{})
		for range 7 { // others always wait for five calls each
			go func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					_, release, err := limiter.Reserve(t.Context(), 5)
					if err != nil {
						return
					}
					time.Sleep(time.Second)
					release()
				}
			}()
		}
		synctest.Wait()
		began := time.Now()
		_, release, err := r.reserve(t.Context(), 2)
		if err != nil {
			t.Fatal(err)
		}
		if age := r.readingAge(); age > maxReadAge {
			t.Errorf("the reading is %s old, want at most %s", age, maxReadAge)
		}
		if took := time.Since(began); took > 20*time.Minute {
			t.Errorf("it took %s", took)
		}
		release()
		close(stop)
	})
}
