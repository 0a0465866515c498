package preflight

import (
	"net/netip"
	"net/url"
	"strings"
)

// webhookPath is where Greenlight takes Telnyx's events.
const webhookPath = "/webhooks/telnyx"

// wrongWebhookURL says why Telnyx's events would not reach Greenlight at an address, as
// part of a sentence; empty if nothing speaks against it.
func wrongWebhookURL(given string) string {
	if !strings.Contains(given, "://") {
		return "has no scheme"
	}
	address, err := url.Parse(given)
	if err != nil {
		return "is not a web address"
	}
	var wrong []string
	if !strings.EqualFold(address.Scheme, "https") {
		wrong = append(wrong, "is not https")
	}
	if host := address.Hostname(); !isPublic(host) {
		wrong = append(wrong, "names a host that the internet cannot reach")
	}
	if strings.TrimSuffix(address.Path, "/") != webhookPath {
		wrong = append(wrong, "has another path than "+webhookPath)
	}
	return strings.Join(wrong, ", and ")
}

// isPublic reports whether a host may be one that the whole internet can reach.
func isPublic(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsGlobalUnicast() && !ip.IsPrivate()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !strings.Contains(host, ".") { // localhost, or a name of a local network
		return false
	}
	for _, reserved := range []string{".localhost", ".local", ".internal"} { // RFC 6761, RFC 6762, ICANN 2024
		if strings.HasSuffix(host, reserved) {
			return false
		}
	}
	return true
}
