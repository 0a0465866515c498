package page

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/status"
)

// deadLettersPerPage is smaller than other pages, since each is read from NATS separately.
const deadLettersPerPage = 25

// maxProbes bounds the sequences that are tried for one page. Requeued and discarded
// dead letters leave gaps.
const maxProbes = 500

// deadLettersBefore reads the waiting dead letters before a sequence, latest first. Older is the
// sequence for the next page, 0 at the end.
func deadLettersBefore(ctx context.Context, js jetstream.JetStream, before uint64) (list []events.StoredLetter, older uint64, total int, err error) {
	stream, err := js.Stream(ctx, events.StreamDeadLetters)
	if err = events.WhyMissing(ctx, js, err); errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, 0, 0, nil
	}
	if err != nil {
		return nil, 0, 0, fmt.Errorf("look up stream %s: %w", events.StreamDeadLetters, err)
	}
	state := stream.CachedInfo().State
	waiting, err := events.WaitingDeadLetters(ctx, stream)
	if err != nil {
		return nil, 0, 0, err
	}
	total = int(waiting)
	at := min(before, state.LastSeq+1)
	for probes := 0; total > 0 && at > state.FirstSeq && len(list) < deadLettersPerPage && probes < maxProbes; probes++ {
		at--
		deadLetter, err := events.DeadLetterAt(ctx, js, at)
		if errors.Is(err, events.ErrNoDeadLetter) {
			continue
		}
		if err != nil {
			return nil, 0, 0, err
		}
		if deadLetter.Discarded == nil {
			list = append(list, deadLetter)
		}
	}
	if total == 0 || at <= state.FirstSeq {
		at = 0
	}
	return list, at, total, nil
}

// sequence parses the sequence before which a page begins. The default is the latest.
func sequence(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 {
		return math.MaxUint64
	}
	return n
}

func (p *Page) deadLetters(ctx context.Context, before string, m *memo) (*view, error) {
	var warnings alerts
	p.config.View.Read(func(x *status.Contents) { warnings = alertsOf(x) })
	key := fmt.Sprint(warnings.Backlog.DeadLetters)
	warnings.DeadLetters = 0 // the page itself shows them
	if m.made != nil && m.key == key {
		return withAlerts(m.made, warnings)
	}
	bounded, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	list, older, total, err := deadLettersBefore(bounded, p.config.JetStream, sequence(before))
	if err != nil {
		return nil, err
	}
	pages := pager{Page: 1, Pages: 1, From: 1, To: len(list), Total: total, What: "dead letter"}
	if older > 0 {
		pages.Next = fmt.Sprint("/status/dead-letters?before=", older)
	}
	if before != "" {
		pages.Previous = "/status/dead-letters"
	}
	title := plural(total, "dead letter")
	v, err := newView("dead-letters", title, title, map[string]any{"dead-letters-head": total, "dead-letters-pager": pages})
	if err != nil {
		return nil, err
	}
	if err := addRows(v, "dead-letter-row", list, func(d events.StoredLetter) string { return fmt.Sprint("l-", d.Sequence) }); err != nil {
		return nil, err
	}
	m.key, m.made = key, v
	return withAlerts(v, warnings)
}
