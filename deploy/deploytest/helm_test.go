package deploytest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

const chart = deploy + "/helm/greenlight"

// render returns what helm install would apply, with the values.
func render(t *testing.T, release, values string) (objects, error) {
	t.Helper()
	loaded, err := loader.Load(chart)
	must(t, err)
	var given map[string]any
	must(t, yaml.UnmarshalStrict([]byte(values), &given))
	options := common.ReleaseOptions{Name: release, Namespace: "greenlight", IsInstall: true, Revision: 1}
	complete, err := util.ToRenderValues(loaded, given, options, nil)
	if err != nil {
		return objects{}, err
	}
	files, err := engine.Engine{}.Render(loaded, complete)
	if err != nil {
		return objects{}, err
	}
	all := newObjects()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.Contains(files[name], "<no value>") {
			t.Errorf("%s has a value that is not there:\n%s", name, files[name])
		}
		if filepath.Ext(name) != ".yaml" {
			continue
		}
		for _, document := range regexp.MustCompile(`(?m)^---$`).Split(files[name], -1) {
			text, err := yaml.YAMLToJSONStrict([]byte(document))
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, document)
			}
			if string(text) != "null" {
				all.add(t, text)
			}
		}
	}
	return all, nil
}

// In mode split, the chart is the kustomize base: every field is the same, but for labels
// that Helm's conventions demand, and the service account.
func TestHelm_SplitIsTheKustomizeBase(t *testing.T) {
	got, err := render(t, "greenlight", "mode: split")
	must(t, err)
	want := base(t).all
	delete(got.all, "ServiceAccount greenlight")
	for _, all := range []map[string]map[string]any{got.all, want} {
		for _, object := range all {
			delete(object["metadata"].(map[string]any), "labels")
			normalize(object)
		}
	}
	if diff := cmp.Diff(want, got.all); diff != "" {
		t.Errorf("deploy/kubernetes (-) and the chart (+) differ; change both:\n%s", diff)
	}
}

// normalize removes what only the chart has, and sorts lists whose order has no effect.
func normalize(value any) {
	switch value := value.(type) {
	case map[string]any:
		for _, name := range []string{"app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "app.kubernetes.io/version", "helm.sh/chart", "serviceAccountName"} {
			delete(value, name)
		}
		if value["type"] == "ClusterIP" { // the default
			delete(value, "type")
		}
		for name, field := range value {
			normalize(field)
			if list, is := field.([]any); is && (name == "env" || name == "items") {
				slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
			}
		}
	case []any:
		for _, element := range value {
			normalize(element)
		}
	}
}

// Everything that the values can switch on is in one of these.
var renderings = map[string]struct {
	release, values string
	// want are the objects, by kind and name.
	want []string
}{
	"up": {"greenlight", "", []string{
		"NetworkPolicy greenlight", "PodDisruptionBudget greenlight", "Service greenlight", "Service greenlight-admin",
		"ServiceAccount greenlight", "StatefulSet greenlight",
	}},
	"split": {"greenlight", "mode: split", []string{
		"Deployment greenlight-assigner", "Deployment greenlight-webhook",
		"NetworkPolicy greenlight", "NetworkPolicy greenlight-assigner", "NetworkPolicy greenlight-nats", "NetworkPolicy greenlight-webhook",
		"PodDisruptionBudget greenlight-assigner", "PodDisruptionBudget greenlight-webhook",
		"Service greenlight-webhook", "ServiceAccount greenlight",
	}},
	"up with everything": {"spring.eu", everything, []string{
		"ConfigMap spring-eu-greenlight-plans", "Ingress spring-eu-greenlight", "NetworkPolicy spring-eu-greenlight",
		"PodDisruptionBudget spring-eu-greenlight", "Service spring-eu-greenlight", "Service spring-eu-greenlight-admin",
		"ServiceAccount spring-eu-greenlight", "ServiceMonitor spring-eu-greenlight", "StatefulSet spring-eu-greenlight",
	}},
	"split with everything": {"spring.eu", everything + "mode: split\n", []string{
		"ConfigMap spring-eu-greenlight-plans", "Deployment spring-eu-greenlight-assigner", "Deployment spring-eu-greenlight-webhook",
		"Ingress spring-eu-greenlight",
		"NetworkPolicy spring-eu-greenlight", "NetworkPolicy spring-eu-greenlight-assigner", "NetworkPolicy spring-eu-greenlight-webhook",
		"PodDisruptionBudget spring-eu-greenlight-assigner", "PodDisruptionBudget spring-eu-greenlight-webhook",
		"Service spring-eu-greenlight-admin", "Service spring-eu-greenlight-webhook",
		"ServiceAccount spring-eu-greenlight", "ServiceMonitor spring-eu-greenlight",
	}},
	"split with little": {"x", `{mode: split, serviceAccount: {create: false}, networkPolicy: {enabled: false}, plans: {existingClaim: plans},
		fullnameOverride: gl, existingSecret: other, nats: {syncAlways: false, replicas: 1}, service: {type: LoadBalancer, port: 8080}}`, []string{
		"Deployment gl-assigner", "Deployment gl-webhook", "PodDisruptionBudget gl-assigner", "PodDisruptionBudget gl-webhook", "Service gl-webhook",
	}},
}

