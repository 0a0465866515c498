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

// noAnswer is the error code of an attempt without an answer. Telnyx publishes no list of
// these codes; this one is from the OpenAPI description's example.
const noAnswer = 75499

// listDeliveries is GET /webhook_deliveries, newest first. Unfinished
// deliveries are left out, because Telnyx has no status for them.
func listDeliveries(s *Simulator, c *call) answer {
	query := c.r.URL.Query()
	found := filter(s.deliveries, func(d *Delivery) bool { return d.over() && d.matches(query) })
	slices.Reverse(found)
	return v2List(s, query, found, func(d *Delivery) any { return d.record() })
}

// getDelivery is GET /webhook_deliveries/{id}.
func getDelivery(s *Simulator, c *call) answer {
	d := find(s.deliveries, func(d *Delivery) bool { return d.ID == c.r.PathValue("id") && d.over() })
	if d == nil {
		return notFound("Webhook delivery not found")
	}
	return ok(dataOf(d.record()))
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
	if !strings.Contains(string(encode(d.attempts(), "")), query.Get("filter[attempts][contains]")) {
		return false
	}
	return within(d.startedAt(), query, "started_at") && within(d.FinishedAt, query, "finished_at")
}

// within applies the filters gte and lte of a time. An invalid bound is
// ignored.
func within(at time.Time, query url.Values, field string) bool {
	if bound, err := time.Parse(time.RFC3339, query.Get("filter["+field+"][gte]")); err == nil && at.Before(bound) {
		return false
	}
	bound, err := time.Parse(time.RFC3339, query.Get("filter["+field+"][lte]"))
	return err != nil || !at.After(bound)
}

func (d *Delivery) startedAt() time.Time { return d.Attempts[0].StartedAt }

// record renders a delivery for GET /webhook_deliveries.
func (d *Delivery) record() object {
	return object{
		"id": d.ID, "user_id": accountUserID, "record_type": "webhook_delivery", "status": d.Status, "webhook": d.webhook(),
		"started_at": instant(d.startedAt()), "finished_at": instant(d.FinishedAt), "attempts": d.attempts(),
	}
}

func (d *Delivery) webhook() object {
	return object{
		"record_type": "event", "event_type": d.EventType, "id": d.EventID,
		"occurred_at": instant(d.OccurredAt), "payload": d.Payload,
	}
}

func (d *Delivery) attempts() []object {
	var list []object
	for _, a := range d.Attempts {
		list = append(list, a.record())
	}
	return list
}

func (a Attempt) record() object {
	exchange := object{"request": object{"url": a.URL, "headers": pairs(a.Header)}}
	fields := object{
		"status": DeliveryFailed, "started_at": instant(a.StartedAt), "finished_at": instant(a.FinishedAt), "http": exchange,
	}
	if a.accepted() {
		fields["status"] = DeliveryDelivered
	}
	if a.Err != "" {
		fields["errors"] = []int{noAnswer}
		return fields
	}
	exchange["response"] = object{"status": a.Status, "headers": [][2]string{}, "body": string(a.Answer)}
	return fields
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
