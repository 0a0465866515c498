package telnyx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// recorder serves canned answers and keeps what was asked.
type recorder struct {
	mu       sync.Mutex
	requests []sent
	answers  []answer // the last one is repeated
}

// sent is what a test compares of a request.
type sent struct {
	Method, Path, Query, Body string
	header                    http.Header
}

type answer struct {
	status int
	body   string
	header http.Header
}

// ok answers 200 with body.
func ok(body string) answer { return answer{status: 200, body: body} }

func (s *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, sent{r.Method, r.URL.EscapedPath(), r.URL.Query().Encode(), string(body), r.Header})
	a := s.answers[min(len(s.requests), len(s.answers))-1]
	for key, values := range a.header {
		w.Header()[key] = values
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

// newServer returns a client of a server that gives the answers in turn. Waits
// between reads are as short as they can be; how long they are is tested without
// a network.
func newServer(t *testing.T, answers ...answer) (*Client, *recorder) {
	t.Helper()
	s := &recorder{answers: answers}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return &Client{
		APIKey:     secret,
		BaseURL:    server.URL + "/v2/",
		HTTPClient: server.Client(),
		UserAgent:  "greenlight-test",
		random:     func() float64 { return -0.5 },
	}, s
}

// roundTrip is a network of one function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func respond(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

func TestClient_SendsWhatTheAPIAsksFor(t *testing.T) {
	c, s := newServer(t, ok(`{"campaignId":"a"}`))
	if _, err := c.Campaign(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	h := s.requests[0].header
	for name, want := range map[string]string{
		"Authorization": "Bearer " + secret,
		"Accept":        "application/json",
		"User-Agent":    "greenlight-test",
		"Content-Type":  "",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestClient_SendsNoEmptyKey(t *testing.T) {
	c, s := newServer(t, ok(`{"campaignId":"a"}`))
	c.APIKey, c.UserAgent = "", ""
	if _, err := c.Campaign(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if values, ok := s.requests[0].header["Authorization"]; ok {
		t.Errorf("sent Authorization %q", values)
	}
	if got := s.requests[0].header.Get("User-Agent"); got != "greenlight" {
		t.Errorf("sent User-Agent %q", got)
	}
}

func TestClient_EscapesPathSegments(t *testing.T) {
	for id, want := range map[CampaignID]string{
		"751c6a5c-907b": "/v2/10dlc/campaign/751c6a5c-907b",
		"+16715455939":  "/v2/10dlc/campaign/+16715455939",
		"a/../b":        "/v2/10dlc/campaign/a%2F..%2Fb",
		"a?b=c#d e":     "/v2/10dlc/campaign/a%3Fb=c%23d%20e",
		"{id}":          "/v2/10dlc/campaign/%7Bid%7D",
		"é\n":           "/v2/10dlc/campaign/%C3%A9%0A",
	} {
		echo, err := json.Marshal(Campaign{CampaignID: id})
		if err != nil {
			t.Fatal(err)
		}
		c, s := newServer(t, ok(string(echo)))
		if _, err := c.Campaign(t.Context(), id); err != nil {
			t.Errorf("%q: %v", id, err)
			continue
		}
		if got := s.requests[0].Path; got != want {
			t.Errorf("%q: path %s, want %s", id, got, want)
		}
	}
}

func TestClient_SendsNothingForAnInvalidArgument(t *testing.T) {
	c, s := newServer(t, ok(`{}`))
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"empty id":           func() error { _, err := c.Campaign(ctx, ""); return err },
		"a dot":              func() error { _, err := c.Campaign(ctx, "."); return err },
		"dots":               func() error { _, err := c.Campaign(ctx, ".."); return err },
		"long id":            func() error { _, err := c.Campaign(ctx, CampaignID(strings.Repeat("a", 1<<16))); return err },
		"no TCR id":          func() error { _, err := c.PartnerCampaign(ctx, ""); return err },
		"no brand":           func() error { _, err := c.Campaigns(ctx, ""); return err },
		"no number to leave": func() error { _, err := c.Unassign(ctx, ""); return err },
		"no number":          func() error { _, err := c.Assign(ctx, "", "a"); return err },
		"no campaign":        func() error { _, err := c.Assign(ctx, number, ""); return err },
		"no campaign to go":  func() error { _, err := c.Reassign(ctx, number, ""); return err },
		"an empty number":    func() error { _, err := c.Numbers(ctx, []string{number, ""}); return err },
		"no profile to list": func() error { _, err := c.ProfileNumbers(ctx, ""); return err },
		"no profile to set":  func() error { _, err := c.SetMessagingProfile(ctx, Number{ID: "1"}, ""); return err },
		"no number to set":   func() error { _, err := c.SetMessagingProfile(ctx, Number{}, "p"); return err },
	} {
		err := call()
		if !errors.Is(err, ErrInvalidArgument) || Classify(err) != ClassInvalid || len(err.Error()) > 400 {
			t.Errorf("%s: got %v, want ErrInvalidArgument", name, err)
		}
	}
	if len(s.requests) != 0 {
		t.Errorf("sent %v", s.requests)
	}
}

func TestClient_RefusesAnAddressThatIsNone(t *testing.T) {
	c := &Client{APIKey: secret, BaseURL: "http://[::1"}
	if _, err := c.Campaign(t.Context(), "a"); !errors.Is(err, ErrInvalidArgument) {
		t.Errorf("got %v, want ErrInvalidArgument", err)
	}
}

func TestClient_TakesBareAndEnvelopedRecords(t *testing.T) {
	for name, body := range map[string]string{
		"bare":              `{"campaignId":"a","campaignStatus":"MNO_PROVISIONED"}`,
		"envelope":          `{"data":{"campaignId":"a","campaignStatus":"MNO_PROVISIONED"}}`,
		"null data":         `{"data":null,"campaignId":"a","campaignStatus":"MNO_PROVISIONED"}`,
		"pretty":            "\n{\n  \"data\": {\n \"campaignId\": \"a\", \"campaignStatus\":\"MNO_PROVISIONED\" } }\n",
		"something in data": `{"data":"x","campaignId":"a","campaignStatus":"MNO_PROVISIONED"}`,
	} {
		c, _ := newServer(t, ok(body))
		got, err := c.Campaign(t.Context(), "a")
		if err != nil || got.CampaignStatus != CampaignMNOProvisioned {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestClient_ReportsAnUnreadableAnswer(t *testing.T) {
	for name, body := range map[string]string{
		"empty":         "",
		"HTML":          "<html><body>Maintenance</body></html>",
		"null":          "null",
		"list":          "[]",
		"empty object":  "{}",
		"errors in 200": `{"errors":[{"code":"10007"}]}`,
		"cut off":       `{"campaignId":"a"`,
		"other types":   `{"campaignId":["a"]}`,
		"huge":          `{"campaignId":"` + strings.Repeat("a", 9<<20) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			c, s := newServer(t, ok(body))
			got, err := c.Campaign(t.Context(), "a")
			e, ok := errors.AsType[*UnreadableError](err)
			if !ok || e.Status != 200 || e.Route != "/10dlc/campaign/{id}" {
				t.Fatalf("got %+v and %v, want an UnreadableError", got, err)
			}
			if len(err.Error()) > 1000 {
				t.Errorf("the error has %d characters", len(err.Error()))
			}
			// Asking again helps only if the answer may have been damaged on its way.
			want := 3
			if name == "empty" || json.Valid([]byte(body)) && len(body) < maxAnswer {
				want = 1
			}
			if len(s.requests) != want {
				t.Errorf("asked %d times, want %d", len(s.requests), want)
			}
		})
	}
}

func TestClient_RepeatsReadsThatMayYetSucceed(t *testing.T) {
	good := ok(`{"campaignId":"a"}`)
	for name, tt := range map[string]struct {
		answers []answer
		want    int // requests
		ok      bool
	}{
		"500 once":      {[]answer{{status: 500}, good}, 2, true},
		"502, then 504": {[]answer{{status: 502}, {status: 504}, good}, 3, true},
		"503 for long":  {[]answer{{status: 503}}, 3, false},
		"408":           {[]answer{{status: 408}, good}, 2, true},
		"429":           {[]answer{{status: 429}, good}, 2, true},
		"429 with wait": {[]answer{{status: 429, header: http.Header{"Retry-After": {"3600"}}}, good}, 1, false},
		"unreadable":    {[]answer{ok("<html>"), good}, 2, true},
		"400":           {[]answer{{status: 400}, good}, 1, false},
		"401":           {[]answer{{status: 401}, good}, 1, false},
		"404":           {[]answer{{status: 404}, good}, 1, false},
		"409":           {[]answer{{status: 409}, good}, 1, false},
		"422":           {[]answer{{status: 422}, good}, 1, false},
		"301":           {[]answer{{status: 301}, good}, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := newServer(t, tt.answers...)
			if _, err := c.Campaign(t.Context(), "a"); (err == nil) != tt.ok {
				t.Errorf("got error %v", err)
			}
			if len(s.requests) != tt.want {
				t.Errorf("asked %d times, want %d", len(s.requests), tt.want)
			}
		})
	}
}

// A connection that cannot be made is tried again at once if it was refused. If nothing
// answered for seconds, TCP has repeated it already.
func TestClient_RepeatsAReadWithoutAConnection(t *testing.T) {
	for name, tt := range map[string]struct {
		cause error
		want  int
	}{"refused": {syscall.ECONNREFUSED, 3}, "no answer": {os.ErrDeadlineExceeded, 1}} {
		synctest.Test(t, func(t *testing.T) {
			sent := 0
			c := &Client{HTTPClient: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
				sent++
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: tt.cause}
			})}}
			if _, err := c.Campaign(t.Context(), "a"); !IsUnreachable(err) || sent != tt.want {
				t.Errorf("%s: got %v after %d attempts, want %d", name, err, sent, tt.want)
			}
		})
	}
	if IsUnreachable(&ConnectionError{Err: io.ErrUnexpectedEOF}) {
		t.Error("a connection that broke: it was made")
	}
}

