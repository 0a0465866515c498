package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// markPrefix begins the keys of the bucket of next checks that are not campaigns.
	markPrefix = "_"
	// holdKey is where the hold is kept, beside the mark of the plans.
	holdKey = markPrefix + "hold"
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

// Hold is what an operator has put on hold: no new write request is sent to Telnyx for it.
// The zero value holds nothing.
type Hold struct {
	// All is set while everything is held.
	All *HeldBy `json:"all,omitempty"`
	// Campaigns are those that are held one by one, each once, by one of its ids. A plan
	// may name a campaign by another of its ids later, so ask [Hold.Of] with all of them.
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

// Of returns who holds the campaign with the given ids, by itself or with all.
func (h Hold) Of(campaignIDs ...string) (HeldBy, bool) {
	for _, id := range campaignIDs {
		if by, ok := h.Campaigns[id]; ok {
			return by, true
		}
	}
	if h.All != nil {
		return *h.All, true
	}
	return HeldBy{}, false
}

// Advise is [Advise] and [NextCheck], but for a number on hold that is not attached yet it
// says that nothing happens until the hold ends.
func (h Hold) Advise(n Number, c Campaign) (a Advice, next time.Time) {
	a, next = Advise(n, c), NextCheck(n, c)
	if _, held := h.Of(append(c.IDs(), n.CampaignID)...); held && n.State.TriesAgain() {
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

// holdRecord is a hold as it is stored.
type holdRecord struct {
	Hold
	// Ended says that everything was resumed since the bucket was made. What was held in
	// an earlier bucket is not restored then.
	Ended bool `json:"ended,omitempty"`
}

func decodeHold(data []byte) (record holdRecord, err error) {
	if len(data) == 0 { // a deletion
		return holdRecord{}, nil
	}
	if err := json.Unmarshal(data, &record); err != nil {
		return holdRecord{}, fmt.Errorf("record %s in bucket %s is damaged: %w", holdKey, bucketState, err)
	}
	return record, nil
}

// ReadHold returns the hold as the leader of the stream has it, so that a hold that was
// stored before is never missed: a bucket's Get may be answered by a follower that is
// behind. Before an assigner ever ran, or when the bucket was lost, the error matches
// [jetstream.ErrStreamNotFound].
func ReadHold(ctx context.Context, js jetstream.JetStream) (Hold, error) {
	record, _, err := readHold(ctx, js)
	return record.Hold, err
}

// ReadHold is the function of that name on the ledger's connection.
func (l *Ledger) ReadHold(ctx context.Context) (Hold, error) { return ReadHold(ctx, l.js) }

// readHold also returns the revision of the record, 0 if there is none.
func readHold(ctx context.Context, js jetstream.JetStream) (record holdRecord, revision uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, holdTimeout)
	defer cancel()
	// The API for messages, unlike the direct one, is answered by the leader alone.
	const subject = "$JS.API.STREAM.MSG.GET.KV_" + bucketState
	reply, err := js.Conn().RequestWithContext(ctx, subject, []byte(`{"last_by_subj":"$KV.`+bucketState+`.`+holdKey+`"}`))
	if err != nil {
		return holdRecord{}, 0, fmt.Errorf("read what is held: %w", err)
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Sequence uint64 `json:"seq"`
			Data     []byte `json:"data"`
		} `json:"message"`
	}
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return holdRecord{}, 0, fmt.Errorf("read what is held: %w", err)
	}
	switch {
	case answer.Error == nil:
	case answer.Error.ErrorCode == codeNoMessage:
		return holdRecord{}, 0, nil
	case answer.Error.ErrorCode == jetstream.JSErrCodeStreamNotFound:
		return holdRecord{}, 0, fmt.Errorf("read what is held: %w", jetstream.ErrStreamNotFound)
	default:
		return holdRecord{}, 0, fmt.Errorf("read what is held: %w", answer.Error)
	}
	record, err = decodeHold(answer.Message.Data)
	return record, answer.Message.Sequence, err
}

