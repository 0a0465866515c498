package shout_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"greenlight/internal/notice/shout"
)

// secrets are what stands in the addresses of this file and must not come out.
var secrets = []string{"s3cret", "T0KEN", "AAAAAAAAA", "BBBBBBBBB", "123456789123456789123456"}

func tellsNothing(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("got no error")
	}
	for _, secret := range secrets {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error tells %s: %v", secret, err)
		}
	}
}

func TestSend_PostsTheTextWhereTheAddressLeads(t *testing.T) {
	got := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r.URL.Path + " " + string(body)
	}))
	defer server.Close()
	receiver, err := shout.New("generic+" + server.URL + "/hook/s3cret")
	if err != nil {
		t.Fatal(err)
	}
	if err := receiver.Send(t.Context(), "Completed: all of it."); err != nil {
		t.Fatal(err)
	}
	if got, want := <-got, "/hook/s3cret Completed: all of it."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNew_RefusesAnAddressWithoutTellingIt(t *testing.T) {
	for _, address := range []string{
		"s3cret", "s3cret://T0KEN", "slack://s3cret", "https://hooks.slack.com/services/T0KEN/s3cret", "://s3cret", "smtp://user:s3cret@%zz", "xoxb-T0KEN:s3cret",
		"slack://hook:T0KEN@", "discord://T0KEN", "generic+ftp://s3cret\n", "matrix://user:s3cret@127.0.0.1:1/?disableTLS=yes",
	} {
		_, err := shout.New(address)
		if !errors.Is(err, shout.ErrURL) {
			t.Errorf("%s: got %v, want ErrURL", address, err)
			continue
		}
		tellsNothing(t, err)
	}
}

func TestSend_SaysWhatIsWrongWithoutTellingTheAddress(t *testing.T) {
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, r.URL.String(), http.StatusForbidden)
	}))
	defer refusing.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer untrusted.Close()
	const unreachable = "it cannot be reached: connection refused"
	for name, test := range map[string]struct{ address, want string }{
		"refused": {"generic+" + refusing.URL + "/s3cret?token=T0KEN", "generic: it answered with status 403"},
		// This service's error has the cause in words alone, which may tell the address.
		"gone":      {"generic+http://user:s3cret@" + gone.Addr().String() + "/T0KEN", "generic: it could not be reached, or refused the message"},
		"mail":      {"smtp://user:s3cret@" + gone.Addr().String() + "/?from=a@example.com&to=b@example.com", "smtp: " + unreachable},
		"gotify":    {"gotify://" + gone.Addr().String() + "/AAAAAAAAAs3cret?disabletls=yes", "gotify: " + unreachable},
		"ntfy":      {"ntfy://user:s3cret@" + gone.Addr().String() + "/T0KEN?scheme=http", "ntfy: " + unreachable},
		"untrusted": {"ntfy://user:s3cret@" + untrusted.Listener.Addr().String() + "/T0KEN", "ntfy: its certificate is not to be trusted"},
	} {
		t.Run(name, func(t *testing.T) {
			receiver, err := shout.New(test.address)
			if err != nil {
				t.Fatal(err)
			}
			err = receiver.Send(t.Context(), "text")
			tellsNothing(t, err)
			if err.Error() != test.want {
				t.Errorf("got %q, want %q", err, test.want)
			}
		})
	}
}

func TestSend_LeavesBehindAReceiverThatHangs(t *testing.T) {
	release := make(chan struct{})
	asked := make(chan struct{}, 10)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-release
	}))
	defer server.Close()
	defer close(release)
	receiver, err := shout.New("generic+" + server.URL)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if err := receiver.Send(ctx, "first"); err == nil {
		t.Error("a message without an answer counts as sent")
	}
	ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := receiver.Send(ctx, "second"); err == nil || !strings.Contains(err.Error(), "still being sent") {
		t.Errorf("got %v, want the second to wait for the first", err)
	}
	if len(asked) > 0 {
		t.Error("two messages are on their way at once")
	}
}
