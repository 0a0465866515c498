// Package settings is what every command can be told, as flags with the
// environment as default: the same names and meanings everywhere. It turns texts
// into what the parts of the program need and says of every setting that is
// missing or malformed what is wrong and how to get it, all at once.
//
// Values are texts until they are read here, because a command-line parser that
// stops at the first bad number would hide the second.
package settings

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"greenlight/internal/assigner"
	"greenlight/internal/events"
	"greenlight/internal/httpserve"
	"greenlight/internal/logging"
	"greenlight/internal/plan/watch"
	"greenlight/internal/status"
	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/keyfile"
	"greenlight/internal/terminal"
	"greenlight/internal/webhook"
)

// Fault is one setting that cannot be used.
type Fault struct {
	// Setting is its name in the environment.
	Setting string
	// What says what is wrong with it and Mend how to get it right.
	What, Mend string
	// Err is what went wrong when it was used, if that is known.
	Err error
}

// Unwrap returns Err.
func (f *Fault) Unwrap() error { return f.Err }

// Says returns the sentence that says what is wrong, without how to mend it.
func (f *Fault) Says() string {
	return fmt.Sprintf("%s (--%s) %s.", f.Setting, FlagName(f.Setting), f.What)
}

// Error returns a sentence that names the setting both ways.
func (f *Fault) Error() string {
	return f.Says() + " " + f.Mend
}

// FlagName is the flag of a setting: TELNYX_API_KEY has --telnyx-api-key.
func FlagName(setting string) string {
	return strings.ToLower(strings.ReplaceAll(setting, "_", "-"))
}

// Faults collects what is wrong, over all groups of settings.
type Faults []error

// add notes a setting that cannot be used.
func (f *Faults) add(setting, what, mend string) {
	*f = append(*f, &Fault{Setting: setting, What: what, Mend: mend})
}

// Err returns nil when nothing is wrong, else an error with a line for each
// fault.
func (f Faults) Err() error {
	if len(f) == 0 {
		return nil
	}
	return &notReady{faults: f}
}

// notReady is the error for settings that do not let a command start.
type notReady struct{ faults Faults }

func (n *notReady) Error() string {
	var b strings.Builder
	b.WriteString("cannot start yet:")
	for _, fault := range n.faults {
		for line := range strings.Lines(fault.Error()) {
			b.WriteString("\n  " + strings.TrimRight(line, "\n"))
		}
	}
	return b.String()
}

func (n *notReady) Unwrap() []error { return n.faults }

const whereKeys = "in Mission Control (https://portal.telnyx.com), Account, Keys & Credentials"

// Telnyx is how to call Telnyx's API.
type Telnyx struct {
	APIKey      string `name:"telnyx-api-key" env:"TELNYX_API_KEY" placeholder:"KEY" help:"API v2 key of the Telnyx account. A flag can be seen by other users of the machine: prefer the environment or a file."`
	APIKeyFile  string `name:"telnyx-api-key-file" env:"TELNYX_API_KEY_FILE" placeholder:"FILE" help:"File that holds the API key."`
	BaseURL     string `name:"telnyx-base-url" env:"TELNYX_BASE_URL" default:"https://api.telnyx.com/v2" placeholder:"URL" help:"Where Telnyx's API is (${default})."`
	Rate        string `name:"telnyx-rate" env:"TELNYX_RATE" placeholder:"N" help:"Ceiling for calls a second. Unset: begin at 2 and follow what Telnyx's rate-limit headers allow, up to 20."`
	Concurrency string `name:"telnyx-concurrency" env:"TELNYX_CONCURRENCY" default:"8" placeholder:"N" help:"Calls under way at once (${default})."`
}

