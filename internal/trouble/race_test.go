//go:build race

package trouble

import "time"

// answerLimit is norace_test.go's with room for the race detector, which makes the door
// and those who post several times as slow. `make test` looks without it, too.
const answerLimit = 6 * time.Second

// slower is how many times slower, and with how many times fewer numbers, a cluster is
// put to work than without the detector; `make test` does both.
const slower = 3

// attachRate is norace_test.go's for the fewer numbers, and the longer time, that there
// are here.
const attachRate = 2
