package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
)

// The buckets. They are named here and nowhere else.
const (
	bucketCampaigns = "CAMPAIGNS"
	bucketNumbers   = "NUMBERS"
	bucketState     = "LOOKS"

	// The history of a key is the timeline of what it is about, so it has room for
	// what matters: of a number each try and its answer, two changes a try, until it
	// is stuck; of a campaign a review with a few setbacks.
	historyCampaigns = 32
	historyNumbers   = 32
	// Nobody reads the history of when a campaign is checked next.
	historyState = 1
	// maxRecord is far over the size of a record, which is about 500 bytes;
	// Telnyx's own words in it are cut before.
	maxRecord = 16 << 10
	// maxHold is the bound in the bucket that has the hold: some 1,500 campaigns one by one.
	maxHold = 512 << 10
	// keysPerWatch is how many keys are read at once; each is a subject in the
	// request.
	keysPerWatch = 100
)

// WriteProbe is a subject of the ledger that no record has, by which to find out
// whether the ledger may be written.
const WriteProbe = "$KV." + bucketNumbers + "._.doctor"

// ErrChanged says that somebody else wrote the record after it was read. Read it again
// and repeat the decision.
var ErrChanged = errors.New("record changed since it was read")

// Ledger reads and writes the records. Safe for concurrent use.
type Ledger struct {
	js        jetstream.JetStream
	campaigns jetstream.KeyValue
	numbers   jetstream.KeyValue
	// state has the next check of campaigns whose record says nothing else that is
	// new, what is held, and which plans are in force.
	state jetstream.KeyValue
}

// nextCheck is when a campaign is checked next, as known after its record was written.
type nextCheck struct {
	// Revision is that of the record. With another one, this is out of date.
	Revision uint64    `json:"revision"`
	NextAt   time.Time `json:"next_at"`
}

// Create opens the ledger and makes its buckets if they are not there. Replicas
// is 1 for one server and 3 for a cluster; 0 means 1.
func Create(ctx context.Context, js jetstream.JetStream, replicas int) (*Ledger, error) {
	l := Ledger{js: js}
	var err error
	if l.campaigns, err = createBucket(ctx, js, bucketCampaigns, historyCampaigns, maxRecord, replicas); err != nil {
		return nil, err
	}
	if l.numbers, err = createBucket(ctx, js, bucketNumbers, historyNumbers, maxRecord, replicas); err != nil {
		return nil, err
	}
	if l.state, err = createBucket(ctx, js, bucketState, historyState, maxHold, replicas); err != nil {
		return nil, err
	}
	return &l, nil
}

// Open opens the ledger for reading. It fails with an error that matches
// [jetstream.ErrBucketNotFound] when no assigner ever ran, or when a bucket was lost.
func Open(ctx context.Context, js jetstream.JetStream) (*Ledger, error) {
	l := Ledger{js: js}
	for name, bucket := range map[string]*jetstream.KeyValue{bucketCampaigns: &l.campaigns, bucketNumbers: &l.numbers, bucketState: &l.state} {
		var err error
		if *bucket, err = js.KeyValue(ctx, name); err != nil {
			return nil, fmt.Errorf("open bucket %s: %w", name, err)
		}
	}
	return &l, nil
}

func createBucket(ctx context.Context, js jetstream.JetStream, name string, history uint8, maxValue int32, replicas int) (jetstream.KeyValue, error) {
	kept, err := events.Layout(ctx, js, "KV_"+name, replicas)
	if err != nil {
		return nil, err
	}
	bucket, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket:       name,
		Description:  "Greenlight's ledger",
		History:      history,
		MaxValueSize: maxValue,
		Storage:      jetstream.FileStorage,
		Replicas:     kept.Replicas,
		Metadata:     kept.Metadata,
	})
	if err != nil {
		return nil, fmt.Errorf("create bucket %s: %w", name, err)
	}
	return bucket, nil
}

// NumberEntry is a number's record and the revision at which it was read.
type NumberEntry struct {
	Number   Number
	Revision uint64
}

// CampaignEntry is a campaign's record and the revision at which it was read.
type CampaignEntry struct {
	Campaign Campaign
	Revision uint64
}

