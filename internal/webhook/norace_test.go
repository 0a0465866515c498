//go:build !race

package webhook_test

import "time"

// promptly is within what time a signed delivery must be answered in a flood, all tries
// together: what Telnyx waits for one. It mostly takes a tenth of that.
const promptly = 2 * time.Second

// smaller is how many times smaller a flood is than it is meant to be.
const smaller = 1

// raced says that the race detector runs, which allocates by itself.
const raced = false
