package page

import (
	"bytes"
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
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"greenlight/internal/status"
	"greenlight/internal/telemetry"
)

// Config is what the page shows. The zero value of what is not required shows less.
type Config struct {
	// View has what is shown. It must run. Required.
	View *status.View
	// JetStream has the history of numbers and the dead letters. Required.
	JetStream jetstream.JetStream
	// Log gets what goes wrong. The zero value logs nothing.
	Log zerolog.Logger

	// MaxStreams bounds how many pages are read live at once, by default 50. One more
	// is told to come again later, and reads a page that does not move.
	MaxStreams int
	// Coalesce is how long a stream gathers changes after it sent some, by default
	// 400 ms.
	Coalesce time.Duration
	// Heartbeat is how often a stream sends something, so that readers who have gone
	// are found, by default 15 s.
	Heartbeat time.Duration
	// Patience is how long a reader may take to take what is sent before the stream
	// is cut off, by default 5 s.
	Patience time.Duration
}

// Page serves the status page. Make one with [New], and let [Page.Run] run. Safe for
// concurrent use.
type Page struct {
	config Config
	// life is part of a version's name: another process starts its own count.
	life    string
	streams streams
	mux     *http.ServeMux
}

// New returns the page. It shows nothing until [Page.Run] runs.
func New(config Config) *Page {
	if config.MaxStreams == 0 {
		config.MaxStreams = 50
	}
	if config.Coalesce == 0 {
		config.Coalesce = 400 * time.Millisecond
	}
	if config.Heartbeat == 0 {
		config.Heartbeat = 15 * time.Second
	}
	if config.Patience == 0 {
		config.Patience = 5 * time.Second
	}
	p := &Page{
		config: config, life: rand.Text()[:8],
		streams: streams{ended: make(chan struct{})}, mux: http.NewServeMux(),
	}
	// A pattern with GET takes HEAD as well, and any other method gets a 405.
	p.mux.HandleFunc("GET /status", p.serve)
	p.mux.HandleFunc("GET /status/", p.serve)
	p.mux.HandleFunc("GET /status/events", p.stream)
	p.mux.HandleFunc("GET /status/assets/{name}", p.asset)
	return p
}

const (
	// surroundingsAge is how old what the records do not say may be on a page, and how
	// often it is asked for while somebody reads a page live.
	surroundingsAge = 3 * time.Second
	// readTimeout bounds what a page may ask of NATS.
	readTimeout = 5 * time.Second
	// maxDetail bounds what a list shows of Telnyx's words about a number. The number's
	// timeline has all of them.
	maxDetail = 400
)

// Run keeps live pages up to date until ctx ends, then ends their streams and returns
// nil.
func (p *Page) Run(ctx context.Context) error {
	defer p.endStreams()
	ticker := time.NewTicker(surroundingsAge)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if p.streaming() {
				p.config.View.Refresh(ctx, surroundingsAge)
			}
		}
	}
}

// ServeHTTP answers everything under /status. [status.Handler] sets the security headers.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

//go:embed assets
var assets embed.FS

// hashes has a part of the SHA-256 of each asset, which is asked for with its
// address, so that a browser may keep it for ever.
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
	"asset":   func(name string) string { return "/status/assets/" + name + "?v=" + hashes[name] },
	"plural":  plural,
	"grouped": grouped,
	"spaced":  func(word any) string { return spaced(fmt.Sprint(word)) },
	"stamp":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"clock":   func(t time.Time) string { return t.UTC().Format("2 Jan 15:04:05 UTC") },
	"upper":   func(word any) string { text := fmt.Sprint(word); return strings.ToUpper(text[:1]) + text[1:] },
}).ParseFS(templateFiles, "templates/*.html"))

// shell is what surrounds every page.
type shell struct {
	*view
	// Address is the page's own, for its stream; empty where nothing is to be read live.
	// Version is that of the status when it was rendered.
	Address, Version string
	// Message says why there is nothing else to show.
	Message string
}

// Block returns a block that was rendered before.
func (s shell) Block(name string) template.HTML { return s.Blocks[name] }

func (p *Page) serve(w http.ResponseWriter, r *http.Request) {
	p.config.View.Refresh(r.Context(), surroundingsAge)
	ctx, cancel := context.WithTimeout(r.Context(), readTimeout)
	defer cancel()
	if !p.config.View.AwaitLoaded(ctx) {
		p.say(w, http.StatusServiceUnavailable, "The ledger cannot be read", "NATS has not answered yet. Try again in a moment; /readyz says what is wrong.")
		return
	}
	version, _, _ := p.config.View.Version()
	v, err := p.view(ctx, r.URL, &memo{})
	switch {
	case errors.Is(err, errNotFound):
		p.say(w, http.StatusNotFound, "Nothing here", "No plan that Greenlight has read names this, or it was taken out since.")
		return
	case err != nil:
		p.config.Log.Warn().Err(err).Str(telemetry.KeyPath, r.URL.Path).Msg("a status page could not be made")
		p.say(w, http.StatusServiceUnavailable, "This cannot be read now", "NATS did not answer. Try again in a moment; /readyz says what is wrong.")
		return
	}
	p.write(w, http.StatusOK, shell{view: v, Address: address(r.URL), Version: p.version(version)})
}

// say answers with a page that says why there is no other.
func (p *Page) say(w http.ResponseWriter, code int, heading, message string) {
	p.write(w, code, shell{view: &view{Kind: "message", Title: heading, Heading: heading}, Message: message})
}

func (p *Page) write(w http.ResponseWriter, code int, s shell) {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, "shell", s); err != nil {
		p.config.Log.Error().Err(err).Msg("this is a mistake in Greenlight, please report it")
		http.Error(w, "this page cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(b.Bytes()) // whoever asked may have gone
}

// version names a version of the status in this process.
func (p *Page) version(n uint64) string { return fmt.Sprintf("%s-%d", p.life, n) }

// address is that of a page, without the host.
func address(u *url.URL) string {
	return (&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}).String()
}
