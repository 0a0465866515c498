// Package enginetest runs the Docker Compose commands of the documentation, word for word,
// with the real Compose on a real engine: dockerd from Debian's docker.io, as root, in a
// separate network namespace without a registry and with all ports free. Our images are
// built as documented; images.sh makes stand-ins for the others. It is a separate module,
// because Compose needs hundreds of modules. "make engines" runs it; "make check" does not.
package enginetest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// root is the repository.
const root = "../.."

// built is the folder of the programs and of the modules that the images are built from.
// It is set in the process that runs the tests.
var built = os.Getenv("ENGINETEST_BUILT")

func TestMain(m *testing.M) {
	if built != "" {
		os.Exit(m.Run())
	}
	if err := enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// enter builds what needs the network and runs this program again without network access.
// It uses new namespaces, whose processes all end with it, and a new /run. Otherwise the
// machine's containerd would start the containers.
func enter() error {
	for _, needed := range []string{"dockerd", "docker", "busybox", "ip", "unshare", "git"} {
		if _, err := exec.LookPath(needed); err != nil || os.Geteuid() != 0 {
			fmt.Printf("no engine is tried: that needs root and %s, as of Debian's docker.io, busybox-static, iproute2 and git\n", needed)
			return nil
		}
	}
	folder, err := os.MkdirTemp("", "enginetest")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	build := exec.Command("go", "build", "-o", folder+"/", "tool")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	modules := exec.Command("go", "mod", "download", "-modcacherw")
	modules.Dir = root
	modules.Env = append(os.Environ(), "GOMODCACHE="+folder+"/modules")
	within := exec.Command("unshare", append([]string{"--net", "--mount", "--pid", "--cgroup", "--fork", "--mount-proc", "--kill-child",
		"sh", "-c", `mount -t tmpfs tmpfs /run && ip link set lo up && exec "$0" "$@"`}, os.Args...)...)
	within.Env = append(os.Environ(), "ENGINETEST_BUILT="+folder, "TMPDIR="+folder)
	for _, command := range []*exec.Cmd{build, modules, within} {
		command.Stdout, command.Stderr = os.Stdout, os.Stderr
		if err := command.Run(); err != nil {
			return fmt.Errorf("%s: %w", command, err)
		}
	}
	return nil
}

func TestScripts(t *testing.T) {
	engine := startEngine(t)
	settings := t.TempDir()
	must(t, os.MkdirAll(settings+"/cli-plugins", 0o700))
	must(t, os.Symlink(built+"/cmd", settings+"/cli-plugins/docker-compose"))
	repository, err := filepath.Abs(root)
	must(t, err)
	t.Run("script", func(t *testing.T) {
		testscript.Run(t, testscript.Params{
			Dir:                 "testdata/script",
			RequireExplicitExec: true,
			Setup: func(env *testscript.Env) error {
				for name, value := range map[string]string{
					"BUILT": built, "ROOT": repository, "HOME": env.WorkDir,
					"DOCKER_HOST": engine, "DOCKER_CONFIG": settings, "DOCKER_BUILDKIT": "1",
				} {
					env.Setenv(name, value)
				}
				return nil
			},
		})
	})
}

// startEngine starts dockerd and returns its address. It is stopped when the test ends.
func startEngine(t *testing.T) (address string) {
	t.Helper()
	folder := t.TempDir()
	address = "unix://" + folder + "/sock"
	log, err := os.Create(folder + "/log")
	must(t, err)
	engine := exec.Command("dockerd",
		"--host", address, "--data-root", folder+"/data", "--exec-root", folder+"/exec", "--pidfile", folder+"/pid")
	engine.Stdout, engine.Stderr = log, log
	must(t, engine.Start())
	t.Cleanup(func() {
		must(t, engine.Process.Signal(syscall.SIGTERM))
		must(t, errors.Join(engine.Wait(), log.Close()))
	})
	for deadline := time.Now().Add(time.Minute); exec.Command("docker", "--host", address, "info").Run() != nil; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			text, err := os.ReadFile(log.Name())
			t.Fatalf("dockerd does not start: %v\n%s", err, text)
		}
	}
	return address
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
