package deploytest

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// objects are the objects of the base or the chart, by name.
type objects struct {
	deployments map[string]apps.Deployment
	sets        map[string]apps.StatefulSet
	services    map[string]core.Service
	accounts    map[string]core.ServiceAccount
	configs     map[string]core.ConfigMap
	budgets     map[string]policy.PodDisruptionBudget
	policies    map[string]networking.NetworkPolicy
	ingresses   map[string]networking.Ingress
	monitors    map[string]monitoring.ServiceMonitor
	// all is every object as decoded JSON, by kind and name.
	all map[string]map[string]any
}

func newObjects() objects {
	return objects{
		map[string]apps.Deployment{}, map[string]apps.StatefulSet{}, map[string]core.Service{}, map[string]core.ServiceAccount{},
		map[string]core.ConfigMap{}, map[string]policy.PodDisruptionBudget{}, map[string]networking.NetworkPolicy{},
		map[string]networking.Ingress{}, map[string]monitoring.ServiceMonitor{}, map[string]map[string]any{},
	}
}

// add decodes an object, and fails for unknown and missing fields.
func (o objects) add(t *testing.T, text []byte) {
	t.Helper()
	var fields map[string]any
	must(t, json.Unmarshal(text, &fields))
	var head meta.PartialObjectMetadata
	must(t, json.Unmarshal(text, &head))
	name := head.Name
	if head.Namespace != "" {
		t.Errorf("%s %s is in a namespace", head.Kind, name)
	}
	if o.all[head.Kind+" "+name] != nil {
		t.Errorf("there are two of %s %s", head.Kind, name)
	}
	o.all[head.Kind+" "+name] = fields
	switch kind := head.APIVersion + " " + head.Kind; kind {
	case "apps/v1 Deployment":
		keep(t, o.deployments, name, text)
	case "apps/v1 StatefulSet":
		keep(t, o.sets, name, text)
	case "v1 Service":
		keep(t, o.services, name, text)
	case "v1 ServiceAccount":
		keep(t, o.accounts, name, text)
	case "v1 ConfigMap":
		keep(t, o.configs, name, text)
	case "policy/v1 PodDisruptionBudget":
		keep(t, o.budgets, name, text)
	case "networking.k8s.io/v1 NetworkPolicy":
		keep(t, o.policies, name, text)
	case "networking.k8s.io/v1 Ingress":
		keep(t, o.ingresses, name, text)
	case "monitoring.coreos.com/v1 ServiceMonitor": // not of Kubernetes, which has no schema of it
		o.monitors[name] = decode[monitoring.ServiceMonitor](t, name, text)
	default:
		t.Errorf("%s %s is not tested", kind, name)
	}
}

// base builds the base, and fails for unknown and missing fields.
func base(t *testing.T) objects {
	t.Helper()
	return build(t, "kubernetes")
}

func build(t *testing.T, folder string) objects {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(deploy, folder))
	must(t, err)
	all := newObjects()
	for _, resource := range built.Resources() {
		text, err := resource.MarshalJSON()
		must(t, err)
		all.add(t, text)
	}
	if len(all.deployments) != 2 {
		t.Fatalf("got %d deployments, want 2", len(all.deployments))
	}
	return all
}

// toolPod returns the pod of kubectl run with tool.json.
func toolPod(t *testing.T) core.Pod {
	t.Helper()
	pods := map[string]core.Pod{}
	overrides := read(t, deploy+"/kubernetes/tool.json")
	keep(t, pods, tool, []byte(strings.Replace(overrides, "{", `{"kind": "Pod",`, 1))) // which kubectl adds
	return pods[tool]
}

// decode fails for fields that the type does not have.
func decode[T any](t *testing.T, name string, text []byte) (object T) {
	t.Helper()
	unknown, err := kjson.UnmarshalStrict(text, &object)
	must(t, err)
	for _, fault := range unknown {
		t.Errorf("%s: %v", name, fault)
	}
	return object
}

func keep[T any](t *testing.T, into map[string]T, name string, text []byte) {
	t.Helper()
	object := decode[T](t, name, text)
	lacking, err := missing(text)
	must(t, err)
	for _, path := range lacking {
		t.Errorf("%s: %s is missing, which Kubernetes demands", name, path)
	}
	into[name] = object
}

func matches(t *testing.T, selector *meta.LabelSelector, set map[string]string) bool {
	t.Helper()
	s, err := meta.LabelSelectorAsSelector(selector)
	must(t, err)
	return !s.Empty() && s.Matches(labels.Set(set))
}

