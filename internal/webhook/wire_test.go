package webhook_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"greenlight/internal/app"
	"greenlight/internal/events"
	"greenlight/internal/telnyx"
	"greenlight/internal/webhook"
)

// serve serves the webhook as the commands do, and returns the address.
func (d *door) serve(options app.ServerOptions) (address string) {
	d.t.Helper()
	return d.serveOn(options, func(l net.Listener) net.Listener { return l })
}

// serveTLS is serve with TLS, and also returns the clients' configuration. The certificate
// is of the kind that Let's Encrypt issues for --tls-auto.
func (d *door) serveTLS(options app.ServerOptions) (address string, client *tls.Config) {
	d.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), nil)
	if err != nil {
		d.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"x"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		d.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		d.t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, NextProtos: []string{"http/1.1"}}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	address = d.serveOn(options, func(l net.Listener) net.Listener { return app.ServeTLS(l, config, nil) })
	return address, &tls.Config{RootCAs: roots, ServerName: "x", NextProtos: []string{"http/1.1"}}
}

func (d *door) serveOn(options app.ServerOptions, wrap func(net.Listener) net.Listener) (address string) {
	d.t.Helper()
	listener, err := app.Listen("127.0.0.1:0")
	if err != nil {
		d.t.Fatal(err)
	}
	address = listener.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- options.Serve(ctx, wrap(listener), d.hook.Handler()) }()
	d.t.Cleanup(func() {
		stop()
		<-ended // clients in the middle of a request are cut off
	})
	return address
}

// wire is a connection on which a test can write anything.
type wire struct {
	t testing.TB
	net.Conn
	reader *bufio.Reader
}

func dialWire(t testing.TB, address string) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &wire{t, conn, bufio.NewReader(conn)}
}

func (c *wire) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// answers reads to the end and returns the short form of each answer: its status and word,
// or its status and text if it is the HTTP server's, and "close" if it says so.
func (c *wire) answers() (short []string) {
	c.t.Helper()
	for {
		if _, err := c.reader.Peek(1); err != nil {
			if err != io.EOF && !strings.Contains(err.Error(), "reset") {
				c.t.Errorf("after %q: %v", short, err)
			}
			return short
		}
		line, _, err := readShort(c.reader)
		if err != nil {
			c.t.Fatalf("after %q: %v", short, err)
		}
		short = append(short, line)
	}
}

// readShort reads one answer. The error says what is wrong with its form.
func readShort(reader *bufio.Reader) (short string, got answer, err error) {
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return "", got, err
	}
	if response.StatusCode == http.StatusContinue {
		return "100", answer{Status: 100}, nil
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", got, err
	}
	got = answer{Status: response.StatusCode, Word: string(body)}
	if response.Header.Get("Content-Type") == "application/json" {
		if got, err = readAnswer(response.StatusCode, response.Header, body); err != nil {
			return "", got, err
		}
	}
	short = fmt.Sprint(got.Status, " ", got.Word)
	if response.Close {
		short += " close"
	}
	return short, got, nil
}

// Placeholders in a request's text.
const (
	signedHeaders = "{signed}"
	wholeBody     = "{body}"
	bodyLength    = "{length}"
)

// The first lines of a delivery, and its last ones.
const (
	post  = "POST " + webhook.Path + " HTTP/1.1\r\nHost: x\r\n"
	sized = "Content-Length: " + bodyLength + "\r\n\r\n" + wholeBody
)

