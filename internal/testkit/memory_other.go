//go:build !linux

package testkit

import "testing"

// MemoryDir returns t.TempDir. Only Linux has a folder in memory on every machine.
func MemoryDir(t testing.TB) string {
	t.Helper()
	return t.TempDir()
}
