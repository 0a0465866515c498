package telnyxsim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// NamedDialect is a dialect that differs from the zero value in one point.
type NamedDialect struct {
	// Name is for the command line: lower case letters, digits and hyphens.
	Name string
	// Summary says in one line what differs.
	Summary string
	// Source says why Telnyx might behave this way.
	Source  Source
	Dialect Dialect
}

// Source is where an interpretation of Telnyx's pages comes from.
type Source string

// The sources. Nothing was compared with a live account.
const (
	// Contradicted: two of Telnyx's pages differ, and this is one of them.
	Contradicted Source = "contradicted"
	// Seen: a customer's code or notes mention it.
	Seen Source = "seen"
	// Undocumented: no page mentions it, but it is plausible.
	Undocumented Source = "undocumented"
)

// ListLag is how long lists lag in the dialect lists-lag.
const ListLag = 3 * time.Second

// everyRefusal gives every refusal the same answer.
func everyRefusal(r Refusal) Dialect {
	return Dialect{Refusals: map[RefusalKind]Refusal{"": r}, RefuseConflicts: true, RefuseRepeats: true}
}

// Dialects returns one dialect for each value of each field of [Dialect], in a fixed
// order.
func Dialects() []NamedDialect {
	return slices.Concat(filterDialects(), pageDialects(), writeDialects(), refusalDialects(), wordDialects(), shapeDialects())
}

func filterDialects() []NamedDialect {
	return []NamedDialect{
		{"filter-digits", "the number filter accepts digits only", Contradicted, Dialect{FilterSpelling: SpellDigits}},
		{"filter-either", "the number filter accepts digits and E.164", Contradicted, Dialect{FilterSpelling: SpellEither}},
		{"filter-one", "the number filter accepts one number; a list with commas finds nothing", Seen, Dialect{NumberFilter: FilterOne}},
		{"filter-one-digits", "the number filter accepts the digits of one number", Seen, Dialect{NumberFilter: FilterOne, FilterSpelling: SpellDigits}},
		{"filter-first", "the number filter uses only the first number of a list", Undocumented, Dialect{NumberFilter: FilterFirst}},
		{"filter-ignored", "the number filter is ignored", Seen, Dialect{NumberFilter: FilterIgnored}},
		{"filter-nothing", "the number filter finds nothing", Undocumented, Dialect{NumberFilter: FilterNothing}},
		{"filter-contains", "the number filter matches part of a number", Contradicted, Dialect{NumberFilter: FilterContains}},
		{"filter-400", "the number filter is refused with 400", Undocumented, Dialect{NumberFilter: Filter400}},
		{"filter-422", "the number filter is refused with 422", Undocumented, Dialect{NumberFilter: Filter422}},
		{"filter-500", "the number filter makes the call fail with 500", Undocumented, Dialect{NumberFilter: Filter500}},
		{"filter-414", "the number filter accepts one number; a list with commas is refused with 414", Undocumented, Dialect{NumberFilter: FilterNoLists}},
		{"numbers-exact", "/phone_numbers filters by a complete E.164 number", Seen, Dialect{PhoneNumbersFilter: NumbersExact}},
		{"numbers-either", "/phone_numbers accepts a plus in its filter", Seen, Dialect{PhoneNumbersFilter: NumbersEither}},
		{"numbers-ignored", "/phone_numbers ignores its number filter", Undocumented, Dialect{PhoneNumbersFilter: NumbersIgnored}},
		{"numbers-refused", "/phone_numbers refuses a plus in its filter", Undocumented, Dialect{PhoneNumbersFilter: NumbersRefused}},
		{"numbers-nothing", "/phone_numbers finds nothing with a number filter", Undocumented, Dialect{PhoneNumbersFilter: NumbersFindNone}},
		{"unknown-filters-empty", "lists are empty with an unknown filter", Undocumented, Dialect{UnknownFilters: UnknownEmpty}},
		{"unknown-filters-refused", "lists refuse an unknown filter", Undocumented, Dialect{UnknownFilters: UnknownRefused}},
		{"campaign-filters-unknown", "the campaign filters are ignored", Seen, Dialect{CampaignFilters: CampaignFiltersUnknown}},
		{"campaign-filters-refused", "the campaign filters are refused with 400", Undocumented,
			Dialect{CampaignFilters: CampaignFiltersUnknown, UnknownFilters: UnknownRefused}},
		{"campaign-filters-empty", "the campaign filters find nothing", Undocumented, Dialect{CampaignFilters: CampaignFiltersEmpty}},
		{"campaign-filters-camel", "filter[campaignId] is the only campaign filter", Contradicted, Dialect{CampaignFilters: CampaignFiltersCamel}},
		{"profile-filter-unknown", "the messaging profile filter is ignored", Undocumented, Dialect{ProfileFilter: ProfileFilterUnknown}},
		{"profile-filter-empty", "the messaging profile filter finds nothing", Undocumented, Dialect{ProfileFilter: ProfileFilterEmpty}},
		{"profile-errors", "/phone_numbers answers 503 without handle_messaging_profile_error", Contradicted, Dialect{ProfileErrors: true}},
	}
}

