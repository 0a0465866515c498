package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"greenlight/config"
	"greenlight/internal/app"
	"greenlight/internal/assigner"
	"greenlight/internal/plan"
	"greenlight/internal/telnyx"
	"greenlight/internal/webhook"
)

// A stop while the process starts is not a failure, which a service manager would take for
// a crash.
func TestUp_AStopDuringTheStartIsNotAFailure(t *testing.T) {
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
	key := telnyx.PublicKeyOf(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)))
	verifier, err := telnyx.NewVerifier([]telnyx.PublicKey{key}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	set, err := plan.LoadBytes("plan.yaml", config.ExamplePlan)
	if err != nil {
		t.Fatal(err)
	}
	s := site{
		dir: t.TempDir(), log: zerolog.Nop(), webhook: webhook.Config{Verifier: verifier},
		assigner: assigner.Config{
			Telnyx: &telnyx.Client{BaseURL: "http://127.0.0.1:1", Limiter: telnyx.NewLimiter(telnyx.LimiterConfig{})},
			Plans:  func() *plan.Set { return set },
		},
	}
	if err := s.run(ctx, public, private); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	if _, err := private.Accept(); err == nil {
		t.Error("the private listener is still open")
	}
}
