package main

import (
	"context"
	"testing"

	"github.com/rs/zerolog"

	"greenlight/internal/app"
)

// Who stops a process that is only just starting has done nothing wrong, and a service
// manager must not take it for a crash.
func TestUp_ToldToStopWhileItStartsIsNoFailure(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	public, err := app.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	private, err := app.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := (site{dir: t.TempDir(), log: zerolog.Nop()}).run(ctx, public, private); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	if _, err := private.Accept(); err == nil {
		t.Error("the private listener is open still")
	}
}
