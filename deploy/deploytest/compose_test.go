package deploytest

import (
	"cmp"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"sigs.k8s.io/yaml"
)

// simulatorKey is the public key of compose/simulator.key.
const simulatorKey = "jrMBoswHlhhVx2W2Www72WU/xn4UMpjreslD0m2u0qs="

func load(t *testing.T, name string) *types.Project {
	t.Helper()
	project, err := loadWith(t, name, cli.WithProfiles([]string{"tools"}), cli.WithEnv([]string{"GREENLIGHT_HOST=hooks.example.com", "VERSION=1.2.3"}))
	must(t, err)
	return project
}

func loadWith(t *testing.T, name string, more ...cli.ProjectOptionsFn) (*types.Project, error) {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(deploy, name)},
		append(more, cli.WithInterpolation(true), cli.WithResolvedPaths(true))...)
	must(t, err)
	return options.LoadProject(t.Context())
}

// tool is the service of compose.yaml that runs one command and exits.
const tool = "greenlight"

// ours returns the command that a service runs if its image is one of ours.
func ours(service types.ServiceConfig) []string {
	switch {
	case service.Build == nil:
		return nil
	case service.Build.Target == "greenlight":
		return []string{"greenlight", service.Command[0]}
	default:
		return []string{service.Build.Target}
	}
}

func environment(service types.ServiceConfig) map[string]string {
	set := map[string]string{}
	for name, value := range service.Environment {
		set[name] = *value
	}
	return set
}

// secretsOf returns the files of a service's secrets by their places in the container.
func secretsOf(project *types.Project, service types.ServiceConfig) map[string]string {
	places := map[string]string{}
	for _, secret := range service.Secrets {
		place := secret.Target
		if !filepath.IsAbs(place) {
			place = "/run/secrets/" + cmp.Or(place, secret.Source)
		}
		places[place] = filepath.Base(project.Secrets[secret.Source].File)
	}
	return places
}

// mounted returns where on this machine a path in the container comes from.
func mounted(service types.ServiceConfig, path string) string {
	for _, volume := range service.Volumes {
		if rest, under := strings.CutPrefix(path, volume.Target); under && volume.Type == types.VolumeTypeBind && (rest == "" || rest[0] == '/') {
			return volume.Source + rest
		}
	}
	return ""
}

func TestCompose_ContainsEveryService(t *testing.T) {
	// The capabilities that services keep. The reasons are in the file.
	capabilities := map[string][]string{"prepare": {"CHOWN"}, "caddy": {"NET_BIND_SERVICE"}}
	asRoot := []string{"prepare"}
	unchecked := map[string][]string{"compose.yaml": {"prepare", tool}, "compose.dev.yaml": {"simulator"}}
	tag := regexp.MustCompile(`^[a-z0-9/-]+:v?\d+\.\d+[a-z0-9.-]*$`)
	for _, file := range []string{"compose.yaml", "compose.dev.yaml"} {
		project := load(t, file)
		for name, service := range project.Services {
			if !service.ReadOnly {
				t.Errorf("%s: its root can be written to", name)
			}
			if !slices.Equal(service.CapDrop, []string{"ALL"}) || !slices.Equal(service.CapAdd, capabilities[name]) {
				t.Errorf("%s: drops %v, adds %v", name, service.CapDrop, service.CapAdd)
			}
			if !slices.Contains(service.SecurityOpt, "no-new-privileges:true") || service.Privileged {
				t.Errorf("%s: may gain privileges", name)
			}
			user, _, _ := strings.Cut(service.User, ":")
			if (user == "" || user == "0" || user == "root") != slices.Contains(asRoot, name) {
				t.Errorf("%s: runs as %q", name, service.User)
			}
			if service.Build == nil && !tag.MatchString(service.Image) {
				t.Errorf("%s: image %q has no version", name, service.Image)
			}
			if service.Build != nil && service.User != "65532:65532" {
				t.Errorf("%s: runs as %s, and the image is made for 65532", name, service.User)
			}
			limits := service.Deploy.Resources.Limits
			if limits == nil || limits.MemoryBytes == 0 || limits.NanoCPUs == 0 || limits.Pids == 0 {
				t.Errorf("%s: limits %+v", name, limits)
			}
			check := service.HealthCheck
			if slices.Contains(unchecked[file], name) {
				if check == nil || !check.Disable {
					t.Errorf("%s: has a health check, and nothing to ask", name)
				}
			} else if check == nil || len(check.Test) < 2 || check.Test[0] != "CMD" || check.Interval == nil || check.Timeout == nil {
				t.Errorf("%s: health check %+v", name, check)
			}
			for _, port := range service.Ports {
				if name != "caddy" && port.HostIP != "127.0.0.1" {
					t.Errorf("%s: port %s is open to other machines", name, port.Published)
				}
				if !leadsOutside(project, service) {
					t.Errorf("%s: port %s is published, and all of its networks are internal, where that does nothing", name, port.Published)
				}
			}
		}
	}
}

