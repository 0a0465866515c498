package plan

import (
	"cmp"
	"slices"
	"strings"

	"greenlight/internal/telnyx"
)

// Action is what is to be done about one number. The words are fixed: they go
// into records and JSON.
type Action string

// The actions. Attach and Move ask for a write, the others forbid it.
const (
	// Attach: the number is on no campaign; put it on this one.
	Attach Action = "attach"
	// Done: the number is on this campaign.
	Done Action = "done"
	// Wait: the number is on its way to this campaign; check again later.
	Wait Action = "wait"
	// WaitToAttach: the number is leaving a campaign; check again later, and
	// attach it when it has left.
	WaitToAttach Action = "wait_to_attach"
	// Move: the number is on another campaign, and the plan says under move_from
	// that it may be taken from that one; put it on this one instead.
	Move Action = "move"
	// WaitToMove: the number is on its way to a campaign named under move_from;
	// check again later, and move it when it has arrived.
	WaitToMove Action = "wait_to_move"
	// Conflict: the number is on another campaign, and is left there.
	Conflict Action = "conflict"
	// Extra: the number is on this campaign and no plan says so. It is reported
	// and never touched.
	Extra Action = "extra"
)

// Change is the decision about one number.
type Change struct {
	// Number is canonical, but for an extra number that is no US long code: that
	// one is spelled as Telnyx gave it.
	Number E164   `json:"number"`
	Action Action `json:"action"`
	// Record is a copy of the record that decided, nil when the number has none. Its
	// status is a published one where [Diff] reads an unpublished word as that.
	Record *telnyx.Assignment `json:"record,omitempty"`
}

// Diff compares what a plan wants on a campaign with the records that Telnyx has,
// and returns a decision for each planned number and for each extra one, sorted by
// number. It is pure: the order of the records does not matter, and nothing that
// it is given is changed.
//
// The campaign is the one as read from Telnyx, with both its ids, since records
// may name it by either. Records may be of any campaign and any number. All that
// concern the planned numbers should be there: a number without a record is taken
// to be free.
//
//	record                                  this campaign   one of move_from  another campaign
//	none                                    attach          attach            attach
//	FAILED_ASSIGNMENT                       attach          attach            attach
//	ASSIGNED, FAILED_UNASSIGNMENT           done            move              conflict
//	PENDING_ASSIGNMENT                      wait            wait to move      conflict
//	PENDING_UNASSIGNMENT                    wait to attach  wait to attach    wait to attach
//	no status, or one that we do not know   wait            conflict          conflict
//
// On this campaign a status that Telnyx does not publish is read by the words in it, since
// waiting for it to change could last for ever: one with UNASSIGN is taken for
// PENDING_UNASSIGNMENT, one with FAIL for FAILED_ASSIGNMENT, and one with both for
// FAILED_UNASSIGNMENT. The record of the change then has that status.
//
// A record is on one of move_from if that is any of the ids that it names its
// campaign by, and it is not on this campaign. A number that is still on its way
// to such a campaign is not moved before it has arrived: two orders for one number
// would be under way at once, and nobody documents which of them lasts.
//
// A number that the plan does not name is extra if it has a record on this
// campaign other than FAILED_ASSIGNMENT, and no matter of ours if not.
//
// Telnyx keeps failed records in its lists beside the live one, so a number may
// have several. The one that forbids most decides, in the order conflict, wait to
// attach, wait to move, wait, done, move, attach: no write is made that any record
// speaks against.
func Diff(want Campaign, on telnyx.Campaign, records []telnyx.Assignment) Changes {
	records = slices.Clone(records) // for the changes to point into
	for i := range records {
		if records[i].On(on) {
			records[i].AssignmentStatus = publishedStatus(records[i].AssignmentStatus)
		}
	}
	rows := byNumber(records)
	here := place{on: on, moveFrom: want.MoveFrom}
	changes := make(Changes, 0, len(want.Numbers))
	planned := make(map[E164]bool, len(want.Numbers))
	for _, n := range want.Numbers {
		planned[n] = true
		changes = append(changes, decide(n, here, rows[n]))
	}
	for n, rows := range rows {
		if planned[n] {
			continue
		}
		if rows = attachedTo(here, rows); len(rows) > 0 {
			changes = append(changes, Change{Number: n, Action: Extra, Record: strictest(here, rows)})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return cmp.Compare(a.Number, b.Number) })
	return changes
}

