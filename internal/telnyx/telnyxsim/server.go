package telnyxsim

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// call is one request to the API, with its whole body.
type call struct {
	r      *http.Request
	route  *route
	params map[string]string
	body   []byte
	// write is nil when the operation only reads.
	write *Write
	// unanswered says that the client will not get the answer.
	unanswered bool
}

// operation answers a call while s.mu is held.
type operation func(*Simulator, *call) answer

// route is an operation with its method and path, spelled as in the OpenAPI description.
type route struct {
	method, path string
	op           operation
	segments     []string
}

var routes = makeRoutes()

func makeRoutes() []*route {
	list := []*route{
		{method: "GET", path: "/10dlc/brand", op: listBrands},
		{method: "GET", path: "/10dlc/campaign", op: listCampaigns},
		{method: "GET", path: "/10dlc/campaign/{campaignId}", op: getCampaign},
		{method: "GET", path: "/10dlc/campaign/{campaignId}/operationStatus", op: getOperationStatus},
		{method: "GET", path: "/10dlc/partner_campaigns", op: listPartnerCampaigns},
		{method: "GET", path: "/10dlc/partner_campaigns/{campaignId}", op: getPartnerCampaign},
		{method: "GET", path: "/10dlc/phone_number_campaigns", op: listAssignments},
		{method: "POST", path: "/10dlc/phone_number_campaigns", op: assign},
		{method: "GET", path: "/10dlc/phone_number_campaigns/{phoneNumber}", op: getAssignment},
		{method: "PUT", path: "/10dlc/phone_number_campaigns/{phoneNumber}", op: reassign},
		{method: "DELETE", path: "/10dlc/phone_number_campaigns/{phoneNumber}", op: unassign},
		{method: "GET", path: "/phone_numbers/messaging", op: listSettings},
		{method: "GET", path: "/phone_numbers", op: listNumbers},
		{method: "GET", path: "/phone_numbers/{id}", op: getNumber},
		{method: "GET", path: "/phone_numbers/{id}/messaging", op: getSettings},
		{method: "PATCH", path: "/phone_numbers/{id}/messaging", op: patchSettings},
		{method: "GET", path: "/messaging_profiles/{id}/phone_numbers", op: listProfileNumbers},
		{method: "GET", path: "/webhook_deliveries", op: listDeliveries},
		{method: "GET", path: "/webhook_deliveries/{id}", op: getDelivery},
	}
	for _, rt := range list {
		rt.segments = strings.Split(rt.path, "/")
	}
	return list
}

// The path of phone number campaigns in the OpenAPI description and in the guide.
const (
	assignmentsPath = "/10dlc/phone_number_campaigns"
	guidePath       = "/10dlc/phoneNumberCampaign"
)

// published returns the OpenAPI description's path for a path of the guide, or "" for a
// path that is not served.
func (p Paths) published(path string) string {
	rest, ofGuide := strings.CutPrefix(path, guidePath)
	ofGuide = ofGuide && (rest == "" || rest[0] == '/')
	switch {
	case ofGuide && p != "":
		return assignmentsPath + rest
	case p == PathsOfGuide && strings.HasPrefix(path, assignmentsPath):
		return ""
	}
	return path
}

// match reports whether an escaped path, relative to /v2, matches the route, and the
// values of its parameters.
func (rt *route) match(path string) (map[string]string, bool) {
	given := strings.Split(path, "/")
	if len(given) != len(rt.segments) {
		return nil, false
	}
	params := map[string]string{}
	for i, segment := range rt.segments {
		value, err := url.PathUnescape(given[i])
		if err != nil {
			return nil, false
		}
		if name, isParam := strings.CutPrefix(segment, "{"); isParam && value != "" {
			params[strings.TrimSuffix(name, "}")] = value
		} else if value != segment {
			return nil, false
		}
	}
	return params, true
}

// name is the route's key in [Simulator.Calls].
func (rt *route) name() string { return rt.method + " " + rt.path }

// Operations returns the operations that the simulator serves, in the form of the keys of
// [Simulator.Calls].
func Operations() []string {
	names := make([]string, 0, len(routes))
	for _, rt := range routes {
		names = append(names, rt.name())
	}
	return names
}

// maxBody is the largest request body that is read.
const maxBody = 1 << 20

// ServeHTTP serves the API. Unknown paths answer 404. If a fault cuts the connection and
// it cannot be hijacked, ServeHTTP panics with [http.ErrAbortHandler].
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		unreadableBody().write(w)
		return
	}
	c := s.newCall(r, body)
	s.count(c)
	s.pause(r, s.options.Latency)
	if f := s.faults.claim(c); f != nil {
		s.spoil(w, c, f)
		return
	}
	s.answer(c).write(w)
}

// pause waits before a request is handled, and aborts if the client is gone.
func (s *Simulator) pause(r *http.Request, d time.Duration) {
	s.work.sleep(r.Context(), d)
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler)
	}
}

func (s *Simulator) newCall(r *http.Request, body []byte) *call {
	c := &call{r: r, body: body}
	path, underV2 := strings.CutPrefix(r.URL.EscapedPath(), "/v2")
	if !underV2 {
		return c
	}
	path = s.options.Dialect.Paths.published(path)
	for _, rt := range routes {
		if params, found := rt.match(path); found && rt.method == r.Method {
			c.route, c.params = rt, params
			c.startWrite()
			break
		}
	}
	return c
}

// copyOfRequest returns a copy of the request with an unread body.
func (c *call) copyOfRequest() *http.Request {
	r := c.r.Clone(c.r.Context())
	r.Body = io.NopCloser(bytes.NewReader(c.body))
	return r
}

// answer checks the key and the rate, and runs the operation.
func (s *Simulator) answer(c *call) answer {
	if !s.authorized(c.r) {
		return s.noteRefusal(c, refuse(http.StatusUnauthorized, codeUnauthorized, "Authentication failed",
			"Could not understand the provided credentials.", ""))
	}
	header, within := s.limiter.take(time.Now())
	reply := tooManyRequests()
	if within {
		reply = s.run(c)
	} else {
		s.noteRefusal(c, reply)
	}
	maps.Copy(reply.header, header)
	return reply
}

// run runs the operation and records it if it writes.
func (s *Simulator) run(c *call) answer {
	if c.route == nil {
		return s.options.Dialect.rewriteError(notFound("The requested resource or URL could not be found."))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	reply := s.options.Dialect.rewriteError(c.route.op(s, c))
	s.record(c, reply.status)
	return reply
}

func (s *Simulator) authorized(r *http.Request) bool {
	key, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer || key == "" {
		return false
	}
	return s.options.RequiredAPIKey == "" || key == s.options.RequiredAPIKey
}
