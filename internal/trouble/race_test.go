//go:build race

package trouble

import "time"

// answerLimit is that of norace_test.go, with room for the race detector, which makes the
// webhook and its clients several times as slow.
const answerLimit = 10 * time.Second
