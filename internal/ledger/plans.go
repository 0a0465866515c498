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

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// plansKey is where the mark of the plans is, among the next checks: neither has a
	// history, and a program that does not know the mark takes it for the check of a
	// campaign that is not there. No campaign has this id.
	plansKey = markPrefix + "plans"
	// maxFault bounds what is kept of why plan files cannot be used.
	maxFault = 2000
)

// Plans marks which plan set the assigner that works has in force. What it has checked
// so far is in the records, so that readers see whether that is the whole set.
type Plans struct {
	// Hash is that of the set.
	Hash string `json:"hash"`
	// Entries is the [DigestEntries] of the set's entries.
	Entries string `json:"entries"`
	// Fault says why the files as they are now are not in force; empty when they are.
	Fault string `json:"fault,omitempty"`
}

// DigestEntries returns a digest of the hashes of entries by their campaigns' ids. A
// set's digest equals that of the planned records when each campaign was checked under its
// present entry, including those that left the plan.
func DigestEntries(hashes map[string]string) string {
	sum := sha256.New()
	for _, id := range slices.Sorted(maps.Keys(hashes)) {
		fmt.Fprintf(sum, "%s %s\n", id, hashes[id])
	}
	return hex.EncodeToString(sum.Sum(nil)[:12])
}

// Checked returns the [DigestEntries] of what was checked: of the records of planned
// campaigns.
func Checked(entries []CampaignEntry) string {
	hashes := make(map[string]string, len(entries))
	for _, entry := range entries {
		if entry.Campaign.Planned {
			hashes[entry.Campaign.ID] = entry.Campaign.EntryHash
		}
	}
	return DigestEntries(hashes)
}

// Plans returns the mark; ok is false when no assigner that knows it ever ran.
func (l *Ledger) Plans(ctx context.Context) (mark Plans, ok bool, err error) {
	kve, err := l.state.Get(ctx, plansKey)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Plans{}, false, nil
	}
	if err != nil {
		return Plans{}, false, fmt.Errorf("read which plan set is in force: %w", err)
	}
	if err := unmarshal(kve, &mark); err != nil {
		return Plans{}, false, err
	}
	return mark, true, nil
}

// PutPlans writes the mark. Only the assigner that works should.
func (l *Ledger) PutPlans(ctx context.Context, mark Plans) error {
	mark.Fault = strings.ToValidUTF8(mark.Fault[:min(len(mark.Fault), maxFault)], "")
	data, err := json.Marshal(mark)
	if err != nil {
		return err
	}
	if _, err := l.state.Put(ctx, plansKey, data); err != nil {
		return fmt.Errorf("write which plan set is in force: %w", err)
	}
	return nil
}
