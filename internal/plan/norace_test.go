//go:build !race

package plan

// underRace says that the race detector is off.
const underRace = false
