package events

import (
	"errors"
	"fmt"
	"strings"
)

// Streams and subjects. No other file spells them out.
const (
	// StreamEvents holds Telnyx's events and the triggers for the assigner.
	StreamEvents = "EVENTS"
	// StreamTriggers holds the assigner's triggers and their schedules;
	// StreamEvents sources the triggers from it.
	StreamTriggers = "TRIGGERS"
	// StreamDeadLetters holds messages that could not be handled.
	StreamDeadLetters = "DEAD_LETTERS"
	// ConsumerAssigner is the durable consumer that all assigners share.
	ConsumerAssigner = "assigner"

	subjectEvents      = "telnyx.event."
	subjectTriggers    = "assigner.trigger."
	subjectSchedules   = "assigner.schedule."
	subjectDeadLetters = "deadletter."
	subjectDiscarded   = subjectDeadLetters + "discarded."

	// noID replaces an id that the event does not have in its subject.
	noID = "_"
)

// ErrSubject is matched by the error for a type or an id that does not fit in a subject.
var ErrSubject = errors.New("does not fit in a subject")

// maxEventType limits an event type: the server closes the connection on a line over 4 KiB.
// Telnyx's are under 30 characters.
const maxEventType = 255

// Kind is what a delivery to the assigner is.
type Kind string

// The kinds of deliveries.
const (
	// KindEvent is a notification that Telnyx posted.
	KindEvent Kind = "event"
	// KindResync requests a reconcile of every planned campaign.
	KindResync Kind = "resync"
	// KindRecheck requests a reconcile of one campaign, at a time that an earlier
	// reconcile chose.
	KindRecheck Kind = "recheck"
	// KindCampaign is a person's request to reconcile one campaign.
	KindCampaign Kind = "campaign"
	// KindPlan says that a plan set was loaded.
	KindPlan Kind = "plan"
	// KindUnknown is for a subject that this program does not know.
	KindUnknown Kind = "unknown"
)

// eventSubject returns the subject of an event: telnyx.event.<type>.<id>, for example
// telnyx.event.10dlc.campaign.update.751c6a5c-907b-43a9-8ada-ba1dc8335b07. An empty id
// becomes "_". The error for a type or id that does not fit matches [ErrSubject]: a dot,
// star or blank from outside would send the message elsewhere.
func eventSubject(eventType, id string) (string, error) {
	if len(eventType) > maxEventType {
		return "", fmt.Errorf("event type of %d characters %w: at most %d", len(eventType), ErrSubject, maxEventType)
	}
	for token := range strings.SplitSeq(eventType, ".") {
		if !isToken(token) {
			return "", fmt.Errorf("event type %.100q %w: use letters, digits, dash and underscore between dots", eventType, ErrSubject)
		}
	}
	if id == "" {
		id = noID
	}
	if !isToken(id) {
		return "", errID(id)
	}
	return subjectEvents + eventType + "." + id, nil
}

// TriggerSubject returns the subject of a trigger of the given kind. The id is
// empty for KindResync; otherwise it must be a campaign id or a plan's hash.
func TriggerSubject(kind Kind, id string) (string, error) {
	if kind == KindResync {
		return subjectTriggers + string(kind), nil
	}
	if !isToken(id) {
		return "", errID(id)
	}
	return subjectTriggers + string(kind) + "." + id, nil
}

func errID(id string) error {
	return fmt.Errorf("id %.100q %w: use letters, digits, dash and underscore", id, ErrSubject)
}

// scheduleSubject returns the subject of a trigger's schedule. A new schedule on the same
// subject replaces the old one.
func scheduleSubject(triggerSubject string) string {
	return subjectSchedules + strings.TrimPrefix(triggerSubject, subjectTriggers)
}

// parseSubject splits a subject. The id is the campaign or brand of an event, and the
// campaign or plan hash of a trigger.
func parseSubject(subject string) (kind Kind, eventType, id string) {
	if rest, ok := strings.CutPrefix(subject, subjectEvents); ok {
		dot := strings.LastIndexByte(rest, '.')
		if dot < 0 {
			return KindUnknown, "", ""
		}
		id = rest[dot+1:]
		if id == noID {
			id = ""
		}
		return KindEvent, rest[:dot], id
	}
	rest, ok := strings.CutPrefix(subject, subjectTriggers)
	if !ok {
		return KindUnknown, "", ""
	}
	name, id, _ := strings.Cut(rest, ".")
	switch kind := Kind(name); kind {
	case KindResync, KindRecheck, KindCampaign, KindPlan:
		return kind, "", id
	default:
		return KindUnknown, "", ""
	}
}

// isToken reports whether s fits between two dots of a subject.
func isToken(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
		default:
			return false
		}
	}
	return true
}
