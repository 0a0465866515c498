package app

import (
	"context"
	"fmt"
	"slices"

	"greenlight/internal/telnyx"
)

// KeyFile gives a verifier the public keys in a file whenever they change, so that a key
// can be rotated without a restart. The verifier always has valid keys. The same keys in
// another order are not a change. Make one with [NewKeyFile].
type KeyFile struct {
	poller
	// onChange gets new keys once they are in use.
	onChange func([]telnyx.PublicKey)
}

// NewKeyFile returns a KeyFile for a verifier that already has the file's keys.
func NewKeyFile(path string, verifier *telnyx.Verifier) *KeyFile {
	f := &KeyFile{onChange: func([]telnyx.PublicKey) {}}
	f.poller = newPoller(
		func() string { return digestSmall(path) },
		func() (func() error, error) {
			content, err := readSmall(path)
			var keys []telnyx.PublicKey
			if err == nil {
				keys, err = telnyx.ParsePublicKeys(string(content))
			}
			if err != nil {
				return nil, fmt.Errorf("public key file: %w; the previous keys stay in use", err)
			}
			return func() error { return f.use(verifier, keys) }, nil
		})
	return f
}

func (f *KeyFile) use(verifier *telnyx.Verifier, keys []telnyx.PublicKey) error {
	if sameKeys(keys, verifier.Keys()) {
		return nil
	}
	if err := verifier.Replace(keys); err != nil {
		return err
	}
	f.onChange(keys)
	return nil
}

// Run checks the file until ctx ends.
func (f *KeyFile) Run(ctx context.Context) { f.run(ctx) }

// sameKeys reports whether two lists hold the same keys.
func sameKeys(a, b []telnyx.PublicKey) bool {
	holds := func(list []telnyx.PublicKey) func(telnyx.PublicKey) bool {
		return func(key telnyx.PublicKey) bool { return !slices.Contains(list, key) }
	}
	return !slices.ContainsFunc(a, holds(b)) && !slices.ContainsFunc(b, holds(a))
}
