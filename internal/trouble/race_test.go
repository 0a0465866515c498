//go:build race

package trouble

import "time"

// answerLimit is norace_test.go's with room for the race detector, which makes the door
// and those who post several times as slow.
const answerLimit = 4 * time.Second
