package webhook_test

import (
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"greenlight/internal/telnyx"
)

// assertMetrics compares all counters above zero, by name and labels.
func (d *door) assertMetrics(want map[string]float64) {
	d.t.Helper()
	if diff := cmp.Diff(want, d.counters()); diff != "" {
		d.t.Errorf("counters (-want +got):\n%s", clip(diff))
	}
}

func (d *door) counters() map[string]float64 {
	d.t.Helper()
	families, err := d.metrics.Gather()
	if err != nil {
		d.t.Fatal(err)
	}
	counters := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if metric.GetCounter().GetValue() == 0 { // not a counter, or one without a count
				continue
			}
			var labels []string
			for _, label := range metric.GetLabel() {
				if label.GetValue() == "" { // Prometheus treats it as missing
					continue
				}
				labels = append(labels, fmt.Sprintf("%s=%q", label.GetName(), label.GetValue()))
			}
			counters[family.GetName()+"{"+strings.Join(labels, ",")+"}"] = metric.GetCounter().GetValue()
		}
	}
	return counters
}

// published returns how often storing was measured.
func (d *door) published() uint64 {
	d.t.Helper()
	families, err := d.metrics.Gather()
	if err != nil {
		d.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "greenlight_webhook_publish_seconds" {
			return family.GetMetric()[0].GetHistogram().GetSampleCount()
		}
	}
	return 0
}

func TestWebhook_CountsEveryAnswer(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.deliver(verified(t, "id-1"))
	d.deliver(verified(t, "id-1"))
	d.deliver(verified(t, "id-2"))
	d.deliver(envelope(t, telnyx.EventBrandUpdate, "id-3", ""))
	d.deliver(envelope(t, telnyx.EventPhoneNumberUpdate, "id-4", campaign))
	d.deliver([]byte(`{"campaignId":"C6X6M95"}`))
	d.deliver(envelope(t, "message.received", "id-5", ""))
	d.deliver([]byte("no event"))
	d.post(nil, verified(t, "id-6"))
	d.post(telnyx.Sign(strangerKey, now, verified(t, "id-6")), verified(t, "id-6"))
	d.upload(make([]byte, 256<<10+1), false)
	d.do(d.request("GET", "/wp-login.php", nil, nil))
	d.do(d.request("GET", "/webhooks/telnyx", nil, nil))
	d.do(d.request("GET", "/healthz", nil, nil))
	d.shrink("EVENTS")
	d.deliver(verified(t, "id-7"))
	d.assertMetrics(map[string]float64{
		`greenlight_webhook_events_total{answer="accepted",type="10dlc.campaign.update"}`:              3,
		`greenlight_webhook_events_total{answer="duplicate",type="10dlc.campaign.update"}`:             1,
		`greenlight_webhook_events_total{answer="accepted",type="10dlc.brand.update"}`:                 1,
		`greenlight_webhook_events_total{answer="accepted",type="10dlc.phone_number.update"}`:          1,
		`greenlight_webhook_events_total{answer="ignored",type="message.other"}`:                       1,
		`greenlight_webhook_events_total{answer="dead_lettered",type="other"}`:                         1,
		`greenlight_webhook_refused_total{code="signature_missing"}`:                                   1,
		`greenlight_webhook_refused_total{code="signature_mismatch"}`:                                  1,
		`greenlight_webhook_refused_total{code="body_too_large"}`:                                      1,
		`greenlight_webhook_refused_total{code="not_found"}`:                                           1,
		`greenlight_webhook_refused_total{code="method_not_allowed"}`:                                  1,
		`greenlight_webhook_refused_total{cause="full",code="not_stored"}`:                             1,
		`greenlight_webhook_verified_total{key="` + telnyx.PublicKeyOf(telnyxKey).Fingerprint() + `"}`: 9,
	})
	if got, want := d.published(), uint64(7); got != want {
		t.Errorf("timed %d publishes, want %d", got, want)
	}
}

func TestWebhook_MakesNoLabelOfWordsFromOutside(t *testing.T) {
	t.Parallel()
	d := open(t)
	const rounds = 5
	for i := range rounds {
		for _, family := range []string{"10dlc.", "10dlc.campaign.update.", "brand.", "campaign.", "message.", "", "10dlc", "*"} {
			d.deliver(envelope(t, fmt.Sprint(family, "x", i), fmt.Sprint(family, i), campaign))
		}
		d.deliver(envelope(t, fmt.Sprint("10dlc.*", i), "", campaign))
		d.do(d.request("GET", fmt.Sprint("/", i), nil, nil))
		d.do(d.request(fmt.Sprint("BREW", i), "/webhooks/telnyx", nil, nil))
	}
	d.assertMetrics(map[string]float64{
		`greenlight_webhook_events_total{answer="accepted",type="10dlc.other"}`:                        2 * rounds,
		`greenlight_webhook_events_total{answer="accepted",type="brand.other"}`:                        rounds,
		`greenlight_webhook_events_total{answer="accepted",type="campaign.other"}`:                     rounds,
		`greenlight_webhook_events_total{answer="ignored",type="message.other"}`:                       rounds,
		`greenlight_webhook_events_total{answer="ignored",type="other"}`:                               3 * rounds,
		`greenlight_webhook_events_total{answer="dead_lettered",type="other"}`:                         rounds,
		`greenlight_webhook_refused_total{code="not_found"}`:                                           rounds,
		`greenlight_webhook_refused_total{code="method_not_allowed"}`:                                  rounds,
		`greenlight_webhook_verified_total{key="` + telnyx.PublicKeyOf(telnyxKey).Fingerprint() + `"}`: 9 * rounds,
	})
}

// During a key rotation, the old key's counter stops growing when Telnyx uses the new one.
func TestWebhook_CountsDeliveriesByTheKeyThatSignedThem(t *testing.T) {
	t.Parallel()
	d := open(t, func(s *setup) { s.keys = []ed25519.PrivateKey{telnyxKey, nextKey} })
	byKey := func(key ed25519.PrivateKey) string {
		return `greenlight_webhook_verified_total{key="` + telnyx.PublicKeyOf(key).Fingerprint() + `"}`
	}
	exposed := func(key ed25519.PrivateKey) bool {
		families, err := d.metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(fmt.Sprint(families), telnyx.PublicKeyOf(key).Fingerprint())
	}
	if !exposed(telnyxKey) || !exposed(nextKey) || exposed(strangerKey) {
		t.Error("not just the keys in use have a counter from the beginning")
	}
	assertAnswer(t, d.deliver(verified(t, "id-1")), accepted)
	body := verified(t, "id-2")
	assertAnswer(t, d.post(telnyx.Sign(nextKey, now, body), body), accepted)
	assertAnswer(t, d.post(telnyx.Sign(nextKey, now, body), body), duplicate)
	assertAnswer(t, d.post(telnyx.Sign(strangerKey, now, body), body), answer{401, "signature_mismatch"})
	got := d.counters()
	if got[byKey(telnyxKey)] != 1 || got[byKey(nextKey)] != 2 {
		t.Errorf("got %v", got)
	}

	if err := d.verifier.Replace(publicKeys([]ed25519.PrivateKey{strangerKey})); err != nil {
		t.Fatal(err)
	}
	d.hook.KeysReplaced()
	if !exposed(strangerKey) {
		t.Error("a new key has no counter before it is used")
	}
	assertAnswer(t, d.deliver(verified(t, "id-3")), answer{401, "signature_mismatch"})
	body = verified(t, "id-4")
	assertAnswer(t, d.post(telnyx.Sign(strangerKey, now, body), body), accepted)
}
