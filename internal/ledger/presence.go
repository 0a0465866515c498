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

// isMadeAgain reports whether the buckets are others than those that began then. A server
// that does not answer proves nothing: the watch ends by itself or continues.
func (l *Ledger) isMadeAgain(ctx context.Context, began map[string]time.Time) bool {
	ctx, cancel := context.WithTimeout(ctx, presenceTimeout)
	defer cancel()
	now, err := created(ctx, l.js)
	return err == nil && !maps.EqualFunc(now, began, time.Time.Equal)
}
