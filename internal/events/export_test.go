package events

import "time"

// TestOnlyClock gives the publisher a clock of its own.
func (p *Publisher) TestOnlyClock(now func() time.Time) { p.now = now }

// TestOnlyClock gives the delivery's consumer a clock of its own.
func (d *Delivery) TestOnlyClock(now func() time.Time) { d.consumer.publisher.now = now }
