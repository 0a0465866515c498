//go:build unix

package torture

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"greenlight/internal/telnyx"
)

// desk stands before the simulated Telnyx and notes who asks for what, and what
// about campaigns went out whole. Processes are told by their User-Agent.
type desk struct {
	next http.Handler

	mu       sync.Mutex
	latest   string // the process that called last
	calls    int
	requests []request
	readings []reading
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	d.note(r, body)
	if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "campaign") {
		d.next.ServeHTTP(w, r)
		return
	}
	copied := &copier{ResponseWriter: w}
	d.next.ServeHTTP(copied, r)
	if copied.status == http.StatusOK && r.Context().Err() == nil {
		d.noteReadings(r.UserAgent(), copied.body.Bytes())
	}
}

// note notes a call as it comes in.
func (d *desk) note(r *http.Request, body []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.latest, d.calls = r.UserAgent(), d.calls+1
	if r.Method != http.MethodPost && r.Method != http.MethodPut {
		return
	}
	var pair struct {
		PhoneNumber string `json:"phoneNumber"`
		CampaignID  string `json:"campaignId"`
	}
	_ = json.Unmarshal(body, &pair) // what cannot be read names no campaign, and is noticed for it
	d.requests = append(d.requests, request{time.Now(), r.UserAgent(), pair.PhoneNumber, pair.CampaignID})
}

// noteReadings notes every campaign that an answer tells the status of, in
// whichever shape: a client may read one by one, or lists.
func (d *desk) noteReadings(process string, body []byte) {
	var answer any
	if json.Unmarshal(body, &answer) != nil {
		return // a fault spoilt it: nobody can have read anything
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	each(answer, func(object map[string]any) {
		status, is := object["campaignStatus"].(string)
		if !is {
			return
		}
		suspended, _ := object["isTMobileSuspended"].(bool)
		ready := status == string(telnyx.CampaignMNOProvisioned) && !suspended && object["status"] != telnyx.StatusExpired
		for _, key := range []string{"campaignId", "tcrCampaignId"} {
			if id, _ := object[key].(string); id != "" {
				d.readings = append(d.readings, reading{time.Now(), process, id, ready})
			}
		}
	})
}

// each visits every object in a JSON value.
func each(value any, visit func(map[string]any)) {
	switch value := value.(type) {
	case map[string]any:
		visit(value)
		for _, inner := range value {
			each(inner, visit)
		}
	case []any:
		for _, inner := range value {
			each(inner, visit)
		}
	}
}

// active is the process that called last: of several assigners, the one that works.
func (d *desk) active() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.latest
}

// copier keeps what goes out. A connection that a fault cuts ends in a panic that
// goes past it.
type copier struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (c *copier) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

func (c *copier) Write(p []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	c.body.Write(p)
	return c.ResponseWriter.Write(p)
}

// Unwrap lets the simulator take the connection over.
func (c *copier) Unwrap() http.ResponseWriter { return c.ResponseWriter }
