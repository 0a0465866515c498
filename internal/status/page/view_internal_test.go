package page

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"greenlight/internal/status"
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

// Open pages with the same address share what was rendered.
func TestView_IsRenderedOnceForAVersion(t *testing.T) {
	t.Parallel()
	p := New(Config{View: status.NewView(status.ViewConfig{}), Renew: time.Hour})
	read := func(address string) *view {
		t.Helper()
		at, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		v, err := p.view(t.Context(), at, &memo{})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	first := read("/status")
	if read("/status") != first || read("/status?show=bogus") != first {
		t.Error("the same page was rendered twice")
	}
	if read("/status?show=person") == first {
		t.Error("another filter has the same page")
	}
	for i := range 3 * p.config.MaxStreams {
		read(fmt.Sprint("/status?q=", i))
	}
	if got := len(p.rendered.views); got > p.config.MaxStreams {
		t.Errorf("%d views are kept, want at most %d", got, p.config.MaxStreams)
	}
	p.config.Renew = 0
	if last := read("/status"); read("/status") == last {
		t.Error("an old page was shown again")
	}
}
