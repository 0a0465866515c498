package events

import "time"

// TestOnlyClock gives the publisher a clock of its own.
func (p *Publisher) TestOnlyClock(now func() time.Time) { p.now = now }