const everything = `
notices: true
plans: {files: {spring.yaml: "version: 1\n", numbers.csv: "+15551234567\n"}}
up: {image: &image {repository: registry.example.com:5000/gl, digest: "sha256:` + aDigest + `"}, persistence: {size: 20Gi, storageClassName: fast}, extraEnv: &env
  [{name: LOG_LEVEL, value: debug}, {name: ADMIN_LISTEN, value: ":8081"}, {name: OTEL_EXPORTER_OTLP_HEADERS, valueFrom: {secretKeyRef: {name: traces, key: headers}}}]}
webhook: {image: *image, replicas: 3, drainDelaySeconds: 30, extraEnv: *env}
assigner: {image: *image, replicas: 3, extraEnv: *env}
nats: {credentials: true, isolate: false, peers: [{ipBlock: {cidr: 192.0.2.0/24}}], port: 4443}
service: {annotations: {a: b}}
ingress: {enabled: true, className: nginx, host: hooks.example.com, annotations: {a: b}, tlsSecretName: hooks-tls}
networkPolicy: {from: [{namespaceSelector: {matchLabels: {a: b}}}], monitoringNamespace: watch, extraEgress: [{ports: [{protocol: TCP, port: 587}]}]}
podDisruptionBudget: {maxUnavailable: 2}
serviceMonitor: {enabled: true, interval: 1m, labels: {release: prometheus}}
serviceAccount: {annotations: {a: b}}
imagePullSecrets: [{name: pull}]
podAnnotations: {a: b}
nodeSelector: {a: b}
tolerations: [{key: a, operator: Exists}]
affinity: {nodeAffinity: {}}
`

const aDigest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestHelm_Renders(t *testing.T) {
	for name, c := range renderings {
		t.Run(name, func(t *testing.T) {
			all, err := render(t, c.release, c.values)
			must(t, err)
			if got := slices.Sorted(maps.Keys(all.all)); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			templates := map[string]core.PodTemplateSpec{}
			for name, set := range all.sets {
				templates[name] = set.Spec.Template
				if !matches(t, set.Spec.Selector, set.Spec.Template.Labels) || all.services[set.Spec.ServiceName].Spec.ClusterIP != core.ClusterIPNone {
					t.Errorf("%s selects %v, its service is %q", name, set.Spec.Selector, set.Spec.ServiceName)
				}
			}
			for name, deployment := range all.deployments {
				templates[name] = deployment.Spec.Template
				if !matches(t, deployment.Spec.Selector, deployment.Spec.Template.Labels) {
					t.Errorf("%s selects %v", name, deployment.Spec.Selector)
				}
			}
			for name, template := range templates {
				checkPod(t, name, template, all)
			}
			checkReachable(t, all, templates)
		})
	}
}

