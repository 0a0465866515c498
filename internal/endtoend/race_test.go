//go:build race

package endtoend_test

// sideBySide is how many tests run side by side with the race detector, which needs
// several times the processor time.
const sideBySide = "8"

// largeAccount is how many more numbers a large account has: enough that it is not listed
// for the sake of a few.
const largeAccount = 1500
