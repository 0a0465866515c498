package assigner

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestInsist_AsksAgainWhenNobodyAnswers(t *testing.T) {
	refused := errors.New("refused")
	for name, test := range map[string]struct {
		silent int   // tries without an answer
		answer error // after that
		took   time.Duration
	}{
		"answered at once":        {0, nil, 0},
		"refused at once":         {0, refused, 0},
		"answered the third time": {2, nil, 2 * ensureTimeout},
		"refused the second time": {1, refused, ensureTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun, tries := time.Now(), 0
				err := retryTimeouts(t.Context(), func(ctx context.Context) error {
					if tries++; tries <= test.silent {
						<-ctx.Done()
						return fmt.Errorf("make bucket: %w", ctx.Err())
					}
					return test.answer
				})
				if took := time.Since(begun); !errors.Is(err, test.answer) || took != test.took || tries != test.silent+1 {
					t.Errorf("got %v after %d tries and %s, want %v after %s", err, tries, took, test.answer, test.took)
				}
			})
		})
	}
}

func TestInsist_EndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		begun := time.Now()
		err := retryTimeouts(ctx, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		if took := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || took != 10*time.Second {
			t.Errorf("got %v after %s", err, took)
		}
	})
}
