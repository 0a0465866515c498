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

// recorder handles the calls to the simulated Telnyx. It records which process calls what, and
// which answers about campaigns and numbers went out complete. Processes are known by their User-Agent.
type recorder struct {
	next http.Handler

	mu       sync.Mutex
	latest   string // the assigner that called last
	calls    int
	requests []request
	readings []reading
	touches  []*touch
	// interventions are called once each, when a call about their number arrives and before it is
	// handled.
	interventions map[string]intervention
}

// intervention is what happens to a number at the next call of a method about it.
type intervention struct {
	method string
	act    func()
}

func (c *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	noted := c.note(r, body)
	if noted != nil {
		c.intervene(noted.number, r.Method)
	}
	id, isCampaign := campaignRead(r)
	if !isCampaign && noted == nil {
		c.next.ServeHTTP(w, r)
		return
	}
	copied := &copier{ResponseWriter: w}
	c.next.ServeHTTP(copied, r)
	switch whole := copied.status == http.StatusOK && r.Context().Err() == nil; {
	case whole && isCampaign:
		c.noteReading(r.UserAgent(), id, copied.body.Bytes())
	case whole:
		c.noteAnswer(noted, copied.body.Bytes())
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
func (c *recorder) note(r *http.Request, body []byte) *touch {
	number, record := numberIn(r.URL.Path)
	var wanted struct {
		PhoneNumber   string `json:"phoneNumber"`
		CampaignID    string `json:"campaignId"`
		TCRCampaignID string `json:"tcrCampaignId"`
	}
	_ = json.Unmarshal(body, &wanted) // what cannot be read names no campaign, and is noticed for it
	number = cmp.Or(wanted.PhoneNumber, number)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	if isAssigner(r.UserAgent()) {
		c.latest = r.UserAgent()
	}
	if r.Method != http.MethodGet {
		c.requests = append(c.requests, request{time.Now(), r.UserAgent(), number, cmp.Or(wanted.CampaignID, wanted.TCRCampaignID), r.Method})
	}
	if number == "" || number == "messaging" {
		return nil
	}
	noted := &touch{asked: time.Now(), process: r.UserAgent(), number: number, method: r.Method, record: record}
	c.touches = append(c.touches, noted)
	return noted
}

// intervene does to a number what waits for such a call.
func (c *recorder) intervene(number, method string) {
	c.mu.Lock()
	a, waits := c.interventions[number]
	if waits = waits && a.method == method; waits {
		delete(c.interventions, number)
	}
	c.mu.Unlock()
	if waits {
		a.act()
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
func (c *recorder) noteReading(process, id string, body []byte) {
	var campaign telnyx.Campaign
	if json.Unmarshal(single(body), &campaign) != nil {
		return // a fault spoilt it: no process has read it
	}
	ready := campaign.CampaignStatus == telnyx.CampaignMNOProvisioned && !campaign.IsTMobileSuspended && campaign.Status != telnyx.StatusExpired
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readings = append(c.readings, reading{time.Now(), process, id, ready})
}

// noteAnswer notes what an answer says of a number's record.
func (c *recorder) noteAnswer(t *touch, body []byte) {
	var a telnyx.Assignment
	if !t.record || json.Unmarshal(single(body), &a) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t.answered, t.campaign = time.Now(), a.CampaignID
}

// seen returns copies of everything that was noted.
func (c *recorder) seen() (requests []request, readings []reading, touches []touch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.touches {
		touches = append(touches, *t)
	}
	return slices.Clone(c.requests), slices.Clone(c.readings), touches
}

// count is how many calls came in.
func (c *recorder) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}

// active is the process that called last: of several assigners, the one that works.
func (c *recorder) active() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.latest
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