// publishedStatus returns the published status that an unpublished word is read as, or
// the word itself.
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

// row is a record and the number that it is about.
type row struct {
	number E164
	record *telnyx.Assignment
}

// byNumber groups records by number. A number that is no US long code keeps the
// spelling that Telnyx gave it, and so meets no planned one; a record without a
// number says nothing.
func byNumber(records []telnyx.Assignment) map[E164][]row {
	rows := make([]row, 0, len(records))
	for i := range records {
		record := &records[i]
		if record.PhoneNumber == "" {
			continue
		}
		n, err := ParseE164(record.PhoneNumber)
		if err != nil {
			n = E164(record.PhoneNumber)
		}
		rows = append(rows, row{n, record})
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.number, b.number) })
	groups := make(map[E164][]row, len(rows))
	for begin, end := 0, 0; begin < len(rows); begin = end {
		for end < len(rows) && rows[end].number == rows[begin].number {
			end++
		}
		groups[rows[begin].number] = rows[begin:end]
	}
	return groups
}

// decide returns the decision about a planned number with the given records.
func decide(n E164, here place, rows []row) Change {
	if len(rows) == 0 {
		return Change{Number: n, Action: Attach}
	}
	record := strictest(here, rows)
	return Change{Number: n, Action: here.judge(record), Record: record}
}

// attachedTo returns the records that hold a number on the campaign.
func attachedTo(here place, rows []row) []row {
	var held []row
	for _, r := range rows {
		if r.record.On(here.on) && here.judge(r.record) != Attach {
			held = append(held, r)
		}
	}
	return held
}

// place is what a record is judged by: the campaign, and those that its numbers
// may leave.
type place struct {
	on       telnyx.Campaign
	moveFrom []string
}

// judge is the table in the comment of [Diff], one record at a time.
func (p place) judge(record *telnyx.Assignment) Action {
	switch record.AssignmentStatus {
	case telnyx.FailedAssignment:
		return Attach
	case telnyx.PendingUnassignment:
		return WaitToAttach
	}
	settled := record.AssignmentStatus == telnyx.Assigned || record.AssignmentStatus == telnyx.FailedUnassignment
	switch here, named := record.On(p.on), p.mayLeave(record); {
	case here && settled:
		return Done
	case here:
		return Wait
	case named && settled:
		return Move
	case named && record.AssignmentStatus == telnyx.PendingAssignment:
		return WaitToMove
	}
	return Conflict
}

// mayLeave reports whether the plan names the record's campaign under move_from,
// by any of its ids.
func (p place) mayLeave(record *telnyx.Assignment) bool {
	return slices.ContainsFunc(p.moveFrom, func(id string) bool {
		return id != "" && (strings.EqualFold(id, record.CampaignID) || strings.EqualFold(id, string(record.TelnyxCampaignID)) || strings.EqualFold(id, string(record.TCRCampaignID)))
	})
}

// caution ranks the actions by how much they forbid.
var caution = map[Action]int{Attach: 0, Move: 1, Done: 2, Wait: 3, WaitToMove: 4, WaitToAttach: 5, Conflict: 6}

// strictest returns the record that decides. Among those that forbid the same,
// one on this campaign says more, then a newer one; the rest only keeps the
// choice from depending on the order of a list.
func strictest(here place, rows []row) *telnyx.Assignment {
	if len(rows) == 1 {
		return rows[0].record
	}
	return slices.MaxFunc(rows, func(x, y row) int {
		a, b := x.record, y.record
		return cmp.Or(
			cmp.Compare(caution[here.judge(a)], caution[here.judge(b)]),
			compareBool(a.On(here.on), b.On(here.on)),
			a.UpdatedAt.Compare(b.UpdatedAt.Time),
			cmp.Compare(a.CampaignID, b.CampaignID),
			cmp.Compare(a.AssignmentStatus, b.AssignmentStatus),
		)
	}).record
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
