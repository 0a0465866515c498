package telnyxsim

import (
	"maps"
	"net/http"
	"reflect"
	"time"
)

// Dialect chooses how the simulator behaves where Telnyx's pages contradict each other or
// say nothing. The zero value follows the OpenAPI description and, where that says
// nothing, the behavior that is hardest for a client. Each field changes one thing; fields
// can be combined, see [Merge]. [Dialects] lists a dialect for each value.
type Dialect struct {
	// NumberFilter is how filter[phone_number] of /phone_numbers/messaging selects numbers.
	// The OpenAPI description allows one number or a list with commas; no known customer
	// sends a list.
	NumberFilter Variant
	// FilterSpelling is the spelling of numbers that this filter accepts. Telnyx's guide
	// sends a raw plus, customers send %2B and digits.
	FilterSpelling Variant
	// PhoneNumbersFilter is how filter[phone_number] of /phone_numbers selects numbers.
	PhoneNumbersFilter Variant
	// UnknownFilters is how lists treat unknown filters.
	UnknownFilters Variant
	// CampaignFilters is how the list of phone number campaigns treats its four
	// filters. The guide has filter[campaignId] instead.
	CampaignFilters Variant
	// ProfileFilter is how /phone_numbers/messaging treats
	// filter[messaging_profile_id].
	ProfileFilter Variant

	// MaxPageSize is the largest page of every list. 0: 500 for 10DLC, 250 for v2.
	// No maximum is published for phone number campaigns or messaging settings.
	MaxPageSize int
	// RefusedPageSize is the status for a larger page. 0: it is cut silently.
	RefusedPageSize int
	// RefuseSort answers a sort parameter with 400 and code 10015.
	RefuseSort bool
	// Totals is how lists report the number of their rows.
	Totals Variant
	// PastEnd is the answer for a page after the last.
	PastEnd Variant
	// PageParameters is how lists name their page parameters. The registration guide has the v2
	// names for 10DLC lists.
	PageParameters Variant

	// ListLag is how long lists do not show a new record. They show the number's
	// previous record, for example a failed one, or nothing. It delays a changed
	// messaging profile too. Whether lists lag behind single reads is not documented.
	ListLag time.Duration
	// ReadLag is the same for reading one number, and for lists too unless ListLag is
	// longer. Writes and events are not delayed: a second POST answers with the record
	// that cannot be read yet.
	ReadLag time.Duration
	// StaleReadDelay is how long reads still show the old campaign after a PUT moved a
	// number. A customer's code handles this.
	StaleReadDelay time.Duration

	// SettingsID is the id that /phone_numbers/{id}/messaging accepts. The OpenAPI
	// description calls it "the phone number to update"; customers send the numeric
	// one.
	SettingsID Variant
	// ProfileErrors answers /phone_numbers with 503 unless the query has
	// handle_messaging_profile_error=true, which the OpenAPI description has for
	// failed reads of profiles.
	ProfileErrors bool

	// Refusals replaces the answers that refuse an assignment. The entry with an empty
	// RefusalKind is for all other kinds. Telnyx does not document these answers.
	Refusals map[RefusalKind]Refusal
	// RefuseRepeats refuses a POST of a number that is already on the campaign, as
	// [SameCampaign]. Otherwise it answers 200 with the unchanged record, as a PUT
	// always does.
	RefuseRepeats bool
	// RefuseConflicts refuses a POST of a number that is on another campaign, as
	// [OtherCampaign]. Otherwise it answers 200 with a record that has the aggregator's
	// message in errors. The number is not moved in either case.
	RefuseConflicts bool
	// RefuseDormant refuses a POST to a dormant campaign with 400 and code 10036.
	// Otherwise it answers 200, and the assignment fails later.
	RefuseDormant bool
	// RefuseMoves refuses a PUT of a number that is on another campaign, as
	// [OtherCampaign]. Otherwise the number moves silently.
	RefuseMoves bool
	// RefuseUpserts answers a PUT of a number without a record with 404. Otherwise
	// it attaches the number.
	RefuseUpserts bool
	// Created answers a POST that attaches with 201, which the guide allows.
	Created bool

	// FailureInErrors puts the reason of a failed assignment into errors instead of
	// failureReasons, and FailureShape is its type. The OpenAPI description has a string in
	// failureReasons; customers report other types, and text in errors.
	FailureInErrors bool
	FailureShape    Variant

	// AssignmentWords, MappingWords and CampaignWords are the spelling of
	// assignmentStatus, of the carriers' mappings and of campaignStatus.
	AssignmentWords, MappingWords, CampaignWords Words
	// LongCodeWord and TollFreeWord are the types of numbers. Empty: as seeded.
	LongCodeWord, TollFreeWord string
	// StatusWords is the spelling of status of /phone_numbers: Plain is "port-pending",
	// as in the OpenAPI description, Snake "port_pending".
	StatusWords Words
	// NumberSpelling is how answers write phone numbers.
	NumberSpelling Variant
	// UpperCaseIDs writes the campaign ids of assignment records in upper case.
	UpperCaseIDs bool

	// WrapRecords puts {"data":{…}} around an assignment record, as the guide shows,
	// WrapCampaigns around a campaign.
	WrapRecords, WrapCampaigns bool
	// SnakeRecords writes the keys of assignment records and of 10DLC lists as
	// phone_number and so on, SnakeCampaigns those of campaigns.
	SnakeRecords, SnakeCampaigns bool
	// StatusKey names assignmentStatus "status", as the guide does.
	StatusKey bool
	// Lists is the shape of 10DLC lists.
	Lists Variant

	// NotFound and Forbidden are the shapes of bodies with status 404 and 403.
	NotFound, Forbidden ErrorShape
	// FreeRecord is the answer to reading the record of a number that has none.
	FreeRecord Variant
	// NumericCodes writes the codes of errors as numbers.
	NumericCodes bool
	// Paths is where phone number campaigns are served.
	Paths Variant
}