func TestKubernetes_SelectorsFindTheirPods(t *testing.T) {
	all := base(t)
	for name, deployment := range all.deployments {
		pods := deployment.Spec.Template.Labels
		if !matches(t, deployment.Spec.Selector, pods) {
			t.Errorf("%s: selects %v, pods have %v", name, deployment.Spec.Selector, pods)
		}
		for other, wrong := range all.deployments {
			if other != name && matches(t, deployment.Spec.Selector, wrong.Spec.Template.Labels) {
				t.Errorf("%s: selects pods of %s", name, other)
			}
		}
		for _, spread := range deployment.Spec.Template.Spec.TopologySpreadConstraints {
			if !matches(t, spread.LabelSelector, pods) {
				t.Errorf("%s: spreads other pods over %s", name, spread.TopologyKey)
			}
		}
		if len(deployment.Spec.Template.Spec.TopologySpreadConstraints) == 0 {
			t.Errorf("%s: is not spread", name)
		}
		budget, there := all.budgets[name]
		if !there || !matches(t, budget.Spec.Selector, pods) {
			t.Errorf("%s: has no disruption budget", name)
		}
		if most := budget.Spec.MaxUnavailable; most == nil || most.IntValue() < 1 || most.IntValue() >= int(*deployment.Spec.Replicas) {
			t.Errorf("%s: of %d may %v be away", name, *deployment.Spec.Replicas, most)
		}
		if *deployment.Spec.Replicas != 2 {
			t.Errorf("%s: got %d, want two", name, *deployment.Spec.Replicas)
		}
		rules, there := all.policies[name]
		if !there || !matches(t, &rules.Spec.PodSelector, pods) {
			t.Errorf("%s: has no network policy", name)
		}
	}
	for name, service := range all.services {
		pods := all.deployments[name].Spec.Template
		if len(service.Spec.Selector) == 0 || !labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(pods.Labels)) {
			t.Errorf("service %s: selects %v, pods have %v", name, service.Spec.Selector, pods.Labels)
		}
		if len(service.Spec.Ports) != 1 || portNumber(pods.Spec.Containers[0], service.Spec.Ports[0].TargetPort) != 8080 {
			t.Errorf("service %s: leads to %+v, want the public port alone", name, service.Spec.Ports)
		}
	}
	if len(all.services) != 1 {
		t.Errorf("got %d services, want that of the webhook", len(all.services))
	}
}

// portNumber returns the number of a container's port, 0 if there is none.
func portNumber(container core.Container, meant intstr.IntOrString) int32 {
	for _, port := range container.Ports {
		if port.Name == meant.StrVal && meant.Type == intstr.String || port.ContainerPort == meant.IntVal && meant.Type == intstr.Int {
			return port.ContainerPort
		}
	}
	return 0
}

func TestKubernetes_SetsWhatTheCommandsKnow(t *testing.T) {
	readme := read(t, deploy+"/README.md")
	for name, deployment := range base(t).deployments {
		pod := deployment.Spec.Template.Spec
		container := pod.Containers[0]
		set := map[string]string{}
		for _, variable := range container.Env {
			if variable.ValueFrom != nil {
				t.Errorf("%s: %s comes from elsewhere, and is in the environment then", name, variable.Name)
			}
			set[variable.Name] = variable.Value
		}
		if len(container.EnvFrom) > 0 || len(container.Command) > 0 {
			t.Errorf("%s: has variables or a command that no test knows", name)
		}
		checkVariables(t, set, container.Name)
		files := mountedKeys(t, name, pod, readme)
		for variable, value := range set {
			if !strings.HasSuffix(variable, "_FILE") {
				continue
			}
			want := strings.ReplaceAll(strings.ToLower(strings.TrimSuffix(variable, "_FILE")), "_", "-")
			if files[value] != want {
				t.Errorf("%s: %s is %s, where key %q lies, want %s", name, variable, value, files[value], want)
			}
			delete(files, value)
		}
		if len(files) > 0 {
			t.Errorf("%s: has secrets that it does not read: %v", name, files)
		}
		if container.Name == "assigner" && !slices.ContainsFunc(container.VolumeMounts, func(m core.VolumeMount) bool {
			return m.MountPath == set["PLANS"] && m.Name == "plans" && m.SubPath == ""
		}) {
			t.Errorf("%s: PLANS is %s, where no folder is mounted", name, set["PLANS"])
		}
		if set["REPLICAS"] != "3" || set["ADMIN_LISTEN"] != ":8081" {
			t.Errorf("%s: got %v", name, set)
		}
		stop := stopTime(t, set["DRAIN_DELAY"])
		if container.Name == "assigner" {
			stop += callTime
		}
		if grace := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second; grace <= stop {
			t.Errorf("%s: is killed after %s, and may take %s to stop", name, grace, stop)
		}
	}
}

