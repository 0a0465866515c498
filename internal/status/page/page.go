package page

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"mime"
	"net/http"
	"net/url"
	"path"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"greenlight/internal/status"
	"greenlight/internal/telemetry"
)

// Config configures a [Page].
type Config struct {
	// View has the data. It must run. Required.
	View *status.View
	// JetStream has the history of numbers and the dead letters. Required.
	JetStream jetstream.JetStream
	// Log gets errors. The zero value logs nothing.
	Log zerolog.Logger

	// MaxStreams bounds the number of live pages, by default 50. Further pages are static
	// and retry later.
	MaxStreams int
	// Refresh is the largest age of [status.Surroundings] on a page, and how often they are
	// read for live pages, by default 3 s.
	Refresh time.Duration
	// Coalesce is how long a stream collects changes before it sends them, by default
	// 400 ms.
	Coalesce time.Duration
	// Renew is how often a live page is rendered again although nothing has changed, since
	// estimates and the chart depend on the time, by default 10 s.
	Renew time.Duration
	// Heartbeat is the interval of messages that detect disconnected clients, by default
	// 15 s.
	Heartbeat time.Duration
	// WriteTimeout bounds each write to a client, by default 5 s.
	WriteTimeout time.Duration
}

// Page serves the status page. Create it with [New], and run [Page.Run]. It is safe for
// concurrent use.
type Page struct {
	config Config
	// life is part of a version, since each process counts from 0.
	life string
	// streams has an element for each live page. They end when ended is done.
	streams chan struct{}
	ended   context.Context
	end     context.CancelFunc
	mux     *http.ServeMux
	// rendered is for pages whose data is in memory.
	rendered rendered
}

// New returns a page. Live pages need [Page.Run].
func New(config Config) *Page {
	config.MaxStreams = cmp.Or(config.MaxStreams, 50)
	config.Refresh = cmp.Or(config.Refresh, 3*time.Second)
	config.Coalesce = cmp.Or(config.Coalesce, 400*time.Millisecond)
	config.Renew = cmp.Or(config.Renew, 10*time.Second)
	config.Heartbeat = cmp.Or(config.Heartbeat, 15*time.Second)
	config.WriteTimeout = cmp.Or(config.WriteTimeout, 5*time.Second)
	p := &Page{config: config, life: rand.Text()[:8], streams: make(chan struct{}, config.MaxStreams), mux: http.NewServeMux()}
	p.ended, p.end = context.WithCancel(context.Background())
	// A pattern with GET matches HEAD too. Any other method gets a 405.
	p.mux.HandleFunc("GET /status", p.serve)
	p.mux.HandleFunc("GET /status/", p.serve)
	p.mux.HandleFunc("GET /status/events", p.stream)
	p.mux.HandleFunc("GET /status/assets/{name}", p.asset)
	return p
}

const (
	// readTimeout bounds the requests of a page to NATS.
	readTimeout = 5 * time.Second
	// maxDetail bounds Telnyx's text in a list, in characters. The timeline shows more.
	maxDetail = 400
	// maxRowDetail is the same on the overview.
	maxRowDetail = 160
)

// Run keeps live pages up to date until ctx ends, then ends their streams and returns
// nil.
func (p *Page) Run(ctx context.Context) error {
	defer p.end()
	ticker := time.NewTicker(p.config.Refresh)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if len(p.streams) > 0 {
				p.config.View.Refresh(ctx, p.config.Refresh)
			}
		}
	}
}

// ServeHTTP answers everything under /status. [status.Handler] sets the security headers.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

//go:embed assets
var assets embed.FS

// hashes are part of the addresses of assets, so that a browser may cache them forever.
var hashes = hashAssets()

func hashAssets() map[string]string {
	files, err := assets.ReadDir("assets")
	if err != nil {
		panic(err) // it is embedded
	}
	sums := make(map[string]string)
	for _, file := range files {
		content, _ := assets.ReadFile("assets/" + file.Name())
		sum := sha256.Sum256(content)
		sums[file.Name()] = hex.EncodeToString(sum[:6])
	}
	return sums
}

