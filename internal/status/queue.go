package status

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"greenlight/internal/ledger"
)

// rateWindow is how far back requests count for the rate.
const rateWindow = time.Minute

// Turn is a number's place in the queue for the rate limit. The zero value means that the
// number is not queued.
type Turn struct {
	// Position counts from 1 over all campaigns, since they share one rate limit.
	Position int `json:"position,omitempty"`
	// EstimatedSeconds is how long it takes until the number's request; 0 if unknown.
	EstimatedSeconds int `json:"estimated_seconds,omitempty"`
}

// Words says the same in words, for example "place 3, about 2 min". It is empty if the number
// is not queued.
func (t Turn) Words() string {
	switch {
	case t.Position == 0:
		return ""
	case t.EstimatedSeconds == 0:
		return fmt.Sprintf("place %d", t.Position)
	default:
		return fmt.Sprintf("place %d, %s", t.Position, about(t.EstimatedSeconds))
	}
}

// Pace is how fast the queued numbers of a campaign have their turn. The zero value means
// that none is queued.
type Pace struct {
	// Queued counts the queued numbers.
	Queued int `json:"queued,omitempty"`
	// RequestsPerMinute is the rate of the last minute.
	RequestsPerMinute float64 `json:"requests_per_minute,omitempty"`
	// EstimatedSeconds is how long it takes until the request for the last of them; 0 if
	// unknown.
	EstimatedSeconds int `json:"estimated_seconds,omitempty"`
}

// Words says the same in words, for example "about 2 min, 30/min". It is empty if no
// number is queued.
func (p Pace) Words() string {
	switch {
	case p.Queued == 0:
		return ""
	case p.EstimatedSeconds == 0:
		return "time not known yet"
	case p.RequestsPerMinute == 0:
		return about(p.EstimatedSeconds)
	default:
		return fmt.Sprintf("%s, %.0f/min", about(p.EstimatedSeconds), math.Ceil(p.RequestsPerMinute))
	}
}

// Queue is all queued numbers at one moment.
type Queue struct {
	at    time.Time
	turns map[*ledger.Number]Turn
	paces map[string]Pace // by campaign
	all   Pace
	held  int
	// changed means that a number has changed since.
	changed bool
}

// queueKept is how long a queue is used, even if numbers change.
const queueKept = time.Second

// Due is when the queue is made again because of changes, zero if it is up to date.
func (q *Queue) Due() time.Time {
	if !q.changed {
		return time.Time{}
	}
	return q.at.Add(queueKept)
}

// Turn returns the place of a number.
func (q *Queue) Turn(n *ledger.Number) Turn { return q.turns[n] }

// Pace returns the pace of a campaign, by the id of its record.
func (q *Queue) Pace(campaignID string) Pace { return q.paces[campaignID] }

// All returns the pace of all campaigns.
func (q *Queue) All() Pace { return q.all }

// Held counts the numbers that would be in the queue if their campaigns were not on hold.
func (q *Queue) Held() int { return q.held }

// Queue returns the queue, which is at most a second old. Numbers on hold are not in it.
//
// Places follow the estimates that the assigner recorded. The time left follows the rate at
// which requests were sent in the last minute, and before the first one those estimates.
func (x *Contents) Queue(now time.Time) *Queue {
	if x.queue != nil && now.Sub(x.queue.at).Abs() < queueKept {
		return x.queue
	}
	q := &Queue{at: now, turns: make(map[*ledger.Number]Turn), paces: make(map[string]Pace)}
	x.queue = q
	var waiting []*ledger.Number
	var all rate
	for _, e := range x.Campaigns() {
		queued := e.queued()
		if _, held := x.Hold.Of(append(e.IDs(), e.ID)...); held {
			q.held += queued
			continue
		}
		if queued == 0 {
			continue
		}
		var own rate
		for _, n := range e.Numbers() {
			own.add(now, n.Request.At)
			all.add(now, n.Request.At)
			if n.Reason == ledger.Queued {
				waiting = append(waiting, n)
			}
		}
		q.paces[e.ID] = Pace{RequestsPerMinute: own.perSecond(now) * 60}
	}
	slices.SortFunc(waiting, func(a, b *ledger.Number) int {
		return cmp.Or(a.NextAt.Compare(b.NextAt), cmp.Compare(a.Number, b.Number))
	})
	perSecond := all.perSecond(now)
	q.all.RequestsPerMinute = perSecond * 60
	for i, n := range waiting {
		turn := Turn{Position: i + 1}
		if perSecond > 0 {
			turn.EstimatedSeconds = int(math.Ceil(float64(turn.Position) / perSecond))
		} else if left := n.NextAt.Sub(now); left > 0 {
			turn.EstimatedSeconds = int(math.Ceil(left.Seconds()))
		}
		q.turns[n] = turn
		q.paces[n.CampaignID] = q.paces[n.CampaignID].with(turn)
		q.all = q.all.with(turn)
	}
	return q
}

// with counts one more queued number.
func (p Pace) with(turn Turn) Pace {
	p.Queued++
	p.EstimatedSeconds = max(p.EstimatedSeconds, turn.EstimatedSeconds)
	return p
}

func (e *Entry) queued() (n int) {
	for kind, count := range e.Counts {
		if kind.Reason == ledger.Queued {
			n += count
		}
	}
	return n
}

// rate counts the requests in the rateWindow.
type rate struct {
	requests int
	first    time.Time
}

func (r *rate) add(now, sent time.Time) {
	if age := now.Sub(sent); sent.IsZero() || age < 0 || age > rateWindow {
		return
	}
	r.requests++
	if r.first.IsZero() || sent.Before(r.first) {
		r.first = sent
	}
}

func (r *rate) perSecond(now time.Time) float64 {
	return float64(r.requests) / max(now.Sub(r.first).Seconds(), 1)
}
