package telnyxsim

import (
	"context"
	"sync"
	"time"
)

// background runs timers and deliveries between requests. stop ends all of them and
// waits for them.
type background struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	stopped bool
	running sync.WaitGroup
}

func newBackground() *background {
	ctx, cancel := context.WithCancel(context.Background())
	return &background{ctx: ctx, cancel: cancel}
}

// run starts f in a goroutine, unless the work was stopped.
func (b *background) run(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return
	}
	b.running.Go(f)
}

// after starts f in a goroutine once d has passed. A negative d is [Never].
func (b *background) after(d time.Duration, f func()) {
	if d < 0 {
		return
	}
	b.run(func() {
		if b.sleep(b.ctx, d) {
			f()
		}
	})
}

// sleep waits for d and reports whether it passed before ctx and the work ended.
func (b *background) sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil && b.ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-b.ctx.Done():
	}
	return false
}

// stop ends all work and waits for it.
func (b *background) stop() {
	b.mu.Lock()
	b.stopped = true
	b.mu.Unlock()
	b.cancel()
	b.running.Wait()
}
