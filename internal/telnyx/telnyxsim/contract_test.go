package telnyxsim_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

// departure is one way in which the simulator differs from the OpenAPI
// description on purpose. What it says is what the contract test finds.
type departure struct{ operation, finding, source string }

// Public sources of departures.
const (
	sourceEvents = "https://developers.telnyx.com/docs/messaging/10dlc/event-notifications"
	sourceGoSDK  = "https://github.com/team-telnyx/telnyx-go messaging10dlcphonenumbercampaign.go, August 2026"
	sourceField  = "public notes and code of Telnyx customers, 2026; no page of Telnyx shows it"
	sourceHTTP   = "RFC 9110, section 15.6: a gateway may answer"
)

// departures is every way in which the simulator differs from the OpenAPI description.
// The test fails for a difference that is not listed, and for a line that is no longer
// true.
var departures = slices.Concat(
	everywhere("200 /failureReasons: is not of its type", sourceField,
		"GET /10dlc/campaign/{campaignId}", "POST /10dlc/phone_number_campaigns"),
	everywhere("200 /records/*/failureReasons: is not of its type", sourceField, "GET /10dlc/campaign"),
	mappings("200 ", "GET", "PUT", "DELETE"),
	[]departure{
		{"POST /10dlc/phone_number_campaigns", "200 /tmobileNumberMappingStatus: is not described", sourceGoSDK},
		{"POST /10dlc/phone_number_campaigns", "200 /nonTmobileNumberMappingStatus: is not described", sourceGoSDK},
		{"POST /10dlc/phone_number_campaigns", "200 /errors: is not described", sourceField},
		{"POST /10dlc/phone_number_campaigns", "502: status is not described", sourceHTTP},
		{"GET /10dlc/phone_number_campaigns", "200 /records/*/tmobileNumberMappingStatus: is not described", sourceGoSDK},
		{"GET /10dlc/phone_number_campaigns", "200 /records/*/nonTmobileNumberMappingStatus: is not described", sourceGoSDK},
		{"GET /10dlc/phone_number_campaigns", "200 /records/*/attNumberMappingStatus: is not described", sourceField},
		// The description names the networks in words, and lets any property be added.
		{"GET /10dlc/campaign/{campaignId}/mnoMetadata", "200 /10017: is not described", sourceField},
		{"GET /10dlc/campaign/{campaignId}/mnoMetadata", "200 /10035: is not described", sourceField},
		{webhook, "body /data: is not described", sourceEvents},
		{webhook, "body /meta: is not described", sourceEvents},
		{webhook, "payload /createdDate: is not described", sourceEvents},
		{webhook, "payload /eventType: is not described", sourceEvents},
		{webhook, "payload /reasons: is not described", sourceEvents},
	},
)

// webhook is the description's one webhook, whose body is flat there.
const webhook = "webhook campaignStatusUpdate"

func everywhere(finding, source string, operations ...string) []departure {
	list := []departure{}
	for _, operation := range operations {
		list = append(list, departure{operation, finding, source})
	}
	return list
}

// mappings is the carriers' statuses in the answers about one number.
func mappings(status string, methods ...string) []departure {
	list := []departure{}
	for _, method := range methods {
		for _, field := range []string{"tmobileNumberMappingStatus", "nonTmobileNumberMappingStatus"} {
			list = append(list, departure{
				method + " /10dlc/phone_number_campaigns/{phoneNumber}",
				status + "/" + field + ": is not described", sourceGoSDK,
			})
		}
	}
	return list
}

// contract checks requests and answers against the OpenAPI description. It is
// the transport of those that call the simulator.
type contract struct {
	doc    *openapi3.T
	router routers.Router
	next   http.RoundTripper

	mu       sync.Mutex
	findings map[departure]string // without a source, to an example
	broken   []string             // what was wrong with the request, of the latest call
	called   map[string]bool
}

// loadContract reads the description that TELNYX_OPENAPI names.
func loadContract(t *testing.T) *contract {
	t.Helper()
	path := os.Getenv("TELNYX_OPENAPI")
	if path == "" {
		t.Skip("set TELNYX_OPENAPI to the path of Telnyx's OpenAPI description (https://github.com/team-telnyx/openapi) to run the contract test")
	}
	doc, err := openapi3.NewLoader().LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &contract{
		doc: doc, router: router, next: transport,
		findings: map[departure]string{}, called: map[string]bool{},
	}
}

