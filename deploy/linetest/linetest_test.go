// Package linetest runs the nats commands of the documentation, word for word, against real
// servers. It is a separate module, because that client needs many modules that Greenlight
// does not use. TestDocs_NameNoOtherCommands of cmd/greenlight fails for a command that no
// script here runs.
package linetest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// bin has our commands, and nats and nats-server in the versions of go.mod.
var bin string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if bin, err = os.MkdirTemp("", "linetest"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(bin)
	for folder, packages := range map[string]string{".": "tool", "../..": "./cmd/..."} {
		build := exec.Command("go", "build", "-o", bin+"/", packages)
		build.Dir = folder
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
			return 1
		}
	}
	return m.Run()
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
			env.Setenv("HOME", env.WorkDir) // where nats keeps its settings
			for _, name := range []string{"FREE_1", "FREE_2", "FREE_3"} {
				env.Setenv(name, freeAddress())
			}
			return nil
		},
	})
}

// freeAddress returns an address that is free now, outside the range of ports that the
// system uses for outgoing connections.
func freeAddress() string {
	for {
		address := fmt.Sprintf("127.0.0.1:%d", 12000+rand.IntN(18000))
		if free, err := net.Listen("tcp", address); err == nil {
			free.Close()
			return address
		}
	}
}
