package page

import (
	"context"
	"errors"
	"html/template"
	"net/url"
	"strings"
	"sync"
	"time"

	"greenlight/internal/status"
	"greenlight/internal/timeline"
)

// errNotFound means that there is no page at an address.
var errNotFound = errors.New("not found")

// view is a rendered page. Its blocks and rows may change while it is open.
type view struct {
	// Title is the document's title. Screen readers announce Heading when it changes.
	Title, Heading string
	// Kind is the name of the page's template.
	Kind string
	// Blocks are elements by id; Rows are the elements of the list, in order.
	Blocks map[string]template.HTML
	Rows   []row
	// Data is further data for the page's template.
	Data any
	// Due is when a part that was kept for some seconds is made again; zero if none was.
	Due time.Time
}

// lifetime is how long the view is used if nothing changes, at most the given time.
func (v *view) lifetime(limit time.Duration) time.Duration {
	if v.Due.IsZero() {
		return limit
	}
	return min(limit, time.Until(v.Due))
}

type row struct {
	ID   string
	HTML template.HTML
}

// memo caches what is expensive to read from NATS, for one live page.
type memo struct {
	key      string
	made     *view
	timeline timeline.Timeline
}

// rendered has the views of one version of the data by address, which live pages share. A
// view is used for at most Config.Renew, since it has estimates and the current time.
type rendered struct {
	mu      sync.Mutex
	version uint64
	views   map[string]dated
}

type dated struct {
	*view
	until time.Time
}

// shared returns the view at an address, which f renders unless another page has it.
func (p *Page) shared(address string, f func(*status.Contents) (*view, error)) (v *view, err error) {
	r := &p.rendered
	r.mu.Lock()
	defer r.mu.Unlock()
	version, _, _ := p.config.View.Version()
	if r.views == nil || r.version != version || len(r.views) >= p.config.MaxStreams {
		r.version, r.views = version, make(map[string]dated)
	}
	if known, ok := r.views[address]; ok && time.Now().Before(known.until) {
		return known.view, nil
	}
	p.config.View.Read(func(x *status.Contents) { v, err = f(x) })
	if err == nil {
		r.views[address] = dated{v, time.Now().Add(v.lifetime(p.config.Renew))}
	}
	return v, err
}

// view renders the page at an address under /status. The error matches errNotFound if
// there is none.
func (p *Page) view(ctx context.Context, at *url.URL, m *memo) (*view, error) {
	q := parseQuery(at.Query())
	path := strings.TrimPrefix(at.Path, "/status")
	address := at.Path + q.encode(q.Page)
	if path == "" {
		return p.shared(address, func(x *status.Contents) (*view, error) { return overview(x, q) })
	}
	if id, ok := strings.CutPrefix(path, "/campaigns/"); ok {
		return p.shared(address, func(x *status.Contents) (*view, error) { return campaignView(x, id, q) })
	}
	if digits, ok := strings.CutPrefix(path, "/numbers/"); ok {
		return p.number(ctx, digits, m)
	}
	if path == "/dead-letters" {
		return p.deadLetters(ctx, at.Query().Get("before"), m)
	}
	return nil, errNotFound
}

// render executes one template.
func render(name string, data any) (template.HTML, error) {
	var b strings.Builder
	err := templates.ExecuteTemplate(&b, name, data)
	return template.HTML(b.String()), err //nolint:gosec // a template of html/template made it
}

// newView returns a page with its blocks rendered; rows of the list are added by
// addRows.
func newView(kind, title, heading string, blocks map[string]any) (*view, error) {
	v := &view{Kind: kind, Title: title, Heading: heading, Blocks: make(map[string]template.HTML, len(blocks))}
	for name, data := range blocks {
		html, err := render(name, data)
		if err != nil {
			return nil, err
		}
		v.Blocks[name] = html
	}
	return v, nil
}

// addRows renders rows by the given template. Each id is that of the row's element.
func addRows[T any](v *view, name string, items []T, id func(T) string) error {
	for _, item := range items {
		html, err := render(name, item)
		if err != nil {
			return err
		}
		v.Rows = append(v.Rows, row{ID: id(item), HTML: html})
	}
	return nil
}

func campaignPath(id string) string { return "/status/campaigns/" + url.PathEscape(id) }