// RoundTrip forwards a request, and checks it and its answer.
func (c *contract) RoundTrip(r *http.Request) (*http.Response, error) {
	response, _, err := c.exchange(r)
	return response, err
}

// exchange is RoundTrip that also returns what was wrong with the request.
func (c *contract) exchange(r *http.Request) (response *http.Response, broken []string, err error) {
	body, err := readAll(r.Body)
	if err != nil {
		return nil, nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	response, err = c.next.RoundTrip(r)
	if err != nil {
		return nil, nil, err
	}
	answer, err := readAll(response.Body)
	if err != nil {
		return nil, nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(answer))

	// The description knows one server, the real one, so what is checked is the
	// request as that server would get it.
	r = r.Clone(context.WithoutCancel(r.Context()))
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.URL.Scheme, r.URL.Host = "https", "api.telnyx.com"
	c.mu.Lock()
	defer c.mu.Unlock()
	c.check(r, response, answer)
	return response, c.broken, nil
}

func readAll(body io.ReadCloser) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	defer body.Close()
	return io.ReadAll(body)
}

// check notes what is wrong with a request in c.broken, and with its answer in
// c.findings.
func (c *contract) check(r *http.Request, response *http.Response, answer []byte) {
	c.broken = nil
	route, params, err := c.router.FindRoute(r)
	if err != nil {
		c.broken = append(c.broken, fmt.Sprintf("%s %s: %v", r.Method, r.URL.Path, err))
		return
	}
	operation := r.Method + " " + route.Path
	c.called[operation] = true
	input := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{
			MultiError: true, IncludeResponseStatus: true, SkipSettingDefaults: true, AuthenticationFunc: bearer,
		},
	}
	if err := openapi3filter.ValidateRequest(r.Context(), input); err != nil {
		c.broken = append(c.broken, operation+": "+err.Error())
	}
	for name := range r.URL.Query() {
		if !describedParameter(route.Operation, name) {
			c.broken = append(c.broken, operation+": query parameter "+name+" is not described")
		}
	}
	c.checkAnswer(operation, input, response, answer)
}

func (c *contract) checkAnswer(operation string, input *openapi3filter.RequestValidationInput, response *http.Response, answer []byte) {
	err := openapi3filter.ValidateResponse(context.Background(), (&openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: response.StatusCode, Header: response.Header, Options: input.Options,
	}).SetBodyBytes(answer))
	for _, finding := range findingsOf(err) {
		c.find(operation, fmt.Sprintf("%d%s", response.StatusCode, finding), answer)
	}
	for _, path := range undescribed(answerSchema(input.Route.Operation, response), decoded(answer), "") {
		c.find(operation, fmt.Sprintf("%d %s: is not described", response.StatusCode, path), answer)
	}
}

func (c *contract) find(operation, finding string, example []byte) {
	c.findings[departure{operation: operation, finding: finding}] = string(example[:min(len(example), 600)])
}

// bearer is the one security scheme that the simulator knows.
func bearer(_ context.Context, input *openapi3filter.AuthenticationInput) error {
	if key, found := strings.CutPrefix(input.RequestValidationInput.Request.Header.Get("Authorization"), "Bearer "); !found || key == "" {
		return errors.New("no bearer key")
	}
	return nil
}

// describedParameter reports whether an operation has a query parameter, one of
// the form filter[name] included.
func describedParameter(operation *openapi3.Operation, name string) bool {
	whole, rest, nested := strings.Cut(name, "[")
	field, _, _ := strings.Cut(rest, "]")
	for _, p := range operation.Parameters {
		switch {
		case p.Value.In != openapi3.ParameterInQuery:
		case p.Value.Name == name:
			return true
		case nested && p.Value.Name == whole && p.Value.Schema.Value.Properties[field] != nil:
			return true
		}
	}
	return false
}

// answerSchema returns the schema of an answer, or nil.
func answerSchema(operation *openapi3.Operation, response *http.Response) *openapi3.Schema {
	described := operation.Responses.Status(response.StatusCode)
	if described == nil || described.Value == nil {
		return nil
	}
	content := described.Value.Content.Get(response.Header.Get("Content-Type"))
	if content == nil || content.Schema == nil {
		return nil
	}
	return content.Schema.Value
}

func decoded(answer []byte) any {
	var value any
	if json.Unmarshal(answer, &value) != nil {
		return nil
	}
	return value
}

