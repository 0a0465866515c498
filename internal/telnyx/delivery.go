package telnyx

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// DeliveryFailed is the status of a delivery whose attempts have all failed. The other
// published status is "delivered".
const DeliveryFailed = "failed"

// Delivery is an entry of Telnyx's own log of what it posted to webhooks. How long Telnyx
// keeps the log is not documented.
type Delivery struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	// EventType, EventID, CampaignID and PhoneNumber are the event's; the last two are
	// empty for events without them.
	EventType   string `json:"event_type"`
	EventID     string `json:"event_id"`
	CampaignID  string `json:"campaign_id"`
	PhoneNumber string `json:"phone_number"`
	StartedAt   Time   `json:"started_at"`
	FinishedAt  Time   `json:"finished_at"`
	// Attempts are sorted, the oldest first.
	Attempts []DeliveryAttempt `json:"attempts"`
}

// DeliveryAttempt is one POST of a delivery.
type DeliveryAttempt struct {
	URL       string `json:"url"`
	StartedAt Time   `json:"started_at"`
	// Answer is the HTTP status, 0 if there was no answer.
	Answer int `json:"answer"`
}

// Last returns the latest attempt, or the zero value.
func (d Delivery) Last() DeliveryAttempt {
	if len(d.Attempts) == 0 {
		return DeliveryAttempt{}
	}
	return d.Attempts[len(d.Attempts)-1]
}

// UnmarshalJSON decodes a record, and leaves out what has an unexpected form.
func (d *Delivery) UnmarshalJSON(data []byte) error {
	*d = Delivery{}
	record := gjson.ParseBytes(data)
	event := record.Get("webhook")
	event = cmpExists(event.Get("data"), event) // the event is bare in the description, and enveloped when posted
	d.ID, d.Status = record.Get("id").String(), record.Get("status").String()
	d.EventType, d.EventID = event.Get("event_type").String(), event.Get("id").String()
	d.CampaignID = event.Get("payload.campaignId").String()
	d.PhoneNumber = event.Get("payload.phoneNumber").String()
	d.StartedAt, d.FinishedAt = timeIn(record, "started_at"), timeIn(record, "finished_at")
	for _, attempt := range record.Get("attempts").Array() {
		d.Attempts = append(d.Attempts, DeliveryAttempt{
			URL: attempt.Get("http.request.url").String(), StartedAt: timeIn(attempt, "started_at"), Answer: int(attempt.Get("http.response.status").Int()),
		})
	}
	// The description says that the latest comes first.
	slices.SortStableFunc(d.Attempts, func(a, b DeliveryAttempt) int { return a.StartedAt.Compare(b.StartedAt.Time) })
	return nil
}

// cmpExists returns the first of two values that is an object.
func cmpExists(first, second gjson.Result) gjson.Result {
	if first.IsObject() {
		return first
	}
	return second
}

func timeIn(record gjson.Result, key string) (t Time) {
	if raw := record.Get(key).Raw; raw != "" {
		_ = json.Unmarshal([]byte(raw), &t) // never fails
	}
	return t
}

// deliveryEvents are the types of 10DLC events.
var deliveryEvents = []string{EventBrandUpdate, EventCampaignUpdate, EventPhoneNumberUpdate}

// Deliveries lists the deliveries of 10DLC events that began at the given time or later, the
// latest first, and with failed only those that failed. At most maxPages pages of 250 are
// read; zero means no limit. Telnyx may ignore filters, so every row is checked here.
//
// OpenAPI: GET /webhook_deliveries
func (c *Client) Deliveries(ctx context.Context, since time.Time, failed bool, maxPages int) (Rows[Delivery], error) {
	query := url.Values{"filter[started_at][gte]": {since.UTC().Format(time.RFC3339)}, "filter[event_type]": {strings.Join(deliveryEvents, ",")}}
	if failed {
		query.Set("filter[status][eq]", DeliveryFailed)
	}
	rows, err := list(ctx, c, listing[Delivery]{
		pagings: pagingsOf([]string{"/webhook_deliveries"}, []pageNames{namesV2, names10DLC, namesPlain}, "", 250, 100, 50, 20), query: query,
		key: func(d *Delivery) string { return d.ID }, maxPages: maxPages,
	})
	rows.All = slices.DeleteFunc(rows.All, func(d Delivery) bool {
		return failed && d.Status != DeliveryFailed || d.StartedAt.Before(since.Truncate(time.Second)) || !slices.Contains(deliveryEvents, d.EventType)
	})
	return rows, annotate(err, "list webhook deliveries")
}
