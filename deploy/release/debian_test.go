package release_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// maxExposure is the largest that systemd-analyze security may report.
const maxExposure = 2.0

// machine is a Debian with systemd that runs in a container.
type machine struct {
	root, leader string
}

// boot starts a minimal Debian that has no network but loopback. The test is skipped where
// that cannot be done. The first run downloads Debian into the cache.
func boot(t *testing.T) machine {
	t.Helper()
	if os.Getuid() != 0 || runtime.GOOS != "linux" {
		t.Skip("only root on Linux can start a Debian")
	}
	for _, program := range []string{"debootstrap", "systemd-nspawn", "nsenter", "dpkg-deb"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is missing; on Debian: apt-get install debootstrap systemd-container")
		}
	}
	cache, err := os.UserCacheDir()
	must(t, err)
	base := filepath.Join(cache, "greenlight-tools", "debian-bookworm")
	if _, err := os.Stat(base); err != nil {
		must(t, os.RemoveAll(base+".new"))
		do(t, "debootstrap", "--variant=minbase", "--include=systemd,systemd-sysv,dbus", "bookworm", base+".new")
		must(t, os.Rename(base+".new", base))
	}
	m := machine{root: filepath.Join(t.TempDir(), "debian")}
	do(t, "cp", "-a", base, m.root)
	container := exec.Command("systemd-nspawn", "--directory="+m.root, "--register=no", "--keep-unit", "--private-network", "--console=pipe", "--boot")
	var log bytes.Buffer
	container.Stdout, container.Stderr = &log, &log
	must(t, container.Start())
	t.Cleanup(func() {
		if pid, err := strconv.Atoi(m.leader); err == nil {
			leader, _ := os.FindProcess(pid)
			_ = leader.Kill() // init, so that the others end with it
		} else {
			_ = container.Process.Kill()
		}
		_ = container.Wait()
		if t.Failed() {
			t.Logf("systemd-nspawn said:\n%s", log.String())
		}
	})
	pid := strconv.Itoa(container.Process.Pid)
	poll(t, "the machine runs", func() bool {
		children, _ := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
		if m.leader = strings.TrimSpace(string(children)); m.leader == "" {
			return false
		}
		state, _ := m.try("systemctl", "is-system-running")
		return strings.HasPrefix(state, "running") || strings.HasPrefix(state, "degraded")
	})
	return m
}

// try runs a command in the machine, and returns its output.
func (m machine) try(command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	inside := exec.CommandContext(ctx, "nsenter", append([]string{"--target=" + m.leader, "--all", "--root", "--wd", "--"}, command...)...)
	inside.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "DEBIAN_FRONTEND=noninteractive"}
	out, err := inside.CombinedOutput()
	return string(out), err
}

func (m machine) do(t *testing.T, command ...string) string {
	t.Helper()
	out, err := m.try(command...)
	if err != nil {
		journal, _ := m.try("journalctl", "--no-pager", "--lines=40", "--unit=greenlight")
		t.Fatalf("%v: %v\n%s\n%s", command, err, out, journal)
	}
	return out
}

// property returns one property of the service.
func (m machine) property(t *testing.T, name string) string {
	t.Helper()
	return strings.TrimSpace(m.do(t, "systemctl", "show", "--value", "--property="+name, "greenlight.service"))
}

func (m machine) has(name string) bool {
	_, err := os.Lstat(filepath.Join(m.root, name))
	return err == nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func do(t *testing.T, command ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", command, err, out)
	}
	return string(out)
}

func poll(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long until %s", what)
		}
	}
}

