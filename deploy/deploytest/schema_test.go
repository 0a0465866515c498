package deploytest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/kyaml/openapi"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
)

// missing returns the paths of the fields that Kubernetes' published schema requires and the
// object lacks. An API server would refuse it. Unknown fields and wrong types are found by
// decoding, which is strict.
func missing(object []byte) ([]string, error) {
	var fields map[string]any
	if err := json.Unmarshal(object, &fields); err != nil {
		return nil, err
	}
	version, _ := fields["apiVersion"].(string)
	kind, _ := fields["kind"].(string)
	schema := openapi.SchemaForResourceType(kyaml.TypeMeta{APIVersion: version, Kind: kind})
	if schema == nil {
		return nil, fmt.Errorf("Kubernetes' schema has no %s %s", version, kind)
	}
	return lacks(schema, fields, kind), nil
}

func lacks(schema *openapi.ResourceSchema, value any, path string) (paths []string) {
	if schema == nil {
		return nil
	}
	switch value := value.(type) {
	case map[string]any:
		for _, name := range schema.Schema.Required {
			if value[name] == nil {
				paths = append(paths, path+"."+name)
			}
		}
		for name, field := range value {
			paths = append(paths, lacks(schema.Field(name), field, path+"."+name)...)
		}
	case []any:
		for i, element := range value {
			paths = append(paths, lacks(schema.Elements(), element, fmt.Sprintf("%s[%d]", path, i))...)
		}
	}
	slices.Sort(paths)
	return paths
}

// Missing required fields are found at any depth.
func TestSchema_FindsWhatIsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		object string
		want   string
	}{
		"nothing": {`{"apiVersion":"v1","kind":"Service","spec":{"ports":[{"port":80}]}}`, ""},
		"a port":  {`{"apiVersion":"v1","kind":"Service","spec":{"ports":[{"name":"http"}]}}`, "Service.spec.ports[0].port"},
		"a selector and a container's name": {
			`{"apiVersion":"apps/v1","kind":"Deployment","spec":{"template":{"spec":{"containers":[{"image":"i"}]}}}}`,
			"Deployment.spec.selector Deployment.spec.template.spec.containers[0].name",
		},
		"a volume's name and a probe's port": {
			`{"apiVersion":"v1","kind":"Pod","spec":{"volumes":[{"secret":{}}],"containers":[{"name":"c","livenessProbe":{"httpGet":{}}}]}}`,
			"Pod.spec.containers[0].livenessProbe.httpGet.port Pod.spec.volumes[0].name",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := missing([]byte(c.object))
			must(t, err)
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %q, want %q", strings.Join(got, " "), c.want)
			}
		})
	}
	if _, err := missing([]byte(`{"apiVersion":"v9","kind":"Nothing"}`)); err == nil {
		t.Error("an unknown kind passes")
	}
}