// leadsOutside reports whether a service is on a network that is not internal. A service
// without any is on the default one, which is not.
func leadsOutside(project *types.Project, service types.ServiceConfig) bool {
	for name := range service.Networks {
		if !project.Networks[name].Internal {
			return true
		}
	}
	return false
}

// Without a host or a version Compose must report it, and must not serve localhost or build
// images with an empty tag.
func TestCompose_NeedsAHostAndAVersion(t *testing.T) {
	set := map[string]string{"GREENLIGHT_HOST": "hooks.example.com", "VERSION": "1.2.3"}
	for missing := range set {
		var env []string
		for name, value := range set {
			if name != missing {
				env = append(env, name+"="+value)
			}
		}
		if _, err := loadWith(t, "compose.yaml", cli.WithEnv(env)); err == nil || !strings.Contains(err.Error(), "deploy/.env") {
			t.Errorf("without %s: got %v, want where to write it", missing, err)
		}
	}
	// The place that Compose reads by default and that git ignores.
	ignored := exec.Command("git", "check-ignore", "-q", "deploy/.env")
	ignored.Dir = root
	if ignored.Run() != nil {
		t.Error("deploy/.env is not ignored by git")
	}
}

// TestCompose_EnvComesFromTheExampleAndTheTag runs version.sh twice in a new repository, and
// reads the result as Compose does.
func TestCompose_EnvComesFromTheExampleAndTheTag(t *testing.T) {
	folder := t.TempDir()
	must(t, os.Mkdir(folder+"/deploy", 0o700))
	for _, name := range []string{"version.sh", ".env.example"} {
		must(t, os.WriteFile(folder+"/deploy/"+name, []byte(read(t, deploy+"/"+name)), 0o600))
	}
	must(t, os.WriteFile(folder+"/.gitignore", []byte(read(t, root+"/.gitignore")), 0o600))
	must(t, os.WriteFile(folder+"/deploy/.env", []byte(read(t, folder+"/deploy/.env.example")), 0o600))
	run := func(command ...string) {
		t.Helper()
		process := exec.Command(command[0], command[1:]...)
		process.Dir = folder
		process.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
			"GIT_AUTHOR_DATE=2026-01-02T04:04:05+01:00", "GIT_COMMITTER_DATE=2026-01-02T04:04:05+01:00")
		if out, err := process.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", command, err, out)
		}
	}
	run("git", "init", "-q")
	run("git", "add", ".")
	run("git", "commit", "-q", "-m", "a")
	for _, tag := range []string{"v1.2.3", "v1.2.4"} {
		run("git", "commit", "-q", "--allow-empty", "-m", tag)
		run("git", "tag", tag)
		run("sh", "deploy/version.sh")
		project, err := loadWith(t, "compose.yaml", cli.WithEnvFiles(folder+"/deploy/.env"), cli.WithDotEnv)
		must(t, err)
		webhook := project.Services["webhook-1"]
		if want := "greenlight-webhook:" + tag[1:]; webhook.Image != want || *webhook.Build.Args["VERSION"] != tag[1:] {
			t.Errorf("%s: image %s of version %s, want %s", tag, webhook.Image, *webhook.Build.Args["VERSION"], want)
		}
		if commit, date := *webhook.Build.Args["COMMIT"], *webhook.Build.Args["DATE"]; len(commit) != 40 || date != "2026-01-02T03:04:05Z" {
			t.Errorf("%s: commit %q, date %q", tag, commit, date)
		}
		if got := *project.Services["caddy"].Environment["GREENLIGHT_HOST"]; got != "hooks.example.com" {
			t.Errorf("%s: serves %q", tag, got)
		}
	}
	if text := read(t, folder+"/deploy/.env"); strings.Count(text, "VERSION=") != 1 {
		t.Errorf("got\n%s\nwant one version", text)
	}
}