// undescribed returns the paths of the fields that a schema does not have. An
// object without any properties is free.
func undescribed(schema *openapi3.Schema, value any, path string) []string {
	if schema == nil {
		return nil
	}
	switch value := value.(type) {
	case []any:
		found := []string{}
		for _, item := range value {
			if schema.Items != nil {
				found = append(found, undescribed(schema.Items.Value, item, path+"/*")...)
			}
		}
		return found
	case map[string]any:
		properties := propertiesOf(schema)
		if len(properties) == 0 {
			return nil
		}
		found := []string{}
		for name, field := range value {
			if properties[name] == nil {
				found = append(found, path+"/"+name)
				continue
			}
			found = append(found, undescribed(properties[name].Value, field, path+"/"+name)...)
		}
		return found
	}
	return nil
}

// propertiesOf returns the properties of a schema and of all its parts.
func propertiesOf(schema *openapi3.Schema) openapi3.Schemas {
	all := maps.Clone(schema.Properties)
	for _, part := range schema.AllOf {
		if all == nil {
			all = openapi3.Schemas{}
		}
		maps.Copy(all, propertiesOf(part.Value))
	}
	return all
}

var index = regexp.MustCompile(`/\d+(/|$)`)

// findingsOf describes each fault of an answer without the values in it.
func findingsOf(err error) []string {
	if err == nil {
		return nil
	}
	var many openapi3.MultiError
	if errors.As(err, &many) {
		found := []string{}
		for _, one := range many {
			found = append(found, findingsOf(one)...)
		}
		return found
	}
	if fault, is := errors.AsType[*openapi3.SchemaError](err); is {
		path := "/" + strings.Join(fault.JSONPointer(), "/")
		return []string{" " + index.ReplaceAllString(path, "/*$1") + ": " + inWords(fault)}
	}
	if fault, is := errors.AsType[*openapi3filter.ResponseError](err); is && fault.Reason == "status is not supported" {
		return []string{": status is not described"}
	}
	return []string{": " + err.Error()}
}

func inWords(fault *openapi3.SchemaError) string {
	if fault.SchemaField == "type" || fault.SchemaField == "nullable" {
		return "is not of its type"
	}
	return cmp.Or(fault.SchemaField, fault.Reason)
}

// report compares the findings with the table.
func (c *contract) report(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range departures {
		if d.source == "" {
			t.Errorf("departure without a source: %s: %s", d.operation, d.finding)
		}
		key := departure{operation: d.operation, finding: d.finding}
		if _, found := c.findings[key]; !found {
			t.Errorf("departure that no longer occurs: %s: %s", d.operation, d.finding)
		}
		delete(c.findings, key)
	}
	for d, example := range c.findings {
		t.Errorf("not in the table of departures: %s: %s\nfor example %s", d.operation, d.finding, example)
	}
}

// raw calls the simulator by plain HTTP.
type raw struct {
	t        *testing.T
	contract *contract
	base     string
	key      string
}

// valid sends a request that the description allows and wants a status.
func (r raw) valid(want int, method, path, body string) reply {
	r.t.Helper()
	got := r.send(want, method, path, body)
	if broken := r.contract.broken; len(broken) > 0 {
		r.t.Errorf("request against the description: %q", broken)
	}
	return got
}

// invalid sends a request that the description does not allow.
func (r raw) invalid(want int, method, path, body string) {
	r.t.Helper()
	r.send(want, method, path, body)
	if len(r.contract.broken) == 0 {
		r.t.Errorf("%s %s complies with the description, want a violation", method, path)
	}
}

func (r raw) send(want int, method, path, body string) reply {
	r.t.Helper()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.base+path, content)
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Authorization", strings.TrimSpace("Bearer "+r.key))
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := (&http.Client{Transport: r.contract}).Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	if response.StatusCode != want {
		r.t.Errorf("%s %s = %d %s, want %d", method, path, response.StatusCode, answer, want)
	}
	return reply{response.StatusCode, response.Header, string(answer)}
}

func TestContract_DepartsOnlyAsTheTableSays(t *testing.T) {
	c := loadContract(t)
	rawCalls(t, c)
	clientCalls(t, c)
	events(t, c)
	c.report(t)
	for _, operation := range telnyxsim.Operations() {
		if !c.called[operation] {
			t.Errorf("%s was not called", operation)
		}
	}
}

// behind puts a simulator behind a server and returns the base URL of its API.
func behind(t *testing.T, sim *telnyxsim.Simulator) string {
	t.Helper()
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	return server.URL + "/v2"
}

