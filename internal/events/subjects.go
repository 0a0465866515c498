package events

import (
	"errors"
	"fmt"
	"strings"
)

// Streams and subjects. They are written here and nowhere else.
const (
	// StreamEvents holds what Telnyx said and what wakes the assigner.
	StreamEvents = "EVENTS"
	// streamTriggers holds the assigner's triggers and their schedules;
	// StreamEvents sources the triggers from it.
	streamTriggers = "TRIGGERS"
	// StreamDeadLetters holds what nobody could handle.
	StreamDeadLetters = "DEAD_LETTERS"
	// ConsumerAssigner is the durable consumer that all assigners share.
	ConsumerAssigner = "assigner"

	subjectEvents      = "telnyx.event."
	subjectTriggers    = "assigner.trigger."
	subjectSchedules   = "assigner.schedule."
	subjectDeadLetters = "deadletter."

	// noID stands in a subject for an id that the event does not carry.
	noID = "_"
)

// ErrSubject is matched by the error for a type or an id that cannot stand in a
// subject.
var ErrSubject = errors.New("cannot stand in a subject")

// maxEventType bounds an event type: the server hangs up on a line of over 4 KiB.
// Telnyx's are under 30 characters.
const maxEventType = 255

// Kind says why a delivery woke the assigner.
type Kind string

// The kinds of deliveries.
const (
	// KindEvent is a notification that Telnyx posted.
	KindEvent Kind = "event"
	// KindResync asks for a look at every planned campaign.
	KindResync Kind = "resync"
	// KindRecheck asks for another look at one campaign, at a time that an
	// earlier look chose.
	KindRecheck Kind = "recheck"
	// KindCampaign is a person's nudge to look at one campaign.
	KindCampaign Kind = "campaign"
	// KindPlan says that a plan set was loaded.
	KindPlan Kind = "plan"
	// KindUnknown is a subject that this program does not know.
	KindUnknown Kind = "unknown"
)

// EventSubject returns the subject of an event: telnyx.event.<type>.<id>, such
// as telnyx.event.10dlc.campaign.update.751c6a5c-907b-43a9-8ada-ba1dc8335b07.
// An empty id becomes "_". A type or id that cannot stand in a subject is an
// error that matches [ErrSubject], since a dot, star or blank from outside would
// change where the message goes.
func EventSubject(eventType, id string) (string, error) {
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

// scheduleSubject returns the subject under which the schedule of a trigger is
// kept: one schedule a subject, a new one replaces the old.
func scheduleSubject(triggerSubject string) string {
	return subjectSchedules + strings.TrimPrefix(triggerSubject, subjectTriggers)
}

// parseSubject tells what a delivered subject is about. For an event,
// eventType is its type and id the campaign or brand; for a trigger id is the
// campaign or the plan's hash.
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

// isToken reports whether s may stand between two dots of a subject.
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
