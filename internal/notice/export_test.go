package notice

import "time"

// SetRetry sets the wait before the next try.
func (s *Sender) SetRetry(after time.Duration) {
	s.retry = func(uint64) time.Duration { return after }
}

// ConsumerName is the name of the senders' consumer.
const ConsumerName = Consumer

// Tries is how often a notice is tried.
const Tries = tries

// RetryAfter is the default wait before the next try.
func RetryAfter(tries uint64) time.Duration { return retryAfter(tries) }
