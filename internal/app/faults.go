package app

import (
	"fmt"
	"strings"
)

// Fault is one setting that cannot be used.
type Fault struct {
	// Setting is its name in the environment.
	Setting string
	// What says what is wrong with it and Fix how to get it right.
	What, Fix string
	// Err is what went wrong when it was used, if that is known.
	Err error
}

// Unwrap returns Err.
func (f *Fault) Unwrap() error { return f.Err }

// Says returns the sentence that says what is wrong, without how to fix it.
func (f *Fault) Says() string {
	return fmt.Sprintf("%s (--%s) %s.", f.Setting, FlagName(f.Setting), f.What)
}

// Error returns a sentence that names the setting both ways.
func (f *Fault) Error() string {
	return f.Says() + " " + f.Fix
}

// FlagName is the flag of a setting: TELNYX_API_KEY has --telnyx-api-key.
func FlagName(setting string) string {
	return strings.ToLower(strings.ReplaceAll(setting, "_", "-"))
}

// Faults collects what is wrong, over all groups of settings.
type Faults []error

// add notes a setting that cannot be used.
func (f *Faults) add(setting, what, fix string) {
	*f = append(*f, &Fault{Setting: setting, What: what, Fix: fix})
}

// Err returns nil when nothing is wrong, else an error with a line for each
// fault.
func (f Faults) Err() error {
	if len(f) == 0 {
		return nil
	}
	return &notReady{faults: f}
}

// notReady is the error for settings that do not let a command start.
type notReady struct{ faults Faults }

func (n *notReady) Error() string {
	var b strings.Builder
	b.WriteString("cannot start yet:")
	for _, fault := range n.faults {
		for line := range strings.Lines(fault.Error()) {
			b.WriteString("\n  " + strings.TrimRight(line, "\n"))
		}
	}
	return b.String()
}

func (n *notReady) Unwrap() []error { return n.faults }