// client returns a client with the one pacer of the process.
func (s Telnyx) client(faults *Faults) *telnyx.Client {
	key := secret(faults, "TELNYX_API_KEY", s.APIKey, s.APIKeyFile,
		"Create a key "+whereKeys+", API Keys, and put it into the environment or into a file that TELNYX_API_KEY_FILE names.")
	base, err := url.Parse(s.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		faults.add("TELNYX_BASE_URL", fmt.Sprintf("%q is no web address", s.BaseURL), "Leave it out, or write it like "+telnyx.DefaultBaseURL+".")
	}
	ceiling := 0.0
	if s.Rate != "" {
		ceiling, err = strconv.ParseFloat(s.Rate, 64)
		if err != nil || !(ceiling > 0 && ceiling <= 1000) {
			faults.add("TELNYX_RATE", fmt.Sprintf("%q is no rate", s.Rate), "Write calls a second, such as 5 or 0.5, or leave it out.")
		}
	}
	return &telnyx.Client{
		APIKey:    telnyx.APIKey(key),
		BaseURL:   s.BaseURL,
		UserAgent: ThisBuild().UserAgent(),
		Pacer:     telnyx.NewPacer(telnyx.PacerConfig{Ceiling: ceiling}),
	}
}

// ReadOnlyClient returns a client that cannot change anything, for a command that
// only looks, and how many calls it should have under way at once.
func (s Telnyx) ReadOnlyClient(faults *Faults) (client *telnyx.Client, concurrency int) {
	return s.client(faults).ReadOnly(), count(faults, "TELNYX_CONCURRENCY", s.Concurrency, 1, 100)
}

// Webhook is how Telnyx's notifications come in.
type Webhook struct {
	PublicKey     string `name:"telnyx-public-key" env:"TELNYX_PUBLIC_KEY" placeholder:"KEY[,KEY]" help:"Public key that Telnyx's notifications are verified with; several, with commas, while rotating."`
	PublicKeyFile string `name:"telnyx-public-key-file" env:"TELNYX_PUBLIC_KEY_FILE" placeholder:"FILE" help:"File that holds the public key, or several; read again when it changes, and on SIGHUP."`
	Listen        string `name:"listen" env:"LISTEN" default:":8080" placeholder:"ADDR" help:"Public address that Telnyx posts to (${default}). The path is /webhooks/telnyx."`
	MaxBody       string `name:"max-body" env:"MAX_BODY" default:"262144" placeholder:"BYTES" help:"Largest body that is read (${default})."`
	GroupCommit   string `name:"group-commit" env:"GROUP_COMMIT" default:"no" placeholder:"yes|no" help:"Store events that come together in one commit (${default}): faster where NATS syncs every message to disk (sync_always), slower elsewhere. greenlight up does it anyway."`
	MaxConns      string `name:"max-connections" env:"MAX_CONNECTIONS" default:"1000" placeholder:"N" help:"Connections to the public address at once (${default}); over that, a new one takes the place of the one that has been without a request for longest."`
	DrainDelay    string `name:"drain-delay" env:"DRAIN_DELAY" default:"0s" placeholder:"TIME" help:"How long deliveries are still taken after the stop has turned readiness false (${default}): as long as your load balancer takes to notice."`
	EventTypes    string `name:"event-types" env:"EVENT_TYPES" default:"10dlc.*,brand.*,campaign.*" placeholder:"LIST" help:"Event types that are kept (${default}); others are verified, answered and forgotten."`
}

