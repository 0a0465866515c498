package plan

import (
	"cmp"
	"slices"

	"greenlight/internal/telnyx"
)

// Action is what is to be done about one number. The words are fixed: they go
// into records and JSON.
type Action string

// The actions, from the one that asks for a write to those that forbid it.
const (
	// Attach: the number is on no campaign; put it on this one.
	Attach Action = "attach"
	// Done: the number is on this campaign.
	Done Action = "done"
	// Wait: the number is on its way to this campaign; look again later.
	Wait Action = "wait"
	// WaitToAttach: the number is leaving a campaign; look again later, and
	// attach it when it has left.
	WaitToAttach Action = "wait_to_attach"
	// Conflict: the number is on another campaign, and is left there.
	Conflict Action = "conflict"
	// Extra: the number is on this campaign and no plan says so. It is reported
	// and never touched.
	Extra Action = "extra"
)

// Change is the verdict on one number.
type Change struct {
	// Number is canonical, but for an extra number that is no US long code: that
	// one is spelled as Telnyx told it.
	Number E164   `json:"number"`
	Action Action `json:"action"`
	// Record is a copy of the record that decided, nil when the number has none.
	Record *telnyx.Assignment `json:"record,omitempty"`
}

// Diff compares what a plan wants on a campaign with the records that Telnyx has,
// and returns a verdict for each planned number and for each extra one, sorted by
// number. It is pure: the order of the records does not matter, and nothing that
// it is given is changed.
//
// The campaign is the one as read from Telnyx, with both its ids, since records
// may name it by either. Records may be of any campaign and any number. All that
// concern the planned numbers should be there: a number without a record is taken
// to be free.
//
//	record                                  this campaign   another campaign
//	none                                    attach          attach
//	FAILED_ASSIGNMENT                       attach          attach
//	ASSIGNED, FAILED_UNASSIGNMENT           done            conflict
//	PENDING_ASSIGNMENT                      wait            conflict
//	PENDING_UNASSIGNMENT                    wait to attach  wait to attach
//	no status, or one that we do not know   wait            conflict
//
// A number that the plan does not name is extra if it has a record on this
// campaign other than FAILED_ASSIGNMENT, and no matter of ours if not.
//
// Telnyx keeps failed records in its lists beside the live one, so a number may
// have several. The one that forbids most decides, in the order conflict, wait to
// attach, wait, done, attach: no write is made that any record speaks against.
func Diff(want Campaign, on telnyx.Campaign, records []telnyx.Assignment) Changes {
	rows := byNumber(records)
	changes := make(Changes, 0, len(want.Numbers))
	planned := make(map[E164]bool, len(want.Numbers))
	for _, n := range want.Numbers {
		planned[n] = true
		changes = append(changes, decide(n, on, rows[n]))
	}
	for n, rows := range rows {
		rows = attachedTo(on, rows)
		if !planned[n] && len(rows) > 0 {
			changes = append(changes, Change{Number: n, Action: Extra, Record: strictest(on, rows)})
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return cmp.Compare(a.Number, b.Number) })
	return changes
}

// byNumber groups records by number. A number that is no US long code keeps the
// spelling that Telnyx gave it, and so meets no planned one; a record without a
// number says nothing.
func byNumber(records []telnyx.Assignment) map[E164][]telnyx.Assignment {
	rows := make(map[E164][]telnyx.Assignment, len(records))
	for _, record := range records {
		if record.PhoneNumber == "" {
			continue
		}
		n, err := ParseE164(record.PhoneNumber)
		if err != nil {
			n = E164(record.PhoneNumber)
		}
		rows[n] = append(rows[n], record)
	}
	return rows
}

// decide returns the verdict on a planned number with the given records.
func decide(n E164, on telnyx.Campaign, rows []telnyx.Assignment) Change {
	if len(rows) == 0 {
		return Change{Number: n, Action: Attach}
	}
	record := strictest(on, rows)
	return Change{Number: n, Action: judge(on, *record), Record: record}
}

// attachedTo returns the records that hold a number on the campaign.
func attachedTo(on telnyx.Campaign, rows []telnyx.Assignment) []telnyx.Assignment {
	var held []telnyx.Assignment
	for _, record := range rows {
		if record.On(on) && judge(on, record) != Attach {
			held = append(held, record)
		}
	}
	return held
}

// judge is the table in the comment of [Diff], one record at a time.
func judge(on telnyx.Campaign, record telnyx.Assignment) Action {
	switch record.AssignmentStatus {
	case telnyx.FailedAssignment:
		return Attach
	case telnyx.PendingUnassignment:
		return WaitToAttach
	}
	if !record.On(on) {
		return Conflict
	}
	switch record.AssignmentStatus {
	case telnyx.Assigned, telnyx.FailedUnassignment:
		return Done
	}
	return Wait
}

// caution ranks the actions by how much they forbid.
var caution = map[Action]int{Attach: 0, Done: 1, Wait: 2, WaitToAttach: 3, Conflict: 4}

// strictest returns a copy of the record that decides. Among those that forbid
// the same, one on this campaign tells more, then a newer one; the rest only keeps
// the choice from depending on the order of a list.
func strictest(on telnyx.Campaign, rows []telnyx.Assignment) *telnyx.Assignment {
	record := slices.MaxFunc(rows, func(a, b telnyx.Assignment) int {
		return cmp.Or(
			cmp.Compare(caution[judge(on, a)], caution[judge(on, b)]),
			compareBool(a.On(on), b.On(on)),
			a.UpdatedAt.Compare(b.UpdatedAt.Time),
			cmp.Compare(a.CampaignID, b.CampaignID),
			cmp.Compare(a.AssignmentStatus, b.AssignmentStatus),
		)
	})
	return &record
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
