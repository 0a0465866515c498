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
	// presenceEvery is how often a watch checks that its buckets are still the ones it
	// watches: the server does not report that one was deleted or recreated.
	presenceEvery = 2 * time.Second
	// presenceTimeout limits one check.
	presenceTimeout = time.Second
)

// Buckets are the names of the ledger's buckets.
func Buckets() []string { return []string{bucketCampaigns, bucketNumbers, bucketState} }

// ErrMadeAgain is matched by the error that ends a watch whose buckets were lost or made
// again: what it would miss is read by a new watch.
var ErrMadeAgain = errors.New("a bucket of the ledger was lost or made again")

// MissingBuckets returns the buckets that do not exist. It sends one request.
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

// created returns when each existing bucket was created.
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

// presence notices when watched buckets were deleted or recreated.
type presence struct {
	js     jetstream.JetStream
	began  map[string]time.Time
	ticker *time.Ticker
}

// newPresence starts the checks; end them with stop.
func (l *Ledger) newPresence(ctx context.Context) (*presence, error) {
	began, err := created(ctx, l.js)
	if err != nil {
		return nil, err
	}
	return &presence{js: l.js, began: began, ticker: time.NewTicker(presenceEvery)}, nil
}

func (p *presence) stop() { p.ticker.Stop() }

// check returns an error if the buckets are not the same as at the start. A server that
// does not answer is not an error here: the watch ends by itself or continues.
func (p *presence) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, presenceTimeout)
	defer cancel()
	now, err := created(ctx, p.js)
	if err == nil && !maps.EqualFunc(now, p.began, time.Time.Equal) {
		return ErrMadeAgain
	}
	return nil
}
