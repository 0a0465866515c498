package notice_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"greenlight/internal/notice"
	"greenlight/internal/testkit"
)

// secrets are in the addresses of this file, and must not be in any error.
var secrets = []string{"s3cret", "T0KEN", "AAAAAAAAA", "BBBBBBBBB", "123456789123456789123456"}

func hasNoSecret(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("got no error")
	}
	for _, secret := range secrets {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error has %s: %v", secret, err)
		}
	}
}

func open(t *testing.T, address string) notice.Receiver {
	t.Helper()
	receiver, err := notice.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	return receiver
}

func TestOpen_RefusesAnAddressWithoutRepeatingIt(t *testing.T) {
	for _, address := range []string{
		"s3cret", "s3cret://T0KEN", "slack://s3cret", "https://hooks.slack.com/services/T0KEN/s3cret", "://s3cret", "smtp://user:s3cret@%zz", "xoxb-T0KEN:s3cret",
		"slack://hook:T0KEN@", "slack://hook:AAAAAAAAA-BBBBBBBBB-123456789123456789123456@webhook?s3cret=1", "discord://T0KEN", "generic+ftp://s3cret",
		"generic+https://?s3cret", "generic+https://example.com/s3cret?template=s3cret", "teams+ftp://s3cret", "teams://s3cret@T0KEN/a/b/c?host=evil.example.com",
		"smtp://user:s3cret@mail.example.com/?from=s3cret&to=b@example.com", "smtp://user:s3cret@mail.example.com/?from=a@example.com", "smtp://user:s3cret@mail.example.com/?from=a@example.com&to=b@example.com&s3cret=1",
		"matrix://user:s3cret@127.0.0.1:1/", "smtp://user:s3cret@mail.example.com/?from=a@example.com&to=b@example.com&auth=oauth2",
		"teams://s3cret@T0KEN/a/b/c?host=org.webhook.office.com", "discord://T0KEN@123?icon=s3cret", "slack://hook:AAAAAAAAA-BBBBBBBBB-123456789123456789123456@webhook?avatar=s3cret",
	} {
		_, err := notice.Open(address)
		if !errors.Is(err, notice.ErrAddress) {
			t.Errorf("%s: got %v, want ErrAddress", address, err)
			continue
		}
		hasNoSecret(t, err)
	}
}

func TestSend_PostsTheTextToAGenericAddress(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = fmt.Sprintf("%s %s %s %q %s", r.Method, r.URL, r.Header.Get("Content-Type"), r.Header.Get("Authorization"), body)
	}))
	defer server.Close()
	for address, want := range map[string]string{
		"/hook/s3cret": `POST /hook/s3cret text/plain; charset=utf-8 "" Completed: all of it.`,
		"/hook?key=1&template=json&messagekey=text&@authorization=Bearer+T0KEN":   `POST /hook?key=1 application/json "Bearer T0KEN" {"text":"Completed: all of it.","title":"Greenlight"}`,
		"/hook?Key=1&key=2&template=JSON&messageKey=text&titleKey=head&Title=Ops": `POST /hook?Key=1&key=2 application/json "" {"head":"Ops","text":"Completed: all of it."}`,
	} {
		if err := open(t, "generic+"+server.URL+address).Send(t.Context(), "Completed: all of it."); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestOpen_RefusesToTrustAnyCertificate(t *testing.T) {
	const address = "smtp://user:s3cret@mail.example.com/?from=a@example.com&to=b@example.com&skipTLSVerify="
	_, err := notice.Open(address + "Yes")
	hasNoSecret(t, err)
	if !strings.Contains(err.Error(), "skiptlsverify") {
		t.Errorf("got %v, want the parameter named", err)
	}
	open(t, address+"No")
}

func TestSend_SaysWhatIsWrongWithoutRepeatingTheAddress(t *testing.T) {
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
	const unreachable = "connection refused"
	for name, test := range map[string]struct{ address, want string }{
		"refused":   {"generic+" + refusing.URL + "/s3cret?token=T0KEN", "generic: it answered with status 403"},
		"gone":      {"generic+http://user:s3cret@" + gone.Addr().String() + "/T0KEN", "generic: " + unreachable},
		"teams":     {"teams+http://" + gone.Addr().String() + "/T0KEN", "teams: " + unreachable},
		"mail":      {"smtp://user:s3cret@" + gone.Addr().String() + "/?from=a@example.com&to=b@example.com", "smtp: " + unreachable},
		"untrusted": {"generic+https://user:s3cret@" + untrusted.Listener.Addr().String() + "/T0KEN", "generic: the certificate is not trusted, or not valid for the host name"},
	} {
		t.Run(name, func(t *testing.T) {
			err := open(t, test.address).Send(t.Context(), "text")
			hasNoSecret(t, err)
			if err.Error() != test.want {
				t.Errorf("got %q, want %q", err, test.want)
			}
		})
	}
}

func TestSend_AHangingReceiverDoesNotSilenceLaterNotices(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if calls.Add(1) == 1 {
			<-release
		}
	}))
	defer server.Close()
	defer close(release)
	receiver := open(t, "generic+"+server.URL)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := receiver.Send(ctx, "first"); err == nil || err.Error() != "generic: no answer in time" {
		t.Errorf("got %v", err)
	}
	if err := receiver.Send(t.Context(), "second"); err != nil {
		t.Errorf("got %v, want the second notice to be sent", err)
	}
}

