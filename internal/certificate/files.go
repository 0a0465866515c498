package certificate

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"

	"greenlight/internal/smallfile"
)

const (
	// settle is how long the files must be quiet before they are read: a tool that
	// writes the two one after the other is not told that they do not match.
	settle = 500 * time.Millisecond
	// poll bounds how late a change is seen that brings no event, such as on NFS, or
	// by a link further up. Two small files are read for it.
	poll = 30 * time.Second
	// maxFile bounds a file by far: a chain of a few certificates is 10 KiB.
	maxFile = 1 << 20
)

// Files is a certificate and its key in two PEM files, which are read again when
// their content changes, whatever way it did: written over, renamed over, or behind
// a link that was switched, as Kubernetes does it. Make one with [LoadFiles].
type Files struct {
	cert, key string
	config    *tls.Config
	now       func() time.Time
	settle    time.Duration
	poll      time.Duration

	inForce atomic.Pointer[tls.Certificate]
	fault   atomic.Pointer[error]
	reload  chan struct{} // holds one request

	// read and told belong to Run.
	read content
	told string
}

// content is what the two files hold.
type content struct {
	cert, key []byte
	err       error
}

func (c content) equal(o content) bool {
	return bytes.Equal(c.cert, o.cert) && bytes.Equal(c.key, o.key) && (c.err == nil) == (o.err == nil)
}

// LoadFiles reads a certificate, followed by those between it and the authority's,
// and its key. The error says what is wrong with the files.
func LoadFiles(cert, key string) (*Files, error) {
	f := &Files{cert: cert, key: key, config: config(), now: time.Now, settle: settle, poll: poll, reload: make(chan struct{}, 1)}
	f.config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.inForce.Load(), nil }
	f.read = f.contents()
	pair, err := f.read.pair()
	if err != nil {
		return nil, err
	}
	f.inForce.Store(pair)
	return f, nil
}

// Config returns the listener's TLS configuration.
func (f *Files) Config() *tls.Config { return f.config }

// InForce returns the certificate that is shown.
func (f *Files) InForce() []*x509.Certificate { return []*x509.Certificate{f.inForce.Load().Leaf} }

// Ready returns nil when the certificate in force is valid now.
func (f *Files) Ready() error { return validity(f.inForce.Load().Leaf, f.now()) }

// ByConnections is false: files come by themselves.
func (f *Files) ByConnections() bool { return false }

// Renewal returns why the files as they are now are not in force, or that what is
// in force ends soon.
func (f *Files) Renewal() error {
	if fault := f.fault.Load(); fault != nil {
		return fmt.Errorf("the certificate of %s stays in force: %w", day(f.inForce.Load().Leaf.NotBefore), *fault)
	}
	return closeToEnd(f.inForce.Load().Leaf, f.now())
}

// Reload makes Run look at the files now.
func (f *Files) Reload() {
	select {
	case f.reload <- struct{}{}:
	default: // one is asked for already
	}
}

// Run reads the files when they have changed, until ctx ends.
func (f *Files) Run(ctx context.Context, tell Told) error {
	events, err := f.listen()
	if err != nil {
		tell.Fault(fmt.Errorf("no events about the certificate's files, which are read every %s: %w", f.poll, err))
		events = &fsnotify.Watcher{} // its channels are nil, and nothing comes from them
	} else {
		defer events.Close()
	}
	tell.Changed(f.inForce.Load().Leaf)
	ticks := time.NewTicker(f.poll)
	defer ticks.Stop()
	quiet := time.NewTimer(0) // what changed since LoadFiles
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-events.Events:
			if !ok {
				events = &fsnotify.Watcher{}
				continue
			}
			quiet.Reset(f.settle)
		case <-events.Errors: // events may be lost
			quiet.Reset(f.settle)
		case <-ticks.C:
			if !f.contents().equal(f.read) {
				quiet.Reset(f.settle)
			}
		case <-f.reload:
			f.look(tell)
		case <-quiet.C:
			f.look(tell)
		}
	}
}

// listen listens to the folders in which the files lie, and those in which the files
// lie that they are links to. A watch on a file would stay with the one that is gone.
func (f *Files) listen() (*fsnotify.Watcher, error) {
	events, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	var folders []string
	for _, file := range []string{f.cert, f.key} {
		folders = append(folders, filepath.Dir(file))
		if real, err := filepath.EvalSymlinks(file); err == nil {
			folders = append(folders, filepath.Dir(real))
		}
	}
	slices.Sort(folders)
	for _, folder := range slices.Compact(folders) {
		if err := events.Add(folder); err != nil {
			return nil, errors.Join(err, events.Close())
		}
	}
	return events, nil
}

// look puts the files' pair in force, if it is another one and can be used.
func (f *Files) look(tell Told) {
	found := f.contents()
	if found.equal(f.read) && f.fault.Load() == nil {
		return
	}
	f.read = found
	pair, err := found.pair()
	if err == nil {
		// A pair that has expired is better than none, and worse than a valid one.
		if old := validity(pair.Leaf, f.now()); old != nil && f.Ready() == nil {
			err = old
		}
	}
	if err != nil {
		f.fault.Store(&err)
		if err.Error() != f.told {
			f.told = err.Error()
			tell.Fault(f.Renewal())
		}
		return
	}
	f.fault.Store(nil)
	f.told = ""
	if before := f.inForce.Swap(pair); !before.Leaf.Equal(pair.Leaf) {
		tell.Changed(pair.Leaf)
	}
}

func (f *Files) contents() content {
	cert, certErr := readFile(f.cert)
	key, keyErr := readFile(f.key)
	return content{cert, key, errors.Join(certErr, keyErr)}
}

func readFile(path string) ([]byte, error) {
	text, err := smallfile.Read(path, maxFile)
	if err == nil && len(text) > maxFile {
		return nil, fmt.Errorf("%s is too large to be a certificate or key", path)
	}
	return text, err
}

// pair returns the certificate with its key and its leaf parsed. No error holds
// anything of the key.
func (c content) pair() (*tls.Certificate, error) {
	if c.err != nil {
		return nil, c.err
	}
	pair, err := tls.X509KeyPair(c.cert, c.key)
	if err != nil {
		return nil, fmt.Errorf("certificate and key: %w", err)
	}
	return &pair, nil
}
