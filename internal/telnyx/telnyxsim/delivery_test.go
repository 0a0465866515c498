package telnyxsim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"greenlight/internal/telnyx/telnyxsim"
)

func TestDelivery_IsTheEnvelopeSignedAndIndented(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hooks := &inbox{}
		sim := account(t, telnyxsim.Options{DeliveryTransport: hooks})
		defer sim.Close()
		_ = sim.Approve(campaignID)
		synctest.Wait()

		p := hooks.all()[0]
		p.verify(t, sim.PublicKey())
		if got := p.header.Get("Content-Type"); got != "application/json" {
			t.Errorf("Content-Type = %q", got)
		}
		if got := p.header.Get("User-Agent"); got != "telnyx-webhooks" {
			t.Errorf("User-Agent = %q", got)
		}
		var again bytes.Buffer
		if err := json.Indent(&again, p.body, "", "  "); err != nil || !bytes.Equal(again.Bytes(), p.body) {
			t.Errorf("body is not indented by two spaces: %v\n%s", err, p.body)
		}
		e := p.event(t)
		if e.Data.EventType != telnyxsim.EventCampaign || e.Data.RecordType != "event" || e.Data.ID == "" {
			t.Errorf("data = %+v", e.Data)
		}
		if e.Meta.Attempt != 1 || e.Meta.DeliveredTo != hookURL {
			t.Errorf("meta = %+v, want attempt 1 to %s", e.Meta, hookURL)
		}
		if !strings.Contains(string(p.body), `+00:00"`) {
			t.Errorf("occurred_at has no +00:00:\n%s", p.body)
		}
		want := map[string]any{
			"brandId": brandID, "campaignId": campaignID, "cspId": "CSIMCSP", "type": "VERIFIED",
			"isTMobileRegistered": true, "createdDate": e.Data.Payload["createdDate"],
		}
		if diff := cmp.Diff(want, e.Data.Payload); diff != "" {
			t.Errorf("payload (-want +got):\n%s", diff)
		}
	})
}

func TestDelivery_IsTriedFiveTimesThirtySecondsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hooks := &inbox{answer: func(attempt int) (*http.Response, error) {
			switch attempt {
			case 1:
				return nil, errors.New("connection refused")
			case 2:
				return status(http.StatusFound), nil
			case 3:
				return status(http.StatusMultipleChoices), nil
			default:
				return status(http.StatusServiceUnavailable), nil
			}
		}}
		sim := account(t, telnyxsim.Options{DeliveryTransport: hooks})
		defer sim.Close()
		begin := time.Now()
		_ = sim.Approve(campaignID)
		time.Sleep(time.Hour)

		came := hooks.all()
		if len(came) != 5 {
			t.Fatalf("%d attempts, want 5", len(came))
		}
		stamps := map[string]bool{}
		for i, p := range came {
			p.verify(t, sim.PublicKey())
			stamps[p.header.Get("telnyx-timestamp")] = true
			if got, want := p.at.Sub(begin), time.Duration(i)*30*time.Second; got != want || p.url != hookURL {
				t.Errorf("attempt %d came after %s to %s, want %s and %s", i+1, got, p.url, want, hookURL)
			}
			e, first := p.event(t), came[0].event(t)
			if e.Meta.Attempt != i+1 || e.Data.ID != first.Data.ID || !e.Data.OccurredAt.Equal(first.Data.OccurredAt) {
				t.Errorf("attempt %d = %+v, want its number and the first one's id and time", i+1, e)
			}
		}
		if len(stamps) != 5 {
			t.Errorf("%d different timestamps, want 5", len(stamps))
		}
		d := sim.Deliveries()[0]
		if d.Status != telnyxsim.DeliveryFailed || len(d.Attempts) != 5 || d.Attempts[1].Status != 302 || d.Attempts[0].Err == "" {
			t.Errorf("delivery = %+v, want it failed after five attempts", d)
		}
	})
}

func TestDelivery_AnyTwoHundredIsSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hooks := &inbox{answer: func(attempt int) (*http.Response, error) {
			if attempt == 1 {
				return status(http.StatusInternalServerError), nil
			}
			return status(http.StatusAccepted), nil
		}}
		sim := account(t, telnyxsim.Options{DeliveryTransport: hooks, RetryInterval: time.Second})
		defer sim.Close()
		_ = sim.Approve(campaignID)
		time.Sleep(time.Minute)
		d := sim.Deliveries()[0]
		if d.Status != telnyxsim.DeliveryDelivered || len(d.Attempts) != 2 || string(d.Attempts[1].Answer) != "thanks" {
			t.Errorf("delivery = %+v, want it delivered with the second attempt", d)
		}
	})
}

