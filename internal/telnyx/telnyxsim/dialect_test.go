package telnyxsim_test

import (
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

const (
	numberD  = "+15551230004" // failed on campaignID
	pending  = "+15551230005" // port pending
	records  = "/10dlc/phone_number_campaigns"
	settings = "/phone_numbers/messaging"
	own      = "/10dlc/campaign/" + campaignID
)

// inDialect returns the account in a dialect, with a number on each of two campaigns and one
// that failed; the others are free.
func inDialect(t *testing.T, d telnyxsim.Dialect) *telnyxsim.Simulator {
	t.Helper()
	sim := account(t, telnyxsim.Options{AssignDelay: telnyxsim.Never, Dialect: d, DeliveryTransport: &inbox{}})
	sim.AddNumbers(telnyxsim.Number{PhoneNumber: numberD, MessagingProfileID: profileID},
		telnyxsim.Number{PhoneNumber: pending, MessagingProfileID: profileID, Status: "port_pending"},
		telnyxsim.Number{PhoneNumber: numberC, MessagingProfileID: profileID, ID: "3003"})
	for _, err := range []error{
		sim.AttachNumber(numberA, campaignID, telnyx.Assigned), sim.AttachNumber(numberB, otherID, telnyx.Assigned),
		sim.AttachNumber(numberD, campaignID, telnyx.FailedAssignment, "no such number"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return sim
}

// exchange is a call and what its answer holds, as "status body", in a dialect and not
// without it.
type exchange struct {
	method, path, body string
	want               string
}

func get(path, want string) exchange { return exchange{"GET", path, "", want} }

func list(path string, pairs ...string) string { return path + query(pairs...) }

func posts(phoneNumber, campaign, want string) exchange {
	return exchange{"POST", records, pair(phoneNumber, campaign), want}
}

// spoken has an exchange for each dialect. want is a regular expression.
var spoken = map[string]exchange{
	"filter-digits":       get(list(settings, "filter[phone_number]", numberA), `"data":\[\]`),
	"filter-either":       get(list(settings, "filter[phone_number]", numberA[1:]), `\+15551230001`),
	"filter-one":          get(list(settings, "filter[phone_number]", numberA+","+numberB), `"data":\[\]`),
	"filter-one-digits":   get(list(settings, "filter[phone_number]", numberA[1:]), `\+15551230001`),
	"filter-first":        get(list(settings, "filter[phone_number]", numberA+","+numberB), `"total_results":1}`),
	"filter-ignored":      get(list(settings, "filter[phone_number]", notOwned), `\+15551230001`),
	"filter-nothing":      get(list(settings, "filter[phone_number]", numberA), `"data":\[\]`),
	"filter-contains":     get(list(settings, "filter[phone_number]", "555123000"), `\+15551230001`),
	"filter-400":          get(list(settings, "filter[phone_number]", numberA), `^400 .*10015`),
	"filter-422":          get(list(settings, "filter[phone_number]", numberA), `^422 .*10015`),
	"filter-500":          get(list(settings, "filter[phone_number]", numberA), `^500 `),
	"filter-414":          get(list(settings, "filter[phone_number]", numberA+","+numberB), `^414 `),
	"pages-over-100-fail": get(list(settings, "page[size]", "200"), `^500 `),

	"numbers-exact":   get(list("/phone_numbers", "filter[phone_number]", "5551230001"), `"data":\[\]`),
	"numbers-either":  get(list("/phone_numbers", "filter[phone_number]", numberA), `\+15551230001`),
	"numbers-ignored": get(list("/phone_numbers", "filter[phone_number]", "999"), `\+15551230001`),
	"numbers-refused": get(list("/phone_numbers", "filter[phone_number]", numberA), `^400 .*10015`),
	"numbers-nothing": get(list("/phone_numbers", "filter[phone_number]", "5551230001"), `"data":\[\]`),

	"unknown-filters-empty":    get(list(records, "filter[campaign_id]", campaignID), `"records":\[\]`),
	"unknown-filters-refused":  get(list(settings, "filter[nope]", "x"), `^400 .*filter\[nope\]`),
	"campaign-filters-unknown": get(list(records, "filter[telnyx_campaign_id]", campaignID), otherID),
	"campaign-filters-refused": get(list(records, "filter[telnyx_campaign_id]", campaignID), `^400 `),
	"campaign-filters-empty":   get(list(records, "filter[telnyx_campaign_id]", campaignID), `"records":\[\]`),
	"campaign-filters-camel":   get(list(records, "filter[campaignId]", campaignID), `"totalRecords":2}`),
	"profile-filter-unknown":   get(list(settings, "filter[messaging_profile_id]", profileFor), `\+15551230001`),
	"profile-filter-empty":     get(list(settings, "filter[messaging_profile_id]", profileID), `"data":\[\]`),
	"profile-errors":           get("/phone_numbers", `^503 .*10037`),

	"sort-refused":     get(list(records, "sort", "phoneNumber"), `^400 .*/sort`),
	"totals-missing":   get(records, `\]}$`),
	"totals-of-page":   get(list(records, "recordsPerPage", "2"), `"totalRecords":2}`),
	"totals-small":     get(settings, `"total_pages":1,"total_results":1}`),
	"totals-text":      get(records, `"totalRecords":"3"`),
	"past-end-repeats": get(list(records, "page", "9"), `"page":1,`),
	"past-end-404":     get(list(records, "page", "9"), `^404 `),
	"past-end-400":     get(list(settings, "page[number]", "9"), `^400 `),
	"page-brackets":    get(list(records, "page[number]", "2", "page[size]", "2"), `"page":2,`),
	"page-plain":       get(list(settings, "page", "2", "page_size", "2"), `"page_number":2,"page_size":2`),

	"settings-by-id":     get("/phone_numbers/"+numberC+"/messaging", `^404 `),
	"settings-by-number": get("/phone_numbers/3003/messaging", `^404 `),
	"repeats-refused":    posts(numberA, campaignID, `^400 .*10012`),
	"repeats-409":        posts(numberA, campaignID, `^409 .*10012`),
	"conflicts-refused":  posts(numberB, campaignID, `^400 .*10015`),
	"conflicts-409":      posts(numberB, campaignID, `^409 .*10015`),
	"moves-refused":      {"PUT", records + "/" + numberB, pair(numberB, campaignID), `^400 .*another campaign`},
	"upserts-refused":    {"PUT", records + "/" + numberC, pair(numberC, campaignID), `^404 .*10005`},
	"created":            posts(numberC, campaignID, `^201 .*PENDING_ASSIGNMENT`),

	"refusals-400":         posts(notOwned, campaignID, `^400 .*"10015"`),
	"refusals-422":         posts(notOwned, campaignID, `^422 .*"10027"`),
	"refusals-403":         posts(notOwned, campaignID, `^403 .*"10010"`),
	"refusals-404":         posts(tollFree, campaignID, `^404 .*"10005"`),
	"refusals-409":         posts(tollFree, campaignID, `^409 .*"10021"`),
	"refusals-same":        posts(notOwned, campaignID, `^400 .*The request failed`),
	"refusals-no-code":     posts(notOwned, campaignID, `^400 {"errors":\[{"detail":`),
	"refusals-detail":      posts(notOwned, campaignID, `^400 {"detail":"Phone number`),
	"refusals-detail-list": posts(notOwned, campaignID, `^422 {"detail":\[{"loc":`),
	"refusals-message":     posts(notOwned, campaignID, `^400 {"message":"Phone number`),
	"refusals-html":        posts(notOwned, campaignID, `^400 <html>`),
	"refusals-empty":       posts(notOwned, campaignID, `^400 $`),
	"codes-numeric":        posts(notOwned, campaignID, `"code":10005,`),

	"failure-in-errors":  get(records+"/"+numberD, `"errors":"no such number"`),
	"failure-texts":      get(records+"/"+numberD, `"failureReasons":\["no such number"\]`),
	"failure-objects":    get(records+"/"+numberD, `"failureReasons":\[{"description":"no such number"}\]`),
	"failure-object":     get(records+"/"+numberD, `"failureReasons":{"description":"no such number"}`),
	"assignment-lower":   get(records+"/"+numberA, `"assignmentStatus":"assigned"`),
	"assignment-title":   get(records+"/"+numberD, `"assignmentStatus":"Failed Assignment"`),
	"assignment-missing": get(records+"/"+numberA, `^200 {"brandId"`),
	"mappings-lower":     get(records+"/"+numberA, `"tmobileNumberMappingStatus":"added"`),
	"mappings-missing":   get(records+"/"+numberA, `"createdAt":"[^"]*","phoneNumber"`),
	"campaign-lower":     get(own, `"campaignStatus":"mno_provisioned"`),
	"campaign-title":     get(own, `"campaignStatus":"Mno Provisioned"`),
	"type-snake":         get(settings, `"type":"long_code"`),
	"type-title":         get(settings, `"type":"Long Code"`),
	"type-local":         get(settings, `"type":"local"`),
	"type-longcode":      get(settings, `"type":"tollfree"`),
	"type-unknown":       get(settings, `"type":"geographic"`),
	"status-snake":       get("/phone_numbers", `"status":"port_pending"`),

	"numbers-without-plus": get(records, `"phoneNumber":"15551230001"`),
	"numbers-spaced":       get(settings, `"phone_number":"\+1 555 123 0001"`),
	"numbers-dashed":       get(records+"/"+numberA, `"phoneNumber":"\+1-555-123-0001"`),
	"ids-upper":            get(records, `"campaignId":"4B30019A-E14D`),

	"records-in-data":   get(records+"/"+numberA, `^200 {"data":{`),
	"records-snake":     get(records+"/"+numberA, `"tmobile_number_mapping_status":"ADDED"`),
	"records-status":    get(records+"/"+numberA, `"status":"ASSIGNED"`),
	"campaigns-in-data": get(own, `^200 {"data":{`),
	"campaigns-snake":   get(own, `"campaign_status":"MNO_PROVISIONED".*"is_tmobile_registered":true`),
	"lists-data":        get(records, `^200 {"data":\[.*"total_results":3`),
	"lists-bare":        get(records, `^200 \[{`),

	"not-found-no-code": get(records+"/"+numberC, `^404 {"errors":\[{"detail":`),
	"not-found-detail":  get(own+"x", `^404 {"detail":"`),
	"not-found-message": get(own+"x", `^404 {"message":"`),
	"not-found-html":    get(records+"/"+numberC, `^404 <html>`),
	"not-found-empty":   get(records+"/"+numberC, `^404 $`),
	"forbidden-html":    get(records+"/"+numberC, `^403 <html>`),
	"forbidden-message": get(records+"/"+numberC, `^403 {"message":"`),
	"free-object":       get(records+"/"+numberC, `^200 {}$`),
	"free-null":         get(records+"/"+numberC, `^200 null$`),
	"free-forbidden":    get(records+"/"+numberC, `^403 .*"10010"`),
	"free-bad":          get(records+"/"+numberC, `^400 .*"10005"`),
	"paths-guide":       get(records, `^404 `),
	"paths-both":        get("/10dlc/phoneNumberCampaign/"+numberA, `^200 .*"ASSIGNED"`),
}

// Each dialect gives the wanted answer to its exchange; the account without a dialect does
// not.
func TestDialects_ShowOnTheWire(t *testing.T) {
	for _, d := range telnyxsim.Dialects() {
		row, has := spoken[d.Name]
		if !has {
			continue // has its own test below
		}
		t.Run(d.Name, func(t *testing.T) {
			want := regexp.MustCompile(row.want)
			for _, tc := range []struct {
				dialect telnyxsim.Dialect
				want    bool
			}{{telnyxsim.Dialect{}, false}, {d.Dialect, true}} {
				r := call(t, inDialect(t, tc.dialect), row.method, row.path, row.body)
				got := fmt.Sprintf("%d %s", r.status, strings.TrimSpace(r.body))
				if want.MatchString(got) != tc.want {
					t.Errorf("%s %s = %s; matches %s: %t, want %t", row.method, row.path, got, row.want, !tc.want, tc.want)
				}
			}
		})
	}
}

// ownTests are the dialects that the table does not show.
var ownTests = []string{"dormant-refused", "lists-lag", "moves-lag", "reads-lag"}

func TestDialects_EachHasATest(t *testing.T) {
	set := map[int]bool{}
	for _, d := range telnyxsim.Dialects() {
		_, has := spoken[d.Name]
		if !has && !slices.Contains(ownTests, d.Name) && !strings.HasPrefix(d.Name, "pages-of-") {
			t.Errorf("dialect %s is in no test", d.Name)
		}
		if d.Summary == "" || d.Source == "" {
			t.Errorf("dialect %s: summary %q, source %q; want both", d.Name, d.Summary, d.Source)
		}
		fields := reflect.ValueOf(d.Dialect)
		for i := range fields.NumField() {
			set[i] = set[i] || !fields.Field(i).IsZero()
		}
	}
	for i := range reflect.TypeFor[telnyxsim.Dialect]().NumField() {
		if !set[i] {
			t.Errorf("no dialect sets %s", reflect.TypeFor[telnyxsim.Dialect]().Field(i).Name)
		}
	}
}

func TestDialects_BoundPages(t *testing.T) {
	const count = 120
	for _, size := range []int{100, 50, 20} {
		for _, status := range []int{200, 400, 422} {
			name := fmt.Sprintf("pages-of-%d", size)
			if status != 200 {
				name = fmt.Sprintf("%s-or-%d", name, status)
			}
			t.Run(name, func(t *testing.T) {
				d, err := telnyxsim.ParseDialect(name)
				if err != nil {
					t.Fatal(err)
				}
				sim := account(t, telnyxsim.Options{Dialect: d, MaxNumbersPerCampaign: count})
				for i := range count {
					number := fmt.Sprintf("+1555124%04d", i)
					sim.AddNumbers(telnyxsim.Number{PhoneNumber: number, MessagingProfileID: profileFor})
					_ = sim.AttachNumber(number, campaignID, telnyx.Assigned)
				}
				for path, field := range map[string]string{
					list(records, "recordsPerPage", fmt.Sprint(size+1)):      "records",
					list(settings, "page[size]", fmt.Sprint(size+1)):         "data",
					list("/phone_numbers", "page[size]", fmt.Sprint(size+1)): "data",
				} {
					got := call(t, sim, "GET", path, "")
					if got.status != status {
						t.Errorf("GET %s = %d, want %d", path, got.status, status)
					}
					if rows, _ := got.object(t)[field].([]any); status == 200 && len(rows) != size {
						t.Errorf("GET %s = %d rows, want %d", path, len(rows), size)
					}
				}
				if got := call(t, sim, "GET", list(records, "recordsPerPage", fmt.Sprint(size)), ""); got.status != 200 {
					t.Errorf("a page of %d = %d, want 200", size, got.status)
				}
			})
		}
	}
}

func TestDialects_ListsLagBehindAProfile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, err := telnyxsim.ParseDialect("lists-lag")
		if err != nil {
			t.Fatal(err)
		}
		sim := inDialect(t, d)
		defer sim.Close()
		call(t, sim, "PATCH", "/phone_numbers/"+noProfile+"/messaging", `{"messaging_profile_id":"`+profileFor+`"}`)
		onProfile := list(settings, "filter[messaging_profile_id]", profileFor)
		if got := call(t, sim, "GET", onProfile, ""); strings.Contains(got.body, noProfile) {
			t.Errorf("immediate list = %s, want it without the number", got.body)
		}
		if got := call(t, sim, "GET", "/phone_numbers/"+noProfile+"/messaging", ""); !strings.Contains(got.body, profileFor) {
			t.Errorf("immediate read = %s, want the profile", got.body)
		}
		time.Sleep(telnyxsim.ListLag)
		if got := call(t, sim, "GET", onProfile, ""); !strings.Contains(got.body, noProfile) {
			t.Errorf("list after the lag = %s, want the number", got.body)
		}
	})
}

