package webhook

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func TestCauseOf_DistinguishesCausesOfOneCode(t *testing.T) {
	refusedWith := func(code jetstream.ErrorCode) error {
		return fmt.Errorf("publish event: %w", &jetstream.APIError{ErrorCode: code})
	}
	for name, tt := range map[string]struct {
		refused error
		want    string
	}{
		"streams not made":     {notStored(fmt.Errorf("%w: %w", errNotReady, context.DeadlineExceeded)), "streams"},
		"no leader":            {notStored(fmt.Errorf("nobody answers: %w", nats.ErrNoResponders)), "no_leader"},
		"stream full":          {notStored(refusedWith(10077)), "full"},
		"account full":         {notStored(refusedWith(10047)), "full"},
		"connection away":      {notStored(nats.ErrReconnectBufExceeded), "connection"},
		"connection closed":    {notStored(nats.ErrConnectionClosed), "connection"},
		"no answer in time":    {notStored(fmt.Errorf("publish event: %w", context.DeadlineExceeded)), "deadline"},
		"refused otherwise":    {notStored(refusedWith(10054)), "other"},
		"nobody knows":         {notStored(errors.New("x")), "other"},
		"a code that says all": {overloaded(context.DeadlineExceeded), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := causeOf(asRefusal(tt.refused)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
