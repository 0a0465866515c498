package endtoend_test

import (
	"strings"
	"testing"
	"time"
	"fmt"

	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/telnyxsim"
)

func TestZZLarge(t *testing.T) {
	all := append(telnyxsim.Dialects(), telnyxsim.NamedDialect{Name: "none"})
	for _, d := range all {
		if allowances[d.Name].why != "" {
			continue
		}
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			w := newDialectWorld(t, d)
			w.config.Resync = 2*time.Second
			for i := range 4000 {
				n := fmt.Sprintf("+1213%07d", 5550000+i)
				w.sim.AddNumbers(telnyxsim.Number{PhoneNumber: n, MessagingProfileID: profileID})
				if i % 3 > 0 {
				w.must(w.sim.AttachNumber(n, strangerID, telnyx.Assigned))
				}
			}
			at := time.Now()
			faults := w.run()
			if len(faults) > 0 {
				t.Error("\n" + strings.Join(faults, "\n"))
			}
			_, total := w.callsSince(nil)
			t.Logf("ZZ %s took %s, %d calls", d.Name, time.Since(at).Round(100*time.Millisecond), total)
		})
	}
}