// rawCalls goes through every operation and every quirk.
func rawCalls(t *testing.T, c *contract) {
	const (
		list = "/10dlc/phone_number_campaigns"
		one  = list + "/"
	)
	hooks := &inbox{}
	sim := account(t, telnyxsim.Options{DeliveryTransport: hooks, Attempts: 1, AssignDelay: telnyxsim.Never, UnassignDelay: telnyxsim.Never})
	r := raw{t, c, behind(t, sim), "KEY"}

	// Brands and campaigns, with failureReasons in each of its forms.
	for i, reasons := range []string{`"text"`, `[{"description":"an array"}]`, `null`} {
		made := sim.AddCampaign(telnyxsim.Campaign{
			ID: fmt.Sprintf("4b30019a-e14d-522f-fc8e-00000000001%d", i), FailureReasons: json.RawMessage(reasons),
		})
		r.valid(200, "GET", "/10dlc/campaign/"+made.ID, "")
	}
	r.valid(200, "GET", "/10dlc/brand", "")
	r.valid(200, "GET", "/10dlc/brand"+query("page", "1", "recordsPerPage", "5", "displayName", "x", "sort", "createdAt"), "")
	r.valid(200, "GET", "/10dlc/campaign"+query("brandId", brandID), "")
	r.valid(404, "GET", "/10dlc/campaign/nope", "")
	r.valid(200, "GET", "/10dlc/campaign/"+campaignID+"/operationStatus", "")
	r.valid(404, "GET", "/10dlc/campaign/nope/operationStatus", "")
	r.valid(200, "GET", "/10dlc/campaign/"+campaignID+"/mnoMetadata", "")
	r.valid(404, "GET", "/10dlc/campaign/nope/mnoMetadata", "")
	r.valid(200, "PUT", "/10dlc/campaign/"+otherID, `{"autoRenewal":false,"webhookURL":"https://example.com/hook"}`)
	r.valid(404, "PUT", "/10dlc/campaign/nope", `{"autoRenewal":true}`)
	r.valid(200, "PATCH", "/10dlc/partner_campaigns/"+sharedID, `{"webhookURL":"https://example.com/hook"}`)
	r.valid(404, "PATCH", "/10dlc/partner_campaigns/CNOPE12", `{}`)
	r.valid(200, "GET", "/10dlc/partner_campaigns", "")
	r.valid(200, "GET", "/10dlc/partner_campaigns/"+sharedID, "")
	r.valid(404, "GET", "/10dlc/partner_campaigns/CNOPE12", "")
	r.invalid(422, "GET", "/10dlc/campaign", "")

	// Numbers and campaigns.
	r.valid(200, "POST", list, pair(numberA, campaignID))
	r.valid(200, "POST", list, pair(numberA, campaignID)) // again
	r.valid(200, "POST", list, pair(numberA, otherID))    // with an errors string
	r.valid(200, "POST", list, pair(numberB, sharedID))
	r.valid(200, "PUT", one+numberA, pair(numberA, otherID))
	r.valid(200, "GET", one+numberA, "")
	r.valid(200, "GET", one+"%2B"+numberB[1:], "")
	r.valid(404, "GET", one+numberC, "")
	_ = sim.AttachNumber(numberC, campaignID, telnyx.FailedAssignment, "rejected")
	r.valid(200, "GET", one+numberC, "")
	r.valid(200, "GET", list, "")
	r.valid(200, "GET", list+query("filter[telnyx_campaign_id]", campaignID, "filter[tcr_campaign_id]", "C6X6M95", "page", "1"), "")
	r.invalid(200, "GET", list+query("filter[campaign_id]", campaignID), "")
	r.valid(200, "DELETE", one+numberA, "")
	r.valid(422, "POST", list, pair(numberA, campaignID)) // being removed
	r.valid(404, "DELETE", one+noProfile, "")
	r.valid(404, "POST", list, pair(notOwned, campaignID))
	r.valid(400, "POST", list, pair(tollFree, campaignID))
	r.valid(400, "POST", list, pair(noProfile, campaignID))
	r.valid(400, "PUT", one+numberB, pair(numberC, campaignID))
	r.invalid(400, "POST", list, `{"phoneNumber":"+15551230001"}`)
	r.invalid(400, "POST", list, "no JSON")

	// Refusals by carriers.
	swift := account(t, telnyxsim.Options{DeliveryTransport: &inbox{}})
	swift.FailMapping(numberA, telnyxsim.ATT)
	s := raw{t, c, behind(t, swift), "KEY"}
	s.valid(200, "POST", list, pair(numberA, campaignID))
	eventually(t, func() bool { return swift.Assignments()[0].ATT == telnyx.MappingFailed })
	s.valid(200, "GET", list, "")

	// Messaging settings.
	r.valid(200, "GET", "/phone_numbers/messaging", "")
	r.valid(200, "GET", "/phone_numbers/messaging"+query("filter[phone_number]", numberA+","+numberB, "page[size]", "250"), "")
	id := r.valid(200, "GET", "/phone_numbers/messaging"+query("filter[type]", "tollfree"), "").column(t, "data", "id")[0]
	r.valid(200, "GET", "/phone_numbers/"+id+"/messaging", "")
	r.valid(404, "GET", "/phone_numbers/1/messaging", "")
	r.valid(200, "PATCH", "/phone_numbers/"+noProfile+"/messaging", `{"messaging_profile_id":"`+profileFor+`","tags":["x"]}`)
	r.valid(404, "PATCH", "/phone_numbers/"+noProfile+"/messaging", `{"messaging_profile_id":"`+brandID+`"}`)
	r.valid(200, "GET", "/messaging_profiles/"+profileID+"/phone_numbers"+query("page[number]", "1"), "")
	r.valid(404, "GET", "/messaging_profiles/"+brandID+"/phone_numbers", "")

	// Numbers.
	sim.AddNumbers(telnyxsim.Number{PhoneNumber: "+15551230077", Status: "port-pending", Tags: []string{"spring"}})
	r.valid(200, "GET", "/phone_numbers"+query("filter[phone_number]", "5551230077", "page[size]", "250"), "")
	id = r.valid(200, "GET", "/phone_numbers"+query("filter[status]", "port-pending"), "").column(t, "data", "id")[0]
	r.valid(200, "GET", "/phone_numbers/"+id, "")
	r.valid(404, "GET", "/phone_numbers/1", "")
	r.valid(400, "POST", list, pair("+15551230077", campaignID))

	// Deliveries: one accepted, one failed.
	_ = sim.Approve(campaignID)
	eventually(t, func() bool { return sim.Deliveries()[0].Status == telnyxsim.DeliveryDelivered })
	hooks.answer = func(int) (*http.Response, error) { return nil, errors.New("no route to host") }
	_ = sim.Suspend(campaignID)
	eventually(t, func() bool { return sim.Deliveries()[1].Status == telnyxsim.DeliveryFailed })
	r.valid(200, "GET", "/webhook_deliveries"+query("filter[status][eq]", "failed", "page[size]", "250"), "")
	r.valid(200, "GET", "/webhook_deliveries", "")
	r.valid(200, "GET", "/webhook_deliveries/"+sim.Deliveries()[0].ID, "")
	r.valid(404, "GET", "/webhook_deliveries/"+brandID, "")

	// Answers from a gateway in front of the API.
	r.invalid(404, "GET", "/10dlc/phoneNumberCampaign", "")
	raw{t, c, r.base, ""}.invalid(401, "GET", "/10dlc/campaign/"+campaignID, "")
	sim.Inject(telnyxsim.Fault{Kind: telnyxsim.RateLimited(1)})
	r.valid(429, "GET", "/10dlc/campaign/"+campaignID, "")
	sim.Inject(telnyxsim.Fault{Kind: telnyxsim.HTML502()})
	r.valid(502, "POST", list, pair(numberA, campaignID))
}

