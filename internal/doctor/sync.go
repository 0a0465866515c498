package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
)

const (
	monitorTimeout = 3 * time.Second
	maxVarz        = 1 << 20
)

// varz is what is read of a server's /varz (https://docs.nats.io, monitoring). A
// sync_always that is off is left out by the server.
type varz struct {
	ServerName string `json:"server_name"`
	JetStream  struct {
		Config *struct {
			SyncAlways bool `json:"sync_always"`
		} `json:"config"`
	} `json:"jetstream"`
}

// findSync finds out whether the servers that keep the stream sync always: from
// their monitoring addresses, and from the server itself if this user may ask. All
// of them must say so. Source says how it is known or why not.
func findSync(ctx context.Context, nc *nats.Conn, client *http.Client, monitors []string, keepers []string) (s Sync, source string) {
	told := map[string]Sync{}
	var errs []string
	for _, address := range monitors {
		v, err := readMonitor(ctx, client, address)
		switch {
		case err != nil:
			errs = append(errs, strings.TrimRight(err.Error(), "."))
		case !slices.Contains(keepers, v.ServerName):
			errs = append(errs, fmt.Sprintf("%s is of server %.100q, which does not keep the stream", redact(address), v.ServerName))
		default:
			told[v.ServerName] = v.sync()
		}
	}
	source = "as /varz tells"
	if len(monitors) == 0 {
		source = "as the server tells"
		if v, err := askServer(ctx, nc); err == nil {
			told[v.ServerName] = v.sync()
		}
	}
	if len(errs) > 0 {
		return SyncUnknown, strings.Join(errs, "; ")
	}
	return agreed(told, keepers, source)
}

// agreed is what all keepers say.
func agreed(told map[string]Sync, keepers []string, source string) (Sync, string) {
	silent := 0
	for _, name := range keepers {
		switch told[name] {
		case SyncLater:
			return SyncLater, source
		case SyncAlways:
		default:
			silent++
		}
	}
	switch {
	case len(keepers) == 0 || silent == len(keepers):
		return SyncUnknown, "NATS tells it to its administrators alone"
	case silent > 0:
		return SyncUnknown, fmt.Sprintf("%d of the %d servers that keep the stream did not tell", silent, len(keepers))
	default:
		return SyncAlways, source
	}
}

func (v varz) sync() Sync {
	switch {
	case v.JetStream.Config == nil:
		return SyncUnknown
	case v.JetStream.Config.SyncAlways:
		return SyncAlways
	default:
		return SyncLater
	}
}

// readMonitor reads /varz at a monitoring address.
func readMonitor(ctx context.Context, client *http.Client, address string) (v varz, err error) {
	ctx, cancel := context.WithTimeout(ctx, monitorTimeout)
	defer cancel()
	shown := redact(address)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(address, "/")+"/varz", nil)
	if err != nil {
		return v, fmt.Errorf("%s is not a URL", shown)
	}
	response, err := client.Do(request)
	if err != nil {
		return v, fmt.Errorf("%s did not answer: %w", shown, errors.Unwrap(err))
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return v, fmt.Errorf("%s answered %s", shown, response.Status)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxVarz)).Decode(&v); err != nil {
		return v, fmt.Errorf("%s answered no /varz: %w", shown, err)
	}
	return v, nil
}

// redact takes user and password out of an address.
func redact(address string) string {
	scheme, rest, found := strings.Cut(address, "://")
	if !found {
		scheme, rest = "http", address
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = rest[at+1:]
	}
	return scheme + "://" + rest
}

// askServer asks the server that this is connected to, which answers users of its
// system account and of those that it lends the question to.
func askServer(ctx context.Context, nc *nats.Conn) (varz, error) {
	var answer struct {
		Data varz `json:"data"`
	}
	reply, err := events.Ask(ctx, nc, nats.NewMsg("$SYS.REQ.SERVER."+nc.ConnectedServerId()+".VARZ"))
	if err == nil {
		err = json.Unmarshal(reply.Data, &answer)
	}
	return answer.Data, err
}

// keepersOf returns the names of the servers that keep a stream.
func keepersOf(info *jetstream.StreamInfo, connected string) []string {
	if info.Cluster == nil || info.Cluster.Leader == "" {
		return []string{connected}
	}
	names := []string{info.Cluster.Leader}
	for _, peer := range info.Cluster.Replicas {
		names = append(names, peer.Name)
	}
	return names
}
