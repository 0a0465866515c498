package app

import (
	"cmp"
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"greenlight/internal/telemetry"
)

// lastFlush is how long the last spans may take to be sent at the end.
const lastFlush = 3 * time.Second

// StartTracing makes a tracer of the process as the environment says, nil when it says
// nothing of traces. The standard variables that hold for all of OpenTelemetry (for
// the sampler, the batches, the resource) hold here too. Stop sends what is left and
// takes three seconds at most; it is never nil. An error says which variable cannot
// be used and never what it holds.
func StartTracing(ctx context.Context, service string, log zerolog.Logger) (tracer *telemetry.Tracer, stop func(), err error) {
	nothing := func() {}
	if isOff() {
		return nil, nothing, nil
	}
	log = log.With().Str(telemetry.KeyPart, "tracing").Logger()
	told := &teller{log: log}
	to, err := newCollector(os.Getenv, told)
	if err != nil {
		return nil, nothing, err
	}
	exporter, err := otlptrace.New(ctx, to)
	if err != nil {
		return nil, nothing, err
	}
	// A faulty variable leaves a resource that lacks only that.
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(attribute.String("service.name", service)), resource.WithFromEnv())
	if err != nil {
		told.failed(errors.New("a variable about the resource cannot be used"))
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		if _, already := errors.AsType[lost](err); !already {
			told.failed(err)
		}
	}))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	log.Info().Str(telemetry.KeyCollector, to.host()).Msg("traces are sent")
	return telemetry.NewTracer(provider), func() {
		// The spans of a stop are worth a little time, and no complaint.
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
		defer cancel()
		if err := provider.Shutdown(bounded); err != nil {
			told.failed(err)
		}
		to.stop() // what is under way still, since the time is over
		to.client.CloseIdleConnections()
	}, nil
}

// isOff reports whether the environment asks for no traces.
func isOff() bool {
	return cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")) == "" ||
		strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") || os.Getenv("OTEL_TRACES_EXPORTER") == "none"
}

// teller tells of trouble with the collector once, until it has worked again.
type teller struct {
	log zerolog.Logger

	mu      sync.Mutex
	trouble bool
}

func (t *teller) failed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.trouble {
		t.trouble = true
		t.log.Warn().Err(err).Msg("traces are lost; everything else goes on, and this is not told again until they get through")
	}
}

func (t *teller) worked() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.trouble {
		t.trouble = false
		t.log.Info().Msg("traces get through again")
	}
}