// Commands must reach NATS and Telnyx, and users must reach the status page.
func TestCompose_PeopleReachIt(t *testing.T) {
	project := load(t, "compose.yaml")
	service := project.Services[tool]
	if !slices.Equal(service.Profiles, []string{"tools"}) || service.Restart != "no" || len(service.Ports) > 0 {
		t.Errorf("it starts with the others, or again: %v, %q", service.Profiles, service.Restart)
	}
	if _, reached := service.Networks["nats"]; !reached || !leadsOutside(project, service) {
		t.Errorf("it is on %v, want those of NATS and Telnyx", service.Networks)
	}
	secrets := secretsOf(project, service)
	set := environment(service)
	for variable, want := range map[string]string{
		"NATS_URL_FILE": "nats-url", "TELNYX_API_KEY_FILE": "telnyx-api-key", "TELNYX_PUBLIC_KEY_FILE": "telnyx-public-key",
	} {
		if secrets[set[variable]] != want {
			t.Errorf("%s is %q", variable, set[variable])
		}
	}
	checkVariables(t, set, "greenlight", "doctor")
	if len(secrets) != 3 {
		t.Errorf("it has secrets that it does not read: %v", secrets)
	}
	if !strings.HasSuffix(mounted(service, set["PLANS"]), "/config/plans") {
		t.Errorf("PLANS is %s, where nothing is mounted", set["PLANS"])
	}
	if plain, err := loadWith(t, "compose.yaml", cli.WithEnv([]string{"GREENLIGHT_HOST=h", "VERSION=1"})); err != nil || plain.Services[tool].Name != "" {
		t.Errorf("up starts it: %v", err)
	}
	pages := 0
	for name, service := range project.Services {
		if command := ours(service); command == nil || command[0] != "assigner" {
			continue
		}
		for _, port := range service.Ports {
			set := environment(service)
			if set["ADMIN_LISTEN"] != fmt.Sprintf(":%d", port.Target) || set["ADMIN_TOKEN_FILE"] == "" || port.Published != "8081" {
				t.Errorf("%s: publishes %+v of %s", name, port, set["ADMIN_LISTEN"])
			}
			pages++
		}
	}
	if pages != 1 {
		t.Errorf("%d assigners show their page, want one", pages)
	}
	readme := read(t, deploy+"/README.md")
	for _, said := range []string{"docker compose -f deploy/compose.yaml run --rm greenlight status", "http://127.0.0.1:8081/status"} {
		if !strings.Contains(readme, said) {
			t.Errorf("README.md lacks %s", said)
		}
	}
}

