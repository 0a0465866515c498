package events

import (
	"context"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// outbox makes requests. One goroutine writes them all, so that whoever makes one can
// give up when he must: NATS' client holds up whoever writes for as long as the
// connection stands still. And all answers come by one subscription. Many requests at
// once cost less so than with nats.go's own, which share the lock that it writes with
// (BenchmarkPublish). Safe for concurrent use.
type outbox struct {
	nc    *nats.Conn
	inbox string // answers come to subjects that begin so

	mu      sync.Mutex
	serial  uint64
	queue   []*letter // to be written
	writing bool
	open    map[string]*letter // not answered yet, by the end of the answer's subject
	heard   bool               // an answer has come, so that the server knows of the subscription
	deaf    bool               // none has, to a request that was written

	// answers belongs to the goroutine that writes.
	answers *nats.Subscription
}

// letter is a request under way.
type letter struct {
	msg    *nats.Msg
	token  string
	answer chan answer // has room for the one answer
}

type answer struct {
	msg *nats.Msg
	err error
}

func newOutbox(nc *nats.Conn) *outbox {
	return &outbox{nc: nc, inbox: nc.NewInbox() + ".", open: map[string]*letter{}}
}

// outboxPatience is how long an answer is waited for if a caller has no deadline: one
// that is lost on the way comes never.
const outboxPatience = 5 * time.Second

// request sends the message, whose Reply it sets, and waits for the answer until ctx
// ends, and for 5 s if that has no deadline. The message may be on its way even then; it
// must not be changed any more. [nats.ErrNoResponders] says that nobody listens to its
// subject.
func (o *outbox) request(ctx context.Context, msg *nats.Msg) (*nats.Msg, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if _, bounded := ctx.Deadline(); !bounded {
		own, cancel := context.WithTimeout(ctx, outboxPatience)
		defer cancel()
		ctx = own
	}
	l := o.post(msg)
	select {
	case a := <-l.answer:
		return a.msg, a.err
	case <-ctx.Done():
		o.forget(l)
		return nil, ctx.Err()
	}
}

func (o *outbox) post(msg *nats.Msg) *letter {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.serial++
	l := &letter{msg: msg, token: strconv.FormatUint(o.serial, 36), answer: make(chan answer, 1)}
	msg.Reply = o.inbox + l.token
	o.open[l.token] = l
	o.queue = append(o.queue, l)
	if !o.writing {
		o.writing = true
		go o.write()
	}
	return l
}

// forget takes back what is not written yet, and expects no answer to what is.
func (o *outbox) forget(l *letter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.open, l.token)
	if i := slices.Index(o.queue, l); i >= 0 {
		o.queue = slices.Delete(o.queue, i, i+1)
		return
	}
	o.deaf = !o.heard
}

// write writes until the queue is empty. It lets those go first that are ready to make a
// request: what is there together goes out with one system call, and saves the server
// reads (BenchmarkDeliver, outside). A processor that always has something else to do
// comes back to it after 60 others, which is milliseconds; an idle one at once.
func (o *outbox) write() {
	runtime.Gosched()
	for l := o.next(); l != nil; l = o.next() {
		if err := o.send(l.msg); err != nil {
			o.settle(l.token, answer{err: err})
		}
	}
}

// next takes the letter that waited longest, or ends the writer.
func (o *outbox) next() *letter {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) == 0 {
		o.queue, o.writing = nil, false
		return nil
	}
	l := o.queue[0]
	o.queue[0] = nil // or the slice keeps it
	o.queue = o.queue[1:]
	return l
}

func (o *outbox) send(msg *nats.Msg) error {
	if err := o.listen(); err != nil {
		return err
	}
	return o.nc.PublishMsg(msg)
}

// listen subscribes to the answers: at first, and anew if none came. The subscription is
// written to a buffer, which NATS' client drops if the connection stands still for long,
// and goes on.
func (o *outbox) listen() error {
	o.mu.Lock()
	deaf := o.deaf
	o.deaf = false
	o.mu.Unlock()
	if o.answers != nil && deaf {
		_ = o.answers.Unsubscribe() // an error means that the connection is closed
		o.answers = nil
	}
	if o.answers != nil {
		return nil
	}
	answers, err := o.nc.Subscribe(o.inbox+"*", o.hear)
	o.answers = answers
	return err
}

func (o *outbox) hear(msg *nats.Msg) {
	o.mu.Lock()
	o.heard = true
	o.mu.Unlock()
	a := answer{msg: msg}
	if len(msg.Data) == 0 && msg.Header.Get("Status") == noResponders {
		a.err = nats.ErrNoResponders
	}
	o.settle(msg.Subject[len(o.inbox):], a)
}

// noResponders is the status of the server's answer in the place of somebody's
// (https://docs.nats.io/reference/reference-protocols/nats-protocol, headers).
const noResponders = "503"

// settle hands over the answer, if somebody waits for it.
func (o *outbox) settle(token string, a answer) {
	o.mu.Lock()
	l := o.open[token]
	delete(o.open, token)
	o.mu.Unlock()
	if l != nil {
		l.answer <- a
	}
}
