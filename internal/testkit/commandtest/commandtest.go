// Package commandtest runs a command that is a client of NATS, such as webhook or
// assigner, as a separate process: it starts the test binary again under the command's
// name, with a NATS server and a simulated Telnyx. Only tests use it.
package commandtest

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"greenlight/internal/testkit"
)

// Patience is how long something may take that should happen soon.
const Patience = 10 * time.Second

// quickExit is GORACE for a command: else the race detector makes each wait a second
// at its end.
const quickExit = "atexit_sleep_ms=0"

// leakChecked fails the tests, but not the command, for goroutines left behind.
type leakChecked struct{ *testing.M }

func (m leakChecked) Run() int {
	code := m.M.Run()
	err := goleak.Find(testkit.ServerLeaks()...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// Main is a package's TestMain. It makes this process the command if it was started by
// that name, a NATS server if a [testkit.Process] started it, and else runs the tests
// and fails for goroutines left behind. It does not return.
func Main(m *testing.M, name string, command func()) {
	testkit.Main()
	_ = flag.Set("test.parallel", "16") // tests mostly wait
	testscript.Main(leakChecked{m}, map[string]func(){name: command})
}

// RunScripts runs the scripts in testdata/script, beside other tests. They have the address of a server at
// $NATS, and of one that is too old at $OLD_NATS, both without scheme and token.
func RunScripts(t *testing.T) {
	t.Helper()
	t.Parallel()
	old := strings.TrimPrefix(testkit.OldServer(t, "2.10.29"), "nats://")
	url, _ := StartNATS(t)
	_, current, _ := strings.Cut(url, "@")
	t.Run("script", func(t *testing.T) { // whose parallel scripts end before the server does
		testscript.Run(t, testscript.Params{
			Dir:                 "testdata/script",
			RequireExplicitExec: true,
			Setup: func(env *testscript.Env) error {
				env.Setenv("OLD_NATS", old)
				env.Setenv("NATS", current)
				env.Setenv("GORACE", quickExit)
				return nil
			},
		})
	})
}

// Get asks for the page at url and returns the whole answer.
func Get(t testing.TB, client *http.Client, url string) (code int, body string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, url, nil)
	must(t, err)
	code, _, body = Do(t, client, request)
	return code, body
}

// Do sends a request and returns the whole answer.
func Do(t testing.TB, client *http.Client, request *http.Request) (code int, header http.Header, body string) {
	t.Helper()
	answer, err := client.Do(request)
	must(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(t, err)
	return answer.StatusCode, answer.Header, string(text)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
