package plan

import (
	"cmp"
	"slices"
	"strings"

	"greenlight/internal/telnyx"
)

// Action is what one number needs. The words are fixed: they are stored in records
// and printed as JSON.
type Action string

// The actions. Attach and Move ask for a write, the others forbid it.
const (
	// Attach: the number is on no campaign; put it on this one.
	Attach Action = "attach"
	// Done: the number is on this campaign.
	Done Action = "done"
	// Wait: the number is being assigned to this campaign; check again later.
	Wait Action = "wait"
	// WaitToAttach: the number is leaving a campaign; check again later, and attach
	// it once it has left.
	WaitToAttach Action = "wait_to_attach"
	// Move: the number is on a campaign that the plan lists under move_from; put it
	// on this one instead.
	Move Action = "move"
	// WaitToMove: the number is being assigned to a campaign listed under move_from;
	// check again later, and move it once that is done.
	WaitToMove Action = "wait_to_move"
	// Conflict: the number is on another campaign and stays there.
	Conflict Action = "conflict"
	// Extra: the number is on this campaign but not in the plan. It is reported and
	// never changed.
	Extra Action = "extra"
	// Remove: the number is extra, and is to be removed because its entry attached it and
	// has prune: true. Only the ledger knows that, so [Diff] never returns it.
	Remove Action = "remove"
)

// Sign returns the character that lists show for the action: + for attaching, > for
// moving, = for done, ~ for waiting, ! for a conflict and ? for an extra number.
func (a Action) Sign() string {
	switch a {
	case Attach:
		return "+"
	case Move:
		return ">"
	case Done:
		return "="
	case Wait, WaitToMove, WaitToAttach:
		return "~"
	case Conflict:
		return "!"
	case Extra:
		return "?"
	case Remove:
		return "-"
	}
	return " "
}

// Change is the decision about one number.
type Change struct {
	// Number is canonical, except for an extra number that is not a US long code:
	// that one is spelled as Telnyx returned it.
	Number E164   `json:"number"`
	Action Action `json:"action"`
	// Record is a copy of the record that decided, nil if the number has none. Its
	// status is a published one; see [Diff] for unpublished statuses.
	Record *telnyx.Assignment `json:"record,omitempty"`
}

// Changes are the decisions about the numbers of one campaign, sorted by number.
type Changes []Change

// Diff compares what a plan wants on a campaign with Telnyx's records. It returns a
// decision for each planned number and for each extra one, sorted by number. It is
// pure: the order of the records does not matter, and its arguments are not changed.
//
// The campaign is the one read from Telnyx, with both its ids, since records may name
// it by either. Records may be of any campaign and any number, but all records of the
// planned numbers should be included: a number without a record counts as free.
//
//	record                                  this campaign   one of move_from  another campaign
//	none                                    attach          attach            attach
//	FAILED_ASSIGNMENT                       attach          attach            attach
//	ASSIGNED, FAILED_UNASSIGNMENT           done            move              conflict
//	PENDING_ASSIGNMENT                      wait            wait to move      conflict
//	PENDING_UNASSIGNMENT                    wait to attach  wait to attach    wait to attach
//	no status, or an unknown one            wait            conflict          conflict
//
// The statuses are those of Telnyx's phone number campaigns, see
// https://developers.telnyx.com/docs/messaging/10dlc/phone-number-assignment and
// https://github.com/team-telnyx/openapi.
//
// On this campaign an unpublished status is interpreted by the words in it, because
// waiting for it to change could take forever: UNASSIGN means PENDING_UNASSIGNMENT,
// FAIL means FAILED_ASSIGNMENT, and both mean FAILED_UNASSIGNMENT. The record of the
// change then has that status.
//
// A record is on one of move_from if any of its campaign ids is listed there, and it
// is not on this campaign. A number that is still being assigned to such a campaign
// is not moved until that is done: otherwise two writes for one number would be in
// flight, and it is not documented which of them wins.
//
// A number that is not in the plan is extra if it has a record on this campaign other
// than FAILED_ASSIGNMENT; otherwise it is left out.
//
// Telnyx keeps failed records in its lists beside the live one, so a number may have
// several. The most restrictive record decides, in the order conflict, wait to attach,
// wait to move, wait, done, move, attach: no write is made that any record forbids.
func Diff(want Campaign, on telnyx.Campaign, records []telnyx.Assignment) Changes {
	records = slices.Clone(records) // the changes point into it
	for i := range records {
		if records[i].On(on) {
			records[i].AssignmentStatus = publishedStatus(records[i].AssignmentStatus)
		}
	}
	byNumber := byNumber(records)
	here := place{on: on, moveFrom: want.MoveFrom}
	changes := make(Changes, 0, len(want.Numbers))
	planned := make(map[E164]bool, len(want.Numbers))
	for _, n := range want.Numbers {
		planned[n] = true
		changes = append(changes, decide(n, here, byNumber[n]))
	}
	for n, records := range byNumber {
		if records = attachedTo(here, records); len(records) > 0 && !planned[n] {
			changes = append(changes, Change{Number: n, Action: Extra, Record: strictest(here, records)})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return cmp.Compare(a.Number, b.Number) })
	return changes
}

