package ledger

import (
	"cmp"
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
	// Campaigns are those that are held one by one, each once, by the id of its record.
	Campaigns map[string]HeldBy `json:"campaigns,omitempty"`
	// OtherIDs maps the other ids of a campaign that is held by itself to its id in
	// Campaigns: a plan may name it by another of its ids later.
	OtherIDs map[string]string `json:"-"`
}

// holdRecord is a hold as it is stored.
type holdRecord struct {
	Hold
	Others map[string]string `json:"other_ids,omitempty"`
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
	record.OtherIDs = record.Others
	return record, nil
}

func (r holdRecord) encode() ([]byte, error) {
	r.Others = r.OtherIDs
	return json.Marshal(r)
}

func (r holdRecord) equal(o holdRecord) bool { return r.Ended == o.Ended && r.Equal(o.Hold) }

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

// Of returns who holds the campaign with the given id, by itself or with all.
func (h Hold) Of(campaignID string) (HeldBy, bool) {
	if by, ok := h.Campaigns[cmp.Or(h.OtherIDs[campaignID], campaignID)]; ok {
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
	return maps.EqualFunc(h.Campaigns, o.Campaigns, same) && maps.Equal(h.OtherIDs, o.OtherIDs)
}

// clone returns a copy whose maps can be changed.
func (h Hold) clone() Hold {
	c := Hold{All: h.All, Campaigns: make(map[string]HeldBy), OtherIDs: make(map[string]string)}
	maps.Copy(c.Campaigns, h.Campaigns)
	maps.Copy(c.OtherIDs, h.OtherIDs)
	return c
}

// put holds a campaign, under the first of its ids.
func (h Hold) put(ids []string, by HeldBy) {
	h.remove(ids)
	h.Campaigns[ids[0]] = by
	for _, id := range ids[1:] {
		h.OtherIDs[id] = ids[0]
	}
}

// remove removes the campaign that has one of the ids, and returns what it was held as.
func (h Hold) remove(ids []string) (removed Hold) {
	removed = Hold{}.clone()
	for _, id := range ids {
		id = cmp.Or(h.OtherIDs[id], id)
		by, held := h.Campaigns[id]
		if !held {
			continue
		}
		removed.Campaigns[id] = by
		delete(h.Campaigns, id)
		for other, first := range h.OtherIDs {
			if first == id {
				removed.OtherIDs[other] = id
				delete(h.OtherIDs, other)
			}
		}
	}
	return removed
}

// idsOf returns all ids of the campaign in Campaigns under the given one, that first.
func (h Hold) idsOf(first string) []string {
	ids := []string{first}
	for other, id := range h.OtherIDs {
		if id == first {
			ids = append(ids, other)
		}
	}
	return ids
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
			Header   []byte `json:"hdrs"`
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
// returns when that is stored. Each campaign is held under all of its ids that the ledger
// knows. What was held already is held with the new reason.
func (l *Ledger) Hold(ctx context.Context, campaignIDs []string, by HeldBy) error {
	by.By, by.Reason, by.At = clipHold(by.By), clipHold(by.Reason), by.At.UTC().Round(0)
	campaigns, err := l.allIDs(ctx, campaignIDs)
	if err != nil {
		return err
	}
	return l.changeHold(ctx, func(record *holdRecord) {
		if len(campaigns) == 0 {
			record.All = &by
		}
		for _, ids := range campaigns {
			record.put(ids, by)
		}
	})
}

// Resume ends the hold of the campaigns with the given ids, under all of their ids, or of
// everything if there are none: those that are held one by one as well. It returns what
// was held and is not any more. A campaign remains held while everything is.
func (l *Ledger) Resume(ctx context.Context, campaignIDs []string) (resumed Hold, err error) {
	campaigns, err := l.allIDs(ctx, campaignIDs)
	if err != nil {
		return Hold{}, err
	}
	err = l.changeHold(ctx, func(record *holdRecord) {
		if len(campaigns) == 0 {
			resumed = record.Hold
			*record = holdRecord{Ended: true}
			return
		}
		resumed = Hold{}.clone()
		for _, ids := range campaigns {
			removed := record.remove(ids)
			maps.Copy(resumed.Campaigns, removed.Campaigns)
			maps.Copy(resumed.OtherIDs, removed.OtherIDs)
		}
	})
	if err != nil {
		return Hold{}, err
	}
	return resumed, nil
}

// allIDs returns, for each campaign of the given ids, all of its ids that the ledger
// knows. The first is one of those that were given, the plan's if that is among them.
func (l *Ledger) allIDs(ctx context.Context, given []string) (campaigns [][]string, err error) {
	if len(given) == 0 {
		return nil, nil
	}
	entries, err := l.Campaigns(ctx)
	if err != nil {
		return nil, err
	}
	records := make(map[string][]Campaign) // by each of their ids
	for _, entry := range entries {
		c := entry.Campaign
		for _, id := range c.ids() {
			records[id] = append(records[id], c)
		}
	}
	isGiven := make(map[string]bool, len(given))
	for _, id := range given {
		isGiven[id] = true
	}
	taken := make(map[string]bool)
	for _, id := range given {
		if taken[id] {
			continue
		}
		first, ids := id, []string{id}
		for _, c := range records[id] {
			if c.Planned && isGiven[c.ID] {
				first = c.ID
			}
			ids = append(ids, c.ids()...)
		}
		ids = slices.DeleteFunc(ids, func(id string) bool { return id == first })
		slices.Sort(ids)
		ids = append([]string{first}, slices.Compact(ids)...)
		for _, id := range ids {
			taken[id] = true
		}
		campaigns = append(campaigns, ids)
	}
	return campaigns, nil
}

// ids returns the ids that the record has, each once.
func (c Campaign) ids() []string {
	ids := []string{c.ID, c.TelnyxID, c.TCRID}
	slices.Sort(ids)
	return slices.DeleteFunc(slices.Compact(ids), func(id string) bool { return id == "" })
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
			ids := was.idsOf(id)
			now, held := HeldBy{}, false
			for _, id := range ids {
				if now, held = record.Campaigns[cmp.Or(record.OtherIDs[id], id)]; held {
					break
				}
			}
			if !held || by.At.After(now.At) {
				record.put(ids, by)
			}
		}
	})
}

// changeHold stores the hold with the change, again if somebody else was quicker.
func (l *Ledger) changeHold(ctx context.Context, change func(*holdRecord)) error {
	if l.state == nil {
		return ErrNoHoldBucket
	}
	for try := 1; ; try++ {
		was, revision, err := readHold(ctx, l.js)
		if err != nil {
			return err
		}
		now := holdRecord{Hold: was.clone(), Ended: was.Ended}
		change(&now)
		if now.equal(was) {
			return nil
		}
		data, err := now.encode()
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
			record, err := decodeHold(kve.Value())
			if err != nil {
				return err
			}
			changed(record.Hold)
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