// checkPod fails for a pod of the chart that may do more than it needs, or that something
// belongs to that is not there.
func checkPod(t *testing.T, name string, template core.PodTemplateSpec, all objects) {
	t.Helper()
	pod := template.Spec
	checkContained(t, name, pod)
	c := pod.Containers[0]
	if budget, there := all.budgets[name]; !there || !matches(t, budget.Spec.Selector, template.Labels) {
		t.Errorf("%s has no disruption budget", name)
	}
	for path, probe := range map[string]*core.Probe{"/healthz": c.LivenessProbe, "/healthz (startup)": c.StartupProbe, "/readyz": c.ReadinessProbe} {
		path, _, _ = strings.Cut(path, " ")
		if probe.HTTPGet.Path != path || portNumber(c, probe.HTTPGet.Port) != 8081 {
			t.Errorf("%s: %s is asked by %+v", name, path, probe)
		}
	}
	account, there := all.accounts[pod.ServiceAccountName]
	if len(all.accounts) > 0 && !there || there && (account.AutomountServiceAccountToken == nil || *account.AutomountServiceAccountToken) {
		t.Errorf("%s has the service account %+v", name, account)
	}
	command := []string{c.Name}
	if c.Name == "up" {
		command = []string{tool, "up"}
		if !slices.Equal(c.Args, command[1:]) {
			t.Errorf("%s: args %q", name, c.Args)
		}
	}
	set, files := map[string]string{}, secretFiles(t, name, pod)
	for _, variable := range c.Env {
		if _, twice := set[variable.Name]; twice {
			t.Errorf("%s: %s is set twice", name, variable.Name)
		}
		if set[variable.Name] = variable.Value; variable.ValueFrom != nil {
			continue
		}
		if path, is := strings.CutPrefix(variable.Value, "/secrets/"); is && !slices.Contains(files, path) {
			t.Errorf("%s: %s is %s, where nothing is mounted", name, variable.Name, variable.Value)
		}
	}
	maps.DeleteFunc(set, func(name, _ string) bool { return strings.HasPrefix(name, "OTEL_") })
	checkVariables(t, set, command...)
	if least := stopTime(t, set["DRAIN_DELAY"]).Seconds(); float64(*pod.TerminationGracePeriodSeconds) <= least {
		t.Errorf("%s has %d s to stop, and may take %g s", name, *pod.TerminationGracePeriodSeconds, least)
	}
}

// secretFiles returns the keys that are mounted in /secrets. They must come by reference
// from one Secret.
func secretFiles(t *testing.T, name string, pod core.PodSpec) (files []string) {
	t.Helper()
	for _, volume := range pod.Volumes {
		if volume.Secret == nil {
			continue
		}
		if *volume.Secret.DefaultMode != 0o440 {
			t.Errorf("%s: secrets have mode %o", name, *volume.Secret.DefaultMode)
		}
		for _, item := range volume.Secret.Items {
			files = append(files, item.Path)
		}
	}
	return files
}

// checkReachable fails if services, policies, the Ingress or the ServiceMonitor do not lead
// to the pods.
func checkReachable(t *testing.T, all objects, templates map[string]core.PodTemplateSpec) {
	t.Helper()
	for name, service := range all.services {
		want := []string{"http"}
		if strings.HasSuffix(name, "-admin") {
			want = []string{"admin"}
		}
		found := 0
		for _, template := range templates {
			if !labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(template.Labels)) {
				continue
			}
			found++
			if number := portNumber(template.Spec.Containers[0], service.Spec.Ports[0].TargetPort); number != map[string]int32{"http": 8080, "admin": 8081}[want[0]] {
				t.Errorf("%s leads to port %d", name, number)
			}
		}
		if all := len(templates); found == 0 || want[0] == "admin" && found != all || want[0] == "http" && found != 1 {
			t.Errorf("%s leads to %d kinds of pods", name, found)
		}
	}
	for name, ingress := range all.ingresses {
		path := ingress.Spec.Rules[0].HTTP.Paths[0]
		service, there := all.services[path.Backend.Service.Name]
		if !there || service.Spec.Ports[0].Name != path.Backend.Service.Port.Name || path.Path != "/webhooks/telnyx" || *path.PathType != networking.PathTypeExact {
			t.Errorf("%s leads from %s to %+v", name, path.Path, path.Backend.Service)
		}
	}
	for name, monitor := range all.monitors {
		endpoint := monitor.Spec.Endpoints[0]
		token := endpoint.Authorization.Credentials
		found := 0
		for _, service := range all.services {
			if matches(t, &monitor.Spec.Selector, service.Labels) && service.Spec.Ports[0].Name == endpoint.Port {
				found++
			}
		}
		if found != 1 || token.Name != "greenlight" || token.Key != "admin-token" {
			t.Errorf("%s finds %d services, and has the token of %+v", name, found, token)
		}
	}
	for name, policy := range all.policies {
		if strings.HasSuffix(name, "-nats") {
			continue
		}
		for other, template := range templates {
			if matches(t, &policy.Spec.PodSelector, template.Labels) != (name == other) {
				t.Errorf("policy %s and pods %s: selector %v, labels %v", name, other, policy.Spec.PodSelector, template.Labels)
			}
		}
	}
}

