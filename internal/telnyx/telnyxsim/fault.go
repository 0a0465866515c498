package telnyxsim

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Fault makes some requests go wrong. Its zero value is a fault of the next
// request that only says when it was applied.
type Fault struct {
	// Match picks requests. It may read the body; it must not call
	// [Simulator.Inject] or [Simulator.ClearFaults]. Nil: every request.
	Match func(*http.Request) bool
	// Method and PathPrefix pick requests as well, if not empty. The prefix is
	// relative to /v2, such as "/10dlc/phone_number_campaigns".
	Method, PathPrefix string
	// Times is how many requests go wrong. 0: one. Negative: all until
	// [Simulator.ClearFaults].
	Times int
	// Latency passes before the request is looked at.
	Latency time.Duration
	// Kind is what goes wrong. Zero: nothing, which is good for latency and for
	// OnApplied.
	Kind FaultKind
	// OnApplied is called after the operation was done and before its answer is
	// sent or lost, from the request's goroutine. It is not called for kinds
	// that keep the operation from being done.
	OnApplied func()
}

// FaultKind is a way of going wrong, made by one of the functions that return
// it. The zero value is an answer as usual.
type FaultKind struct {
	// instead is the answer of something before the API; the operation is not
	// done.
	instead func() answer
	// distort spoils the answer of an operation that was done.
	distort func(answer) answer
	// skip says that the operation is not done although there is no instead.
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

// StatusFault answers with a status and a body of the caller's instead of doing
// anything. The body goes out as JSON.
func StatusFault(status int, body string) FaultKind {
	return FaultKind{instead: func() answer { return rawAnswer(status, "application/json", body) }}
}

// HTML502 answers as a gateway does whose API is gone: 502 and a page of HTML.
func HTML502() FaultKind {
	const page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n" +
		"<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
	return FaultKind{instead: func() answer { return rawAnswer(http.StatusBadGateway, "text/html", page) }}
}

// RateLimited answers 429 with code 10011, the headers x-ratelimit-* and, unless
// it is 0, Retry-After, both in whole seconds.
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

// EmptyBody does the operation and answers with its status and no body.
func EmptyBody() FaultKind {
	return FaultKind{distort: func(a answer) answer {
		a.body = nil
		return a
	}}
}

// UnreadableJSON does the operation and answers with its status and a body that
// is whole, and no JSON.
func UnreadableJSON() FaultKind {
	return FaultKind{distort: func(a answer) answer {
		a.body = []byte(`{"phoneNumber": +1555,`)
		return a
	}}
}

// TruncatedBody does the operation, sends half of the answer's body and cuts
// the connection.
func TruncatedBody() FaultKind { return FaultKind{end: endHalfway} }

// Reset cuts the connection instead of doing anything.
func Reset() FaultKind { return FaultKind{skip: true, end: endReset} }

// Hang does nothing, and does not answer until the client or the simulator is
// gone.
func Hang() FaultKind { return FaultKind{skip: true, end: endWaiting} }

// EffectThenLost does the operation and cuts the connection, so that the client
// cannot know.
func EffectThenLost() FaultKind { return FaultKind{end: endReset} }

// EffectThenHang does the operation and does not answer until the client or the
// simulator is gone.
func EffectThenHang() FaultKind { return FaultKind{end: endWaiting} }

// faults are the faults that were injected and are not used up.
type faults struct {
	mu   sync.Mutex
	list []*Fault
}

// Inject makes requests go wrong from now on. Of several faults that fit a
// request the one injected first is taken.
func (s *Simulator) Inject(f Fault) {
	if f.Times == 0 {
		f.Times = 1
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = append(s.faults.list, &f)
}

// ClearFaults takes back every fault that is left. Requests that hang go on
// hanging.
func (s *Simulator) ClearFaults() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.list = nil
}

// claim returns the fault for a call and counts it, or nil.
func (l *faults) claim(c *call) *Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, f := range l.list {
		if !f.fits(c) {
			continue
		}
		if f.Times--; f.Times == 0 {
			l.list = append(l.list[:i:i], l.list[i+1:]...)
		}
		return f
	}
	return nil
}

func (f *Fault) fits(c *call) bool {
	if f.Method != "" && f.Method != c.r.Method {
		return false
	}
	path := strings.TrimPrefix(c.r.URL.Path, "/v2")
	if !strings.HasPrefix(path, f.PathPrefix) {
		return false
	}
	return f.Match == nil || f.Match(c.copyOfRequest())
}

// spoil answers a call as a fault has it.
func (s *Simulator) spoil(w http.ResponseWriter, c *call, f *Fault) {
	s.pause(c.r, f.Latency)
	limited := s.faulty(c, f)
	switch f.Kind.end {
	case endHalfway:
		limited.writeHeader(w)
		_, _ = w.Write(limited.body[:len(limited.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case endReset:
		cut(w)
	case endWaiting:
		s.wait(c.r.Context())
		panic(http.ErrAbortHandler)
	default:
		limited.write(w)
	}
}

// faulty does what the fault lets be done and returns the answer. The log of
// writes holds what the client can know: no status when no answer gets through.
func (s *Simulator) faulty(c *call, f *Fault) answer {
	if f.Kind.instead != nil {
		return s.noteRefusal(c, f.Kind.instead())
	}
	if f.Kind.skip {
		return s.noteRefusal(c, answer{})
	}
	c.unanswered = f.Kind.end == endReset || f.Kind.end == endWaiting
	limited := s.answer(c)
	if f.OnApplied != nil {
		f.OnApplied()
	}
	if f.Kind.distort != nil {
		limited = f.Kind.distort(limited)
	}
	return limited
}

// wait blocks until the client or the simulator is gone.
func (s *Simulator) wait(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-s.work.ctx.Done():
	}
}

// cut ends the connection with a reset where it can be taken over, else with
// whatever the server does to a handler that aborts.
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
