package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"greenlight/config"
	"greenlight/internal/plan"
)

func TestDemo_ThatDoesNotEndWellSaysHowFarItGot(t *testing.T) {
	set, err := plan.LoadBytes("plan.yaml", config.ExamplePlan)
	if err != nil {
		t.Fatal(err)
	}
	// The review of the demo's campaign takes longer than this.
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	var out strings.Builder
	d := demo{set: set, dir: t.TempDir(), out: &out}
	err = d.run(ctx)
	if err == nil {
		t.Fatalf("got no error; it printed:\n%s", out.String())
	}
	if !strings.Contains(err.Error(), "5 planned") {
		t.Errorf("got %q, want it to say how far the numbers are", err)
	}
	if strings.Contains(out.String(), "All 5 numbers are sendable") {
		t.Errorf("it claims success:\n%s", out.String())
	}
	if log, err := os.ReadFile(d.logPath()); err != nil || len(log) == 0 {
		t.Errorf("no log was kept: %d bytes, %v", len(log), err)
	}
}