// Variant is a behavior other than that of the zero [Dialect].
type Variant string

// The variants of each field of [Dialect].
const (
	// NumberFilter. The zero value accepts one number or a list with commas.
	FilterOne      Variant = "one"       // a list with commas finds nothing
	FilterFirst    Variant = "first"     // only the first number of a list is used
	FilterIgnored  Variant = "ignored"   // every number is returned
	FilterNothing  Variant = "nothing"   // no number is returned
	FilterContains Variant = "contains"  // part of a number; no lists
	Filter400      Variant = "refuse400" // the call is refused
	Filter422      Variant = "refuse422"
	Filter500      Variant = "fail500"
	FilterNoLists  Variant = "noLists" // one number; a list with commas is refused with 414

	// FilterSpelling. The zero value requires the plus.
	SpellDigits Variant = "digits" // with a plus it finds nothing
	SpellEither Variant = "either"

	// PhoneNumbersFilter. The zero value, from the OpenAPI description, matches part of a
	// number, at least three digits; anything else finds nothing.
	NumbersExact    Variant = "exact"     // a whole number, with the plus
	NumbersEither   Variant = "either"    // part of a number, with or without the plus
	NumbersIgnored  Variant = "ignored"   // every number is returned
	NumbersRefused  Variant = "refused"   // anything but digits is refused with 400
	NumbersFindNone Variant = "find-none" // no number is returned

	// UnknownFilters. The zero value ignores the filter, as customers report.
	UnknownEmpty   Variant = "empty"   // the list is empty
	UnknownRefused Variant = "refused" // 400 with code 10015

	// CampaignFilters. The zero value knows the four published filters.
	CampaignFiltersUnknown Variant = "unknown"    // all are unknown filters
	CampaignFiltersEmpty   Variant = "empty"      // all find nothing
	CampaignFiltersCamel   Variant = "campaignId" // only filter[campaignId] is known

	// ProfileFilter. The zero value knows the filter.
	ProfileFilterUnknown Variant = "unknown" // it is an unknown filter
	ProfileFilterEmpty   Variant = "empty"   // it finds nothing

	// Totals. The zero value is the true number.
	TotalsMissing Variant = "missing"
	TotalsOfPage  Variant = "page"  // the rows of this page
	TotalsSmall   Variant = "small" // at most 1
	TotalsText    Variant = "text"  // the true number as a string

	// PastEnd, for a page after the last. The zero value is an empty page.
	PastEndRepeats Variant = "repeats" // the last page again
	PastEnd404     Variant = "404"
	PastEnd400     Variant = "400"

	// PageParameters. The zero value is page and recordsPerPage for 10DLC, page[number] and
	// page[size] for v2.
	PageBrackets Variant = "brackets" // page[number] and page[size] for all
	PagePlain    Variant = "plain"    // page and page_size for v2 lists

	// SettingsID. The zero value accepts both.
	SettingsIDNumeric Variant = "numeric"
	SettingsIDE164    Variant = "e164"

	// FailureShape, the type of the reason. The zero value is a string.
	FailureTexts   Variant = "texts"   // ["…"]
	FailureObjects Variant = "objects" // [{"description":"…"}]
	FailureObject  Variant = "object"  // {"description":"…"}

	// NumberSpelling. The zero value is +15551230001.
	NumbersWithoutPlus Variant = "without-plus" // 15551230001
	NumbersSpaced      Variant = "spaced"       // +1 555 123 0001
	NumbersDashed      Variant = "dashed"       // +1-555-123-0001

	// Lists. The zero value is {"records":[…],"page":…,"totalRecords":…}.
	ListData Variant = "data" // {"data":[…],"meta":{…}}, as in the registration guide
	ListBare Variant = "bare" // […]

	// FreeRecord. The zero value is 404.
	FreeObject    Variant = "object"    // 200 {}
	FreeNull      Variant = "null"      // 200 null
	FreeForbidden Variant = "forbidden" // 403 with code 10010
	FreeBad       Variant = "bad"       // 400 with code 10005

	// Paths. The zero value is /10dlc/phone_number_campaigns, from the OpenAPI description;
	// the guide has /10dlc/phoneNumberCampaign.
	PathsOfGuide Variant = "guide" // only the guide's; the other answers 404
	PathsBoth    Variant = "both"
)

