package plan

import (
	"os"
	"testing"
)

// full says that hostile files are as large as a file may be. It is testkit.Full, without
// the servers that testkit links.
var full = os.Getenv("GREENLIGHT_FULL") != ""

// hostileSize is how large hostile files are, and hostileValues is how many values they have
// that are parsed.
var hostileSize, hostileValues = part(maxFileSize), part(maxValues)

// part returns n if [full], and else a fortieth of it.
func part(n int) int {
	if full {
		return n
	}
	return n / 40
}

// skipUnderRace skips a test of one goroutine that the race detector makes ten times slower.
func skipUnderRace(t *testing.T) {
	t.Helper()
	if underRace {
		t.Skip("it takes 10 s with the race detector, and has one goroutine; make test runs it without")
	}
}
