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
	// holdKey is the key of the hold in the state bucket. No campaign has this id.
	holdKey = "_hold"
	// maxHoldText bounds each text of a hold, in bytes. People write the reason, and one
	// record has all campaigns of a hold.
	maxHoldText = 200
	// holdTries bounds the tries to store a hold while others change it too.
	holdTries = 10
	// holdTimeout bounds one read of the hold. Every write to Telnyx waits for it.
	holdTimeout = 5 * time.Second
	// codeNoMessage is JetStream's code for a subject without a message
	// (https://github.com/nats-io/nats-server, server/errors.json).
	codeNoMessage jetstream.ErrorCode = 10037
)

// Hold says what is on hold: no new write request is sent to Telnyx for it. The zero value
// holds nothing.
type Hold struct {
	// All is set while everything is on hold.
	All *HeldBy `json:"all,omitempty"`
	// Campaigns are the campaigns with a hold of their own, each under one of its ids. A
	// plan may name it by another id later, so pass all of [Campaign.IDs] to [Hold.Of].
	Campaigns map[string]HeldBy `json:"campaigns,omitempty"`
}

// HeldBy says who started a hold, when and why.
type HeldBy struct {
	// By is the user@host that ran the command.
	By string    `json:"by"`
	At time.Time `json:"at"`
	// Reason is the operator's text, empty if none was given.
	Reason string `json:"reason,omitempty"`
}

// String says who started the hold, when in UTC, and why.
func (b HeldBy) String() string {
	text := b.By + " at " + b.At.UTC().Format("2006-01-02 15:04 MST")
	if b.Reason != "" {
		text += ": " + b.Reason
	}
	return text
}

// Of returns the hold of the campaign with the given ids: its own, else that of everything.
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

// Advise returns [Advise] and [NextCheck]. For a number on hold that still has to be
// attached, it says instead that nothing happens until the hold ends.
func (h Hold) Advise(n Number, c Campaign) (a Advice, next time.Time) {
	a, next = Advise(n, c), NextCheck(n, c)
	if _, held := h.Of(append(c.IDs(), n.CampaignID)...); held && n.State.TriesAgain() {
		a.Next, next = "On hold: nothing is sent until you run greenlight resume.", time.Time{}
	}
	return a, next
}

// IsZero reports whether nothing is on hold.
func (h Hold) IsZero() bool { return h.All == nil && len(h.Campaigns) == 0 }

// Equal reports whether both holds are the same, including who, when and why.
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
	// Ended says that everything was resumed since the bucket was created. A hold from an
	// earlier bucket is not restored then.
	Ended bool `json:"ended,omitempty"`
}

// ErrHoldDamaged is matched by the error for a stored hold that cannot be read. The hold that
// comes with it is one of everything, since it may have been that.
var ErrHoldDamaged = errors.New("is damaged")

func decodeHold(data []byte) (record holdRecord, err error) {
	if len(data) == 0 { // a deletion
		return holdRecord{}, nil
	}
	if err := json.Unmarshal(data, &record); err != nil {
		unread := HeldBy{By: "greenlight", At: time.Now().UTC(), Reason: "the hold could not be read"}
		return holdRecord{Hold: Hold{All: &unread}}, fmt.Errorf("record %s in bucket %s %w: %w", holdKey, bucketState, ErrHoldDamaged, err)
	}
	return record, nil
}

// ReadHold returns the hold; see also [ErrHoldDamaged]. It asks the leader of the stream, so it
// never misses a stored hold; a replica that lags behind may answer a bucket's Get. If no assigner ever ran, or
// the bucket was lost, the error matches [jetstream.ErrStreamNotFound].
func ReadHold(ctx context.Context, js jetstream.JetStream) (Hold, error) {
	record, _, err := readHold(ctx, js)
	return record.Hold, err
}

// ReadHold calls the function [ReadHold] with the ledger's connection.
func (l *Ledger) ReadHold(ctx context.Context) (Hold, error) { return ReadHold(ctx, l.js) }

