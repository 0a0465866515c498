package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"greenlight/internal/telemetry"
)

const (
	// lastFlush is how long the last spans may take to be sent at the end.
	lastFlush = 3 * time.Second
	// maxTraceError bounds what the log repeats of an answer of the collector, in bytes.
	maxTraceError = 300
)

// StartTracing makes a tracer of the process as the standard variables say
// (https://opentelemetry.io/docs/specs/otel/protocol/exporter/), nil unless one of
// OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set. Nobody waits
// for the collector: what it does not take at once is dropped. Stop sends what is left and
// takes three seconds at most; it is never nil. An error says which variable cannot be
// used and never what it holds.
func StartTracing(ctx context.Context, service string, log zerolog.Logger) (tracer *telemetry.Tracer, stop func(), err error) {
	host, err := collector()
	if host == "" {
		return nil, func() {}, err
	}
	log = log.With().Str(telemetry.KeyPart, "tracing").Logger()
	faults := &variableFaults{}
	otel.SetLogger(logr.New(faults)) // which would print values to stderr
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: false}))
	otel.SetLogger(logr.Discard())
	if err := errors.Join(err, faults.err()); err != nil {
		return nil, func() {}, err
	}
	spans := &reporter{SpanExporter: exporter, log: log}
	// A faulty variable leaves a resource that lacks only that.
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(attribute.String("service.name", service)), resource.WithFromEnv())
	if err != nil {
		spans.report(errors.New("a variable about the resource cannot be used"))
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(spans.report))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(about))
	log.Info().Str(telemetry.KeyCollector, host).Msg("traces are sent")
	return telemetry.NewTracer(provider), func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
		defer cancel()
		if err := provider.Shutdown(bounded); err != nil {
			spans.report(err)
		}
		_ = exporter.Shutdown(bounded) // ends what is still under way, since the time is over
	}, nil
}

// collector returns the host that the environment wants traces sent to, empty if it
// wants none. The exporter would ignore a fault in these variables.
func collector() (host string, err error) {
	value := func(name string) (value, from string) {
		for _, from := range []string{"OTEL_EXPORTER_OTLP_TRACES_" + name, "OTEL_EXPORTER_OTLP_" + name} {
			if value := strings.TrimSpace(os.Getenv(from)); value != "" {
				return value, from
			}
		}
		return "", ""
	}
	endpoint, from := value("ENDPOINT")
	if endpoint == "" || strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return "", nil
	}
	address, err := url.Parse(endpoint)
	if err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" {
		return "", fmt.Errorf("%s is not a URL; write it like http://localhost:4318", from)
	}
	if protocol, from := value("PROTOCOL"); cmp.Or(protocol, "http/protobuf") != "http/protobuf" {
		return "", fmt.Errorf("%s: only http/protobuf is supported, which collectors take on port 4318", from)
	}
	return address.Host, nil
}

// reporter logs that the collector takes no spans, once until it does again.
type reporter struct {
	sdktrace.SpanExporter
	log zerolog.Logger

	mu   sync.Mutex
	lost bool
}

// ExportSpans sends spans. What does not get through is lost: the next batch is as good a
// try as this one again.
func (r *reporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	r.report(r.SpanExporter.ExportSpans(ctx, spans))
	return nil
}

// report logs that spans were lost, or with nil that they get through again.
func (r *reporter) report(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch lost := err != nil; {
	case lost == r.lost:
	case lost:
		text := err.Error()
		r.log.Warn().Str(zerolog.ErrorFieldName, strings.ToValidUTF8(text[:min(len(text), maxTraceError)], "")).
			Msg("traces are lost; everything else continues, and this is not logged again until they get through")
	default:
		r.log.Info().Msg("traces get through again")
	}
	r.lost = err != nil
}

// variableFaults collects what the exporter logs about its variables while it is made,
// without their values. It is a [logr.LogSink].
type variableFaults struct{ said []string }

func (v *variableFaults) Init(logr.RuntimeInfo)               {}
func (v *variableFaults) Enabled(int) bool                    { return false }
func (v *variableFaults) Info(int, string, ...any)            {}
func (v *variableFaults) WithValues(...any) logr.LogSink      { return v }
func (v *variableFaults) WithName(string) logr.LogSink        { return v }
func (v *variableFaults) Error(_ error, msg string, _ ...any) { v.said = append(v.said, msg) }

func (v *variableFaults) err() error {
	if len(v.said) == 0 {
		return nil
	}
	return fmt.Errorf("a variable OTEL_EXPORTER_OTLP_* cannot be used: the exporter could not %s", strings.Join(v.said, ", "))
}
