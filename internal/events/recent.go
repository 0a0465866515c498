package events

import "sync"

// recentMost is how many ids each half of recentIDs holds: some 2 MB both together.
const recentMost = 10_000

// recentIDs remembers which events were stored lately, ten to twenty thousand of them.
// It is a guess for the sake of speed: whether an event is a copy, the stream decides.
// The zero value is ready for use. Safe for concurrent use.
type recentIDs struct {
	mu         sync.Mutex
	young, old map[string]struct{}
}

func (r *recentIDs) has(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, young := r.young[id]
	_, old := r.old[id]
	return young || old
}

func (r *recentIDs) add(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.young == nil || len(r.young) >= recentMost {
		r.old, r.young = r.young, make(map[string]struct{}, recentMost/8)
	}
	r.young[id] = struct{}{}
}