// The values arrive where they belong.
func TestHelm_ValuesTakeEffect(t *testing.T) {
	split, err := render(t, "spring.eu", everything+"mode: split\n")
	must(t, err)
	up, err := render(t, "spring.eu", everything)
	must(t, err)
	little, err := render(t, "x", renderings["split with little"].values)
	must(t, err)
	webhook, assigner := split.deployments["spring-eu-greenlight-webhook"].Spec, split.deployments["spring-eu-greenlight-assigner"].Spec
	set := up.sets["spring-eu-greenlight"].Spec
	env := func(pod core.PodSpec, name string) string {
		for _, variable := range pod.Containers[0].Env {
			if variable.Name == name {
				return variable.Value
			}
		}
		return "not set"
	}
	few := little.deployments["gl-assigner"].Spec.Template.Spec
	claim := set.VolumeClaimTemplates[0].Spec
	type fact struct{ got, want any }
	for name, f := range map[string]fact{
		"digest":      {webhook.Template.Spec.Containers[0].Image, "registry.example.com:5000/gl@sha256:" + aDigest},
		"image":       {few.Containers[0].Image, "greenlight-assigner:dev"},
		"replicas":    {*webhook.Replicas, int32(3)},
		"drain":       {env(webhook.Template.Spec, "DRAIN_DELAY"), "30s"},
		"grace":       {*webhook.Template.Spec.TerminationGracePeriodSeconds, int64(50)},
		"credentials": {env(assigner.Template.Spec, "NATS_CREDS"), "/secrets/nats-creds"},
		"notices":     {env(assigner.Template.Spec, "NOTIFY_URL_FILE"), "/secrets/notify-url"},
		"no notices":  {env(few, "NOTIFY_URL_FILE"), "not set"},
		"notices, up": {env(set.Template.Spec, "NOTIFY_URL_FILE"), "/secrets/notify-url"},
		"extra":       {env(set.Template.Spec, "LOG_LEVEL"), "debug"},
		"copies":      {env(few, "REPLICAS"), "1"},
		"commit":      {env(little.deployments["gl-webhook"].Spec.Template.Spec, "GROUP_COMMIT"), "no"},
		"size":        {claim.Resources.Requests.Storage().String(), "20Gi"},
		"class":       {*claim.StorageClassName, "fast"},
		"secret":      {few.Volumes[0].Secret.SecretName, "other"},
		"claim":       {few.Volumes[1].PersistentVolumeClaim.ClaimName, "plans"},
		"map":         {set.Template.Spec.Volumes[1].ConfigMap.Name, "spring-eu-greenlight-plans"},
		"plans":       {up.configs["spring-eu-greenlight-plans"].Data["numbers.csv"], "+15551234567\n"},
		"out":         {fmt.Sprint(ports(split.policies["spring-eu-greenlight-assigner"].Spec.Egress)), "[53 443 587 4443]"},
		"out, up":     {fmt.Sprint(ports(up.policies["spring-eu-greenlight"].Spec.Egress)), "[53 443 587]"},
		"peers":       {split.policies["spring-eu-greenlight-webhook"].Spec.Egress[0].To[0].IPBlock.CIDR, "192.0.2.0/24"},
		"label":       {up.monitors["spring-eu-greenlight"].Labels["release"], "prometheus"},
		"port":        {little.services["gl-webhook"].Spec.Ports[0].Port, int32(8080)},
		"type":        {little.services["gl-webhook"].Spec.Type, core.ServiceTypeLoadBalancer},
		"account":     {few.ServiceAccountName, "default"},
		"budget":      {up.budgets["spring-eu-greenlight"].Spec.MaxUnavailable.IntValue(), 2},
	} {
		if f.got != f.want {
			t.Errorf("%s: got %v, want %v", name, f.got, f.want)
		}
	}
}

