//go:build race

package endtoend_test

// sideBySide is how many tests run side by side with the race detector, which needs
// several times the processor time.
const sideBySide = "8"