// chunked returns the body in chunks of the size, without the line after the last.
func chunked(body []byte, size int) string {
	var b strings.Builder
	for len(body) > 0 {
		n := min(size, len(body))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	return b.String() + "0\r\n"
}

// held marks where the sender waits for an answer, or for a 100, before it continues.
const held = "{held}"

// exchange is the text sent on a connection and the short form of the answers.
type exchange struct {
	send   string
	want   []string
	stored bool // an event
	dead   bool // a dead letter
}

// exchanges are requests by what is unusual about them. Apart from that, they deliver good
// unless a table says otherwise.
func exchanges(t testing.TB, good []byte) map[string]exchange {
	t.Helper()
	h := signed(good)
	p := proof{good: good, timestamp: h.Get(telnyx.TimestampHeader), signature: h.Get(telnyx.SignatureHeader)}
	all := map[string]exchange{}
	for _, some := range []map[string]exchange{
		p.headers(), p.repeats(), p.signatures(), p.timestamps(), p.framings(), p.heads(), p.versions(), p.pipelines(), p.expectations(), p.limits(),
	} {
		for name, tt := range some {
			if _, twice := all[name]; twice {
				t.Fatalf("two exchanges are called %q", name)
			}
			all[name] = tt
		}
	}
	return all
}

var badRequest = []string{"400 400 Bad Request close"}

func unsignedClose(code string) []string { return []string{"401 " + code + " close"} }

// proof is that of the good delivery. The tables spoil one thing at a time.
type proof struct {
	good                 []byte
	timestamp, signature string
}

// with returns the good delivery with other values in its two headers.
func (p proof) with(timestamp, signature string) string {
	return post + "telnyx-timestamp: " + timestamp + "\r\ntelnyx-signature-ed25519: " + signature + "\r\n" + sized
}

// at returns the good delivery with that timestamp, signed by Telnyx.
func (p proof) at(timestamp string) string { return p.with(timestamp, signText(timestamp, p.good)) }

// raw returns the signature's bytes.
func (p proof) raw() []byte {
	raw, err := base64.StdEncoding.DecodeString(p.signature)
	if err != nil {
		panic(err) // we wrote it
	}
	return raw
}

// headers have or lack a proof, and the body may be held back until the answer.
func (p proof) headers() map[string]exchange {
	return map[string]exchange{
		"plain":                    {send: post + signedHeaders + sized, want: []string{"200 accepted"}, stored: true},
		"names in capitals":        {send: post + "TELNYX-TIMESTAMP: " + p.timestamp + "\r\nTelnyx-SIGNATURE-ed25519: " + p.signature + "\r\n" + sized, want: []string{"200 accepted"}, stored: true},
		"no header":                {send: post + sized, want: unsignedClose("signature_missing")},
		"no header, body held":     {send: post + "Content-Length: 1000\r\n\r\n" + held + "late", want: unsignedClose("signature_missing")},
		"no header, no body":       {send: post + "Content-Length: 0\r\n\r\n", want: unsignedClose("signature_missing")},
		"no signature, body held":  {send: post + "telnyx-timestamp: " + p.timestamp + "\r\nContent-Length: 1000\r\n\r\n" + held, want: unsignedClose("signature_missing")},
		"no timestamp, body held":  {send: post + "telnyx-signature-ed25519: " + p.signature + "\r\nContent-Length: 1000\r\n\r\n" + held, want: unsignedClose("signature_missing")},
		"forged":                   {send: p.with(p.timestamp, strings.Repeat("A", 86)+"=="), want: unsignedClose("signature_mismatch")},
		"malformed, body held":     {send: post + "telnyx-timestamp: x\r\ntelnyx-signature-ed25519: x\r\nContent-Length: 1000\r\n\r\n" + held, want: unsignedClose("timestamp_malformed")},
		"stale, body held":         {send: post + "telnyx-timestamp: 1\r\ntelnyx-signature-ed25519: " + p.signature + "\r\nContent-Length: 1000\r\n\r\n" + held, want: unsignedClose("timestamp_stale")},
		"bad base64, body held":    {send: post + "telnyx-timestamp: " + p.timestamp + "\r\ntelnyx-signature-ed25519: x\r\nContent-Length: 1000\r\n\r\n" + held, want: unsignedClose("signature_malformed")},
		"other path, body held":    {send: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + held, want: []string{"404 not_found close"}},
		"other method, body held":  {send: "PUT /webhooks/telnyx HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + held, want: []string{"405 method_not_allowed close"}},
		"too large, body held":     {send: post + signedHeaders + "Content-Length: 262145\r\n\r\n" + held, want: []string{"413 body_too_large close"}},
		"too large and unsigned":   {send: post + "Content-Length: 262145\r\n\r\n" + held, want: []string{"413 body_too_large close"}},
		"length beyond any number": {send: post + signedHeaders + "Content-Length: 99999999999999999999\r\n\r\n", want: badRequest},
	}
}

// repeats have a header more than once. Some proxies repeat a header; values that differ
// are refused.
func (p proof) repeats() map[string]exchange {
	return map[string]exchange{
		"signature twice":             {send: post + signedHeaders + "Telnyx-Signature-Ed25519: " + p.signature + "\r\n" + sized, want: []string{"200 accepted"}, stored: true},
		"timestamp twice":             {send: post + signedHeaders + "TELNYX-TIMESTAMP: " + p.timestamp + "\r\n" + sized, want: []string{"200 accepted"}, stored: true},
		"second signature differs":    {send: post + signedHeaders + "Telnyx-Signature-Ed25519: " + strings.Repeat("A", 86) + "==\r\n" + sized, want: unsignedClose("signature_malformed")},
		"first signature differs":     {send: post + "Telnyx-Signature-Ed25519: " + strings.Repeat("A", 86) + "==\r\n" + signedHeaders + sized, want: unsignedClose("signature_malformed")},
		"second signature empty":      {send: post + signedHeaders + "Telnyx-Signature-Ed25519:\r\n" + sized, want: unsignedClose("signature_malformed")},
		"first signature empty":       {send: post + "Telnyx-Signature-Ed25519:\r\n" + signedHeaders + sized, want: unsignedClose("signature_missing")},
		"second timestamp differs":    {send: post + signedHeaders + "Telnyx-Timestamp: 1723051359\r\n" + sized, want: unsignedClose("timestamp_malformed")},
		"two signatures in one":       {send: p.with(p.timestamp, p.signature+", "+p.signature), want: unsignedClose("signature_malformed")},
		"two timestamps in one":       {send: p.with(p.timestamp+", "+p.timestamp, p.signature), want: unsignedClose("timestamp_malformed")},
		"header name with underscore": {send: post + "telnyx_timestamp: " + p.timestamp + "\r\ntelnyx_signature_ed25519: " + p.signature + "\r\n" + sized, want: unsignedClose("signature_missing")},
	}
}

// signatures are encoded in several ways, of which one is valid. HTTP removes space around
// a value.
func (p proof) signatures() map[string]exchange {
	return map[string]exchange{
		"signature in spaces":        {send: p.with(p.timestamp, " \t"+p.signature+"\t "), want: []string{"200 accepted"}, stored: true},
		"signature with a space":     {send: p.with(p.timestamp, p.signature[:40]+" "+p.signature[40:]), want: unsignedClose("signature_malformed")},
		"signature over two lines":   {send: p.with(p.timestamp, p.signature[:40]+"\r\n "+p.signature[40:]), want: unsignedClose("signature_malformed")},
		"signature with a bare CR":   {send: p.with(p.timestamp, p.signature[:40]+"\r"+p.signature[40:]), want: badRequest},
		"signature without padding":  {send: p.with(p.timestamp, strings.TrimRight(p.signature, "=")), want: unsignedClose("signature_malformed")},
		"signature padded once":      {send: p.with(p.timestamp, strings.TrimSuffix(p.signature, "=")), want: unsignedClose("signature_malformed")},
		"signature padded too much":  {send: p.with(p.timestamp, p.signature+"="), want: unsignedClose("signature_malformed")},
		"signature in URL alphabet":  {send: p.with(p.timestamp, "-_"+p.signature[2:]), want: unsignedClose("signature_malformed")},
		"signature with loose bits":  {send: p.with(p.timestamp, p.signature[:85]+nextLetter(p.signature[85])+"=="), want: unsignedClose("signature_malformed")},
		"signature in hex":           {send: p.with(p.timestamp, fmt.Sprintf("%x", p.raw())), want: unsignedClose("signature_malformed")},
		"signature of 63 bytes":      {send: p.with(p.timestamp, base64.StdEncoding.EncodeToString(p.raw()[:63])), want: unsignedClose("signature_malformed")},
		"signature of 65 bytes":      {send: p.with(p.timestamp, base64.StdEncoding.EncodeToString(append(p.raw(), 0))), want: unsignedClose("signature_malformed")},
		"signature of 10 kB":         {send: p.with(p.timestamp, strings.Repeat("A", 10_000)), want: unsignedClose("signature_malformed")},
		"signature with a prefix":    {send: p.with(p.timestamp, "v1,"+p.signature), want: unsignedClose("signature_malformed")},
		"signature in other letters": {send: p.with(p.timestamp, "Ａ"+p.signature[1:]), want: unsignedClose("signature_malformed")},
		"signature with a NUL":       {send: p.with(p.timestamp, p.signature[:40]+"\x00"+p.signature[41:]), want: badRequest},
	}
}

// timestamps are signed by Telnyx's key as they are. Only up to 12 digits are valid.
func (p proof) timestamps() map[string]exchange {
	return map[string]exchange{
		"timestamp with leading zeros":     {send: p.at("00" + p.timestamp), want: []string{"200 accepted"}, stored: true},
		"timestamp negative":               {send: p.at("-" + p.timestamp), want: unsignedClose("timestamp_malformed")},
		"timestamp with a plus":            {send: p.at("+" + p.timestamp), want: unsignedClose("timestamp_malformed")},
		"timestamp with a space":           {send: p.at(p.timestamp[:5] + " " + p.timestamp[5:]), want: unsignedClose("timestamp_malformed")},
		"timestamp over two lines":         {send: p.at(p.timestamp[:5] + "\r\n " + p.timestamp[5:]), want: unsignedClose("timestamp_malformed")},
		"timestamp in spaces":              {send: p.with(" \t"+p.timestamp+"  ", p.signature), want: []string{"200 accepted"}, stored: true},
		"timestamp of zero":                {send: p.at("0"), want: unsignedClose("timestamp_stale")},
		"timestamp of 12 digits":           {send: p.at("999999999999"), want: unsignedClose("timestamp_future")},
		"timestamp of 13 digits":           {send: p.at(p.timestamp + "000"), want: unsignedClose("timestamp_malformed")},
		"timestamp over 64 bits":           {send: p.at("99999999999999999999"), want: unsignedClose("timestamp_malformed")},
		"timestamp of 10 kB":               {send: p.at(strings.Repeat("1", 10_000)), want: unsignedClose("timestamp_malformed")},
		"timestamp with a fraction":        {send: p.at(p.timestamp + ".0"), want: unsignedClose("timestamp_malformed")},
		"timestamp with an exponent":       {send: p.at("1723e6"), want: unsignedClose("timestamp_malformed")},
		"timestamp with underscores":       {send: p.at("1_723_051_358"), want: unsignedClose("timestamp_malformed")},
		"timestamp in hex":                 {send: p.at("0x66b3ae1e"), want: unsignedClose("timestamp_malformed")},
		"timestamp as a date":              {send: p.at("2024-08-07T17:22:38Z"), want: unsignedClose("timestamp_malformed")},
		"timestamp in full-width digits":   {send: p.at("１７２３０５１３５８"), want: unsignedClose("timestamp_malformed")},
		"timestamp in Arabic digits":       {send: p.at("١٧٢٣"), want: unsignedClose("timestamp_malformed")},
		"timestamp with a byte of 0xff":    {send: p.at(p.timestamp + "\xff"), want: unsignedClose("timestamp_malformed")},
		"timestamp with a no-break space":  {send: p.at(p.timestamp + "\u00a0"), want: unsignedClose("timestamp_malformed")},
		"timestamp with a NUL":             {send: p.at(p.timestamp + "\x00"), want: badRequest},
		"timestamp with the bar in it":     {send: p.at(p.timestamp + "|"), want: unsignedClose("timestamp_malformed")},
		"timestamp that takes body's head": {send: p.with(p.timestamp+"1", signText(p.timestamp, append([]byte("1|"), p.good...))), want: unsignedClose("timestamp_future")},
	}
}

// framings are ways to send a body. Only its bytes matter.
func (p proof) framings() map[string]exchange {
	return map[string]exchange{
		"in chunks":               {send: post + signedHeaders + "Transfer-Encoding: chunked\r\n\r\n" + chunked(p.good, 100) + "\r\n", want: []string{"200 accepted"}, stored: true},
		"in chunks of a byte":     {send: post + signedHeaders + "Transfer-Encoding: chunked\r\n\r\n" + chunked(p.good, 1) + "\r\n", want: []string{"200 accepted"}, stored: true},
		"in chunks with trailers": {send: post + signedHeaders + "Trailer: telnyx-timestamp\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(p.good, 100) + "Telnyx-Timestamp: 1\r\n\r\n", want: []string{"200 accepted"}, stored: true},
		"signed in trailers":      {send: post + "Trailer: telnyx-timestamp, telnyx-signature-ed25519\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(p.good, 100) + signedHeaders + "\r\n", want: unsignedClose("signature_missing")},
		"chunks and a length":     {send: post + signedHeaders + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(p.good, 100) + "\r\n", want: []string{"200 accepted"}, stored: true},
		"chunks that are none":    {send: post + signedHeaders + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n", want: []string{"400 body_unreadable close"}},
		"chunk of negative size":  {send: post + signedHeaders + "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", want: []string{"400 body_unreadable close"}},
		"chunks, zipped":          {send: post + signedHeaders + "Transfer-Encoding: gzip, chunked\r\n\r\n", want: []string{"501 Unsupported transfer encoding close"}},
		"length twice the same":   {send: post + signedHeaders + "Content-Length: {length}\r\n" + sized, want: []string{"200 accepted"}, stored: true},
		"two lengths":             {send: post + signedHeaders + "Content-Length: 3\r\n" + sized, want: badRequest},
		"length negative":         {send: post + signedHeaders + "Content-Length: -1\r\n\r\n", want: badRequest},
		"length with a plus":      {send: post + signedHeaders + "Content-Length: +3\r\n\r\n", want: badRequest},
		"no length":               {send: post + signedHeaders + "\r\n", want: unsignedClose("signature_mismatch")},
		"length too short":        {send: post + signedHeaders + "Content-Length: 3\r\n\r\n{\"data\": 1}\r\n\r\n", want: unsignedClose("signature_mismatch")},
	}
}

// heads vary other headers, the method and the address.
func (p proof) heads() map[string]exchange {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(p.good)
	z.Close()
	return map[string]exchange{
		"as text":                     {send: post + signedHeaders + "Content-Type: text/plain\r\n" + sized, want: []string{"200 accepted"}, stored: true},
		"as a form":                   {send: post + signedHeaders + "Content-Type: application/x-www-form-urlencoded\r\n" + sized, want: []string{"200 accepted"}, stored: true},
		"as parts":                    {send: post + signedHeaders + "Content-Type: multipart/form-data; boundary=x\r\n" + sized, want: []string{"200 accepted"}, stored: true},
		"as no type at all":           {send: post + signedHeaders + "Content-Type: ;;;\r\n" + sized, want: []string{"200 accepted"}, stored: true},
		"said to be zipped, is not":   {send: post + signedHeaders + "Content-Encoding: gzip\r\n" + sized, want: []string{"200 accepted"}, stored: true},
		"zipped on the way":           {send: post + signedHeaders + "Content-Encoding: gzip\r\n" + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", zipped.Len(), zipped.Bytes()), want: unsignedClose("signature_mismatch")},
		"zipped and signed as it is":  {send: post + headerLines(signed(zipped.Bytes())) + "Content-Encoding: gzip\r\n" + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", zipped.Len(), zipped.Bytes()), want: []string{"200 dead_lettered"}, dead: true},
		"method by a header":          {send: strings.Replace(post, "POST", "GET", 1) + "X-HTTP-Method-Override: POST\r\n" + signedHeaders + sized, want: []string{"405 method_not_allowed close"}},
		"method in small letters":     {send: strings.Replace(post, "POST", "post", 1) + signedHeaders + sized, want: []string{"405 method_not_allowed close"}},
		"options of the server":       {send: "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", want: []string{"404 not_found close"}},
		"address in full":             {send: strings.Replace(post, "/webhooks", "http://x/webhooks", 1) + signedHeaders + sized, want: []string{"200 accepted"}, stored: true},
		"address with a query":        {send: strings.Replace(post, "telnyx", "telnyx?a=b;c&%zz", 1) + signedHeaders + sized, want: []string{"200 accepted"}, stored: true},
		"address with a bad escape":   {send: strings.Replace(post, "telnyx", "tel%zz", 1) + signedHeaders + sized, want: badRequest},
		"address with a slash more":   {send: strings.Replace(post, "telnyx", "telnyx/", 1) + signedHeaders + sized, want: []string{"200 accepted"}, stored: true},
		"address with an escape":      {send: strings.Replace(post, "telnyx", "%74elnyx", 1) + signedHeaders + sized, want: []string{"404 not_found close"}},
		"address with an escaped bar": {send: strings.Replace(post, "/telnyx", "%2Ftelnyx", 1) + signedHeaders + sized, want: []string{"404 not_found close"}},
	}
}

// versions are valid and invalid versions of HTTP.
func (p proof) versions() map[string]exchange {
	return map[string]exchange{
		"HTTP/1.0":                {send: strings.Replace(post, "1.1", "1.0", 1) + signedHeaders + sized, want: []string{"200 accepted close"}, stored: true},
		"HTTP/1.0 without a host": {send: "POST /webhooks/telnyx HTTP/1.0\r\n" + signedHeaders + sized, want: []string{"200 accepted close"}, stored: true},
		"HTTP/1.0 kept alive":     {send: strings.Replace(post, "1.1", "1.0", 1) + "Connection: keep-alive\r\n" + signedHeaders + sized, want: []string{"200 accepted"}, stored: true},
		"HTTP/1.0 in chunks":      {send: strings.Replace(post, "1.1", "1.0", 1) + signedHeaders + "Transfer-Encoding: chunked\r\n\r\n" + chunked(p.good, 100) + "\r\n", want: []string{"401 signature_mismatch close"}},
		"HTTP/1.1 without a host": {send: "POST /webhooks/telnyx HTTP/1.1\r\n" + signedHeaders + sized, want: []string{"400 400 Bad Request: missing required Host header close"}},
		"HTTP/2 by surprise":      {send: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", want: []string{"404 not_found close"}},
		"HTTP/9.9":                {send: strings.Replace(post, "1.1", "9.9", 1) + signedHeaders + sized, want: []string{"505 505 HTTP Version Not Supported: unsupported protocol version close"}},
		"TLS by surprise":         {send: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", want: badRequest},
		"closes by itself":        {send: post + "Connection: close\r\n" + signedHeaders + sized, want: []string{"200 accepted close"}, stored: true},
		"upgrade to HTTP/2":       {send: post + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n" + signedHeaders + sized, want: []string{"200 accepted"}, stored: true},
	}
}

// pipelines are several requests on one connection, without waiting for answers.
func (p proof) pipelines() map[string]exchange {
	return map[string]exchange{
		"pipelined, both signed":           {send: post + signedHeaders + sized + post + signedHeaders + sized, want: []string{"200 accepted", "200 duplicate"}, stored: true},
		"pipelined, the first forged":      {send: p.with(p.timestamp, strings.Repeat("A", 86)+"==") + post + signedHeaders + sized, want: unsignedClose("signature_mismatch")},
		"pipelined behind one unread":      {send: post + sized + post + signedHeaders + sized, want: unsignedClose("signature_missing")},
		"pipelined behind one too large":   {send: post + signedHeaders + "Content-Length: 262145\r\n\r\n" + post + signedHeaders + sized, want: []string{"413 body_too_large close"}},
		"pipelined behind a look at it":    {send: "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + post + signedHeaders + sized, want: []string{"200 ok close"}},
		"another request inside the body":  {send: post + "Content-Length: 7\r\n" + signedHeaders + "Content-Length: 7\r\n\r\n{body}", want: unsignedClose("signature_mismatch")},
		"another delivery inside the body": {send: post + "Content-Length: 100000\r\n\r\n" + post + signedHeaders + sized + held, want: unsignedClose("signature_missing")},
	}
}

// expectations are of clients that send the body only after a 100, which they get if the
// headers are valid.
func (p proof) expectations() map[string]exchange {
	return map[string]exchange{
		"expects to be asked":               {send: post + signedHeaders + "Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n" + held + "{body}", want: []string{"100", "200 accepted"}, stored: true},
		"expects to be asked, unsigned":     {send: post + "Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n" + held, want: unsignedClose("signature_missing")},
		"expects to be asked, malformed":    {send: post + "telnyx-timestamp: " + p.timestamp + "\r\ntelnyx-signature-ed25519: x\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n" + held, want: unsignedClose("signature_malformed")},
		"expects to be asked, too large":    {send: post + signedHeaders + "Expect: 100-continue\r\nContent-Length: 262145\r\n\r\n" + held, want: []string{"413 body_too_large close"}},
		"expects to be asked, other path":   {send: "POST /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n" + held, want: []string{"404 not_found close"}},
		"expects to be asked, does not ask": {send: post + signedHeaders + "Expect: 100-continue\r\n" + sized, want: []string{"100", "200 accepted"}, stored: true},
		"expects something else":            {send: post + signedHeaders + "Expect: money\r\n" + sized, want: []string{"417  close"}},
	}
}

// limits are those of the head.
func (p proof) limits() map[string]exchange {
	return map[string]exchange{
		"header of 20 kB": {send: post + "X: " + strings.Repeat("x", 20<<10) + "\r\n" + signedHeaders + sized, want: []string{"431 431 Request Header Fields Too Large close"}},
		"300 headers":     {send: post + strings.Repeat("X: y\r\n", 300) + signedHeaders + sized, want: []string{"200 accepted"}, stored: true},
		"a space before the colon": {send: post + "telnyx-timestamp : " + p.timestamp + "\r\ntelnyx-signature-ed25519: " + p.signature + "\r\n" + sized,
			want: []string{"400 400 Bad Request: invalid header name close"}},
	}
}

func TestWebhook_AnswersOnTheWire(t *testing.T) {
	good := verified(t, "id-1")
	refusing := open(t) // for all exchanges that must store nothing
	address := refusing.serve(app.ServerOptions{})
	for name, tt := range exchanges(t, good) {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // the server waits half a second before it closes over an unread body
			if !tt.stored && !tt.dead {
				tt.play(t, refusing, address, good)
				return
			}
			d := open(t)
			tt.play(t, d, d.serve(app.ServerOptions{}), good)
			d = open(t, func(s *setup) { s.config.GroupCommit = true })
			tt.play(t, d, d.serve(app.ServerOptions{}), good)
		})
	}
}

func (tt exchange) play(t *testing.T, d *door, address string, good []byte) {
	conn := dialWire(t, address)
	text := strings.NewReplacer(signedHeaders, headerLines(signed(good)), wholeBody, string(good), bodyLength, fmt.Sprint(len(good))).Replace(tt.send)
	now, later, holds := strings.Cut(text, held)
	conn.send(now)
	var got []string
	if holds {
		short, _, err := readShort(conn.reader)
		if err != nil {
			t.Fatalf("with the body held back: %v", err)
		}
		got = append(got, short)
		conn.send(later)
	}
	if err := conn.Conn.(*net.TCPConn).CloseWrite(); err != nil && !holds {
		t.Fatal(err)
	}
	got = append(got, conn.answers()...)
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", tt.want) {
		t.Errorf("answered %q\nwant     %q", got, tt.want)
	}
	if n := len(d.stored(events.StreamEvents)); n > 1 || (n == 1) != tt.stored {
		t.Errorf("%d events are stored, want it stored %t", n, tt.stored)
	}
	if n := len(d.stored(events.StreamDeadLetters)); n > 1 || (n == 1) != tt.dead {
		t.Errorf("%d dead letters are stored, want it stored %t", n, tt.dead)
	}
}

// headerLines returns the headers as they go over the wire.
func headerLines(h http.Header) string {
	return "telnyx-timestamp: " + h.Get(telnyx.TimestampHeader) + "\r\ntelnyx-signature-ed25519: " + h.Get(telnyx.SignatureHeader) + "\r\n"
}

// nextLetter returns another letter of base64 whose last bits differ.
func nextLetter(letter byte) string { return string(letter + 1) }

// A replay inside the window is answered and changes nothing.
func TestWebhook_ReplayChangesNothing(t *testing.T) {
	t.Parallel()
	d := open(t)
	address := d.serve(app.ServerOptions{})
	body := verified(t, "id-1")
	text := post + headerLines(signed(body)) + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
	first := dialWire(t, address)
	first.send(text)
	if short, _, err := readShort(first.reader); err != nil || short != "200 accepted" {
		t.Fatalf("got %s, %v", short, err)
	}
	stream, err := d.js.Stream(t.Context(), events.StreamEvents)
	if err != nil {
		t.Fatal(err)
	}
	take := d.consume()
	if ids := take(time.Second); len(ids) != 1 {
		t.Fatalf("the consumer got %q", ids)
	}
	before := stream.CachedInfo().State
	const replays = 50
	for range replays / 2 { // on one connection, and each on its own
		first.send(text)
		other := dialWire(t, address)
		other.send(text)
		for _, conn := range []*wire{first, other} {
			if short, _, err := readShort(conn.reader); err != nil || short != "200 duplicate" {
				t.Fatalf("a replay: got %s, %v", short, err)
			}
		}
		other.Close()
	}
	info, err := stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after := info.State; after.Msgs != before.Msgs || after.LastSeq != before.LastSeq || after.Bytes != before.Bytes || after.LastTime != before.LastTime {
		t.Errorf("the stream changed from %+v to %+v", before, after)
	}
	if ids := take(100 * time.Millisecond); len(ids) != 0 {
		t.Errorf("the consumer got %q more", ids)
	}
	if got := d.counters()[`greenlight_webhook_events_total{answer="duplicate",type="10dlc.campaign.update"}`]; got != replays {
		t.Errorf("%v duplicates were counted, want %d", got, replays)
	}
}
