//go:build race

package webhook_test

import "time"

// promptly is norace_test.go's with the race detector, which makes the door and those
// who flood it several times as slow. Still under what a slow body may take.
const promptly = 7 * time.Second

// smaller is how many times smaller a flood is than without the detector.
const smaller = 4

const raced = true
