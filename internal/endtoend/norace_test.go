//go:build !race

package endtoend_test

import "time"

// patience is how long a test waits for something that takes milliseconds, on a machine
// that runs many tests at once.
const patience = time.Minute

// sideBySide is how many tests run side by side. Most of them wait.
const sideBySide = "20"

// largeAccount is how many more numbers a large account has.
const largeAccount = 2500