// publishedStatus returns the published status for an unpublished word, or the word
// itself.
func publishedStatus(word telnyx.AssignmentStatus) telnyx.AssignmentStatus {
	switch word {
	case telnyx.PendingAssignment, telnyx.Assigned, telnyx.FailedAssignment, telnyx.PendingUnassignment, telnyx.FailedUnassignment:
		return word
	}
	failed, unassigned := strings.Contains(string(word), "FAIL"), strings.Contains(string(word), "UNASSIGN")
	switch {
	case failed && unassigned:
		return telnyx.FailedUnassignment
	case failed:
		return telnyx.FailedAssignment
	case unassigned:
		return telnyx.PendingUnassignment
	}
	return word
}

// byNumber groups records by number. A number that is not a US long code keeps
// Telnyx's spelling and so matches no planned number. Records without a number are
// left out.
func byNumber(records []telnyx.Assignment) map[E164][]*telnyx.Assignment {
	groups := map[E164][]*telnyx.Assignment{}
	for i := range records {
		record := &records[i]
		if record.PhoneNumber == "" {
			continue
		}
		n, err := ParseE164(record.PhoneNumber)
		if err != nil {
			n = E164(record.PhoneNumber)
		}
		groups[n] = append(groups[n], record)
	}
	return groups
}

// decide returns the decision about a planned number with the given records.
func decide(n E164, here place, records []*telnyx.Assignment) Change {
	if len(records) == 0 {
		return Change{Number: n, Action: Attach}
	}
	record := strictest(here, records)
	return Change{Number: n, Action: here.action(record), Record: record}
}

// attachedTo returns the records that hold a number on the campaign.
func attachedTo(here place, records []*telnyx.Assignment) []*telnyx.Assignment {
	return slices.DeleteFunc(records, func(record *telnyx.Assignment) bool {
		return !record.On(here.on) || here.action(record) == Attach
	})
}

// place is the campaign that records are compared with, and the campaigns that its
// numbers may be taken from.
type place struct {
	on       telnyx.Campaign
	moveFrom []string
}

// action is the table in the comment of [Diff], for one record.
func (p place) action(record *telnyx.Assignment) Action {
	switch record.AssignmentStatus {
	case telnyx.FailedAssignment:
		return Attach
	case telnyx.PendingUnassignment:
		return WaitToAttach
	}
	settled := record.AssignmentStatus == telnyx.Assigned || record.AssignmentStatus == telnyx.FailedUnassignment
	switch here, movable := record.On(p.on), p.movable(record); {
	case here && settled:
		return Done
	case here:
		return Wait
	case movable && settled:
		return Move
	case movable && record.AssignmentStatus == telnyx.PendingAssignment:
		return WaitToMove
	}
	return Conflict
}

// movable reports whether the plan lists the record's campaign under move_from, by
// any of its ids.
func (p place) movable(record *telnyx.Assignment) bool {
	return slices.ContainsFunc(p.moveFrom, func(id string) bool {
		return id != "" && (strings.EqualFold(id, record.CampaignID) || strings.EqualFold(id, string(record.TelnyxCampaignID)) || strings.EqualFold(id, string(record.TCRCampaignID)))
	})
}

// caution ranks the actions by how much they forbid.
var caution = map[Action]int{Attach: 0, Move: 1, Done: 2, Wait: 3, WaitToMove: 4, WaitToAttach: 5, Conflict: 6}

// rank orders records by caution; of two with the same action the one on this
// campaign is higher.
func (p place) rank(record *telnyx.Assignment) int {
	rank := 2 * caution[p.action(record)]
	if record.On(p.on) {
		rank++
	}
	return rank
}

// strictest returns the record that decides. Among records of the same rank it is the
// newest; the other keys only make the choice independent of the order of a list.
func strictest(here place, records []*telnyx.Assignment) *telnyx.Assignment {
	return slices.MaxFunc(records, func(a, b *telnyx.Assignment) int {
		return cmp.Or(
			cmp.Compare(here.rank(a), here.rank(b)),
			a.UpdatedAt.Compare(b.UpdatedAt.Time),
			cmp.Compare(a.CampaignID, b.CampaignID),
			cmp.Compare(a.AssignmentStatus, b.AssignmentStatus),
		)
	})
}
