package app

import "context"

// KeepWith replaces what keeps the certificates up to date.
func (c *Certificates) KeepWith(keep func(context.Context)) { c.keep = keep }
