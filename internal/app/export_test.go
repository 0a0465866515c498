package app

import (
	"context"
	"time"
)

// KeepWith replaces the function that keeps the certificates up to date.
func (c *Certificates) KeepWith(keep func(context.Context)) { c.keep = keep }

// CheckEvery sets the time between two checks of what the process needs in NATS.
func (p *Process) CheckEvery(every time.Duration) { p.objects.every = every }
