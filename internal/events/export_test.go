package events

import "time"

// TestOnlyClock replaces the publisher's clock.
func (p *Publisher) TestOnlyClock(now func() time.Time) { p.now = now }

// TestOnlyClock replaces the clock of the delivery's consumer.
func (d *Delivery) TestOnlyClock(now func() time.Time) { d.consumer.publisher.now = now }

// TestOnlyPatience replaces how long Run tries to create a lost consumer again.
func (c *Consumer) TestOnlyPatience(patience time.Duration) { c.patience = patience }