// Campaign returns one record; ok is false when there is none.
func (l *Ledger) Campaign(ctx context.Context, id string) (entry CampaignEntry, ok bool, err error) {
	kve, err := l.campaigns.Get(ctx, id)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return CampaignEntry{}, false, nil
	}
	if err != nil {
		return CampaignEntry{}, false, fmt.Errorf("read record of campaign %s: %w", id, err)
	}
	entry.Revision = kve.Revision()
	if err := decode(kve, &entry.Campaign); err != nil {
		return entry, true, err
	}
	kve, err = l.state.Get(ctx, id)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return entry, true, nil
	}
	if err != nil {
		return entry, true, fmt.Errorf("read next check of campaign %s: %w", id, err)
	}
	var next nextCheck
	err = unmarshal(kve, &next)
	return entry.with(next), true, err
}

// with returns the entry with the next check, if that is of this very record.
func (e CampaignEntry) with(next nextCheck) CampaignEntry {
	if next.Revision == e.Revision {
		e.Campaign.NextAt = next.NextAt
	}
	return e
}

// Campaigns returns all records, in no order.
func (l *Ledger) Campaigns(ctx context.Context) ([]CampaignEntry, error) {
	var entries []CampaignEntry
	err := each(ctx, l.campaigns, []string{">"}, func(kve jetstream.KeyValueEntry) error {
		entry := CampaignEntry{Revision: kve.Revision()}
		if err := decode(kve, &entry.Campaign); err != nil {
			return err
		}
		entries = append(entries, entry)
		return nil
	})
	if err != nil {
		return entries, err
	}
	place := make(map[string]int, len(entries))
	for i, entry := range entries {
		place[entry.Campaign.ID] = i
	}
	return entries, each(ctx, l.state, []string{">"}, func(kve jetstream.KeyValueEntry) error {
		i, ok := place[kve.Key()]
		if !ok {
			return nil
		}
		var next nextCheck
		err := unmarshal(kve, &next)
		entries[i] = entries[i].with(next)
		return err
	})
}

// Numbers returns the records of one campaign's numbers, by E.164 number.
func (l *Ledger) Numbers(ctx context.Context, campaignID string) (map[string]NumberEntry, error) {
	entries := make(map[string]NumberEntry)
	err := l.eachNumber(ctx, []string{campaignID + ".*"}, func(entry NumberEntry) { entries[entry.Number.Number] = entry })
	return entries, err
}

// AllNumbers returns the records of all numbers, in no order.
func (l *Ledger) AllNumbers(ctx context.Context) ([]Number, error) {
	var numbers []Number
	err := l.eachNumber(ctx, []string{">"}, func(entry NumberEntry) { numbers = append(numbers, entry.Number) })
	return numbers, err
}

func (l *Ledger) eachNumber(ctx context.Context, keys []string, visit func(NumberEntry)) error {
	return each(ctx, l.numbers, keys, func(kve jetstream.KeyValueEntry) error {
		entry := NumberEntry{Revision: kve.Revision()}
		if err := decode(kve, &entry.Number); err != nil {
			return err
		}
		visit(entry)
		return nil
	})
}

// PutNumber writes n over the record that was read at entry's revision, 0 if
// there was none, and returns the new entry. A record that says the same is left
// alone. When somebody else has written meanwhile nothing is changed and the
// error matches ErrChanged.
func (l *Ledger) PutNumber(ctx context.Context, entry NumberEntry, n Number) (NumberEntry, error) {
	if entry.Revision != 0 && n.same(entry.Number) {
		return entry, nil
	}
	n = n.dated(entry)
	revision, err := put(ctx, l.numbers, numberKey(n.CampaignID, n.Number), entry.Revision, n)
	if err != nil {
		return entry, fmt.Errorf("write record of number %s on campaign %s: %w", n.Number, n.CampaignID, err)
	}
	return NumberEntry{Number: n, Revision: revision}, nil
}

// Claim writes n, the intent to send a request for the number, over the record that was
// read at entry's revision. It succeeds only if that is still the record, and no other
// campaign's record of the number was written since others, the highest revision of those
// that [Ledger.RecordsOf] returned. Otherwise nothing is changed and the error matches
// [ErrChanged]. This is what keeps two processes, and two campaigns, from sending requests
// for one number at the same time: each must read the records again, and then finds the
// other's claim.
func (l *Ledger) Claim(ctx context.Context, entry NumberEntry, n Number, others uint64) (NumberEntry, error) {
	n = n.dated(entry)
	data, err := json.Marshal(n)
	if err != nil {
		return entry, err
	}
	const subjects = "$KV." + bucketNumbers + "."
	ack, err := l.js.Publish(ctx, subjects+numberKey(n.CampaignID, n.Number), data,
		jetstream.WithExpectLastSequenceForSubject(max(others, entry.Revision), subjects+numberKey("*", n.Number)))
	if err != nil {
		return entry, fmt.Errorf("claim number %s on campaign %s: %w", n.Number, n.CampaignID, changed(err))
	}
	return NumberEntry{Number: n, Revision: ack.Sequence}, nil
}

