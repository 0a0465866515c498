package telnyx

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

const (
	brand    = "97091164-e814-435c-9c1b-14ab2d18e987"
	campaign = "751c6a5c-907b-43a9-8ada-ba1dc8335b07"
	number   = "+16715455939"
)

// fixturePayloads says what each file of testdata/events must decode to.
// Reasons are compared with the file itself.
var fixturePayloads = map[string]Payload{
	"10dlc.brand.update.ORDER_EXTERNAL_VETTING.failed":          {Type: "ORDER_EXTERNAL_VETTING", Status: "failed", BrandID: brand},
	"10dlc.brand.update.ORDER_EXTERNAL_VETTING.success":         {Type: "ORDER_EXTERNAL_VETTING", Status: "success", BrandID: brand},
	"10dlc.brand.update.REGISTRATION.failed":                    {Type: "REGISTRATION", Status: "failed", BrandID: "b0e2ec67-b26f-4c77-affc-d10f4d1780d3"},
	"10dlc.brand.update.REVET.success":                          {Type: "REVET", Status: "success", BrandID: brand},
	"10dlc.brand.update.TCR_BRAND_UPDATE.BRAND_ADD":             tcrBrandEvent("TCR_BRAND_UPDATE", "BRAND_ADD", "Brand BBRAND1 is added"),
	"10dlc.brand.update.TCR_BRAND_UPDATE.BRAND_APPEAL_ADD":      tcrBrandEvent("TCR_BRAND_UPDATE", "BRAND_APPEAL_ADD", "An appeal for brand BBRAND1 was added"),
	"10dlc.brand.update.TCR_BRAND_UPDATE.BRAND_APPEAL_COMPLETE": tcrBrandEvent("TCR_BRAND_UPDATE", "BRAND_APPEAL_COMPLETE", "The appeal for brand BBRAND1 is complete"),
	"10dlc.brand.update.TCR_BRAND_UPDATE.BRAND_REVET":           tcrBrandEvent("TCR_BRAND_UPDATE", "BRAND_REVET", "Brand BBRAND1 was vetted again"),
	"10dlc.brand.update.TCR_BRAND_WEBHOOK.BRAND_ADD":            tcrBrandEvent("TCR_BRAND_WEBHOOK", "BRAND_ADD", "Brand BBRAND1 is added"),

	"10dlc.campaign.update.REGISTRATION.failed":       {Type: "REGISTRATION", Status: "failed", CampaignID: campaign},
	"10dlc.campaign.update.TELNYX_REVIEW.ACCEPTED":    {Type: "TELNYX_REVIEW", Status: "ACCEPTED", Description: "C6X6M95 approved by Telnyx", CampaignID: campaign},
	"10dlc.campaign.update.TELNYX_REVIEW.REJECTED":    {Type: "TELNYX_REVIEW", Status: "REJECTED", Description: "C6X6M95 rejected by Telnyx", CampaignID: campaign},
	"10dlc.campaign.update.MNO_REVIEW.ACCEPTED":       {Type: "MNO_REVIEW", Status: "ACCEPTED", Description: "Campaign accepted by T-Mobile", CampaignID: campaign},
	"10dlc.campaign.update.MNO_REVIEW.REJECTED":       {Type: "MNO_REVIEW", Status: "REJECTED", Description: "Campaign rejected by T-Mobile due to insufficient opt-out instructions", CampaignID: campaign},
	"10dlc.campaign.update.TELNYX_EVENT.DORMANT":      {Type: "TELNYX_EVENT", Status: "DORMANT", Description: "Campaign has been marked as dormant", CampaignID: campaign},
	"10dlc.campaign.update.NUMBER_POOL_PROVISIONED":   {Type: "NUMBER_POOL_PROVISIONED", CampaignID: campaign, BrandID: brand},
	"10dlc.campaign.update.NUMBER_POOL_DEPROVISIONED": {Type: "NUMBER_POOL_DEPROVISIONED", CampaignID: campaign, BrandID: brand},
	"10dlc.campaign.update.VERIFIED": {
		Type: TypeVerified, CampaignID: campaign, BrandID: brand,
	},
	"10dlc.campaign.update.CAMPAIGN_NUDGE": {
		Type: "CAMPAIGN_NUDGE", Description: "The campaign has been reviewed and approved after appeal.",
		CampaignID: "C4D06C2F",
	},
	"10dlc.campaign.update.TCR_EVENT.CAMPAIGN_ADD":                       tcrCampaignEvent("CAMPAIGN_ADD", "Campaign C6X6M95 successfully added to TCR"),
	"10dlc.campaign.update.TCR_EVENT.CAMPAIGN_BILLED":                    tcrCampaignEvent("CAMPAIGN_BILLED", "Campaign C6X6M95 was billed"),
	"10dlc.campaign.update.TCR_EVENT.CAMPAIGN_DCA_COMPLETE":              tcrCampaignEvent("CAMPAIGN_DCA_COMPLETE", "DCA processing of campaign C6X6M95 is complete"),
	"10dlc.campaign.update.TCR_EVENT.CAMPAIGN_EXPIRED":                   tcrCampaignEvent("CAMPAIGN_EXPIRED", "Campaign C6X6M95 has expired"),
	"10dlc.campaign.update.TCR_EVENT.CAMPAIGN_NUDGE":                     tcrCampaignEvent("CAMPAIGN_NUDGE", "Campaign C6X6M95 was nudged by its CSP"),
	"10dlc.campaign.update.TCR_EVENT.CAMPAIGN_RESUBMISSION":              tcrCampaignEvent("CAMPAIGN_RESUBMISSION", "Campaign C6X6M95 was resubmitted"),
	"10dlc.campaign.update.TCR_EVENT.CAMPAIGN_UPDATE":                    tcrCampaignEvent("CAMPAIGN_UPDATE", "Campaign C6X6M95 was updated"),
	"10dlc.campaign.update.TCR_EVENT.MNO_CAMPAIGN_OPERATION_APPROVED":    tcrCampaignEvent("MNO_CAMPAIGN_OPERATION_APPROVED", "Campaign C6X6M95 approved by AT&T"),
	"10dlc.campaign.update.TCR_EVENT.MNO_CAMPAIGN_OPERATION_REJECTED":    tcrCampaignEvent("MNO_CAMPAIGN_OPERATION_REJECTED", "Campaign C6X6M95 rejected by AT&T"),
	"10dlc.campaign.update.TCR_EVENT.MNO_CAMPAIGN_OPERATION_REVIEW":      tcrCampaignEvent("MNO_CAMPAIGN_OPERATION_REVIEW", "Campaign C6X6M95 is under review by AT&T"),
	"10dlc.campaign.update.TCR_EVENT.MNO_CAMPAIGN_OPERATION_SUSPENDED":   tcrCampaignEvent("MNO_CAMPAIGN_OPERATION_SUSPENDED", "Campaign C6X6M95 suspended by AT&T"),
	"10dlc.campaign.update.TCR_EVENT.MNO_CAMPAIGN_OPERATION_UNSUSPENDED": tcrCampaignEvent("MNO_CAMPAIGN_OPERATION_UNSUSPENDED", "Campaign C6X6M95 unsuspended by AT&T"),

	"10dlc.phone_number.update.ASSIGNMENT.failed":     {Type: "ASSIGNMENT", Status: "failed", CampaignID: campaign, PhoneNumber: number},
	"10dlc.phone_number.update.ASSIGNMENT.success":    {Type: "ASSIGNMENT", Status: "success", CampaignID: campaign, PhoneNumber: number},
	"10dlc.phone_number.update.DELETION.failed":       {Type: "DELETION", Status: "failed", CampaignID: campaign, PhoneNumber: number},
	"10dlc.phone_number.update.DELETION.success":      {Type: "DELETION", Status: "success", CampaignID: campaign, PhoneNumber: number},
	"10dlc.phone_number.update.STATUS_UPDATE.ADDED":   statusUpdate("ADDED"),
	"10dlc.phone_number.update.STATUS_UPDATE.DELETED": statusUpdate("DELETED"),
	"10dlc.phone_number.update.STATUS_UPDATE.FAILED":  statusUpdate("FAILED"),
	"10dlc.phone_number.update.STATUS_UPDATE.PENDING": statusUpdate("PENDING"),

	"flat.TELNYX_EVENT.DORMANT": flatPayload("TELNYX_EVENT", "DORMANT", "Campaign has been marked as dormant"),
	"flat.VERIFIED":             flatPayload(TypeVerified, "", "Campaign is verified"),
}

