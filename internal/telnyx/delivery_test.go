package telnyx

import (
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// deliveryRow is an entry as the OpenAPI description has it, the latest attempt first. An
// attempt without an answer has errors in one of two forms.
const deliveryRow = `{"id":"d1","status":"failed","record_type":"webhook_delivery",
	"webhook":{"event_type":"10dlc.campaign.update","id":"e1","payload":{"campaignId":"c1","type":"VERIFIED"}},
	"started_at":"2026-03-02T12:00:00.000Z","finished_at":"2026-03-02T12:02:00.000Z",
	"attempts":[
		{"status":"failed","started_at":"2026-03-02T12:01:00.000Z","http":{"request":{"url":"https://b.example.com/"},"response":{"status":502,"body":""}},"errors":[75499]},
		{"status":"failed","started_at":"2026-03-02T12:00:00.000Z","http":{"request":{"url":"https://a.example.com/"},"reponse":null},"errors":[{"code":"75001"}]}]}`

func TestDeliveries_AreReadAndCheckedRowByRow(t *testing.T) {
	since := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	// Telnyx may ignore the filters.
	c, sv := newServer(t, ok(`{"data":[`+deliveryRow+`,
		{"id":"d2","status":"delivered","webhook":{"event_type":"10dlc.campaign.update"},"started_at":"2026-03-02T12:00:00Z"},
		{"id":"d3","status":"failed","webhook":{"event_type":"message.received"},"started_at":"2026-03-02T12:00:00Z"},
		{"id":"d4","status":"failed","webhook":{"event_type":"10dlc.brand.update"},"started_at":"2026-03-02T11:59:59Z"}],
		"meta":{"page_number":1,"page_size":250,"total_pages":1,"total_results":4}}`), ok(`{"data":[],"meta":{"total_results":4}}`))
	got, err := c.Deliveries(t.Context(), since, true, 4)
	if err != nil {
		t.Fatal(err)
	}
	at := func(minute int) Time {
		when := since.Add(time.Duration(minute) * time.Minute)
		return Time{Time: when, Text: when.Format("2006-01-02T15:04:05.000Z")}
	}
	want := []Delivery{{
		ID: "d1", Status: "failed", EventType: EventCampaignUpdate, EventID: "e1", CampaignID: "c1", StartedAt: at(0), FinishedAt: at(2),
		Attempts: []DeliveryAttempt{{URL: "https://a.example.com/", StartedAt: at(0)}, {URL: "https://b.example.com/", StartedAt: at(1), Answer: 502}},
	}}
	if diff := cmp.Diff(want, got.All); diff != "" || !got.Complete {
		t.Errorf("deliveries, complete %v (-want +got):\n%s", got.Complete, diff)
	}
	if last := got.All[0].Last(); last.Answer != 502 {
		t.Errorf("last attempt: got %+v, want the one that was answered 502", last)
	}
	query, err := url.ParseQuery(sv.requests[0].Query)
	if err != nil || query.Get("filter[started_at][gte]") != "2026-03-02T12:00:00Z" || query.Get("filter[status][eq]") != "failed" {
		t.Errorf("query: got %v, %v", query, err)
	}
}

func TestDelivery_TakesWhateverFormTheRecordHas(t *testing.T) {
	for _, text := range []string{`{}`, `null`, `[]`, `{"webhook":"x","attempts":{"a":1},"started_at":7}`, `{"attempts":[null,"x",{"http":[]}]}`} {
		var d Delivery
		if err := d.UnmarshalJSON([]byte(text)); err != nil || d.CampaignID != "" || d.Last().Answer != 0 {
			t.Errorf("%s: got %+v, %v", text, d, err)
		}
	}
}