// Words is a spelling of a status word like PENDING_ASSIGNMENT.
type Words string

// Spellings. The zero value, Plain, is that of the OpenAPI description.
const (
	Plain   Words = ""
	Lower   Words = "lower"   // pending_assignment
	Title   Words = "title"   // Pending Assignment
	Snake   Words = "snake"   // port_pending for port-pending; else as Lower
	Missing Words = "missing" // the field is left out
)

// ErrorShape is the shape of the body of an error.
type ErrorShape string

// Shapes of errors. The zero value is {"errors":[{"code":…,"title":…}]}. Campaign and
// brand operations have a detail, bulk operations a message; gateways answer with HTML or
// nothing.
const (
	ErrorNoCode  ErrorShape = "no-code"     // errors without a code
	ErrorDetail  ErrorShape = "detail"      // {"detail":"…"}
	ErrorDetails ErrorShape = "detail-list" // {"detail":[{"loc":…,"msg":…,"type":…}]}
	ErrorMessage ErrorShape = "message"     // {"message":"…"}
	ErrorHTML    ErrorShape = "html"
	ErrorEmpty   ErrorShape = "empty" // no body
)

// RefusalKind is a reason to refuse an assignment.
type RefusalKind string

// The reasons to refuse an assignment.
const (
	NotOwned         RefusalKind = "not-owned"
	NotActive        RefusalKind = "not-active"
	NotLongCode      RefusalKind = "not-long-code"
	NoProfile        RefusalKind = "no-profile"
	CampaignMissing  RefusalKind = "campaign-missing"
	CampaignInactive RefusalKind = "campaign-not-active"
	CampaignMock     RefusalKind = "campaign-mock"
	CampaignFull     RefusalKind = "campaign-full"
	OtherCampaign    RefusalKind = "other-campaign"
	SameCampaign     RefusalKind = "same-campaign"
)

// Refusal is the content of an answer that refuses an assignment. Zero fields keep the
// simulator's own.
type Refusal struct {
	Status              int
	Code, Title, Detail string
	// Shape is that of the body. It overrides those of [Dialect].
	Shape ErrorShape
}

// refusal returns the entry of the table for a kind. Answers without a kind have none.
func (d Dialect) refusal(kind RefusalKind) Refusal {
	if kind == "" {
		return Refusal{}
	}
	if r, known := d.Refusals[kind]; known {
		return r
	}
	return d.Refusals[""]
}

// Merge combines dialects. If two set the same field, the later one wins. Refusals are
// merged by kind.
func Merge(dialects ...Dialect) Dialect {
	var merged Dialect
	refusals := map[RefusalKind]Refusal{}
	to := reflect.ValueOf(&merged).Elem()
	for _, d := range dialects {
		maps.Copy(refusals, d.Refusals)
		from := reflect.ValueOf(d)
		for i := range from.NumField() {
			if !from.Field(i).IsZero() {
				to.Field(i).Set(from.Field(i))
			}
		}
	}
	merged.Refusals = refusals
	return merged
}

// rewriteError gives an error the dialect's content and shape.
func (d Dialect) rewriteError(a answer) answer {
	if a.problem == nil {
		return a
	}
	problem, override := *a.problem, d.refusal(a.kind)
	problem.code = orDefault(override.Code, problem.code)
	problem.title = orDefault(override.Title, problem.title)
	problem.detail = orDefault(override.Detail, problem.detail)
	status, shape := orDefault(override.Status, a.status), override.Shape
	switch status {
	case http.StatusNotFound:
		shape = orDefault(shape, d.NotFound)
	case http.StatusForbidden:
		shape = orDefault(shape, d.Forbidden)
	}
	return problem.in(status, shape, d.NumericCodes)
}
