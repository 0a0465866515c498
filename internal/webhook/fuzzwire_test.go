package webhook_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"greenlight/internal/app"
	"greenlight/internal/events"
	"greenlight/internal/telnyx"
	"greenlight/internal/webhook"
)

// More placeholders in a request's text, which FuzzWire replaces to match the body.
const (
	strangersHeaders = "{stranger}" // signed with another key
	oldHeaders       = "{old}"      // signed by Telnyx 301 s ago
	chunkedBody      = "{chunks}"
)

// FuzzWire writes any bytes to a connection of the real server, after it replaced the
// placeholders for the body and its signature. In every case:
//
//   - Every answer can be read as HTTP and is one of those that docs/webhook.md lists,
//     in its form, but not 500 or 503.
//   - Nothing unsigned is stored: this test verifies each stored message itself.
//   - The streams hold what was answered accepted or dead_lettered, byte for byte, in
//     order, and nothing else.
//   - Nothing signed is lost: a signed delivery that reads as plain HTTP is answered
//     200, unless an earlier answer ended the connection. The HTTP server may refuse one
//     in unusual HTTP.
//   - The server still answers the next request.
func FuzzWire(f *testing.F) {
	good := verified(f, "id-1")
	seeds := exchanges(f, good)
	for _, name := range slices.Sorted(maps.Keys(seeds)) {
		f.Add(strings.ReplaceAll(seeds[name].send, held, ""), good)
	}
	for _, text := range []string{
		post + strangersHeaders + sized + post + signedHeaders + sized,
		post + oldHeaders + sized + post + signedHeaders + sized,
		post + signedHeaders + "Transfer-Encoding: chunked\r\n\r\n" + chunkedBody + post + signedHeaders + sized,
		post + signedHeaders + "Transfer-Encoding: chunked\r\n\r\n" + chunkedBody + "\r\n\r\n" + post + signedHeaders + sized,
		post + "X: " + strings.Repeat("x", 7<<10) + "\r\n" + signedHeaders + sized,
		post + signedHeaders + "Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n\r\n" + chunkedBody,
		"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n" + post + signedHeaders + sized,
		"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + post + signedHeaders + sized,
		"HEAD /webhooks/telnyx HTTP/1.1\r\nHost: x\r\n\r\n",
		"HEAD /webhooks/telnyx HTTP/1.1\r\nX: x\r\n\r\n", // refused with a text
		"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n",
		"GET /healthz HTTP/1.0\r\n\r\n", "GET /healthz?\r\n\r\n", "\r\n\r\n", "",
	} {
		f.Add(text, good)
	}
	for _, body := range []string{"", "no event", `{"campaignId":"C6X6M95"}`, string(envelope(f, "message.received", "id-2", ""))} {
		f.Add(post+signedHeaders+sized, []byte(body))
	}
	// FuzzWebhook turns it off. One connection never has enough events for a shared commit,
	// so this covers single events; package trouble tests commits under load.
	c := openCopied(f, func(s *setup) { s.config.GroupCommit = true })
	visits := make(visitors)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	// More connections than a run has in half a second, which is how long package http
	// keeps one that it refused.
	options := app.ServerOptions{MaxConnections: 1 << 20}
	go func() { ended <- options.Serve(ctx, visits, c.hook.Handler()) }()
	f.Cleanup(func() {
		stop()
		<-ended
	})
	listed := append(contract(f), answer{Status: http.StatusContinue})
	past := history{ids: map[string]bool{}, letters: map[string]bool{}}
	f.Fuzz(func(t *testing.T, text string, body []byte) {
		c.t = t
		defer func() { c.t = f }()
		if c.begin() {
			clear(past.ids)
			clear(past.letters)
		}
		// Otherwise all but the first are duplicates. The new id is as long as the old one.
		past.runs++
		fresh := strconv.FormatInt(36*36*36+past.runs%(35*36*36*36), 36)
		body = bytes.ReplaceAll(body, []byte("id-1"), []byte(fresh))
		text, body = text[:min(len(text), fuzzLongest)], body[:min(len(body), fuzzLongest)]
		sent := fillIn(strings.ReplaceAll(text, "id-1", fresh), body)
		if len(sent) > 10*fuzzLongest {
			t.Skip("too much for a fast execution")
		}
		answers := talk(t, visits, sent, listed)
		c.drainLog()
		kept, letters := c.take()
		for _, m := range append(slices.Clone(kept), letters...) {
			if !signedNow(http.Header(m.Header), []byte(m.Body)) {
				t.Errorf("stored, and not signed: %s %q %q", m.Subject, m.Header, m.Body)
			}
		}
		past.compare(t, answers, kept, letters)
	})
}

