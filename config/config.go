// Package config holds the configuration files that ship with Greenlight, so
// that its commands can print them and its tests check them.
package config

import _ "embed"

// ExamplePlan is plan.example.yaml, the smallest useful plan, commented for the
// people who write plans. Do not change it.
//
//go:embed plan.example.yaml
var ExamplePlan []byte

// PlanSchema is plan.schema.json, the JSON Schema of a plan file for editors and
// CI. It says what package plan takes, as far as a schema can. Do not change it.
//
//go:embed plan.schema.json
var PlanSchema []byte
