package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// holdKey is where the hold is kept, beside the mark of the plans.
	holdKey = "_hold"
	// maxHoldText bounds each text of a hold, in bytes. The reason is a person's, and all
	// campaigns of a hold are in one record.
	maxHoldText = 200
	// holdTries bounds how often a hold that others change at the same time is tried.
	holdTries = 10
	// holdTimeout bounds reading it: every write waits for that.
	holdTimeout = 5 * time.Second
	// codeNoMessage is JetStream's code for a subject without a message
	// (https://github.com/nats-io/nats-server, server/errors.json).
	codeNoMessage jetstream.ErrorCode = 10037
)

// ErrNoHoldBucket is matched by the error for a ledger that an assigner without holds made.
var ErrNoHoldBucket = errors.New("the ledger was made by an older Greenlight, which does not know this hold: upgrade and start the assigner first")

// Hold is what an operator has put on hold: no new write request is sent to Telnyx for it.
// The zero value holds nothing.
type Hold struct {
	// All is set while everything is held.
	All *HeldBy `json:"all,omitempty"`
	// Campaigns are those that are held one by one, by the id of their record.
	Campaigns map[string]HeldBy `json:"campaigns,omitempty"`
}

// HeldBy is who held, when and why.
type HeldBy struct {
	// By is user@host of the command.
	By string    `json:"by"`
	At time.Time `json:"at"`
	// Reason is the operator's, empty if none was given.
	Reason string `json:"reason,omitempty"`
}

// String writes who held, when by UTC, and why.
func (b HeldBy) String() string {
	text := b.By + " at " + b.At.UTC().Format("2006-01-02 15:04 MST")
	if b.Reason != "" {
		text += ": " + b.Reason
	}
	return text
}

// Of returns who holds the campaign with the given record id, by itself or with all.
func (h Hold) Of(campaignID string) (HeldBy, bool) {
	if by, ok := h.Campaigns[campaignID]; ok {
		return by, true
	}
	if h.All != nil {
		return *h.All, true
	}
	return HeldBy{}, false
}

// Advise is [Advise] and [NextLook], but for a number on hold that is not attached yet it
// says that nothing happens until the hold ends.
func (h Hold) Advise(n Number, c Campaign) (a Advice, next time.Time) {
	a, next = Advise(n, c), NextLook(n, c)
	if _, held := h.Of(n.CampaignID); held && n.State.TriesAgain() {
		a.Next, next = "On hold: nothing is sent until you run greenlight resume.", time.Time{}
	}
	return a, next
}

// IsZero reports whether nothing is held.
func (h Hold) IsZero() bool { return h.All == nil && len(h.Campaigns) == 0 }

// Equal reports whether both hold the same, since the same time and for the same reason.
func (h Hold) Equal(o Hold) bool {
	same := func(a, b HeldBy) bool { return a.By == b.By && a.Reason == b.Reason && a.At.Equal(b.At) }
	if (h.All == nil) != (o.All == nil) || h.All != nil && !same(*h.All, *o.All) {
		return false
	}
	return maps.EqualFunc(h.Campaigns, o.Campaigns, same)
}

// ReadHold returns the hold as the leader of the stream has it, so that a hold that was
// stored before is never missed: a bucket's Get may be answered by a follower that is
// behind. Before an assigner ever ran, or when the bucket was lost, the error matches
// [jetstream.ErrStreamNotFound].
func ReadHold(ctx context.Context, js jetstream.JetStream) (Hold, error) {
	h, _, err := readHold(ctx, js)
	return h, err
}

// ReadHold is the function of that name on the ledger's connection.
func (l *Ledger) ReadHold(ctx context.Context) (Hold, error) { return ReadHold(ctx, l.js) }

// readHold also returns the revision of the record, 0 if there is none.
func readHold(ctx context.Context, js jetstream.JetStream) (h Hold, revision uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, holdTimeout)
	defer cancel()
	// The API for messages, unlike the direct one, is answered by the leader alone.
	const subject = "$JS.API.STREAM.MSG.GET.KV_" + bucketState
	reply, err := js.Conn().RequestWithContext(ctx, subject, []byte(`{"last_by_subj":"$KV.`+bucketState+`.`+holdKey+`"}`))
	if err != nil {
		return Hold{}, 0, fmt.Errorf("read what is held: %w", err)
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Sequence uint64 `json:"seq"`
			Header   []byte `json:"hdrs"`
			Data     []byte `json:"data"`
		} `json:"message"`
	}
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return Hold{}, 0, fmt.Errorf("read what is held: %w", err)
	}
	switch {
	case answer.Error == nil:
	case answer.Error.ErrorCode == codeNoMessage:
		return Hold{}, 0, nil
	case answer.Error.ErrorCode == jetstream.JSErrCodeStreamNotFound:
		return Hold{}, 0, fmt.Errorf("read what is held: %w", jetstream.ErrStreamNotFound)
	default:
		return Hold{}, 0, fmt.Errorf("read what is held: %w", answer.Error)
	}
	if len(answer.Message.Data) == 0 { // the mark of a deletion
		return Hold{}, answer.Message.Sequence, nil
	}
	if err := json.Unmarshal(answer.Message.Data, &h); err != nil {
		return Hold{}, 0, fmt.Errorf("record %s in bucket %s is damaged: %w", holdKey, bucketState, err)
	}
	return h, answer.Message.Sequence, nil
}

