package app

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"greenlight/internal/events"
)

// NATS is the server that has the streams.
type NATS struct {
	URL     string `name:"nats-url" env:"NATS_URL" placeholder:"URL" help:"NATS server with JetStream, ${min_server} or newer, for example nats://localhost:4222. Separate several with commas."`
	URLFile string `name:"nats-url-file" env:"NATS_URL_FILE" placeholder:"FILE" help:"File with the URL, if it has a token in it."`
	Creds   string `name:"nats-creds" env:"NATS_CREDS" placeholder:"FILE" help:"Credentials file for the NATS account."`
}

// Connect connects a command under the given name.
func (s NATS) Connect(faults *Faults, name string) *nats.Conn {
	return s.connectTo(faults, s.address(faults), quietly, name)
}

// quietly is [events.Connect] for a command, whose calls report their errors. NATS' client
// would also print those of subscriptions over what a person reads.
func quietly(address, name string, more ...nats.Option) (*nats.Conn, error) {
	return events.Connect(address, name, append(more, nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))...)
}

// ConnectOrWait is Connect for a server that may not be running yet; see
// [events.ConnectOrWait].
func (s NATS) ConnectOrWait(faults *Faults, name string) *nats.Conn {
	return s.connectTo(faults, s.address(faults), events.ConnectOrWait, name)
}

func (s NATS) address(faults *Faults) string {
	return secret(faults, "NATS_URL", s.URL, s.URLFile,
		"Start a NATS server with JetStream and give its address, for example nats://localhost:4222. Or run greenlight up, which has its own server.")
}

// ErrNoServer is matched by the fault of [NATS.ConnectOrFind] where there is no server to
// connect to: none is set, and no greenlight up runs.
var ErrNoServer = errors.New("no NATS server is set or runs here")

const fixNoServer = "Start greenlight up, give its folder with --data, or give the address of the NATS server that webhook and assigner use."

// ConnectOrFind connects to NATS_URL or, without one, to the server of a greenlight up
// that runs on the data folder.
func (s NATS) ConnectOrFind(faults *Faults, data Data, name string) *nats.Conn {
	if s.URL != "" || s.URLFile != "" {
		return s.Connect(faults, name)
	}
	up := upServer{filepath.Join(data.Dir, events.EmbeddedURLFile)}
	address, err := up.address()
	if errors.Is(err, fs.ErrNotExist) {
		*faults = append(*faults, &Fault{Setting: "NATS_URL", What: "is missing, and no greenlight up runs on data folder " + data.Dir, Err: ErrNoServer,
			Fix: fixNoServer})
		return nil
	}
	if err != nil {
		faults.add("NATS_URL", "is missing, and the address of greenlight up cannot be read: "+fileError(err).Error(),
			"Run this as the user that runs greenlight up, or give the address of the NATS server that webhook and assigner use.")
		return nil
	}
	address.User = nil
	before := len(*faults)
	nc := s.connectTo(faults, address.String(), up.connect, name)
	if len(*faults) > before {
		// A process that was killed leaves its address behind.
		if fault, ok := (*faults)[before].(*Fault); ok && fault.Err != nil && !events.Misconfigured(fault.Err) {
			fault.What, fault.Fix = fault.What+"; no greenlight up answers on data folder "+data.Dir, fixNoServer
		}
	}
	return nc
}

// upServer is the server of a greenlight up by the file that holds its address. Each start has
// another port and token, so both are read whenever a connection is made.
type upServer struct{ path string }

// address returns the address with its token. The error matches [fs.ErrNotExist] if no
// greenlight up runs. An empty file is what a power failure may leave.
func (u upServer) address() (*url.URL, error) {
	text, err := os.ReadFile(u.path)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, fs.ErrNotExist
	}
	address, err := url.Parse(string(bytes.TrimSpace(text)))
	if err != nil || address.Host == "" {
		return nil, &fs.PathError{Path: u.path, Err: errors.New("this is not the address of a server")} // err has the token
	}
	return address, nil
}

// connect is quietly to wherever the file says at the time.
func (u upServer) connect(address, name string, more ...nats.Option) (*nats.Conn, error) {
	return quietly(address, name, append(more, nats.SetCustomDialer(u), nats.TokenHandler(u.token))...)
}

// Dial connects to the server as it is now. NATS' client asks for the one that it knew first.
func (u upServer) Dial(network, _ string) (net.Conn, error) {
	address, err := u.address()
	if err != nil {
		return nil, err
	}
	return net.DialTimeout(network, address.Host, upPatience)
}

func (u upServer) token() string {
	address, err := u.address()
	if err != nil {
		return ""
	}
	return address.User.Username()
}

// upPatience bounds a connection to another process of this machine.
const upPatience = time.Second

// connectFunc is [events.Connect] or [events.ConnectOrWait].
type connectFunc func(url, name string, more ...nats.Option) (*nats.Conn, error)

func (s NATS) connectTo(faults *Faults, address string, connect connectFunc, name string) *nats.Conn {
	var options []nats.Option
	if s.Creds != "" {
		if _, err := os.Stat(s.Creds); err != nil {
			faults.add("NATS_CREDS", "cannot be read: "+fileError(err).Error(), "Give the .creds file of the NATS account, or leave it out.")
			return nil
		}
		options = append(options, nats.UserCredentials(s.Creds))
	}
	if address == "" || len(*faults) > 0 {
		return nil // other faults come first
	}
	if !isNATSList(address) {
		faults.add("NATS_URL", "is not the URL of a NATS server", "Use one like nats://localhost:4222, and separate several with commas. In a password or token, write %25 for a percent sign.")
		return nil
	}
	nc, err := connect(address, name, options...)
	if err != nil {
		*faults = append(*faults, &Fault{Setting: "NATS_URL", What: "cannot be used: " + err.Error(), Fix: fixConnection(err), Err: err})
		return nil
	}
	return nc
}

// fixConnection returns how to fix an error of connecting, empty if the error says it.
func fixConnection(err error) string {
	switch {
	case errors.Is(err, events.ErrServerTooOld):
		return ""
	case events.Misconfigured(err):
		return "Check the user and password or the token in NATS_URL, or NATS_CREDS."
	default:
		return "Check that the server is running and that this machine can reach it."
	}
}

// isNATSList reports whether a list has only URLs for NATS. The error of parsing one would
// repeat it with its token.
func isNATSList(list string) bool {
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

// Replication is for the processes that create streams and ledger.
type Replication struct {
	Replicas string `name:"replicas" env:"REPLICAS" default:"1" placeholder:"N" help:"Copies of streams and ledger: 1 for one server, 3 for a cluster (${default})."`
}

// Copies returns the number of replicas.
func (s Replication) Copies(faults *Faults) int {
	return readCount(faults, "REPLICAS", s.Replicas, 1, 5)
}

// Data is the data folder of greenlight up.
type Data struct {
	Dir string `name:"data" env:"DATA" default:"./data" placeholder:"DIR" help:"Folder for the files of the built-in NATS server (${default})."`
}