// Keys returns the public keys; none when they are missing or malformed, which is
// noted.
func (s Webhook) Keys(faults *Faults) []telnyx.PublicKey {
	text := secret(faults, "TELNYX_PUBLIC_KEY", s.PublicKey, s.PublicKeyFile,
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
	f.add("TELNYX_PUBLIC_KEY", "cannot be used: "+err.Error(), "Copy it anew "+whereKeys+", Public Key.")
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
func (s Webhook) Server(faults *Faults) httpserve.Options {
	return httpserve.Options{
		MaxConnections: count(faults, "MAX_CONNECTIONS", s.MaxConns, 10, 100_000),
		DrainDelay:     span(faults, "DRAIN_DELAY", s.DrainDelay, 0, time.Minute, "0s and a minute", "5s"),
	}
}

// KeyFile returns what keeps the verifier's keys as their file says, nil when they
// are not in a file.
func (s Webhook) KeyFile(verifier *telnyx.Verifier) *keyfile.File {
	if s.PublicKeyFile == "" || verifier == nil {
		return nil
	}
	return keyfile.New(s.PublicKeyFile, verifier)
}

// Assigner is what to attach and how often to look.
type Assigner struct {
	Plans           string `name:"plans" env:"PLANS" default:"config/plans" placeholder:"PATH" help:"Plan file, or folder of plan files (${default})."`
	Resync          string `name:"resync" env:"RESYNC" default:"15m" placeholder:"TIME" help:"Time between two looks at every planned campaign, whatever events say (${default})."`
	PendingDeadline string `name:"pending-deadline" env:"PENDING_DEADLINE" default:"72h" placeholder:"TIME" help:"How long Telnyx may take to attach a number before a person is told that it is stuck (${default})."`
}

// Config loads the plans and returns the assigner's configuration but for what
// is not a setting, and what watches the plan files; nil when they are at fault.
func (s Assigner) Config(faults *Faults, calls Telnyx) (assigner.Config, *watch.Watcher) {
	plans, err := watch.New(s.Plans, watch.Options{})
	if _, missing := os.Stat(s.Plans); errors.Is(missing, fs.ErrNotExist) {
		faults.add("PLANS", "names "+s.Plans+", and nothing is there",
			"Make the folder and copy config/plan.example.yaml into it, or name your own plan file or folder.")
	} else if err != nil {
		*faults = append(*faults, fmt.Errorf("PLANS (--plans) %s cannot be used:\n%w", s.Plans, err))
	}
	return assigner.Config{
		Telnyx:          calls.client(faults),
		Plans:           plans.Set,
		Resync:          span(faults, "RESYNC", s.Resync, time.Second, 24*time.Hour, "a second and a day", "15m or 1h30m"),
		PendingDeadline: span(faults, "PENDING_DEADLINE", s.PendingDeadline, time.Minute, 30*24*time.Hour, "a minute and 30 days (720h)", "72h"),
		Concurrency:     count(faults, "TELNYX_CONCURRENCY", calls.Concurrency, 1, 100),
	}, plans
}

// yes reads a setting that is yes or no.
func yes(faults *Faults, name, text string) bool {
	if text != "yes" && text != "no" {
		faults.add(name, fmt.Sprintf("is %q", text), "Write yes or no.")
	}
	return text == "yes"
}

// span reads a time within bounds, which between names.
func span(faults *Faults, name, text string, least, most time.Duration, between, example string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > most {
		faults.add(name, fmt.Sprintf("%q is no time between %s", text, between), "Write it like "+example+".")
	}
	return d
}

// NATS is where the streams are.
type NATS struct {
	URL     string `name:"nats-url" env:"NATS_URL" placeholder:"URL" help:"NATS server with JetStream, ${min_server} or newer, such as nats://localhost:4222; several with commas."`
	URLFile string `name:"nats-url-file" env:"NATS_URL_FILE" placeholder:"FILE" help:"File that holds the URL, for one with a token in it."`
	Creds   string `name:"nats-creds" env:"NATS_CREDS" placeholder:"FILE" help:"Credentials file for the NATS account."`
}

// Replication is how often streams and ledger are kept. It is for what makes them.
type Replication struct {
	Replicas string `name:"replicas" env:"REPLICAS" default:"1" placeholder:"N" help:"Copies of streams and ledger: 1 for one server, 3 for a cluster (${default})."`
}

// Connect connects under the given name.
func (s NATS) Connect(faults *Faults, name string) *nats.Conn {
	return s.connectTo(faults, s.address(faults), events.Connect, name)
}

// ConnectOrWait connects under the given name, or returns a connection that is made
// when the server is there.
func (s NATS) ConnectOrWait(faults *Faults, name string) *nats.Conn {
	return s.connectTo(faults, s.address(faults), events.ConnectOrWait, name)
}

func (s NATS) address(faults *Faults) string {
	return secret(faults, "NATS_URL", s.URL, s.URLFile,
		"Start a NATS server with JetStream and write its address, such as nats://localhost:4222; or use greenlight up, which brings its own.")
}

// ConnectOrFind connects to NATS_URL or, without one, to the server that
// greenlight up runs on the data folder.
func (s NATS) ConnectOrFind(faults *Faults, data Data, name string) *nats.Conn {
	if s.URL != "" || s.URLFile != "" {
		return s.Connect(faults, name)
	}
	path := filepath.Join(data.Dir, events.EmbeddedURLFile)
	address, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		faults.add("NATS_URL", "is missing, and the address of greenlight up cannot be read: "+err.Error(),
			"Run this as the user that runs greenlight up, or write the address of the NATS server that webhook and assigner use.")
		return nil
	}
	if len(bytes.TrimSpace(address)) == 0 { // an empty file is what a power failure may leave
		faults.add("NATS_URL", "is missing, and no greenlight up runs on "+data.Dir,
			"Start greenlight up, name its folder with --data, or write the address of the NATS server that webhook and assigner use.")
		return nil
	}
	return s.connectTo(faults, strings.TrimSpace(string(address)), events.Connect, name)
}

// connectFunc is [events.Connect] or [events.ConnectOrWait].
type connectFunc func(url, name string, more ...nats.Option) (*nats.Conn, error)

func (s NATS) connectTo(faults *Faults, address string, connect connectFunc, name string) *nats.Conn {
	var options []nats.Option
	if s.Creds != "" {
		if _, err := os.Stat(s.Creds); err != nil {
			faults.add("NATS_CREDS", "cannot be read: "+err.Error(), "Name the .creds file of the NATS account, or leave it out.")
			return nil
		}
		options = append(options, nats.UserCredentials(s.Creds))
	}
	if address == "" || len(*faults) > 0 {
		return nil // there is enough to mend before anybody is called
	}
	if !natsAddress(address) {
		faults.add("NATS_URL", "is no address of a NATS server", "Write it like nats://localhost:4222; several with commas. In a password or token, write %25 for a percent sign.")
		return nil
	}
	nc, err := connect(address, name, options...)
	if err != nil {
		*faults = append(*faults, &Fault{Setting: "NATS_URL", What: "cannot be used: " + err.Error(),
			Mend: "Check that the server runs there and that this machine may reach it.", Err: err})
		return nil
	}
	return nc
}

// natsAddress reports whether a list of URLs can be parsed and are NATS'. The parser's
// own error repeats the URL, token and all, so it must not come up later.
func natsAddress(list string) bool {
	for server := range strings.SplitSeq(list, ",") {
		server = strings.TrimSpace(server)
		if !strings.Contains(server, "://") {
			server = "nats://" + server
		}
		parsed, err := url.Parse(server)
		if err != nil || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, parsed.Scheme) {
			return false
		}
	}
	return true
}