func TestDelivery_RetriesGoToTheFailoverURL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hooks := &inbox{answer: func(attempt int) (*http.Response, error) { return status(500 - 300*(attempt/2)), nil }}
		sim := account(t, telnyxsim.Options{DeliveryTransport: hooks})
		defer sim.Close()
		sim.AddCampaign(telnyxsim.Campaign{ID: campaignID, WebhookURL: hookURL, WebhookFailoverURL: hookURL + "/2"})
		_ = sim.Submit(campaignID)
		time.Sleep(time.Hour)
		came := hooks.all()
		if len(came) != 2 || came[0].url != hookURL || came[1].url != hookURL+"/2" || came[1].event(t).Meta.DeliveredTo != hookURL+"/2" {
			t.Errorf("deliveries = %+v, want a second to the failover URL", came)
		}
	})
}

func TestDelivery_TimesOut(t *testing.T) {
	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer slow.Close()
	defer close(release)
	sim := telnyxsim.New(telnyxsim.Options{DeliveryTimeout: 20 * time.Millisecond, Attempts: 1})
	defer sim.Close()
	c := sim.AddCampaign(telnyxsim.Campaign{WebhookURL: slow.URL})
	_ = sim.Submit(c.ID)
	eventually(t, func() bool { return sim.Deliveries()[0].Status == telnyxsim.DeliveryFailed })
	if err := sim.Deliveries()[0].Attempts[0].Err; !strings.Contains(err, "deadline") {
		t.Errorf("attempt ended with %q, want a deadline", err)
	}
}

func TestDelivery_DoesNotFollowRedirects(t *testing.T) {
	var target *httptest.Server
	followed := false
	target = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		followed = followed || r.URL.Path == "/elsewhere"
		http.Redirect(w, r, target.URL+"/elsewhere", http.StatusTemporaryRedirect)
	}))
	defer target.Close()
	sim := telnyxsim.New(telnyxsim.Options{Attempts: 1})
	defer sim.Close()
	c := sim.AddCampaign(telnyxsim.Campaign{WebhookURL: target.URL})
	_ = sim.Submit(c.ID)
	eventually(t, func() bool { return sim.Deliveries()[0].Status == telnyxsim.DeliveryFailed })
	if followed {
		t.Error("the redirect was followed")
	}
}

func TestDelivery_DropsAndDuplicates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hooks := &inbox{}
		sim := account(t, telnyxsim.Options{DeliveryTransport: hooks})
		defer sim.Close()
		sim.DropDeliveries(true)
		_ = sim.Submit(campaignID)
		sim.DropDeliveries(false)
		sim.DuplicateDeliveries(2)
		_ = sim.Approve(campaignID)
		synctest.Wait()

		came := hooks.all()
		if len(came) != 3 {
			t.Fatalf("%d deliveries, want 3", len(came))
		}
		for _, p := range came {
			if e := p.event(t); e.Data.ID != came[0].event(t).Data.ID || e.Data.Payload["type"] != "VERIFIED" {
				t.Errorf("delivery = %+v, want VERIFIED under one id", e.Data)
			}
		}
		if got := sim.Deliveries()[0]; got.Status != telnyxsim.DeliveryDropped || len(got.Attempts) != 0 {
			t.Errorf("first delivery = %+v, want it dropped", got)
		}
	})
}

func TestDelivery_NoURLNoDelivery(t *testing.T) {
	sim := telnyxsim.New(telnyxsim.Options{DeliveryTransport: &inbox{}})
	defer sim.Close()
	c := sim.AddCampaign(telnyxsim.Campaign{})
	_ = sim.Approve(c.ID)
	if got := sim.Deliveries(); len(got) != 0 {
		t.Errorf("deliveries = %+v, want none", got)
	}
}

func TestSend_SignsAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in which no second begins between signing and receiving
		hooks := &inbox{answer: func(int) (*http.Response, error) { return status(http.StatusTeapot), nil }}
		sim := telnyxsim.New(telnyxsim.Options{DeliveryTransport: hooks})
		defer sim.Close()
		got, err := sim.Send(t.Context(), hookURL, []byte("no JSON"))
		if got != http.StatusTeapot || err != nil {
			t.Errorf("Send = %d, %v, want 418", got, err)
		}
		hooks.all()[0].verify(t, sim.PublicKey())
		if got := sim.Deliveries(); len(got) != 0 {
			t.Errorf("deliveries = %+v, want none", got)
		}
	})
}