// mountedKeys returns the keys of secrets by their path in the first container, and fails
// for secrets and maps that README.md does not create.
func mountedKeys(t *testing.T, name string, pod core.PodSpec, readme string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, volume := range pod.Volumes {
		at := slices.IndexFunc(pod.Containers[0].VolumeMounts, func(m core.VolumeMount) bool { return m.Name == volume.Name })
		if at < 0 {
			t.Errorf("%s: volume %s is not mounted", name, volume.Name)
			continue
		}
		mount := pod.Containers[0].VolumeMounts[at]
		if !mount.ReadOnly {
			t.Errorf("%s: may write to %s", name, mount.MountPath)
		}
		switch {
		case volume.Secret != nil:
			if !strings.Contains(readme, "kubectl create secret generic "+volume.Secret.SecretName+" ") {
				t.Errorf("%s: README.md does not create the secret %s", name, volume.Secret.SecretName)
			}
			if mode := *volume.Secret.DefaultMode; mode != 0o440 || *pod.SecurityContext.FSGroup != 65532 {
				t.Errorf("%s: secrets have mode %o", name, mode)
			}
			for _, item := range volume.Secret.Items {
				if !regexp.MustCompile(`--from-file=\S*/` + regexp.QuoteMeta(item.Key) + `\b`).MatchString(readme) {
					t.Errorf("%s: README.md does not put %s into the secret", name, item.Key)
				}
				files[filepath.Join(mount.MountPath, item.Path)] = item.Key
			}
		case volume.ConfigMap != nil:
			if !strings.Contains(readme, "kubectl create configmap "+volume.ConfigMap.Name+" ") {
				t.Errorf("%s: README.md does not create the map %s", name, volume.ConfigMap.Name)
			}
		default:
			t.Errorf("%s: volume %s is not tested", name, volume.Name)
		}
	}
	return files
}

// The pod for commands has what doctor needs, reaches NATS and Telnyx, and is in README.md in
// the form that kubectl run expects.
func TestKubernetes_PeopleReachIt(t *testing.T) {
	pod := toolPod(t)
	readme := read(t, deploy+"/README.md")
	container := pod.Spec.Containers[0]
	set := map[string]string{}
	for _, variable := range container.Env {
		set[variable.Name] = variable.Value
	}
	checkVariables(t, set, "greenlight", "doctor")
	files := mountedKeys(t, tool, pod.Spec, readme)
	for variable, want := range map[string]string{
		"NATS_URL_FILE": "nats-url", "TELNYX_API_KEY_FILE": "telnyx-api-key", "TELNYX_PUBLIC_KEY_FILE": "telnyx-public-key",
	} {
		if files[set[variable]] != want {
			t.Errorf("%s is %q", variable, set[variable])
		}
	}
	if !slices.ContainsFunc(container.VolumeMounts, func(m core.VolumeMount) bool { return m.MountPath == set["PLANS"] && m.Name == "plans" }) {
		t.Errorf("PLANS is %s, where nothing is mounted", set["PLANS"])
	}
	// kubectl run names the container like the pod, and sets the image.
	if container.Name != tool || container.Image != "" || len(container.Args) > 0 {
		t.Errorf("kubectl run would make another container beside %+v", container)
	}
	for _, said := range []string{
		"kubectl run greenlight ", "--override-type=strategic", "kubernetes/tool.json", "kubectl port-forward deployment/greenlight-assigner 8081",
	} {
		if !strings.Contains(readme, said) {
			t.Errorf("README.md lacks %q", said)
		}
	}
	all := base(t)
	if in := all.policies["greenlight-nats"].Spec; !matches(t, in.Ingress[0].From[0].PodSelector, pod.Labels) {
		t.Error("NATS does not admit it")
	}
	rules := all.policies[tool].Spec
	if !matches(t, &rules.PodSelector, pod.Labels) || len(rules.Ingress) > 0 || len(rules.PolicyTypes) != 2 {
		t.Errorf("its policy is %+v", rules)
	}
	if got := ports(rules.Egress); !slices.Equal(got, []int32{53, 443, 4222}) {
		t.Errorf("it may call %v", got)
	}
	for name, deployment := range all.deployments {
		rules := all.policies[name].Spec
		if matches(t, deployment.Spec.Selector, pod.Labels) || matches(t, &rules.PodSelector, pod.Labels) {
			t.Errorf("it is taken for %s", name)
		}
	}
}

