package notice

import "time"

// SetRetry makes a sender try again after the given time.
func (s *Sender) SetRetry(after time.Duration) {
	s.retry = func(uint64) time.Duration { return after }
}

// ConsumerName is the name of the consumer that all senders share.
const ConsumerName = Consumer

// Tries is how often a notice is tried.
const Tries = tries

// RetryAfter is how long a sender waits by default.
func RetryAfter(tries uint64) time.Duration { return retryAfter(tries) }
