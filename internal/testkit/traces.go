package testkit

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is a span as tests compare it.
type Span struct {
	Trace, ID, Parent string
	Name, Service     string
	Kind              string
	Failed            bool
	Attributes        map[string]string
}

// Collector is an http.Handler that collects spans sent by OTLP over HTTP. The zero value is
// ready for use. Safe for concurrent use.
type Collector struct {
	mu       sync.Mutex
	requests []*http.Request
	spans    []Span
	raw      []byte
	status   int
}

// Answer sets the status of later answers. Unless it is 200, spans are not kept.
func (c *Collector) Answer(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = status
}

// Spans returns the spans so far.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// Requests returns the requests so far, without their bodies.
func (c *Collector) Requests() []*http.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.requests)
}

// Raw returns the bytes of all bodies, unpacked.
func (c *Collector) Raw() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.raw)
}

func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var reader io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		reader = unpacked
	}
	body, err := io.ReadAll(reader)
	var data tracepb.TracesData
	if err == nil {
		err = proto.Unmarshal(body, &data)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, r)
	if c.status != 0 && c.status != http.StatusOK {
		w.WriteHeader(c.status)
		return
	}
	c.raw = append(c.raw, body...)
	for _, resource := range data.ResourceSpans {
		service := ""
		for _, a := range resource.Resource.Attributes {
			if a.Key == "service.name" {
				service = a.Value.GetStringValue()
			}
		}
		for _, scope := range resource.ScopeSpans {
			for _, span := range scope.Spans {
				c.spans = append(c.spans, of(span, service))
			}
		}
	}
}

func of(span *tracepb.Span, service string) Span {
	s := Span{
		Trace: hex.EncodeToString(span.TraceId), ID: hex.EncodeToString(span.SpanId), Parent: hex.EncodeToString(span.ParentSpanId),
		Name: span.Name, Service: service, Kind: span.Kind.String(),
		Failed: span.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR, Attributes: map[string]string{},
	}
	for _, a := range span.Attributes {
		s.Attributes[a.Key] = a.Value.GetStringValue()
		if s.Attributes[a.Key] == "" {
			s.Attributes[a.Key] = strconv.FormatInt(a.Value.GetIntValue(), 10)
		}
	}
	return s
}
