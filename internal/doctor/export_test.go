package doctor

import "time"

// Exported for tests.
var (
	Percentile = percentile
	Agreed     = agreed
)

// SetNow sets the clock.
func SetNow(g *CachedGuarantee, now func() time.Time) { g.now = now }
