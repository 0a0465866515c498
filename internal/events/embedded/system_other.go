//go:build !linux

package embedded

// Room is not implemented here.
func Room(string) (room int64, known bool) { return 0, false }
