package page_test

import "greenlight/internal/plan"

// planFaults are those of a plan file that cannot be used.
func planFaults() error {
	_, err := plan.LoadBytes("plan.yaml", []byte("version: 1\ncolour: red\n"))
	return err
}
