//go:build unix

package torture

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"greenlight/internal/telnyx"
)

// desk handles the calls to the simulated Telnyx. It records which process calls what, and
// which answers about campaigns and numbers went out complete. Processes are known by their User-Agent.
type desk struct {
	next http.Handler

	mu       sync.Mutex
	latest   string // the process that called last
	calls    int
	requests []request
	readings []reading
	touches  []*touch
	// ambushes are called once each, when a call about their number arrives and before it is
	// handled.
	ambushes map[string]ambush
}

// ambush is what happens to a number at the next call of a method about it.
type ambush struct {
	method string
	spring func()
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	noted := d.note(r, body)
	if noted != nil {
		d.ambush(noted.number, r.Method)
	}
	id, isCampaign := campaignRead(r)
	if !isCampaign && noted == nil {
		d.next.ServeHTTP(w, r)
		return
	}
	copied := &copier{ResponseWriter: w}
	d.next.ServeHTTP(copied, r)
	switch whole := copied.status == http.StatusOK && r.Context().Err() == nil; {
	case whole && isCampaign:
		d.noteReading(r.UserAgent(), id, copied.body.Bytes())
	case whole:
		d.noteAnswer(noted, copied.body.Bytes())
	}
}

// campaignRead returns the campaign that a call reads alone, as every process does
// before it acts.
func campaignRead(r *http.Request) (id string, ok bool) {
	for _, path := range []string{"/v2/10dlc/campaign/", "/v2/10dlc/partner_campaigns/"} {
		if id, ok = strings.CutPrefix(r.URL.Path, path); ok && r.Method == http.MethodGet {
			return id, true
		}
	}
	return "", false
}

// numberIn returns the number that a call's path names, and whether the path is that of
// its record.
func numberIn(path string) (number string, record bool) {
	for _, root := range []string{"/v2/10dlc/phone_number_campaigns/", "/v2/10dlc/phoneNumberCampaign/"} {
		if number, record = strings.CutPrefix(path, root); record {
			return number, true
		}
	}
	id, isSettings := strings.CutPrefix(strings.TrimSuffix(path, "/messaging"), "/v2/phone_numbers/")
	if !isSettings {
		return "", false
	}
	if digits, isID := strings.CutPrefix(id, idPrefix); isID {
		return "+" + digits, false
	}
	return id, false
}

// note notes a call as it comes in, and returns what it notes of one about a number.
func (d *desk) note(r *http.Request, body []byte) *touch {
	number, record := numberIn(r.URL.Path)
	var wanted struct {
		PhoneNumber   string `json:"phoneNumber"`
		CampaignID    string `json:"campaignId"`
		TCRCampaignID string `json:"tcrCampaignId"`
	}
	_ = json.Unmarshal(body, &wanted) // what cannot be read names no campaign, and is noticed for it
	number = cmp.Or(wanted.PhoneNumber, number)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.latest, d.calls = r.UserAgent(), d.calls+1
	if r.Method != http.MethodGet {
		d.requests = append(d.requests, request{time.Now(), r.UserAgent(), number, cmp.Or(wanted.CampaignID, wanted.TCRCampaignID), r.Method})
	}
	if number == "" || number == "messaging" {
		return nil
	}
	noted := &touch{asked: time.Now(), process: r.UserAgent(), number: number, method: r.Method, record: record}
	d.touches = append(d.touches, noted)
	return noted
}

// ambush does to a number what waits for such a call.
func (d *desk) ambush(number, method string) {
	d.mu.Lock()
	a, waits := d.ambushes[number]
	if waits = waits && a.method == method; waits {
		delete(d.ambushes, number)
	}
	d.mu.Unlock()
	if waits {
		a.spring()
	}
}

// single takes the object out of the {"data":…} that some dialects put around it.
func single(body []byte) []byte {
	var wrapped struct {
		Data json.RawMessage `json:"data"`
	}
	if json.Unmarshal(body, &wrapped) == nil && len(wrapped.Data) > 0 {
		return wrapped.Data
	}
	return body
}

// noteReading notes what an answer says of a campaign.
func (d *desk) noteReading(process, id string, body []byte) {
	var c telnyx.Campaign
	if json.Unmarshal(single(body), &c) != nil {
		return // a fault spoilt it: no process has read it
	}
	ready := c.CampaignStatus == telnyx.CampaignMNOProvisioned && !c.IsTMobileSuspended && c.Status != telnyx.StatusExpired
	d.mu.Lock()
	defer d.mu.Unlock()
	d.readings = append(d.readings, reading{time.Now(), process, id, ready})
}

// noteAnswer notes what an answer says of a number's record.
func (d *desk) noteAnswer(t *touch, body []byte) {
	var a telnyx.Assignment
	if !t.record || json.Unmarshal(single(body), &a) != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	t.answered, t.campaign = time.Now(), a.CampaignID
}

// seen returns copies of everything that was noted.
func (d *desk) seen() (requests []request, readings []reading, touches []touch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range d.touches {
		touches = append(touches, *t)
	}
	return slices.Clone(d.requests), slices.Clone(d.readings), touches
}

// count is how many calls came in.
func (d *desk) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls
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