func TestClient_NeverRepeatsAWrite(t *testing.T) {
	writes := map[string]func(*Client) error{
		"assign":   func(c *Client) error { _, err := c.Assign(context.Background(), number, "a"); return err },
		"reassign": func(c *Client) error { _, err := c.Reassign(context.Background(), number, "a"); return err },
		"unassign": func(c *Client) error { _, err := c.Unassign(context.Background(), number); return err },
		"profile": func(c *Client) error {
			_, err := c.SetMessagingProfile(context.Background(), Number{ID: "1", PhoneNumber: number}, "p")
			return err
		},
	}
	outcomes := map[string]roundTrip{
		"broken":     func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF },
		"500":        func(*http.Request) (*http.Response, error) { return respond(500, ""), nil },
		"408":        func(*http.Request) (*http.Response, error) { return respond(408, ""), nil },
		"unreadable": func(*http.Request) (*http.Response, error) { return respond(200, "[]"), nil },
		"307": func(r *http.Request) (*http.Response, error) {
			res := respond(307, "")
			res.Header.Set("Location", "https://example.com/v2/10dlc/phone_number_campaigns")
			return res, nil
		},
	}
	for writeName, write := range writes {
		for outcomeName, outcome := range outcomes {
			t.Run(writeName+"/"+outcomeName, func(t *testing.T) {
				sent := 0
				c := &Client{HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					sent++
					return outcome(r)
				})}}
				err := write(c)
				if err == nil || sent != 1 {
					t.Errorf("sent %d times, error %v", sent, err)
				}
				if unknown := EffectUnknown(err); unknown != (outcomeName != "307") {
					t.Errorf("EffectUnknown(%v) = %v", err, unknown)
				}
			})
		}
	}
}

