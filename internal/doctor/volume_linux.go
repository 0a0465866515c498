package doctor

import (
	"fmt"
	"syscall"
)

// kinds maps magic numbers to file systems (statfs(2)).
var kinds = map[uint32]string{
	0x01021994: "tmpfs", 0x858458f6: "ramfs", 0x794c7630: "overlayfs",
	0x0000ef53: "ext4", 0x58465342: "xfs", 0x9123683e: "btrfs", 0x2fc12fc1: "zfs", 0xf2f52010: "f2fs",
	0x00006969: "nfs", 0xfe534d42: "smb", 0xff534d42: "cifs", 0x65735546: "fuse",
}

// VolumeOf returns the volume of a folder. Known is false where it cannot be found out.
func VolumeOf(dir string) (v Volume, known bool, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return Volume{}, false, fmt.Errorf("read the file system of %s: %w", dir, err)
	}
	return Volume{Kind: kinds[uint32(s.Type)], Free: int64(s.Bavail) * int64(s.Bsize)}, true, nil
}
