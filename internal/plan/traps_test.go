package plan

import (
	"strings"
	"testing"

	"github.com/oasdiff/yaml"
)

// TestLoad_TrapsOfUnmarshal compares the loader with oasdiff/yaml's Unmarshal, which
// most programs would call and which misreads these plans silently. Each row shows the
// misreading and the loader's fault. A row that fails because a newer oasdiff/yaml
// fixes it can be deleted.
func TestLoad_TrapsOfUnmarshal(t *testing.T) {
	const head = "version: 1\ncampaigns:\n  - name: a\n    campaign_id: a\n    numbers: [+15551234567]\n"
	for _, test := range []struct{ name, plan, harm, want string }{
		{"octal", strings.Replace(head, "+15551234567", "0123", 1), `"numbers":[83]`, `number "0123": starts with 0`},
		{"hexadecimal", strings.Replace(head, "+15551234567", "0x39F3FD887", 1), `"numbers":[15556663431]`, `number "0x39F3FD887": is not a phone number`},
		{"float", strings.Replace(head, "+15551234567", "1.5551234567e10", 1), `"numbers":[15551234567]`, "is in scientific notation"},
		{"second document", head + "---\n" + head, `"numbers":[15551234567]`, "second document: a file holds one plan"},
		{"key in any case", "Version: 1\n" + strings.TrimPrefix(head, "version: 1\n"), `"Version":1`, `key "Version": has the wrong letter case`},
		{"empty file", "", "null", "file: is empty"},
		{"comments alone", "# later\n", "null", "file: is empty"},
		{"alias", head + "x: &x [1]\ny: *x\n", `"y":[1]`, "alias *x: a plan must write out every value"},
		{"merge key", "x: &x {version: 1}\n<<: *x\n" + strings.TrimPrefix(head, "version: 1\n"), `"version":1`, "merge key <<: a plan must"},
		{"tag", strings.Replace(head, "name: a", "name: !!str 12", 1), `"name":"12"`, "tag !!str: plans do not use"},
		{"byte order mark", "\ufeff" + head, `"numbers":[15551234567]`, ""},
		{"Windows line ends", strings.ReplaceAll(head, "\n", "\r\n"), `"numbers":[15551234567]`, ""},
		{"lost plus", head, `"numbers":[15551234567]`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var plain any
			json, err := yaml.YAMLToJSON([]byte(test.plan))
			if err != nil || !strings.Contains(string(json), test.harm) {
				t.Errorf("oasdiff/yaml made %s, %v of it, want %s", json, err, test.harm)
			}
			if _, err := yaml.Unmarshal([]byte(test.plan), &plain, yaml.DecodeOpts{}); err != nil {
				t.Errorf("oasdiff/yaml says itself: %v", err)
			}
			set, err := LoadBytes("plan.yaml", []byte(test.plan))
			switch {
			case test.want == "" && err != nil:
				t.Errorf("got %v, want no fault", err)
			case test.want == "" && set.Campaigns[0].Numbers[0] != "+15551234567":
				t.Errorf("got %v", set.Campaigns[0].Numbers)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