func TestRefusals_EachKindHasItsOwn(t *testing.T) {
	full := func(s *telnyxsim.Simulator) {
		s.AddCampaign(telnyxsim.Campaign{ID: campaignID, CampaignStatus: telnyx.CampaignMNOProvisioned, MaxNumbers: 1})
	}
	for kind, tc := range map[telnyxsim.RefusalKind]struct {
		prepare          func(*telnyxsim.Simulator)
		number, campaign string
	}{
		telnyxsim.NotOwned:        {nil, notOwned, campaignID},
		telnyxsim.NotActive:       {nil, pending, campaignID},
		telnyxsim.NotLongCode:     {nil, tollFree, campaignID},
		telnyxsim.NoProfile:       {nil, noProfile, campaignID},
		telnyxsim.CampaignMissing: {nil, numberC, "nope"},
		telnyxsim.CampaignInactive: {func(s *telnyxsim.Simulator) {
			_ = s.SetCampaignStatus(campaignID, telnyx.CampaignMNOPending)
		}, numberC, campaignID},
		telnyxsim.CampaignMock: {func(s *telnyxsim.Simulator) {
			s.AddCampaign(telnyxsim.Campaign{ID: campaignID, CampaignStatus: telnyx.CampaignMNOProvisioned, Mock: true})
		}, numberC, campaignID},
		telnyxsim.CampaignFull:  {full, numberC, campaignID},
		telnyxsim.OtherCampaign: {nil, numberB, campaignID},
		telnyxsim.SameCampaign:  {nil, numberA, campaignID},
	} {
		t.Run(string(kind), func(t *testing.T) {
			sim := inDialect(t, telnyxsim.Dialect{RefuseConflicts: true, RefuseRepeats: true, Refusals: map[telnyxsim.RefusalKind]telnyxsim.Refusal{
				kind: {Status: http.StatusTeapot, Code: "99", Title: "No", Detail: "not this"},
				"":   {Status: http.StatusGone},
			}})
			if tc.prepare != nil {
				tc.prepare(sim)
			}
			got := post(t, sim, tc.number, tc.campaign)
			if got.status != http.StatusTeapot || got.code(t) != "99" || !strings.Contains(got.body, "not this") {
				t.Errorf("POST = %d %s, want the refusal of its kind", got.status, got.body)
			}
			if w := sim.Writes()[0]; w.Effective || w.AnswerStatus != http.StatusTeapot {
				t.Errorf("write = %+v, want one without effect and the same status", w)
			}
		})
	}
}

