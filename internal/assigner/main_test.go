package assigner

import (
	"testing"

	"go.uber.org/goleak"

	"greenlight/internal/leaktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, leaktest.Server()...) }
