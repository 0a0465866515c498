package page

import (
	"net/url"
	"strings"
	"testing"
)

func TestQuery_IsBoundedAndRoundTrips(t *testing.T) {
	t.Parallel()
	read := func(address string) query {
		t.Helper()
		at, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		return parseQuery(at.Query())
	}
	if got := read("?q=" + strings.Repeat("é", maxQuery+1)).Text; got != strings.Repeat("é", maxQuery) {
		t.Errorf("got %d bytes, want %d letters", len(got), maxQuery)
	}
	for address, want := range map[string]string{
		"?q=+spring+%26&phase=approved&show=not_owned&page=3": "?page=3&phase=approved&q=spring+%26&show=not_owned",
		"?page=1": "", "?phase=bogus&show=bogus": "", "?show=person": "?show=person",
	} {
		if q := read(address); q.encode(q.Page) != want {
			t.Errorf("%s: got %s, want %s", address, q.encode(q.Page), want)
		}
	}
}