// ports returns the allowed outgoing ports, sorted, without repeats.
func ports(rules []networking.NetworkPolicyEgressRule) (out []int32) {
	for _, rule := range rules {
		for _, port := range rule.Ports {
			out = append(out, port.Port.IntVal)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// The programs know the settings of the example, their values come from the secret, and
// their ports are open.
func TestKubernetes_TheExampleOpensWhatItSets(t *testing.T) {
	all := build(t, "kubernetes.example")
	for name, deployment := range all.deployments {
		pod := deployment.Spec.Template.Spec
		container := pod.Containers[0]
		if !strings.HasPrefix(container.Image, "registry.example.com/"+name+":") {
			t.Errorf("%s: image %s", name, container.Image)
		}
		set := map[string]string{}
		for _, variable := range container.Env {
			set[variable.Name] = variable.Value
		}
		collector, err := url.Parse(set["OTEL_EXPORTER_OTLP_ENDPOINT"])
		must(t, err)
		out := ports(all.policies[name].Spec.Egress)
		port, err := strconv.Atoi(collector.Port())
		if err != nil || !slices.Contains(out, int32(port)) {
			t.Errorf("%s: traces go to %s, and it may call %v", name, collector, out)
		}
		delete(set, "OTEL_EXPORTER_OTLP_ENDPOINT") // it belongs to OpenTelemetry
		checkVariables(t, set, container.Name)
		if container.Name != "assigner" {
			continue
		}
		if !slices.Contains(out, 587) {
			t.Errorf("%s: may call %v, and mail goes to 587", name, out)
		}
		for _, volume := range pod.Volumes {
			switch volume.Name {
			case "secrets":
				if !slices.Contains(volume.Secret.Items, core.KeyToPath{Key: "notify-url", Path: filepath.Base(set["NOTIFY_URL_FILE"])}) {
					t.Errorf("%s: NOTIFY_URL_FILE is %q, secrets are %v", name, set["NOTIFY_URL_FILE"], volume.Secret.Items)
				}
			case "plans":
				if volume.ConfigMap != nil || volume.PersistentVolumeClaim == nil || !volume.PersistentVolumeClaim.ReadOnly {
					t.Errorf("%s: plans are %+v", name, volume)
				}
			}
		}
	}
	for policyName, rules := range all.policies {
		if was := base(t).policies[policyName]; policyName != "greenlight-webhook" && policyName != "greenlight-assigner" && len(rules.Spec.Egress) != len(was.Spec.Egress) {
			t.Errorf("%s: the example changes it", policyName)
		}
	}
}

func TestKubernetes_ProbesAskThePrivateListener(t *testing.T) {
	for name, deployment := range base(t).deployments {
		container := deployment.Spec.Template.Spec.Containers[0]
		for path, probe := range map[string]*core.Probe{
			"/healthz (startup)": container.StartupProbe, "/healthz": container.LivenessProbe, "/readyz": container.ReadinessProbe,
		} {
			path, _, _ = strings.Cut(path, " ")
			if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != path || portNumber(container, probe.HTTPGet.Port) != 8081 {
				t.Errorf("%s: %s is asked by %+v", name, path, probe)
				continue
			}
			if probe.TimeoutSeconds < 2 { // an answer may take 900 ms
				t.Errorf("%s: %s may take %d s", name, path, probe.TimeoutSeconds)
			}
		}
		// process.joinTimeout and makeTimeout, before it answers.
		least := map[string]time.Duration{"webhook": 5 * time.Second, "assigner": 65 * time.Second}[container.Name]
		start := container.StartupProbe
		if got := time.Duration(start.PeriodSeconds*start.FailureThreshold) * time.Second; got <= least {
			t.Errorf("%s: is killed after %s of a start that may take %s", name, got, least)
		}
	}
}

func TestKubernetes_ContainsEveryPod(t *testing.T) {
	pods := map[string]core.PodSpec{tool: toolPod(t).Spec}
	for name, deployment := range base(t).deployments {
		pods[name] = deployment.Spec.Template.Spec
	}
	for name, pod := range pods {
		if len(pod.Containers) != 1 || len(pod.InitContainers) > 0 {
			t.Fatalf("%s: got %d containers", name, len(pod.Containers))
		}
		checkContained(t, name, pod)
		c := pod.Containers[0]
		if image, tag, _ := strings.Cut(c.Image, ":"); name != tool && (image != name || tag == "" || tag == "latest") {
			t.Errorf("%s: image %s", name, c.Image)
		}
	}
}

// checkContained fails for a pod that a namespace which enforces the Pod Security
// Standard restricted would refuse, and for one without limits.
func checkContained(t *testing.T, name string, pod core.PodSpec) {
	t.Helper()
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		t.Errorf("%s: has a token of the service account", name)
	}
	who := pod.SecurityContext
	if who == nil || who.RunAsNonRoot == nil || !*who.RunAsNonRoot || who.RunAsUser == nil || *who.RunAsUser != 65532 ||
		who.SeccompProfile == nil || who.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
		t.Errorf("%s: runs as %+v", name, who)
	}
	if pod.HostNetwork || pod.HostPID || pod.HostIPC {
		t.Errorf("%s: is in the host", name)
	}
	for _, c := range pod.Containers {
		may := c.SecurityContext
		if may == nil || may.ReadOnlyRootFilesystem == nil || !*may.ReadOnlyRootFilesystem ||
			may.AllowPrivilegeEscalation == nil || *may.AllowPrivilegeEscalation ||
			may.Capabilities == nil || !slices.Equal(may.Capabilities.Drop, []core.Capability{"ALL"}) || len(may.Capabilities.Add) > 0 {
			t.Errorf("%s: may %+v", name, may)
		}
		for _, amount := range []core.ResourceName{core.ResourceCPU, core.ResourceMemory} {
			if c.Resources.Requests.Name(amount, "").IsZero() || c.Resources.Limits.Name(amount, "").IsZero() {
				t.Errorf("%s: %s: asks for %v, may have %v", name, amount, c.Resources.Requests, c.Resources.Limits)
			}
		}
	}
}

func TestKubernetes_NetworkOpensWhatIsNeeded(t *testing.T) {
	all := base(t)
	natsPods := map[string]string{"app.kubernetes.io/name": "nats"}
	for name, deployment := range all.deployments {
		container := deployment.Spec.Template.Spec.Containers[0]
		rules := all.policies[name].Spec
		if !slices.Equal(rules.PolicyTypes, []networking.PolicyType{networking.PolicyTypeIngress, networking.PolicyTypeEgress}) {
			t.Errorf("%s: %v", name, rules.PolicyTypes)
		}
		open := map[int32]bool{} // by port: to everybody
		for _, rule := range rules.Ingress {
			for _, port := range rule.Ports {
				open[portNumber(container, *port.Port)] = len(rule.From) == 0
			}
			for _, from := range rule.From {
				if from.NamespaceSelector == nil || from.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] != "monitoring" || from.PodSelector != nil {
					t.Errorf("%s: lets in %+v", name, from)
				}
			}
		}
		want := map[int32]bool{8081: false}
		if container.Name == "webhook" {
			want[8080] = true
		}
		if len(open) != len(want) || open[8081] || open[8080] != want[8080] {
			t.Errorf("%s: got %v, want %v", name, open, want)
		}
		out := map[int32]bool{}
		for _, rule := range rules.Egress {
			for _, port := range rule.Ports {
				out[port.Port.IntVal] = true
				if port.Port.IntVal == 4222 && (len(rule.To) != 1 || !matches(t, rule.To[0].PodSelector, natsPods)) {
					t.Errorf("%s: 4222 leads to %+v", name, rule.To)
				}
			}
		}
		if !out[4222] || !out[53] || out[443] != (container.Name == "assigner") || len(out) > 3 {
			t.Errorf("%s: may call %v", name, out)
		}
		// NATS admits these pods.
		if in := all.policies["greenlight-nats"].Spec; !matches(t, &in.PodSelector, natsPods) ||
			in.Ingress[0].Ports[0].Port.IntVal != 4222 || !matches(t, in.Ingress[0].From[0].PodSelector, deployment.Spec.Template.Labels) {
			t.Errorf("%s: is not let in by NATS", name)
		}
	}
}

