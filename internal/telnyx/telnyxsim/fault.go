package telnyxsim

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Fault makes some requests fail. The zero value matches the next request, and leaves it
// unchanged.
type Fault struct {
	// Match selects requests. It may read the body, but must not call
	// [Simulator.Inject] or [Simulator.ClearFaults]. Nil: every request.
	Match func(*http.Request) bool
	// Method and PathPrefix select requests too, if not empty. The prefix is relative
	// to /v2, for example "/10dlc/phone_number_campaigns".
	Method, PathPrefix string
	// Times is how many requests fail. 0: one. Negative: all until
	// [Simulator.ClearFaults].
	Times int
	// Latency is added before the request is handled.
	Latency time.Duration
	// Kind is how they fail. Zero: not at all, for latency and OnApplied alone.
	Kind FaultKind
	// OnApplied is called in the request's goroutine, after the operation and before
	// its answer is sent or lost. It is not called for kinds that skip the operation.
	OnApplied func()
}

// FaultKind is a way to fail. Functions like [Reset] return one. The zero value is the
// usual answer.
type FaultKind struct {
	// instead replaces the answer; the operation is skipped.
	instead func() answer
	// distort changes the answer after the operation.
	distort func(answer) answer
	// skip skips the operation, without an answer.
	skip bool
	// end is what happens to the connection.
	end connectionEnd
}

type connectionEnd int

const (
	endUsual   connectionEnd = iota // the whole answer is sent
	endHalfway                      // half of the body is sent, and the connection cut
	endReset                        // the connection is cut
	endWaiting                      // nothing is sent
)

// StatusFault skips the operation and answers with the given status and JSON body.
func StatusFault(status int, body string) FaultKind {
	return FaultKind{instead: func() answer { return rawAnswer(status, "application/json", body) }}
}

// HTML502 answers like a gateway whose backend is down: 502 and a page of HTML.
func HTML502() FaultKind {
	const page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n" +
		"<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
	return FaultKind{instead: func() answer { return rawAnswer(http.StatusBadGateway, "text/html", page) }}
}

// RateLimited answers 429 with code 10011 and the headers x-ratelimit-*, and with
// Retry-After unless it is 0. Both are in whole seconds.
func RateLimited(retryAfter time.Duration) FaultKind {
	return FaultKind{instead: func() answer {
		limited := tooManyRequests()
		for name, values := range rateHeader(1, 0, retryAfter) {
			limited.header[name] = values
		}
		if retryAfter > 0 {
			limited.header.Set("Retry-After", seconds(retryAfter))
		}
		return limited
	}}
}

// EmptyBody runs the operation and answers with its status and no body.
func EmptyBody() FaultKind {
	return FaultKind{distort: func(a answer) answer {
		a.body = nil
		return a
	}}
}

// UnreadableJSON runs the operation and answers with its status and a complete body that
// is not JSON.
func UnreadableJSON() FaultKind {
	return FaultKind{distort: func(a answer) answer {
		a.body = []byte(`{"phoneNumber": +1555,`)
		return a
	}}
}

// TruncatedBody runs the operation, sends half of the answer's body and cuts the
// connection.
func TruncatedBody() FaultKind { return FaultKind{end: endHalfway} }

// Reset skips the operation and resets the connection.
func Reset() FaultKind { return FaultKind{skip: true, end: endReset} }

// Hang skips the operation and does not answer until the client or the simulator closes.
func Hang() FaultKind { return FaultKind{skip: true, end: endWaiting} }

// EffectThenLost runs the operation and resets the connection, so that the client does
// not know the result.
func EffectThenLost() FaultKind { return FaultKind{end: endReset} }

// EffectThenHang runs the operation and does not answer until the client or the simulator
// closes.
func EffectThenHang() FaultKind { return FaultKind{end: endWaiting} }

// faults are the injected faults that are not used up.
type faults struct {
	mu   sync.Mutex
	list []*Fault
}

// Inject makes requests fail from now on. If several faults match a request, the one
// injected first applies.
func (s *Simulator) Inject(f Fault) {
	if f.Times == 0 {
		f.Times = 1
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = append(s.faults.list, &f)
}

// ClearFaults removes all faults. Requests that already hang are not released.
func (s *Simulator) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = nil
}

// take returns the fault for a call and counts it, or nil.
func (l *faults) take(c *call) *Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, f := range l.list {
		if !f.matches(c) {
			continue
		}
		if f.Times--; f.Times == 0 {
			l.list = append(l.list[:i:i], l.list[i+1:]...)
		}
		return f
	}
	return nil
}

func (f *Fault) matches(c *call) bool {
	if f.Method != "" && f.Method != c.r.Method {
		return false
	}
	path := strings.TrimPrefix(c.r.URL.Path, "/v2")
	if !strings.HasPrefix(path, f.PathPrefix) {
		return false
	}
	return f.Match == nil || f.Match(c.copyOfRequest())
}

// spoil answers a call with a fault.
func (s *Simulator) spoil(w http.ResponseWriter, c *call, f *Fault) {
	s.pause(c.r, f.Latency)
	reply := s.faulty(c, f)
	switch f.Kind.end {
	case endHalfway:
		reply.writeHeader(w)
		_, _ = w.Write(reply.body[:len(reply.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case endReset:
		cut(w)
	case endWaiting:
		s.wait(c.r.Context())
		panic(http.ErrAbortHandler)
	default:
		reply.write(w)
	}
}

// faulty runs the operation unless the fault skips it, and returns the answer. The log of
// writes has what the client sees: no status if it gets no answer.
func (s *Simulator) faulty(c *call, f *Fault) answer {
	if f.Kind.instead != nil {
		return s.noteRefusal(c, f.Kind.instead())
	}
	if f.Kind.skip {
		return s.noteRefusal(c, answer{})
	}
	c.unanswered = f.Kind.end == endReset || f.Kind.end == endWaiting
	reply := s.answer(c)
	if f.OnApplied != nil {
		f.OnApplied()
	}
	if f.Kind.distort != nil {
		reply = f.Kind.distort(reply)
	}
	return reply
}

// wait blocks until the client or the simulator closes.
func (s *Simulator) wait(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-s.work.ctx.Done():
	}
}

// cut resets the connection if it can be hijacked, and otherwise aborts the handler.
func cut(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, isTCP := connection.(*net.TCPConn); isTCP {
		_ = tcp.SetLinger(0) // makes Close send a reset
	}
	_ = connection.Close()
}

func rawAnswer(status int, contentType, body string) answer {
	return answer{
		status: status,
		header: http.Header{"Content-Type": {contentType}},
		body:   []byte(body),
	}
}
