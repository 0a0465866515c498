package preflight

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// webhookPath is where Greenlight takes Telnyx's events.
const webhookPath = "/webhooks/telnyx"

// WrongWebhookURL returns a relative clause that says why events may not reach Greenlight at
// the URL, or nothing. Public is the URL under which the internet reaches the webhook, with
// or without the webhook's path; empty if it is not known. Without it the answer may be
// wrong, because a reverse proxy can rewrite the path.
func WrongWebhookURL(given, public string) string {
	if !strings.Contains(given, "://") {
		return "which has no scheme"
	}
	address, err := url.Parse(given)
	if err != nil {
		return "which is not a URL"
	}
	wantScheme, wantPath := "https", webhookPath
	ours, err := url.Parse(public)
	isKnown := err == nil && ours.Host != ""
	if isKnown {
		wantScheme = strings.ToLower(ours.Scheme)
		wantPath = strings.TrimSuffix(strings.TrimSuffix(ours.Path, "/"), webhookPath) + webhookPath
	}
	var wrong []string
	if !strings.EqualFold(address.Scheme, wantScheme) {
		wrong = append(wrong, "which is not "+wantScheme)
	}
	switch {
	case isKnown && hostOf(address) != hostOf(ours):
		wrong = append(wrong, "whose host is not "+hostOf(ours))
	case !isKnown && !isPublic(address.Hostname()):
		wrong = append(wrong, "whose host is not reachable from the internet")
	}
	if strings.TrimSuffix(address.Path, "/") != wantPath {
		wrong = append(wrong, "whose path is not "+wantPath)
	}
	return strings.Join(wrong, ", and ")
}

// hostOf returns a URL's host and port in one spelling.
func hostOf(address *url.URL) string {
	host := strings.ToLower(strings.TrimSuffix(address.Hostname(), "."))
	switch port := address.Port(); port {
	case "", "80", "443":
		return host
	default:
		return net.JoinHostPort(host, port)
	}
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