// Hold holds the campaigns with the given record ids, or everything if there are none,
// and returns when that is stored. What was held already is held with the new reason.
func (l *Ledger) Hold(ctx context.Context, campaignIDs []string, by HeldBy) error {
	by.By, by.Reason, by.At = clipHold(by.By), clipHold(by.Reason), by.At.UTC().Round(0)
	return l.changeHold(ctx, func(h Hold) Hold {
		if len(campaignIDs) == 0 {
			h.All = &by
		}
		for _, id := range campaignIDs {
			if h.Campaigns == nil {
				h.Campaigns = make(map[string]HeldBy)
			}
			h.Campaigns[id] = by
		}
		return h
	})
}

// Resume ends the hold of the campaigns with the given record ids, or of everything if
// there are none: those that are held one by one as well. It returns what was held and is
// not any more. A campaign remains held while everything is.
func (l *Ledger) Resume(ctx context.Context, campaignIDs []string) (resumed Hold, err error) {
	err = l.changeHold(ctx, func(h Hold) Hold {
		resumed = Hold{}
		if len(campaignIDs) == 0 {
			resumed = h
			return Hold{}
		}
		for _, id := range campaignIDs {
			by, held := h.Campaigns[id]
			if !held {
				continue
			}
			if resumed.Campaigns == nil {
				resumed.Campaigns = make(map[string]HeldBy)
			}
			resumed.Campaigns[id] = by
			delete(h.Campaigns, id)
		}
		return h
	})
	if err != nil {
		return Hold{}, err
	}
	return resumed, nil
}

// Restore stores a hold as it was, in a bucket that was lost and made again. One that
// somebody has stored since stays.
func (l *Ledger) Restore(ctx context.Context, was Hold) error {
	return l.changeHold(ctx, func(h Hold) Hold {
		if h.IsZero() {
			return was
		}
		return h
	})
}

// changeHold stores what change makes of the hold, again if somebody else was quicker.
func (l *Ledger) changeHold(ctx context.Context, change func(Hold) Hold) error {
	if l.state == nil {
		return ErrNoHoldBucket
	}
	for try := 1; ; try++ {
		was, revision, err := readHold(ctx, l.js)
		if err != nil {
			return err
		}
		now := change(Hold{All: was.All, Campaigns: maps.Clone(was.Campaigns)})
		if now.Equal(was) {
			return nil
		}
		data, err := json.Marshal(now)
		if err != nil {
			return err
		}
		_, err = l.state.Update(ctx, holdKey, data, revision)
		if err = changed(err); err == nil {
			return nil
		}
		if !errors.Is(err, ErrChanged) || try == holdTries {
			return fmt.Errorf("write what is held: %w", err)
		}
	}
}

// WatchHold calls changed with the current hold and with each change, until ctx ends;
// then it returns nil. Use it to show a hold; before a write, call [Ledger.ReadHold]. After
// an error, such as a lost bucket, changes may be missed: start a new watch. Changed is
// called from one goroutine.
func (l *Ledger) WatchHold(ctx context.Context, changed func(Hold)) error {
	if l.state == nil {
		<-ctx.Done()
		return nil
	}
	presence, err := l.newPresence(ctx)
	if err != nil {
		return err
	}
	defer presence.stop()
	watcher, err := l.state.Watch(ctx, holdKey)
	if err != nil {
		return fmt.Errorf("watch bucket %s: %w", bucketState, err)
	}
	defer stop(watcher)
	known := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-presence.ticker.C:
			if err := presence.check(ctx); err != nil {
				return fmt.Errorf("watch bucket %s: %w", bucketState, err)
			}
		case kve, open := <-watcher.Updates():
			switch {
			case !open && ctx.Err() != nil:
				return nil
			case !open:
				return fmt.Errorf("watch bucket %s: the server hung up", bucketState)
			case kve == nil: // the present value, if there is one, was seen
				if !known {
					changed(Hold{})
				}
				continue
			}
			known = true
			var h Hold
			if len(kve.Value()) > 0 {
				if err := unmarshal(kve, &h); err != nil {
					return err
				}
			}
			changed(h)
		}
	}
}

// isRecord reports whether a key of a bucket is that of a record; the others, which begin
// with an underscore, are marks.
func isRecord(key string) bool { return !strings.HasPrefix(key, "_") }

// clipHold makes a text printable on one line, and bounds it.
func clipHold(text string) string {
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), func(r rune) bool { return r <= ' ' || r >= 0x7f && r < 0xa0 }), " ")
	if len(text) > maxHoldText {
		text = strings.ToValidUTF8(text[:maxHoldText], "")
	}
	return text
}
