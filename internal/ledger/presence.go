package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// presenceEvery is how often a watch looks whether its buckets are still the ones it
	// watches: of one that was deleted, or made again, the server says nothing.
	presenceEvery = 2 * time.Second
	// presenceTimeout bounds the question.
	presenceTimeout = time.Second
)

// Buckets are the names of the ledger's buckets.
func Buckets() []string { return []string{bucketCampaigns, bucketNumbers, bucketState} }

// ErrMadeAgain is matched by the error that ends a watch whose buckets were lost or made
// again: what it would miss is read by a new watch.
var ErrMadeAgain = errors.New("a bucket of the ledger was lost or made again")

// MissingBuckets returns the buckets that are not there, by one request.
func MissingBuckets(ctx context.Context, js jetstream.JetStream) (missing []string, err error) {
	there, err := created(ctx, js)
	if err != nil {
		return nil, err
	}
	for _, name := range Buckets() {
		if _, ok := there[name]; !ok {
			missing = append(missing, name)
		}
	}
	return missing, nil
}

// created returns when each of the buckets that are there was made.
func created(ctx context.Context, js jetstream.JetStream) (map[string]time.Time, error) {
	there := make(map[string]time.Time)
	streams := js.ListStreams(ctx, jetstream.WithStreamListSubject("$KV.>"))
	for info := range streams.Info() {
		for _, name := range Buckets() {
			if info.Config.Name == "KV_"+name {
				there[name] = info.Created.UTC()
			}
		}
	}
	if err := streams.Err(); err != nil {
		return nil, fmt.Errorf("list the ledger's buckets: %w", err)
	}
	return there, nil
}

// presence notices that the buckets which are watched are not there any more.
type presence struct {
	js     jetstream.JetStream
	began  map[string]time.Time
	ticker *time.Ticker
}

// newPresence begins; end it with stop.
func (l *Ledger) newPresence(ctx context.Context) (*presence, error) {
	began, err := created(ctx, l.js)
	if err != nil {
		return nil, err
	}
	return &presence{js: l.js, began: began, ticker: time.NewTicker(presenceEvery)}, nil
}

func (p *presence) stop() { p.ticker.Stop() }

// check returns an error if the buckets are others than at the beginning. That the server
// does not answer is none: the watch ends by itself or continues.
func (p *presence) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, presenceTimeout)
	defer cancel()
	now, err := created(ctx, p.js)
	if err == nil && !maps.EqualFunc(now, p.began, time.Time.Equal) {
		return ErrMadeAgain
	}
	return nil
}