func tcrBrandEvent(typ, eventType, description string) Payload {
	return Payload{
		Type: typ, EventType: eventType, Status: "success", Description: description,
		BrandID: brand,
	}
}

func tcrCampaignEvent(eventType, description string) Payload {
	return Payload{Type: "TCR_EVENT", EventType: eventType, Description: description, CampaignID: campaign}
}

func statusUpdate(status string) Payload {
	return Payload{Type: "STATUS_UPDATE", Status: status, CampaignID: campaign, TCRCampaignID: "C6X6M95", PhoneNumber: number}
}

func flatPayload(typ, status, description string) Payload {
	return Payload{
		Type: typ, Status: status, Description: description,
		CampaignID: "4b300178-131c-d902-d54e-72d90ba1620j", BrandID: "d88dd2aa-1bb9-4ef0-9ec8-1752b80316a5",
	}
}

// fixtures returns the bodies in testdata/events by name.
func fixtures(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/events/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	bodies := map[string][]byte{}
	for _, path := range paths {
		bodies[strings.TrimSuffix(filepath.Base(path), ".json")] = readFile(t, path)
	}
	return bodies
}

func TestParseEvent_DecodesEveryPublishedEvent(t *testing.T) {
	bodies := fixtures(t)
	for name := range fixturePayloads {
		if _, ok := bodies[name]; !ok {
			t.Errorf("no fixture %s.json", name)
		}
	}
	ids := map[string]string{}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			want, ok := fixturePayloads[name]
			if !ok {
				t.Fatal("no row in fixturePayloads")
			}
			got, err := ParseEvent(body)
			if err != nil {
				t.Fatal(err)
			}
			if other, ok := ids[got.ID]; ok {
				t.Errorf("has the id of %s", other)
			}
			ids[got.ID] = name
			checkEnvelope(t, name, body, got)
			want.Reasons = rawReasons(t, body)
			if diff := cmp.Diff(want, got.Payload); diff != "" {
				t.Errorf("payload (-want +got):\n%s", diff)
			}
		})
	}
}

