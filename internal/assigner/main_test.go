package assigner

import (
	"testing"

	"go.uber.org/goleak"

	"greenlight/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, testkit.ServerLeaks()...) }
