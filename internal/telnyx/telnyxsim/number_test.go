package telnyxsim_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"greenlight/internal/telnyx/telnyxsim"
)

func TestNumbers_ListIsFilteredAndPaged(t *testing.T) {
	sim := account(t, telnyxsim.Options{})
	for _, tc := range []struct {
		name, query string
		want        []string
	}{
		{"all", "", []string{numberA, numberB, numberC, tollFree, noProfile}},
		{"one", query("filter[phone_number]", numberB), []string{numberB}},
		{"several", query("filter[phone_number]", numberC+","+numberA), []string{numberA, numberC}},
		{"part of a number is not exact", query("filter[phone_number]", "+1555"), []string{}},
		{"a plus that became a space", "?filter[phone_number]=" + numberA, []string{}},
		{"contains", query("filter[phone_number][contains]", "555123"), []string{numberA, numberB, numberC, noProfile}},
		{"type, the other spelling", query("filter[type]", "tollfree"), []string{tollFree}},
		{"profile", query("filter[messaging_profile_id]", profileID), []string{numberA, numberB, numberC, tollFree}},
		{"unknown filter", query("filter[nope]", "x", "page[size]", "1"), []string{numberA}},
		{"second page", query("page[size]", "2", "page[number]", "2"), []string{numberC, tollFree}},
		{"sorted", query("sort[phone_number]", "desc", "page[size]", "2"), []string{tollFree, noProfile}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := call(t, sim, "GET", "/phone_numbers/messaging"+tc.query, "").column(t, "data", "phone_number")
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("numbers (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNumbers_PageSizeEndsAt250(t *testing.T) {
	sim := account(t, telnyxsim.Options{})
	got := call(t, sim, "GET", "/phone_numbers/messaging"+query("page[size]", "1000"), "").object(t)
	want := map[string]any{"total_pages": 1.0, "total_results": 5.0, "page_number": 1.0, "page_size": 250.0}
	if diff := cmp.Diff(want, got["meta"]); diff != "" {
		t.Errorf("meta (-want +got):\n%s", diff)
	}
}

func TestNumbers_ProfileIsSetKeptAndRemoved(t *testing.T) {
	sim := account(t, telnyxsim.Options{})
	for i, tc := range []struct {
		body      string
		want      any
		effective bool
	}{
		{`{"messaging_profile_id":"` + profileFor + `"}`, profileFor, true},
		{`{"messaging_profile_id":"` + profileFor + `"}`, profileFor, false},
		{`{"messaging_profile_id":null}`, profileFor, false},
		{`{"tags":["spring"]}`, profileFor, true},
		{`{"messaging_profile_id":""}`, nil, true},
	} {
		got := call(t, sim, "PATCH", "/phone_numbers/"+noProfile+"/messaging", tc.body)
		data, _ := got.object(t)["data"].(map[string]any)
		if got.status != 200 || data["messaging_profile_id"] != tc.want {
			t.Errorf("PATCH %s = %d %s, want profile %v", tc.body, got.status, got.body, tc.want)
		}
		if w := sim.Writes()[i]; w.Effective != tc.effective || w.PhoneNumber != noProfile {
			t.Errorf("PATCH %s: write = %+v, want effective %t", tc.body, w, tc.effective)
		}
	}
}

func TestNumbers_TellWhenTheyWereSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := account(t, telnyxsim.Options{})
		defer sim.Close()
		seeded := time.Now()
		for _, tc := range []struct {
			body string
			want time.Time
		}{
			{`{"tags":["spring"]}`, seeded.Add(time.Hour)},
			{`{"tags":["spring"]}`, seeded.Add(time.Hour)}, // the same again
		} {
			time.Sleep(time.Hour)
			got := call(t, sim, "PATCH", "/phone_numbers/"+numberA+"/messaging", tc.body)
			data, _ := got.object(t)["data"].(map[string]any)
			created, updated := seeded.UTC().Format(time.RFC3339Nano), tc.want.UTC().Format(time.RFC3339Nano)
			if data["created_at"] != created || data["updated_at"] != updated {
				t.Errorf("created %v, updated %v; want %s and %s", data["created_at"], data["updated_at"], created, updated)
			}
			if w := sim.Writes(); !w[len(w)-1].At.Equal(time.Now()) {
				t.Errorf("the write was at %s, want now", w[len(w)-1].At)
			}
		}
	})
}

func TestNumbers_AreKnownByTheirIDToo(t *testing.T) {
	sim := account(t, telnyxsim.Options{})
	sim.AddNumbers(telnyxsim.Number{PhoneNumber: numberA, ID: "1293384261075731499"})
	got := call(t, sim, "GET", "/phone_numbers/1293384261075731499/messaging", "")
	if got.status != 200 || !strings.Contains(got.body, numberA) {
		t.Errorf("GET by id = %d %s", got.status, got.body)
	}
	for name, refused := range map[string]reply{
		"unknown number":  call(t, sim, "GET", "/phone_numbers/1/messaging", ""),
		"unknown to set":  call(t, sim, "PATCH", "/phone_numbers/1/messaging", "{}"),
		"unknown profile": call(t, sim, "PATCH", "/phone_numbers/"+numberA+"/messaging", `{"messaging_profile_id":"nope"}`),
	} {
		if refused.status != 404 || refused.code(t) != "10005" {
			t.Errorf("%s = %d %s, want 404 with 10005", name, refused.status, refused.body)
		}
	}
	if got := call(t, sim, "PATCH", "/phone_numbers/"+numberA+"/messaging", "{"); got.status != 400 {
		t.Errorf("PATCH with half a body = %d, want 400", got.status)
	}
}

func TestProfileNumbers_AreListed(t *testing.T) {
	sim := account(t, telnyxsim.Options{})
	got := call(t, sim, "GET", "/messaging_profiles/"+profileID+"/phone_numbers"+query("page[size]", "3"), "")
	if diff := cmp.Diff([]string{numberA, numberB, numberC}, got.column(t, "data", "phone_number")); diff != "" {
		t.Errorf("numbers (-want +got):\n%s", diff)
	}
	if got := call(t, sim, "GET", "/messaging_profiles/nope/phone_numbers", ""); got.status != 404 {
		t.Errorf("unknown profile = %d, want 404", got.status)
	}
}
