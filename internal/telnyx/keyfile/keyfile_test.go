package keyfile_test

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
	"time"

	"go.uber.org/goleak"

	"greenlight/internal/telnyx"
	"greenlight/internal/telnyx/keyfile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// key returns one of several keys.
func key(n byte) telnyx.PublicKey {
	return telnyx.PublicKeyOf(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize)))
}

// running is a File at work.
type running struct {
	t        *testing.T
	file     *keyfile.File
	verifier *telnyx.Verifier
	news     chan string
}

// run watches the path for a verifier that has key 1.
func run(t *testing.T, path string) *running {
	t.Helper()
	verifier, err := telnyx.NewVerifier([]telnyx.PublicKey{key(1)}, nil)
	must(t, err)
	r := &running{t, keyfile.New(path, verifier), verifier, make(chan string, 100)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		ended <- r.file.Run(ctx,
			func(keys []telnyx.PublicKey) { r.news <- fmt.Sprint("keys ", keys) },
			func(err error) { r.news <- "fault " + err.Error() })
	}()
	t.Cleanup(func() { cancel(); must(t, <-ended) })
	return r
}

// reaches waits for the news that the keys are in use.
func (r *running) reaches(keys ...telnyx.PublicKey) {
	r.t.Helper()
	r.hears(fmt.Sprint("keys ", keys))
	if got := r.verifier.Keys(); !slices.Equal(got, keys) {
		r.t.Errorf("in use are %v, want %v", got, keys)
	}
	// The fault is taken back after the change is told.
	for deadline := time.Now().Add(time.Second); r.file.Err() != nil && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	}
	if err := r.file.Err(); err != nil {
		r.t.Errorf("Err: %v", err)
	}
}

// hears waits for news that begin like this, sooner than the poll comes.
func (r *running) hears(want string) {
	r.t.Helper()
	select {
	case got := <-r.news:
		if !strings.HasPrefix(got, want) {
			r.t.Errorf("got %s, want %s", got, want)
		}
	case <-time.After(keyfile.Poll - time.Second):
		r.t.Errorf("no news, want %s", want)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o600))
}

// replace writes beside the file and renames over it, as careful programs do.
func replace(t *testing.T, path, text string) {
	t.Helper()
	write(t, path+".new", text)
	must(t, os.Rename(path+".new", path))
}

func TestFile_RotatesAKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	write(t, path, key(1).String()+"\n")
	r := run(t, path)
	write(t, path, key(1).String()+","+key(2).String()+"\n")
	r.reaches(key(1), key(2))
	replace(t, path, key(2).String()+"\n")
	r.reaches(key(2))
	write(t, path, key(3).String()) // the file that was renamed into place is seen too
	r.reaches(key(3))
}

func TestFile_KeepsTheKeysWhileTheFileIsAtFault(t *testing.T) {
	t.Parallel()
	const secret = "KEY0123456789ABCDEF_s3cretValue"
	for name, test := range map[string]struct {
		spoil func(t *testing.T, path string)
		want  string
	}{
		"empty":         {func(t *testing.T, path string) { write(t, path, "") }, "it is empty"},
		"cut off":       {func(t *testing.T, path string) { write(t, path, key(2).String()[:30]) }, "as if cut off"},
		"second bad":    {func(t *testing.T, path string) { write(t, path, key(2).String()+",x") }, "key 2 of 2"},
		"another thing": {func(t *testing.T, path string) { write(t, path, secret) }, "it looks like an API key"},
		"far too large": {func(t *testing.T, path string) { write(t, path, strings.Repeat(secret, 10_000)) }, "is larger than"},
		"gone":          {func(t *testing.T, path string) { must(t, os.Remove(path)) }, "no such file"},
		"a folder": {func(t *testing.T, path string) {
			must(t, os.Remove(path))
			must(t, os.Mkdir(path, 0o700))
		}, "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "key")
			write(t, path, key(1).String())
			r := run(t, path)
			test.spoil(t, path)
			r.hears("fault public key file: ")
			err := r.file.Err()
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasSuffix(err.Error(), "; the keys that were read before stay in use") {
				t.Errorf("Err: %v, want %q and what follows", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error tells what is in the file: %v", err)
			}
			if got := r.verifier.Keys(); !slices.Equal(got, []telnyx.PublicKey{key(1)}) {
				t.Errorf("in use are %v", got)
			}
			r.file.Reload() // the same fault again is no news
			must(t, os.RemoveAll(path))
			write(t, path, key(1).String()+","+key(2).String())
			for news := range r.news {
				if strings.HasPrefix(news, "keys ") {
					break
				}
				if !strings.Contains(news, "no such file") { // between removing and writing
					t.Errorf("more news: %s", news)
				}
			}
			if got := r.verifier.Keys(); !slices.Equal(got, []telnyx.PublicKey{key(1), key(2)}) {
				t.Errorf("mended: in use are %v", got)
			}
		})
	}
}

// Kubernetes keeps the files of a Secret in a folder with a time for its name, to
// which the link ..data leads, and changes them by renaming another link over it.
func TestFile_SeesALinkThatLeadsElsewhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	version := func(name, text string) {
		must(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		write(t, filepath.Join(dir, name, "key"), text)
	}
	point := func(name string) {
		must(t, os.Symlink(name, filepath.Join(dir, "..data_tmp")))
		must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	version("..2024_1", key(1).String())
	point("..2024_1")
	must(t, os.Symlink("..data/key", filepath.Join(dir, "key")))
	r := run(t, filepath.Join(dir, "key"))
	version("..2024_2", key(2).String())
	point("..2024_2")
	r.reaches(key(2))
	version("..2024_3", key(3).String())
	point("..2024_3")
	must(t, os.RemoveAll(filepath.Join(dir, "..2024_2")))
	r.reaches(key(3))
}

func TestFile_LooksWhenItIsTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "far"), 0o700))
	path := filepath.Join(dir, "near", "key")
	write(t, filepath.Join(dir, "far", "key"), key(1).String())
	must(t, os.Symlink("far", filepath.Join(dir, "near")))
	r := run(t, path)
	time.Sleep(2 * keyfile.Settle) // past the first look
	// A folder further up is not listened to; the poll would find it.
	must(t, os.Mkdir(filepath.Join(dir, "other"), 0o700))
	write(t, filepath.Join(dir, "other", "key"), key(2).String())
	must(t, os.Remove(filepath.Join(dir, "near")))
	must(t, os.Symlink("other", filepath.Join(dir, "near")))
	r.file.Reload()
	r.reaches(key(2))
}

func TestFile_TakesTheSameKeysForNoChange(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	write(t, path, key(1).String())
	r := run(t, path)
	write(t, path, " "+key(1).String()+"\n\n")
	write(t, path, key(1).String()+", "+key(1).String())
	r.file.Reload()
	time.Sleep(3 * keyfile.Settle)
	select {
	case news := <-r.news:
		t.Errorf("got %s, want no news", news)
	default:
	}
	write(t, path, key(2).String()+","+key(1).String())
	r.reaches(key(2), key(1))
}

// A pipe without a writer would hold up the start for ever, and a device never ends.
func TestContent_RefusesWhatIsNoFile(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	must(t, syscall.Mkfifo(pipe, 0o600))
	for _, path := range []string{pipe, "/dev/zero"} {
		if _, err := keyfile.Content(path); err == nil || !strings.Contains(err.Error(), path+" is no regular file") {
			t.Errorf("%s: got %v, want it refused", path, err)
		}
	}
}
