package app

import (
	"bytes"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"

	"greenlight/internal/events"
)

// NATS is where the streams are.
type NATS struct {
	URL     string `name:"nats-url" env:"NATS_URL" placeholder:"URL" help:"NATS server with JetStream, ${min_server} or newer, such as nats://localhost:4222; several with commas."`
	URLFile string `name:"nats-url-file" env:"NATS_URL_FILE" placeholder:"FILE" help:"File that holds the URL, for one with a token in it."`
	Creds   string `name:"nats-creds" env:"NATS_CREDS" placeholder:"FILE" help:"Credentials file for the NATS account."`
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
		return nil // there are faults to fix before connecting
	}
	if !natsAddress(address) {
		faults.add("NATS_URL", "is no address of a NATS server", "Write it like nats://localhost:4222; several with commas. In a password or token, write %25 for a percent sign.")
		return nil
	}
	nc, err := connect(address, name, options...)
	if err != nil {
		*faults = append(*faults, &Fault{Setting: "NATS_URL", What: "cannot be used: " + err.Error(),
			Fix: "Check that the server runs there and that this machine may reach it.", Err: err})
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
