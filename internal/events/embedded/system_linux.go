package embedded

import "syscall"

// Room returns the free bytes on the disk of a folder. Known is false if that cannot be found out.
func Room(dir string) (room int64, known bool) {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return 0, false
	}
	return int64(s.Bavail) * int64(s.Bsize), true
}
