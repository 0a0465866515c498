package app

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"greenlight/internal/telnyx"
	"greenlight/internal/webhook"
)

// Webhook is the public listener and the notifications that it accepts.
type Webhook struct {
	PublicKey     string `name:"telnyx-public-key" env:"TELNYX_PUBLIC_KEY" placeholder:"KEY[,KEY]" help:"Public key that verifies Telnyx's notifications. While rotating, several, separated by commas."`
	PublicKeyFile string `name:"telnyx-public-key-file" env:"TELNYX_PUBLIC_KEY_FILE" placeholder:"FILE" help:"File with the public key or keys. Read again when it changes, and on SIGHUP."`
	Address       string `name:"listen" env:"LISTEN" placeholder:"ADDR" help:"Public address that Telnyx posts to. The path is /webhooks/telnyx. Default: PORT on every interface, or :8080."`
	Port          string `name:"port" env:"PORT" placeholder:"PORT" help:"Port of the public address if LISTEN is not set. Platforms like Render, Railway and Cloud Run set it."`
	MaxBody       string `name:"max-body" env:"MAX_BODY" default:"262144" placeholder:"BYTES" help:"Maximum size of a request body (${default})."`
	GroupCommit   string `name:"group-commit" env:"GROUP_COMMIT" default:"no" placeholder:"yes|no" help:"Store events that arrive together in one commit (${default}). Faster if NATS syncs every message to disk (sync_always), otherwise slower. greenlight up always does."`
	MaxConns      string `name:"max-connections" env:"MAX_CONNECTIONS" default:"2000" placeholder:"N" help:"Maximum connections to the public address (${default}). Further ones wait until one ends."`
	DrainDelay    string `name:"drain-delay" env:"DRAIN_DELAY" default:"0s" placeholder:"DURATION" help:"How long to accept deliveries after a stop has made the process unready (${default}). Use the time that your load balancer takes to notice."`
	EventTypes    string `name:"event-types" env:"EVENT_TYPES" default:"10dlc.*,brand.*,campaign.*" placeholder:"LIST" help:"Event types to store (${default}). Others are verified and answered, but not stored."`
}

// Keys returns the public keys, nil if they are missing or malformed, which is noted.
func (s Webhook) Keys(faults *Faults) []telnyx.PublicKey {
	text := readSecret(readSmall, faults, "TELNYX_PUBLIC_KEY", s.PublicKey, s.PublicKeyFile,
		"Copy it from Mission Control (https://portal.telnyx.com), Account, Keys & Credentials, Public Key: 44 characters that end in =.")
	if text == "" {
		return nil
	}
	keys, err := telnyx.ParsePublicKeys(text)
	if err != nil {
		faults.addKey(err)
		return nil
	}
	return keys
}

// addKey notes a public key that cannot be used. The error says where the right one is.
func (f *Faults) addKey(err error) { f.add("TELNYX_PUBLIC_KEY", "cannot be used: "+err.Error(), "") }

// Config returns the webhook's configuration as far as it is settings.
func (s Webhook) Config(faults *Faults) webhook.Config {
	config := webhook.Config{
		MaxBody:     int64(readCount(faults, "MAX_BODY", s.MaxBody, 1<<10, webhook.MaxMaxBody)),
		GroupCommit: readYes(faults, "GROUP_COMMIT", s.GroupCommit),
	}
	if keys := s.Keys(faults); keys != nil {
		var err error
		if config.Verifier, err = telnyx.NewVerifier(keys, time.Now); err != nil {
			faults.addKey(err)
		}
	}
	for eventType := range strings.SplitSeq(s.EventTypes, ",") {
		eventType = strings.TrimSpace(eventType)
		prefix, wild := strings.CutSuffix(eventType, "*")
		if prefix == "" || strings.Contains(prefix, "*") || !wild && strings.HasSuffix(prefix, ".") {
			faults.add("EVENT_TYPES", fmt.Sprintf("contains %q", eventType), "Use event types separated by commas, for example 10dlc.*,brand.*; each may end in a star.")
			continue
		}
		config.EventTypes = append(config.EventTypes, eventType)
	}
	switch {
	case s.Address != "":
		checkAddress(faults, "LISTEN", s.Address)
	case s.Port != "":
		readCount(faults, "PORT", s.Port, 0, 65535)
	}
	return config
}