// events delivers every event about a campaign, and checks its payload and headers.
func events(t *testing.T, c *contract) {
	hooks := &inbox{}
	sim := account(t, telnyxsim.Options{DeliveryTransport: hooks})
	for _, err := range []error{
		sim.Walk(t.Context(), campaignID, 0), sim.Suspend(campaignID), sim.Unsuspend(campaignID),
		sim.Reject(campaignID, "x"), sim.Appeal(campaignID), sim.FailRegistration(campaignID, "x"),
		sim.MakeDormant(campaignID), sim.Expire(campaignID),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() bool { return len(hooks.all()) == 11 })
	described := c.doc.Webhooks["campaignStatusUpdate"].Post
	schema := described.RequestBody.Value.Content.Get("application/json").Schema.Value
	for _, p := range hooks.all() {
		for _, parameter := range described.Parameters {
			if p.header.Get(parameter.Value.Name) == "" {
				t.Errorf("delivery without the header %s", parameter.Value.Name)
			}
		}
		payload := p.event(t).Data.Payload
		for _, finding := range findingsOf(schema.VisitJSON(payload, openapi3.MultiErrors(), openapi3.EnableJSONSchema2020())) {
			c.find(webhook, "payload"+finding, p.body)
		}
		for _, path := range undescribed(schema, payload, "") {
			c.find(webhook, "payload "+path+": is not described", p.body)
		}
		for _, path := range undescribed(schema, decoded(p.body), "") {
			c.find(webhook, "body "+path+": is not described", p.body)
		}
	}
}

