package page

import (
	"fmt"
	"strings"
	"testing"

	"greenlight/internal/events"
	"greenlight/internal/status"
)

// Each combination of what can be wrong: the sentence is about what matters most, and does not
// say that something continues that has stopped.
func TestSummary_IsTrueInMixedStates(t *testing.T) {
	t.Parallel()
	for i := range 1 << 6 {
		is := func(bit int) bool { return i&(1<<bit) != 0 }
		stale, idle, allHeld, held, tasks, warned := is(0), is(1), is(2), is(3), is(4), is(5)
		for _, done := range []bool{false, true} {
			p := progress{Total: 2, Sendable: 1, Stale: stale, AllHeld: allHeld}
			if done {
				p.Sendable = 2
			}
			a := alerts{Surroundings: status.Surroundings{Backlog: events.Backlog{Idle: idle}}}
			if allHeld || held {
				a.Held = make([]status.Held, 1)
			}
			if warned {
				a.Advised = []status.Checked{{Name: "clock", Says: "it is late"}}
			}
			todo := []task{{Title: "Plan 1 approved campaign, or leave it", Optional: true}}
			if tasks {
				todo = append(todo, task{Title: "Appeal 1 rejected campaign"})
			}
			want := "Working"
			switch {
			case stale:
				want = "Not current"
			case idle:
				want = "Needs a person"
			case allHeld:
				want = "On hold"
			case held:
				want = "Partly on hold"
			case tasks:
				want = "Needs a person"
			case warned:
				want = "Warning"
			case done:
				want = "All well"
			}
			s := summaryOf(p, a, todo)
			name := fmt.Sprintf("stale %t, no assigner %t, all on hold %t, on hold %t, tasks %t, warning %t, done %t", stale, idle, allHeld, held, tasks, warned, done)
			if s.State != want {
				t.Errorf("%s: got %q, want %q", name, s.State, want)
			}
			if (s.Class == "well") != (want == "All well") {
				t.Errorf("%s: got class %s", name, s.Class)
			}
			if says := strings.Contains(s.Lead, "1 thing to do"); says != (tasks && !stale) {
				t.Errorf("%s: got %q", name, s.Lead)
			}
			quiet := !stale && !idle && !allHeld && !held && !tasks && !warned
			if strings.Contains(s.Lead, "nothing to do") && !quiet || strings.Contains(s.Lead, "The rest") && (stale || idle || allHeld || held) || strings.Contains(s.Lead, "by itself") && done {
				t.Errorf("%s: got %q", name, s.Lead)
			}
		}
	}
}