func TestClient_WaitsBetweenReads(t *testing.T) {
	after := func(s string) http.Header { return http.Header{"Retry-After": {s}} }
	for name, tt := range map[string]struct {
		random float64
		header http.Header
		want   []time.Duration // before each request
	}{
		"least":        {0, nil, []time.Duration{0, 150 * time.Millisecond, 450 * time.Millisecond}},
		"middle":       {0.5, nil, []time.Duration{0, 300 * time.Millisecond, 900 * time.Millisecond}},
		"Retry-After":  {0, after("2"), []time.Duration{0, 2 * time.Second, 2 * time.Second}},
		"longest":      {0, after("5"), []time.Duration{0, 5 * time.Second, 5 * time.Second}},
		"over the cap": {0, after("6"), []time.Duration{0}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var waits []time.Duration
				last := time.Now()
				c := &Client{random: func() float64 { return tt.random }}
				c.HTTPClient = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
					waits = append(waits, time.Since(last))
					last = time.Now()
					res := respond(503, "")
					res.Header = tt.header
					return res, nil
				})}
				if _, err := c.Campaign(t.Context(), "a"); err == nil {
					t.Error("no error")
				}
				if diff := cmp.Diff(tt.want, waits); diff != "" {
					t.Errorf("waits (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestClient_DoesNotWaitPastTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Client{HTTPClient: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return respond(503, ""), nil
		})}}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		started := time.Now()
		_, err := c.Campaign(ctx, "a")
		if e, ok := errors.AsType[*APIError](err); !ok || e.Status != 503 {
			t.Errorf("got %v, want the 503", err)
		}
		if waited := time.Since(started); waited != 0 {
			t.Errorf("waited %s in vain", waited)
		}
	})
}

