package doctor

import (
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"greenlight/internal/events"
	"greenlight/internal/status"
)

// roomyShare is how much of a stream may be used, in percent, before a person is
// told: what is left should outlast a weekend of twice the usual traffic.
const roomyShare = 80

// StreamRoom judges how full a stream is.
func StreamRoom(check Check, info *jetstream.StreamInfo) Finding {
	room, name := events.RoomOf(info), info.Config.Name
	f := Finding{Check: check, Level: OK, Facts: map[string]any{
		"messages": info.State.Msgs, "used_bytes": room.Used, "most_bytes": room.Most, "max_age_seconds": int64(info.Config.MaxAge / time.Second),
	}}
	holds := fmt.Sprintf("Stream %s holds %s in %s", name, status.Count(int(info.State.Msgs), "message"), bytes(room.Used))
	if room.Most <= 0 {
		f.Level = Warn
		f.Says = holds + " and has no bound: whoever posts too much fills the server's disk."
		f.Fix = "Start webhook or assigner once more: they set the stream's bounds."
		return f
	}
	share := int(100 * room.Used / room.Most)
	holds += fmt.Sprintf(" of %s (%d %%), each %s", bytes(room.Most), share, keptFor(info.Config.MaxAge))
	const look = "Find out who posts so many: nats stream subjects %s. What is old goes by itself."
	switch {
	case room.Full():
		f.Level = Fail
		f.Says = holds + ". A message of the largest size has no room there: it is answered 503 until old ones expire."
		f.Fix = fmt.Sprintf(look, name)
	case share >= roomyShare:
		f.Level = Warn
		f.Says = holds + "."
		f.Fix = fmt.Sprintf(look, name)
	default:
		f.Says = holds + "."
	}
	if check == CheckDeadLetters && f.Level != OK {
		f.Fix = "Look at them with greenlight deadletters list, and requeue what can be handled by now."
	}
	return f
}

func keptFor(age time.Duration) string {
	switch days := age.Hours() / 24; {
	case age <= 0:
		return "for good"
	case days >= 2:
		return fmt.Sprintf("for %.0f days", days)
	default:
		return "for " + age.String()
	}
}

// Volume is where the files of a server on this machine are.
type Volume struct {
	// Kind is such as ext4 or tmpfs; empty if it has no name here.
	Kind string
	Free int64
}

// Kinds of volumes on which nothing lasts, and of those on which a sync may not
// mean what it says.
var (
	fleeting = map[string]string{
		"tmpfs": "which is memory", "ramfs": "which is memory",
		"overlayfs": "which is a container's own and goes with it",
	}
	remote = map[string]bool{"nfs": true, "smb": true, "cifs": true, "fuse": true}
)

// Fleeting says what the volume is if nothing lasts on it, such as «tmpfs, which is
// memory»; it is empty if files last.
func (v Volume) Fleeting() string {
	if why := fleeting[v.Kind]; why != "" {
		return v.Kind + ", " + why
	}
	return ""
}

// leastFree is what a disk should have free, whatever the stream still needs.
const leastFree = 64 << 20

// Disk judges the volume of a data folder. Wanted is what the stream of events may
// still need of it.
func Disk(dir string, v Volume, wanted int64) Finding {
	f := Finding{Check: CheckDisk, Level: OK, Facts: map[string]any{"folder": dir, "kind": v.Kind, "free_bytes": v.Free}}
	on := "Data folder " + dir
	if v.Kind != "" {
		on += " is on " + v.Kind
	}
	switch {
	case v.Fleeting() != "":
		f.Level = Fail
		f.Says = fmt.Sprintf("Data folder %s is on %s: no sync makes events last there.", dir, v.Fleeting())
		f.Fix = "Name a folder on a disk with --data, in a container one on a volume."
	case v.Free < leastFree:
		f.Level = Fail
		f.Says = fmt.Sprintf("The disk of data folder %s has %s free: soon events cannot be stored and are answered 503.", dir, bytes(v.Free))
		f.Fix = "Make room on it."
	case v.Free < wanted:
		f.Level = Warn
		f.Says = fmt.Sprintf("The disk of data folder %s has %s free, less than the %s that stream EVENTS may still take.", dir, bytes(v.Free), bytes(wanted))
		f.Fix = "Make room on it."
	case remote[v.Kind]:
		f.Level = Warn
		f.Says = on + ", a file system of another machine, where a sync may mean less than on a disk and take far longer."
		f.Fix = "Name a folder on a disk of this machine with --data."
	default:
		if v.Kind == "" {
			on += " is on a disk"
		}
		f.Says = on + " with " + bytes(v.Free) + " free."
	}
	return f
}

// bytes writes a size in the unit that suits it.
func bytes(n int64) string {
	size, units := float64(n), []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	unit := 0
	for size >= 1024 && unit < len(units)-1 {
		size /= 1024
		unit++
	}
	if unit == 0 || size >= 100 {
		return fmt.Sprintf("%.0f %s", size, units[unit])
	}
	return fmt.Sprintf("%.1f %s", size, units[unit])
}
