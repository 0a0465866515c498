package notice

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"slices"
	"strings"
	"time"
)

// maxMailAnswers limits what is read from a mail server in one session, in bytes: a dozen
// lines and its certificates.
const maxMailAnswers = 256 << 10

// mailbox sends notices by SMTP. Safe for concurrent use.
type mailbox struct {
	host, port     string
	user, password string
	from           *mail.Address
	to             []*mail.Address
	subject        string
	client         string // our host name in HELO
	startTLS       bool
	// requireStartTLS sends nothing to a server that does not offer STARTTLS.
	requireStartTLS bool
	implicitTLS     bool
}

// openMail reads an address of shoutrrr's smtp service.
func openMail(a address) (Receiver, error) {
	m := &mailbox{host: a.Hostname(), port: cmp.Or(a.Port(), "25"), user: a.User.Username()}
	m.password, _ = a.User.Password()
	m.subject = cmp.Or(a.take("subject", "title"), title)
	m.client = cmp.Or(a.take("clienthost"), "localhost")
	m.startTLS = isYes(cmp.Or(a.take("usestarttls", "starttls"), "yes"))
	m.requireStartTLS = isYes(a.take("requirestarttls"))
	if isYes(a.take("skiptlsverify")) {
		return nil, errors.New("skiptlsverify is not supported, because anyone could pose as the mail server; add its authority to the system's trusted certificates")
	}
	switch strings.ToLower(a.take("auth")) {
	case "", "plain", "unknown":
	case "none":
		m.user = ""
	default:
		return nil, errors.New("its auth is not plain or none")
	}
	switch encryption := strings.ToLower(a.take("encryption")); encryption {
	case "", "auto":
		m.implicitTLS = m.port == "465"
	case "implicittls":
		m.implicitTLS = true
	case "explicittls":
	case "none":
		m.startTLS = false
	default:
		return nil, errors.New("its encryption is not auto, implicittls, explicittls or none")
	}
	from, to := a.take("fromaddress", "from"), a.take("toaddresses", "to")
	name := a.take("fromname")
	if err := a.leftOver("usehtml", "timeout"); err != nil {
		return nil, err
	}
	// A plus sign in a query means a blank, which a mail address cannot contain.
	sender, err := mail.ParseAddress(strings.ReplaceAll(from, " ", "+"))
	if err != nil {
		return nil, errors.New("from= is not a mail address")
	}
	m.from = &mail.Address{Name: cmp.Or(name, title), Address: sender.Address}
	if m.to, err = mail.ParseAddressList(strings.ReplaceAll(to, " ", "+")); err != nil {
		return nil, errors.New("to= is not a comma-separated list of mail addresses")
	}
	if m.host == "" {
		return nil, errors.New("it does not name a mail server")
	}
	return m, nil
}

func isYes(text string) bool {
	return slices.Contains([]string{"yes", "y", "true", "1"}, strings.ToLower(text))
}

// Send mails a notice until ctx ends. Its error contains nothing of the address.
func (m *mailbox) Send(ctx context.Context, text string) error {
	message, err := m.message(text)
	if err == nil {
		err = m.deliver(ctx, message)
	}
	if err == nil {
		return nil
	}
	if refused, ok := errors.AsType[*textproto.Error](err); ok {
		return fmt.Errorf("smtp: it answered with status %d", refused.Code)
	}
	for _, own := range []error{errPlainPassword, errNoStartTLS} {
		if errors.Is(err, own) {
			return fmt.Errorf("smtp: %w", own)
		}
	}
	if ctx.Err() != nil {
		return errors.New("smtp: no answer in time")
	}
	return fmt.Errorf("smtp: %w", withoutAddress(err))
}

// errPlainPassword is returned instead of sending a password unencrypted.
var errPlainPassword = errors.New("it does not offer TLS, and a password is not sent unencrypted")

// errNoStartTLS is returned instead of sending a mail unencrypted.
var errNoStartTLS = errors.New("it does not offer STARTTLS, which requirestarttls requires")

func (m *mailbox) deliver(ctx context.Context, message []byte) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(m.host, m.port))
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	var bounded net.Conn = &boundedConn{Conn: conn, left: maxMailAnswers}
	config := &tls.Config{ServerName: m.host, MinVersion: tls.VersionTLS12}
	if m.implicitTLS {
		bounded = tls.Client(bounded, config)
	}
	client, err := smtp.NewClient(bounded, m.host)
	if err != nil {
		return err
	}
	if err := client.Hello(m.client); err != nil {
		return err
	}
	if m.startTLS && !m.implicitTLS {
		if offered, _ := client.Extension("STARTTLS"); offered {
			err = client.StartTLS(config)
		} else if m.requireStartTLS {
			err = errNoStartTLS
		}
		if err != nil {
			return err
		}
	}
	if err := m.authenticate(client); err != nil {
		return err
	}
	if err := client.Mail(m.from.Address); err != nil {
		return err
	}
	for _, to := range m.to {
		if err := client.Rcpt(to.Address); err != nil {
			return err
		}
	}
	body, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := body.Write(message); err != nil {
		return err
	}
	if err := body.Close(); err != nil {
		return err
	}
	_ = client.Quit() // the server has accepted the message already
	return nil
}

func (m *mailbox) authenticate(client *smtp.Client) error {
	if m.user == "" {
		return nil
	}
	if _, encrypted := client.TLSConnectionState(); !encrypted && !slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, m.host) {
		return errPlainPassword
	}
	return client.Auth(smtp.PlainAuth("", m.user, m.password, m.host))
}

// message returns the mail with its headers. Their values come from the settings and are
// encoded, so that line breaks in them add no header.
func (m *mailbox) message(text string) ([]byte, error) {
	var b bytes.Buffer
	var to []string
	for _, address := range m.to {
		to = append(to, address.String())
	}
	fmt.Fprintf(&b, "From: %s\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\n", m.from, strings.Join(to, ", "),
		mime.QEncoding.Encode("utf-8", m.subject), time.Now().Format(time.RFC1123Z))
	b.WriteString("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	body := quotedprintable.NewWriter(&b)
	if _, err := io.WriteString(body, text); err != nil {
		return nil, err
	}
	if err := body.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// boundedConn fails after so many bytes: package smtp does not limit the length of a line.
type boundedConn struct {
	net.Conn
	left int
}

func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errors.New("the server sent too much")
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}
