package telnyx

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

const readOnlyNumber, readOnlyCampaign = "+15551234567", "751c6a5c-907b-43a9-8ada-ba1dc8335b07"

// clientWrites are the methods of Client that change something.
var clientWrites = map[string]func(context.Context, *Client) error{
	"Assign": func(ctx context.Context, c *Client) error {
		_, err := c.Assign(ctx, readOnlyNumber, readOnlyCampaign)
		return err
	},
	"UpdateCampaign": func(ctx context.Context, c *Client) error {
		_, err := c.UpdateCampaign(ctx, "a", CampaignUpdate{})
		return err
	},
	"UpdatePartnerCampaign": func(ctx context.Context, c *Client) error {
		_, err := c.UpdatePartnerCampaign(ctx, "CAAAAAA", WebhookURLs{})
		return err
	},
	"Reassign": func(ctx context.Context, c *Client) error {
		_, err := c.Reassign(ctx, readOnlyNumber, readOnlyCampaign)
		return err
	},
	"Unassign": func(ctx context.Context, c *Client) error {
		_, err := c.Unassign(ctx, readOnlyNumber)
		return err
	},
	"SetMessagingProfile": func(ctx context.Context, c *Client) error {
		_, err := c.SetMessagingProfile(ctx, Number{ID: "1293384261075731499"}, "4001776e-5b1a-4d0c-9f2e-2d9a7b9c1e10")
		return err
	},
}

// clientReads are the methods that do not.
var clientReads = map[string]func(context.Context, *Client) error{
	"Assignment":  func(ctx context.Context, c *Client) error { _, err := c.Assignment(ctx, "+1"); return err },
	"Assignments": func(ctx context.Context, c *Client) error { _, err := c.Assignments(ctx, 0); return err },
	"AssignmentsOn": func(ctx context.Context, c *Client) error {
		_, err := c.AssignmentsOn(ctx, Campaign{CampaignID: "a"})
		return err
	},
	"CheckKey":   func(ctx context.Context, c *Client) error { return c.CheckKey(ctx) },
	"BrandsPage": func(ctx context.Context, c *Client) error { _, _, err := c.BrandsPage(ctx, 1); return err },
	"CampaignsPage": func(ctx context.Context, c *Client) error {
		_, _, err := c.CampaignsPage(ctx, "a", 1)
		return err
	},
	"Brands":         func(ctx context.Context, c *Client) error { _, err := c.Brands(ctx); return err },
	"Campaign":       func(ctx context.Context, c *Client) error { _, err := c.Campaign(ctx, "a"); return err },
	"Campaigns":      func(ctx context.Context, c *Client) error { _, err := c.Campaigns(ctx, "a"); return err },
	"AccountNumbers": func(ctx context.Context, c *Client) error { _, err := c.AccountNumbers(ctx, 0); return err },
	"NumberNow": func(ctx context.Context, c *Client) error {
		_, err := c.NumberNow(ctx, Number{ID: "1", PhoneNumber: "+1"})
		return err
	},
	"Numbers":          func(ctx context.Context, c *Client) error { _, err := c.Numbers(ctx, []string{"+1"}); return err },
	"OperationStatus":  func(ctx context.Context, c *Client) error { _, err := c.OperationStatus(ctx, "a"); return err },
	"PartnerCampaign":  func(ctx context.Context, c *Client) error { _, err := c.PartnerCampaign(ctx, "CAAAAAA"); return err },
	"PartnerCampaigns": func(ctx context.Context, c *Client) error { _, err := c.PartnerCampaigns(ctx); return err },
	"ProfileNumbers":   func(ctx context.Context, c *Client) error { _, err := c.ProfileNumbers(ctx, "a"); return err },
}

// readOnlyServer is a client of a server that answers 404 and counts what arrives.
func readOnlyServer(t *testing.T) (c *Client, arrived *atomic.Int32) {
	t.Helper()
	arrived = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived.Add(1)
		http.NotFound(w, r)
	}))
	t.Cleanup(server.Close)
	return &Client{APIKey: secret, BaseURL: server.URL + "/v2", HTTPClient: server.Client()}, arrived
}

func TestReadOnly_KnowsEveryMethodOfClient(t *testing.T) {
	listed := slices.Sorted(maps.Keys(clientWrites))
	listed = slices.Sorted(slices.Values(slices.AppendSeq(listed, maps.Keys(clientReads))))
	var methods []string
	for method := range reflect.TypeFor[*Client]().Methods() {
		if !slices.Contains([]string{"ReadOnly", "Copy", "Learned", "ForgetNumbers"}, method.Name) {
			methods = append(methods, method.Name)
		}
	}
	if !slices.Equal(methods, listed) {
		t.Errorf("Client has %v, and these tests call %v", methods, listed)
	}
}

func TestReadOnly_RefusesEveryWriteBeforeItIsSent(t *testing.T) {
	for name, write := range clientWrites {
		t.Run(name, func(t *testing.T) {
			c, arrived := readOnlyServer(t)
			err := write(t.Context(), c.ReadOnly())
			if err == nil || arrived.Load() != 0 {
				t.Fatalf("%d requests arrived, error %v", arrived.Load(), err)
			}
			if !strings.HasSuffix(err.Error(), " was not sent: this command only reads") {
				t.Errorf("got %q, want a sentence that says so", err)
			}
			assertNoSecret(t, name, err.Error())
			// The client that it was made of is as it was.
			if err := write(t.Context(), c); err == nil || arrived.Load() != 1 {
				t.Errorf("without ReadOnly %d requests arrived, error %v", arrived.Load(), err)
			}
		})
	}
}

func TestReadOnly_LetsEveryReadPass(t *testing.T) {
	for name, read := range clientReads {
		t.Run(name, func(t *testing.T) {
			c, arrived := readOnlyServer(t)
			if err := read(t.Context(), c.ReadOnly()); err == nil || strings.Contains(err.Error(), "not sent") || arrived.Load() == 0 {
				t.Errorf("%d requests arrived, error %v", arrived.Load(), err)
			}
		})
	}
}

func TestReadOnly_TransportPassesGETAlone(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "LINK"} {
		passed := false
		c := &Client{APIKey: secret, HTTPClient: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			passed = true
			return respond(200, "{}"), nil
		})}}
		req, err := http.NewRequestWithContext(t.Context(), method, "http://telnyx.test/v2/x", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+secret)
		res, err := c.ReadOnly().HTTPClient.Do(req)
		if err == nil {
			res.Body.Close()
		} else {
			assertNoSecret(t, method, err.Error())
		}
		if want := method == "GET"; passed != want || (err == nil) != want {
			t.Errorf("%s: passed %t, error %v", method, passed, err)
		}
	}
}

func TestReadOnly_ClosesTheBodyOfWhatItRefuses(t *testing.T) {
	var end closeNoted
	body := struct {
		io.Reader
		io.Closer
	}{strings.NewReader("{}"), &end}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://telnyx.test/v2/x", body)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (readOnlyTransport{}).RoundTrip(req); err == nil || !end.closed {
		t.Errorf("closed %t, error %v", end.closed, err)
	}
}

// closeNoted is the end of a body, which notes that it was closed.
type closeNoted struct{ closed bool }

func (c *closeNoted) Close() error { c.closed = true; return nil }
