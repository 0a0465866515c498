package app

import (
	"fmt"
	"strings"
	"time"

	"greenlight/internal/telnyx"
	"greenlight/internal/webhook"
)

// Webhook is how Telnyx's notifications come in.
type Webhook struct {
	PublicKey     string `name:"telnyx-public-key" env:"TELNYX_PUBLIC_KEY" placeholder:"KEY[,KEY]" help:"Public key that Telnyx's notifications are verified with; several, with commas, while rotating."`
	PublicKeyFile string `name:"telnyx-public-key-file" env:"TELNYX_PUBLIC_KEY_FILE" placeholder:"FILE" help:"File that holds the public key, or several; read again when it changes, and on SIGHUP."`
	Listen        string `name:"listen" env:"LISTEN" default:":8080" placeholder:"ADDR" help:"Public address that Telnyx posts to (${default}). The path is /webhooks/telnyx."`
	MaxBody       string `name:"max-body" env:"MAX_BODY" default:"262144" placeholder:"BYTES" help:"Largest body that is read (${default})."`
	GroupCommit   string `name:"group-commit" env:"GROUP_COMMIT" default:"no" placeholder:"yes|no" help:"Store events that come together in one commit (${default}): faster where NATS syncs every message to disk (sync_always), slower elsewhere. greenlight up does it anyway."`
	MaxConns      string `name:"max-connections" env:"MAX_CONNECTIONS" default:"2000" placeholder:"N" help:"Connections to the public address at once (${default}); further ones wait until one ends."`
	DrainDelay    string `name:"drain-delay" env:"DRAIN_DELAY" default:"0s" placeholder:"TIME" help:"How long deliveries are still taken after the stop has turned readiness false (${default}): as long as your load balancer takes to notice."`
	EventTypes    string `name:"event-types" env:"EVENT_TYPES" default:"10dlc.*,brand.*,campaign.*" placeholder:"LIST" help:"Event types that are kept (${default}); others are verified, answered and forgotten."`
}

// Keys returns the public keys; none when they are missing or malformed, which is
// noted.
func (s Webhook) Keys(faults *Faults) []telnyx.PublicKey {
	text := secretReadBy(readSmall, faults, "TELNYX_PUBLIC_KEY", s.PublicKey, s.PublicKeyFile,
		"Copy it "+whereKeys+", Public Key: 44 characters that end in =.")
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

// addKey notes a public key that cannot be used.
func (f *Faults) addKey(err error) {
	f.add("TELNYX_PUBLIC_KEY", "cannot be used: "+err.Error(), "Copy it again "+whereKeys+", Public Key.")
}

// Config returns the webhook's configuration but for what is not a setting.
func (s Webhook) Config(faults *Faults) webhook.Config {
	config := webhook.Config{
		MaxBody:     int64(count(faults, "MAX_BODY", s.MaxBody, 1<<10, webhook.MaxMaxBody)),
		GroupCommit: yes(faults, "GROUP_COMMIT", s.GroupCommit),
	}
	if keys := s.Keys(faults); keys != nil {
		var err error
		if config.Verifier, err = telnyx.NewVerifier(keys, time.Now); err != nil {
			faults.addKey(err)
		}
	}
	for eventType := range strings.SplitSeq(s.EventTypes, ",") {
		eventType = strings.TrimSpace(eventType)
		beginning, wild := strings.CutSuffix(eventType, "*")
		if beginning == "" || strings.Contains(beginning, "*") || !wild && strings.HasSuffix(beginning, ".") {
			faults.add("EVENT_TYPES", fmt.Sprintf("%q is no event type", eventType), "Write types with commas between, such as 10dlc.*,brand.*; a star may end each.")
			continue
		}
		config.EventTypes = append(config.EventTypes, eventType)
	}
	address(faults, "LISTEN", s.Listen)
	return config
}

// Server returns how the public address is served.
func (s Webhook) Server(faults *Faults) ServerOptions {
	return ServerOptions{
		MaxConnections: count(faults, "MAX_CONNECTIONS", s.MaxConns, 10, 100_000),
		DrainDelay:     span(faults, "DRAIN_DELAY", s.DrainDelay, 0, time.Minute, "0s and a minute", "5s"),
	}
}

// KeyFile returns what keeps the verifier's keys as their file says, nil when they
// are not in a file.
func (s Webhook) KeyFile(verifier *telnyx.Verifier) *KeyFile {
	if s.PublicKeyFile == "" || verifier == nil {
		return nil
	}
	return NewKeyFile(s.PublicKeyFile, verifier)
}
