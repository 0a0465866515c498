package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
)

const (
	// pollEvery is the time between two checks of files that may change while the process
	// runs, and how long they must stay unchanged before they are read. A tool may write a
	// certificate and then its key.
	pollEvery = time.Second
	// pollUnstable is how long files may keep changing before that is a fault.
	pollUnstable = 30 * time.Second
	// pollFault is the time between two readings of unchanged files that have a fault. The
	// cause may be another file, which does not exist yet.
	pollFault = 5 * time.Second
)

var errUnstable = errors.New("the files keep changing while they are read, so they may be incomplete; write a new file and rename it")

// poller reads files again when they change: keys, certificates, plans. It compares
// digests, since file system events get lost on NFS, behind links, and when their queue is
// full.
//
//   - The last good content stays in use. A fault changes only Err, and is reported once
//     while its text stays the same.
//   - Files are read when two digests in a row are equal, or at once after Reload. What was
//     read is dropped if the digest has changed meanwhile.
//   - All callbacks come from the goroutine of run, and none after it returned.
type poller struct {
	// every is the time between two checks.
	every time.Duration
	// digest returns a digest of the files, including why one cannot be read.
	digest func() string
	// read reads the files and returns what puts them in use.
	read func() (use func() error, err error)
	// onFault gets the reason why the files cannot be used.
	onFault func(error)
	// used is the digest of what was read last. It belongs to run.
	used   string
	fault  atomic.Pointer[error]
	reload chan struct{} // buffers one request
}

func newPoller(digest func() string, read func() (func() error, error)) poller {
	return poller{every: pollEvery, digest: digest, read: read, onFault: func(error) {}, reload: make(chan struct{}, 1)}
}

// Err returns why the current files are not in use, or nil if they are.
func (p *poller) Err() error {
	if fault := p.fault.Load(); fault != nil {
		return *fault
	}
	return nil
}

// Reload makes run read the files now. It does not wait.
func (p *poller) Reload() {
	select {
	case p.reload <- struct{}{}:
	default: // one is pending
	}
}

// run checks the files until ctx ends.
func (p *poller) run(ctx context.Context) {
	ticker := time.NewTicker(p.every)
	defer ticker.Stop()
	seen := p.used
	var unstable, read time.Time
	for {
		asked := false
		select {
		case <-ctx.Done():
			return
		case <-p.reload:
			asked = true
		case <-ticker.C:
		}
		before := seen
		seen = p.digest()
		if seen != before && !asked {
			if unstable.IsZero() {
				unstable = time.Now()
			}
			if time.Since(unstable) > pollUnstable {
				p.fail(errUnstable)
			}
			continue
		}
		if asked || seen != p.used || p.Err() != nil && time.Since(read) >= pollFault {
			read = time.Now()
			p.load(ctx, seen)
		}
		if seen == p.used {
			unstable = time.Time{}
		}
	}
}

// load reads files with that digest and takes them into use.
func (p *poller) load(ctx context.Context, digest string) {
	use, err := p.read()
	if p.digest() != digest || ctx.Err() != nil {
		return // a mix of old and new may have been read
	}
	p.used = digest
	if err == nil {
		err = use()
	}
	if err != nil {
		p.fail(err)
		return
	}
	p.fault.Store(nil)
}

func (p *poller) fail(err error) {
	before := p.Err()
	p.fault.Store(&err)
	if before == nil || before.Error() != err.Error() {
		p.onFault(err)
	}
}

// maxSmall bounds a file of keys, certificates or secrets, in bytes. It is many times the
// size of the longest certificate chain.
const maxSmall = 64 << 10

// readSmall returns the content of a small regular file. Its errors name the file and never
// repeat its content.
func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fileError(err)
	}
	if !info.Mode().IsRegular() && !info.IsDir() { // the error of reading a folder says that it is one
		return nil, fmt.Errorf("%s is not a regular file, so it cannot be read again", path)
	}
	return readOnce(path)
}

// readOnce is readSmall for a file that is not read again. It may be a pipe, on which it
// waits for a writer.
func readOnce(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fileError(err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxSmall+1)) // it may grow meanwhile
	if err != nil {
		return nil, fileError(err)
	}
	if len(content) > maxSmall {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxSmall)
	}
	return content, nil
}

// digestSmall returns a digest of small files, or of why they cannot be read.
func digestSmall(paths ...string) string {
	sum := sha256.New()
	for _, path := range paths {
		content, err := readSmall(path)
		fmt.Fprintf(sum, "%d %v\n", len(content), err)
		sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil))
}
