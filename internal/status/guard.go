package status

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"slices"
	"strings"
)

// Token is what a reader of the private listener must know. It prints as
// [redacted], wherever it gets.
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

// Guard decides who may read the private listener.
//
//	token      listener is loopback    who may read
//	set        either                  who knows the token
//	not set    yes                     who calls it by an address of this machine, or localhost
//	not set    no                      nobody but probes
//
// Probes, which are /healthz and /readyz, need no token: who runs them has no place to
// keep one. Who may not read gets no sentence from /readyz, only whether
// each check is well: sentences name phone numbers and hosts.
//
// The token comes as a bearer token, which Prometheus and curl send, or as the
// password of HTTP Basic with any user, for which browsers ask by themselves. There
// is no cookie and nothing to log out of. Both travel as they are: on a network that
// others share, put TLS before the listener.
//
// Without a token the name by which the listener is called counts, since any web page
// may have its own name lead to this machine and then read what is answered.
type Guard struct {
	Token Token
	// Exposed says that the listener is not on a loopback address.
	Exposed bool
}

var probes = []string{"/healthz", "/readyz"}

// mayRead reports whether who asks may read more than what probes need.
func (g Guard) mayRead(r *http.Request) bool {
	if g.Token == "" {
		return !g.Exposed && isLocal(r.Host)
	}
	return g.knows(r)
}

// contentPolicy lets the page use its own script, style and icon, its own stream, and
// forms that lead to itself; nothing else, and no frame around it.
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
		case g.Token != "" && !probe && !g.knows(r):
			w.Header().Add("WWW-Authenticate", `Basic realm="Greenlight: any user, ADMIN_TOKEN as password", charset="UTF-8"`)
			w.Header().Add("WWW-Authenticate", "Bearer")
			http.Error(w, "ADMIN_TOKEN is needed: as a bearer token, or as the password of HTTP Basic with any user.", http.StatusUnauthorized)
		case g.Token == "" && g.Exposed && !probe:
			http.Error(w, "This address is not a loopback address and no ADMIN_TOKEN is set, so nobody may read here.", http.StatusForbidden)
		case g.Token == "" && !g.Exposed && !isLocal(r.Host):
			http.Error(w, "This listener answers to localhost and addresses of this machine. Set ADMIN_TOKEN to use another name.", http.StatusMisdirectedRequest)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// knows reports whether the request has the token. What is compared is of one length
// and takes one time, whatever was sent.
func (g Guard) knows(r *http.Request) bool {
	_, told, basic := r.BasicAuth()
	if !basic {
		scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return false
		}
		told = strings.TrimSpace(rest)
	}
	got, want := sha256.Sum256([]byte(told)), sha256.Sum256([]byte(g.Token))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// isLocal reports whether a Host header names this machine as only itself does.
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

// IsLoopback reports whether an address to listen on is reached from this machine
// alone.
func IsLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
