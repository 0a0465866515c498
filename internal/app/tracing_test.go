package app_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"greenlight/internal/app"
	"greenlight/internal/telemetry"
	"greenlight/internal/testkit"
)

// clearTraceEnv takes OpenTelemetry's variables out of the environment and sets those of
// the test.
func clearTraceEnv(t *testing.T, set map[string]string) {
	t.Helper()
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, "") // so that it comes back
			os.Unsetenv(name)
		}
	}
	for name, value := range set {
		t.Setenv(name, value)
	}
}

// collect starts a collector that listens.
func collect(t *testing.T) (*testkit.Collector, string) {
	t.Helper()
	collector := &testkit.Collector{}
	server := httptest.NewServer(collector)
	t.Cleanup(server.Close)
	return collector, server.URL
}

func TestStartTracing_SendsToTheCollector(t *testing.T) {
	for name, test := range map[string]struct {
		set    func(url string) map[string]string
		path   string
		header map[string]string
	}{
		"endpoint of all signals": {func(url string) map[string]string {
			return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": url}
		}, "/v1/traces", map[string]string{"Content-Type": "application/x-protobuf"}},
		"with a path": {func(url string) map[string]string {
			return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": url + "/otlp/"}
		}, "/otlp/v1/traces", nil},
		"endpoint of traces": {func(url string) map[string]string {
			return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": url + "/here"}
		}, "/here", nil},
		"headers and gzip": {func(url string) map[string]string {
			return map[string]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_HEADERS": "x-team=a%20b, authorization = Bearer t0ken",
				"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
				"OTEL_EXPORTER_OTLP_TIMEOUT": "5000",
			}
		}, "/v1/traces", map[string]string{"X-Team": "a b", "Authorization": "Bearer t0ken", "Content-Encoding": "gzip"}},
	} {
		t.Run(name, func(t *testing.T) {
			collector, url := collect(t)
			clearTraceEnv(t, test.set(url))
			var log testkit.Buffer
			tracer, stop, err := app.StartTracing(t.Context(), "greenlight-test", zerolog.New(&log))
			must(t, err)
			const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
			ctx, outer := tracer.Follow(t.Context(), parent, "outer", telemetry.Server)
			if got := telemetry.Parent(ctx); !strings.HasPrefix(got, "00-0af7651916cd43dd8448eb211c80319c-") || !strings.HasSuffix(got, "-01") {
				t.Errorf("parent: got %q", got)
			}
			_, inner := telemetry.Begin(ctx, "inner", telemetry.Client)
			inner.Text("text", strings.Repeat("a", 199)+"é")
			inner.Number("number", 7)
			inner.End(false)
			outer.End(true)
			_, dropped := tracer.Follow(t.Context(), "", "never ended", telemetry.Server)
			dropped.Text("text", "x")
			stop()

			spans := collector.Spans()
			if len(spans) != 2 {
				t.Fatalf("got %d spans, want 2; log: %s", len(spans), log.String())
			}
			want := []testkit.Span{
				{
					Trace: "0af7651916cd43dd8448eb211c80319c", Parent: spans[1].ID, Name: "inner", Kind: "SPAN_KIND_CLIENT", Failed: true,
					Attributes: map[string]string{"text": strings.Repeat("a", 199), "number": "7"},
				},
				{
					Trace: "0af7651916cd43dd8448eb211c80319c", Parent: "b7ad6b7169203331", Name: "outer", Kind: "SPAN_KIND_SERVER",
					Attributes: map[string]string{},
				},
			}
			for i := range want {
				want[i].ID, want[i].Service = spans[i].ID, "greenlight-test"
			}
			if diff := cmp.Diff(want, spans); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			request := collector.Requests()[0]
			if request.URL.Path != test.path || request.Method != http.MethodPost {
				t.Errorf("got %s %s, want POST %s", request.Method, request.URL.Path, test.path)
			}
			for key, value := range test.header {
				if got := request.Header.Get(key); got != value {
					t.Errorf("header %s: got %q, want %q", key, got, value)
				}
			}
			if strings.Contains(log.String(), "t0ken") || strings.Contains(log.String(), `"warn"`) {
				t.Errorf("the log: %s", log.String())
			}
		})
	}
}