func pageDialects() []NamedDialect {
	list := []NamedDialect{
		{"pages-over-100-fail", "pages over 100 rows answer 500", Undocumented,
			Dialect{MaxPageSize: 100, RefusedPageSize: http.StatusInternalServerError}},
	}
	for _, size := range []int{100, 50, 20} {
		for _, status := range []int{0, http.StatusBadRequest, http.StatusUnprocessableEntity} {
			name, summary := fmt.Sprintf("pages-of-%d", size), fmt.Sprintf("pages over %d rows are cut", size)
			if status != 0 {
				name, summary = fmt.Sprintf("%s-or-%d", name, status), fmt.Sprintf("pages over %d rows are refused with %d", size, status)
			}
			list = append(list, NamedDialect{name, summary, Undocumented, Dialect{MaxPageSize: size, RefusedPageSize: status}})
		}
	}
	return append(list, []NamedDialect{
		{"sort-refused", "a sort parameter is refused with 400", Undocumented, Dialect{RefuseSort: true}},
		{"totals-missing", "lists have no totals", Undocumented, Dialect{Totals: TotalsMissing}},
		{"totals-of-page", "totals count the rows of the page", Seen, Dialect{Totals: TotalsOfPage}},
		{"totals-small", "totals are at most 1", Undocumented, Dialect{Totals: TotalsSmall}},
		{"totals-text", "totals are strings", Undocumented, Dialect{Totals: TotalsText}},
		{"past-end-repeats", "a page after the last repeats the last page", Undocumented, Dialect{PastEnd: PastEndRepeats}},
		{"past-end-404", "a page after the last answers 404", Undocumented, Dialect{PastEnd: PastEnd404}},
		{"past-end-400", "a page after the last answers 400", Undocumented, Dialect{PastEnd: PastEnd400}},
		{"page-brackets", "10DLC lists use page[number] and page[size]", Contradicted, Dialect{PageParameters: PageBrackets}},
		{"page-plain", "v2 lists use page and page_size", Undocumented, Dialect{PageParameters: PagePlain}},
		{"lists-lag", "lists show a write after 3 s", Undocumented, Dialect{ListLag: ListLag}},
		{"reads-lag", "reads show a write after 300 ms", Undocumented, Dialect{ReadLag: 300 * time.Millisecond}},
		{"moves-lag", "reads show the old campaign for 1 s after a move", Seen, Dialect{StaleReadDelay: time.Second}},
	}...)
}

func writeDialects() []NamedDialect {
	return []NamedDialect{
		{"settings-by-id", "messaging settings are found only by numeric id", Seen, Dialect{SettingsID: SettingsIDNumeric}},
		{"settings-by-number", "messaging settings are found only by phone number", Contradicted, Dialect{SettingsID: SettingsIDE164}},
		{"repeats-refused", "a POST of a number that is already on the campaign is refused", Undocumented, Dialect{RefuseRepeats: true}},
		{"repeats-409", "a POST of a number that is already on the campaign answers 409", Undocumented,
			Dialect{RefuseRepeats: true, Refusals: map[RefusalKind]Refusal{SameCampaign: {Status: http.StatusConflict}}}},
		{"conflicts-refused", "a POST of a number on another campaign is refused", Undocumented, Dialect{RefuseConflicts: true}},
		{"conflicts-409", "a POST of a number on another campaign answers 409", Undocumented,
			Dialect{RefuseConflicts: true, Refusals: map[RefusalKind]Refusal{OtherCampaign: {Status: http.StatusConflict}}}},
		{"dormant-refused", "a POST to a dormant campaign is refused", Undocumented, Dialect{RefuseDormant: true}},
		{"moves-refused", "a PUT of a number on another campaign is refused", Undocumented, Dialect{RefuseMoves: true}},
		{"upserts-refused", "a PUT of a free number answers 404", Undocumented, Dialect{RefuseUpserts: true}},
		{"created", "a POST answers 201", Contradicted, Dialect{Created: true}},
	}
}

