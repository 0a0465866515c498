// Package config embeds the configuration files that ship with Greenlight, so that
// commands can print them and tests can check them.
package config

import _ "embed"

// ExamplePlan is plan.example.yaml, a small commented plan for people to copy. Do not
// change it.
//
//go:embed plan.example.yaml
var ExamplePlan []byte

// ExampleEnv is env.example, the settings that Greenlight needs, for people to copy. Do
// not change it.
//
//go:embed env.example
var ExampleEnv []byte

// PlanSchema is plan.schema.json, the JSON Schema of a plan file for editors and CI. It
// describes what package plan accepts, as far as a schema can. Do not change it.
//
//go:embed plan.schema.json
var PlanSchema []byte