func TestClient_EndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		c := &Client{HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			asked++
			<-r.Context().Done()
			return nil, r.Context().Err()
		})}}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := c.Campaign(ctx, "a")
		if !errors.Is(err, context.Canceled) || Classify(err) != ClassTransient || asked != 1 {
			t.Errorf("asked %d times, got %v, want context.Canceled", asked, err)
		}
	})
}

func TestClient_LimitsEveryAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		c := &Client{Limiter: NewLimiter(LimiterConfig{}), HTTPClient: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			if asked++; asked == 1 {
				res := respond(429, "")
				res.Header.Set("Retry-After", "4")
				return res, nil
			}
			return respond(200, `{"campaignId":"a"}`), nil
		})}}
		started := time.Now()
		if _, err := c.Campaign(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(started); took != 4*time.Second {
			t.Errorf("took %s, want the 4 s that Telnyx asked for", took)
		}
		if got := c.Limiter.Rate(); got != 1 {
			t.Errorf("the rate is %v, want 1", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := c.Campaign(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) || asked != 2 {
			t.Errorf("asked %d times, got %v, want context.DeadlineExceeded", asked, err)
		}
	})
}

// after returns an OnCall that reports what was called.
func after(report func(Call)) func(context.Context, string, string) func(Call) {
	return func(context.Context, string, string) func(Call) { return report }
}