// The package installs on Debian, its service starts under real systemd when it has its
// keys, survives being frozen and an upgrade, and goes: a removal keeps settings and data, a
// purge removes them.
func TestSnapshot_DebInstallsRunsUpgradesAndGoes(t *testing.T) {
	if os.Getenv("GREENLIGHT_SNAPSHOT") == "" {
		t.Skip("it reads dist; make snapshot makes that, and runs it")
	}
	found, err := filepath.Glob(dist + "/*_linux_" + runtime.GOARCH + ".deb")
	if err != nil || len(found) != 1 {
		t.Fatalf("got %q, %v; want a package for this machine", found, err)
	}
	m := boot(t)
	const unit, env = "/usr/lib/systemd/system/greenlight.service", "/etc/greenlight/greenlight.env"
	const data, private = "/var/lib/greenlight", "/var/lib/private/greenlight"
	install := func(file string) string {
		do(t, "cp", file, filepath.Join(m.root, "root/greenlight.deb"))
		return m.do(t, "dpkg", "--install", "/root/greenlight.deb")
	}

	if says := install(found[0]); !strings.Contains(says, "systemctl enable --now greenlight") {
		t.Errorf("the installation does not say how to start:\n%s", says)
	}
	if state := m.property(t, "ActiveState"); state != "inactive" {
		t.Errorf("without keys it is %s", state)
	}
	// So the archive's list of parts is the package's, too.
	name := strings.TrimSuffix(found[0], ".deb")
	do(t, "sh", "-c", `tar -xzOf "$0.tar.gz" "$1/greenlight" | cmp - "$2"`, name, filepath.Base(name), filepath.Join(m.root, "usr/bin/greenlight"))
	for _, name := range []string{"/etc/greenlight/plans", "/usr/share/man/man1/greenlight.1.gz", "/usr/share/bash-completion/completions/greenlight",
		"/usr/share/zsh/vendor-completions/_greenlight", "/usr/share/fish/vendor_completions.d/greenlight.fish"} {
		if !m.has(name) {
			t.Errorf("there is no %s", name)
		}
	}
	if conffiles := m.do(t, "dpkg-query", "--show", "--showformat=${Conffiles}", "greenlight"); !strings.Contains(conffiles, env) {
		t.Errorf("%s is not among the conffiles: %s", env, conffiles)
	}
	if mode := m.do(t, "stat", "--format=%a %U", env); mode != "600 root\n" {
		t.Errorf("%s is %s", env, mode)
	}
	if says := m.do(t, "systemd-analyze", "verify", "--man=no", unit); says != "" {
		t.Errorf("systemd-analyze verify says %s", says)
	}
	security := m.do(t, "systemd-analyze", "security", "--no-pager", "--offline=true", unit)
	level := regexp.MustCompile(`Overall exposure level for greenlight.service: (\S+)`).FindStringSubmatch(security)
	if level == nil {
		t.Fatalf("systemd-analyze security says\n%s", security)
	}
	if exposure, err := strconv.ParseFloat(level[1], 64); err != nil || exposure > maxExposure {
		t.Errorf("the exposure is %s, and may be %.1f:\n%s", level[1], maxExposure, security)
	}
	t.Logf("exposure %s", level[1])

	settings, err := os.OpenFile(filepath.Join(m.root, env), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	// Telnyx cannot be reached, which does not keep it from taking deliveries.
	_, err = settings.WriteString("TELNYX_API_KEY_FILE=/run/credentials/greenlight.service/telnyx-api-key\nTELNYX_PUBLIC_KEY=3s0xgU3UFCpMFMZaSUKnEbeyzpLMl5OUQ7xAUTXvVNA=\nTELNYX_BASE_URL=http://127.0.0.1:9/v2\n")
	must(t, errors.Join(err, settings.Close()))
	m.do(t, "cp", "/usr/share/doc/greenlight/examples/plan.example.yaml", "/etc/greenlight/plans/plan.yaml")
	// The key is in a file that only root may read, and the watchdog is shorter, since the
	// test waits for it.
	m.do(t, "sh", "-c", "umask 077 && echo KEY0123456789 > /etc/greenlight/telnyx-api-key")
	m.do(t, "sh", "-c", "mkdir /run/systemd/system/greenlight.service.d && printf '[Service]\\nLoadCredential=telnyx-api-key:/etc/greenlight/telnyx-api-key\\nWatchdogSec=3s\\nTimeoutAbortSec=1s\\nRestartSec=0\\n' > /run/systemd/system/greenlight.service.d/short.conf")
	m.do(t, "systemctl", "daemon-reload")

	m.do(t, "systemctl", "enable", "--now", "greenlight") // returns when it is ready
	ready := func() { t.Helper(); m.do(t, "greenlight", "up", "--healthcheck") }
	ready()
	status := m.property(t, "StatusText")
	if !strings.HasPrefix(status, "Ready.") && !strings.HasPrefix(status, "Accepts deliveries") {
		t.Errorf("its status is %q", status)
	}
	t.Logf("status: %s", status)
	first := m.property(t, "MainPID")
	// systemd gives dynamic users an id from this range.
	if user, err := strconv.Atoi(strings.TrimSpace(m.do(t, "stat", "--format=%u", "/proc/"+first))); err != nil || user < 61184 || user > 65519 {
		t.Errorf("it runs as user %d, %v", user, err)
	}
	if !m.has(private + "/jetstream") {
		t.Errorf("%s has no streams: %s", private, m.do(t, "ls", "-A", private))
	}

	m.do(t, "systemctl", "reload", "greenlight")
	ready()
	m.do(t, "sh", "-c", "kill -STOP "+first)
	poll(t, "systemd has restarted the frozen process", func() bool {
		return m.property(t, "NRestarts") == "1" && m.property(t, "ActiveState") == "active"
	})
	ready()

	second := m.property(t, "MainPID")
	unpacked, next := filepath.Join(t.TempDir(), "deb"), filepath.Join(t.TempDir(), "next.deb")
	do(t, "dpkg-deb", "--raw-extract", found[0], unpacked)
	do(t, "sed", "-i", "s/^Version: .*/Version: 999.0.0/", filepath.Join(unpacked, "DEBIAN/control"))
	do(t, "dpkg-deb", "-Zgzip", "-z1", "--build", unpacked, next)
	if says := install(next); !strings.Contains(says, "systemctl status greenlight") {
		t.Errorf("the upgrade does not say how to check:\n%s", says)
	}
	poll(t, "the new version has replaced process "+second, func() bool {
		now := m.property(t, "MainPID")
		return now != second && now != "0" && m.property(t, "ActiveState") == "active"
	})
	ready()
	if kept := m.do(t, "cat", env); !strings.Contains(kept, "\nTELNYX_API_KEY_FILE=/run/credentials/greenlight.service/telnyx-api-key\n") {
		t.Error("the upgrade has replaced the settings")
	}

	m.do(t, "dpkg", "--remove", "greenlight")
	if state := m.property(t, "ActiveState"); state != "inactive" {
		t.Errorf("after the removal it is %s", state)
	}
	for name, want := range map[string]bool{"/usr/bin/greenlight": false, unit: false, env: true, "/etc/greenlight/plans/plan.yaml": true, private + "/jetstream": true} {
		if m.has(name) != want {
			t.Errorf("after the removal %s is there: %t, want %t", name, !want, want)
		}
	}
	m.do(t, "dpkg", "--purge", "greenlight")
	for _, name := range []string{"/etc/greenlight", data, private} {
		if m.has(name) {
			t.Errorf("after the purge there is %s", name)
		}
	}
}
