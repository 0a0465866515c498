package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	// plansKey is the key of [Plans] in the state bucket. An older program takes it for
	// the next check of a campaign that does not exist. No campaign has this id.
	plansKey = "_plans"
	// maxFault bounds [Plans.Fault], in bytes.
	maxFault = 2000
)

// Plans is the plan set that the active assigner has in force. The records say what it has
// reconciled so far, so readers can tell whether that is the whole set.
type Plans struct {
	// Hash is the hash of the set.
	Hash string `json:"hash"`
	// Entries is the [DigestEntries] of the set's entries.
	Entries string `json:"entries"`
	// Fault says why the current plan files are not in force. It is empty if they are.
	Fault string `json:"fault,omitempty"`
	// LoadedAt is when the set came into force. [Ledger.PutPlans] sets it. It is zero in a
	// record of an earlier version.
	LoadedAt time.Time `json:"loaded_at,omitzero"`
	// Revision is that of the key, 0 unless it was read.
	Revision uint64 `json:"-"`
}

// DigestEntries returns a digest of entry hashes by campaign id. A set's digest equals
// that of the planned records once every campaign was reconciled with its current entry,
// and campaigns that left the plan are no longer marked as planned.
func DigestEntries(hashes map[string]string) string {
	sum := sha256.New()
	for _, id := range slices.Sorted(maps.Keys(hashes)) {
		fmt.Fprintf(sum, "%s %s\n", id, hashes[id])
	}
	return hex.EncodeToString(sum.Sum(nil)[:12])
}

// Checked returns the [DigestEntries] of the planned campaigns' records.
func Checked(entries []CampaignEntry) string {
	hashes := make(map[string]string, len(entries))
	for _, entry := range entries {
		if entry.Campaign.Planned {
			hashes[entry.Campaign.ID] = entry.Campaign.EntryHash
		}
	}
	return DigestEntries(hashes)
}

// Plans returns the plan set in force. Ok is false if no assigner has stored one.
func (l *Ledger) Plans(ctx context.Context) (plans Plans, ok bool, err error) {
	kve, err := l.state.Get(ctx, plansKey)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Plans{}, false, nil
	}
	if err != nil {
		return Plans{}, false, fmt.Errorf("read the plan set in force: %w", err)
	}
	if err := unmarshal(kve, &plans); err != nil {
		return Plans{}, false, err
	}
	plans.Revision = kve.Revision()
	return plans, true, nil
}

// PutPlans stores the plan set in force. Only the active assigner should call it. LoadedAt
// is kept while the set is the same.
func (l *Ledger) PutPlans(ctx context.Context, plans Plans) error {
	before, known, err := l.Plans(ctx)
	if err != nil {
		return err
	}
	switch {
	case known && before.Hash == plans.Hash:
		plans.LoadedAt = before.LoadedAt
	case plans.Hash != "":
		plans.LoadedAt = time.Now().UTC()
	}
	plans.Fault = plans.shortFault()
	data, err := json.Marshal(plans)
	if err != nil {
		return err
	}
	if _, err := l.state.Put(ctx, plansKey, data); err != nil {
		return fmt.Errorf("write the plan set in force: %w", err)
	}
	return nil
}

// ReplacePlans is [Ledger.PutPlans] over what was read. If another was stored meanwhile, it
// writes nothing and the error matches [ErrChanged].
func (l *Ledger) ReplacePlans(ctx context.Context, plans Plans) error {
	plans.Fault = plans.shortFault()
	if _, err := put(ctx, l.state, plansKey, plans.Revision, plans); err != nil {
		return fmt.Errorf("write the plan set in force: %w", err)
	}
	return nil
}

func (p Plans) shortFault() string {
	return strings.ToValidUTF8(p.Fault[:min(len(p.Fault), maxFault)], "")
}
