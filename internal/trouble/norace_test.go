//go:build !race

package trouble

import "time"

// answerLimit is within what time every delivery must be answered. The webhook answers
// within 2 s of the headers. A busy machine adds to that, and a webhook that waited for the
// NATS client's own timeout would take 5 s.
const answerLimit = 4 * time.Second