// A secret that is given by valueFrom has no file, too: Greenlight refuses both. Without any
// file nothing is mounted, since a volume without items would have the whole Secret.
func TestHelm_SecretsByReferenceReplaceFiles(t *testing.T) {
	for _, program := range []string{"up", "webhook", "assigner"} {
		mode := "split"
		if program == "up" {
			mode = program
		}
		for _, names := range [][]string{
			{"TELNYX_API_KEY"},
			{"TELNYX_API_KEY", "TELNYX_PUBLIC_KEY", "NATS_URL", "NOTIFY_URL", "ADMIN_TOKEN"},
		} {
			var extra []string
			for _, name := range names {
				extra = append(extra, "{name: "+name+", valueFrom: {secretKeyRef: {name: other, key: a}}}")
			}
			all, err := render(t, "greenlight", fmt.Sprintf("{mode: %s, notices: true, %s: {extraEnv: [%s]}}", mode, program, strings.Join(extra, ", ")))
			must(t, err)
			pod := all.sets["greenlight"].Spec.Template.Spec
			if program != "up" {
				pod = all.deployments["greenlight-"+program].Spec.Template.Spec
			}
			var set []string
			for _, variable := range pod.Containers[0].Env {
				set = append(set, variable.Name)
			}
			files := secretFiles(t, program, pod)
			for _, name := range names {
				key := strings.ReplaceAll(strings.ToLower(name), "_", "-")
				if !slices.Contains(set, name) || slices.Contains(set, name+"_FILE") || slices.Contains(files, key) {
					t.Errorf("%s, %s by reference: it has %q, and the files %q", program, name, set, files)
				}
			}
			isMounted := slices.ContainsFunc(pod.Containers[0].VolumeMounts, func(m core.VolumeMount) bool { return m.Name == "secrets" })
			if want := len(names) == 1; len(files) > 0 != want || isMounted != want {
				t.Errorf("%s: %d are by reference, the files are %q, mounted: %t", program, len(names), files, isMounted)
			}
		}
	}
}

func TestHelm_RefusesWrongValues(t *testing.T) {
	for values, want := range map[string]string{
		"mode: both":                                    "at '/mode': value must be one of 'up', 'split'",
		"{mode: split, webhook: {replicas: 1}}":         "at '/webhook/replicas': minimum: got 1, want 2",
		"telnyxAPIKey: KEY0123":                         "additional properties 'telnyxAPIKey' not allowed",
		"existingSecret: {key: value}":                  "at '/existingSecret': got object, want string",
		"existingSecret: ''":                            "at '/existingSecret':",
		"ingress: {enabled: true}":                      "at '/ingress/host': minLength: got 0, want 1",
		"up: {image: {digest: latest}}":                 "at '/up/image/digest': 'latest' does not match pattern",
		"up: {extraEnv: [{name: LOG_LEVEL, value: 1}]}": "at '/up/extraEnv/0/value': got number, want string",
		"nats: {replicas: 2}":                           "at '/nats/replicas': value must be one of 1, 3, 5",
		"plans: {files: {a.yaml: {version: 1}}}":        "at '/plans/files/a.yaml': got object, want string",
		"plans: {files: {a.yaml: a}, existingClaim: b}": "plans: set only one of existingConfigMap, existingClaim and files",
		"{mode: split, assigner: {extraEnv: [{name: TELNYX_API_KEY, value: KEY0123}]}}": "extraEnv: TELNYX_API_KEY is a secret: give it by valueFrom, or in existingSecret",
		"up: {extraEnv: [{name: OTEL_EXPORTER_OTLP_HEADERS, value: KEY0123}]}":          "extraEnv: OTEL_EXPORTER_OTLP_HEADERS is a secret: give it by valueFrom",
	} {
		_, err := render(t, "greenlight", values)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", values, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "KEY0123") {
			t.Errorf("%s: the message has the secret: %v", values, err)
		}
	}
}

