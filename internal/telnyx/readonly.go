package telnyx

import (
	"cmp"
	"fmt"
	"net/http"
)

// ReadOnly returns a copy of the client that cannot change anything: its
// transport refuses every method but GET, so that a command that only reads cannot
// write even by mistake.
func (c *Client) ReadOnly() *Client {
	c.state() // so that both share what they learn
	guarded := *c
	client := *cmp.Or(c.HTTPClient, defaultHTTPClient)
	client.Transport = readOnlyTransport{client.Transport}
	guarded.HTTPClient = &client
	return &guarded
}

// Copy returns a copy of the client that shares what it has learned.
func (c *Client) Copy() *Client {
	c.state()
	copied := *c
	return &copied
}

// readOnlyTransport passes GET requests on.
type readOnlyTransport struct{ next http.RoundTripper }

// RoundTrip refuses everything but GET before anything is sent.
func (t readOnlyTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet {
		if r.Body != nil {
			r.Body.Close() // as every RoundTripper must
		}
		return nil, fmt.Errorf("%s %s was not sent: this command only reads", r.Method, r.URL.Path)
	}
	next := t.next
	if next == nil {
		next = http.DefaultTransport
	}
	return next.RoundTrip(r)
}