// fillIn replaces the placeholders.
func fillIn(text string, body []byte) string {
	pairs := []string{wholeBody, string(body), bodyLength, strconv.Itoa(len(body))}
	for _, p := range []struct {
		placeholder string
		fill        func() string
	}{ // a signature takes time
		{signedHeaders, func() string { return headerLines(signed(body)) }},
		{strangersHeaders, func() string { return headerLines(telnyx.Sign(strangerKey, now, body)) }},
		{oldHeaders, func() string { return headerLines(telnyx.Sign(telnyxKey, now.Add(-301*time.Second), body)) }},
		{chunkedBody, func() string { return chunked(body, 100) + "\r\n" }},
	} {
		if strings.Contains(text, p.placeholder) {
			pairs = append(pairs, p.placeholder, p.fill())
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// answered is a request and the answer to it.
type answered struct {
	answer
	body []byte
}

// talk sends the text at once and reads all answers. It compares them with the requests
// that package http reads from the text.
func talk(t *testing.T, visits visitors, sent string, listed []answer) []answered {
	t.Helper()
	received, err := visits.send(sent)
	if err != nil {
		t.Fatal(err)
	}
	asked := &requests{rest: bufio.NewReaderSize(strings.NewReader(sent), len(sent)+16)}
	reader := bufio.NewReader(bytes.NewReader(received))
	all := []answered{}
	for open := true; ; {
		request := asked.next()
		got, closes, err := readFinal(reader, request.read, listed)
		switch {
		case err == io.EOF:
			if open && request.genuine && request.plain {
				t.Errorf("a signed delivery was not answered, after %v", all)
			}
			return all
		case err != nil:
			t.Fatalf("after %v: %v", all, err)
		case !open:
			t.Errorf("%v comes after the last answer", got)
		case got.Status == http.StatusOK && got.Word == "ok":
			if request.read == nil || request.read.Method != http.MethodGet || request.read.URL.Path != "/healthz" {
				t.Errorf("ok to %+v", request)
			}
		case got.Status == http.StatusOK && !request.genuine:
			t.Errorf("%v to what Telnyx did not sign", got)
		case request.genuine && got.Status != http.StatusOK && (request.plain || got.Word != "" || !closes):
			t.Errorf("%v to a signed delivery", got)
		}
		all = append(all, answered{got, request.body})
		open = open && !closes
	}
}

// readFinal reads answers up to one that is not 100, and checks that they are listed.
// The request may be nil. The error is io.EOF if there is none.
func readFinal(reader *bufio.Reader, request *http.Request, listed []answer) (got answer, closes bool, err error) {
	for {
		if _, err := reader.Peek(1); err != nil {
			return got, false, err
		}
		response, err := http.ReadResponse(reader, request)
		if err != nil {
			return got, false, err
		}
		kind, head := response.Header.Get("Content-Type"), request != nil && request.Method == http.MethodHead
		whole := io.Reader(response.Body)
		if head && kind != "application/json" && response.Close {
			whole = reader // package http refuses even HEAD with a text
		}
		body, err := io.ReadAll(whole)
		if err != nil {
			return got, false, err
		}
		got = answer{Status: response.StatusCode}
		if kind == "application/json" {
			if head {
				return got, response.Close, nil // whose body is only announced
			}
			if got, err = readAnswer(response.StatusCode, response.Header, body); err != nil {
				return got, false, err
			}
		}
		if !slices.Contains(listed, got) || got.Status == http.StatusInternalServerError || got.Status == http.StatusServiceUnavailable {
			return got, false, fmt.Errorf("an answer of no contract: %d %q %v %q", got.Status, got.Word, response.Header, body)
		}
		if got.Status != http.StatusContinue {
			return got, response.Close, nil
		}
	}
}

// requests reads a text with package http.
type requests struct {
	rest *bufio.Reader
	last string // method
	end  bool
}

// request is one request of a text.
type request struct {
	read    *http.Request // nil if it cannot be read
	body    []byte
	genuine bool // it is a delivery that Telnyx signed now
	plain   bool // its head is in the form that clients usually write
}

var plainHead = regexp.MustCompile(`^POST [\x21-\x7e]+ HTTP/1\.[01]\r\n(?:[A-Za-z0-9-]+: [\x20-\x7e]*\r\n)+\r\n$`)

var hostLine = regexp.MustCompile(`(?i)\nhost: x\r\n`)

func (r *requests) next() (q request) {
	if r.end {
		return request{}
	}
	if r.last == http.MethodPost { // as the server does
		for range 4 {
			if b, err := r.rest.Peek(1); err != nil || b[0] != '\r' && b[0] != '\n' {
				break
			}
			_, _ = r.rest.Discard(1)
		}
	}
	_, _ = r.rest.Peek(1) // now the whole text is in the buffer, which is as large
	left, _ := r.rest.Peek(r.rest.Buffered())
	head := bytes.Clone(left)
	read, err := http.ReadRequest(r.rest)
	if err != nil {
		r.end = true
		return request{}
	}
	head = head[:len(head)-r.rest.Buffered()]
	r.last, q.read = read.Method, read
	if q.body, err = io.ReadAll(read.Body); err != nil {
		r.end = true
		return q
	}
	q.genuine = read.Method == http.MethodPost && strings.TrimSuffix(read.URL.EscapedPath(), "/") == webhook.Path &&
		max(read.ContentLength, int64(len(q.body))) <= fuzzMaxBody && signedNow(read.Header, q.body)
	if !q.genuine { // of which nobody asks whether it is plain
		return q
	}
	hosts := hostLine.FindAll(head, -1)
	q.plain = len(head) < 8<<10 && plainHead.Match(head) && len(hosts) == 1 && !bytes.Contains(bytes.ToLower(head), []byte("\nexpect:"))
	return q
}

// signedNow implements the rule again: both headers with one value each, at most 300 s
// from now, and the only valid encoding of a signature by Telnyx's key.
func signedNow(h http.Header, body []byte) bool {
	timestamps, signatures := slices.Compact(slices.Clone(h[telnyx.TimestampHeader])), slices.Compact(slices.Clone(h[telnyx.SignatureHeader]))
	if len(timestamps) != 1 || len(signatures) != 1 || len(timestamps[0]) > 12 || strings.Trim(timestamps[0], "0123456789") != "" {
		return false
	}
	seconds, err := strconv.ParseInt(timestamps[0], 10, 64)
	if err != nil || seconds-now.Unix() > 300 || now.Unix()-seconds > 300 {
		return false
	}
	signature, err := base64.StdEncoding.DecodeString(signatures[0])
	if err != nil || base64.StdEncoding.EncodeToString(signature) != signatures[0] {
		return false
	}
	message := append([]byte(timestamps[0]+"|"), body...)
	return len(signature) == ed25519.SignatureSize && ed25519.Verify(telnyxKey.Public().(ed25519.PublicKey), message, signature)
}

// history is what earlier runs stored: copies are answered and not stored again.
type history struct {
	runs    int64
	ids     map[string]bool
	letters map[string]bool // bodies
}

// compare compares what is stored with the answers.
func (p history) compare(t *testing.T, answers []answered, kept, letters []message) {
	t.Helper()
	var wantKept, wantLetters []string
	for _, a := range answers {
		switch a.answer {
		case accepted, duplicate:
			event, err := telnyx.ParseEvent(a.body)
			if err != nil {
				t.Errorf("%v to what is no event: %v", a.answer, err)
			}
			if p.ids[event.ID] != (a.answer == duplicate) {
				t.Errorf("answered %v, and the event was stored before: %t", a.answer, p.ids[event.ID])
			}
			if a.answer == accepted {
				wantKept = append(wantKept, string(a.body))
			}
			p.ids[event.ID] = true
		case deadLettered:
			if !p.letters[string(a.body)] {
				wantLetters = append(wantLetters, string(a.body))
			}
			p.letters[string(a.body)] = true
		}
	}
	for _, stream := range []struct {
		name string
		got  []message
		want []string
	}{{events.StreamEvents, kept, wantKept}, {events.StreamDeadLetters, letters, wantLetters}} {
		var got []string
		for _, m := range stream.got {
			got = append(got, m.Body)
		}
		if !slices.Equal(got, stream.want) {
			t.Errorf("%s holds %q, and was answered for %q", stream.name, got, stream.want)
		}
	}
}

// visitors is a listener whose connections are in memory. Those of TCP would use up the ports.
type visitors chan net.Conn

func (v visitors) Accept() (net.Conn, error) {
	conn, ok := <-v
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (v visitors) Close() error {
	close(v)
	return nil
}

func (v visitors) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// send sends the text on a new connection, and returns what was written on it by its end.
func (v visitors) send(text string) (received []byte, err error) {
	c := &visit{text: strings.NewReader(text), ended: make(chan struct{})}
	late := time.NewTimer(20 * time.Second)
	defer late.Stop()
	v <- c
	select {
	case <-c.ended:
		return c.received.Bytes(), nil
	case <-late.C:
		return nil, errors.New("the server did not end the connection")
	}
}

// visit is the server's end of a connection whose client sent everything at once and closed
// its direction. Its deadlines do nothing, since it never waits.
type visit struct {
	text  *strings.Reader
	ended chan struct{} // closed when received is complete

	mu       sync.Mutex
	received bytes.Buffer
	over     bool
}

func (c *visit) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Read(p)
}

func (c *visit) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return 0, net.ErrClosed
	}
	return c.received.Write(p)
}

func (c *visit) CloseWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.over = true
		close(c.ended)
	}
	return nil
}

func (c *visit) Close() error                     { return c.CloseWrite() }
func (c *visit) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (c *visit) RemoteAddr() net.Addr             { return c.LocalAddr() }
func (c *visit) SetDeadline(time.Time) error      { return nil }
func (c *visit) SetReadDeadline(time.Time) error  { return nil }
func (c *visit) SetWriteDeadline(time.Time) error { return nil }
