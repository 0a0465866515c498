package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"greenlight/internal/plan"
	"greenlight/internal/status"
)

// maxFaults bounds the faults of plans in the message.
const maxFaults = 3

// Plans checks the plan files at a path.
func Plans(path string) Finding {
	f := Finding{Check: CheckPlans, Facts: map[string]any{"path": path}}
	shown := plan.Printable(path)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return f.is(Unknown, "There are no plans at "+shown+".", "Give their path with --plans. To write the first one, run greenlight init.")
	}
	set, err := plan.Load(path)
	if err != nil {
		return faulty(f, shown, err)
	}
	numbers, pools := 0, 0
	for _, campaign := range set.Campaigns {
		numbers += len(campaign.Numbers)
		if campaign.NumberPool != "" {
			pools++
		}
	}
	f.Facts["hash"], f.Facts["campaigns"], f.Facts["numbers"], f.Facts["number_pools"], f.Facts["faults"] = set.Hash, len(set.Campaigns), numbers, pools, 0
	message := fmt.Sprintf("The plans at %s are valid: %s, %s", shown, status.Count(len(set.Campaigns), "campaign"), status.Count(numbers, "number"))
	if pools > 0 {
		message += ", " + status.Count(pools, "number pool")
	}
	message += ", hash " + set.Hash + "."
	if n := len(set.SetAside); n > 0 {
		f.Facts["set_aside"] = n
		message += fmt.Sprintf(" skip_invalid leaves out %s of numbers files; greenlight plan validate lists them.", status.Count(n, "row"))
	}
	return f.is(OK, message, "")
}

func faulty(f Finding, path string, err error) Finding {
	const fix = "Fix them; greenlight plan validate lists all. A running Greenlight keeps the last good set. After a restart, greenlight up uses its stored copy, and an assigner waits."
	faults, ok := errors.AsType[plan.Faults](err)
	if !ok {
		return f.is(Fail, "The plans at "+path+" cannot be read: "+sentenceEnd(err.Error()), fix)
	}
	f.Facts["faults"] = len(faults)
	message := fmt.Sprintf("The plans at %s have %s and are not used:", path, status.Count(len(faults), "fault"))
	for _, fault := range faults[:min(len(faults), maxFaults)] {
		message += "\n" + fault.Position.String() + ": " + fault.What + ": " + fault.Why + "."
	}
	if more := len(faults) - maxFaults; more > 0 {
		message += fmt.Sprintf("\nand %d more.", more)
	}
	return f.is(Fail, message, fix)
}
