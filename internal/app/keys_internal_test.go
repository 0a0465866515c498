package app

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"greenlight/internal/telnyx"
)

// key returns one of several keys.
func key(n byte) telnyx.PublicKey {
	return telnyx.PublicKeyOf(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize)))
}

// rotation is a KeyFile at work for a verifier that has key 1.
type rotation struct {
	t        *testing.T
	path     string
	file     *KeyFile
	verifier *telnyx.Verifier
	news     chan string
}

func rotate(t *testing.T) *rotation {
	t.Helper()
	r := &rotation{t: t, path: filepath.Join(t.TempDir(), "key"), news: make(chan string, 100)}
	r.write(key(1).String() + "\n")
	verifier, err := telnyx.NewVerifier([]telnyx.PublicKey{key(1)}, nil)
	must(t, err)
	r.verifier, r.file = verifier, NewKeyFile(r.path, verifier)
	r.file.every = 20 * time.Millisecond
	r.file.onChange = func(keys []telnyx.PublicKey) { r.news <- fmt.Sprint("keys ", keys) }
	r.file.onFault = func(err error) { r.news <- "fault " + err.Error() }
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); r.file.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return r
}

func (r *rotation) write(text string) {
	r.t.Helper()
	must(r.t, os.WriteFile(r.path, []byte(text), 0o600))
}

// hears waits for news that begin like this.
func (r *rotation) hears(want string) {
	r.t.Helper()
	select {
	case got := <-r.news:
		if !strings.HasPrefix(got, want) {
			r.t.Errorf("got %s, want %s", got, want)
		}
	case <-time.After(patience):
		r.t.Errorf("no news, want %s", want)
	}
}

func TestKeyFile_RotatesAKeyAndKeepsWhatWasGood(t *testing.T) {
	const secret = "KEY0123456789ABCDEF_s3cretValue"
	for name, test := range map[string]struct {
		spoil func(r *rotation)
		want  string
	}{
		"empty":         {func(r *rotation) { r.write("") }, "it is empty"},
		"cut off":       {func(r *rotation) { r.write(key(2).String()[:30]) }, "may be cut off"},
		"second bad":    {func(r *rotation) { r.write(key(2).String() + ",x") }, "key 2 of 2"},
		"an API key":    {func(r *rotation) { r.write(secret) }, "it looks like an API key"},
		"far too large": {func(r *rotation) { r.write(strings.Repeat(secret, 10_000)) }, "is larger than"},
		"gone":          {func(r *rotation) { must(r.t, os.Remove(r.path)) }, "no such file"},
		"a folder": {func(r *rotation) {
			must(r.t, os.Remove(r.path))
			must(r.t, os.Mkdir(r.path, 0o700))
		}, "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := rotate(t)
				r.write(" " + key(1).String() + "\n\n") // the same key
				test.spoil(r)
				r.hears("fault public key file: ")
				err := r.file.Err()
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasSuffix(err.Error(), "; the previous keys stay in use") {
					t.Errorf("Err: %v, want %q and what follows", err, test.want)
				}
				if strings.Contains(fmt.Sprint(err), "s3cret") {
					t.Errorf("the error repeats what is in the file: %v", err)
				}
				if got := r.verifier.Keys(); !slices.Equal(got, []telnyx.PublicKey{key(1)}) {
					t.Errorf("in use are %v", got)
				}
				both := []telnyx.PublicKey{key(1), key(2)}
				must(t, os.RemoveAll(r.path+".new"))
				must(t, os.WriteFile(r.path+".new", []byte(key(1).String()+","+key(2).String()), 0o600))
				must(t, os.RemoveAll(r.path))
				must(t, os.Rename(r.path+".new", r.path))
				for got := range r.news {
					if strings.HasPrefix(got, "keys ") {
						break
					}
				}
				eventually(t, "both keys without a fault", func() bool { return slices.Equal(r.verifier.Keys(), both) && r.file.Err() == nil })
			})
		})
	}
}

// A pipe without a writer would hold up the start for ever, and a device never ends.
func TestReadSmall_RefusesWhatIsNotAFile(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	must(t, syscall.Mkfifo(pipe, 0o600))
	for _, path := range []string{pipe, "/dev/zero"} {
		if _, err := readSmall(path); err == nil || !strings.Contains(err.Error(), path+" is not a regular file") {
			t.Errorf("%s: got %v, want it refused", path, err)
		}
	}
}
