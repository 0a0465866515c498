package doctor

// Exported for tests.
var (
	Percentile = percentile
	Agreed     = agreed
)
