//go:build !race

package trouble

import "time"

// answerLimit is within what time every delivery must be answered: Telnyx waits no
// longer.
const answerLimit = 2 * time.Second

// slower is how many times slower a cluster is put to work than it is meant to be.
const slower = 1

// attachRate is how many numbers a second Telnyx takes, so that they are attached for
// longer than servers and processes come and go.
const attachRate = 6
