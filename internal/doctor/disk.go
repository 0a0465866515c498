package doctor

import "fmt"

// Volume is the file system that a server's data folder is on.
type Volume struct {
	// Kind is the type, for example ext4 or tmpfs; empty if it is not one we know.
	Kind string
	Free int64
}

var (
	// volatileKinds are file systems whose files do not last.
	volatileKinds = map[string]string{
		"tmpfs": "which is memory", "ramfs": "which is memory", "overlayfs": "which is deleted with its container",
	}
	// remoteKinds are file systems on which a sync may not reach a disk.
	remoteKinds = map[string]bool{"nfs": true, "smb": true, "cifs": true, "fuse": true}
)

// Volatile describes the volume if its files do not last, for example "tmpfs, which is
// memory". It is empty if they do.
func (v Volume) Volatile() string {
	if why := volatileKinds[v.Kind]; why != "" {
		return v.Kind + ", " + why
	}
	return ""
}

// volatileFolder is [Volume.Volatile] of a folder. It is empty too if that is unknown.
func volatileFolder(dir string) string {
	if dir == "" {
		return ""
	}
	volume, _, err := VolumeOf(dir)
	if err != nil {
		return ""
	}
	return volume.Volatile()
}

// minFree is the free space that a disk should have in any case.
const minFree = 64 << 20

// Disk checks the volume of a data folder. Wanted is how much stream EVENTS may still grow.
func Disk(dir string, v Volume, wanted int64) Finding {
	f := Finding{Check: CheckDisk, Facts: map[string]any{"folder": dir, "kind": v.Kind, "free_bytes": v.Free}}
	kind := v.Kind
	if kind == "" {
		kind = "a disk"
	}
	const freeSpace, localDisk = "Free up space on it.", "Choose a folder on a local disk with --data."
	switch {
	case v.Volatile() != "":
		return f.is(Fail, fmt.Sprintf("Data folder %s is on %s. A sync does not make events last there.", dir, v.Volatile()),
			"Choose a folder on a disk with --data; in a container, one on a volume.")
	case v.Free < minFree:
		return f.is(Fail, fmt.Sprintf("The disk of data folder %s has only %s free. Soon events cannot be stored and are answered 503.", dir, bytes(v.Free)), freeSpace)
	case v.Free < wanted:
		return f.is(Warn, fmt.Sprintf("The disk of data folder %s has %s free. Stream EVENTS may grow by %s.", dir, bytes(v.Free), bytes(wanted)), freeSpace)
	case remoteKinds[v.Kind]:
		return f.is(Warn, fmt.Sprintf("Data folder %s is on %s, a remote file system. A sync there may not reach a disk, and may be slow.", dir, v.Kind), localDisk)
	default:
		return f.is(OK, fmt.Sprintf("Data folder %s is on %s with %s free.", dir, kind, bytes(v.Free)), "")
	}
}
