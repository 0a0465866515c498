package page

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// patch updates a page in a browser.
type patch struct {
	Title string `json:"title"`
	// Heading is for screen readers.
	Heading string `json:"heading"`
	// Blocks and Rows are the changed elements by id.
	Blocks map[string]template.HTML `json:"blocks,omitempty"`
	Rows   map[string]template.HTML `json:"rows,omitempty"`
	// Order is the ids of all rows; null if it has not changed.
	Order []string `json:"order"`
}

// seen is the content of a page in a browser.
type seen struct {
	title string
	html  map[string]template.HTML
	order []string
}

// update returns the patch from the content to a view, and stores the view as the content.
// It returns false if they do not differ.
func (s *seen) update(v *view) (d patch, ok bool) {
	d = patch{Title: v.Title, Heading: v.Heading, Blocks: map[string]template.HTML{}, Rows: map[string]template.HTML{}}
	html := make(map[string]template.HTML, len(v.Blocks)+len(v.Rows))
	for id, block := range v.Blocks {
		html[id] = block
		if old, known := s.html[id]; !known || old != block {
			d.Blocks[id] = block
		}
	}
	order := make([]string, len(v.Rows))
	for i, row := range v.Rows {
		order[i], html[row.ID] = row.ID, row.HTML
		if old, known := s.html[row.ID]; !known || old != row.HTML {
			d.Rows[row.ID] = row.HTML
		}
	}
	if !slices.Equal(order, s.order) {
		d.Order = order
	}
	ok = s.title != v.Title || len(d.Blocks)+len(d.Rows) > 0 || d.Order != nil
	s.title, s.html, s.order = v.Title, html, order
	return d, ok
}

// stream sends the changes of one page until the client disconnects, is too slow, or the
// process stops.
func (p *Page) stream(w http.ResponseWriter, r *http.Request) {
	of, err := url.Parse(r.URL.Query().Get("of"))
	if err != nil || of.Path != "/status" && !strings.HasPrefix(of.Path, "/status/") {
		http.Error(w, "the parameter of must be the address of a status page, for example /status", http.StatusBadRequest)
		return
	}
	if r.Method == http.MethodHead {
		return
	}
	select {
	case p.streams <- struct{}{}:
		defer func() { <-p.streams }()
	default:
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many live pages; reload the page to see changes", http.StatusServiceUnavailable)
		return
	}
	client := &client{w: w, controller: http.NewResponseController(w), timeout: p.config.WriteTimeout}
	// The server's timeouts are for short requests.
	if err := client.controller.SetReadDeadline(time.Time{}); err != nil {
		http.Error(w, "this server cannot stream", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	if client.send("retry: 2000\n: here\n\n") != nil {
		return
	}
	since := r.Header.Get("Last-Event-ID")
	if since == "" {
		since = r.URL.Query().Get("since")
	}
	err = p.follow(r.Context(), client, of, since)
	if err != nil && r.Context().Err() == nil && !errors.Is(err, errEnded) {
		p.config.Log.Debug().Err(err).Msg("a live status page ended")
	}
}

// follow sends patches as the view changes, and as time passes.
func (p *Page) follow(ctx context.Context, client *client, of *url.URL, since string) error {
	var has seen
	var m memo
	heartbeat := time.NewTicker(p.config.Heartbeat)
	defer heartbeat.Stop()
	first := true
	for {
		version, changed, loaded := p.config.View.Version()
		renew := time.After(p.config.Renew)
		if loaded {
			v, err := p.view(ctx, of, &m)
			if errors.Is(err, errNotFound) {
				return client.send("event: gone\ndata: {}\n\n")
			}
			if err != nil {
				return err
			}
			renew = time.After(v.lifetime(p.config.Renew))
			d, differs := has.update(v)
			// The client already has the page that it loaded, unless something changed
			// while the view was rendered here.
			now, _, _ := p.config.View.Version()
			if differs && !(first && since == p.version(version) && now == version) {
				var data strings.Builder // it ends with a line end
				encoder := json.NewEncoder(&data)
				encoder.SetEscapeHTML(false) // elements are half as long without
				if err := encoder.Encode(d); err != nil {
					return err
				}
				if err := client.send(fmt.Sprintf("id: %s\nevent: patch\ndata: %s\n", p.version(version), data.String())); err != nil {
					return err
				}
			}
			first = false
		}
		// Changes come in bursts, so those of the next moment are sent together.
		if err := p.wait(ctx, client, heartbeat, time.After(p.config.Coalesce), nil); err != nil {
			return err
		}
		if err := p.wait(ctx, client, heartbeat, renew, changed); err != nil {
			return err
		}
	}
}

// errEnded means that the process is stopping.
var errEnded = errors.New("the process is stopping")

// wait waits for one of two channels, and sends heartbeats meanwhile.
func (p *Page) wait(ctx context.Context, client *client, heartbeat *time.Ticker, over <-chan time.Time, changed <-chan struct{}) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.ended.Done():
			return errEnded
		case <-heartbeat.C:
			if err := client.send("event: here\ndata: {}\n\n"); err != nil {
				return err
			}
		case <-over:
			return nil
		case <-changed:
			return nil
		}
	}
}

// client writes to one live page, with a timeout.
type client struct {
	w          http.ResponseWriter
	controller *http.ResponseController
	timeout    time.Duration
}

func (c *client) send(text string) error {
	if err := c.controller.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return err
	}
	if _, err := c.w.Write([]byte(text)); err != nil {
		return err
	}
	return c.controller.Flush()
}
