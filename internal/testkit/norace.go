//go:build !race

package testkit

// UnderRace says that the race detector is on, which makes a test several times slower and
// allocates memory.
const UnderRace = false