// dated returns the record as it is written over entry.
func (n Number) dated(entry NumberEntry) Number {
	n.Version = recordVersion
	if entry.Revision == 0 {
		n.Firsts.Named, n.Firsts.NamedIn, n.Firsts.NamedHash = n.Since.UTC().Round(0), n.PlanPlace, n.PlanHash
	}
	n.Firsts.note(n)
	return n
}

// DropNumber takes a number off the ledger that no plan names any more. Its
// history stays.
func (l *Ledger) DropNumber(ctx context.Context, entry NumberEntry) error {
	n := entry.Number
	err := l.numbers.Delete(ctx, numberKey(n.CampaignID, n.Number), jetstream.LastRevision(entry.Revision))
	if err != nil {
		return fmt.Errorf("drop record of number %s on campaign %s: %w", n.Number, n.CampaignID, changed(err))
	}
	return nil
}

// RecordsOf returns the records of the given numbers, in E.164 form, on whichever
// campaigns. A number may be on two while a plan moves it. Dropped has the revision of the
// latest deletion of a record of each number, for [Ledger.Claim].
func (l *Ledger) RecordsOf(ctx context.Context, numbers []string) (found []NumberEntry, dropped map[string]uint64, err error) {
	dropped = make(map[string]uint64)
	for batch := range slices.Chunk(numbers, keysPerWatch) {
		asked := make(map[string]string, len(batch)) // by digits
		keys := make([]string, len(batch))
		for i, number := range batch {
			keys[i] = numberKey("*", number)
			asked[digitsOfKey(keys[i])] = number
		}
		err := eachWrite(ctx, l.numbers, keys, func(kve jetstream.KeyValueEntry) error {
			if kve.Operation() != jetstream.KeyValuePut {
				number := asked[digitsOfKey(kve.Key())]
				dropped[number] = max(dropped[number], kve.Revision())
				return nil
			}
			entry := NumberEntry{Revision: kve.Revision()}
			if err := decode(kve, &entry.Number); err != nil {
				return err
			}
			found = append(found, entry)
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return found, dropped, nil
}

// DropCampaign takes a campaign off the ledger. Its history stays.
func (l *Ledger) DropCampaign(ctx context.Context, entry CampaignEntry) error {
	err := l.campaigns.Delete(ctx, entry.Campaign.ID, jetstream.LastRevision(entry.Revision))
	if err != nil {
		return fmt.Errorf("drop record of campaign %s: %w", entry.Campaign.ID, changed(err))
	}
	if err := l.state.Purge(ctx, entry.Campaign.ID); err != nil {
		return fmt.Errorf("drop next check of campaign %s: %w", entry.Campaign.ID, err)
	}
	return nil
}

// PutCampaign is to campaigns what [Ledger.PutNumber] is to numbers. A new time for
// the next check alone is written beside the record, whose history is not to be
// filled with it; the revision stays.
func (l *Ledger) PutCampaign(ctx context.Context, entry CampaignEntry, c Campaign) (CampaignEntry, error) {
	if entry.Revision != 0 && c.same(entry.Campaign) {
		if sameTime(c.NextAt, entry.Campaign.NextAt) {
			return entry, nil
		}
		return l.putNextCheck(ctx, entry, c.NextAt)
	}
	c.Version = recordVersion
	revision, err := put(ctx, l.campaigns, c.ID, entry.Revision, c)
	if err != nil {
		return entry, fmt.Errorf("write record of campaign %s: %w", c.ID, err)
	}
	return CampaignEntry{Campaign: c, Revision: revision}, nil
}

func (l *Ledger) putNextCheck(ctx context.Context, entry CampaignEntry, nextAt time.Time) (CampaignEntry, error) {
	id := entry.Campaign.ID
	data, err := json.Marshal(nextCheck{Revision: entry.Revision, NextAt: nextAt})
	if err != nil {
		return entry, err
	}
	if _, err := l.state.Put(ctx, id, data); err != nil {
		return entry, fmt.Errorf("write next check of campaign %s: %w", id, err)
	}
	entry.Campaign.NextAt = nextAt
	return entry, nil
}

// numberKey is <campaign id>.<digits>: a plus may not stand in a key.
func numberKey(campaignID, number string) string {
	return campaignID + "." + strings.TrimPrefix(number, "+")
}

// campaignOfKey returns the campaign of a number's key.
func campaignOfKey(key string) string {
	id, _, _ := strings.Cut(key, ".")
	return id
}

// digitsOfKey returns the digits of a number's key.
func digitsOfKey(key string) string {
	_, digits, _ := strings.Cut(key, ".")
	return digits
}

func put(ctx context.Context, bucket jetstream.KeyValue, key string, revision uint64, record any) (uint64, error) {
	data, err := json.Marshal(record)
	if err != nil {
		return 0, err
	}
	if revision == 0 {
		// Create, not Update with revision 0: the key may have been deleted.
		revision, err = bucket.Create(ctx, key, data)
	} else {
		revision, err = bucket.Update(ctx, key, data, revision)
	}
	return revision, changed(err)
}

// codeInProcess is JetStream's code for an expected revision that another write, which is
// not stored yet, is about to change
// (https://github.com/nats-io/nats-server, server/errors.json).
const codeInProcess jetstream.ErrorCode = 10164

// changed turns the errors by which JetStream refuses a stale revision into
// ErrChanged.
func changed(err error) error {
	refusal, ok := errors.AsType[*jetstream.APIError](err)
	stale := ok && (refusal.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || refusal.ErrorCode == codeInProcess)
	if stale || errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	return err
}

// readTimeout bounds reading records, lest a server that falls silent in between
// holds up the reader for ever. A hundred thousand records take about a second.
const readTimeout = 15 * time.Second

// each visits the present value of every key that matches.
func each(ctx context.Context, bucket jetstream.KeyValue, keys []string, visit func(jetstream.KeyValueEntry) error) error {
	return eachWrite(ctx, bucket, keys, visit, jetstream.IgnoreDeletes())
}

// eachWrite visits the latest write to every key that matches, deletions included.
func eachWrite(ctx context.Context, bucket jetstream.KeyValue, keys []string, visit func(jetstream.KeyValueEntry) error, options ...jetstream.WatchOpt) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	watcher, err := bucket.WatchFiltered(ctx, keys, options...)
	if err != nil {
		return fmt.Errorf("read bucket %s: %w", bucket.Bucket(), err)
	}
	defer stop(watcher)
	return drain(ctx, bucket, watcher, visit)
}

// drain visits what a watch has to begin with.
func drain(ctx context.Context, bucket jetstream.KeyValue, watcher jetstream.KeyWatcher, visit func(jetstream.KeyValueEntry) error) error {
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("read bucket %s: %w", bucket.Bucket(), ctx.Err())
		case kve, open := <-watcher.Updates():
			if !open {
				return fmt.Errorf("read bucket %s: the server hung up", bucket.Bucket())
			}
			if kve == nil { // all present values were seen
				return nil
			}
			if err := visit(kve); err != nil {
				return err
			}
		}
	}
}