func refusalDialects() []NamedDialect {
	return []NamedDialect{
		{"refusals-400", "every refusal is 400 with code 10015", Undocumented, everyRefusal(Refusal{Status: 400, Code: "10015"})},
		{"refusals-422", "every refusal is 422 with code 10027", Undocumented, everyRefusal(Refusal{Status: 422, Code: "10027"})},
		{"refusals-403", "every refusal is 403 with code 10010", Undocumented, everyRefusal(Refusal{Status: 403, Code: "10010"})},
		{"refusals-404", "every refusal is 404 with code 10005", Undocumented, everyRefusal(Refusal{Status: 404, Code: "10005"})},
		{"refusals-409", "every refusal is 409 with code 10021", Undocumented, everyRefusal(Refusal{Status: 409, Code: "10021"})},
		{"refusals-same", "every refusal is 400 with code 10015 and one text", Undocumented,
			everyRefusal(Refusal{Status: 400, Code: "10015", Title: "Bad Request", Detail: "The request failed"})},
		{"refusals-no-code", "refusals have no code", Undocumented, everyRefusal(Refusal{Status: 400, Shape: ErrorNoCode})},
		{"refusals-detail", `refusals are {"detail":"…"}`, Undocumented, everyRefusal(Refusal{Status: 400, Shape: ErrorDetail})},
		{"refusals-detail-list", `refusals are {"detail":[…]} with 422`, Contradicted, everyRefusal(Refusal{Status: 422, Shape: ErrorDetails})},
		{"refusals-message", `refusals are {"message":"…"}`, Contradicted, everyRefusal(Refusal{Status: 400, Shape: ErrorMessage})},
		{"refusals-html", "refusals are an HTML page", Undocumented, everyRefusal(Refusal{Status: 400, Shape: ErrorHTML})},
		{"refusals-empty", "refusals have no body", Undocumented, everyRefusal(Refusal{Status: 400, Shape: ErrorEmpty})},
		{"codes-numeric", "error codes are numbers", Undocumented, Dialect{NumericCodes: true}},
	}
}

func wordDialects() []NamedDialect {
	return []NamedDialect{
		{"failure-in-errors", "a failed assignment has its reason in errors", Seen, Dialect{FailureInErrors: true}},
		{"failure-texts", "the reason of a failure is a list of strings", Seen, Dialect{FailureShape: FailureTexts}},
		{"failure-objects", "the reason of a failure is a list of objects", Seen, Dialect{FailureShape: FailureObjects}},
		{"failure-object", "the reason of a failure is an object", Contradicted, Dialect{FailureShape: FailureObject}},
		{"assignment-lower", "assignmentStatus is in lower case", Undocumented, Dialect{AssignmentWords: Lower}},
		{"assignment-title", "assignmentStatus is spelled Pending Assignment", Undocumented, Dialect{AssignmentWords: Title}},
		{"assignment-missing", "assignmentStatus is left out", Contradicted, Dialect{AssignmentWords: Missing}},
		{"mappings-lower", "mapping statuses are in lower case", Undocumented, Dialect{MappingWords: Lower}},
		{"mappings-missing", "mapping statuses are left out", Contradicted, Dialect{MappingWords: Missing}},
		{"campaign-lower", "campaignStatus is in lower case", Undocumented, Dialect{CampaignWords: Lower}},
		{"campaign-title", "campaignStatus is spelled Mno Provisioned", Undocumented, Dialect{CampaignWords: Title}},
		{"type-snake", "number types are long_code and toll_free", Undocumented, Dialect{LongCodeWord: "long_code", TollFreeWord: "toll_free"}},
		{"type-title", "number types are Long Code and Toll Free", Undocumented, Dialect{LongCodeWord: "Long Code", TollFreeWord: "Toll Free"}},
		{"type-local", "the type of a long code is local", Contradicted, Dialect{LongCodeWord: "local", TollFreeWord: "toll_free"}},
		{"type-longcode", "number types have no hyphen", Contradicted, Dialect{LongCodeWord: "longcode", TollFreeWord: "tollfree"}},
		{"type-unknown", "the type of a long code is geographic", Undocumented, Dialect{LongCodeWord: "geographic"}},
		{"status-snake", "the status of a number is spelled port_pending", Undocumented, Dialect{StatusWords: Snake}},
		{"numbers-without-plus", "numbers in answers have no plus sign", Undocumented, Dialect{NumberSpelling: NumbersWithoutPlus}},
		{"numbers-spaced", "numbers in answers have spaces", Undocumented, Dialect{NumberSpelling: NumbersSpaced}},
		{"numbers-dashed", "numbers in answers have dashes", Undocumented, Dialect{NumberSpelling: NumbersDashed}},
		{"ids-upper", "assignment records have campaign ids in upper case", Undocumented, Dialect{UpperCaseIDs: true}},
	}
}

