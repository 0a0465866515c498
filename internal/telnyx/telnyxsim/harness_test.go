package telnyxsim_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The account that most tests start from.
const (
	campaignID = "4b30019a-e14d-522f-fc8e-8a26e86a7e54"
	otherID    = "4b30019a-e14d-522f-fc8e-000000000002"
	sharedID   = "CSHARED"
	brandID    = "97091164-e814-435c-9c1b-14ab2d18e987"
	profileID  = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	numberA    = "+15551230001"
	numberB    = "+15551230002"
	numberC    = "+15551230003"
	tollFree   = "+18005550199"
	profileFor = "dd50eba1-a0c0-4563-9925-b25e842a7cb6"
	noProfile  = "+15551230009"
	notOwned   = "+15559999999"
	hookURL    = "https://hooks.example.com/telnyx"
)

// account starts a simulator with that account; its campaigns are provisioned.
func account(t *testing.T, options telnyxsim.Options) *telnyxsim.Simulator {
	t.Helper()
	sim := telnyxsim.New(options)
	t.Cleanup(sim.Close)
	sim.AddBrand(telnyxsim.Brand{ID: brandID, TCRID: "BBRAND1"})
	for _, c := range []telnyxsim.Campaign{
		{ID: campaignID, TCRID: "C6X6M95", ReferenceID: "spring-2026"},
		{ID: otherID, TCRID: "COTHER1"},
		{TCRID: sharedID, Shared: true},
	} {
		c.CampaignStatus, c.WebhookURL = telnyx.CampaignMNOProvisioned, hookURL
		sim.AddCampaign(c)
	}
	sim.AddMessagingProfiles(profileFor)
	for _, n := range []string{numberA, numberB, numberC} {
		sim.AddNumbers(telnyxsim.Number{PhoneNumber: n, MessagingProfileID: profileID})
	}
	sim.AddNumbers(
		telnyxsim.Number{PhoneNumber: tollFree, MessagingProfileID: profileID, Type: "toll-free"},
		telnyxsim.Number{PhoneNumber: noProfile},
	)
	return sim
}

// reply is an answer of the API, read in full.
type reply struct {
	status int
	header http.Header
	body   string
}

// call sends a request to the API without a network.
func call(t *testing.T, h http.Handler, method, path, body string) reply {
	t.Helper()
	r := httptest.NewRequest(method, "/v2"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer KEY")
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return reply{w.Code, w.Header(), w.Body.String()}
}

// object decodes a JSON object.
func (r reply) object(t *testing.T) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(r.body), &object); err != nil {
		t.Fatalf("answer %d %q: %v", r.status, r.body, err)
	}
	return object
}

// code returns the code of the first error, or "".
func (r reply) code(t *testing.T) string {
	t.Helper()
	list, _ := r.object(t)["errors"].([]any)
	if len(list) == 0 {
		return ""
	}
	code, _ := list[0].(map[string]any)["code"].(string)
	return code
}

// column returns one field of each row of a list.
func (r reply) column(t *testing.T, list, field string) []string {
	t.Helper()
	rows, isList := r.object(t)[list].([]any)
	if !isList {
		t.Fatalf("no list %q in %s", list, r.body)
	}
	values := []string{}
	for _, row := range rows {
		value, _ := row.(map[string]any)[field].(string)
		values = append(values, value)
	}
	return values
}

// post attaches a number.
func post(t *testing.T, h http.Handler, phoneNumber, campaign string) reply {
	t.Helper()
	return call(t, h, "POST", "/10dlc/phone_number_campaigns", pair(phoneNumber, campaign))
}

// put attaches or moves a number.
func put(t *testing.T, h http.Handler, phoneNumber, campaign string) reply {
	t.Helper()
	return call(t, h, "PUT", "/10dlc/phone_number_campaigns/"+phoneNumber, pair(phoneNumber, campaign))
}

// remove removes a number from its campaign.
func remove(t *testing.T, h http.Handler, phoneNumber string) reply {
	t.Helper()
	return call(t, h, "DELETE", "/10dlc/phone_number_campaigns/"+phoneNumber, "")
}

// read reads a number's record.
func read(t *testing.T, h http.Handler, phoneNumber string) reply {
	t.Helper()
	return call(t, h, "GET", "/10dlc/phone_number_campaigns/"+phoneNumber, "")
}

func pair(phoneNumber, campaign string) string {
	return `{"phoneNumber":"` + phoneNumber + `","campaignId":"` + campaign + `"}`
}

// inbox is a webhook endpoint without a network: a transport that answers deliveries and
// keeps them.
type inbox struct {
	// answer says what to answer; nil is 200.
	answer func(attempt int) (*http.Response, error)

	mu   sync.Mutex
	came []posted
}

// posted is one received POST.
type posted struct {
	url    string
	header http.Header
	body   []byte
	at     time.Time
}

func (in *inbox) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	in.mu.Lock()
	in.came = append(in.came, posted{r.URL.String(), r.Header.Clone(), body, time.Now()})
	attempt := len(in.came)
	in.mu.Unlock()
	if in.answer != nil {
		return in.answer(attempt)
	}
	return status(http.StatusOK), nil
}

func (in *inbox) all() []posted {
	in.mu.Lock()
	defer in.mu.Unlock()
	return append([]posted(nil), in.came...)
}

func status(code int) *http.Response {
	return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("thanks"))}
}

// event decodes a delivery's envelope.
type event struct {
	Data struct {
		EventType  string         `json:"event_type"`
		ID         string         `json:"id"`
		OccurredAt time.Time      `json:"occurred_at"`
		Payload    map[string]any `json:"payload"`
		RecordType string         `json:"record_type"`
	} `json:"data"`
	Meta struct {
		Attempt     int    `json:"attempt"`
		DeliveredTo string `json:"delivered_to"`
	} `json:"meta"`
}

func (p posted) event(t *testing.T) event {
	t.Helper()
	var e event
	if err := json.Unmarshal(p.body, &e); err != nil {
		t.Fatalf("delivery %q: %v", p.body, err)
	}
	return e
}

// verify checks a delivery's signature with the standard library only.
func (p posted) verify(t *testing.T, publicKey string) {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(publicKey)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := base64.StdEncoding.DecodeString(p.header.Get("telnyx-signature-ed25519"))
	if err != nil {
		t.Fatal(err)
	}
	stamp := p.header.Get("telnyx-timestamp")
	if !ed25519.Verify(key, bytes.Join([][]byte{[]byte(stamp), p.body}, []byte("|")), signature) {
		t.Errorf("delivery to %s: signature does not verify", p.url)
	}
	if want := strconv.FormatInt(p.at.Unix(), 10); stamp != want {
		t.Errorf("telnyx-timestamp = %s, want %s", stamp, want)
	}
}

// summaries describes each event in one to three words, in order of arrival.
func (in *inbox) summaries(t *testing.T) []string {
	t.Helper()
	list := []string{}
	for _, p := range in.all() {
		payload := p.event(t).Data.Payload
		line := []string{}
		for _, field := range []string{"type", "eventType", "status", "phoneNumber"} {
			if word, isText := payload[field].(string); isText {
				line = append(line, word)
			}
		}
		list = append(list, strings.Join(line, " "))
	}
	return list
}

// query builds a query string of name and value pairs.
func query(pairs ...string) string {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return "?" + values.Encode()
}
