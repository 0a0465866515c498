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
	// presenceEvery is how often a watch checks that its buckets still exist and are the
	// same: the server does not report that one was deleted or recreated.
	presenceEvery = 2 * time.Second
	// presenceTimeout limits one check.
	presenceTimeout = time.Second
)

// Buckets returns the names of the ledger's buckets.
func Buckets() []string { return []string{bucketCampaigns, bucketNumbers, bucketState} }

// ErrRecreated means that a watch ended because a bucket was deleted or recreated. A new
// watch reads everything.
var ErrRecreated = errors.New("a bucket of the ledger was deleted or recreated")

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

// isRecreated reports whether a bucket was deleted or recreated since the watch began. If
// the server does not answer, it reports false.
func (l *Ledger) isRecreated(ctx context.Context, began map[string]time.Time) bool {
	ctx, cancel := context.WithTimeout(ctx, presenceTimeout)
	defer cancel()
	now, err := created(ctx, l.js)
	return err == nil && !maps.EqualFunc(now, began, time.Time.Equal)
}
