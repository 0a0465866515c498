package page_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// axe-core finds faults of accessibility. Its license is MPL-2.0, so it is fetched from npm's
// registry for the test rather than kept here.
const (
	axeURL    = "https://registry.npmjs.org/axe-core/-/axe-core-4.14.1.tgz"
	axeSHA256 = "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745"
)

var errOtherArchive = errors.New("the archive of axe-core has another checksum")

// axe is the script of axe-core.
var axe = sync.OnceValues(func() (string, error) {
	archive, err := axeArchive()
	if err != nil {
		return "", err
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return "", err
	}
	files := tar.NewReader(unpacked)
	for {
		file, err := files.Next()
		if err != nil {
			return "", fmt.Errorf("find axe.min.js: %w", err)
		}
		if file.Name == "package/axe.min.js" {
			script, err := io.ReadAll(files)
			return string(script), err
		}
	}
})

// axeArchive returns the package from the cache, or from the registry.
func axeArchive() ([]byte, error) {
	cached := ""
	if dir, err := os.UserCacheDir(); err == nil {
		cached = filepath.Join(dir, "greenlight-tools", filepath.Base(axeURL))
		if archive, err := os.ReadFile(cached); err == nil && isAxe(archive) {
			return archive, nil
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, axeURL, nil)
	if err != nil {
		return nil, err
	}
	answer, err := (&http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	archive, err := io.ReadAll(io.LimitReader(answer.Body, 10<<20))
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, errors.New(answer.Status)
	}
	if !isAxe(archive) {
		return nil, errOtherArchive
	}
	if cached != "" && os.MkdirAll(filepath.Dir(cached), 0o755) == nil {
		_ = os.WriteFile(cached, archive, 0o644) // the next run fetches it again
	}
	return archive, nil
}

func isAxe(archive []byte) bool {
	sum := sha256.Sum256(archive)
	return hex.EncodeToString(sum[:]) == axeSHA256
}

// needAxe skips the test if npm's registry cannot be reached: its outage is not a fault of the
// page. An archive with other content fails the test.
func needAxe(t *testing.T) {
	t.Helper()
	_, err := axe()
	switch {
	case err == nil:
	case errors.Is(err, errOtherArchive):
		t.Fatal(err)
	default:
		t.Skipf("axe-core cannot be fetched from npm's registry: %v", err)
	}
}

// Options of axe-core. Contrast takes it most of its time, and is the same on a phone.
const (
	everyRule    = `{}`
	onlyContrast = `{ runOnly: { type: 'rule', values: ['color-contrast'] } }`
	notContrast  = `{ rules: { 'color-contrast': { enabled: false } } }`
)

// accessible reports what axe-core finds on the page, if it is there.
func (b tab) accessible(what, options string) {
	b.t.Helper()
	script, err := axe()
	if err != nil {
		return // see needAxe
	}
	if !eval[bool](b, `Boolean(window.axe)`) {
		b.js(script)
	}
	b.js(`window.axeFound = null; axe.run(document, { resultTypes: ['violations'], ...` + options + ` }).then(r => { window.axeFound = r.violations.flatMap(v => v.nodes.map(n => v.id + ' ' + n.target + ': ' + n.failureSummary)); })`)
	b.until(`window.axeFound !== null`)
	for _, found := range eval[[]string](b, `window.axeFound`) {
		b.t.Errorf("%s: %s", what, found)
	}
}
