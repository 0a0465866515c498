//go:build !race

package testkit

// UnderRace says that the race detector is on, which makes a test several times slower.
// What repeats the same many times repeats it less then; `make test` runs it in full too.
const UnderRace = false