// Copies returns the number of replicas.
func (s Replication) Copies(faults *Faults) int { return count(faults, "REPLICAS", s.Replicas, 1, 5) }

// Data is where greenlight up keeps its NATS server's files.
type Data struct {
	Dir string `name:"data" env:"DATA" default:"./data" placeholder:"DIR" help:"Folder for the built-in NATS server's files (${default})."`
}

// Admin is the private listener.
type Admin struct {
	Listen    string `name:"admin-listen" env:"ADMIN_LISTEN" default:"127.0.0.1:8081" placeholder:"ADDR" help:"Private address for /status, /healthz, /readyz and /metrics (${default}). Any but a loopback address needs ADMIN_TOKEN."`
	Token     string `name:"admin-token" env:"ADMIN_TOKEN" placeholder:"TOKEN" help:"What readers of /status and /metrics must know, 16 characters or more: a bearer token, or the password of HTTP Basic with any user. A flag can be seen by other users of the machine: prefer the environment or a file."`
	TokenFile string `name:"admin-token-file" env:"ADMIN_TOKEN_FILE" placeholder:"FILE" help:"File that holds the token."`
}

// HealthCheck is for the health check of a container that holds nothing else to ask with.
// It is no setting: a variable that made a service end at once would be a trap.
type HealthCheck struct {
	AskReady bool `name:"healthcheck" help:"Run nothing: ask the process that has ADMIN_LISTEN on this machine whether it is ready, and end with 0 or 1."`
}

