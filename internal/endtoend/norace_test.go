//go:build !race

package endtoend_test

// sideBySide is how many tests run side by side. Most of them wait.
const sideBySide = "20"

// largeAccount is how many more numbers a large account has.
const largeAccount = 2500
