//go:build !race

package webhook_test

// raced says that the race detector runs, which allocates memory.
const raced = false