// Hold holds the campaigns with the given ids, or everything if there are none, and
// returns when that is stored. What was held already, by whichever of a campaign's ids
// that the ledger knows, is held with the new reason.
func (l *Ledger) Hold(ctx context.Context, campaignIDs []string, by HeldBy) error {
	by.By, by.Reason, by.At = clipHold(by.By), clipHold(by.Reason), by.At.UTC().Round(0)
	same, err := l.sameCampaigns(ctx, campaignIDs)
	if err != nil {
		return err
	}
	return l.changeHold(ctx, func(record *holdRecord) {
		if len(campaignIDs) == 0 {
			record.All = &by
		}
		for _, id := range campaignIDs {
			for _, other := range same[id] {
				delete(record.Campaigns, other)
			}
			record.Campaigns[id] = by
		}
	})
}

// Resume ends the hold of the campaigns with the given ids, under all of their ids, or of
// everything if there are none: those that are held one by one as well. It returns what
// was held and is not any more. A campaign remains held while everything is.
func (l *Ledger) Resume(ctx context.Context, campaignIDs []string) (resumed Hold, err error) {
	same, err := l.sameCampaigns(ctx, campaignIDs)
	if err != nil {
		return Hold{}, err
	}
	err = l.changeHold(ctx, func(record *holdRecord) {
		if len(campaignIDs) == 0 {
			resumed = record.Hold
			*record = holdRecord{Ended: true}
			return
		}
		resumed = Hold{Campaigns: make(map[string]HeldBy)}
		for _, id := range campaignIDs {
			for _, other := range append(same[id], id) {
				if by, held := record.Campaigns[other]; held {
					resumed.Campaigns[other] = by
					delete(record.Campaigns, other)
				}
			}
		}
	})
	if err != nil {
		return Hold{}, err
	}
	return resumed, nil
}

// sameCampaigns returns, for each of the ids, all ids of its campaign that the ledger knows.
func (l *Ledger) sameCampaigns(ctx context.Context, ids []string) (map[string][]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	entries, err := l.Campaigns(ctx)
	if err != nil {
		return nil, err
	}
	same := make(map[string][]string, len(ids))
	for _, entry := range entries {
		all := entry.Campaign.IDs()
		for _, id := range all {
			if slices.Contains(ids, id) {
				same[id] = append(same[id], all...)
			}
		}
	}
	return same, nil
}

// Restore stores what was held in a bucket that was lost, in the one that was made in its
// place. Of two holds of the same the newer one is kept. Once everything was resumed in the
// new bucket, Restore does nothing.
func (l *Ledger) Restore(ctx context.Context, was Hold) error {
	return l.changeHold(ctx, func(record *holdRecord) {
		if record.Ended {
			return
		}
		if was.All != nil && (record.All == nil || was.All.At.After(record.All.At)) {
			record.All = was.All
		}
		for id, by := range was.Campaigns {
			if now, held := record.Campaigns[id]; !held || by.At.After(now.At) {
				record.Campaigns[id] = by
			}
		}
	})
}

// changeHold stores the hold with the change, again if somebody else was quicker.
func (l *Ledger) changeHold(ctx context.Context, change func(*holdRecord)) error {
	for try := 1; ; try++ {
		was, revision, err := readHold(ctx, l.js)
		if err != nil {
			return err
		}
		now := was
		now.Campaigns = make(map[string]HeldBy)
		maps.Copy(now.Campaigns, was.Campaigns)
		change(&now)
		if now.Ended == was.Ended && now.Equal(was.Hold) {
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
// an error, for example when the bucket was lost, changes may be missed: start a new watch.
// Changed is called from one goroutine. A damaged record changes nothing.
func (l *Ledger) WatchHold(ctx context.Context, changed func(Hold)) error {
	var now Hold
	return l.watch(ctx, 0, func() { changed(now) }, source{l.state, holdKey, func(kve jetstream.KeyValueEntry) {
		if record, err := decodeHold(kve.Value()); err == nil {
			now = record.Hold
		}
	}})
}

// clipHold makes a text printable on one line, and bounds it.
func clipHold(text string) string {
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), func(r rune) bool { return r <= ' ' || r >= 0x7f && r < 0xa0 }), " ")
	if len(text) > maxHoldText {
		text = strings.ToValidUTF8(text[:maxHoldText], "")
	}
	return text
}
