//go:build unix

package torture

import (
	"bytes"
	"cmp"
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
	id, isCampaign := campaignRead(r)
	if !isCampaign {
		d.next.ServeHTTP(w, r)
		return
	}
	copied := &copier{ResponseWriter: w}
	d.next.ServeHTTP(copied, r)
	if copied.status == http.StatusOK && r.Context().Err() == nil {
		d.noteReading(r.UserAgent(), id, copied.body.Bytes())
	}
}

// campaignRead returns the campaign that a call reads by itself, which nobody acts
// without.
func campaignRead(r *http.Request) (id string, ok bool) {
	for _, path := range []string{"/v2/10dlc/campaign/", "/v2/10dlc/partner_campaigns/"} {
		if id, ok = strings.CutPrefix(r.URL.Path, path); ok && r.Method == http.MethodGet {
			return id, true
		}
	}
	return "", false
}

// note notes a call as it comes in.
func (d *desk) note(r *http.Request, body []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.latest, d.calls = r.UserAgent(), d.calls+1
	if r.Method != http.MethodPost && r.Method != http.MethodPut {
		return
	}
	var wanted struct {
		PhoneNumber   string `json:"phoneNumber"`
		CampaignID    string `json:"campaignId"`
		TCRCampaignID string `json:"tcrCampaignId"`
	}
	_ = json.Unmarshal(body, &wanted) // what cannot be read names no campaign, and is noticed for it
	d.requests = append(d.requests, request{time.Now(), r.UserAgent(), wanted.PhoneNumber, cmp.Or(wanted.CampaignID, wanted.TCRCampaignID)})
}

// noteReading notes what an answer says of a campaign.
func (d *desk) noteReading(process, id string, body []byte) {
	var told struct {
		Status         string                `json:"status"`
		CampaignStatus telnyx.CampaignStatus `json:"campaignStatus"`
		Suspended      bool                  `json:"isTMobileSuspended"`
	}
	if json.Unmarshal(body, &told) != nil {
		return // a fault spoilt it: nobody can have read anything
	}
	ready := told.CampaignStatus == telnyx.CampaignMNOProvisioned && !told.Suspended && told.Status != telnyx.StatusExpired
	d.mu.Lock()
	defer d.mu.Unlock()
	d.readings = append(d.readings, reading{time.Now(), process, id, ready})
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
