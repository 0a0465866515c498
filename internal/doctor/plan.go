package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"greenlight/internal/plan"
	"greenlight/internal/status"
)

// mostFaults is how many faults of plans are told; plan validate tells all.
const mostFaults = 3

// Plans judges the plan files at a path.
func Plans(path string) Finding {
	f := Finding{Check: CheckPlans, Facts: map[string]any{"path": path}}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		f.Level = Unknown
		f.Says = "There are no plans at " + path + " to look at."
		f.Fix = "Name them with --plans; or, if there are none yet, begin with config/plan.example.yaml."
		return f
	}
	set, err := plan.Load(path)
	if err != nil {
		return faulty(f, path, err)
	}
	numbers, pools := 0, 0
	for _, campaign := range set.Campaigns {
		numbers += len(campaign.Numbers)
		if campaign.NumberPool != "" {
			pools++
		}
	}
	f.Level = OK
	f.Facts["hash"], f.Facts["campaigns"], f.Facts["numbers"], f.Facts["number_pools"], f.Facts["faults"] = set.Hash, len(set.Campaigns), numbers, pools, 0
	f.Says = fmt.Sprintf("The plans at %s are valid: %s, %s", path, status.Count(len(set.Campaigns), "campaign"), status.Count(numbers, "number"))
	if pools > 0 {
		f.Says += ", " + status.Count(pools, "number pool")
	}
	f.Says += ", hash " + set.Hash + "."
	return f
}

func faulty(f Finding, path string, err error) Finding {
	f.Level = Fail
	f.Fix = "Fix them; greenlight plan validate tells all. A running Greenlight goes on with the last good set, and one that is started now would not start."
	faults, ok := errors.AsType[plan.Faults](err)
	if !ok {
		f.Says = "The plans at " + path + " cannot be read: " + sentenceEnd(err.Error())
		return f
	}
	f.Facts["faults"] = len(faults)
	f.Says = fmt.Sprintf("The plans at %s have %s, and nothing of them is taken:", path, status.Count(len(faults), "fault"))
	for _, fault := range faults[:min(len(faults), mostFaults)] {
		f.Says += "\n" + fault.Position().String() + ": " + fault.What + ": " + fault.Why + "."
	}
	if more := len(faults) - mostFaults; more > 0 {
		f.Says += fmt.Sprintf("\nand %d more.", more)
	}
	return f
}
