package trouble

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/natstest"
)

// A cluster changes the stream's leader under load, first because it is asked to and
// then because the leader's server stops.
func TestLeaderChange_LosesNothing(t *testing.T) {
	t.Parallel() // it counts no goroutines
	cluster := natstest.StartCluster(t)
	fs := openFronts(t, func() *nats.Conn { return connect(t, cluster.URL()) }, 3)
	ls := startLoads(fs, 0)
	ls.stored(50)

	nc := connect(t, cluster.URL())
	js, err := jetstream.New(nc)
	must(t, err)
	first := leader(t, js)
	_, err = nc.Request(fmt.Sprintf(server.JSApiStreamLeaderStepDownT, events.StreamEvents), nil, 5*time.Second)
	must(t, err)
	ls.stored(50)
	fs.becomeReady()
	second := leader(t, js)
	if second == first {
		t.Logf("server %s was made leader again", first)
	}

	cluster.Stop(second)
	natstest.Within(t, patience, func() error {
		if now := leader(t, js); now == second {
			return errors.New("no other leader")
		}
		return nil
	})
	ls.stored(50)
	fs.becomeReady()
	assertKept(t, nc, ls.end())
}

// leader returns the name of the server that leads the stream of events.
func leader(t *testing.T, js jetstream.JetStream) (name string) {
	t.Helper()
	natstest.Within(t, patience, func() error {
		stream, err := js.Stream(t.Context(), events.StreamEvents)
		if err != nil {
			return err
		}
		name = stream.CachedInfo().Cluster.Leader
		if name == "" {
			return errors.New("no leader")
		}
		return nil
	})
	return name
}
