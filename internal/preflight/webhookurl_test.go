package preflight

import "testing"

func TestWrongWebhookURL(t *testing.T) {
	for given, want := range map[string]string{
		"https://greenlight.example.com/webhooks/telnyx":      "",
		"https://greenlight.example.com:8443/webhooks/telnyx": "",
		"HTTPS://greenlight.example.com/webhooks/telnyx/":     "",
		"https://203.0.113.7/webhooks/telnyx":                 "",
		"greenlight.example.com/webhooks/telnyx":              "has no scheme",
		"localhost:8080/webhooks/telnyx":                      "has no scheme",
		"https://greenlight.example.com/hooks":                "has another path than /webhooks/telnyx",
		"https://greenlight.example.com":                      "has another path than /webhooks/telnyx",
		"http://greenlight.example.com/webhooks/telnyx":       "is not https",
		"https://localhost/webhooks/telnyx":                   "names a host that the internet cannot reach",
		"https://greenlight/webhooks/telnyx":                  "names a host that the internet cannot reach",
		"https://greenlight.internal/webhooks/telnyx":         "names a host that the internet cannot reach",
		"https://127.0.0.1/webhooks/telnyx":                   "names a host that the internet cannot reach",
		"https://[::1]/webhooks/telnyx":                       "names a host that the internet cannot reach",
		"https://10.1.2.3/webhooks/telnyx":                    "names a host that the internet cannot reach",
		"https://169.254.1.1/webhooks/telnyx":                 "names a host that the internet cannot reach",
		"https:///webhooks/telnyx":                            "names a host that the internet cannot reach",
		"http://192.168.0.9:8080/":                            "is not https, and names a host that the internet cannot reach, and has another path than /webhooks/telnyx",
		"https://%zz/webhooks/telnyx":                         "is not a web address",
	} {
		if got := wrongWebhookURL(given); got != want {
			t.Errorf("%s: got %q, want %q", given, got, want)
		}
	}
}
