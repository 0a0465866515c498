package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
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
	Error   *jetstream.APIError `json:"error"`
	Deliver string              `json:"deliver_subject"`
	Config  json.RawMessage     `json:"config"`
	State   json.RawMessage     `json:"state"`
}

// snapshotAll writes the snapshots of the named streams.
func snapshotAll(ctx context.Context, js jetstream.JetStream, names []string, w io.Writer) (streams []Stream, err error) {
	for _, name := range names {
		stream, err := snapshot(ctx, js.Conn(), name, w)
		if err != nil {
			return nil, fmt.Errorf("snapshot of stream %s: %w", name, err)
		}
		streams = append(streams, stream)
	}
	return streams, nil
}

// existing returns the names of our streams that exist, in order.
func existing(ctx context.Context, js jetstream.JetStream) (names []string, err error) {
	for _, name := range order {
		_, err := js.Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look up stream %s: %w", name, err)
		}
		names = append(names, name)
	}
	return names, nil
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
	digest := sha256.New()
	size, err := receive(ctx, nc, chunks, io.MultiWriter(w, digest))
	if err != nil {
		return Stream{}, err
	}
	if dropped, err := chunks.Dropped(); err != nil || dropped > 0 || nc.Stats().Reconnects != reconnects {
		return Stream{}, errors.New("the connection to NATS lost a part of it; try again")
	}
	var state jetstream.StreamState
	if err := json.Unmarshal(begun.State, &state); err != nil {
		return Stream{}, fmt.Errorf("read the server's answer: %w", err)
	}
	config, err := opened(begun.Config)
	if err != nil {
		return Stream{}, err
	}
	return Stream{Name: name, Size: size, SHA256: hex.EncodeToString(digest.Sum(nil)), Messages: state.Msgs, Config: config, State: begun.State}, nil
}

// opened returns the settings of a stream. Those of EVENTS are the usual ones also while a
// restore has closed it.
func opened(text json.RawMessage) (json.RawMessage, error) {
	var config jetstream.StreamConfig
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("read the server's answer: %w", err)
	}
	if config.Name != events.StreamEvents || !events.IsClosed(config) && !config.Sealed {
		return text, nil
	}
	return json.Marshal(events.Opened(config))
}

// receive writes the messages of one snapshot to w.
func receive(ctx context.Context, nc *nats.Conn, chunks *nats.Subscription, w io.Writer) (size int64, err error) {
	for {
		waiting, cancel := context.WithTimeout(ctx, chunkTimeout)
		msg, err := chunks.NextMsgWithContext(waiting)
		cancel()
		if err != nil {
			return 0, err
		}
		if len(msg.Data) == 0 {
			if status := msg.Header.Get("Status"); status != "" && status != "204" {
				return 0, fmt.Errorf("the server gave up: %s", msg.Header.Get("Description"))
			}
			return size, nil
		}
		if _, err := w.Write(msg.Data); err != nil {
			return 0, err
		}
		size += int64(len(msg.Data))
		if msg.Reply == "" {
			continue // the last one with data
		}
		if err := nc.Publish(msg.Reply, nil); err != nil {
			return 0, err
		}
	}
}

// restoreStream creates a stream from its snapshot, with the tag in its metadata.
func restoreStream(ctx context.Context, nc *nats.Conn, stream Stream, content io.Reader, tag string) error {
	config := make(map[string]json.RawMessage)
	if err := json.Unmarshal(stream.Config, &config); err != nil {
		return err
	}
	metadata := make(map[string]string)
	if len(config["metadata"]) > 0 {
		if err := json.Unmarshal(config["metadata"], &metadata); err != nil {
			return err
		}
	}
	metadata[tagKey] = tag
	var err error
	if config["metadata"], err = json.Marshal(metadata); err != nil {
		return err
	}
	if nc.ConnectedClusterName() == "" { // a single server refuses several copies
		config["num_replicas"] = json.RawMessage("1")
	}
	begun, err := ask(ctx, nc, "$JS.API.STREAM.RESTORE."+stream.Name, map[string]any{"config": config, "state": stream.State})
	if err != nil {
		return err
	}
	chunk := make([]byte, chunkSize)
	for {
		n, err := io.ReadFull(content, chunk)
		if n > 0 {
			if _, err := send(ctx, nc, begun.Deliver, chunk[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	_, err = send(ctx, nc, begun.Deliver, nil) // the end
	return err
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
	if err != nil {
		return answer{}, fmt.Errorf("request on %s: %w", strings.Join(strings.SplitN(subject, ".", 6)[:4], "."), err)
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
