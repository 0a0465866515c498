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
	// lastFlush is how long sending the last spans may take at the end.
	lastFlush = 3 * time.Second
	// maxTraceError bounds the collector's answer in the log, in bytes.
	maxTraceError = 300
)

// StartTracing returns the process's tracer, configured by the standard variables
// (https://opentelemetry.io/docs/specs/otel/protocol/exporter/). It is nil unless
// OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set. Nothing waits for
// the collector: spans that it does not accept at once are dropped. Stop sends the rest, takes
// at most three seconds, and is never nil. An error names a variable and never its value.
func StartTracing(ctx context.Context, service string, log zerolog.Logger) (tracer *telemetry.Tracer, stop func(), err error) {
	host, err := collectorHost()
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
	// The resource lacks only what an invalid variable would have added.
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(attribute.String("service.name", service)), resource.WithFromEnv())
	if err != nil {
		spans.report(errors.New("OTEL_RESOURCE_ATTRIBUTES or OTEL_SERVICE_NAME cannot be used"))
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(spans.report))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(about))
	log.Info().Str(telemetry.KeyCollector, host).Msg("sending traces")
	return telemetry.NewTracer(provider), func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
		defer cancel()
		if err := provider.Shutdown(bounded); err != nil {
			spans.report(err)
		}
		_ = exporter.Shutdown(bounded) // cancels requests that are still in progress
	}, nil
}

// collectorHost returns the host of the collector, empty if no traces are wanted. The exporter
// would ignore faults in these variables.
func collectorHost() (host string, err error) {
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
		return "", fmt.Errorf("%s is not a URL; use one like http://localhost:4318", from)
	}
	if protocol, from := value("PROTOCOL"); cmp.Or(protocol, "http/protobuf") != "http/protobuf" {
		return "", fmt.Errorf("%s: use http/protobuf, which collectors accept on port 4318", from)
	}
	return address.Host, nil
}

// reporter logs when the collector stops accepting spans, and when it accepts them again.
type reporter struct {
	sdktrace.SpanExporter
	log zerolog.Logger

	mu   sync.Mutex
	lost bool
}

// ExportSpans sends spans. Those that fail are lost, and not sent again.
func (r *reporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	r.report(r.SpanExporter.ExportSpans(ctx, spans))
	return nil
}

// report logs the error that spans were lost by, or with nil that they are accepted again.
func (r *reporter) report(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch lost := err != nil; {
	case lost == r.lost:
	case lost:
		text := err.Error()
		r.log.Warn().Str(zerolog.ErrorFieldName, strings.ToValidUTF8(text[:min(len(text), maxTraceError)], "")).
			Msg("traces are lost; nothing else is affected")
	default:
		r.log.Info().Msg("traces are accepted again")
	}
	r.lost = err != nil
}

// variableFaults collects what the exporter logs about its variables when it is created,
// without their values. It is a [logr.LogSink].
type variableFaults struct{ messages []string }

func (v *variableFaults) Init(logr.RuntimeInfo)               {}
func (v *variableFaults) Enabled(int) bool                    { return false }
func (v *variableFaults) Info(int, string, ...any)            {}
func (v *variableFaults) WithValues(...any) logr.LogSink      { return v }
func (v *variableFaults) WithName(string) logr.LogSink        { return v }
func (v *variableFaults) Error(_ error, msg string, _ ...any) { v.messages = append(v.messages, msg) }

func (v *variableFaults) err() error {
	if len(v.messages) == 0 {
		return nil
	}
	return fmt.Errorf("a variable OTEL_EXPORTER_OTLP_* cannot be used: the exporter could not %s", strings.Join(v.messages, ", "))
}
