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

	// The history of a key is a timeline, so it has room for what matters: for a number,
	// two changes for each try until it is stuck; for a campaign, a review with a few
	// rejections.
	historyCampaigns = 32
	// The state bucket needs no history.
	historyState = 1
	// maxRecord is far above the size of a record, about 500 bytes. Telnyx's texts are cut
	// before they get into one.
	maxRecord = 16 << 10
	// maxHold bounds a record of the state bucket. A hold of about 1,500 single campaigns fits.
	maxHold = 512 << 10
	// keysPerWatch is how many keys one watch reads; each is a subject in its request.
	keysPerWatch = 100
)

// WriteProbe is a subject of the ledger that no record uses. It serves to check the
// permission to write to the ledger.
const WriteProbe = "$KV." + bucketNumbers + "._.doctor"

// ErrChanged means that the record was changed after it was read. Read it again and
// repeat the decision.
var ErrChanged = errors.New("record changed since it was read")

// Ledger reads and writes the records. Safe for concurrent use.
type Ledger struct {
	js        jetstream.JetStream
	campaigns jetstream.KeyValue
	numbers   jetstream.KeyValue
	// state has the hold, the plans in force, and the next checks of campaigns whose
	// records have not changed otherwise.
	state jetstream.KeyValue
}

// nextCheck is the time of a campaign's next check, as decided after its record was written.
type nextCheck struct {
	// Revision is that of the record. If the record has another one, this is out of date.
	Revision uint64    `json:"revision"`
	NextAt   time.Time `json:"next_at"`
}

// Create opens the ledger and creates missing buckets. Replicas is 1 for one server and 3
// for a cluster; 0 means 1.
func Create(ctx context.Context, js jetstream.JetStream, replicas int) (*Ledger, error) {
	l := Ledger{js: js}
	var err error
	for i, bucket := range []*jetstream.KeyValue{&l.campaigns, &l.numbers, &l.state} {
		if *bucket, err = createBucket(ctx, js, Buckets()[i], Settings()[i], replicas); err != nil {
			return nil, err
		}
	}
	return &l, nil
}

// Settings returns the settings of the buckets' streams, in the order of [Buckets]: those
// that nats.go gives a bucket (jetstream/kv.go, prepareKeyValueConfig).
func Settings() []jetstream.StreamConfig {
	return []jetstream.StreamConfig{
		bucketSettings(bucketCampaigns, historyCampaigns, maxRecord),
		bucketSettings(bucketNumbers, HistoryOfNumber, maxRecord),
		bucketSettings(bucketState, historyState, maxHold),
	}
}

func bucketSettings(bucket string, history int64, maxSize int32) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              "KV_" + bucket,
		Description:       "Greenlight's ledger",
		Subjects:          []string{"$KV." + bucket + ".>"},
		Storage:           jetstream.FileStorage,
		Discard:           jetstream.DiscardNew,
		MaxMsgsPerSubject: history,
		MaxMsgSize:        maxSize,
		Duplicates:        2 * time.Minute,
		AllowRollup:       true,
		DenyDelete:        true,
		AllowDirect:       true,
	}
}

// Open opens the ledger without creating anything. If no assigner ever ran, or a bucket was
// lost, the error matches [jetstream.ErrBucketNotFound].
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

func createBucket(ctx context.Context, js jetstream.JetStream, name string, settings jetstream.StreamConfig, replicas int) (jetstream.KeyValue, error) {
	kept, err := events.Layout(ctx, js, settings.Name, replicas)
	if err != nil {
		return nil, err
	}
	settings.Replicas, settings.Metadata = kept.Replicas, kept.Metadata
	if _, err := js.CreateOrUpdateStream(ctx, settings); err != nil {
		return nil, fmt.Errorf("create bucket %s: %w", name, err)
	}
	bucket, err := js.KeyValue(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", name, err)
	}
	return bucket, nil
}

// NumberEntry is a number's record and its revision when it was read.
type NumberEntry struct {
	Number   Number
	Revision uint64
}

// CampaignEntry is a campaign's record and its revision when it was read.
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

// with returns the entry with the next check, if that belongs to this revision.
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

// PutNumber replaces the record that was read as entry, whose revision is 0 if there was
// none, and returns the new entry. It does not rewrite a record whose content is the same.
// If the record was changed meanwhile, it writes nothing and the error matches ErrChanged.
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
// other's claim. With several replicas, another kind of write that is not stored yet may
// go unseen; two claims never do (nats-server, checkMsgHeadersPreClusteredProposal).
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

// DropNumber removes a number that no plan names any more. Its history is kept.
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

// DropCampaign removes a campaign. Its history is kept.
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

// PutCampaign does for campaigns what [Ledger.PutNumber] does for numbers. If only the time
// of the next check is new, it is stored outside the record, so that it does not fill the
// record's history. The revision stays the same.
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

// numberKey returns <campaign id>.<digits>. Keys cannot contain a plus sign.
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
		// Create works on a deleted key too; Update with revision 0 does not.
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

// changed wraps JetStream's errors for a stale revision in ErrChanged.
func changed(err error) error {
	refusal, ok := errors.AsType[*jetstream.APIError](err)
	stale := ok && (refusal.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || refusal.ErrorCode == codeInProcess)
	if stale || errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	return err
}

// readTimeout bounds a read of many records, in case the server stops answering halfway.
// A hundred thousand records take about a second.
const readTimeout = 15 * time.Second

// each visits the current value of every matching key.
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

// drain visits the entries that a watch starts with.
func drain(ctx context.Context, bucket jetstream.KeyValue, watcher jetstream.KeyWatcher, visit func(jetstream.KeyValueEntry) error) error {
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("read bucket %s: %w", bucket.Bucket(), ctx.Err())
		case kve, open := <-watcher.Updates():
			if !open {
				return fmt.Errorf("read bucket %s: the NATS server ended the read", bucket.Bucket())
			}
			if kve == nil { // all current values were visited
				return nil
			}
			if err := visit(kve); err != nil {
				return err
			}
		}
	}
}

// stop ends a watch and empties its channel. Otherwise the client's goroutine would block
// forever on sending the next entry.
func stop(watcher jetstream.KeyWatcher) {
	_ = watcher.Stop() // it fails only on a closed connection, which ends the watch too
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
	// The version comes first: fields of a newer record may have other types, which is not
	// damage. The version is readable all the same.
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
