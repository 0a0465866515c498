package app

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector sends spans to an OTLP collector over HTTP. It is an [otlptrace.Client];
// the official one, otlptracehttp, brings all of gRPC into the program.
type collector struct {
	url     string
	headers http.Header
	gzip    bool
	client  *http.Client
	told    *teller
	// stopped ends when spans are not to be sent any more.
	stopped context.Context
	stop    context.CancelFunc
}

// variable is a standard variable that may be set for traces alone.
type variable func(name string) (value, from string)

// newCollector reads the standard variables.
func newCollector(getenv func(string) string, told *teller) (*collector, error) {
	look := variable(func(name string) (value, from string) {
		for _, from := range []string{"OTEL_EXPORTER_OTLP_TRACES_" + name, "OTEL_EXPORTER_OTLP_" + name} {
			if value := strings.TrimSpace(getenv(from)); value != "" {
				return value, from
			}
		}
		return "", ""
	})
	c := &collector{told: told}
	c.stopped, c.stop = context.WithCancel(context.Background())
	var errs [5]error
	c.url, errs[0] = look.endpoint()
	c.headers, errs[1] = look.headers()
	c.gzip, errs[2] = look.compression()
	c.client, errs[3] = look.client()
	if protocol, from := look("PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		errs[4] = fmt.Errorf("%s: only http/protobuf is spoken here, which collectors take on port 4318", from)
	}
	return c, errors.Join(errs[:]...)
}

// endpoint returns where to post. The variable for all signals gets the traces' path
// added, the one for traces is taken as it is.
func (look variable) endpoint() (string, error) {
	text, from := look("ENDPOINT")
	address, err := url.Parse(text)
	if err != nil || address.Host == "" || address.Scheme != "http" && address.Scheme != "https" {
		return "", fmt.Errorf("%s is not a URL; write it like http://localhost:4318", from)
	}
	if !strings.Contains(from, "_TRACES_") {
		address = address.JoinPath("v1", "traces")
	} else if address.Path == "" {
		address.Path = "/"
	}
	return address.String(), nil
}

// headers reads pairs like key=value, with commas between, values percent-encoded.
func (look variable) headers() (http.Header, error) {
	headers := http.Header{}
	text, from := look("HEADERS")
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, found := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if key = strings.TrimSpace(key); !found || key == "" || err != nil {
			return nil, fmt.Errorf("%s is no list of headers; write it like key=value,other=value", from)
		}
		headers.Set(key, value)
	}
	return headers, nil
}

func (look variable) compression() (bool, error) {
	switch text, from := look("COMPRESSION"); text {
	case "", "none":
		return false, nil
	case "gzip":
		return true, nil
	default:
		return false, fmt.Errorf("%s: write gzip or none", from)
	}
}

// client returns what makes the calls. It follows no redirect, which might carry the
// headers elsewhere.
func (look variable) client() (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	client := &http.Client{
		Transport:     transport,
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if text, from := look("TIMEOUT"); text != "" {
		ms, err := strconv.Atoi(text)
		if err != nil || ms <= 0 {
			return nil, fmt.Errorf("%s is no number of milliseconds", from)
		}
		client.Timeout = time.Duration(ms) * time.Millisecond
	}
	var errs []error
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if file, from := look("CERTIFICATE"); file != "" {
		content, err := os.ReadFile(file)
		config.RootCAs = x509.NewCertPool()
		if err == nil && !config.RootCAs.AppendCertsFromPEM(content) {
			err = errors.New("there is no certificate in it")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", from, err))
		}
	}
	cert, from := look("CLIENT_CERTIFICATE")
	key, keyFrom := look("CLIENT_KEY")
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", cmp.Or(from, keyFrom), err))
		}
		config.Certificates = []tls.Certificate{pair}
	}
	transport.TLSClientConfig = config
	return client, errors.Join(errs...)
}

// host returns whom the spans are sent to.
func (c *collector) host() string {
	address, err := url.Parse(c.url)
	if err != nil {
		return ""
	}
	return address.Host
}

// Start does nothing: each call connects if it has to.
func (c *collector) Start(context.Context) error { return nil }

// Stop ends the calls under way.
func (c *collector) Stop(context.Context) error {
	c.stop()
	return nil
}

// lost is an error that was told of already.
type lost struct{ error }

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

// UploadTraces posts spans once. What does not get through is lost and told of: the
// next batch is as good a try as this one again.
func (c *collector) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.stopped, cancel)()
	if err := c.post(ctx, spans); err != nil {
		c.told.failed(err)
		return lost{err}
	}
	c.told.worked()
	return nil
}

func (c *collector) post(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	// On the wire this is what a collector is asked with, an
	// ExportTraceServiceRequest: both hold the spans, as field 1, and nothing else. That
	// type's package would bring gRPC.
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return fmt.Errorf("encode spans: %w", err)
	}
	header := c.headers.Clone()
	header.Set("Content-Type", "application/x-protobuf")
	header.Set("User-Agent", "greenlight")
	if c.gzip {
		var packed bytes.Buffer
		writer := gzip.NewWriter(&packed)
		_, err := writer.Write(body)
		if err := errors.Join(err, writer.Close()); err != nil {
			return fmt.Errorf("compress spans: %w", err)
		}
		body = packed.Bytes()
		header.Set("Content-Encoding", "gzip")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("the collector's address cannot be used")
	}
	request.Header = header
	answer, err := c.client.Do(request)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // the address may hold a secret
		}
		return fmt.Errorf("send spans to %s: %w", c.host(), err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer)) // so that the connection serves again
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("send spans to %s: it answered %s", c.host(), answer.Status)
	}
	return nil
}
