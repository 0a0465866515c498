//go:build race

package endtoend_test

import "time"

// patience is how long a test waits for something that takes milliseconds, on a machine
// that runs many tests at once.
const patience = 3 * time.Minute

// sideBySide is how many tests run side by side with the race detector, which needs
// several times the processor time.
const sideBySide = "8"

// largeAccount is how many more numbers a large account has: enough that it is not listed
// for the sake of a few.
const largeAccount = 1500