// clientCalls calls each method of the real client. All its requests must comply with the
// description.
func clientCalls(t *testing.T, c *contract) {
	sim := account(t, telnyxsim.Options{DeliveryTransport: &inbox{}})
	base := behind(t, sim)
	client := &telnyx.Client{
		APIKey: "KEY", BaseURL: base,
		HTTPClient: &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			response, broken, err := c.exchange(r)
			if len(broken) > 0 {
				t.Errorf("the client sent what the description does not allow: %q", broken)
			}
			return response, err
		})},
	}
	ctx := t.Context()
	var number telnyx.Number
	for _, step := range []struct {
		name string
		call func() (any, error)
	}{
		{"Brands", func() (any, error) { return client.Brands(ctx) }},
		{"BrandsPage", func() (any, error) { rows, _, err := client.BrandsPage(ctx, 1); return rows, err }},
		{"CampaignsPage", func() (any, error) { rows, _, err := client.CampaignsPage(ctx, brandID, 1); return rows, err }},
		{"Campaign", func() (any, error) { return client.Campaign(ctx, campaignID) }},
		{"Campaigns", func() (any, error) { return client.Campaigns(ctx, brandID) }},
		{"PartnerCampaign", func() (any, error) { return client.PartnerCampaign(ctx, sharedID) }},
		{"PartnerCampaigns", func() (any, error) { return client.PartnerCampaigns(ctx) }},
		{"Numbers", func() (any, error) {
			answer, err := client.Numbers(ctx, []string{noProfile, numberA, notOwned})
			number = answer.Found[noProfile]
			return answer, err
		}},
		{"SetMessagingProfile", func() (any, error) { return client.SetMessagingProfile(ctx, number, profileFor) }},
		{"ProfileNumbers", func() (any, error) { return client.ProfileNumbers(ctx, profileFor) }},
		{"Assign", func() (any, error) { return client.Assign(ctx, numberA, campaignID) }},
		{"Assign, shared", func() (any, error) { return client.Assign(ctx, numberB, sharedID) }},
		{"Reassign", func() (any, error) { return client.Reassign(ctx, numberA, otherID) }},
		{"Assignment", func() (any, error) { return client.Assignment(ctx, numberA) }},
		{"Unassign", func() (any, error) { return client.Unassign(ctx, numberA) }},
		{"Assignments", func() (any, error) { return client.Assignments(ctx, 0) }},
		{"AssignmentsOn", func() (any, error) {
			return client.AssignmentsOn(ctx, telnyx.Campaign{CampaignID: campaignID, TCRCampaignID: "C6X6M95"})
		}},
		{"CheckKey", func() (any, error) { return "", client.CheckKey(ctx) }},
		{"UpdateCampaign", func() (any, error) {
			return client.UpdateCampaign(ctx, campaignID, telnyx.CampaignUpdate{WebhookURLs: telnyx.WebhookURLs{WebhookURL: "https://example.com/a"}})
		}},
		{"UpdatePartnerCampaign", func() (any, error) {
			return client.UpdatePartnerCampaign(ctx, sharedID, telnyx.WebhookURLs{WebhookURL: "https://example.com/a", WebhookFailoverURL: "https://example.com/b"})
		}},
		{"OperationStatus", func() (any, error) { return client.OperationStatus(ctx, campaignID) }},
		{"CarrierNames", func() (any, error) { return client.CarrierNames(ctx, campaignID) }},
		{"CampaignFields", func() (any, error) { return client.CampaignFields(ctx, telnyx.Campaign{CampaignID: campaignID}) }},
		{"Deliveries", func() (any, error) { return client.Deliveries(ctx, time.Now().Add(-time.Hour), true, 4) }},
	} {
		if got, err := step.call(); err != nil || got == nil {
			t.Errorf("%s = %+v, %v", step.name, got, err)
		}
	}
}

// transport makes a RoundTripper of a function.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