func TestMerge_TakesTheFieldsOfAll(t *testing.T) {
	got, err := telnyxsim.ParseDialect("filter-digits", "repeats-409", "conflicts-409")
	if err != nil {
		t.Fatal(err)
	}
	if got.FilterSpelling != telnyxsim.SpellDigits || !got.RefuseRepeats || !got.RefuseConflicts || len(got.Refusals) != 2 {
		t.Errorf("got %+v, want the fields of all three", got)
	}
	if _, err := telnyxsim.ParseDialect("no-such"); err == nil || !strings.Contains(err.Error(), "filter-digits") {
		t.Errorf("unknown name = %v, want an error that lists the names", err)
	}
}

func TestNumbers_AreListedWithTheirStatus(t *testing.T) {
	sim := inDialect(t, telnyxsim.Dialect{})
	for path, want := range map[string]string{
		list("/phone_numbers", "filter[phone_number]", "30005"):                   pending,
		list("/phone_numbers", "filter[status]", "port-pending"):                  pending,
		list("/phone_numbers", "page[size]", "1", "page[number]", "3"):            numberC,
		list("/phone_numbers", "filter[status]", "active", "page[size]", "1"):     numberA,
		list("/phone_numbers", "filter[phone_number]", "15551230001,15551230002"): "",
		list("/phone_numbers", "filter[phone_number]", "01"):                      "",
		list("/phone_numbers", "filter[phone_number]", numberA):                   "",
	} {
		got := call(t, sim, "GET", path, "").column(t, "data", "phone_number")
		if strings.Join(got, " ") != want {
			t.Errorf("GET %s = %q, want %q", path, got, want)
		}
	}
	got := call(t, sim, "GET", "/phone_numbers/3003", "")
	data, _ := got.object(t)["data"].(map[string]any)
	if data["phone_number"] != numberC || data["status"] != "active" || data["phone_number_type"] != "local" || data["messaging_profile_id"] != profileID {
		t.Errorf("GET /phone_numbers/3003 = %s", got.body)
	}
	if got := post(t, sim, pending, campaignID); got.status != 400 || got.code(t) != "10001" {
		t.Errorf("POST of a number that is not active = %d %s, want 400 with 10001", got.status, got.body)
	}
}