// checkEnvelope compares everything but the payload with the file and its name.
func checkEnvelope(t *testing.T, name string, body []byte, got Event) {
	t.Helper()
	if strings.HasPrefix(name, "flat.") {
		sum := sha256.Sum256(body)
		if got.ID != "sha256-"+hex.EncodeToString(sum[:]) || got.Type != EventCampaignUpdate ||
			!got.OccurredAt.IsZero() {
			t.Errorf("got %+v", got)
		}
		return
	}
	if !strings.HasPrefix(name, got.Type+"."+got.Payload.Type) {
		t.Errorf("got type %s, payload type %s", got.Type, got.Payload.Type)
	}
	if got.ID == "" || strings.HasPrefix(got.ID, "sha256-") {
		t.Errorf("got %+v", got)
	}
	if year := got.OccurredAt.Year(); year < 2024 || year > 2025 {
		t.Errorf("occurred in %d", year)
	}
}

func rawReasons(t *testing.T, body []byte) json.RawMessage {
	t.Helper()
	var envelope struct {
		Data struct{ Payload json.RawMessage }
	}
	if err := json.Unmarshal(body, &envelope); err != nil {
		t.Fatal(err)
	}
	payload := envelope.Data.Payload
	if payload == nil {
		payload = body
	}
	var fields struct{ Reasons json.RawMessage }
	if err := json.Unmarshal(payload, &fields); err != nil {
		t.Fatal(err)
	}
	return fields.Reasons
}