func TestHelm_Lints(t *testing.T) {
	for name, c := range renderings {
		var given map[string]any
		must(t, yaml.Unmarshal([]byte(c.values), &given))
		for _, message := range lint.RunAll(chart, given, "greenlight").Messages {
			if message.Severity > support.InfoSev { // which recommends an icon
				t.Errorf("%s: %s", name, message)
			}
		}
	}
}

// values.yaml has every value that the schema knows, and no other.
func TestHelm_SchemaHasTheValues(t *testing.T) {
	var values map[string]any
	must(t, yaml.UnmarshalStrict([]byte(read(t, chart+"/values.yaml")), &values))
	type node struct {
		Ref        string `json:"$ref"`
		Properties map[string]*node
		Defs       map[string]*node `json:"$defs"`
	}
	var schema node
	must(t, json.Unmarshal([]byte(read(t, chart+"/values.schema.json")), &schema))
	var compare func(path string, value any, known *node)
	compare = func(path string, value any, known *node) {
		if name, is := strings.CutPrefix(known.Ref, "#/$defs/"); is {
			known = schema.Defs[name]
		}
		fields, is := value.(map[string]any)
		if !is || len(known.Properties) == 0 {
			return
		}
		for name := range known.Properties {
			if _, there := fields[name]; !there && name != "global" {
				t.Errorf("values.yaml lacks %s%s", path, name)
			}
		}
		for name, field := range fields {
			if known.Properties[name] == nil {
				t.Errorf("the schema lacks %s%s", path, name)
				continue
			}
			compare(path+name+".", field, known.Properties[name])
		}
	}
	compare("", values, &schema)
}

// TestHelm_UpRuns runs the container of mode up as a process, with its settings, until every
// number can send. Only addresses and paths differ.
func TestHelm_UpRuns(t *testing.T) {
	t.Parallel()
	all, err := render(t, "greenlight", "")
	must(t, err)
	c := all.sets["greenlight"].Spec.Template.Spec.Containers[0]
	const plan = root + "/config/plan.example.yaml"
	secrets, data, api, public, private := makeSecrets(t), t.TempDir(), free(t), free(t), free(t)
	set := map[string]string{}
	for _, variable := range c.Env {
		set[variable.Name] = strings.Replace(variable.Value, "/secrets", secrets, 1)
	}
	if set["DATA"] != c.VolumeMounts[2].MountPath || set["PLANS"] != c.VolumeMounts[1].MountPath {
		t.Errorf("DATA is %s and PLANS is %s, mounts are %+v", set["DATA"], set["PLANS"], c.VolumeMounts)
	}
	set["DATA"], set["PLANS"], set["TELNYX_BASE_URL"], set["LISTEN"], set["ADMIN_LISTEN"] = data, plan, "http://"+api+"/v2", public, private
	start(t, "up", set, append([]string{tool}, c.Args...)...)
	start(t, "simulator", nil, tool, "simulator", "--addr", api, "--from", plan, "--key-file", deploy+"/compose/simulator.key",
		"--webhook-url", "http://"+public+"/webhooks/telnyx", "--review", "200ms", "--assign", "200ms", "--mapping", "200ms")
	for _, probe := range []*core.Probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
		poll(t, probe.HTTPGet.Path+" is answered", func() error {
			answer, err := http.Get("http://" + private + probe.HTTPGet.Path)
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				return fmt.Errorf("got %s", answer.Status)
			}
			return nil
		})
	}
	poll(t, "every number can send", func() error {
		status := exec.Command(filepath.Join(bin, tool), "status", "--json")
		status.Env = append(os.Environ(), "DATA="+data)
		out, err := status.CombinedOutput()
		if sendable := strings.Count(string(out), `"state": "sendable"`); err != nil || sendable != 5 {
			return fmt.Errorf("%d can: %w\n%s", sendable, err, out)
		}
		return nil
	})
}