func TestStartTracing_IsOffUnlessAsked(t *testing.T) {
	collector, url := collect(t)
	for name, set := range map[string]map[string]string{
		"nothing set": {},
		"disabled":    {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_SDK_DISABLED": "true"},
		"no exporter": {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_TRACES_EXPORTER": "none"},
		"of metrics":  {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": url},
	} {
		t.Run(name, func(t *testing.T) {
			clearTraceEnv(t, set)
			tracer, stop, err := app.StartTracing(t.Context(), "x", zerolog.Nop())
			if tracer != nil || err != nil {
				t.Errorf("got %v, %v, want none", tracer, err)
			}
			ctx, span := tracer.Follow(t.Context(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "x", telemetry.Server)
			if got := telemetry.Parent(ctx); got != "" {
				t.Errorf("parent: got %q", got)
			}
			span.End(true)
			stop()
		})
	}
	if got := len(collector.Requests()); got != 0 {
		t.Errorf("got %d requests", got)
	}
}

func TestStartTracing_NamesTheVariableThatCannotBeUsed(t *testing.T) {
	for name, test := range map[string]struct {
		set  map[string]string
		want string
	}{
		"no address":      {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "s3cret:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT is not a URL; use one like http://localhost:4318"},
		"traces' address": {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://s3cret:x y"}, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is not a URL"},
		"gRPC":            {map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL: use http/protobuf"},
		"headers":         {map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "s3cret"}, "could not parse headers"},
		"timeout":         {map[string]string{"OTEL_EXPORTER_OTLP_TIMEOUT": "s3cret"}, "could not parse duration"},
		"certificate":     {map[string]string{"OTEL_EXPORTER_OTLP_CERTIFICATE": os.DevNull}, "could not create tls cert pool"},
	} {
		t.Run(name, func(t *testing.T) {
			clearTraceEnv(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})
			for variable, value := range test.set {
				t.Setenv(variable, value)
			}
			_, _, err := app.StartTracing(t.Context(), "x", zerolog.Nop())
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestTrouble_IsLoggedOnceAndDelaysNothing(t *testing.T) {
	collector, url := collect(t)
	clearTraceEnv(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "5"})
	var log testkit.Buffer
	tracer, stop, err := app.StartTracing(t.Context(), "x", zerolog.New(&log))
	must(t, err)
	makeSpan := func() {
		_, span := tracer.Follow(t.Context(), "", "x", telemetry.Internal)
		span.End(true)
	}
	requests := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); len(collector.Requests()) < n; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("got %d requests, want %d", len(collector.Requests()), n)
			}
			makeSpan()
		}
	}
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusFound} {
		collector.Answer(status)
		requests(len(collector.Requests()) + 3)
	}
	collector.Answer(http.StatusOK)
	requests(len(collector.Requests()) + 2)
	stop()
	if got := strings.Count(log.String(), "traces are lost"); got != 1 {
		t.Errorf("logged %d times: %s", got, log.String())
	}
	if got := strings.Count(log.String(), "traces are accepted again"); got != 1 {
		t.Errorf("its end was logged %d times: %s", got, log.String())
	}
}

func TestTrouble_BoundsTheStop(t *testing.T) {
	held := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-held }))
	defer server.Close()
	defer close(held)
	ctx := t.Context()
	var tracer *telemetry.Tracer
	var stop func()
	t.Run("start", func(t *testing.T) { // only this needs the environment
		clearTraceEnv(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": server.URL, "OTEL_BSP_MAX_QUEUE_SIZE": "4", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "2"})
		var err error
		tracer, stop, err = app.StartTracing(ctx, "x", zerolog.Nop())
		must(t, err)
	})
	t.Parallel()
	start := time.Now()
	for range 1000 {
		_, span := tracer.Follow(ctx, "", "x", telemetry.Internal)
		span.End(true)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("1,000 spans took %s with a collector that is silent", took)
	}
	start = time.Now()
	stop()
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("the stop took %s", took)
	}
}

// What the path of a delivery does when traces are off.
func TestOff_AllocatesNothing(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	var off *telemetry.Tracer
	id := strings.Repeat("x", 36)
	got := testing.AllocsPerRun(1000, func() {
		ctx, root := off.Follow(ctx, id, "webhook.deliver", telemetry.Server)
		telemetry.Of(ctx).Text(telemetry.AttrEvent, id)
		ctx, step := telemetry.Begin(ctx, "events.publish", telemetry.Producer)
		if telemetry.Parent(ctx) != "" {
			t.Error("a trace came out of nothing")
		}
		step.Number(telemetry.AttrStatus, 200)
		step.End(true)
		root.End(true)
	})
	if got != 0 {
		t.Errorf("got %g allocations, want none", got)
	}
}
