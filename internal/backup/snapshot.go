package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// chunkSize is the size of the messages that carry a snapshot, in bytes: NATS's default,
	// far below its limit for a message.
	chunkSize = 128 << 10
	// chunkTimeout bounds the wait for one message. After the last, the server reads the
	// restored stream before it answers.
	chunkTimeout = 2 * time.Minute
)

// answer is what the server answers to the requests here.
type answer struct {
	Stream
	Error   *jetstream.APIError `json:"error"`
	Deliver string              `json:"deliver_subject"`
}

// snapshot writes the snapshot of one stream. The server sends it in messages, the last one
// empty, and waits for the answers to the others so that it does not send too fast.
func snapshot(ctx context.Context, nc *nats.Conn, name string, w io.Writer) (Stream, error) {
	inbox := nc.NewInbox()
	chunks, err := nc.SubscribeSync(inbox)
	if err != nil {
		return Stream{}, err
	}
	defer chunks.Unsubscribe()
	reconnects := nc.Stats().Reconnects
	begun, err := ask(ctx, nc, "$JS.API.STREAM.SNAPSHOT."+name, map[string]any{"deliver_subject": inbox, "chunk_size": chunkSize, "jsck": true})
	if err != nil {
		return Stream{}, err
	}
	if err := receive(ctx, nc, chunks, w); err != nil {
		return Stream{}, err
	}
	if dropped, err := chunks.Dropped(); err != nil || dropped > 0 || nc.Stats().Reconnects != reconnects {
		return Stream{}, errors.New("the connection to NATS lost a part of it; try again")
	}
	return begun.Stream, nil
}

// receive writes the messages of one snapshot to w.
func receive(ctx context.Context, nc *nats.Conn, chunks *nats.Subscription, w io.Writer) error {
	for {
		waiting, cancel := context.WithTimeout(ctx, chunkTimeout)
		msg, err := chunks.NextMsgWithContext(waiting)
		cancel()
		if err != nil {
			return err
		}
		if len(msg.Data) == 0 {
			if status := msg.Header.Get("Status"); status != "" && status != "204" {
				return fmt.Errorf("the server gave up: %s", msg.Header.Get("Description"))
			}
			return nil
		}
		if _, err := w.Write(msg.Data); err != nil {
			return err
		}
		if msg.Reply == "" {
			continue // the last one with data
		}
		if err := nc.Publish(msg.Reply, nil); err != nil {
			return err
		}
	}
}

// restoreStream creates a stream from its snapshot.
func restoreStream(ctx context.Context, nc *nats.Conn, stream Stream, content io.Reader) error {
	stream.Config.Replicas = copies(nc, stream)
	begun, err := ask(ctx, nc, "$JS.API.STREAM.RESTORE."+stream.Config.Name, stream)
	if err != nil {
		return err
	}
	chunk := make([]byte, chunkSize)
	for {
		n, err := content.Read(chunk)
		if err != nil && err != io.EOF {
			return err
		}
		if n > 0 {
			if _, err := send(ctx, nc, begun.Deliver, chunk[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			_, err := send(ctx, nc, begun.Deliver, nil) // the end
			return err
		}
	}
}

// copies is how many copies of a stream the server can have: a single one, or those of a cluster.
func copies(nc *nats.Conn, stream Stream) int {
	if nc.ConnectedClusterName() == "" {
		return 1
	}
	return stream.Config.Replicas
}

func ask(ctx context.Context, nc *nats.Conn, subject string, request any) (answer, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return answer{}, err
	}
	return send(ctx, nc, subject, body)
}

// send sends a request. An empty answer means that a part of a snapshot was taken.
func send(ctx context.Context, nc *nats.Conn, subject string, body []byte) (a answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, chunkTimeout)
	defer cancel()
	reply, err := nc.RequestWithContext(ctx, subject, body)
	// Nobody has received it. In a cluster, another server may just have begun to listen.
	for try := 0; errors.Is(err, nats.ErrNoResponders) && try < 50; try++ {
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return answer{}, err
		}
		reply, err = nc.RequestWithContext(ctx, subject, body)
	}
	if err != nil {
		return answer{}, fmt.Errorf("request on %s: %w", subject, err)
	}
	if len(reply.Data) == 0 {
		return answer{}, nil
	}
	if err := json.Unmarshal(reply.Data, &a); err != nil {
		return answer{}, fmt.Errorf("read the server's answer: %w", err)
	}
	if a.Error != nil {
		return answer{}, a.Error
	}
	return a, nil
}