// leastToken is how long a token must be to be safe from guessing.
const leastToken = 16

const howToken = "Make one, such as with openssl rand -hex 16, and put it into the environment or into a file that ADMIN_TOKEN_FILE names."

// Check notes an address that cannot be listened on, or that others can reach while
// there is no token, and returns the token, empty for none.
func (s Admin) Check(faults *Faults) status.Token {
	before := len(*faults)
	address(faults, "ADMIN_LISTEN", s.Listen)
	listenable := len(*faults) == before
	if s.Token == "" && s.TokenFile == "" {
		if listenable && !status.IsLoopback(s.Listen) {
			faults.add("ADMIN_TOKEN", fmt.Sprintf("is missing, and ADMIN_LISTEN %s can be reached from other machines", s.Listen),
				howToken+" Or leave ADMIN_LISTEN out: then only this machine can read.")
		}
		return ""
	}
	token := secret(faults, "ADMIN_TOKEN", s.Token, s.TokenFile, howToken)
	if token != "" && len(token) < leastToken {
		faults.add("ADMIN_TOKEN", fmt.Sprintf("is shorter than %d characters", leastToken), howToken)
	}
	return status.Token(token)
}

// Log is what is written while the program runs.
type Log struct {
	Level  string `name:"log-level" env:"LOG_LEVEL" default:"info" placeholder:"LEVEL" help:"debug, info, warn or error (${default})."`
	Format string `name:"log-format" env:"LOG_FORMAT" placeholder:"FORMAT" help:"json or console. Unset: console on a terminal, else json."`
}

// Logger returns the process's logger, which writes to w.
func (s Log) Logger(faults *Faults, w io.Writer) zerolog.Logger {
	if _, err := logging.ParseLevel(s.Level); err != nil {
		faults.add("LOG_LEVEL", fmt.Sprintf("%q is no level", s.Level), "Write debug, info, warn or error.")
	}
	switch s.Format {
	case "", logging.FormatJSON, logging.FormatConsole:
	default:
		faults.add("LOG_FORMAT", fmt.Sprintf("%q is no format", s.Format), "Write json or console, or leave it out.")
	}
	byDefault := logging.FormatJSON
	if terminal.Width(w) > 0 {
		byDefault = logging.FormatConsole
	}
	log, _ := logging.New(w, s.Level, cmp.Or(s.Format, byDefault)) // its error is one of the faults above
	return log
}

// secret returns a text that is given directly or in a file. The text itself
// never gets into a fault.
func secret(faults *Faults, setting, text, file, mend string) string {
	if text != "" && file != "" {
		faults.add(setting, "is given twice, directly and as a file", "Leave out "+setting+" or "+setting+"_FILE.")
		return ""
	}
	if file != "" {
		content, err := os.ReadFile(file)
		if err != nil {
			faults.add(setting+"_FILE", "cannot be read: "+err.Error(), mend)
			return ""
		}
		text = string(content)
	}
	text = strings.TrimSpace(text)
	if text == "" {
		faults.add(setting, "is missing", mend)
	}
	return text
}

func count(faults *Faults, setting, text string, least, most int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		faults.add(setting, fmt.Sprintf("%q is no number from %d to %d", text, least, most), "Leave it out for the default.")
	}
	return n
}

func address(faults *Faults, setting, text string) {
	_, port, err := net.SplitHostPort(text)
	if number, convErr := strconv.Atoi(port); err != nil || convErr != nil || number < 0 || number > 65535 {
		faults.add(setting, fmt.Sprintf("%q is no address to listen on", text), "Write host and port, such as 127.0.0.1:8081, or :8080 for every interface.")
	}
}
