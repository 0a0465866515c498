//go:build race

package plan

// hostileSize is how large the hostile files are. The race detector makes the
// loader eight times as slow and more, and it has no goroutines; `make test` runs the tests
// without it too, at full size.
const hostileSize = maxFileSize / 32

// hostileValues is how many values they hold that are parsed.
const hostileValues = maxValues / 32

// underRace says that the race detector is on.
const underRace = true
