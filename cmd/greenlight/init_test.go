package main

import (
	"regexp"
	"slices"
	"testing"

	"greenlight/config"
)

func TestInit_ItsSettingsExist(t *testing.T) {
	_, variables := NewParser(t, "greenlight", &command{}).Flags()
	named := regexp.MustCompile(`(?m)^(?:# )?([A-Z_]+)=`).FindAllSubmatch(config.ExampleEnv, -1)
	for _, found := range named {
		if !slices.Contains(variables, string(found[1])) {
			t.Errorf("there is no variable %s", found[1])
		}
	}
	if len(named) < 5 {
		t.Errorf("found %d variables, so this test shows little", len(named))
	}
}
