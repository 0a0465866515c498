package preflight

import "testing"

func TestWrongWebhookURL(t *testing.T) {
	for given, want := range map[string]string{
		"https://greenlight.example.com/webhooks/telnyx":      "",
		"https://greenlight.example.com:8443/webhooks/telnyx": "",
		"HTTPS://greenlight.example.com/webhooks/telnyx/":     "",
		"https://203.0.113.7/webhooks/telnyx":                 "",
		"greenlight.example.com/webhooks/telnyx":              "which has no scheme",
		"localhost:8080/webhooks/telnyx":                      "which has no scheme",
		"https://greenlight.example.com/hooks":                "whose path is not /webhooks/telnyx",
		"https://greenlight.example.com":                      "whose path is not /webhooks/telnyx",
		"http://greenlight.example.com/webhooks/telnyx":       "which is not https",
		"https://localhost/webhooks/telnyx":                   "whose host is not reachable from the internet",
		"https://greenlight/webhooks/telnyx":                  "whose host is not reachable from the internet",
		"https://greenlight.internal/webhooks/telnyx":         "whose host is not reachable from the internet",
		"https://127.0.0.1/webhooks/telnyx":                   "whose host is not reachable from the internet",
		"https://[::1]/webhooks/telnyx":                       "whose host is not reachable from the internet",
		"https://10.1.2.3/webhooks/telnyx":                    "whose host is not reachable from the internet",
		"https://100.64.0.1/webhooks/telnyx":                  "whose host is not reachable from the internet",
		"https://100.127.255.254/webhooks/telnyx":             "whose host is not reachable from the internet",
		"https://[::ffff:100.64.0.1]/webhooks/telnyx":         "whose host is not reachable from the internet",
		"https://100.128.0.1/webhooks/telnyx":                 "",
		"https://greenlight.test/webhooks/telnyx":             "whose host is not reachable from the internet",
		"https://greenlight.example/webhooks/telnyx":          "whose host is not reachable from the internet",
		"https://169.254.1.1/webhooks/telnyx":                 "whose host is not reachable from the internet",
		"https:///webhooks/telnyx":                            "whose host is not reachable from the internet",
		"http://192.168.0.9:8080/":                            "which is not https, and whose host is not reachable from the internet, and whose path is not /webhooks/telnyx",
		"https://%zz/webhooks/telnyx":                         "which is not a URL",
	} {
		if got := WrongWebhookURL(given, ""); got != want {
			t.Errorf("%s: got %q, want %q", given, got, want)
		}
	}
}

func TestWrongWebhookURL_KnowsThePublicURL(t *testing.T) {
	const ours = "https://hooks.example.com:8443"
	for _, tc := range []struct{ given, public, want string }{
		{"https://HOOKS.example.com:8443/webhooks/telnyx", ours, ""},
		{"https://hooks.example.com:8443/webhooks/telnyx", ours + "/webhooks/telnyx/", ""},
		{"https://hooks.example.com:8443/gl/webhooks/telnyx", ours + "/gl", ""},
		{"https://hooks.example.com:443/webhooks/telnyx", "https://hooks.example.com", ""},
		{"http://127.0.0.1:8080/webhooks/telnyx", "http://127.0.0.1:8080", ""},
		{"https://old.example.com:8443/webhooks/telnyx", ours, "whose host is not hooks.example.com:8443"},
		{"https://hooks.example.com/webhooks/telnyx", ours, "whose host is not hooks.example.com:8443"},
		{"http://hooks.example.com:8443/hook", ours, "which is not https, and whose path is not /webhooks/telnyx"},
	} {
		if got := WrongWebhookURL(tc.given, tc.public); got != tc.want {
			t.Errorf("%s, public %s: got %q, want %q", tc.given, tc.public, got, tc.want)
		}
	}
}