func (p *Page) asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	content, err := assets.ReadFile("assets/" + name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	if r.URL.Query().Get("v") == hashes[name] {
		w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

//go:embed templates
var templateFiles embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"asset":      func(name string) string { return "/status/assets/" + name + "?v=" + hashes[name] },
	"plural":     plural,
	"grouped":    grouped,
	"phaseClass": phaseClass,
	"spaced":     func(word any) string { return spaced(fmt.Sprint(word)) },
	"upper":      func(word any) string { return upper(fmt.Sprint(word)) },
	"extras":     func() string { return status.ExtrasSentence },
	"past":       func(t time.Time) bool { return !t.After(time.Now()) },
	"stamp":      func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"clock":      func(t time.Time) string { return clock(t, "15:04:05") },
	"minute":     func(t time.Time) string { return clock(t, "15:04") },
}).ParseFS(templateFiles, "templates/*.html"))

// clock writes a time in UTC, with the day unless it is today.
func clock(t time.Time, layout string) string {
	if t = t.UTC(); t.Format(time.DateOnly) != time.Now().UTC().Format(time.DateOnly) {
		return t.Format("2 Jan 15:04")
	}
	return t.Format(layout)
}

// shell is the frame of every page.
type shell struct {
	*view
	// Address is the page's address, for its stream; empty if it is not live. Version is
	// the version of the view when it was rendered.
	Address, Version string
	// ReadAt is when the data was current.
	ReadAt time.Time
	// Message says why there is nothing else to show.
	Message string
}

// Block returns a rendered block.
func (s shell) Block(name string) template.HTML { return s.Blocks[name] }

func (p *Page) serve(w http.ResponseWriter, r *http.Request) {
	p.config.View.Refresh(r.Context(), p.config.Refresh)
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	if !p.config.View.AwaitLoaded(ctx) {
		p.writeMessage(w, http.StatusServiceUnavailable, "The ledger cannot be read", "NATS has not answered yet. Try again in a moment; /readyz shows what is wrong.")
		return
	}
	version, _, _ := p.config.View.Version()
	v, err := p.view(ctx, r.URL, &memo{})
	switch {
	case errors.Is(err, errNotFound):
		p.writeMessage(w, http.StatusNotFound, "Not found", "It is not in any plan that Greenlight has read, or it was removed from the plan.")
		return
	case err != nil:
		p.config.Log.Warn().Err(err).Str(telemetry.KeyPath, r.URL.Path).Msg("a status page could not be read from NATS")
		p.writeMessage(w, http.StatusServiceUnavailable, "This page cannot be shown now", "NATS did not answer. Try again in a moment; /readyz shows what is wrong.")
		return
	}
	readAt := time.Now()
	p.config.View.Read(func(x *status.Contents) {
		if x.Unreachable != "" {
			readAt = x.ReadAt
		}
	})
	p.write(w, http.StatusOK, shell{view: v, Address: address(r.URL), Version: p.version(version), ReadAt: readAt})
}

// writeMessage answers with a page that only has a message.
func (p *Page) writeMessage(w http.ResponseWriter, code int, heading, message string) {
	p.write(w, code, shell{view: &view{Kind: "message", Title: heading, Heading: heading}, Message: message})
}

func (p *Page) write(w http.ResponseWriter, code int, s shell) {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, "shell", s); err != nil {
		p.config.Log.Error().Err(err).Msg("a status page could not be rendered; please report this bug in Greenlight")
		http.Error(w, "this page cannot be shown because of a bug in Greenlight; see its log", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(b.Bytes()) // the client may have disconnected
}

// version is the version of the view as the client sees it.
func (p *Page) version(n uint64) string { return fmt.Sprintf("%s-%d", p.life, n) }

// address returns the address of a page without the host.
func address(u *url.URL) string {
	return (&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}).String()
}