func TestCompose_MountsWhatIsThere(t *testing.T) {
	readme := read(t, deploy+"/README.md")
	made, err := os.ReadDir(makeSecrets(t))
	must(t, err)
	for _, file := range []string{"compose.yaml", "compose.dev.yaml"} {
		project := load(t, file)
		for name, service := range project.Services {
			for _, volume := range service.Volumes {
				if volume.Type != types.VolumeTypeBind {
					continue
				}
				if !volume.ReadOnly {
					t.Errorf("%s: may write to %s", name, volume.Source)
				}
				_, err := os.Stat(volume.Source)
				if strings.HasSuffix(volume.Source, "/config/plans") {
					// Users create it, and Compose reports it if it is missing.
					if bool(volume.Bind.CreateHostPath) || !strings.Contains(readme, "config/plans") {
						t.Errorf("%s: a missing config/plans is not reported", name)
					}
				} else if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		for name, secret := range project.Secrets {
			there := slices.ContainsFunc(made, func(file os.DirEntry) bool { return file.Name() == filepath.Base(secret.File) })
			if !there || filepath.Dir(secret.File) != filepath.Join(filepath.Dir(project.ComposeFiles[0]), "secrets") {
				t.Errorf("secret %s: secrets.sh does not create %s", name, secret.File)
			}
		}
	}
}

func TestCompose_SetsWhatTheCommandsKnow(t *testing.T) {
	project := load(t, "compose.yaml")
	running := map[string]int{}
	for name, service := range project.Services {
		command := ours(service)
		if command == nil || name == tool {
			continue
		}
		running[command[0]]++
		set := environment(service)
		checkVariables(t, set, command...)
		secrets := secretsOf(project, service)
		for variable, value := range set {
			if strings.HasSuffix(variable, "_FILE") {
				want := strings.ReplaceAll(strings.ToLower(strings.TrimSuffix(variable, "_FILE")), "_", "-")
				if secrets[value] != want {
					t.Errorf("%s: %s is %s, where secret %q lies, want %s", name, variable, value, secrets[value], want)
				}
				delete(secrets, value)
			}
		}
		if len(secrets) > 0 {
			t.Errorf("%s: has secrets that it does not read: %v", name, secrets)
		}
		if set["REPLICAS"] != "3" {
			t.Errorf("%s: %s copies on three servers", name, set["REPLICAS"])
		}
		if plans := set["PLANS"]; command[0] == "assigner" && !strings.HasSuffix(mounted(service, plans), "/config/plans") {
			t.Errorf("%s: PLANS is %s, where nothing is mounted", name, plans)
		}
		if want := "CMD /" + command[0] + " --healthcheck"; strings.Join(service.HealthCheck.Test, " ") != want {
			t.Errorf("%s: health check %v, want %s", name, service.HealthCheck.Test, want)
		}
		stop := stopTime(t, set["DRAIN_DELAY"])
		if command[0] == "assigner" {
			stop += callTime
		}
		if grace := time.Duration(*service.StopGracePeriod); grace <= stop {
			t.Errorf("%s: is killed after %s, and may take %s to stop", name, grace, stop)
		}
	}
	if running["webhook"] != 2 || running["assigner"] != 2 {
		t.Errorf("got %v, want two of each", running)
	}
}

func TestCompose_NATSSyncsAndIsACluster(t *testing.T) {
	project := load(t, "compose.yaml")
	t.Setenv("SERVER_NAME", "nats-1")
	folder := natsFolder(t, makeSecrets(t))
	options := natsOptions(t, folder+"/nats.conf")
	if !options.JetStream || !options.SyncAlways {
		t.Errorf("JetStream %t, sync always %t", options.JetStream, options.SyncAlways)
	}
	if len(options.Users) != 2 {
		t.Errorf("NATS knows %d users, want two", len(options.Users))
	}
	var hosts, servers, stores []string
	for _, route := range options.Routes {
		hosts = append(hosts, route.Host)
	}
	for name, service := range project.Services {
		image, tag, _ := strings.Cut(service.Image, ":")
		if image != "nats" || name == "prepare" {
			continue
		}
		checkNATSImage(t, tag)
		servers = append(servers, net.JoinHostPort(name, "6222"))
		if got := strings.Join(service.Command, " "); got != "nats-server --config /etc/nats/nats.conf" {
			t.Errorf("%s: runs %s", name, got)
		}
		t.Setenv("SERVER_NAME", environment(service)["SERVER_NAME"])
		if got := natsOptions(t, folder+"/nats.conf").ServerName; got != name {
			t.Errorf("%s: is called %q", name, got)
		}
		if got := mounted(service, "/etc/nats/nats.conf"); filepath.Base(got) != "nats.conf" {
			t.Errorf("%s: its configuration is %q", name, got)
		}
		if got := secretsOf(project, service)["/etc/nats/auth.conf"]; got != "nats-auth.conf" {
			t.Errorf("%s: auth.conf is %q", name, got)
		}
		for _, volume := range service.Volumes {
			if volume.Target == options.StoreDir && volume.Type == types.VolumeTypeVolume {
				stores = append(stores, volume.Source)
			}
		}
		if !slices.Contains(service.Networks["nats"].Aliases, "nats") {
			t.Errorf("%s: cannot be found as nats, which nats-url says", name)
		}
	}
	slices.Sort(hosts)
	slices.Sort(servers)
	slices.Sort(stores)
	if len(servers) != 3 || !slices.Equal(hosts, servers) {
		t.Errorf("routes to %v, servers %v", hosts, servers)
	}
	if len(slices.Compact(stores)) != 3 {
		t.Errorf("stores %v, want one volume each", stores)
	}
	if !project.Networks["nats"].Internal {
		t.Error("the network of NATS leads outside")
	}
	prepare := project.Services["prepare"]
	for _, store := range append(stores, "caddy") {
		if !slices.Contains(prepare.Entrypoint, "/volumes/"+store) ||
			!slices.ContainsFunc(prepare.Volumes, func(v types.ServiceVolumeConfig) bool { return v.Source == store && v.Target == "/volumes/"+store }) {
			t.Errorf("prepare does not give volume %s to its user", store)
		}
	}
}

// natsFolder lays out what the container nats-1 has in /etc/nats, and its environment.
func natsFolder(t *testing.T, secrets string) string {
	t.Helper()
	folder := t.TempDir()
	must(t, os.WriteFile(folder+"/nats.conf", []byte(read(t, deploy+"/compose/nats.conf")), 0o600))
	must(t, os.WriteFile(folder+"/auth.conf", []byte(read(t, secrets+"/nats-auth.conf")), 0o600))
	return folder
}

func TestCompose_CaddyLeadsToEachWebhookWhileItTakesDeliveries(t *testing.T) {
	project := load(t, "compose.yaml")
	text := read(t, mounted(project.Services["caddy"], "/etc/caddy/Caddyfile"))
	interval := regexp.MustCompile(`health_interval (\S+)`).FindStringSubmatch(text)
	every, err := time.ParseDuration(interval[1])
	must(t, err)
	var want []string
	for name, service := range project.Services {
		if command := ours(service); command == nil || command[0] != "webhook" {
			continue
		}
		want = append(want, name+":8080") // the default of LISTEN
		if delay, err := time.ParseDuration(environment(service)["DRAIN_DELAY"]); err != nil || delay < 2*every {
			t.Errorf("%s: accepts deliveries for %s after SIGTERM, but Caddy checks every %s", name, delay, every)
		}
	}
	slices.Sort(want)
	got := regexp.MustCompile(`reverse_proxy (.*) \{`).FindStringSubmatch(text)
	if got[1] != strings.Join(want, " ") {
		t.Errorf("leads to %s, want %v", got[1], want)
	}
	for _, port := range project.Services["caddy"].Ports {
		if name := map[uint32]string{8080: "http_port 8080", 8443: "https_port 8443"}[port.Target]; name == "" || !strings.Contains(text, name) {
			t.Errorf("port %d is not listened on", port.Target)
		}
	}
}

func TestCompose_PrometheusReadsEveryProcessAndTheRules(t *testing.T) {
	project := load(t, "compose.yaml")
	service := project.Services["prometheus"]
	var config struct {
		RuleFiles     []string `json:"rule_files"`
		ScrapeConfigs []struct {
			Authorization struct {
				CredentialsFile string `json:"credentials_file"`
			}
			StaticConfigs []struct{ Targets []string } `json:"static_configs"`
		} `json:"scrape_configs"`
	}
	must(t, yaml.Unmarshal([]byte(read(t, mounted(service, "/etc/prometheus/prometheus.yaml"))), &config))
	if !slices.Contains(service.Command, "--config.file=/etc/prometheus/prometheus.yaml") {
		t.Errorf("runs %v", service.Command)
	}
	for _, rules := range config.RuleFiles {
		if got := mounted(service, "/etc/prometheus/"+rules); !strings.HasSuffix(got, "/deploy/monitoring/greenlight.rules.yaml") {
			t.Errorf("rules %s are %q", rules, got)
		}
	}
	job := config.ScrapeConfigs[0]
	if got := secretsOf(project, service)[job.Authorization.CredentialsFile]; got != "admin-token" {
		t.Errorf("Prometheus shows %q", got)
	}
	var want []string
	for name, service := range project.Services {
		if ours(service) != nil && name != tool {
			want = append(want, name+environment(service)["ADMIN_LISTEN"])
			if _, reached := service.Networks["watch"]; !reached {
				t.Errorf("%s cannot be reached by Prometheus", name)
			}
		}
	}
	got := job.StaticConfigs[0].Targets
	slices.Sort(want)
	slices.Sort(got)
	if len(config.RuleFiles) != 1 || !slices.Equal(got, want) {
		t.Errorf("rules %v, reads %v, want %v", config.RuleFiles, got, want)
	}
}

func TestCompose_GrafanaHasTheBoardAndPrometheus(t *testing.T) {
	project := load(t, "compose.yaml")
	service := project.Services["grafana"]
	var boards struct {
		Providers []struct{ Options struct{ Path string } }
	}
	must(t, yaml.Unmarshal([]byte(read(t, mounted(service, "/etc/grafana/provisioning/dashboards/boards.yaml"))), &boards))
	if got := mounted(service, boards.Providers[0].Options.Path+"/greenlight.board.json"); !strings.HasSuffix(got, "/deploy/monitoring/greenlight.board.json") {
		t.Errorf("the board is %q", got)
	}
	var sources struct {
		Datasources []struct {
			Type, URL string
			IsDefault bool
		}
	}
	must(t, yaml.Unmarshal([]byte(read(t, mounted(service, "/etc/grafana/provisioning/datasources/prometheus.yaml"))), &sources))
	if got := sources.Datasources[0]; got.Type != "prometheus" || got.URL != "http://prometheus:9090" || !got.IsDefault {
		t.Errorf("got %+v", got)
	}
	if got := secretsOf(project, service)[environment(service)["GF_SECURITY_ADMIN_PASSWORD__FILE"]]; got != "grafana-password" {
		t.Errorf("the password is %q", got)
	}
}

func TestCompose_TheSimulationIsWired(t *testing.T) {
	project := load(t, "compose.dev.yaml")
	up, simulator := project.Services["greenlight"], project.Services["simulator"]
	known := optionsOf(t, "greenlight", "up")
	set := environment(up)
	for name := range set {
		if !known.variables[name] {
			t.Errorf("%s is not a setting of greenlight up", name)
		}
	}
	flags := map[string]string{}
	knownFlags := optionsOf(t, "greenlight", "simulator").flags
	for _, argument := range simulator.Command[1:] {
		name, value, _ := strings.Cut(argument, "=")
		flags[name] = value
		if !knownFlags[name] {
			t.Errorf("%s is not a flag of greenlight simulator", name)
		}
	}
	_, port, err := net.SplitHostPort(flags["--addr"])
	must(t, err)
	if got, want := set["TELNYX_BASE_URL"], "http://127.0.0.1:"+port+"/v2"; got != want {
		t.Errorf("calls %s, want %s", got, want)
	}
	if got, want := flags["--webhook-url"], "http://127.0.0.1:8080/webhooks/telnyx"; got != want {
		t.Errorf("posts to %s, want %s", got, want)
	}
	if got, want := up.NetworkMode, "service:simulator"; got != want {
		t.Errorf("network mode %q, want %q", got, want)
	}
	plan := mounted(up, set["PLANS"])
	if plan == "" || plan != mounted(simulator, flags["--from"]) {
		t.Errorf("plans %q and %q, want one", plan, mounted(simulator, flags["--from"]))
	}
	seed, err := base64.StdEncoding.DecodeString(strings.TrimSpace(read(t, mounted(simulator, flags["--key-file"]))))
	must(t, err)
	public, _ := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	if got := base64.StdEncoding.EncodeToString(public); got != set["TELNYX_PUBLIC_KEY"] || got != simulatorKey {
		t.Errorf("the simulator signs with %s, and Greenlight knows %s", got, set["TELNYX_PUBLIC_KEY"])
	}
	if set["TELNYX_API_KEY"] != "simulated" || len(up.Secrets) > 0 {
		t.Error("something here is a secret")
	}
	if got, want := strings.Join(up.HealthCheck.Test, " "), "CMD /greenlight up --healthcheck"; got != want {
		t.Errorf("health check %s, want %s", got, want)
	}
	if !known.flags["--healthcheck"] {
		t.Error("greenlight up has no --healthcheck")
	}
	if !slices.ContainsFunc(up.Volumes, func(v types.ServiceVolumeConfig) bool {
		return v.Type == types.VolumeTypeVolume && v.Target == set["DATA"]
	}) {
		t.Errorf("%s cannot be written to", set["DATA"])
	}
}
