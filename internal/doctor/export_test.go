package doctor

import "time"

// For tests.
var (
	Percentile = percentile
	Agreed     = agreed
)

// SetNow gives s another clock.
func SetNow(s *Standing, now func() time.Time) { s.now = now }