// stop ends a watch. What was on its way is taken off the channel until that is
// closed: the client's goroutine, which waits to hand it over, would stay for ever.
func stop(watcher jetstream.KeyWatcher) {
	_ = watcher.Stop() // it fails only when the connection is closed, which ends it too
	for range watcher.Updates() {
	}
}

// record is a record of either kind.
type record interface {
	*Number | *Campaign
	version() int
	upgrade()
}

func (n *Number) version() int   { return n.Version }
func (c *Campaign) version() int { return c.Version }

func decode[R record](kve jetstream.KeyValueEntry, r R) error {
	err := unmarshal(kve, r)
	// The version first: a newer record may have fields of other types, which
	// leave the version readable, and is not damaged for that.
	if r.version() > recordVersion {
		return fmt.Errorf("record %s in bucket %s was written by a newer Greenlight (version %d, this one knows %d): upgrade this program",
			kve.Key(), kve.Bucket(), r.version(), recordVersion)
	}
	r.upgrade()
	return err
}

func unmarshal(kve jetstream.KeyValueEntry, record any) error {
	if err := json.Unmarshal(kve.Value(), record); err != nil {
		return fmt.Errorf("record %s in bucket %s is damaged: %w", kve.Key(), kve.Bucket(), err)
	}
	return nil
}
