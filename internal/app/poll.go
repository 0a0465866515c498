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
	// pollEvery is the time between two looks at files that people change while the
	// process runs, and how long they must hold still before they are read. A tool that
	// writes a certificate and then its key is not caught between the two.
	pollEvery = time.Second
	// pollRestless is how long files may keep changing before that is a fault.
	pollRestless = 30 * time.Second
	// pollFault is the time between two readings of files at fault that did not change:
	// the cause may be elsewhere, like a file that does not exist yet.
	pollFault = 5 * time.Second
)

// errRestless is the fault of files that do not hold still.
var errRestless = errors.New("it keeps changing while it is read, so it may be incomplete; write it in one go, or beside its place and rename it")

// poller keeps what files say in use while people and secret managers change them: keys,
// certificates, plans. It compares digests, since events of the file system are lost on
// NFS, behind links, and when their queue is full.
//
//   - What was good stays in use until something better is there. A fault changes nothing
//     but Err, and is reported once as long as its words stay the same.
//   - Files are read when two digests in a row are equal, or at once after Reload, and
//     what was read is thrown away if the digest is another one afterwards.
//   - All callbacks come from the goroutine of run, and none after it returned.
type poller struct {
	// every is the time between two looks.
	every time.Duration
	// digest returns what the files look like now, faults included.
	digest func() string
	// read reads the files and returns what puts them in use.
	read func() (use func() error, err error)
	// onFault gets the reason why the files cannot be used.
	onFault func(error)
	// used is the digest of what was read last. It belongs to run.
	used   string
	fault  atomic.Pointer[error]
	reload chan struct{} // holds one request, so that asking never waits
}

func newPoller(digest func() string, read func() (func() error, error)) poller {
	return poller{every: pollEvery, digest: digest, read: read, onFault: func(error) {}, reload: make(chan struct{}, 1)}
}

// Err returns why the files as they are now are not in use, or nil when they are.
func (p *poller) Err() error {
	if fault := p.fault.Load(); fault != nil {
		return *fault
	}
	return nil
}

// Reload has the files read now, as on SIGHUP, and does not wait for it.
func (p *poller) Reload() {
	select {
	case p.reload <- struct{}{}:
	default: // it is asked for already
	}
}

// run looks at the files until ctx ends.
func (p *poller) run(ctx context.Context) {
	ticker := time.NewTicker(p.every)
	defer ticker.Stop()
	seen := p.used
	var restless, read time.Time
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
			if restless.IsZero() {
				restless = time.Now()
			}
			if time.Since(restless) > pollRestless {
				p.fail(errRestless)
			}
			continue
		}
		if asked || seen != p.used || p.Err() != nil && time.Since(read) >= pollFault {
			read = time.Now()
			p.look(ctx, seen)
		}
		if seen == p.used {
			restless = time.Time{}
		}
	}
}

// look reads files of that digest and puts them in use.
func (p *poller) look(ctx context.Context, digest string) {
	use, err := p.read()
	if p.digest() != digest || ctx.Err() != nil {
		return // what was read may be a mix
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

// maxSmall bounds a file of keys, certificates or secrets, in bytes: many times the
// longest chain of certificates.
const maxSmall = 64 << 10

// readSmall returns what the regular file at path holds. It refuses what would fill the
// program or hold it up. Its errors name the file and repeat nothing of what it holds.
func readSmall(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() && !info.IsDir() { // the error of reading a folder says that it is one
		return nil, fmt.Errorf("%s is not a regular file; a pipe or device may never end, and cannot be read again", path)
	}
	return readOnce(path)
}

// readOnce is readSmall for what is not read again, which may be a pipe: it waits until
// somebody writes to it.
func readOnce(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxSmall+1)) // it may grow meanwhile
	if err == nil && len(content) > maxSmall {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxSmall)
	}
	return content, err
}

// digestSmall returns a digest of what small files hold, or of why they cannot be read.
func digestSmall(paths ...string) string {
	sum := sha256.New()
	for _, path := range paths {
		content, err := readSmall(path)
		fmt.Fprintf(sum, "%d %v\n", len(content), err)
		sum.Write(content)
	}
	return hex.EncodeToString(sum.Sum(nil))
}
