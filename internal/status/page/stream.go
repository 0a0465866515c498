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
	"sync"
	"time"
)

// streams counts who reads live.
type streams struct {
	mu    sync.Mutex
	count int
	// ended is closed when no stream is to go on.
	ended chan struct{}
	once  sync.Once
}

func (p *Page) enter() bool {
	s := &p.streams
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count >= p.config.MaxStreams {
		return false
	}
	s.count++
	return true
}

func (p *Page) leave() {
	p.streams.mu.Lock()
	defer p.streams.mu.Unlock()
	p.streams.count--
}

// streaming reports whether anybody reads live.
func (p *Page) streaming() bool {
	p.streams.mu.Lock()
	defer p.streams.mu.Unlock()
	return p.streams.count > 0
}

func (p *Page) endStreams() { p.streams.once.Do(func() { close(p.streams.ended) }) }

// patch is what differs between what a reader has and what is.
type patch struct {
	Title string `json:"title"`
	// Heading is for those who hear the page.
	Heading string `json:"heading"`
	// Blocks and Rows are elements by the id of what they replace.
	Blocks map[string]template.HTML `json:"blocks,omitempty"`
	Rows   map[string]template.HTML `json:"rows,omitempty"`
	// Order is all rows' ids; null when they are as before.
	Order []string `json:"order"`
}

// seen is what a reader has.
type seen struct {
	title string
	html  map[string]template.HTML
	order []string
}

// differ returns what the reader lacks, ok false when that is nothing, and takes it
// as read.
func (s *seen) differ(v *view) (d patch, ok bool) {
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

// stream sends what changes on one page, until the reader goes, is too slow, or the
// process stops.
func (p *Page) stream(w http.ResponseWriter, r *http.Request) {
	of, err := url.Parse(r.URL.Query().Get("of"))
	if err != nil || of.Path != "/status" && !strings.HasPrefix(of.Path, "/status/") {
		http.Error(w, "of names no page", http.StatusBadRequest)
		return
	}
	if r.Method == http.MethodHead {
		return
	}
	if !p.enter() {
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many read the page live; it can be read without", http.StatusServiceUnavailable)
		return
	}
	defer p.leave()
	line := &line{w: w, controller: http.NewResponseController(w), patience: p.config.Patience}
	// The server's bounds are for requests that end.
	if err := line.controller.SetReadDeadline(time.Time{}); err != nil {
		http.Error(w, "this server cannot stream", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	if line.send("retry: 2000\n: here\n\n") != nil {
		return
	}
	since := r.Header.Get("Last-Event-ID")
	if since == "" {
		since = r.URL.Query().Get("since")
	}
	err = p.follows(r.Context(), line, of, since)
	if err != nil && r.Context().Err() == nil && !errors.Is(err, errEnded) {
		p.config.Log.Debug().Err(err).Msg("a live status page was ended")
	}
}

// follows sends patches as the status changes.
func (p *Page) follows(ctx context.Context, line *line, of *url.URL, since string) error {
	var has seen
	var m memo
	heartbeat := time.NewTicker(p.config.Heartbeat)
	defer heartbeat.Stop()
	first := true
	for {
		version, changed, loaded := p.config.View.Version()
		if loaded {
			v, err := p.view(ctx, of, &m)
			if errors.Is(err, errNotFound) {
				return line.send("event: gone\ndata: {}\n\n")
			}
			if err != nil {
				return err
			}
			d, differs := has.differ(v)
			// What the reader got as a page is not sent again, unless something changed
			// while it was rendered here.
			now, _, _ := p.config.View.Version()
			if differs && !(first && since == p.version(version) && now == version) {
				data, err := json.Marshal(d)
				if err != nil {
					return err
				}
				if err := line.send(fmt.Sprintf("id: %s\nevent: patch\ndata: %s\n\n", p.version(version), data)); err != nil {
					return err
				}
			}
			first = false
		}
		// Changes come in crowds: those of the next moment are sent together.
		if err := p.idle(ctx, line, heartbeat, time.After(p.config.Coalesce), nil); err != nil {
			return err
		}
		if err := p.idle(ctx, line, heartbeat, nil, changed); err != nil {
			return err
		}
	}
}

// errEnded says that the process stops.
var errEnded = errors.New("the process stops")

// idle waits for one of two things, and keeps the line alive meanwhile.
func (p *Page) idle(ctx context.Context, line *line, heartbeat *time.Ticker, over <-chan time.Time, changed <-chan struct{}) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.streams.ended:
			return errEnded
		case <-heartbeat.C:
			if err := line.send(": here\n\n"); err != nil {
				return err
			}
		case <-over:
			return nil
		case <-changed:
			return nil
		}
	}
}

// line writes to one reader, who is not waited for.
type line struct {
	w          http.ResponseWriter
	controller *http.ResponseController
	patience   time.Duration
}

func (l *line) send(text string) error {
	if err := l.controller.SetWriteDeadline(time.Now().Add(l.patience)); err != nil {
		return err
	}
	if _, err := l.w.Write([]byte(text)); err != nil {
		return err
	}
	return l.controller.Flush()
}