func TestSend_FollowsNoRedirect(t *testing.T) {
	var asked atomic.Int32
	third := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer third.Close()
	server := httptest.NewServer(http.RedirectHandler(third.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	err := open(t, "generic+"+server.URL+"/s3cret").Send(t.Context(), "text")
	if err == nil || err.Error() != "generic: it answered with status 307" || asked.Load() > 0 {
		t.Errorf("got %v, and %d requests at the third host", err, asked.Load())
	}
}

func TestSend_ReadsABoundedAnswer(t *testing.T) {
	var written atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		part := []byte(strings.Repeat("x", 64<<10))
		for written.Load() < 64<<20 {
			n, err := w.Write(part)
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	}))
	if err := open(t, "generic+"+server.URL).Send(t.Context(), "text"); err != nil {
		t.Error(err)
	}
	server.Close() // waits for the handler
	if got := written.Load(); got > 16<<20 {
		t.Errorf("%d bytes of an endless answer were taken", got)
	}
}

// mailServer speaks SMTP and returns the received mail. Greeting is its first line.
func mailServer(t *testing.T, greeting string) (address string, mails <-chan string) {
	t.Helper()
	got := make(chan string, 1)
	return testkit.Answering(t, func(conn net.Conn) {
		if _, err := io.WriteString(conn, greeting); err != nil {
			return
		}
		var mail strings.Builder
		inMail := false
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			line := lines.Text()
			switch {
			case inMail && line == ".":
				inMail = false
				got <- mail.String()
				fmt.Fprint(conn, "250 taken\r\n")
			case inMail:
				mail.WriteString(line + "\n")
			case strings.HasPrefix(line, "DATA"):
				inMail = true
				fmt.Fprint(conn, "354 go on\r\n")
			case strings.HasPrefix(line, "RCPT") && strings.Contains(line, "nobody"):
				fmt.Fprint(conn, "550 s3cret\r\n")
			case strings.HasPrefix(line, "EHLO"):
				fmt.Fprint(conn, "250-here\r\n250 AUTH PLAIN\r\n")
			case strings.HasPrefix(line, "AUTH"):
				fmt.Fprint(conn, "235 in\r\n")
			default:
				fmt.Fprint(conn, "250 fine\r\n")
			}
		}
	}), got
}

func TestSend_MailsTheText(t *testing.T) {
	address, mails := mailServer(t, "220 here\r\n")
	receiver := open(t, "smtp://user:s3cret@"+address+"/?fromAddress=greenlight@example.com&toAddresses=a@example.com,b+ops@example.com&Subject=Numbers"+
		"&auth=Plain&encryption=Auto&useHTML=No&useStartTLS=Yes&requireStartTLS=No&timeout=10s")
	if err := receiver.Send(t.Context(), "Completed: all of it.\n.\nEnd"); err != nil {
		t.Fatal(err)
	}
	mail := <-mails
	for _, want := range []string{
		"From: \"Greenlight\" <greenlight@example.com>\n", "To: <a@example.com>, <b+ops@example.com>\n", "Subject: Numbers\n", "\n\nCompleted: all of it.\n..\nEnd",
	} {
		if !strings.Contains(mail, want) {
			t.Errorf("the mail lacks %q:\n%s", want, mail)
		}
	}
}

func TestSend_SendsNoMailUnencryptedIfTLSIsRequired(t *testing.T) {
	address, mails := mailServer(t, "220 here\r\n")
	err := open(t, "smtp://"+address+"/?fromAddress=a@example.com&toAddresses=b@example.com&requireStartTLS=Yes").Send(t.Context(), "text")
	if err == nil || !strings.Contains(err.Error(), "STARTTLS") || len(mails) > 0 {
		t.Errorf("got %v and %d mails, want STARTTLS asked for and none", err, len(mails))
	}
}

func TestSend_ReportsTheStatusOfAMailServer(t *testing.T) {
	address, _ := mailServer(t, "220 here\r\n")
	err := open(t, "smtp://"+address+"/?from=greenlight@example.com&to=nobody@example.com").Send(t.Context(), "text")
	hasNoSecret(t, err)
	if err.Error() != "smtp: it answered with status 550" {
		t.Errorf("got %v", err)
	}
}

func TestSend_LimitsAMailServer(t *testing.T) {
	t.Parallel()
	silent, _ := mailServer(t, "")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := open(t, "smtp://"+silent+"/?from=a@example.com&to=b@example.com").Send(ctx, "text"); err == nil || err.Error() != "smtp: no answer in time" {
		t.Errorf("a silent server: got %v", err)
	}
	written := make(chan int64, 1)
	endless := testkit.Answering(t, func(conn net.Conn) {
		n, _ := io.Copy(conn, strings.NewReader(strings.Repeat("x", 64<<20)))
		written <- n
	})
	if err := open(t, "smtp://"+endless+"/?from=a@example.com&to=b@example.com").Send(t.Context(), "text"); err == nil {
		t.Error("an endless line: got no error")
	}
	if got := <-written; got > 16<<20 {
		t.Errorf("an endless line: got %d bytes read, want a small part", got)
	}
}

func TestSend_SendsNoPasswordUnencryptedToAnotherMachine(t *testing.T) {
	address, mails := mailServer(t, "220 here\r\n")
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	other := "[::ffff:127.0.0.1]:" + port // the same server under a name that is not known as local
	err = open(t, "smtp://user:s3cret@"+other+"/?from=a@example.com&to=b@example.com").Send(t.Context(), "text")
	if err == nil || err.Error() != "smtp: it does not offer TLS, and a password is not sent unencrypted" || len(mails) > 0 {
		t.Errorf("got %v and %d mails, want no password sent", err, len(mails))
	}
}
