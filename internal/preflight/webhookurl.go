package preflight

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// webhookPath is where Greenlight takes Telnyx's events.
const webhookPath = "/webhooks/telnyx"

// wrongWebhookURL returns a relative clause that says why events may not reach Greenlight at
// the URL, or nothing. It may be wrong, because a reverse proxy can rewrite the path.
func wrongWebhookURL(given string) string {
	if !strings.Contains(given, "://") {
		return "which has no scheme"
	}
	address, err := url.Parse(given)
	if err != nil {
		return "which is not a URL"
	}
	var wrong []string
	if !strings.EqualFold(address.Scheme, "https") {
		wrong = append(wrong, "which is not https")
	}
	if host := address.Hostname(); !isPublic(host) {
		wrong = append(wrong, "whose host is not reachable from the internet")
	}
	if strings.TrimSuffix(address.Path, "/") != webhookPath {
		wrong = append(wrong, "whose path is not "+webhookPath)
	}
	return strings.Join(wrong, ", and ")
}

// carrierNAT is the shared address space of RFC 6598, behind a provider's NAT.
var carrierNAT = netip.MustParsePrefix("100.64.0.0/10")

// isPublic reports whether the internet may be able to reach the host.
func isPublic(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		return ip.IsGlobalUnicast() && !ip.IsPrivate() && !carrierNAT.Contains(ip)
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !strings.Contains(host, ".") { // localhost, or a name in a local network
		return false
	}
	reserved := []string{".localhost", ".test", ".example", ".local", ".internal"} // RFC 6761, RFC 6762, ICANN 2024
	return !slices.ContainsFunc(reserved, func(suffix string) bool { return strings.HasSuffix(host, suffix) })
}
