package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	yaml3 "github.com/oasdiff/yaml3"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"greenlight/config"
)

// beyondSchema maps fixtures to the reason why config/plan.schema.json cannot express
// their fault. Reasons used more than once have a name.
var beyondSchema = map[string]string{
	"anchor_and_alias":              readsAlike,
	"merge_key":                     readsAlike,
	"tag":                           readsAlike,
	"directive_tag":                 readsAlike,
	"second_document":               oneDocument,
	"second_document_empty":         oneDocument,
	"syntax_in_second_document":     oneDocument,
	"version_as_float":              "to JSON, 1.0 and 1 are one number",
	"name_twice":                    acrossItems,
	"campaign_twice":                acrossItems,
	"number_pool_twice":             acrossItems,
	"number_twice_in_two_campaigns": acrossItems,
	"name_twice_in_two_files":       acrossFiles,
	"campaign_twice_in_two_files":   acrossFiles,
	"reference_twice":               acrossFiles,
	"number_twice_in_two_files":     acrossFiles,
	"numbers_file_used_twice":       acrossFiles,
	"folder_without_plans":          "there is no plan to check",
	"numbers_more_than_max":         "a bound cannot be another value in the document",
	"number_in_canada":              areaCodesInGo,
	"number_twice":                  "quoted it is a JSON string, unquoted a number, and those differ",
	"numbers_file_bad_numbers":      inOtherFile,
	"numbers_file_empty":            inOtherFile,
	"numbers_file_header":           inOtherFile,
	"numbers_file_no_text":          inOtherFile,
	"numbers_file_number_twice":     inOtherFile,
	"numbers_file_open_quote":       inOtherFile,
	"numbers_file_ragged":           inOtherFile,
	"numbers_file_title_alone":      inOtherFile,
	"numbers_file_too_many":         inOtherFile,
	"numbers_file_workbook":         inOtherFile,
}

