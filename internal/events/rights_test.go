package events_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"greenlight/internal/events"
)

// What the work says about its end reaches the user, with the permission that is missing.
func TestHeed_KeepsTheErrorOfTheWork(t *testing.T) {
	t.Parallel()
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, Users: []*server.User{
		{Username: "some", Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"denied.>"}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	nc, err := nats.Connect(ns.ClientURL(), nats.UserInfo("some", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	err = events.Heed(t.Context(), nc, func(ctx context.Context) error {
		if _, err := nc.RequestWithContext(ctx, "denied.a", nil); err != nil {
			return fmt.Errorf("the restore is not complete: %w", err)
		}
		return nil
	})
	if !errors.Is(err, events.ErrNotPermitted) || !strings.HasPrefix(err.Error(), "the restore is not complete: ") || !strings.Contains(err.Error(), "denied.a") {
		t.Errorf("got %v, want what the work said, and the missing permission", err)
	}
	if err := events.MayPublishAll(t.Context(), nc, []string{"a", "denied.b", "c"}); !errors.Is(err, events.ErrNotPermitted) || !strings.Contains(err.Error(), "denied.b") {
		t.Errorf("got %v, want the missing permission", err)
	}
	if err := events.MayPublishAll(t.Context(), nc, []string{"a", "c"}); err != nil {
		t.Errorf("got %v with all permissions, although one was missing before", err)
	}
}
