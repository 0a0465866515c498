package telnyxsim

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"
)

// call is one request to the API, with its whole body.
type call struct {
	r     *http.Request
	route *route // nil for an unknown one
	body  []byte
	// write is nil when the operation only reads.
	write *Write
	// unanswered says that the client does not get the answer.
	unanswered bool
}

// operation answers a call while s.mu is held.
type operation func(*Simulator, *call) answer

// route is an operation with its method and path, spelled as in the OpenAPI description.
type route struct {
	method, path string
	op           operation
}

var routes = []*route{
	{"GET", "/10dlc/brand", listBrands},
	{"GET", "/10dlc/campaign", listCampaigns},
	{"GET", "/10dlc/campaign/{campaignId}", ofOwn(getCampaign)},
	{"PUT", "/10dlc/campaign/{campaignId}", ofOwn(putCampaign)},
	{"GET", "/10dlc/campaign/{campaignId}/operationStatus", ofOwn(getOperationStatus)},
	{"GET", "/10dlc/campaign/{campaignId}/mnoMetadata", ofOwn(getMnoMetadata)},
	{"GET", "/10dlc/partner_campaigns", listPartnerCampaigns},
	{"GET", "/10dlc/partner_campaigns/{campaignId}", ofShared(getPartnerCampaign)},
	{"PATCH", "/10dlc/partner_campaigns/{campaignId}", ofShared(patchPartnerCampaign)},
	{"GET", "/10dlc/phone_number_campaigns", listAssignments},
	{"POST", "/10dlc/phone_number_campaigns", assign},
	{"GET", "/10dlc/phone_number_campaigns/{phoneNumber}", getAssignment},
	{"PUT", "/10dlc/phone_number_campaigns/{phoneNumber}", reassign},
	{"DELETE", "/10dlc/phone_number_campaigns/{phoneNumber}", unassign},
	{"GET", "/phone_numbers/messaging", listSettings},
	{"GET", "/phone_numbers", listNumbers},
	{"GET", "/phone_numbers/{id}", getNumber},
	{"GET", "/phone_numbers/{id}/messaging", getSettings},
	{"PATCH", "/phone_numbers/{id}/messaging", patchSettings},
	{"GET", "/messaging_profiles/{id}/phone_numbers", listProfileNumbers},
	{"GET", "/webhook_deliveries", listDeliveries},
	{"GET", "/webhook_deliveries/{id}", getDelivery},
}

// The path of phone number campaigns in the OpenAPI description and in the guide.
const (
	assignmentsPath = "/10dlc/phone_number_campaigns"
	guidePath       = "/10dlc/phoneNumberCampaign"
)

// pathsOf returns the paths under which a path of the OpenAPI description is served.
func (d Dialect) pathsOf(path string) []string {
	rest, ofAssignments := strings.CutPrefix(path, assignmentsPath)
	switch {
	case !ofAssignments || d.Paths == "":
		return []string{path}
	case d.Paths == PathsOfGuide:
		return []string{guidePath + rest}
	}
	return []string{path, guidePath + rest}
}

// name is the route's key in [Simulator.Calls].
func (rt *route) name() string { return rt.method + " " + rt.path }

// maxBody is the largest request body that is read.
const maxBody = 1 << 20

// ServeHTTP serves the API. Unknown paths answer 404. If a fault cuts the connection and
// it cannot be hijacked, ServeHTTP panics with [http.ErrAbortHandler].
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// serveRoutes returns the handler of all routes, as the dialect has their paths.
func (s *Simulator) serveRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("/", s.serve(nil))
	for _, rt := range routes {
		for _, path := range s.options.Dialect.pathsOf(rt.path) {
			mux.Handle(rt.method+" /v2"+path, s.serve(rt))
		}
	}
	return mux
}

// serve handles the requests of a route, nil for those that have none.
func (s *Simulator) serve(rt *route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			unreadableBody().write(w)
			return
		}
		c := &call{r: r, route: rt, body: body}
		c.startWrite()
		s.count(c)
		s.pause(r, s.options.Latency)
		if f := s.faults.take(c); f != nil {
			s.spoil(w, c, f)
			return
		}
		s.answer(c).write(w)
	}
}

// pause waits before a request is handled, and aborts if the client has disconnected.
func (s *Simulator) pause(r *http.Request, d time.Duration) {
	s.work.sleep(r.Context(), d)
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler)
	}
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