func TestSend_EndsWithItsContext(t *testing.T) {
	waits := transport(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	sim := telnyxsim.New(telnyxsim.Options{DeliveryTransport: waits, DeliveryTimeout: time.Hour})
	defer sim.Close()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sim.Send(canceled, hookURL, nil); err == nil || !strings.Contains(err.Error(), hookURL) {
		t.Errorf("Send with a canceled context = %v, want an error that names the URL", err)
	}
}

func TestEmit_SendsAnyEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hooks := &inbox{}
		sim := account(t, telnyxsim.Options{DeliveryTransport: hooks})
		defer sim.Close()
		if err := sim.Emit(campaignID, "10dlc.new.thing", map[string]any{"x": "<&>"}); err != nil {
			t.Fatal(err)
		}
		if err := sim.Emit(campaignID, "10dlc.new.thing", func() {}); err == nil {
			t.Error("Emit of a function = nil, want an error")
		}
		synctest.Wait()
		p := hooks.all()[0]
		if got := p.event(t).Data; got.EventType != "10dlc.new.thing" || got.Payload["x"] != "<&>" {
			t.Errorf("data = %+v", got)
		}
		if !bytes.Contains(p.body, []byte("<&>")) {
			t.Errorf("body is escaped for HTML:\n%s", p.body)
		}
	})
}

func TestClose_EndsRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hooks := &inbox{answer: func(int) (*http.Response, error) { return status(500), nil }}
		sim := account(t, telnyxsim.Options{DeliveryTransport: hooks, AssignDelay: time.Hour})
		_ = sim.Approve(campaignID)
		post(t, sim, numberA, campaignID)
		synctest.Wait()
		sim.Close()
		time.Sleep(2 * time.Hour)
		if got := len(hooks.all()); got != 1 {
			t.Errorf("%d attempts, want the one before Close", got)
		}
		if got := statusOf(t, sim, numberA)[0]; got != "PENDING_ASSIGNMENT" {
			t.Errorf("record moved to %s after Close", got)
		}
	})
}

func TestWebhookDeliveries_AreServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hooks := &inbox{answer: func(attempt int) (*http.Response, error) {
			if attempt == 1 {
				return status(200), nil
			}
			return nil, errors.New("no route to host")
		}}
		sim := account(t, telnyxsim.Options{DeliveryTransport: hooks})
		defer sim.Close()
		_ = sim.Submit(campaignID)
		time.Sleep(time.Second)
		_ = sim.Approve(campaignID)
		synctest.Wait()
		if got := call(t, sim, "GET", "/webhook_deliveries", "").column(t, "data", "status"); len(got) != 1 {
			t.Errorf("deliveries = %v, want the pending one left out", got)
		}
		time.Sleep(time.Hour)

		for _, tc := range []struct {
			name, query string
			want        []string
		}{
			{"all, newest first", "", []string{"failed", "delivered"}},
			{"failed", query("filter[status][eq]", "failed"), []string{"failed"}},
			{"event type", query("filter[event_type]", "x,10dlc.campaign.update"), []string{"failed", "delivered"}},
			{"other event type", query("filter[event_type]", "10dlc.campaign"), []string{}},
			{"webhook", query("filter[webhook][contains]", "CAMPAIGN_ADD"), []string{"delivered"}},
			{"attempts", query("filter[attempts][contains]", "thanks"), []string{"delivered"}},
			{"started later", query("filter[started_at][gte]", "2000-01-01T00:00:01Z"), []string{"failed"}},
			{"finished early", query("filter[finished_at][lte]", "2000-01-01T00:00:01Z"), []string{"delivered"}},
			{"second page", query("page[size]", "1", "page[number]", "2"), []string{"delivered"}},
		} {
			got := call(t, sim, "GET", "/webhook_deliveries"+tc.query, "").column(t, "data", "status")
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.name, diff)
			}
		}
		for i, want := range []string{`"status":"delivered"}]`, `"errors":[75499]`} {
			id := sim.Deliveries()[i].ID
			got := call(t, sim, "GET", "/webhook_deliveries/"+id, "")
			if got.status != 200 || !strings.Contains(got.body, id) || !strings.Contains(got.body, want) {
				t.Errorf("GET one = %d %s, want 200 with %s", got.status, got.body, want)
			}
			headers := `"headers":[["Content-Type","application/json"],["Telnyx-Signature-Ed25519",`
			if !strings.Contains(got.body, headers) {
				t.Errorf("GET one = %s, want the headers by name: %s", got.body, headers)
			}
		}
		if got := call(t, sim, "GET", "/webhook_deliveries/nope", ""); got.status != 404 {
			t.Errorf("GET unknown = %d, want 404", got.status)
		}
	})
}

// eventually polls until a condition holds, for tests with a real network.
func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the condition was not met within 5 s")
		}
	}
}
