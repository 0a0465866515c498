package telnyxsim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"
)

// DeliveryStatus is the state of a delivery.
type DeliveryStatus string

// The states of a delivery. Telnyx's own log has only the middle two.
const (
	// DeliveryPending has attempts left.
	DeliveryPending DeliveryStatus = "pending"
	// DeliveryDelivered was answered with 2xx.
	DeliveryDelivered DeliveryStatus = "delivered"
	// DeliveryFailed ran out of attempts.
	DeliveryFailed DeliveryStatus = "failed"
	// DeliveryDropped was never sent; see [Simulator.DropDeliveries].
	DeliveryDropped DeliveryStatus = "dropped"
)

// Delivery is one event on its way to a webhook URL.
type Delivery struct {
	// ID is the id of the delivery, EventID that of the event, which several deliveries
	// may share.
	ID, EventID string
	// EventType is one of the Event constants.
	EventType string
	// URL and FailoverURL are where attempts go; see [Campaign].
	URL, FailoverURL string
	// Payload is the event's payload, compact.
	Payload json.RawMessage
	// OccurredAt is when the event happened, FinishedAt when the last attempt
	// ended; the latter is zero while the delivery is pending or dropped.
	OccurredAt, FinishedAt time.Time
	Status                 DeliveryStatus
	Attempts               []Attempt
}

// Attempt is one POST of a delivery.
type Attempt struct {
	// Number counts from 1 and is the body's meta.attempt.
	Number int
	URL    string
	// StartedAt is the time that was signed, to the second.
	StartedAt, FinishedAt time.Time
	// Header and Body are what was sent.
	Header http.Header
	Body   []byte
	// Status is the answer's status, 0 if there was none; Answer is its body, cut to
	// 4 KiB.
	Status int
	Answer []byte
	// Err says why there was no answer, empty if there was one.
	Err string
}

// accepted reports whether the attempt counts as delivered: any 2xx does. Redirects are
// not followed and do not.
func (a Attempt) accepted() bool { return a.Status >= 200 && a.Status < 300 }

// Deliveries returns every delivery so far in the order of the events, including dropped
// and pending ones.
func (s *Simulator) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Delivery, 0, len(s.deliveries))
	for _, d := range s.deliveries {
		snapshot := *d
		snapshot.Attempts = slices.Clone(d.Attempts)
		list = append(list, snapshot)
	}
	return list
}

// DropDeliveries loses events from now on: they are logged as dropped and never sent.
// Deliveries that started before are still attempted.
func (s *Simulator) DropDeliveries(drop bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropping = drop
}

// DuplicateDeliveries delivers every event from now on n additional times, concurrently
// and with the same data.id.
func (s *Simulator) DuplicateDeliveries(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.duplicates = max(n, 0)
}

// Emit sends the caller's event to a campaign's webhook URL, with the usual envelope,
// signature and retries. It returns an error that wraps [ErrUnknown] if there is no such
// campaign, or the error of encoding the payload as JSON.
func (s *Simulator) Emit(campaignID, eventType string, payload any) error {
	raw, err := tryEncode(payload, "")
	if err != nil {
		return fmt.Errorf("emit %s for campaign %s: %w", eventType, campaignID, err)
	}
	return s.change(campaignID, func(c *campaign) { s.emit(c, eventType, json.RawMessage(raw)) })
}

// Send signs any bytes and posts them once. It returns the answer's status. The post is
// not logged as a delivery.
func (s *Simulator) Send(ctx context.Context, url string, body []byte) (int, error) {
	a := s.post(ctx, url, body)
	if a.Err != "" {
		return 0, fmt.Errorf("post to %s: %s", url, a.Err)
	}
	return a.Status, nil
}

// emit sends an event to the campaign's webhook URL, if it has one. The caller
// holds s.mu.
func (s *Simulator) emit(c *campaign, eventType string, payload any) {
	if c.WebhookURL == "" {
		return
	}
	event := Delivery{
		EventID: newID(), EventType: eventType, Payload: encode(payload, ""),
		URL: c.WebhookURL, FailoverURL: c.WebhookFailoverURL, OccurredAt: time.Now(),
	}
	for range 1 + s.duplicates {
		s.launch(event)
	}
}

// launch logs and starts a delivery. The caller holds s.mu.
func (s *Simulator) launch(d Delivery) {
	d.ID, d.Status = newID(), DeliveryPending
	if s.dropping {
		d.Status = DeliveryDropped
	}
	s.deliveries = append(s.deliveries, &d)
	if d.Status == DeliveryPending {
		s.work.run(func() { s.deliver(&d) })
	}
}

// deliver posts a delivery until it is accepted or out of attempts.
func (s *Simulator) deliver(d *Delivery) {
	for number := 1; number <= s.options.Attempts; number++ {
		if number > 1 && !s.work.sleep(s.work.ctx, s.options.RetryInterval) {
			return
		}
		a := s.attempt(d, number)
		s.note(d, a)
		if a.accepted() {
			return
		}
	}
}

// attempt posts a delivery once. The number and the URL are part of the body, so every
// attempt has its own bytes, timestamp and signature. Telnyx's pages differ about which
// attempts go to the failover URL. The OpenAPI description, the only one about 10DLC,
// sends the second there.
func (s *Simulator) attempt(d *Delivery, number int) Attempt {
	url := d.URL
	if number > 1 && d.FailoverURL != "" {
		url = d.FailoverURL
	}
	event := envelope{
		Data: eventData{
			EventType: d.EventType, ID: d.EventID, OccurredAt: d.OccurredAt.UTC().Format(zoned),
			Payload: d.Payload, RecordType: "event",
		},
		Meta: eventMeta{Attempt: number, DeliveredTo: url},
	}
	a := s.post(s.work.ctx, url, event.body())
	a.Number = number
	return a
}

// note logs an attempt.
func (s *Simulator) note(d *Delivery, a Attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.Attempts = append(d.Attempts, a)
	switch {
	case a.accepted():
		d.Status, d.FinishedAt = DeliveryDelivered, a.FinishedAt
	case a.Number == s.options.Attempts:
		d.Status, d.FinishedAt = DeliveryFailed, a.FinishedAt
	}
}

// post signs a body with the current time and posts it.
func (s *Simulator) post(ctx context.Context, url string, body []byte) (a Attempt) {
	now := time.Now()
	a = Attempt{URL: url, StartedAt: now, Header: s.SignedHeader(now, body), Body: body}
	defer func() { a.FinishedAt = time.Now() }()

	ctx, cancel := context.WithTimeout(ctx, s.options.DeliveryTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		a.Err = err.Error()
		return a
	}
	request.Header = maps.Clone(a.Header)
	response, err := s.client.Do(request)
	if err != nil {
		a.Err = err.Error()
		return a
	}
	defer response.Body.Close()
	a.Status = response.StatusCode
	a.Answer, _ = io.ReadAll(io.LimitReader(response.Body, 4<<10)) // only shown
	return a
}

// deliveryClient returns the client that posts deliveries. It follows no
// redirects, and does not share connections, so that Close can end them.
func deliveryClient(options Options) *http.Client {
	transport := options.DeliveryTransport
	if transport == nil {
		transport = &http.Transport{
			MaxIdleConnsPerHost: 16,
			IdleConnTimeout:     30 * time.Second,
		}
	}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