func shapeDialects() []NamedDialect {
	list := []NamedDialect{
		{"records-in-data", `an assignment record is {"data":{…}}`, Contradicted, Dialect{WrapRecords: true}},
		{"records-snake", "assignment records have snake_case keys", Undocumented, Dialect{SnakeRecords: true}},
		{"records-status", "assignment records call assignmentStatus status", Contradicted, Dialect{StatusKey: true}},
		{"campaigns-in-data", `a campaign is {"data":{…}}`, Contradicted, Dialect{WrapCampaigns: true}},
		{"campaigns-snake", "campaigns have snake_case keys", Undocumented, Dialect{SnakeCampaigns: true}},
		{"lists-data", `10DLC lists are {"data":[…],"meta":{…}}`, Contradicted, Dialect{Lists: ListData}},
		{"lists-bare", "10DLC lists are bare arrays", Undocumented, Dialect{Lists: ListBare}},
	}
	for _, shape := range []ErrorShape{ErrorNoCode, ErrorDetail, ErrorMessage, ErrorHTML, ErrorEmpty} {
		list = append(list,
			NamedDialect{"not-found-" + string(shape), "404 answers have the error shape " + string(shape), Undocumented, Dialect{NotFound: shape}})
	}
	return append(list, []NamedDialect{
		{"forbidden-html", "the record of a free number answers 403 with HTML", Undocumented, Dialect{FreeRecord: FreeForbidden, Forbidden: ErrorHTML}},
		{"forbidden-message", `the record of a free number answers 403 with {"message":"…"}`, Undocumented, Dialect{FreeRecord: FreeForbidden, Forbidden: ErrorMessage}},
		{"free-object", "the record of a free number answers 200 {}", Undocumented, Dialect{FreeRecord: FreeObject}},
		{"free-null", "the record of a free number answers 200 null", Undocumented, Dialect{FreeRecord: FreeNull}},
		{"free-forbidden", "the record of a free number answers 403", Undocumented, Dialect{FreeRecord: FreeForbidden}},
		{"free-bad", "the record of a free number answers 400 with code 10005", Undocumented, Dialect{FreeRecord: FreeBad}},
		{"paths-guide", "phone number campaigns are only at the guide's path", Contradicted, Dialect{Paths: PathsOfGuide}},
		{"paths-both", "phone number campaigns are at both paths", Contradicted, Dialect{Paths: PathsBoth}},
	}...)
}

// ParseDialect merges the dialects with the given names; see [Merge].
func ParseDialect(names ...string) (Dialect, error) {
	known := map[string]Dialect{}
	for _, d := range Dialects() {
		known[d.Name] = d.Dialect
	}
	var wanted []Dialect
	for _, name := range names {
		d, is := known[name]
		if !is {
			return Dialect{}, fmt.Errorf("unknown dialect %q; use one of %s", name,
				strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		wanted = append(wanted, d)
	}
	return Merge(wanted...), nil
}
