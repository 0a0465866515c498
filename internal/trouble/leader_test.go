package trouble

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/testkit"
)

// A cluster changes the stream's leader under load, first on request and then because the
// leader's server stops.
func TestLeaderChange_LosesNothing(t *testing.T) {
	t.Parallel() // it counts no goroutines
	cluster := testkit.StartCluster(t)
	fs := openFronts(t, func() *nats.Conn { return connect(t, cluster.URL()) }, 3)
	ls := startLoads(fs, 0)
	ls.stored(50)

	nc := connect(t, cluster.URL())
	js, err := jetstream.New(nc)
	must(t, err)
	first := leader(t, js)
	testkit.Within(t, patience, func() error {
		_, err := nc.Request(fmt.Sprintf(server.JSApiStreamLeaderStepDownT, events.StreamEvents), nil, 5*time.Second)
		return err
	})
	ls.stored(50)
	fs.becomeReady()
	second := leader(t, js)
	if second == first {
		t.Logf("server %s was made leader again", first)
	}

	cluster.Stop(second)
	testkit.Within(t, patience, func() error {
		if now := leader(t, js); now == second {
			return errors.New("no other leader")
		}
		return nil
	})
	ls.stored(50)
	fs.becomeReady()
	assertKept(t, nc, ls.end())
}

// Two of three servers stop, so the stream has no leader. Readiness and metrics say so, and
// deliveries are accepted again when one server is back.
func TestNoLeader_IsReported(t *testing.T) {
	t.Parallel() // it counts no goroutines
	onlyInFull(t)
	cluster := testkit.StartCluster(t)
	fs := openFronts(t, func() *nats.Conn { return connect(t, cluster.URL()) }, 3)
	ls := startLoads(fs, 0)
	ls.stored(50)
	cluster.Stop("n1")
	cluster.Stop("n2")
	fs.becomeUnready("no stream accepts messages")
	ls.refused(connections)
	fs.countRefusals("not_stored", "no_leader")
	cluster.Start("n1")
	fs.becomeReady()
	ls.stored(50)
	cluster.Start("n2") // the consumer below may be placed on any of the three
	assertKept(t, connect(t, cluster.URL()), ls.end())
}

// countRefusals waits until each webhook has counted a refusal with the code and cause.
func (fs fronts) countRefusals(code, cause string) {
	t := fs[0].t
	t.Helper()
	zero := fmt.Sprintf("greenlight_webhook_refused_total{cause=%q,code=%q} 0\n", cause, code)
	testkit.Within(t, patience, func() error {
		for _, f := range fs {
			text, err := f.metrics()
			if err != nil {
				return err
			}
			if !strings.Contains(text, strings.TrimSuffix(zero, "0\n")) || strings.Contains(text, zero) {
				return fmt.Errorf("%s has counted no refusal %s because of %s", f.name, code, cause)
			}
		}
		return nil
	})
}

// metrics returns the metrics of the private listener.
func (f *front) metrics() (string, error) {
	answer, err := f.client.Get("http://" + f.private + "/metrics")
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return string(text), err
}

// leader returns the name of the server that leads the stream of events.
func leader(t *testing.T, js jetstream.JetStream) (name string) {
	t.Helper()
	testkit.Within(t, patience, func() error {
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
