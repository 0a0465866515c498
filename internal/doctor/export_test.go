package doctor

// For tests.
var (
	Percentile = percentile
	Agreed     = agreed
)
