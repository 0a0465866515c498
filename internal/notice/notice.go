package notice

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/ledger"
)

// Kind is what a notice is about, and the last token of its subject.
type Kind string

// The kinds of notices.
const (
	// Completed: every planned number is attached.
	Completed Kind = "completed"
	// Partial: some numbers are attached, and each of the others needs a person.
	Partial Kind = "partial"
	// NeedsPerson: a person should act while other numbers are still in progress.
	NeedsPerson Kind = "needs_person"
	// Stuck: something takes far too long.
	Stuck Kind = "stuck"
	// ExpiresSoon: a campaign ends within 30 days and is not renewed.
	ExpiresSoon Kind = "expires_soon"
)

// Kinds lists all kinds.
func Kinds() []Kind { return []Kind{Completed, Partial, NeedsPerson, Stuck, ExpiresSoon} }

const (
	// Stream is the stream of notices.
	Stream   = "NOTICES"
	subjects = "greenlight.notice."

	// maxAge outlasts a holiday.
	maxAge = 30 * 24 * time.Hour
	// maxBytes is room for about 10,000 notices; the oldest are dropped first.
	maxBytes = 16 << 20
	// dedupe is how long a notice with the same key is stored only once. An assigner that
	// crashed between publishing it and recording that is running again by then.
	dedupe = 24 * time.Hour
	// storeTimeout limits storing a notice, since an assigner waits for it.
	storeTimeout = 2 * time.Second
)

// Notice is one message. Its JSON form is the body in the stream.
type Notice struct {
	Kind Kind `json:"kind"`
	// Text is the message for people: what happened, to which campaign, and what to do.
	Text string `json:"text"`
	// Plan and CampaignID name the campaign; empty when the notice is about the account.
	Plan       string `json:"plan,omitempty"`
	CampaignID string `json:"campaign_id,omitempty"`
	// Counts has the number of planned numbers in each state.
	Counts map[ledger.State]int `json:"counts,omitempty"`
	// Reasons are those of the numbers or of the campaign, sorted.
	Reasons []ledger.Reason `json:"reasons,omitempty"`
	At      time.Time       `json:"at"`
}

// Publisher stores notices. Safe for concurrent use.
type Publisher struct{ js jetstream.JetStream }

// NewPublisher creates the stream if it does not exist, with the given number of copies.
func NewPublisher(ctx context.Context, js jetstream.JetStream, replicas int) (*Publisher, error) {
	kept, err := events.Layout(ctx, js, Stream, replicas)
	if err != nil {
		return nil, err
	}
	settings := Settings()
	settings.Replicas, settings.Metadata = kept.Replicas, kept.Metadata
	if _, err = js.CreateOrUpdateStream(ctx, settings); err != nil {
		return nil, fmt.Errorf("create stream %s: %w", Stream, err)
	}
	return &Publisher{js: js}, nil
}

// Settings returns the settings of the stream.
func Settings() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        Stream,
		Description: "Notices for people",
		Subjects:    []string{subjects + ">", receipts + "*"},
		Storage:     jetstream.FileStorage,
		Retention:   jetstream.LimitsPolicy,
		// The assigner must not wait for room.
		Discard:     jetstream.DiscardOld,
		MaxAge:      maxAge,
		MaxBytes:    maxBytes,
		Duplicates:  dedupe,
		AllowDirect: true,
	}
}

// Publish stores a notice, unless one with the same key was stored before, and reports
// whether it did.
func (p *Publisher) Publish(ctx context.Context, n Notice, key string) (stored bool, err error) {
	body, err := json.Marshal(n)
	if err != nil {
		return false, fmt.Errorf("encode notice: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	digest := sha256.Sum256([]byte(key)) // a key can contain characters that a header cannot
	msg := &nats.Msg{Subject: subjects + string(n.Kind), Data: body}
	ack, err := p.js.PublishMsg(ctx, msg, jetstream.WithExpectStream(Stream), jetstream.WithMsgID(hex.EncodeToString(digest[:16])))
	if err != nil {
		return false, fmt.Errorf("store notice on %s: %w", msg.Subject, err)
	}
	return !ack.Duplicate, nil
}