// readHold also returns the revision of the record, 0 if there is none.
func readHold(ctx context.Context, js jetstream.JetStream) (record holdRecord, revision uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, holdTimeout)
	defer cancel()
	// Only the leader answers this API; any replica may answer the direct one.
	const subject = "$JS.API.STREAM.MSG.GET.KV_" + bucketState
	reply, err := js.Conn().RequestWithContext(ctx, subject, []byte(`{"last_by_subj":"$KV.`+bucketState+`.`+holdKey+`"}`))
	if err != nil {
		return holdRecord{}, 0, fmt.Errorf("read the hold: %w", err)
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Sequence uint64 `json:"seq"`
			Data     []byte `json:"data"`
		} `json:"message"`
	}
	if err := json.Unmarshal(reply.Data, &answer); err != nil {
		return holdRecord{}, 0, fmt.Errorf("read the hold: %w", err)
	}
	switch {
	case answer.Error == nil:
	case answer.Error.ErrorCode == codeNoMessage:
		return holdRecord{}, 0, nil
	case answer.Error.ErrorCode == jetstream.JSErrCodeStreamNotFound:
		return holdRecord{}, 0, fmt.Errorf("read the hold: %w", jetstream.ErrStreamNotFound)
	default:
		return holdRecord{}, 0, fmt.Errorf("read the hold: %w", answer.Error)
	}
	record, err = decodeHold(answer.Message.Data)
	return record, answer.Message.Sequence, err
}

// Hold puts the campaigns with the given ids on hold, or everything if there are none, and
// returns when that is stored. A hold that a campaign already has, under any id that the
// ledger knows for it, is replaced.
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

// Resume ends the holds of the campaigns with the given ids, under any of their ids. Without
// ids it ends all holds, those of single campaigns too. It returns the holds that it ended.
// A campaign stays on hold while everything is.
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

// sameCampaigns returns, for each id, all ids that the ledger knows for its campaign.
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

// Restore stores the hold of a lost bucket in the bucket that replaced it. Of two holds of
// the same campaign, or of everything, it keeps the newer one. If everything was resumed in
// the new bucket, it does nothing. In a bucket from a backup that is outdated, and is cleared.
func (l *Ledger) Restore(ctx context.Context, was Hold, fromBackup bool) error {
	return l.changeHold(ctx, func(record *holdRecord) {
		if fromBackup {
			record.Ended = false
		}
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

// changeHold applies the change to the stored hold, or to a hold of everything if that is
// damaged. It starts again if the hold was changed by another process meanwhile.
func (l *Ledger) changeHold(ctx context.Context, change func(*holdRecord)) error {
	for try := 1; ; try++ {
		was, revision, err := readHold(ctx, l.js)
		damaged := errors.Is(err, ErrHoldDamaged)
		if err != nil && !damaged {
			return err
		}
		now := was
		now.Campaigns = make(map[string]HeldBy)
		maps.Copy(now.Campaigns, was.Campaigns)
		change(&now)
		if !damaged && now.Ended == was.Ended && now.Equal(was.Hold) {
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
			return fmt.Errorf("write the hold: %w", err)
		}
	}
}

// WatchHold calls changed with the current hold and after each change. It returns nil when
// ctx ends. Use it to show a hold; before a write, call [Ledger.ReadHold]. After an error,
// for example if the bucket was lost, changes may be missed: start a new watch. Changed is
// called from one goroutine. A damaged record counts as everything on hold.
func (l *Ledger) WatchHold(ctx context.Context, changed func(Hold)) error {
	var now Hold
	return l.watch(ctx, 0, func() { changed(now) }, source{l.state, holdKey, func(kve jetstream.KeyValueEntry) {
		record, _ := decodeHold(kve.Value()) // a damaged one is a hold of everything
		now = record.Hold
	}})
}

// clipHold removes control characters and line breaks from a text, and bounds its length.
func clipHold(text string) string {
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "?"), func(r rune) bool { return r <= ' ' || r >= 0x7f && r < 0xa0 }), " ")
	if len(text) > maxHoldText {
		text = strings.ToValidUTF8(text[:maxHoldText], "")
	}
	return text
}
