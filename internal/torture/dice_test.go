//go:build unix

package torture

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// dice is chance that can be had again. Safe for concurrent use; to each use its
// own, so that one that throws more often does not change what the others throw.
type dice struct {
	mu   sync.Mutex
	rand *rand.Rand
}

func newDice(seed uint64, use string) *dice {
	var stream uint64
	for _, letter := range []byte(use) {
		stream = stream*131 + uint64(letter)
	}
	return &dice{rand: rand.New(rand.NewPCG(seed, stream))}
}

// chance is true with the given probability.
func (d *dice) chance(p float64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rand.Float64() < p
}

// between returns a duration from least up to most.
func (d *dice) between(least, most time.Duration) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return least + time.Duration(d.rand.Int64N(int64(most-least)))
}

// below returns a number from 0 up to n.
func (d *dice) below(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rand.IntN(n)
}

// shuffled returns the numbers from 0 up to n in random order.
func (d *dice) shuffled(n int) []int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rand.Perm(n)
}

// tally counts things by group and name. Safe for concurrent use.
type tally struct {
	mu     sync.Mutex
	groups []string
	counts map[string]map[string]int
}

func newTally() *tally { return &tally{counts: map[string]map[string]int{}} }

func (t *tally) add(group, name string) { t.addN(group, name, 1) }

func (t *tally) addN(group, name string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts[group] == nil {
		t.counts[group] = map[string]int{}
		t.groups = append(t.groups, group)
	}
	t.counts[group][name] += n
}

// sum is the total of the names of a group that end with a word.
func (t *tally) sum(group, end string) (sum int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, n := range t.counts[group] {
		if strings.HasSuffix(name, end) {
			sum += n
		}
	}
	return sum
}

// atLeast raises a count to n.
func (t *tally) atLeast(group, name string, n int) {
	t.addN(group, name, 0)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[group][name] = max(t.counts[group][name], n)
}

func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, group := range slices.Sorted(slices.Values(t.groups)) {
		shown := group
		for _, name := range slices.Sorted(maps.Keys(t.counts[group])) {
			fmt.Fprintf(table, "%s\t%s\t%d\n", shown, name, t.counts[group][name])
			shown = ""
		}
	}
	table.Flush()
	return text.String()
}