func TestParseEvent_KeepsWhatItDoesNotKnow(t *testing.T) {
	tests := map[string]struct {
		body string
		want Event
	}{
		"unknown types": {
			`{"data":{"event_type":"10dlc.campaign.suspended","id":"1","payload":{"type":"NEW","status":"ODD"}}}`,
			Event{ID: "1", Type: "10dlc.campaign.suspended", Payload: Payload{Type: "NEW", Status: "ODD"}},
		},
		"fields of other types": {
			`{"data":{"event_type":"e","id":"1","occurred_at":7,"payload":{"type":["a"],"status":1,"description":{},"campaignId":null,` +
				`"isTMobileRegistered":"yes","reasons":"taken"}},"meta":{"attempt":"2"}}`,
			Event{ID: "1", Type: "e", OccurredAt: Time{Text: "7"}, Payload: Payload{
				Reasons: json.RawMessage(`"taken"`),
			}},
		},
		"no payload":           {`{"data":{"event_type":"e","id":"1"}}`, Event{ID: "1", Type: "e"}},
		"null payload":         {`{"data":{"event_type":"e","id":"1","payload":null}}`, Event{ID: "1", Type: "e"}},
		"payload a list":       {`{"data":{"event_type":"e","id":"1","payload":[1]}}`, Event{ID: "1", Type: "e"}},
		"keys spelt otherwise": {`{"data":{"event_type":"e","ID":"2","id":"1","Payload":{"type":"t"}},"Data":7}`, Event{ID: "1", Type: "e"}},
		"microseconds": {
			`{"data":{"event_type":"e","id":"1","occurred_at":"2025-07-30T11:07:51.259711+00:00"}}`,
			Event{ID: "1", Type: "e", OccurredAt: Time{
				Time: time.Date(2025, 7, 30, 11, 7, 51, 259711000, time.UTC), Text: "2025-07-30T11:07:51.259711+00:00",
			}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseEvent([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseEvent_NamesABodyWithoutAUsableIDAfterItsHash(t *testing.T) {
	for name, id := range map[string]string{
		"absent":     `null`,
		"number":     `7`,
		"empty":      `""`,
		"line break": `"a\r\nNats-Msg-Id: b"`,
		"space":      `"a b"`,
		"other text": `"é"`,
		"too long":   `"` + strings.Repeat("a", 201) + `"`,
	} {
		t.Run(name, func(t *testing.T) {
			body := []byte(`{"data":{"event_type":"e","id":` + id + `}}`)
			got, err := ParseEvent(body)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(body)
			if want := "sha256-" + hex.EncodeToString(sum[:]); got.ID != want {
				t.Errorf("id %q, want %q", got.ID, want)
			}
		})
	}
}

func TestParseEvent_RefusesWhatIsNoEvent(t *testing.T) {
	for name, tt := range map[string]struct{ body, want string }{
		"empty":              {"", "not a JSON object"},
		"text":               {"hello", "not a JSON object"},
		"list":               {"[]", "not a JSON object"},
		"null":               {"null", "neither data"},
		"empty object":       {"{}", "neither data"},
		"an error answer":    {`{"errors":[{"code":"10005"}]}`, "neither data"},
		"inner object bare":  {`{"event_type":"test","id":"abc123"}`, "neither data"},
		"data a string":      {`{"data":"x"}`, "data is not a JSON object"},
		"data a list":        {`{"data":[{"event_type":"e"}]}`, "data is not a JSON object"},
		"no event type":      {`{"data":{"id":"1"}}`, "event_type"},
		"event type a list":  {`{"data":{"event_type":["e"],"id":"1"}}`, "event_type"},
		"flat, number as id": {`{"campaignId":7}`, "campaignId"},
		"flat, other case":   {`{"CampaignID":"C6X6M95"}`, "campaignId"},
		"two objects":        {`{"campaignId":"a"}{"campaignId":"b"}`, "not a JSON object"},
		"cut off":            {`{"data":{"event_type":"e"`, "not a JSON object"},
		"too deep":           {strings.Repeat(`{"data":`, 20000), "not a JSON object"},
		"form-encoded":       {"campaignId=C6X6M95", "not a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseEvent([]byte(tt.body))
			if !errors.Is(err, ErrNotEvent) {
				t.Fatalf("got %+v and error %v, want ErrNotEvent", got, err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q lacks %q", err, tt.want)
			}
		})
	}
}

func TestEvent_AboutPrefersTheCampaign(t *testing.T) {
	for name, tt := range map[string]struct {
		payload Payload
		want    string
	}{
		"all":      {Payload{CampaignID: "c", TCRCampaignID: "t", BrandID: "b"}, "c"},
		"TCR":      {Payload{TCRCampaignID: "t", BrandID: "b"}, "t"},
		"brand":    {Payload{BrandID: "b", PhoneNumber: number}, "b"},
		"no id":    {Payload{PhoneNumber: number}, ""},
		"no event": {Payload{}, ""},
	} {
		if got := (Event{Payload: tt.payload}).About(); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

// FuzzParseEvent: no body panics, every event has a type and a usable id, the same
// body gives the same event, and it is the one that encoding/json would give.
func FuzzParseEvent(f *testing.F) {
	for _, body := range fixtures(f) {
		f.Add(body)
	}
	for _, body := range []string{
		"", "null", "[]", `{"data":null,"campaignId":"x"}`, `{"campaignId":"x","data":{"event_type":"\ud800"}}`,
		"{\"data\":{\"event_type\":\"\xff\",\"id\":\"\xff\"}}", `{"data":{"event_type":"e","payload":{"reasons":[[[{}]]]}}}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		body = body[:min(len(body), 16<<10)] // long ones are slow
		got, err := assertAsReference(t, body)
		if err != nil {
			if !errors.Is(err, ErrNotEvent) {
				t.Fatalf("error %v is no ErrNotEvent", err)
			}
			return
		}
		if got.Type == "" || !usableID(got.ID) || !utf8.ValidString(got.About()) {
			t.Fatalf("got %+v", got)
		}
		ReasonText(got.Payload.Reasons)
		again, err := ParseEvent(body)
		if diff := diffEvents(got, again); err != nil || diff != "" {
			t.Fatalf("second parse: %v\n%s", err, diff)
		}
	})
}

// reference is ParseEvent as encoding/json would have it: every level decoded into a
// map. ok is false for what is not an event.
func reference(body []byte) (e Event, ok bool) {
	type object = map[string]json.RawMessage
	decode := func(raw []byte) (o object) {
		if json.Unmarshal(raw, &o) != nil {
			return nil
		}
		return o
	}
	str := func(raw json.RawMessage) (s string) {
		if json.Unmarshal(raw, &s) != nil {
			return ""
		}
		return s
	}
	payload := func(raw json.RawMessage) Payload {
		o := decode(raw)
		return Payload{
			Type: str(o["type"]), EventType: str(o["eventType"]), Status: str(o["status"]), Description: str(o["description"]),
			CampaignID: str(o["campaignId"]), TCRCampaignID: str(o["tcrCampaignId"]), BrandID: str(o["brandId"]),
			PhoneNumber: str(o["phoneNumber"]), Reasons: o["reasons"],
		}
	}
	sum := sha256.Sum256(body)
	hash := "sha256-" + hex.EncodeToString(sum[:])
	top := decode(body)
	if isNull(top["data"]) {
		if str(top["campaignId"]) == "" {
			return Event{}, false
		}
		return Event{ID: hash, Type: EventCampaignUpdate, Payload: payload(body)}, true
	}
	data := decode(top["data"])
	e = Event{ID: str(data["id"]), Type: str(data["event_type"]), Payload: payload(data["payload"])}
	if e.Type == "" {
		return Event{}, false
	}
	if !usableID(e.ID) {
		e.ID = hash
	}
	if at, ok := data["occurred_at"]; ok {
		_ = e.OccurredAt.UnmarshalJSON(at)
	}
	return e, true
}

func TestParseEvent_ReadsJSONAsTheStandardLibraryDoes(t *testing.T) {
	for _, body := range []string{
		`{"data":{"event_type":"a","event_type":"b","id":"1","id":2,"payload":{"type":"t","type":null}}}`,
		`{"d\u0061ta":{"\u0065vent_type":"\u0031\u0030dlc","id":"\"\\\/","payload":{"brandId":"\ud83d\ude00","c\u0061mpaignId":"x"}}}`,
		"\n\t {\r\n\"data\" :\t{ \"event_type\" : \"e\" , \"payload\":{ \"reasons\" : [ {\"a\":\"]}\\\"\"} , 1.5e3 , true ] , \"type\":\"t\" } } , \"meta\":{\"attempt\": 3 } } \n",
		`{"data":{"event_type":"e"},"data":null,"campaignId":"C"}`,
		`{"data":null,"data":{"event_type":"e"}}`, `{"campaignId":"a","campaignId":""}`, `{"campaignId":"a","campaignId":"b"}`,
		"{\"campaignId\":\"a\xffb\",\"\xff\":1}", `{"campaignId":"a\ud800"}`, `{"":{"":[]},"campaignId":"x"}`,
		`{"data":{"event_type":"e"},"meta":{"attempt":1e3}}`, `{"data":{"event_type":"e"},"meta":{"attempt":-1}}`,
		`{"data":{"event_type":"e"},"meta":{"attempt":99999999999999999999}}`, `{"data":{"event_type":"e"},"meta":{"attempt":null}}`,
		`{"data":{"event_type":"e","occurred_at":null,"payload":"text"}}`, `{"data":{"event_type":"e","payload":{}}}`, `{"data":{}}`,
		`{"data":{"event_type":"e","payload":true},"x":-0.5,"y":[],"z":[[],{}]}`,
	} {
		assertAsReference(t, []byte(body))
	}
}

// assertAsReference compares ParseEvent with the reference, and returns its results.
func assertAsReference(t *testing.T, body []byte) (Event, error) {
	t.Helper()
	got, err := ParseEvent(body)
	want, ok := reference(body)
	if (err == nil) != ok {
		t.Fatalf("%q: error %v, and the reference says %t", body, err, ok)
	}
	if diff := diffEvents(want, got); diff != "" {
		t.Errorf("%q (-reference +got):\n%s", body, diff)
	}
	return got, err
}

// diffEvents is cmp.Diff, but fast if the events are the same.
func diffEvents(want, got Event) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return cmp.Diff(want, got)
}
