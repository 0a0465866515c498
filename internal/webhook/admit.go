package webhook

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// firstRead is how much memory a delivery gets for its body on its word alone, in
// bytes. Telnyx's bodies fit; what claims to be larger gets more as it comes.
const firstRead = 4 << 10

// delivery is a body that Telnyx signed.
type delivery struct {
	body []byte
	// arrived is when its headers had come. Telnyx waits since then, whether it stands
	// at the gate or its body is on the way.
	arrived time.Time
}

// admit reads a delivery and verifies it. All that can be refused by the headers is
// refused before the body is read; what remains passes the gate, so that only so
// many bodies are in memory whose signature nobody has seen yet.
func (w *Webhook) admit(c echo.Context) (delivery, error) {
	request := c.Request()
	if request.ContentLength > w.maxBody {
		return delivery{}, tooLarge(w.maxBody)
	}
	claim, err := w.verifier.Claim(request.Header)
	if err != nil {
		return delivery{}, unauthorized(err, true)
	}
	arrived := time.Now()
	if w.load.refuses(arrived) {
		return delivery{}, overloaded(errLoad)
	}
	visit, err := w.gate.enter(func() {
		// A read that is under way or to come fails at once.
		_ = http.NewResponseController(c.Response()).SetReadDeadline(time.Unix(1, 0))
	})
	if err != nil {
		full := overloaded(err)
		full.closes = true // so that whoever sent it has to come anew
		return delivery{}, full
	}
	defer visit.leave()

	// The body is read behind what is signed before it, and not copied again.
	signed := claim.AppendPrefix(make([]byte, 0, 16+min(max(request.ContentLength, 512), firstRead)))
	prefix := len(signed)
	signed, err = readInto(signed, http.MaxBytesReader(c.Response().Writer, request.Body, w.maxBody))
	visit.hasRead()
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return delivery{}, tooLarge(w.maxBody)
	}
	if err != nil && visit.displaced() {
		return delivery{}, tooSlow(err)
	}
	if err != nil {
		return delivery{}, unreadable(err)
	}
	key, err := claim.Check(signed)
	if err != nil {
		return delivery{}, unauthorized(err, false)
	}
	w.metrics.verifiedBy(key)
	return delivery{body: signed[prefix:len(signed):len(signed)], arrived: arrived}, nil
}

// readInto appends what r has to b.
func readInto(b []byte, r io.Reader) ([]byte, error) {
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

func overloaded(err error) *refusal {
	return &refusal{
		status: http.StatusServiceUnavailable, code: codeOverloaded,
		message: "too many deliveries come at once; send it again", cause: err, retryAfter: time.Second,
	}
}

func tooSlow(err error) error {
	return &refusal{
		status: http.StatusServiceUnavailable, code: "body_too_slow", closes: true,
		message: "the body came too slowly while others waited; send it again", cause: err, retryAfter: time.Second,
	}
}
