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
	maxMonitor     = 1 << 20 // bytes of an answer
)

// get reads JSON from a path of a monitoring address (https://docs.nats.io, monitoring).
// The error does not name user or password.
func (n NATS) get(ctx context.Context, address, path string, into any) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, monitorTimeout)
	defer cancel()
	shown := redact(address)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(address, "/")+path, nil)
	if err != nil {
		return 0, fmt.Errorf("%s is not a URL", shown)
	}
	client := n.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, fmt.Errorf("%s did not answer: %w", shown, errors.Unwrap(err))
	}
	defer response.Body.Close()
	if err := json.NewDecoder(io.LimitReader(response.Body, maxMonitor)).Decode(into); err != nil {
		return 0, fmt.Errorf("%s did not answer %s with JSON (%s)", shown, path, response.Status)
	}
	return response.StatusCode, nil
}

// redact removes user and password from an address.
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

// varz is the part of a server's /varz that is used. A server omits sync_always if it is
// off.
type varz struct {
	ServerName string `json:"server_name"`
	JetStream  struct {
		Config *struct {
			SyncAlways bool `json:"sync_always"`
		} `json:"config"`
	} `json:"jetstream"`
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

// sync returns whether the servers with copies of the stream sync always. It asks their
// monitoring addresses or, without any, the server itself. All of them must say so. Source
// says how this is known, or why not.
func (n NATS) sync(ctx context.Context, info *jetstream.StreamInfo) (s Sync, source string) {
	switch {
	case n.Embedded && n.Syncs:
		return SyncAlways, "the settings of greenlight up"
	case n.Embedded:
		return SyncLater, "the settings of greenlight up"
	}
	keepers := keepersOf(info, n.Conn.ConnectedServerName())
	known := map[string]Sync{}
	if len(n.Monitors) == 0 {
		if v, err := n.askVarz(ctx); err == nil {
			known[v.ServerName] = v.sync()
		}
		return agreed(known, keepers, "the server")
	}
	var errs []string
	for _, address := range n.Monitors {
		var v varz
		_, err := n.get(ctx, address, "/varz", &v)
		switch {
		case err != nil:
			errs = append(errs, strings.TrimRight(err.Error(), "."))
		case !slices.Contains(keepers, v.ServerName):
			errs = append(errs, fmt.Sprintf("%s belongs to server %.100q, which has no copy of the stream", redact(address), v.ServerName))
		default:
			known[v.ServerName] = v.sync()
		}
	}
	if len(errs) > 0 {
		return SyncUnknown, strings.Join(errs, "; ")
	}
	return agreed(known, keepers, "/varz")
}

// agreed returns what all servers with copies of the stream say.
func agreed(known map[string]Sync, keepers []string, source string) (Sync, string) {
	silent := 0
	for _, name := range keepers {
		switch known[name] {
		case SyncLater:
			return SyncLater, source
		case SyncAlways:
		default:
			silent++
		}
	}
	switch {
	case silent == len(keepers):
		return SyncUnknown, "only administrators of the server can read it"
	case silent > 0:
		return SyncUnknown, fmt.Sprintf("%d of the %d servers with copies of the stream did not say", silent, len(keepers))
	default:
		return SyncAlways, source
	}
}

// askVarz asks the connected server, which answers users of its system account and users
// to whom that account exports the request.
func (n NATS) askVarz(ctx context.Context) (varz, error) {
	var answer struct {
		Data varz `json:"data"`
	}
	reply, err := events.Ask(ctx, n.Conn, nats.NewMsg("$SYS.REQ.SERVER."+n.Conn.ConnectedServerId()+".VARZ"))
	if err == nil {
		err = json.Unmarshal(reply.Data, &answer)
	}
	return answer.Data, err
}

// keepersOf returns the names of the servers with copies of a stream.
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

// writes checks whether the server can still write its streams.
func (n NATS) writes(ctx context.Context) Finding {
	if n.Embedded && n.Health != nil {
		var failure string
		err := n.bounded(ctx, func(ctx context.Context) (err error) {
			failure, err = n.Health(ctx, n.Conn)
			return err
		})
		return Writes(failure, err)
	}
	if len(n.Monitors) == 0 {
		return Writes("", errors.New("NATS reports them only at its monitoring address"))
	}
	var failures, errs []string
	for _, address := range n.Monitors {
		failure, err := n.healthz(ctx, address)
		if err != nil {
			errs = append(errs, strings.TrimRight(err.Error(), "."))
		} else if failure != "" {
			failures = append(failures, fmt.Sprintf("%s: %.500s", redact(address), strings.TrimRight(failure, ".")))
		}
	}
	if len(failures) == 0 && len(errs) > 0 {
		return Writes("", errors.New(strings.Join(errs, "; ")))
	}
	return Writes(strings.Join(failures, "; "), nil)
}

// healthz returns what /healthz at a monitoring address says is wrong, empty if nothing is.
func (n NATS) healthz(ctx context.Context, address string) (failure string, err error) {
	var health struct{ Status, Error string }
	status, err := n.get(ctx, address, "/healthz", &health)
	switch {
	case err != nil:
		return "", err
	case health.Status == "":
		return "", fmt.Errorf("%s did not answer /healthz with a status", redact(address))
	case health.Error != "":
		return health.Error, nil
	case status != http.StatusOK:
		return health.Status, nil
	default:
		return "", nil
	}
}

// Writes checks whether the server can still write its streams. Failure is what the server
// says is wrong, empty if nothing is; err is why it could not be asked.
//
// After a disk error a server stores nothing more in the affected stream until it is
// restarted, and does not report that to publishers.
func Writes(failure string, err error) Finding {
	f := Finding{Check: CheckWrites, Facts: map[string]any{}}
	switch {
	case err != nil:
		return unknown(CheckWrites, "Whether the server has had write errors is unknown", err,
			"Give the server's monitoring address with --nats-monitor http://HOST:8222, or check /healthz there. After a write error, a server stores nothing until it is restarted.")
	case failure != "":
		f.Facts["error"] = failure
		return f.is(Fail, "The server reports an error: "+sentenceEnd(failure)+" While it cannot write stream EVENTS, every event is answered 503.",
			"Make room on the server's disk, or repair it, and restart the server. Only greenlight up resumes without a restart, when a full disk has room again. Events that were answered 200 are kept.")
	default:
		return f.is(OK, "The server has had no write errors.", "")
	}
}
