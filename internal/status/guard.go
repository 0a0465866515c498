package status

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"slices"
	"strings"
)

// Token protects the private listener. It always prints as [redacted].
type Token string

// String returns "[redacted]", or "" for no token.
func (t Token) String() string {
	if t == "" {
		return ""
	}
	return "[redacted]"
}

// GoString returns what String does.
func (t Token) GoString() string { return t.String() }

// Guard decides about access to the private listener.
//
//	token      loopback listener    access
//	set        yes or no            requests with the token
//	not set    yes                  requests whose Host is localhost or a loopback address
//	not set    no                   probes only
//
// The probes /healthz and /readyz need no token, since their callers cannot store one.
// Without access, /readyz only says which checks fail, since the messages contain phone
// numbers and hosts.
//
// The token is a bearer token, as Prometheus and curl send it, or the password of HTTP
// Basic with any user, as browsers ask for it. There is no cookie and no logout. The token
// is sent in clear text: on a shared network, put TLS in front of the listener.
//
// Without a token the Host header is checked, since any web page can resolve its own name
// to this machine and then read the answers (DNS rebinding).
type Guard struct {
	Token Token
	// Exposed is true if the listener is not on a loopback address.
	Exposed bool
}

var probes = []string{"/healthz", "/readyz"}

// mayRead reports whether a request may read more than probes do.
func (g Guard) mayRead(r *http.Request) bool {
	if g.Token == "" {
		return !g.Exposed && isLocal(r.Host)
	}
	return g.hasToken(r)
}

// contentPolicy allows only the page's own scripts, styles, images, streams and forms,
// and no framing.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// setSecurityHeaders keeps browsers from running, framing, sniffing or storing an answer.
func setSecurityHeaders(header http.Header) {
	header.Set("Content-Security-Policy", contentPolicy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
}

func (g Guard) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setSecurityHeaders(w.Header())
		probe := slices.Contains(probes, r.URL.Path)
		switch {
		case g.Token != "" && !probe && !g.hasToken(r):
			w.Header().Add("WWW-Authenticate", `Basic realm="Greenlight: any user, ADMIN_TOKEN as password", charset="UTF-8"`)
			w.Header().Add("WWW-Authenticate", "Bearer")
			http.Error(w, "ADMIN_TOKEN is required: as a bearer token, or as the password of HTTP Basic with any user.", http.StatusUnauthorized)
		case g.Token == "" && g.Exposed && !probe:
			http.Error(w, "Access denied: the listener is not on a loopback address, and ADMIN_TOKEN is not set. Set ADMIN_TOKEN.", http.StatusForbidden)
		case g.Token == "" && !g.Exposed && !isLocal(r.Host):
			http.Error(w, "This listener only accepts the host names localhost and loopback addresses. To use another name, set ADMIN_TOKEN.", http.StatusMisdirectedRequest)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// hasToken reports whether the request has the token. It compares hashes in constant time.
func (g Guard) hasToken(r *http.Request) bool {
	_, sent, basic := r.BasicAuth()
	if !basic {
		scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return false
		}
		sent = strings.TrimSpace(rest)
	}
	got, want := sha256.Sum256([]byte(sent)), sha256.Sum256([]byte(g.Token))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// isLocal reports whether a Host header is localhost or a loopback address.
func isLocal(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip := net.ParseIP(name)
	return ip != nil && ip.IsLoopback()
}

// IsLoopback reports whether a listen address can only be reached from this machine.
func IsLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
