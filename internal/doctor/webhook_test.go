package doctor_test

import (
	"strings"
	"testing"
	"time"

	"greenlight/internal/doctor"
	"greenlight/internal/telnyx"
)

func TestWebhookURLs(t *testing.T) {
	const ours = "https://hooks.example.com/webhooks/telnyx"
	for name, tc := range map[string]struct {
		planned []doctor.Planned
		unread  int
		level   doctor.Level
		says    []string
	}{
		"ours":           {[]doctor.Planned{{"spring", ours, ""}}, 0, doctor.OK, []string{"The webhookURL of 1 planned campaign leads here"}},
		"some unread":    {[]doctor.Planned{{"spring", ours, ""}}, 2, doctor.OK, []string{"Not checked: 2 other campaigns"}},
		"another host":   {[]doctor.Planned{{"spring", ours, "whose host is not new.example.com"}}, 0, doctor.Warn, []string{"spring (" + ours + ", whose host is not new.example.com)"}},
		"none":           {[]doctor.Planned{{"spring", "", "which is empty"}}, 0, doctor.Warn, []string{"spring (none, which is empty)"}},
		"too many wrong": {[]doctor.Planned{{"a", "", "x"}, {"b", "", "x"}, {"c", "", "x"}, {"d", "", "x"}}, 0, doctor.Warn, []string{"of 4 planned campaigns", "and 1 more"}},
	} {
		f := doctor.WebhookURLs(tc.planned, tc.unread)
		if f.Level != tc.level || (f.Fix == "") != (tc.level == doctor.OK) {
			t.Errorf("%s: got %+v, want %s", name, f, tc.level)
		}
		for _, part := range tc.says {
			if !strings.Contains(f.Message, part) {
				t.Errorf("%s: got %q, want %q in it", name, f.Message, part)
			}
		}
	}
}

func TestDeliveries(t *testing.T) {
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	const url = "https://hooks.example.com/webhooks/telnyx"
	at := func(minute int, status string, answer int) telnyx.Delivery {
		started := telnyx.Time{Time: noon.Add(time.Duration(minute) * time.Minute)}
		return telnyx.Delivery{Status: status, StartedAt: started, Attempts: []telnyx.DeliveryAttempt{{URL: url, StartedAt: started, Answer: answer}}}
	}
	for name, tc := range map[string]struct {
		all   []telnyx.Delivery // the latest first
		level doctor.Level
		want  string
	}{
		"none":      {nil, doctor.OK, "Telnyx's log has no deliveries of 10DLC events since 12:00 UTC."},
		"all well":  {[]telnyx.Delivery{at(1, "delivered", 200)}, doctor.OK, "Telnyx reports 1 delivery of 10DLC events since 12:00 UTC, none failed."},
		"failing":   {[]telnyx.Delivery{at(9, "failed", 502), at(5, "failed", 0), at(3, "failed", 502), at(1, "delivered", 200)}, doctor.Warn, "Telnyx reports 3 failed deliveries to " + url + " since 12:03 UTC, the last answered 502."},
		"no answer": {[]telnyx.Delivery{at(3, "failed", 0)}, doctor.Warn, "Telnyx reports 1 failed delivery to " + url + " since 12:03 UTC, the last was not answered."},
		"over":      {[]telnyx.Delivery{at(9, "delivered", 200), at(3, "failed", 502)}, doctor.OK, "Telnyx reports 1 failed delivery to " + url + " since 12:03 UTC, the last answered 502; later ones arrived."},
	} {
		f := doctor.Deliveries(tc.all, noon)
		if f.Level != tc.level || f.Message != tc.want {
			t.Errorf("%s: got %s %q, want %s %q", name, f.Level, f.Message, tc.level, tc.want)
		}
	}
}