const (
	oneDocument   = "a schema describes one document; validators check each or only the first"
	readsAlike    = "a schema sees what YAML makes of the text, not how it was written"
	acrossItems   = "uniqueItems compares whole items, not one of their keys"
	acrossFiles   = "a schema describes one file"
	inOtherFile   = "a schema describes the plan file, and this fault is in the numbers file"
	areaCodesInGo = "area codes change, so their table is in one place, areacodes.go"
)

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.PlanSchema))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("plan.schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("plan.schema.json") // also checks it against its own schema
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// checkSchema validates every plan of a file system with the schema, as an
// editor would: on what YAML makes of the text.
func checkSchema(schema *jsonschema.Schema, fsys fstest.MapFS) error {
	for _, name := range slices.Sorted(maps.Keys(fsys)) {
		if !isPlan(name) || strings.Contains("/"+name, "/.") {
			continue
		}
		var value any
		decoder := yaml3.NewDecoder(bytes.NewReader(fsys[name].Data))
		decoder.DisableTimestamps(true)
		if err := decoder.Decode(&value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		text, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := schema.Validate(instance); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func TestSchema_AcceptsWhatTheLoaderAccepts(t *testing.T) {
	schema := compileSchema(t)
	eachFixture(t, "good", func(t *testing.T, f fixture) {
		if err := checkSchema(schema, f.plans(t)); err != nil {
			t.Error(err)
		}
	})
	if err := checkSchema(schema, fstest.MapFS{"plan.example.yaml": {Data: config.ExamplePlan}}); err != nil {
		t.Error(err)
	}
}

func TestSchema_RefusesWhatTheLoaderRefuses(t *testing.T) {
	schema := compileSchema(t)
	unseen := maps.Clone(beyondSchema)
	eachFixture(t, "faults", func(t *testing.T, f fixture) {
		name := t.Name()[strings.LastIndex(t.Name(), "/")+1:]
		reason := beyondSchema[name]
		delete(unseen, name)
		switch err := checkSchema(schema, f.plans(t)); {
		case err == nil && reason == "":
			t.Error("the schema accepts it: fix the schema, or add a reason to beyondSchema")
		case err != nil && reason != "":
			t.Errorf("the schema refuses it; delete it from beyondSchema: %v", err)
		}
	})
	for name := range unseen {
		t.Errorf("beyondSchema has %s, but there is no such fixture", name)
	}
}

// schemaObject is the part of a schema that is compared with the grammar.
type schemaObject struct {
	Properties map[string]struct {
		Type, Pattern, Description string
		MinItems                   int
		Items                      struct{ Pattern string }
	}
	AdditionalProperties *bool
	OneOf                []struct{ Required []string }
	Then                 struct {
		Properties struct {
			Numbers struct{ MaxItems int }
		}
	}
	Defs struct{ Campaign json.RawMessage } `json:"$defs"`
}

func TestSchema_HasTheKeysOfTheGrammar(t *testing.T) {
	var top, campaign schemaObject
	decode(t, config.PlanSchema, &top)
	decode(t, top.Defs.Campaign, &campaign)
	for _, object := range []struct {
		schema schemaObject
		keys   []string
	}{{top, fileKeys}, {campaign, campaignKeys}} {
		got, want := slices.Sorted(maps.Keys(object.schema.Properties)), slices.Sorted(slices.Values(object.keys))
		if !slices.Equal(got, want) {
			t.Errorf("got keys %v, want %v", got, want)
		}
		if extra := object.schema.AdditionalProperties; extra == nil || *extra {
			t.Error("the schema accepts other keys")
		}
		for name, property := range object.schema.Properties {
			if property.Description == "" {
				t.Errorf("%s has no description", name)
			}
		}
	}
	for name, form := range forms {
		property := campaign.Properties[name]
		if got := property.Pattern + property.Items.Pattern; got != form.pattern.String() {
			t.Errorf("%s: got pattern %s, want %s", name, got, form.pattern)
		}
	}
	if got := campaign.Then.Properties.Numbers.MaxItems; got != DefaultMaxNumbers {
		t.Errorf("got %d numbers at most, want %d", got, DefaultMaxNumbers)
	}
	var oneOf []string
	for _, selector := range campaign.OneOf {
		oneOf = append(oneOf, selector.Required...)
	}
	if !slices.Equal(oneOf, selectors) {
		t.Errorf("got selectors %v, want %v", oneOf, selectors)
	}
}

// TestSchema_KnowsTollFreeNumbers compares both forms of a number with the loader's
// table.
func TestSchema_KnowsTollFreeNumbers(t *testing.T) {
	schema := compileSchema(t)
	for area := 200; area < 1000; area++ {
		code := fmt.Sprint(area)
		refused := tollFree[code] != "" || code == premiumRate
		for _, number := range []string{"+1" + code + "5550142", `"+1` + code + `5550142"`} {
			err := checkSchema(schema, fstest.MapFS{"plan.yaml": {Data: small("a", "a", number)}})
			if (err != nil) != refused {
				t.Errorf("%s: got %v, want refused %t", number, err, refused)
			}
		}
	}
}

// TestExample_EveryKeyCanBeUncommented deletes the # before each key of the example,
// as its comments say.
func TestExample_EveryKeyCanBeUncommented(t *testing.T) {
	commented := regexp.MustCompile(`(?m)^    # ([a-z_]+:.*)$`)
	found := commented.FindAllSubmatch(config.ExamplePlan, -1)
	text := commented.ReplaceAll(config.ExamplePlan, []byte("    $1"))
	set, err := loadFS(fstest.MapFS{
		"plan.yaml":          {Data: text},
		"numbers/spring.csv": {Data: []byte("Store,Main line\nAustin,+12125550144\n")},
	}, ".")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(found), 8; got != want {
		t.Errorf("got %d commented keys, want %d", got, want)
	}
	c := set.Campaigns[0]
	if len(c.Numbers) != 6 || c.NumberPool == "" || c.MessagingProfileID == "" || len(c.MoveFrom) != 1 || c.MaxNumbers != 200 || !c.Prune {
		t.Errorf("got %+v", c)
	}
	for _, name := range campaignKeys {
		if !bytes.Contains(config.ExamplePlan, []byte(name+":")) {
			t.Errorf("the example does not mention %s", name)
		}
	}
}