func TestClient_TellsOfEveryAttempt(t *testing.T) {
	c, _ := newServer(t, answer{status: 503}, ok("<html>"), ok(`{"campaignId":"a"}`))
	var calls []Call
	c.OnCall = after(func(call Call) { calls = append(calls, call) })
	if _, err := c.Campaign(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	c.HTTPClient = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, io.EOF })}
	if _, err := c.Assign(t.Context(), number, "a"); err == nil {
		t.Fatal("no error")
	}
	got := ""
	for _, call := range calls {
		got += fmt.Sprintf("%s %s %d %v\n", call.Method, call.Route, call.Status, call.Err != nil)
		if call.Duration < 0 {
			t.Errorf("took %s", call.Duration)
		}
	}
	want := `GET /10dlc/campaign/{id} 503 true
GET /10dlc/campaign/{id} 200 true
GET /10dlc/campaign/{id} 200 false
POST /10dlc/phone_number_campaigns 0 true
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestClient_TellsOfAnAttemptBeforeAndAfterIt(t *testing.T) {
	type key struct{}
	var seen []string
	c := &Client{
		HTTPClient: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			seen = append(seen, "network")
			return respond(404, ""), nil
		})},
		OnCall: func(ctx context.Context, method, route string) func(Call) {
			seen = append(seen, fmt.Sprint("about to ", ctx.Value(key{}), " ", method, " ", route))
			return func(call Call) { seen = append(seen, fmt.Sprint("over ", call.Status)) }
		},
	}
	if _, err := c.Assign(context.WithValue(t.Context(), key{}, "send"), number, "a"); err == nil {
		t.Error("no error")
	}
	want := []string{"about to send POST /10dlc/phone_number_campaigns", "network", "over 404"}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	seen = nil
	if _, err := c.Assign(t.Context(), "", "a"); err == nil || seen != nil {
		t.Errorf("of a call that is not made: got %q, %v; want no report", seen, err)
	}
}

func TestClient_FollowsNoRedirect(t *testing.T) {
	reached := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		c, s := newServer(t, answer{status: status, header: http.Header{"Location": {elsewhere.URL}}})
		for _, call := range []func() error{
			func() error { _, err := c.Campaign(t.Context(), "a"); return err },
			func() error { _, err := c.Assign(t.Context(), number, "a"); return err },
		} {
			if e, ok := errors.AsType[*APIError](call()); !ok || e.Status != status {
				t.Errorf("%d: got %v, want an APIError", status, e)
			}
		}
		if reached || len(s.requests) != 2 {
			t.Errorf("%d: followed the redirect", status)
		}
	}
}

func TestClient_ReadsErrorAnswers(t *testing.T) {
	c, _ := newServer(t, answer{
		status: 422,
		body:   `{"errors":[{"code":"10016","title":"Phone number must be in +E.164 format"}]}`,
		header: http.Header{"X-Request-Id": {"req-1"}},
	})
	_, err := c.Assign(t.Context(), "123", "C6X6M95")
	want := "assign 123 to campaign C6X6M95: POST /10dlc/phone_number_campaigns: 422 Unprocessable Entity: " +
		"10016 Phone number must be in +E.164 format; request id req-1"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if !HasKnownCode(err) || Classify(err) != ClassRefused {
		t.Errorf("got class %s", Classify(err))
	}
}

func TestClient_ErrorPageOfAGatewayKeepsItsStatus(t *testing.T) {
	c, _ := newServer(t, answer{status: 502, body: "<html><title>502 Bad Gateway</title>" + strings.Repeat("<p>x</p>", 1<<17)})
	_, err := c.Assign(t.Context(), number, "a")
	e, ok := errors.AsType[*APIError](err)
	if !ok || e.Status != 502 || !strings.HasPrefix(e.Body, "502 Bad Gateway x x") || len(e.Body) > 300 {
		t.Errorf("got %#v", e)
	}
}

func TestClient_NoErrorShowsTheKey(t *testing.T) {
	echo := func(status int, body string) roundTrip {
		return func(r *http.Request) (*http.Response, error) {
			res := respond(status, fmt.Sprintf(body, r.Header.Get("Authorization")))
			res.Header.Set("X-Request-Id", "r")
			return res, nil
		}
	}
	for name, network := range map[string]roundTrip{
		"echo in a page":    echo(502, "<html>%s</html>"),
		"echo in details":   echo(401, `{"errors":[{"code":"10009","title":"Bad key","detail":%q}]}`),
		"echo in a 200":     echo(200, `{"you sent":%q}`),
		"echo, no JSON":     echo(200, "%s"),
		"connection broken": func(*http.Request) (*http.Response, error) { return nil, io.EOF },
		"timeout":           func(*http.Request) (*http.Response, error) { return nil, context.DeadlineExceeded },
	} {
		t.Run(name, func(t *testing.T) {
			c := &Client{APIKey: secret, HTTPClient: &http.Client{Transport: network}, random: func() float64 { return -0.5 }}
			c.OnCall = after(func(call Call) { assertNoSecret(t, "OnCall", fmt.Sprintf("%+v %#v", call, call.Err)) })
			for _, call := range []func() error{
				func() error { _, err := c.Campaign(t.Context(), "a"); return err },
				func() error { _, err := c.Assign(t.Context(), number, "a"); return err },
			} {
				err := call()
				if err == nil {
					t.Fatal("no error")
				}
				for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
					assertNoSecret(t, name, fmt.Sprintf(verb, err))
				}
				for inner := err; inner != nil; inner = errors.Unwrap(inner) {
					assertNoSecret(t, name, fmt.Sprintf("%#v", inner))
				}
			}
		})
	}
}

func TestClient_AKeyWithALineBreakIsNotShownEither(t *testing.T) {
	c, _ := newServer(t, ok("{}"))
	c.APIKey = secret + "\n"
	_, err := c.Assign(t.Context(), number, "a")
	if err == nil {
		t.Fatal("sent a key with a line break")
	}
	assertNoSecret(t, "error", err.Error())
}

func TestClient_ReadsNoMoreThanItMustAndLetsGoOfIt(t *testing.T) {
	for name, tt := range map[string]struct{ status, most int }{
		"answer": {200, maxAnswer + 1}, // the byte more shows that it is too long
		"error":  {500, maxErrorAnswer},
	} {
		var read int
		var end closeNoted
		body := io.LimitReader(readerFunc(func(p []byte) (int, error) {
			read += len(p)
			return copy(p, bytes.Repeat([]byte("a"), len(p))), nil
		}), 1<<30)
		c := &Client{HTTPClient: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: tt.status, Body: struct {
				io.Reader
				io.Closer
			}{body, &end}}, nil
		})}}
		if _, err := c.Assign(t.Context(), number, "a"); err == nil {
			t.Errorf("%s: no error", name)
		}
		if read > tt.most {
			t.Errorf("%s: read %d bytes, want at most %d", name, read, tt.most)
		}
		if !end.closed {
			t.Errorf("%s: the rest holds its connection", name)
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestClient_AnAnswerThatBreaksOffIsUnreadable(t *testing.T) {
	c := &Client{HTTPClient: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		body := io.MultiReader(strings.NewReader(`{"phoneNumber":`), readerFunc(func([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }))
		return &http.Response{StatusCode: 200, Body: io.NopCloser(body)}, nil
	})}}
	_, err := c.Assign(t.Context(), number, "a")
	if _, ok := errors.AsType[*UnreadableError](err); !ok || !errors.Is(err, io.ErrUnexpectedEOF) || !EffectUnknown(err) {
		t.Errorf("got %v, want an UnreadableError", err)
	}
}

func TestClient_IsSafeForConcurrentUse(t *testing.T) {
	c, _ := newServer(t, ok(`{"campaignId":"a"}`))
	c.Limiter = NewLimiter(LimiterConfig{Ceiling: 1e6})
	c.OnCall = after(func(Call) {})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := c.Campaign(t.Context(), "a"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// late is the context of a process that stood still: its deadline is over, and
// the timer that says so has not run yet.
type late struct{ context.Context }

func (late) Deadline() (time.Time, bool) { return time.Now().Add(-time.Millisecond), true }

func TestClient_SendsNothingThatIsStale(t *testing.T) {
	c, s := newServer(t, ok(`{}`))
	_, err := c.Assign(late{t.Context()}, "+15551234567", campaign)
	if !errors.Is(err, context.DeadlineExceeded) || WasSent(err) || Classify(err) != ClassTransient {
		t.Errorf("got %v, want the deadline, unsent", err)
	}
	if len(s.requests) > 0 {
		t.Errorf("got %+v, want nothing sent", s.requests)
	}
}