// Listen listens on LISTEN or, if that is not set, on PORT or 8080 of every interface.
func (s Webhook) Listen() (net.Listener, error) {
	setting, address := "LISTEN", s.Address
	if address == "" && s.Port != "" {
		setting, address = "PORT", ":"+s.Port
	}
	listener, err := Listen(cmp.Or(address, ":8080"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w; use another address with --listen", setting, err)
	}
	return listener, nil
}

// Server returns the options of the public listener's server.
func (s Webhook) Server(faults *Faults) ServerOptions {
	return ServerOptions{
		MaxConnections: readCount(faults, "MAX_CONNECTIONS", s.MaxConns, 10, 100_000),
		DrainDelay:     readDuration(faults, "DRAIN_DELAY", s.DrainDelay, 0, time.Minute, "0s to 1m", "5s"),
	}
}

// KeyFile returns the watch over the file of the verifier's keys, nil if they are not in a
// file.
func (s Webhook) KeyFile(verifier *telnyx.Verifier) *KeyFile {
	if s.PublicKeyFile == "" || verifier == nil {
		return nil
	}
	return NewKeyFile(s.PublicKeyFile, verifier)
}

// TLS is the certificate of the public listener. Without any of its settings the listener
// speaks plain HTTP, and a proxy before it must speak TLS.
type TLS struct {
	Cert      string `name:"tls-cert" env:"TLS_CERT" placeholder:"FILE" help:"Certificate chain of the public listener, in PEM form. Read again when it changes."`
	Key       string `name:"tls-key" env:"TLS_KEY" placeholder:"FILE" help:"Private key of the certificate, in PEM form."`
	Auto      string `name:"tls-auto" env:"TLS_AUTO" placeholder:"HOST[,HOST]" help:"Get certificates for these names from Let's Encrypt, and accept its terms of service. Port 443 of each name must lead to --listen."`
	AutoDir   string `name:"tls-auto-directory" env:"TLS_AUTO_DIRECTORY" placeholder:"URL" help:"ACME directory for --tls-auto. Default: that of Let's Encrypt. For trials: https://acme-staging-v02.api.letsencrypt.org/directory."`
	AutoCache string `name:"tls-auto-cache" env:"TLS_AUTO_CACHE" placeholder:"DIR" help:"Private folder for the certificates and keys of --tls-auto. Default: certificates in the data folder, if there is one."`
}

// Certificates returns the listener's certificates, nil for plain HTTP. DataDir is the
// process's data folder, empty if it has none.
func (s TLS) Certificates(faults *Faults, dataDir string) *Certificates {
	switch {
	case s.Auto != "" && (s.Cert != "" || s.Key != ""):
		faults.add("TLS_AUTO", "is set together with TLS_CERT or TLS_KEY", "Use either TLS_AUTO or the two files.")
	case s.Cert != "" && s.Key == "":
		faults.add("TLS_KEY", "is missing, but TLS_CERT is set", "Give the file with the certificate's private key, or leave out both.")
	case s.Key != "" && s.Cert == "":
		faults.add("TLS_CERT", "is missing, but TLS_KEY is set", "Give the file with the certificate, or leave out both.")
	case s.Cert != "":
		certificates, err := LoadCertificate(s.Cert, s.Key)
		if err != nil {
			faults.add("TLS_CERT", "and TLS_KEY cannot be used: "+err.Error(), "Give a certificate and its key, both in PEM form.")
		}
		return certificates
	case s.Auto != "":
		return s.issued(faults, dataDir)
	case s.AutoCache != "":
		faults.add("TLS_AUTO", "is missing, but TLS_AUTO_CACHE is set", "Give the host names for the certificates, or leave out both.")
	case s.AutoDir != "":
		faults.add("TLS_AUTO", "is missing, but TLS_AUTO_DIRECTORY is set", "Give the host names for the certificates, or leave out both.")
	}
	return nil
}

// stagingDirectory is that of Let's Encrypt for trials
// (https://letsencrypt.org/docs/staging-environment/).
const stagingDirectory = "https://acme-staging-v02.api.letsencrypt.org/directory"

// issued returns certificates that an authority issues.
func (s TLS) issued(faults *Faults, dataDir string) *Certificates {
	before := len(*faults)
	hosts, dir := s.hosts(faults), s.AutoCache
	if dir == "" && dataDir != "" {
		dir = filepath.Join(dataDir, "certificates")
	}
	if dir == "" {
		faults.add("TLS_AUTO_CACHE", "is missing, but TLS_AUTO is set",
			"Give a folder that outlasts restarts: Let's Encrypt limits how often it issues a certificate.")
	}
	if s.AutoDir != "" {
		authority, err := url.Parse(s.AutoDir)
		if err != nil || authority.Scheme != "https" || authority.Host == "" {
			faults.addValue("TLS_AUTO_DIRECTORY", s.AutoDir, "the https URL of an ACME directory, for example "+stagingDirectory)
		} else {
			dir = filepath.Join(dir, folderOf(authority))
		}
	}
	if len(*faults) > before {
		return nil
	}
	certificates, err := NewIssued(hosts, dir, s.AutoDir, nil)
	if err != nil {
		faults.add("TLS_AUTO_CACHE", "cannot be used: "+fileError(err).Error(), "Give a folder that only this user can access.")
	}
	return certificates
}

// hosts returns the host names, and notes those that cannot be used.
func (s TLS) hosts(faults *Faults) []string {
	var hosts []string
	for host := range strings.SplitSeq(s.Auto, ",") {
		host = strings.TrimSpace(host)
		if !isPublicHost(host) {
			faults.add("TLS_AUTO", fmt.Sprintf("contains %q, which is not a public host name in lower case", host), "Use names like hooks.example.com, separated by commas.")
			continue
		}
		hosts = append(hosts, host)
	}
	return hosts
}

// folderOf is the folder for an authority's account and certificates. Each authority has
// one: certificates from a trial, which nobody trusts, must not be used later.
func folderOf(authority *url.URL) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, strings.ToLower(authority.Host+strings.TrimSuffix(authority.Path, "/")))
}
