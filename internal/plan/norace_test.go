//go:build !race

package plan

// hostileSize is how large the hostile files are: as large as a file may be.
const hostileSize = maxFileSize

// hostileValues is how many values they hold that are parsed.
const hostileValues = maxValues

// underRace says that the race detector is on.
const underRace = false