// natsVariable is a value, or where the chart takes it from.
type natsVariable struct{ ValueFrom core.EnvVarSource }

func (v *natsVariable) UnmarshalJSON(text []byte) error {
	if text[0] == '"' {
		return nil
	}
	type plain natsVariable
	return json.Unmarshal(text, (*plain)(v))
}

func TestKubernetes_NATSSyncsAndIsACluster(t *testing.T) {
	var values struct {
		Container struct {
			Image struct{ Tag string }
			Env   map[string]natsVariable
			Merge core.Container
		}
		Reloader struct{ Merge core.Container }
		Config   struct {
			Merge   map[string]any
			Cluster struct {
				Enabled  bool
				Replicas int
			}
			JetStream struct {
				Enabled   bool
				Merge     map[string]any
				FileStore struct {
					Enabled bool
					MaxSize resource.Quantity
					Pvc     struct {
						Enabled bool
						Size    resource.Quantity
					}
				}
			}
		}
		PodTemplate struct {
			TopologySpreadConstraints map[string]core.TopologySpreadConstraint
			Merge                     core.PodTemplateSpec
		}
		NatsBox struct{ Enabled bool }
	}
	text := read(t, deploy+"/kubernetes/nats-values.yaml")
	readme := read(t, deploy+"/README.md")
	must(t, yaml.UnmarshalStrict([]byte(text), &values))
	checkNATSImage(t, values.Container.Image.Tag)
	config := values.Config
	if !config.Cluster.Enabled || config.Cluster.Replicas != 3 || !config.JetStream.Enabled || !config.JetStream.FileStore.Enabled || !config.JetStream.FileStore.Pvc.Enabled {
		t.Errorf("got %+v", config)
	}
	if _, spread := values.PodTemplate.TopologySpreadConstraints["kubernetes.io/hostname"]; !spread {
		t.Error("two servers may share a node")
	}
	if store := config.JetStream.FileStore; store.MaxSize.IsZero() || store.MaxSize.Cmp(store.Pvc.Size) >= 0 {
		t.Errorf("JetStream may take %s of a volume of %s, which has a file system too", &store.MaxSize, &store.Pvc.Size)
	}
	pod := values.PodTemplate.Merge.Spec
	pod.Containers = []core.Container{values.Container.Merge, values.Reloader.Merge}
	checkContained(t, "nats", pod)
	// The chart writes these into the server's configuration, and copies text between << and
	// >> unchanged.
	server := map[string]any{"jetstream": config.JetStream.Merge}
	for key, value := range config.Merge {
		server[key] = value
	}
	written, err := yaml.Marshal(server)
	must(t, err)
	asJSON, err := yaml.YAMLToJSON(written)
	must(t, err)
	path := filepath.Join(t.TempDir(), "nats.conf")
	must(t, os.WriteFile(path, regexp.MustCompile(`"(?:<<|\\u003c\\u003c) (\S+) (?:>>|\\u003e\\u003e)"`).ReplaceAll(asJSON, []byte("$1")), 0o600))
	secrets := makeSecrets(t)
	known := map[string]string{}
	for _, letter := range []string{"a", "b"} {
		name := "nats-password-" + letter
		known["greenlight-"+letter] = read(t, secrets+"/"+name)
		variable := strings.ReplaceAll(strings.ToUpper(name), "-", "_")
		t.Setenv(variable, known["greenlight-"+letter])
		if got := values.Container.Env[variable].ValueFrom.SecretKeyRef; got.Name != "greenlight-nats" || got.Key != name {
			t.Errorf("%s comes from %+v", variable, got)
		}
		if !regexp.MustCompile(`(?m)kubectl create secret generic greenlight-nats(?: .*|\\\n)* --from-file=deploy/secrets/` + name + `\b`).MatchString(readme) {
			t.Errorf("README.md does not put %s into the secret greenlight-nats", name)
		}
	}
	options := natsOptions(t, path)
	if !options.JetStream || !options.SyncAlways || len(options.Users) != 2 {
		t.Errorf("JetStream %t, sync always %t, %d users", options.JetStream, options.SyncAlways, len(options.Users))
	}
	for _, user := range options.Users {
		if user.Password != known[user.Username] {
			t.Errorf("%s has another password than in the secret", user.Username)
		}
	}
	if got, want := read(t, secrets+"/nats-url"), "nats://greenlight-a:"+known["greenlight-a"]+"@nats:4222"; got != want {
		t.Errorf("clients say %s, want %s", got, want)
	}
}
