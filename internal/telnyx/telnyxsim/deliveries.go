package telnyxsim

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// accountUserID is the user_id of every delivery.
const accountUserID = "0ccc7b54-4df3-4bca-a65a-3da1ecc777f0"

// The rows of GET /webhook_deliveries.
type (
	deliveryRecord struct {
		ID         string          `json:"id"`
		UserID     string          `json:"user_id"`
		RecordType string          `json:"record_type"`
		Status     DeliveryStatus  `json:"status"`
		Webhook    webhookRecord   `json:"webhook"`
		StartedAt  string          `json:"started_at"`
		FinishedAt string          `json:"finished_at"`
		Attempts   []attemptRecord `json:"attempts"`
	}
	webhookRecord struct {
		RecordType string `json:"record_type"`
		EventType  string `json:"event_type"`
		ID         string `json:"id"`
		OccurredAt string `json:"occurred_at"`
		Payload    any    `json:"payload"`
	}
	attemptRecord struct {
		Status     DeliveryStatus `json:"status"`
		StartedAt  string         `json:"started_at"`
		FinishedAt string         `json:"finished_at"`
		HTTP       exchangeRecord `json:"http"`
		// Errors are codes of which no list is published: 75499 is that of the
		// OpenAPI description's example.
		Errors []int `json:"errors,omitempty"`
	}
	exchangeRecord struct {
		Request  requestRecord   `json:"request"`
		Response *responseRecord `json:"response,omitempty"`
	}
	requestRecord struct {
		URL     string      `json:"url"`
		Headers [][2]string `json:"headers"`
	}
	responseRecord struct {
		Status  int         `json:"status"`
		Headers [][2]string `json:"headers"`
		Body    string      `json:"body"`
	}
)

// listDeliveries is GET /webhook_deliveries, newest first. Deliveries that are
// not over are not in it, as Telnyx has no status for them.
func listDeliveries(s *Simulator, c *call) answer {
	query := c.r.URL.Query()
	var found []*Delivery
	for _, d := range slices.Backward(s.deliveries) {
		if d.over() && d.matches(query) {
			found = append(found, d)
		}
	}
	return v2List(s, query, found, func(d *Delivery) any { return d.record() })
}

// getDelivery is GET /webhook_deliveries/{id}.
func getDelivery(s *Simulator, c *call) answer {
	for _, d := range s.deliveries {
		if d.ID == c.params["id"] && d.over() {
			return ok(dataOf(d.record()))
		}
	}
	return notFound("Webhook delivery not found")
}

func (d *Delivery) over() bool { return d.Status == DeliveryDelivered || d.Status == DeliveryFailed }

// matches applies the published filters.
func (d *Delivery) matches(query url.Values) bool {
	if want := query.Get("filter[status][eq]"); want != "" && want != string(d.Status) {
		return false
	}
	if want := query.Get("filter[event_type]"); want != "" && !slices.Contains(strings.Split(want, ","), d.EventType) {
		return false
	}
	if !strings.Contains(string(encode(d.webhook(), "")), query.Get("filter[webhook][contains]")) {
		return false
	}
	if !strings.Contains(string(encode(d.record().Attempts, "")), query.Get("filter[attempts][contains]")) {
		return false
	}
	return within(d.startedAt(), query, "started_at") && within(d.FinishedAt, query, "finished_at")
}

// within applies the filters gte and lte of a time. A bound that is no time is
// ignored.
func within(at time.Time, query url.Values, field string) bool {
	if bound, err := time.Parse(time.RFC3339, query.Get("filter["+field+"][gte]")); err == nil && at.Before(bound) {
		return false
	}
	bound, err := time.Parse(time.RFC3339, query.Get("filter["+field+"][lte]"))
	return err != nil || !at.After(bound)
}

func (d *Delivery) startedAt() time.Time { return d.Attempts[0].StartedAt }

func (d *Delivery) record() deliveryRecord {
	r := deliveryRecord{
		ID: d.ID, UserID: accountUserID, RecordType: "webhook_delivery", Status: d.Status, Webhook: d.webhook(),
		StartedAt: instant(d.startedAt()), FinishedAt: instant(d.FinishedAt),
	}
	for _, a := range d.Attempts {
		r.Attempts = append(r.Attempts, a.record())
	}
	return r
}

func (d *Delivery) webhook() webhookRecord {
	return webhookRecord{
		RecordType: "event", EventType: d.EventType, ID: d.EventID,
		OccurredAt: instant(d.OccurredAt), Payload: d.Payload,
	}
}

func (a Attempt) record() attemptRecord {
	r := attemptRecord{
		Status: DeliveryFailed, StartedAt: instant(a.StartedAt), FinishedAt: instant(a.FinishedAt),
		HTTP: exchangeRecord{Request: requestRecord{URL: a.URL, Headers: pairs(a.Header)}},
	}
	if a.accepted() {
		r.Status = DeliveryDelivered
	}
	if a.Err != "" {
		r.Errors = []int{75499}
		return r
	}
	r.HTTP.Response = &responseRecord{Status: a.Status, Headers: [][2]string{}, Body: string(a.Answer)}
	return r
}

// pairs writes a header as a sorted list of names and values.
func pairs(h http.Header) [][2]string {
	list := [][2]string{}
	for name, values := range h {
		for _, value := range values {
			list = append(list, [2]string{name, value})
		}
	}
	slices.SortFunc(list, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return list
}

// instant writes a time as v2 answers do.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
